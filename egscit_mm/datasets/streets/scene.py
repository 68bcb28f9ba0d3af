# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Scenes: a street as a list of shapes, whatever it is painted like.

The world is in metres: X to the right, Y up from the ground, Z ahead of where the camera starts.
Pictures are in their heights, x and y from the upper left corner, so that all sizes show the same.
They are twice as wide as high.
"""
import math
import random
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import NamedTuple

import numpy as np

WIDTH = 2.0  # of a picture, in its heights
NEAR, FAR = 1.2, 400.0  # depths in between are shown
MAX_SHAPES = 256
Point = tuple[float, ...]  # (x, y) in a picture, (x, y, z) in the world
Polygon = Sequence[Point]

# Outlines of half width and half height 1, y down.
_CIRCLE = [(math.cos(angle), math.sin(angle))
           for angle in (math.tau * i / 14 for i in range(14))]
_SQUARE = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
_TRIANGLE = [(-1, 0.8), (0, -1), (1, 0.8)]
# Outlines of signs, and half widths of the whole and of its inner part.
_SIGNS = ((_CIRCLE, 0.42, 0.27), (_SQUARE, 0.4, 0.3), (_TRIANGLE, 0.5, 0.28))


class Shape(NamedTuple):
    """Polygons of one colour.

    Args:
        kind (str): What it is, of :data:`.labels.KINDS`.
        polygons (list[Polygon]): Disjoint.
        depth (float): Its z.
        tone (float): Chooses among a painter's colours of this kind, 0..1.
        light (float): How far it faces the sun, 0..1.
    """

    kind: str
    polygons: list[Polygon]
    depth: float = FAR
    tone: float = 0.5
    light: float = 0.7


class Glow(NamedTuple):
    """Light of a lamp: its centre, radius and kind (as 'lamp'); or on the ground."""

    centre: Point
    radius: float
    kind: str
    on_ground: bool = False


class Camera(NamedTuple):
    """How the world gets into a picture.

    Args:
        x (float): Of the vanishing point.
        y (float): Of the vanishing point, which is the horizon's.
        focal (float): Focal length.
        height (float): Above the ground, metres.
        ahead (float): Metres that it has gone ahead. Defaults to 0.
    """

    x: float
    y: float
    focal: float
    height: float
    ahead: float = 0.

    def __call__(self, x, y, z):
        """The picture's x, y and heights per metre of a point, or of arrays of points."""
        scale = self.focal / np.maximum(z - self.ahead, NEAR)
        return self.x + scale * x, self.y + scale * (self.height - y), scale


class Scene(NamedTuple):
    """A street.

    Args:
        camera (Camera): What it is seen by.
        backdrop (list[Shape]): In the picture, from back to front.
        shapes (list[Shape]): In the world, before the backdrop, from back to front.
        shadows (list[Polygon]): In the world, on the ground, where the sun shines.
        glows (list[Glow]): Lamps, in the world.
        grain (tuple[float, float]): Where noise is taken from, 0..1 each.
    """

    camera: Camera
    backdrop: list[Shape]
    shapes: list[Shape]
    shadows: list[Polygon]
    glows: list[Glow]
    grain: tuple[float, float]


class _Thing(NamedTuple):
    depth: float
    shapes: list[Shape]
    shadows: Iterable[Polygon] = ()
    glows: Iterable[Glow] = ()


class _Street(NamedTuple):
    """What all things of a street need.

    Args:
        camera (Camera): What it is seen by.
        sun (int): Where the sun is: -1 left, 1 right.
        slope (tuple[float, float]): X and Z of the shadow of a metre.
        road (float): Half its width.
        pavement (float): Its width.
    """

    camera: Camera
    sun: int
    slope: tuple[float, float]
    road: float
    pavement: float

    def shadow(self, x1: float, x2: float, z1: float, z2: float, height: float) -> Polygon:
        """What a box keeps the sun from."""
        across, along = (height * by for by in self.slope)
        base, tip = (x2, x1 + across) if across < 0 else (x1, x2 + across)
        return [(base, 0, z1), (base, 0, z2), (tip, 0, z2), (tip, 0, z1 + along)]


