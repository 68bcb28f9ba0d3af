# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Styles: when, in which weather and with which camera a street is seen."""
import random
from types import MappingProxyType
from typing import NamedTuple

DOMAINS = ('A', 'B')
TIMES = ('day', 'dusk', 'night')
WEATHERS = ('clear', 'overcast', 'fog', 'rain')

# What domain B's training set never shows: objects of a category at a time or in a weather. The
# test set shows all, as MNIST-Single tests digits in colours that training never gave them.
HELD_OUT = MappingProxyType(dict(night=('human', ), fog=('vehicle', ), rain=('human', )))


class Style(NamedTuple):
    """How a picture is painted.

    Args:
        domain (str): 'A', painted as by a game, or 'B', as by a camera.
        time (str): 'day', 'dusk' or 'night'.
        weather (str): 'clear', 'overcast', 'fog' or 'rain'.
        phase (float): How far the time has gone on, 0..1: at dusk from golden to blue.
        warmth (float): White balance, -1 (blue) to 1 (yellow).
        exposure (float): Factor of the brightness.
    """

    domain: str
    time: str
    weather: str
    phase: float
    warmth: float
    exposure: float


def draw_style(domain: str, rng: random.Random) -> Style:
    """Draw the style of one picture.

    Times are equally frequent; half of the pictures are of clear weather. The other settings are
    continuous: no two pictures are of the same style. Domain A's vary half as much as domain B's.

    Args:
        domain (str): 'A' or 'B'.
        rng (random.Random): Source of randomness.

    Returns:
        Style: The style.

    Raises:
        ValueError: If ``domain`` is unknown.
    """
    if domain not in DOMAINS:
        raise ValueError(f'unknown domain {domain!r}: expected one of {DOMAINS}')
    spread = dict(A=0.5, B=1.0)[domain]
    time = TIMES[int(rng.random() * len(TIMES))]
    weather = WEATHERS[max(0, int(rng.random() * 6) - 2)]
    # Rounded, so that the manifest tells a style exactly.
    return Style(domain, time, weather, round(rng.random(), 3),
                 round(spread * (2 * rng.random() - 1), 3),
                 round(1 + spread * (0.5 * rng.random() - 0.25), 3))


def held_out(style: Style) -> tuple[str, ...]:
    """Categories that a training picture of this style does not show.

    Examples:
        >>> held_out(Style('B', 'night', 'fog', 0.5, 0, 1))
        ('human', 'vehicle')
        >>> held_out(Style('A', 'night', 'fog', 0.5, 0, 1))
        ()
    """
    if style.domain != 'B':
        return ()
    return HELD_OUT.get(style.time, ()) + HELD_OUT.get(style.weather, ())
