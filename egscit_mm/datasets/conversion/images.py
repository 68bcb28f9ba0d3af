# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Resizing and encoding images."""
import io

from PIL import Image, ImageOps

FORMATS = dict(
    png=dict(format='PNG', compress_level=3),
    jpg=dict(format='JPEG', quality=95, subsampling=0))  # 4:4:4, colours at full resolution


def stretch(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize an RGB image to (height, width), whatever its shape; Lanczos, without aliasing."""
    height, width = size
    return image.resize((width, height), Image.Resampling.LANCZOS)


def crop(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize to (height, width) the largest centred part of the image that has this shape."""
    height, width = size
    return ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)


def encode(image: Image.Image, image_format: str) -> bytes:
    """Content of an image file."""
    buffer = io.BytesIO()
    image.save(buffer, **FORMATS[image_format])
    return buffer.getvalue()