def draw_scene(seed: str, without: Iterable[str] = (), ahead: float = 0.) -> Scene:
    """Draw a street.

    Args:
        seed (str): Chooses it: the same seed always gives the same scene.
        without (Iterable[str]): Categories of objects that it must not show: 'human', 'vehicle',
            'object'. All else stays as it is. Defaults to none.
        ahead (float): Metres that the camera has gone ahead, for the frames of a film. What it has
            passed is gone. Defaults to 0.

    Returns:
        Scene: The street, with at most 256 shapes.
    """
    rng = random.Random(seed)  # for single numbers much faster than NumPy's
    camera = Camera(WIDTH * rng.uniform(0.38, 0.62), rng.uniform(0.42, 0.54),
                    rng.uniform(0.85, 1.15), rng.uniform(1.4, 2.0), ahead)
    sun = rng.choice((-1, 1))
    slope = -sun * rng.uniform(0.4, 1.1), -rng.uniform(0.0, 0.5)
    grain = rng.random(), rng.random()
    street = _Street(camera, sun, slope, rng.uniform(3.2, 6.5), rng.uniform(2.0, 4.5))
    backdrop = [*_sky(street, rng), *_distance(camera, rng)]
    shapes = _ground(street, rng, on_grass=backdrop[-1].kind == 'grass')
    shadows, glows, nearer = [], [], []
    for thing in sorted((*_buildings(street, rng, -1), *_buildings(street, rng, 1)),
                        key=attrgetter('depth'), reverse=True):
        shapes += thing.shapes
        shadows += thing.shadows
    things = dict(
        nature=_trees(street, rng), object=_posts(street, rng), void=_bins(street, rng),
        vehicle=_cars(street, rng), human=_people(street, rng))
    # Nothing between the two rows of buildings is ever hidden by one of them. From near to far, so
    # that what is too much is what is hardly seen.
    room = MAX_SHAPES - len(backdrop) - len(shapes)
    for thing in sorted((thing for category, some in things.items() if category not in without
                         for thing in some), key=attrgetter('depth')):
        if len(nearer) + len(thing.shapes) <= room and thing.depth - ahead >= NEAR:
            nearer = thing.shapes + nearer
            shadows += thing.shadows
            glows += thing.glows
    return Scene(camera, backdrop, shapes + nearer, shadows, glows, grain)


def _flat(x1: float, x2: float, z1: float, z2: float) -> Polygon:
    """A rectangle on the ground."""
    return [(x1, 0, z1), (x2, 0, z1), (x2, 0, z2), (x1, 0, z2)]


def _front(x1: float, x2: float, y1: float, y2: float, z: float) -> Polygon:
    """A rectangle that faces the camera."""
    left, right = (x1, x2) if x1 < x2 else (x2, x1)
    return [(left, y2, z), (right, y2, z), (right, y1, z), (left, y1, z)]


def _side(x: float, y1: float, y2: float, z1: float, z2: float) -> Polygon:
    """A rectangle along the street."""
    return [(x, y1, z1), (x, y2, z1), (x, y2, z2), (x, y1, z2)]


def _blob(x: float, y: float, z: float, width: float, height: float,
          outline: Polygon = _CIRCLE) -> Polygon:
    """An outline that faces the camera."""
    return [(x + width * right, y - height * down, z) for right, down in outline]


def _rough(rng: random.Random, amount: float) -> Polygon:
    """A circle with bumps."""
    radii = [1 + amount * (2 * rng.random() - 1) for _ in _CIRCLE]
    return [(cos * radius, sin * radius) for (cos, sin), radius in zip(_CIRCLE, radii)]


def _sky(street: _Street, rng: random.Random) -> list[Shape]:
    shapes = [Shape('sky', [[(0, 0), (WIDTH, 0), (WIDTH, 1), (0, 1)]])]
    horizon = street.camera.y
    x = street.camera.x + street.sun * rng.uniform(0.1, 0.7)
    y, radius = horizon * rng.uniform(0.1, 0.5), rng.uniform(0.02, 0.04)
    shapes.append(Shape('sun', [[(x + radius * cos, y + radius * sin) for cos, sin in _CIRCLE]]))
    for _ in range(int(rng.random() * 6)):
        x, y = WIDTH * rng.random(), horizon * rng.uniform(0.0, 0.75)
        width = rng.uniform(0.12, 0.4)
        height = width * rng.uniform(0.12, 0.25)
        shapes.append(Shape('cloud', [[
            (x + width * right, y + height * (down if down < 0 else 0.4 * down))
            for right, down in _rough(rng, 0.3)]], tone=rng.random()))
    return shapes


