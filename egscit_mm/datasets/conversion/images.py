# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Decoding, resizing and encoding images."""
import io

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import BadInputError

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp')
# What is decoded, whatever a file is called. Pillow knows some forty formats more, and holes in its
# decoders are mostly in those that few people use.
DECODED_FORMATS = ('BMP', 'JPEG', 'PNG', 'PPM', 'TIFF', 'WEBP')
FORMATS = dict(
    png=dict(format='PNG', compress_level=3),
    jpg=dict(format='JPEG', quality=95, subsampling=0))  # 4:4:4, colours at full resolution


def decode(content: bytes, role: str = 'image') -> Image.Image:
    """Open an image and read it to its end.

    Args:
        content (bytes): Of an image file in one of :data:`DECODED_FORMATS`; the first picture of
            several counts.
        role (str): What to call it in the error.

    Returns:
        Image.Image: The image in its own mode, turned upright as its EXIF data say.

    Raises:
        BadInputError: If it is no image or is damaged.
    """
    try:
        image = Image.open(io.BytesIO(content), formats=DECODED_FORMATS)
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return image
    except UnidentifiedImageError as error:  # its own message has an address in memory
        why = f'none of {", ".join(DECODED_FORMATS)}' if content else 'empty'
        raise BadInputError(f'the {role} cannot be decoded: the file is {why}') from error
    except Exception as error:  # each format of Pillow fails in its own way
        raise BadInputError(f'the {role} cannot be decoded: {error}') from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert any image to 8-bit RGB.

    Grey values are repeated, 16-bit ones scaled to 0..255, transparent pixels laid on white.

    Args:
        image (Image.Image): Of any mode but 32-bit float.

    Returns:
        Image.Image: The same picture in mode RGB; the image itself if it is in this mode.

    Raises:
        BadInputError: If the image holds floats or integers of more than 16 bits, whose range is
            unknown.
    """
    if image.mode.startswith('I'):  # Pillow's convert() would clip 16-bit values at 255
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise BadInputError(f'the image has values of {values.min()}..{values.max()}: save it '
                                'with 8 or 16 bits')
        image = Image.fromarray(np.round(values / 257).astype(np.uint8))
    if image.mode == 'F':
        raise BadInputError('the image has floating-point pixels: save it with 8 or 16 bits')
    if image.mode in ('RGBA', 'RGBa', 'LA', 'La', 'PA') or 'transparency' in image.info:
        image = image.convert('RGBA')
        image = Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image)
    return image if image.mode == 'RGB' else image.convert('RGB')


def stretch(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize an RGB image to (height, width), whatever its shape; Lanczos, without aliasing."""
    height, width = size
    return image.resize((width, height), Image.Resampling.LANCZOS)


def crop(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize to (height, width) the largest centred part of the image that has this shape."""
    height, width = size
    return ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)


def encode(image: Image.Image, image_format: str) -> bytes:
    """Content of an image file.

    Args:
        image (Image.Image): RGB or a label map.
        image_format (str): A key of :data:`FORMATS`.

    Returns:
        bytes: The content.
    """
    buffer = io.BytesIO()
    image.save(buffer, **FORMATS[image_format])
    return buffer.getvalue()
