# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The one reader of image files.

Training, inference, metrics, converters and the web page all read through :func:`decode_rgb`, so
that a file is the same picture everywhere:

- upright, as its EXIF orientation says (damaged EXIF data count as none);
- 8-bit RGB: grey is repeated, 16 bits are scaled down, palettes and CMYK are converted;
- integers of 32 bits (Pillow's mode I) count as 8 bits where none is above 255, else as 16;
- transparent pixels, of an alpha channel, a palette or a transparent colour, are laid on white;
- the first picture of an animation or of several pages;
- colour profiles (ICC) are ignored: the values are taken as sRGB.

A file is known by its content, whatever its name says. What cannot be shown so is refused:
floating-point pixels, integers beyond 16 bits, truncated files and other formats, such as GIF.
"""
import io
import os
from typing import Optional, Union

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from .errors import BadInputError
from .listing import why_unusable

# What is decoded, whatever a file is called. Pillow knows some forty formats more, and holes in its
# decoders are mostly in those that few people use.
DECODED_FORMATS = ('BMP', 'JPEG', 'PNG', 'PPM', 'TIFF', 'WEBP')

_ORIENTATION = 0x0112  # tag of EXIF
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def open_lazily(content: bytes, role: str = 'image') -> Image.Image:
    """Reads the header of an image file.

    Returns:
        Image.Image: The image in its own mode, whose pixels are not read yet.

    Raises:
        BadInputError: If it is none of :data:`DECODED_FORMATS`.
    """
    try:
        return Image.open(io.BytesIO(content), formats=DECODED_FORMATS)
    except UnidentifiedImageError as error:  # its own message has an address in memory
        why = f'none of {", ".join(DECODED_FORMATS)}' if content else 'empty'
        raise BadInputError(f'the {role} cannot be decoded: the file is {why}') from error
    except Exception as error:  # each format of Pillow fails in its own way
        raise BadInputError(f'the {role} cannot be decoded: {error}') from error


def decode(content: bytes, role: str = 'image') -> Image.Image:
    """Reads an image file to its end, in its own mode: for label maps, whose values count.

    Returns:
        Image.Image: The image in its own mode, turned upright as its EXIF data say.

    Raises:
        BadInputError: If it is no image or is damaged.
    """
    image = open_lazily(content, role)
    try:
        image.load()
        return upright(image)
    except Exception as error:  # each format of Pillow fails in its own way
        raise BadInputError(f'the {role} cannot be decoded: {error}') from error


def upright(image: Image.Image) -> Image.Image:
    """The image turned as its EXIF orientation says; itself where there is none."""
    turn = _UPRIGHT.get(_orientation(image))
    if turn is None:
        return image
    turned = image.transpose(turn)
    # What transpose() keeps of the information; the orientation must not count twice.
    turned.info = {key: value for key, value in image.info.items() if key == 'transparency'}
    return turned


def _orientation(image: Image.Image) -> Optional[int]:
    try:
        return image.getexif().get(_ORIENTATION)
    except Exception:  # damaged EXIF data turn no picture, in any viewer
        return None


def to_rgb(image: Image.Image) -> Image.Image:
    """Converts any image to 8-bit RGB, as the module's description says.

    Args:
        image (Image.Image): Of any mode but 32-bit float.

    Returns:
        Image.Image: The same picture in mode RGB; the image itself if it is in this mode.

    Raises:
        BadInputError: If the image holds floats or integers of more than 16 bits, whose range is
            unknown, or colours that cannot be converted.
    """
    if image.mode == 'F':
        raise BadInputError('the image has floating-point pixels: save it with 8 or 16 bits')
    if image.mode.startswith('I'):  # Pillow's convert() would clip 16-bit values at 255
        image = _eight_bits(image)
    try:
        if _has_transparency(image):
            if image.mode == 'La':
                image = image.convert('LA')
            image = image.convert('RGBA')
            image = Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image)
        return image if image.mode == 'RGB' else image.convert('RGB')
    except (OSError, ValueError) as error:
        raise BadInputError(f'an image of mode {image.mode} cannot be converted to RGB: save it as '
                            'RGB') from error


def _eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise BadInputError(f'the image has values of {values.min()}..{values.max()}: save it '
                            'with 8 or 16 bits')
    # Files of these formats have 16 bits where Pillow has the mode I.
    eight = image.mode == 'I' and image.format not in ('PNG', 'PPM') and values.max(initial=0) < 256
    grey = Image.fromarray((values if eight else np.round(values / 257)).astype(np.uint8))
    transparent = image.info.get('transparency')
    if not isinstance(transparent, int):
        return grey
    return Image.merge('LA', (grey, Image.fromarray(
        np.where(values == transparent, 0, 255).astype(np.uint8))))


def _has_transparency(image: Image.Image) -> bool:
    return (image.mode in ('RGBA', 'RGBa', 'LA', 'La', 'PA') or 'transparency' in image.info
            or (image.mode == 'P' and image.palette.mode.endswith('A')))


def decode_rgb(content: bytes, channel_order: str = 'rgb') -> np.ndarray:
    """Decodes an image file to the picture that all parts of this package see.

    Args:
        content (bytes): Of the file.
        channel_order (str): ``'rgb'`` or ``'bgr'``. Defaults to ``'rgb'``.

    Returns:
        np.ndarray: uint8, (H, W, 3).

    Raises:
        BadInputError: If it is no image, is damaged, or cannot be shown in 8-bit RGB.
    """
    image = np.array(to_rgb(decode(content)))
    return cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if channel_order == 'bgr' else image


def read_image(path: Union[str, os.PathLike], channel_order: str = 'rgb') -> np.ndarray:
    """Reads an image file, as :func:`decode_rgb` does.

    Args:
        path (str | PathLike): The file.
        channel_order (str): ``'rgb'`` or ``'bgr'``. Defaults to ``'rgb'``.

    Returns:
        np.ndarray: uint8, (H, W, 3).

    Raises:
        BadInputError: If it cannot be read; it names the file.
    """
    # Not pathlib, which takes half as long as decoding a digit.
    try:
        if why := why_unusable(path):  # a pipe would be waited for
            raise BadInputError(f'it {why}')
        with open(path, 'rb', buffering=0) as file:
            content = file.read()
        return decode_rgb(content, channel_order)
    except (BadInputError, OSError) as error:
        raise BadInputError(f'{os.fspath(path)} is not a readable image: {error}') from error