def _distance(camera: Camera, rng: random.Random) -> list[Shape]:
    """Hills, before them the roofs of a town, and the ground."""
    horizon = camera.y
    height, steps = rng.uniform(0.01, 0.09), 16
    phase, waves = rng.uniform(0, 6), rng.uniform(2, 6)
    ridge = [(WIDTH * at, horizon - height * (0.6 + 0.4 * math.sin(phase + waves * at)))
             for at in (i / steps for i in range(steps + 1))]
    shapes = [Shape('hill', [[(0, horizon + 0.02), *ridge, (WIDTH, horizon + 0.02)]], 250,
                    rng.random())]
    if rng.random() < 0.6:
        roofs, x = [], 0.0
        while x < WIDTH:
            width, top = rng.uniform(0.03, 0.12), horizon - rng.uniform(0.01, 0.08)
            roofs.append([(x, top), (x + width, top), (x + width, horizon + 0.01),
                          (x, horizon + 0.01)])
            x += width + 0.01 + rng.uniform(-0.01, 0.08)
        shapes.append(Shape('skyline', roofs, 150, rng.random()))
    shapes.append(Shape('grass' if rng.random() < 0.35 else 'pavement',
                        [[(0, horizon), (WIDTH, horizon), (WIDTH, 1), (0, 1)]], tone=rng.random()))
    return shapes


def _ground(street: _Street, rng: random.Random, on_grass: bool) -> list[Shape]:
    """The road, between pavements if all around is grass."""
    road = street.road

    def strip(kind: str, half: float) -> Shape:
        return Shape(kind, [_flat(-half, half, NEAR, FAR)], tone=rng.random())

    shapes = [strip('pavement', road + street.pavement)] if on_grass else []
    shapes += [strip('kerb', road + 0.25), strip('road', road)]
    start, length, gap = rng.uniform(0, 6), rng.uniform(2, 4), rng.uniform(3, 6)
    lines = []
    for x in (-road / 3, road / 3) if road > 5 else (0, ):
        z = start
        while z < 70:
            if z + length > NEAR:
                lines.append(_flat(x - 0.09, x + 0.09, z, z + length))
            z += length + gap
    if rng.random() < 0.5:  # along the edges, too
        lines += [_flat(x - 0.08, x + 0.08, NEAR, 120) for x in (-road + 0.5, road - 0.5)]
    shapes.append(Shape('lane', lines, tone=rng.random()))
    if rng.random() < 0.35:  # a crossing
        z = rng.uniform(6, 20)
        shapes.append(Shape('road', [_flat(-road, road, z - 0.8, z + 3.8)]))
        shapes.append(Shape('lane', [_flat(-road + 0.25 + i, -road + 0.75 + i, z, z + 3)
                                     for i in range(int(road / 0.5))], tone=rng.random()))
    return shapes


def _buildings(street: _Street, rng: random.Random, outward: int) -> list[_Thing]:
    """A row of houses, left (-1) or right (1), with gaps where trees stand."""
    x = outward * (street.road + street.pavement)
    lit = 0.95 if outward != street.sun else 0.25
    z, things, share = rng.uniform(-6, 3), [], rng.uniform(0.65, 1.0)
    while z < 110:
        z1, z2 = max(z, NEAR), z + rng.uniform(7, 18)
        z = z2 + (0 if rng.random() < 0.7 else rng.uniform(1, 5))
        if z2 < 3:
            continue
        if rng.random() > share:
            things.append(_Thing(z1, _grove(rng, x, outward, z1, z2)))
            continue
        height, tone, floor = rng.uniform(5, 18), rng.random(), rng.uniform(2.8, 3.6)
        middle = (z1 + z2) / 2
        shapes = [
            Shape('facade', [_front(x, x + 14 * outward, 0, height, z1)], z1, tone, 0.5),
            Shape('facade', [_side(x, 0, height, z1, z2)], middle, tone, lit)]
        if z1 < 45:
            shapes += _openings(street.camera, rng, x, z1, z2, height, floor, lit)
        shadows = [street.shadow(*sorted((x, x + 8 * outward)), z1, z2, height)]
        things.append(_Thing(z1, shapes, shadows if outward == street.sun else ()))
    return things


