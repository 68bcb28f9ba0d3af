# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Scenes: a street as a list of shapes, whatever it is painted like.

The world is in metres: X to the right, Y up from the ground, Z ahead of the camera. What a scene
holds is projected: x and y in units of the picture's height, from its upper left corner, so that
all sizes show the same. A picture is twice as wide as high.
"""
import math
import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple

WIDTH = 2.0  # of a picture, in its heights
Polygon = Sequence[tuple[float, float]]

_CIRCLE = [(math.cos(angle), math.sin(angle))
           for angle in (math.tau * i / 14 for i in range(14))]
NEAR, FAR = 1.2, 400.0  # depths in between are shown
MAX_SHAPES = 256


class Shape(NamedTuple):
    """Polygons of one colour.

    Args:
        kind (str): What it is, of :data:`.labels.KINDS`.
        polygons (list[Polygon]): Disjoint.
        depth (float): Metres ahead of the camera.
        tone (float): Chooses among a painter's colours of this kind, 0..1.
        light (float): How far it faces the sun, 0..1.
    """

    kind: str
    polygons: list[Polygon]
    depth: float = FAR
    tone: float = 0.5
    light: float = 0.7


class Glow(NamedTuple):
    """Light of a lamp: its place, radius and kind ('lamp', 'head_light', ...); or on the ground."""

    x: float
    y: float
    radius: float
    kind: str
    on_ground: bool = False


class Scene(NamedTuple):
    """A street.

    Args:
        horizon (float): Its y.
        shapes (list[Shape]): From back to front.
        shadows (list[Polygon]): On the ground, where the sun shines.
        glows (list[Glow]): Lamps.
        ground_depth (float): Depth of the ground at distance d below the horizon, times d; metres.
        grain (tuple[float, float]): Where noise is taken from, 0..1 each.
    """

    horizon: float
    shapes: list[Shape]
    shadows: list[Polygon]
    glows: list[Glow]
    ground_depth: float
    grain: tuple[float, float]


class _Thing(NamedTuple):
    depth: float
    shapes: list[Shape]
    glows: Iterable[Glow] = ()
    shadows: Iterable[Polygon] = ()


class _View:
    """The camera, which may have gone ahead by some metres, and where the sun stands."""

    def __init__(self, rng: random.Random, ahead: float) -> None:
        self.ahead = ahead
        self.x = WIDTH * rng.uniform(0.38, 0.62)
        self.y = rng.uniform(0.42, 0.54)
        self.focal = rng.uniform(0.85, 1.15)
        self.height = rng.uniform(1.4, 2.0)
        self.sun = rng.choice((-1, 1))
        self.slope = (-self.sun * rng.uniform(0.4, 1.1), -rng.uniform(0.0, 0.5))

    def scale(self, z: float) -> float:
        """Of what is z metres from the start, in heights of the picture per metre."""
        return self.focal / max(z - self.ahead, NEAR)

    def __call__(self, x: float, y: float, z: float) -> tuple[float, float]:
        scale = self.scale(z)
        return self.x + scale * x, self.y + scale * (self.height - y)

    def ground(self, x1: float, x2: float, z1: float, z2: float) -> Polygon:
        """A rectangle on the ground."""
        return [self(x1, 0, z1), self(x2, 0, z1), self(x2, 0, z2), self(x1, 0, z2)]

    def front(self, x1: float, x2: float, y1: float, y2: float, z: float) -> Polygon:
        """A rectangle that faces the camera."""
        left, top = self(x1, y2, z)
        right, bottom = self(x2, y1, z)
        return [(left, top), (right, top), (right, bottom), (left, bottom)]

    def side(self, x: float, y1: float, y2: float, z1: float, z2: float) -> Polygon:
        """A rectangle along the street."""
        return [self(x, y1, z1), self(x, y2, z1), self(x, y2, z2), self(x, y1, z2)]

    def blob(self, x: float, y: float, z: float, width: float, height: float,
             wobble: Sequence[float] = (1.0, ) * 14) -> Polygon:
        """An ellipse that faces the camera, its outline moved by ``wobble``."""
        centre_x, centre_y = self(x, y, z)
        scale = self.scale(z)
        return [(centre_x + scale * width * cos * by, centre_y + scale * height * sin * by)
                for (cos, sin), by in zip(_CIRCLE, wobble)]

    def shadow(self, x1: float, x2: float, z1: float, z2: float, height: float,
               base: float = 0.0) -> list[Polygon]:
        """What a box, or one that begins above the ground, keeps the sun from."""
        across, along = self.slope
        if across < 0:
            x1, x2, far = x1 + across * height, x2 + across * base, x2
        else:
            x1, x2, far = x1 + across * base, x2 + across * height, x1
        low, high = z1 + along * height, z2 + along * base
        if high < NEAR:
            return []
        near_side = x1 if across < 0 else x2
        return [[self(far, 0, z1), self(far, 0, z2), self(near_side, 0, max(high, NEAR)),
                 self(near_side, 0, max(low, NEAR))]]


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
    view = _View(rng, ahead)
    grain = rng.random(), rng.random()
    road = rng.uniform(3.2, 6.5)  # half its width
    pavement = rng.uniform(2.0, 4.5)
    front = road + pavement
    still = [*_sky(view, rng), *_distance(view, rng), *_ground(view, rng, road, pavement)]
    shapes, shadows = [], []
    for thing in sorted((*_buildings(view, rng, -front), *_buildings(view, rng, front)),
                        key=_far_first):
        shapes += thing.shapes
        shadows += thing.shadows
    things = dict(
        nature=_trees(view, rng, road, pavement), object=_posts(view, rng, road),
        void=_bins(view, rng, road, pavement), vehicle=_cars(view, rng, road),
        human=_people(view, rng, road, pavement))
    glows, front_shapes = [], []
    # Nothing between the two rows of buildings is ever hidden by one of them. From near to far, so
    # that what is too much is what is hardly seen.
    for thing in sorted((thing for category, some in things.items() if category not in without
                         for thing in some), key=_far_first, reverse=True):
        if len(still) + len(shapes) + len(front_shapes) + len(thing.shapes) <= MAX_SHAPES:
            if ahead and thing.depth - ahead < NEAR:
                continue
            front_shapes = thing.shapes + front_shapes
            shadows += thing.shadows
            glows += thing.glows
    nearer = [shape._replace(depth=max(shape.depth - ahead, NEAR))
              for shape in shapes + front_shapes]
    return Scene(view.y, still + nearer, shadows, glows, view.focal * view.height, grain)


def _far_first(thing: _Thing) -> float:
    return -thing.depth


def _wobble(rng: random.Random, amount: float) -> list[float]:
    return [1 + amount * (2 * rng.random() - 1) for _ in _CIRCLE]


def _sky(view: _View, rng: random.Random) -> list[Shape]:
    shapes = [Shape('sky', [[(0, 0), (WIDTH, 0), (WIDTH, 1), (0, 1)]])]
    x = view.x + view.sun * rng.uniform(0.1, 0.7)
    y, radius = view.y * rng.uniform(0.1, 0.5), rng.uniform(0.02, 0.04)
    shapes.append(Shape('sun', [[(x + radius * cos, y + radius * sin) for cos, sin in _CIRCLE]]))
    for _ in range(int(rng.random() * 6)):
        x, y = WIDTH * rng.random(), view.y * rng.uniform(0.0, 0.75)
        width = rng.uniform(0.12, 0.4)
        height = width * rng.uniform(0.12, 0.25)
        shapes.append(Shape('cloud', [[
            (x + width * cos * by, y + height * (sin if sin < 0 else 0.4 * sin) * by)
            for (cos, sin), by in zip(_CIRCLE, _wobble(rng, 0.3))]], tone=rng.random()))
    return shapes


def _distance(view: _View, rng: random.Random) -> list[Shape]:
    """Hills and, before them, the roofs of a town."""
    hills = [(0.0, view.y + 0.02)]
    height, steps = rng.uniform(0.01, 0.09), 16
    phase, waves = rng.uniform(0, 6), rng.uniform(2, 6)
    for i in range(steps + 1):
        at = i / steps
        hills.append((WIDTH * at, view.y - height * (0.6 + 0.4 * math.sin(phase + waves * at))))
    hills.append((WIDTH, view.y + 0.02))
    shapes = [Shape('hill', [hills], 250, rng.random())]
    if rng.random() < 0.6:
        roofs, x = [], 0.0
        while x < WIDTH:
            width, top = rng.uniform(0.03, 0.12), rng.uniform(0.01, 0.08)
            roofs.append([(x, view.y - top), (x + width, view.y - top),
                          (x + width, view.y + 0.01), (x, view.y + 0.01)])
            x += width + 0.01 + rng.uniform(-0.01, 0.08)
        shapes.append(Shape('skyline', roofs, 150, rng.random()))
    return shapes


def _ground(view: _View, rng: random.Random, road: float, pavement: float) -> list[Shape]:
    near = view.y
    shapes = [Shape('grass' if rng.random() < 0.35 else 'pavement',
                    [[(0, near), (WIDTH, near), (WIDTH, 1), (0, 1)]], 12, rng.random())]
    if shapes[0].kind == 'grass':
        shapes.append(Shape('pavement', [view.ground(-road - pavement, road + pavement, NEAR, FAR)],
                            12, rng.random()))
    shapes.append(Shape('kerb', [view.ground(-road - 0.25, road + 0.25, NEAR, FAR)], 12,
                        rng.random()))
    shapes.append(Shape('road', [view.ground(-road, road, NEAR, FAR)], 12, rng.random()))
    start, length, gap = rng.uniform(0, 6), rng.uniform(2, 4), rng.uniform(3, 6)
    lanes = [-road / 3, road / 3] if road > 5 else [0.0]
    dashes = []
    for lane in lanes:
        z = start
        while z < 70:
            if z + length > NEAR:
                dashes.append(view.ground(lane - 0.09, lane + 0.09, max(z, NEAR), z + length))
            z += length + gap
    if rng.random() < 0.5:  # lines along the edges
        dashes += [view.ground(x - 0.08, x + 0.08, NEAR, 120)
                   for x in (-road + 0.5, road - 0.5)]
    shapes.append(Shape('lane', dashes, 12, rng.random()))
    if rng.random() < 0.35:  # a crossing
        z, stripes = rng.uniform(6, 20), int(road / 0.5)
        shapes.append(Shape('road', [view.ground(-road, road, z - 0.8, z + 3.8)], 12, 0.5))
        shapes.append(Shape('lane', [
            view.ground(-road + 0.25 + i, -road + 0.75 + i, z, z + 3)
            for i in range(stripes)], 12, rng.random()))
    return shapes


def _buildings(view: _View, rng: random.Random, x: float) -> list[_Thing]:
    """A row of houses, their fronts in the plane ``x``, with gaps where trees stand."""
    outward = 1 if x > 0 else -1
    lit = 0.95 if outward != view.sun else 0.25
    z, things, share = rng.uniform(-6, 3), [], rng.uniform(0.65, 1.0)
    while z < 110:
        length = rng.uniform(7, 18)
        z1, z2 = max(z, NEAR), z + length
        z = z2 + (0 if rng.random() < 0.7 else rng.uniform(1, 5))
        if z2 < 3:
            continue
        if rng.random() > share:
            things.append(_Thing(z1, _grove(view, rng, x, outward, z1, z2)))
            continue
        height, tone = rng.uniform(5, 18), rng.random()
        floor = rng.uniform(2.8, 3.6)
        shapes = [
            Shape('facade', [view.front(*sorted((x, x + 14 * outward)), 0, height, z1)], z1,
                  tone, 0.5),
            Shape('facade', [view.side(x, 0, height, z1, z2)], (z1 + z2) / 2, tone, lit)]
        if z1 < 45:
            shapes += _front_details(view, rng, x, outward, z1, z2, height, floor, lit)
        things.append(_Thing(
            z1, shapes, (), view.shadow(*sorted((x, x + 8 * outward)), z1, z2, height)
            if outward == view.sun else ()))
    return things


def _front_details(view: _View, rng: random.Random, x: float, outward: int, z1: float, z2: float,
                   height: float, floor: float, lit: float) -> list[Shape]:
    """Windows of both walls, and the shop or door of the ground floor."""
    depth, panes = (z1 + z2) / 2, dict(window=[], lit_window=[])
    step = rng.uniform(1.8, 3.2)
    size = rng.uniform(0.35, 0.65)  # share of a window in its cell
    levels = [(y + 0.25 * floor, y + (0.25 + size) * floor)
              for y in (floor * i for i in range(1, int(height / floor)))]
    columns = int((z2 - z1) / step)
    for i in range(columns):
        z = z1 + (i + 0.5 - size / 2) * (z2 - z1) / columns
        far_z = z + size * step
        if not -0.1 < view.x + view.focal / far_z * x < WIDTH + 0.1:
            continue  # nor is it seen from further ahead
        scale, far_scale = view.scale(z), view.scale(far_z)
        left, right = view.x + scale * x, view.x + far_scale * x
        for low, high in levels:
            low, high = view.height - low, view.height - high
            panes['lit_window' if rng.random() < 0.35 else 'window'].append(
                [(left, view.y + scale * low), (left, view.y + scale * high),
                 (right, view.y + far_scale * high), (right, view.y + far_scale * low)])
    if z1 > 2.5 and view.focal / z1 * floor > 0.03:
        for i in range(3):
            at = x + outward * (1.0 + i * 2.6)
            ends = sorted((at, at + outward * 2.6 * size))
            for low, high in levels:
                panes['lit_window' if rng.random() < 0.4 else 'window'].append(
                    view.front(*ends, low, high, z1))
    tone = rng.random()
    shapes = [Shape(kind, some, depth, tone, lit) for kind, some in panes.items() if some]
    margin = 0.06 * (z2 - z1)
    if rng.random() < 0.5:
        top = 0.8 * floor
        shapes.append(Shape('shop', [view.side(x, top, top + 0.5, z1 + margin, z2 - margin)],
                            depth, rng.random(), lit))
        pane = (z2 - z1 - 2 * margin) / 4
        shapes += [Shape('lit_window', [view.side(x, 0.5, top - 0.1, at + 0.1, at + pane - 0.1)],
                         depth, rng.random(), lit)
                   for at in (z1 + margin + i * pane for i in range(4))]
    else:
        door = z1 + margin + rng.random() * (z2 - z1 - 2 * margin - 1.4)
        shapes.append(Shape('door', [view.side(x, 0, 2.3, door, door + 1.3)], depth, rng.random(),
                            lit))
    return shapes


def _grove(view: _View, rng: random.Random, x: float, outward: int, z1: float,
           z2: float) -> list[Shape]:
    """A hedge, and trees behind it, where a house is missing."""
    shapes = []
    for i in range(3):
        z, height = z2 - (i + 0.5) * (z2 - z1) / 3, rng.uniform(4, 9)
        shapes.append(Shape('leaves', [view.blob(
            x + outward * rng.uniform(3, 7), 0.6 * height, z, 0.45 * height, 0.5 * height,
            _wobble(rng, 0.15))], z, rng.random(), rng.uniform(0.3, 0.9)))
    tone = rng.random()
    hedge = rng.uniform(0.8, 1.6)
    shapes.append(Shape('hedge', [view.front(*sorted((x, x + 14 * outward)), 0, hedge, z1)], z1,
                        tone, 0.4))
    shapes.append(Shape('hedge', [view.side(x, 0, hedge, z1, z2)], (z1 + z2) / 2, tone, 0.8))
    return shapes


def _trees(view: _View, rng: random.Random, road: float, pavement: float) -> list[_Thing]:
    things = []
    for side in (-1, 1):
        if rng.random() < 0.4:
            continue
        z, step, size = rng.uniform(4, 14), rng.uniform(7, 16), rng.uniform(0.8, 1.25)
        while z < 55:
            x = side * (road + 0.3 * pavement)
            height = size * rng.uniform(4.5, 7.0)
            crown = size * rng.uniform(1.2, 2.0)
            tone, up = rng.random(), height - crown
            light_x = view.sun * 0.25 * crown
            shapes = [
                Shape('trunk', [view.front(x - 0.14, x + 0.14, 0, up, z)], z, tone, 0.5),
                Shape('leaves', [view.blob(x, up, z, crown, 1.1 * crown, _wobble(rng, 0.14))], z,
                      tone, 0.2),
                Shape('leaves', [view.blob(x + light_x, up + 0.2 * crown, z, 0.7 * crown,
                                           0.75 * crown, _wobble(rng, 0.2))], z, tone, 0.95)]
            across, along = view.slope
            at_x, at_z = x + across * up, z + along * up
            shade = [view(at_x + 1.1 * crown * cos, 0, max(at_z + 0.8 * crown * sin, NEAR))
                     for cos, sin in _CIRCLE]
            things.append(_Thing(z, shapes, (), [
                shade, *view.shadow(x - 0.14, x + 0.14, z, z + 0.3, up)]))
            z += step
    return things


def _posts(view: _View, rng: random.Random, road: float) -> list[_Thing]:
    """Street lamps, traffic lights and signs along the kerb."""
    things = []
    side, z, step = rng.choice((-1, 1)), rng.uniform(5, 12), rng.uniform(14, 24)
    tone = rng.random()
    while z < 60:
        x, height = side * (road + 0.6), 6.5
        arm = x - side * 1.6
        lamp = view(arm, height, z)
        things.append(_Thing(z, [
            Shape('pole', [view.front(x - 0.09, x + 0.09, 0, height, z)], z, tone, 0.6),
            Shape('pole', [view.front(*sorted((x, arm)), height - 0.05, height + 0.1, z)], z,
                  tone, 0.8),
            Shape('lamp', [view.front(arm - 0.35, arm + 0.35, height - 0.2, height, z)], z)],
            [Glow(*lamp, 0.9 * view.scale(z), 'lamp'),
             Glow(*view(arm, 0, z), 2.5 * view.scale(z), 'lamp', True)],
            view.shadow(x - 0.09, x + 0.09, z, z + 0.2, height)))
        z += step
    for _ in range(int(rng.random() * 4)):
        x, z = rng.choice((-1, 1)) * (road + rng.uniform(0.5, 1.0)), rng.uniform(5, 35)
        pole = Shape('pole', [view.front(x - 0.05, x + 0.05, 0, 2.7, z)], z, tone, 0.6)
        if rng.random() < 0.4:
            kind = rng.choice(('red_light', 'green_light'))
            y = 3.25 if kind == 'red_light' else 2.85
            shapes = [pole, Shape('light_box', [view.front(x - 0.2, x + 0.2, 2.6, 3.5, z)], z),
                      Shape(kind, [view.blob(x, y, z, 0.13, 0.13)], z)]
            glows = [Glow(*view(x, y, z), 0.3 * view.scale(z), kind)]
        else:
            tone_of_sign, glows = rng.random(), []
            outlines = dict(
                round=[view.blob(x, 2.5, z, size, size) for size in (0.42, 0.27)],
                square=[view.front(x - size, x + size, 2.5 - size, 2.5 + size, z)
                        for size in (0.4, 0.3)],
                triangle=[[view(x - size, 2.5 - 0.8 * size, z), view(x, 2.5 + size, z),
                           view(x + size, 2.5 - 0.8 * size, z)] for size in (0.5, 0.28)])
            outer, inner = outlines[rng.choice(('round', 'square', 'triangle'))]
            shapes = [pole, Shape('sign', [outer], z, tone_of_sign),
                      Shape('sign_face', [inner], z, tone_of_sign)]
        things.append(_Thing(z, shapes, glows, view.shadow(x - 0.05, x + 0.05, z, z + 0.2, 2.7)))
    return things


def _bins(view: _View, rng: random.Random, road: float, pavement: float) -> list[_Thing]:
    things = []
    for _ in range(int(rng.random() * 4)):
        x = rng.choice((-1, 1)) * (road + pavement * rng.uniform(0.7, 0.9))
        z, height, width = rng.uniform(4, 25), rng.uniform(0.8, 1.3), rng.uniform(0.25, 0.5)
        things.append(_Thing(z, [Shape('bin', [view.front(x - width, x + width, 0, height, z)], z,
                                       rng.random(), 0.6)],
                             (), view.shadow(x - width, x + width, z, z + 0.6, height)))
    return things


def _cars(view: _View, rng: random.Random, road: float) -> list[_Thing]:
    things = []
    for side in (-1, 1):  # parked ones
        if rng.random() < 0.5:
            z = rng.uniform(3, 12)
            while z < 40:
                if rng.random() < 0.75:
                    things.append(_car(view, rng, side * (road - 1.1), z, away=side > 0))
                z += rng.uniform(5.5, 7.5)
    for _ in range(int(rng.random() * 5)):
        side = rng.choice((-1, 1))
        z = rng.uniform(7, 50)
        if all(abs(z - thing.depth) > 5 for thing in things):
            things.append(_car(view, rng, side * road * rng.uniform(0.3, 0.45), z, away=side > 0))
    return things


def _car(view: _View, rng: random.Random, x: float, z: float, away: bool) -> _Thing:
    """A car, or a van, that drives on the right."""
    tall = rng.random() < 0.2
    half, length = (1.0, 5.5) if tall else (0.86, rng.uniform(3.8, 4.6))
    belt, top = (1.2, 2.3) if tall else (0.92, rng.uniform(1.4, 1.55))
    tone, far = rng.random(), z + length
    flank = x - half if x > 0 else x + half  # the one that the camera sees
    light = 0.95 if (flank < x) == (view.sun < 0) else 0.35
    inset = 0.1 if tall else 0.18
    start, stop = (0.1, 0.9) if tall else (0.12, 0.75) if away else (0.25, 0.88)
    cabin_near, cabin_far = z + start * length, z + stop * length
    roof = flank + (inset if flank < x else -inset)
    wheel = [view.side(flank, 0, 0.6, z + at * length, z + at * length + 0.65)
             for at in (0.12, 0.72)]
    tyres = [view.front(x + at, x + at + 0.24, 0, 0.4, z) for at in (-half + 0.05, half - 0.29)]
    lights = 'tail_light' if away else 'head_light'
    lamps = [view.front(x + at - 0.15, x + at + 0.15, 0.6, 0.78, z)
             for at in (-half + 0.2, half - 0.2)]
    shapes = [
        Shape('wheel', [*wheel, *tyres], z),
        Shape('car', [view.side(flank, 0.28, belt, z, far)], z, tone, light),
        Shape('cabin', [[view(flank, belt, cabin_near), view(roof, top - 0.1, cabin_near + 0.4),
                         view(roof, top - 0.1, cabin_far - 0.4), view(flank, belt, cabin_far)]],
              z, 0.5, light),
        Shape('wheel', wheel, z),
        # Roof, bonnet or boot, seen from above where the camera is higher.
        Shape('car', [[view(x - half, belt, z), view(x + half, belt, z),
                       view(x + half, belt, cabin_near), view(x - half, belt, cabin_near)],
                      ], z, tone, 1.0),
        Shape('car', [[view(x - half + inset, top, cabin_near + 0.3),
                       view(x + half - inset, top, cabin_near + 0.3),
                       view(x + half, belt, cabin_near), view(x - half, belt, cabin_near)]], z,
              tone, 0.8),
        Shape('cabin', [[view(x - half + inset + 0.08, top - 0.1, cabin_near + 0.25),
                         view(x + half - inset - 0.08, top - 0.1, cabin_near + 0.25),
                         view(x + half - 0.12, belt + 0.02, cabin_near),
                         view(x - half + 0.12, belt + 0.02, cabin_near)]], z, 0.5, 0.4),
        Shape('car', [view.front(x - half, x + half, 0.28, belt, z)], z, tone, 0.55),
        Shape(lights, lamps, z),
        Shape('plate', [view.front(x - 0.25, x + 0.25, 0.42, 0.55, z)], z),
    ]
    glows = [Glow(*view(x + at, 0.69, z), 0.35 * view.scale(z), lights)
             for at in (-half + 0.2, half - 0.2)]
    return _Thing(z, shapes, glows, [
        view.ground(x - half, x + half, z, far), *view.shadow(x - half, x + half, z, far, top)])


def _people(view: _View, rng: random.Random, road: float, pavement: float) -> list[_Thing]:
    things = []
    for _ in range(int(rng.random() * 7)):
        crossing = rng.random() < 0.15
        x = (road * rng.uniform(-0.8, 0.8) if crossing else
             rng.choice((-1, 1)) * (road + pavement * rng.uniform(0.35, 0.9)))
        z, size = rng.uniform(4.5, 26), rng.uniform(0.9, 1.08)
        things.append(_person(view, rng, x, z, size))
    return things


def _person(view: _View, rng: random.Random, x: float, z: float, size: float) -> _Thing:
    stride = rng.uniform(0.05, 0.3)
    skin, top, trousers = rng.random(), rng.random(), rng.random()

    def leg(foot: float) -> Polygon:
        hip = 0.08 if foot > 0 else -0.08
        return [view(x + hip - 0.09, 0.85 * size, z), view(x + hip + 0.09, 0.85 * size, z),
                view(x + foot + 0.07, 0, z), view(x + foot - 0.07, 0, z)]

    torso = [view(x - 0.24, 1.42 * size, z), view(x + 0.24, 1.42 * size, z),
             view(x + 0.26, 0.95 * size, z), view(x + 0.17, 0.8 * size, z),
             view(x - 0.17, 0.8 * size, z), view(x - 0.26, 0.95 * size, z)]
    return _Thing(z, [
        Shape('trousers', [leg(-stride), leg(stride)], z, trousers, 0.6),
        Shape('top', [torso], z, top, 0.7),
        Shape('skin', [view.blob(x, 1.6 * size, z, 0.13, 0.17)], z, skin, 0.8)],
        (), view.shadow(x - 0.2, x + 0.2, z, z + 0.3, 1.7 * size))


