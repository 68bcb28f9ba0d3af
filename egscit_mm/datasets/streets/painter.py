# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What the two painters share: light, haze, sky and lamps. They differ in what they are given."""
from collections.abc import Mapping
from typing import NamedTuple

import cv2
import numpy as np

from .labels import CATEGORIES, CATEGORY_OF_KIND, KINDS
from .raster import Raster
from .scene import FAR, Scene
from .style import Style

_LUMINOUS = ('lit_window', 'lamp', 'red_light', 'green_light', 'head_light', 'tail_light')
_IS_LUMINOUS = np.array([kind in _LUMINOUS for kind in KINDS])
_OF_GROUND = np.array([CATEGORY_OF_KIND[kind] == CATEGORIES.index('flat') or kind == 'grass'
                       for kind in KINDS])
_SKY, _SUN, _CLOUD = map(KINDS.index, ('sky', 'sun', 'cloud'))
# Windows look alike as long as no lamp is on.
_UNLIT = np.arange(len(KINDS))
_UNLIT[KINDS.index('lit_window')] = KINDS.index('window')


class Light(NamedTuple):
    """Colours of a time of day, RGB in 0..1.

    Args:
        ambient, sun: Of the light on what faces away from the sun, and what the sun adds.
        zenith, horizon: Of the clear sky, above and below.
        disc: Of the sun or the moon.
        lamps (float): How far lamps and windows are lit, 0..1.
    """

    ambient: np.ndarray
    sun: np.ndarray
    zenith: np.ndarray
    horizon: np.ndarray
    disc: np.ndarray
    lamps: float


class Weather(NamedTuple):
    """What weather does.

    Args:
        sun (float): Share of the sun's light that comes through, 0..1.
        grey (float): How far the sky is covered, 0..1.
        haze (float): Its density, per metre.
        wet (float): How much the ground mirrors, 0..1.
    """

    sun: float
    grey: float
    haze: float
    wet: float


class Painter(NamedTuple):
    """How a domain paints.

    Args:
        palette (np.ndarray): Colours of each kind, float32 (kinds, colours, 3), 0..1.
        lights (dict[str, tuple[Light, Light]]): By time, at its begin and its end.
        weathers (dict[str, Weather]): By name.
        shadow (float): Share of light that a shadow takes, 0..1.
        shadow_blur (float): Width of its edge, in picture heights.
        glow (float): Strength of the light around lamps.
        glow_size (float): Its size.
    """

    palette: np.ndarray
    lights: Mapping[str, tuple[Light, Light]]
    weathers: Mapping[str, Weather]
    shadow: float
    shadow_blur: float
    glow: float
    glow_size: float


def _colours(words: str) -> np.ndarray:
    """Colours from words such as ``'ff0000 00ff00'``, float32 (N, 3), 0..1."""
    return np.array([tuple(bytes.fromhex(word)) for word in words.split()], np.float32) / 255


def hex_palette(colours: Mapping[str, str]) -> np.ndarray:
    """Six colours of each kind, repeated as needed, from a text of hexadecimal digits."""
    return np.stack([np.resize(_colours(colours[kind]), (6, 3)) for kind in KINDS])


def light_of(colours: str, lamps: float) -> Light:
    """A light from five colours in hexadecimal digits."""
    return Light(*_colours(colours), lamps)