def _openings(camera: Camera, rng: random.Random, x: float, z1: float, z2: float, height: float,
              floor: float, lit: float) -> list[Shape]:
    """Windows of both walls of a house, and the shop or door of its ground floor."""
    depth, panes = (z1 + z2) / 2, dict(window=[], lit_window=[])
    step, size = rng.uniform(1.8, 3.2), rng.uniform(0.35, 0.65)  # size: a window's share of a cell
    levels = [(y + 0.25 * floor, y + (0.25 + size) * floor)
              for y in (floor * i for i in range(1, int(height / floor)))]
    columns = int((z2 - z1) / step)
    for i in range(columns):
        near_z = z1 + (i + 0.5 - size / 2) * (z2 - z1) / columns
        far_z = near_z + size * step
        if not -0.1 < camera.x + camera.focal / far_z * x < WIDTH + 0.1:
            continue  # nor is it seen from further ahead
        for low, high in levels:
            panes['lit_window' if rng.random() < 0.35 else 'window'].append(
                _side(x, low, high, near_z, far_z))
    if z1 > 2.5 and camera.focal / z1 * floor > 0.03:
        outward = math.copysign(1, x)
        for i in range(3):
            at = x + outward * (1.0 + i * 2.6)
            for low, high in levels:
                panes['lit_window' if rng.random() < 0.4 else 'window'].append(
                    _front(at, at + outward * 2.6 * size, low, high, z1))
    tone = rng.random()
    shapes = [Shape(kind, some, depth, tone, lit) for kind, some in panes.items() if some]

    def opening(kind: str, y1: float, y2: float, z: float, length: float) -> Shape:
        return Shape(kind, [_side(x, y1, y2, z, z + length)], depth, rng.random(), lit)

    start, length, top = z1 + 0.06 * (z2 - z1), 0.88 * (z2 - z1), 0.8 * floor
    if rng.random() < 0.5:
        shapes.append(opening('shop', top, top + 0.5, start, length))
        shapes += [opening('lit_window', 0.5, top - 0.1, start + i * length / 4 + 0.1,
                           length / 4 - 0.2) for i in range(4)]
    else:
        shapes.append(opening('door', 0, 2.3, start + rng.random() * (length - 1.4), 1.3))
    return shapes


def _grove(rng: random.Random, x: float, outward: int, z1: float, z2: float) -> list[Shape]:
    """A hedge, and trees behind it, where a house is missing."""
    shapes = []
    for i in range(3):
        z, height = z2 - (i + 0.5) * (z2 - z1) / 3, rng.uniform(4, 9)
        shapes.append(Shape('leaves', [_blob(
            x + outward * rng.uniform(3, 7), 0.6 * height, z, 0.45 * height, 0.5 * height,
            _rough(rng, 0.15))], z, rng.random(), rng.uniform(0.3, 0.9)))
    tone, hedge = rng.random(), rng.uniform(0.8, 1.6)
    return [*shapes,
            Shape('hedge', [_front(x, x + 14 * outward, 0, hedge, z1)], z1, tone, 0.4),
            Shape('hedge', [_side(x, 0, hedge, z1, z2)], (z1 + z2) / 2, tone, 0.8)]


def _trees(street: _Street, rng: random.Random) -> list[_Thing]:
    things = []
    for side in (-1, 1):
        if rng.random() < 0.4:
            continue
        z, step, size = rng.uniform(4, 14), rng.uniform(7, 16), rng.uniform(0.8, 1.25)
        x = side * (street.road + 0.3 * street.pavement)
        while z < 55:
            height, crown = size * rng.uniform(4.5, 7.0), size * rng.uniform(1.2, 2.0)
            tone, up = rng.random(), height - crown
            shapes = [
                Shape('trunk', [_front(x - 0.14, x + 0.14, 0, up, z)], z, tone, 0.5),
                Shape('leaves', [_blob(x, up, z, crown, 1.1 * crown, _rough(rng, 0.14))], z, tone,
                      0.2),
                Shape('leaves', [_blob(x + street.sun * 0.25 * crown, up + 0.2 * crown, z,
                                       0.7 * crown, 0.75 * crown, _rough(rng, 0.2))], z, tone,
                      0.95)]
            across, along = (up * by for by in street.slope)
            shade = [(x + across + 1.1 * crown * cos, 0, z + along + 0.8 * crown * sin)
                     for cos, sin in _CIRCLE]
            things.append(_Thing(z, shapes, [
                shade, street.shadow(x - 0.14, x + 0.14, z, z + 0.3, up)]))
            z += step
    return things


