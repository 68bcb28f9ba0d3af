# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The painter of domain A, as in a game: clean, saturated, with hard shadows."""
import numpy as np

from .painter import Painter, Weather, develop, hex_palette, light_of, paint_light
from .raster import Raster
from .scene import Scene
from .style import Style

_PAINTER = Painter(
    palette=hex_palette(dict(
        sky='5aa0f0', sun='fff4c0', cloud='ffffff',
        pavement='b8a890 b0a8a0 c0b098', road='5c5c66 666670 545460', lane='ffffff ffe060',
        kerb='d0c8b8',
        skyline='8a90b0 a08890', facade='d86040 e8b060 d8d0b8 b05038 70a0c0 e0c8a0',
        shop='d02828 2060c0 20904c e0a020 8030a0 20a0a0', door='702818 204878 185030',
        window='284868 305878', lit_window='ffe070 ffc040 fff0a0 d09030 ffe890 ffb850',
        hill='58a048 4c9058 6aa84a', grass='4cb038 58c040', hedge='2c8c30 3c9c2c',
        trunk='7c4c24 684020', leaves='2ca02c 40b030 58b828 209038 74bc30 389c20',
        pole='606870 484c54', sign='e02020 2050d0 e0c010', sign_face='ffffff f8f8f8',
        lamp='ffe8a0', light_box='202020', red_light='ff2010', green_light='20ff60',
        skin='f0b890 a86c44 704428', top='e03030 3060e0 f0d030 30b050 f0f0f0 a030c0',
        trousers='283870 303030 705030',
        car='e01818 1848d8 f0f0f0 f0b000 202024 18a058', cabin='183048', wheel='181818',
        head_light='ffffe0', tail_light='ff1818', plate='fff0a0', bin='30803c 705838 404890')),
    lights=dict(
        day=(light_of('70788c b4aa96 3c8cf0 a8d8ff fff8d0', 0),
             light_of('787c8c b4b0a0 2878e8 98ccff fffbe8', 0)),
        dusk=(light_of('6c5878 d08040 5868c0 ffb060 ffd060', 0.4),
              light_of('4c4480 80405c 303090 f06878 ff9060', 0.9)),
        night=(light_of('30385c 10183c 101c58 304080 f0f4ff', 1),
               light_of('28305c 0c1434 0a1040 203068 f0f4ff', 1))),
    weathers=dict(
        clear=Weather(1, 0, 0.0008, 0), overcast=Weather(0.15, 0.75, 0.002, 0),
        fog=Weather(0.1, 0.85, 0.022, 0), rain=Weather(0.1, 0.85, 0.006, 0.3)),
    shadow=1.0, shadow_blur=0, glow=0.6, glow_size=0.6)


def paint_game(raster: Raster, scene: Scene, style: Style) -> np.ndarray:
    """Paint a scene as domain A does.

    Args:
        raster (Raster): The scene in pixels.
        scene (Scene): The scene.
        style (Style): A style of domain A.

    Returns:
        np.ndarray: RGB, uint8 (H, W, 3).
    """
    return develop(paint_light(_PAINTER, raster, scene, style), style.exposure,
                   0.1 * style.warmth)