def paint_light(painter: Painter, raster: Raster, scene: Scene, style: Style) -> np.ndarray:
    """Paint a scene before any camera has seen it.

    Args:
        painter (Painter): Colours and light.
        raster (Raster): The scene in pixels.
        scene (Scene): The scene.
        style (Style): When and in which weather.

    Returns:
        np.ndarray: RGB, float32 (3, H, W), about 0..1.
    """
    height, width = raster.shadows.shape
    begin, end = painter.lights[style.time]
    light = Light(*(one + style.phase * (other - one) for one, other in zip(begin, end)))
    weather = painter.weathers[style.weather]
    mist = light.horizon + weather.grey * (light.horizon.mean() * 1.05 - light.horizon)
    zenith = light.zenith + weather.grey * (0.9 * mist - light.zenith)
    sun = weather.sun * light.sun
    ambient = light.ambient * (1 - 0.15 * weather.grey) + (light.sun - sun) * 0.25

    # One colour per shape, with its haze.
    variant = raster.tones * 5.99
    variation = (0.88 + 0.24 * (variant % 1))[:, None]
    variant = variant.astype(np.intp)
    colours = painter.palette[raster.kinds, variant] * variation
    shaded = painter.palette[_UNLIT[raster.kinds], variant] * variation
    shaded *= ambient + sun * raster.lights[:, None]
    luminous = _IS_LUMINOUS[raster.kinds][:, None] * light.lamps
    colours = shaded + luminous * (colours - shaded)
    air = np.exp(-weather.haze * raster.depths)[:, None]
    is_ground = _OF_GROUND[raster.kinds]
    air[is_ground] = 1  # row by row below
    # Lamps shine through haze.
    air = air + 0.6 * luminous * (1 - air)
    colours = mist + air * (colours - mist)
    cover = weather.grey
    colours[raster.kinds == _SUN] = light.disc + cover * (0.6 * mist + 0.4 * zenith - light.disc)
    is_cloud = raster.kinds == _CLOUD
    white = 0.55 * light.ambient + 0.6 * light.sun
    colours[is_cloud] = np.minimum(white, 1) * (1 - cover) + cover * mist * 0.96
    # How far a pixel takes the colour of its row instead: sky, thin clouds and hazy ground.
    rows = is_ground * 1.0
    rows[raster.kinds == _SKY] = 1
    rows[is_cloud] = 0.25 + 0.3 * raster.tones[is_cloud]
    table = np.zeros((4, 256), np.uint8)
    table[:3, :len(colours)] = 255 * colours.clip(0, 1).T
    table[3, :len(colours)] = 255 * rows
    # Colours and rows as planes: NumPy is ten times as fast on them as on pixels of three values.
    planes = np.stack([
        cv2.resize(cv2.LUT(raster.shapes, row), (width, height), interpolation=cv2.INTER_AREA)
        for row in table]) * np.float32(1 / 255)
    image, by_row = planes[:3], planes[3]
    mist, zenith = mist[:, None, None], zenith[:, None, None]

    camera = scene.camera
    horizon = min(max(int(camera.y * height), 1), height - 1)
    sky, ground = by_row[:horizon], by_row[horizon:]
    above, below = image[:, :horizon], image[:, horizon:]
    shadow_strength = painter.shadow * float((sun / (ambient + sun + 1e-6)).mean())
    if shadow_strength > 0.02:
        shadows = raster.shadows[horizon:]
        if painter.shadow_blur:
            side = 2 * int(painter.shadow_blur * height / 2) + 1
            shadows = cv2.blur(shadows, (side, side))
        below *= 1 - (shadow_strength / 255) * shadows * ground
    if weather.wet:
        mirror = above[:, ::-1][:, :height - horizon]
        part = below[:, :mirror.shape[1]]
        part += (weather.wet * ground[:mirror.shape[1]]) * (mirror - part)
    # The sky's gradient above the horizon, the ground's haze below.
    y = (np.arange(height, dtype=np.float32)[:, None] + 0.5) / height
    gradient = zenith + np.minimum(y[:horizon] / camera.y, 1)**1.5 * (mist - zenith)
    above += sky * (gradient - above)
    depth = camera.focal * camera.height / np.maximum(y[horizon:] - camera.y, 1e-3)
    below += ground * (1 - np.exp(-weather.haze * np.minimum(depth, FAR))) * (mist - below)
    if light.lamps > 0.05:
        image += _glows(painter, scene, (height, width), light.lamps)
    return image


def _glows(painter: Painter, scene: Scene, size: tuple[int, int], lamps: float) -> np.ndarray:
    """Light around lamps, float32 (3, H, W), painted small and enlarged."""
    height, width = size[0] // 4, size[1] // 4
    glows = np.zeros((height, width, 3), np.uint8)
    centres = np.array([glow.centre for glow in scene.glows]).reshape(-1, 3)
    for glow, x, y, scale in zip(scene.glows, *scene.camera(*centres.T)):
        centre = int(x * height), int(y * height)
        radius = int(painter.glow_size * (glow.radius * scale) * height / 2)
        radius = max(1, min(radius, height // 5))
        colour = 255 * painter.palette[KINDS.index(glow.kind), 0]
        if glow.on_ground:
            cv2.ellipse(glows, centre, (2 * radius, radius // 2), 0, 0, 360,
                        (0.22 * colour).tolist(), -1)
        else:
            cv2.circle(glows, centre, radius, (0.35 * colour).tolist(), -1)
            cv2.circle(glows, centre, radius // 3, (0.8 * colour).tolist(), -1)
    side = 2 * (height // 10) + 1
    glows = cv2.resize(cv2.GaussianBlur(glows, (side, side), 0), size[::-1])
    return np.stack(cv2.split(glows)) * np.float32(painter.glow * lamps / 255)


def develop(image: np.ndarray, gain: float, warmth: float) -> np.ndarray:
    """From light to a picture.

    Args:
        image (np.ndarray): RGB, float32 (3, H, W), about 0..1.
        gain (float): Factor of the brightness.
        warmth (float): Added to the factor of red, taken from that of blue.

    Returns:
        np.ndarray: RGB, uint8 (H, W, 3).
    """
    return cv2.merge([cv2.convertScaleAbs(np.maximum(plane, 0), alpha=255 * gain * (1 + by))
                      for plane, by in zip(image, (warmth, 0, -warmth))])