def _posts(street: _Street, rng: random.Random) -> list[_Thing]:
    """Street lamps, traffic lights and signs along the kerb."""
    things = []
    side, z, step = rng.choice((-1, 1)), rng.uniform(5, 12), rng.uniform(14, 24)
    x, height, tone = side * (street.road + 0.6), 6.5, rng.random()
    arm = x - side * 1.6
    while z < 60:
        things.append(_Thing(z, [
            Shape('pole', [_front(x - 0.09, x + 0.09, 0, height, z)], z, tone, 0.6),
            Shape('pole', [_front(x, arm, height - 0.05, height + 0.1, z)], z, tone, 0.8),
            Shape('lamp', [_front(arm - 0.35, arm + 0.35, height - 0.2, height, z)], z)],
            [street.shadow(x - 0.09, x + 0.09, z, z + 0.2, height)],
            [Glow((arm, height, z), 0.9, 'lamp'), Glow((arm, 0, z), 2.5, 'lamp', on_ground=True)]))
        z += step
    for _ in range(int(rng.random() * 4)):
        x = rng.choice((-1, 1)) * (street.road + rng.uniform(0.5, 1.0))
        z, glows = rng.uniform(5, 35), []
        shapes = [Shape('pole', [_front(x - 0.05, x + 0.05, 0, 2.7, z)], z, tone, 0.6)]
        if rng.random() < 0.4:
            kind, y = rng.choice((('red_light', 3.25), ('green_light', 2.85)))
            shapes += [Shape('light_box', [_front(x - 0.2, x + 0.2, 2.6, 3.5, z)], z),
                       Shape(kind, [_blob(x, y, z, 0.13, 0.13)], z)]
            glows = [Glow((x, y, z), 0.3, kind)]
        else:
            tone_of_sign = rng.random()
            outline, *sizes = rng.choice(_SIGNS)
            shapes += [Shape(kind, [_blob(x, 2.5, z, size, size, outline)], z, tone_of_sign)
                       for kind, size in zip(('sign', 'sign_face'), sizes)]
        things.append(_Thing(z, shapes, [
            street.shadow(x - 0.05, x + 0.05, z, z + 0.2, 2.7)], glows))
    return things


def _bins(street: _Street, rng: random.Random) -> list[_Thing]:
    things = []
    for _ in range(int(rng.random() * 4)):
        x = rng.choice((-1, 1)) * (street.road + street.pavement * rng.uniform(0.7, 0.9))
        z, height, width = rng.uniform(4, 25), rng.uniform(0.8, 1.3), rng.uniform(0.25, 0.5)
        bin_front = _front(x - width, x + width, 0, height, z)
        things.append(_Thing(z, [Shape('bin', [bin_front], z, rng.random(), 0.6)],
                             [street.shadow(x - width, x + width, z, z + 0.6, height)]))
    return things


def _cars(street: _Street, rng: random.Random) -> list[_Thing]:
    things = []
    for side in (-1, 1):  # parked ones
        if rng.random() < 0.5:
            z = rng.uniform(3, 12)
            while z < 40:
                if rng.random() < 0.75:
                    things.append(_car(street, rng, side * (street.road - 1.1), z, away=side > 0))
                z += rng.uniform(5.5, 7.5)
    for _ in range(int(rng.random() * 5)):
        side, z = rng.choice((-1, 1)), rng.uniform(7, 50)
        if all(abs(z - thing.depth) > 5 for thing in things):
            x = side * street.road * rng.uniform(0.3, 0.45)
            things.append(_car(street, rng, x, z, away=side > 0))
    return things


