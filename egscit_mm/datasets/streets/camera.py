# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The painter of domain B, as by a camera: muted, with haze, blur, vignetting and noise."""
from functools import lru_cache

import cv2
import numpy as np

from .painter import Painter, Weather, develop, hex_palette, light_of, paint_light
from .raster import Raster
from .scene import Scene
from .style import Style

_PAINTER = Painter(
    palette=hex_palette(dict(
        sky='a0b0c0', sun='fffaf0', cloud='e8e8ea',
        pavement='8c8880 948c84 86847e', road='58585a 626060 4e4e50', lane='c8c8c0 c0b890',
        kerb='9c9a94',
        skyline='8c9098 98948e', facade='8c7a6c a49a8a 9c9c98 7c5c50 8a9094 b0a898',
        shop='7c4440 485870 48604c 8c7850 605064 506868', door='483830 3c444c 404840',
        window='3c4248 484c50', lit_window='ffd8a0 d8a060 f0e0c0 8c6c48 ffe0b0 b08850',
        hill='6c7864 707a70 78806a', grass='5e6c44 687048', hedge='404e34 4a5638',
        trunk='4c4238 443c34', leaves='46563a 52603e 5e683e 3e5040 666a44 4a5834',
        pole='5c5e60 4a4a4c', sign='a03c38 3c5078 b09840', sign_face='d0d0cc c8c8c8',
        lamp='ffdca0', light_box='2a2a2a', red_light='ff4030', green_light='60ffb0',
        skin='c09c84 8c6850 5c4638', top='7c4440 485468 8c8460 4c5c50 b0b0b0 34343a',
        trousers='303644 2c2c2e 504840',
        car='782c2c 344258 b8b8b8 84868a 28282c d0d0ce', cabin='2a3036', wheel='222222',
        head_light='fff0d8', tail_light='e83028', plate='c8c4a8', bin='405044 504a44 444852')),
    lights=dict(
        day=(light_of('8c9098 8c8478 7898c0 c8d4dc fffcf4', 0),
             light_of('9094a0 a09c94 6488b8 bccad4 ffffff', 0)),
        dusk=(light_of('746c70 a07858 7884a0 e0b898 ffe0b0', 0.5),
              light_of('4c5060 504040 40506c a08478 ffc090', 0.95)),
        night=(light_of('686260 0c0c10 1c2234 504448 e8e8f0', 1),
               light_of('504a48 08080c 10141f 383034 e8e8f0', 1))),
    weathers=dict(
        clear=Weather(1, 0.1, 0.004, 0), overcast=Weather(0.1, 0.9, 0.006, 0),
        fog=Weather(0.05, 0.97, 0.04, 0.1), rain=Weather(0.05, 0.95, 0.013, 0.42)),
    shadow=0.85, shadow_blur=0.03, glow=1.3, glow_size=1.4)
# Width of the blur in pixels at 256 rows, by weather; deviation of the noise, by time.
_BLUR = dict(clear=1.0, overcast=1.0, fog=1.3, rain=1.5)
_NOISE = dict(day=0.008, dusk=0.012, night=0.018)


@lru_cache(1)
def _noise() -> np.ndarray:
    """Noise of the sensor, float32 (3, 1024, 1536), of which each picture shows a part."""
    return np.random.RandomState(0).standard_normal((3, 1024, 1536)).astype(np.float32)


@lru_cache(4)
def _vignette(size: tuple[int, int]) -> np.ndarray:
    """Brightness towards the corners, float32 (H, W)."""
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in size)
    return 1 - 0.22 * (x**2 + y[:, None]**2)


def paint_camera(raster: Raster, scene: Scene, style: Style) -> np.ndarray:
    """Paint a scene as domain B does.

    Args:
        raster (Raster): The scene in pixels.
        scene (Scene): The scene.
        style (Style): A style of domain B.

    Returns:
        np.ndarray: RGB, uint8 (H, W, 3).
    """
    image = paint_light(_PAINTER, raster, scene, style)
    height, width = size = image.shape[1:]
    side, noise = 2 * round(height / 128) + 1, _noise()
    sigma = _BLUR[style.weather] * height / 256
    top, left = (int(at * (most - some)) for at, most, some in zip(
        scene.grain, noise.shape[1:], size))
    image = np.stack([cv2.GaussianBlur(plane, (side, side), sigma) for plane in image])
    image *= _vignette(size)
    image += _NOISE[style.time] * noise[:, top:top + height, left:left + width]
    return develop(image, style.exposure, 0.14 * style.warmth)