def _car(street: _Street, rng: random.Random, x: float, z: float, away: bool) -> _Thing:
    """A car, or a van, that drives on the right."""
    van = rng.random() < 0.2
    half, length = (1.0, 5.5) if van else (0.86, rng.uniform(3.8, 4.6))
    belt, top = (1.2, 2.3) if van else (0.92, rng.uniform(1.4, 1.55))
    tone, far, inset = rng.random(), z + length, 0.1 if van else 0.18
    start, stop = (0.1, 0.9) if van else (0.12, 0.75) if away else (0.25, 0.88)
    cabin, cabin_far = z + start * length, z + stop * length
    inward = 1 if x < 0 else -1
    flank = x + inward * half  # the one that the camera sees
    light = 0.95 if inward == street.sun else 0.35
    roof = flank - inward * inset
    wheels = [_side(flank, 0, 0.6, at, at + 0.65) for at in (z + 0.12 * length, z + 0.72 * length)]
    tyres = [_front(at, at + 0.24, 0, 0.4, z) for at in (x - half + 0.05, x + half - 0.29)]
    lamps, lamp = (x - half + 0.2, x + half - 0.2), 'tail_light' if away else 'head_light'

    def panel(half1: float, y1: float, z1: float, half2: float, y2: float, z2: float) -> Polygon:
        return [(x - half1, y1, z1), (x + half1, y1, z1), (x + half2, y2, z2), (x - half2, y2, z2)]

    shapes = [
        Shape('wheel', [*wheels, *tyres], z),
        Shape('car', [_side(flank, 0.28, belt, z, far)], z, tone, light),
        Shape('cabin', [[(flank, belt, cabin), (roof, top - 0.1, cabin + 0.4),
                         (roof, top - 0.1, cabin_far - 0.4), (flank, belt, cabin_far)]], z, 0.5,
              light),
        Shape('wheel', wheels, z),
        # Bonnet or boot, seen from above where the camera is higher.
        Shape('car', [panel(half, belt, z, half, belt, cabin)], z, tone, 1.0),
        Shape('car', [panel(half - inset, top, cabin + 0.3, half, belt, cabin)], z, tone, 0.8),
        Shape('cabin', [panel(half - inset - 0.08, top - 0.1, cabin + 0.25, half - 0.12,
                              belt + 0.02, cabin)], z, 0.5, 0.4),
        Shape('car', [panel(half, belt, z, half, 0.28, z)], z, tone, 0.55),
        Shape(lamp, [_front(at - 0.15, at + 0.15, 0.6, 0.78, z) for at in lamps], z),
        Shape('plate', [_front(x - 0.25, x + 0.25, 0.42, 0.55, z)], z)]
    return _Thing(
        z, shapes, [_flat(x - half, x + half, z, far),
                    street.shadow(x - half, x + half, z, far, top)],
        [Glow((at, 0.69, z), 0.35, lamp) for at in lamps])


def _people(street: _Street, rng: random.Random) -> list[_Thing]:
    things = []
    for _ in range(int(rng.random() * 7)):
        if rng.random() < 0.15:  # crosses the road
            x = street.road * rng.uniform(-0.8, 0.8)
        else:
            x = rng.choice((-1, 1)) * (street.road + street.pavement * rng.uniform(0.35, 0.9))
        z, size = rng.uniform(4.5, 26), rng.uniform(0.9, 1.08)
        stride = rng.uniform(0.05, 0.3)
        skin, top, trousers = rng.random(), rng.random(), rng.random()
        hips, waist = 0.85 * size, 0.8 * size
        legs = [[(x + hip - 0.09, hips, z), (x + hip + 0.09, hips, z),
                 (x + foot + 0.07, 0, z), (x + foot - 0.07, 0, z)]
                for hip, foot in ((-0.08, -stride), (0.08, stride))]
        torso = [(x + right, up, z) for right, up in (
            (-0.24, 1.42 * size), (0.24, 1.42 * size), (0.26, 0.95 * size), (0.17, waist),
            (-0.17, waist), (-0.26, 0.95 * size))]
        things.append(_Thing(z, [
            Shape('trousers', legs, z, trousers, 0.6),
            Shape('top', [torso], z, top, 0.7),
            Shape('skin', [_blob(x, 1.6 * size, z, 0.13, 0.17)], z, skin, 0.8)],
            [street.shadow(x - 0.2, x + 0.2, z, z + 0.3, 1.7 * size)]))
    return things
