# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Films of painted streets."""
import numpy as np
import pytest

from egscit_mm.datasets.streets import Style, draw_scene, paint, paint_drive
from egscit_mm.evaluation.functional import flicker

STYLES = {domain: Style(domain, 'day', 'overcast', 0.5, 0., 1.) for domain in 'AB'}
SEEDS = [str(i) for i in range(20)]


@pytest.mark.parametrize('domain', STYLES)
def test_a_drive_begins_with_the_picture_and_moves(domain):
    frames = list(paint_drive('a', STYLES[domain], (64, 128), 3, step=1.))
    (first, ), _ = paint(draw_scene('a'), [STYLES[domain]], (64, 128))
    assert len(frames) == 3 and np.array_equal(frames[0], first)
    assert not np.array_equal(frames[0], frames[1])
    assert not np.array_equal(frames[1], frames[2])


def test_what_is_not_passed_stays_and_grows():
    for seed in SEEDS:
        start, ahead = draw_scene(seed), draw_scene(seed, ahead=1.5)
        assert ahead == start._replace(camera=ahead.camera), seed  # nothing is nearer than 3 m
        for shape in start.shapes:
            if shape.kind in ('car', 'trunk', 'pole', 'top'):
                assert height(shape, ahead.camera) > height(shape, start.camera)


def height(shape, camera):
    ys = [camera(*corner)[1] for polygon in shape.polygons for corner in polygon]
    return max(ys) - min(ys)


def test_what_is_passed_is_gone():
    numbers = [sum(shape.kind == 'trunk' for seed in SEEDS for shape in draw_scene(
        seed, ahead=ahead).shapes) for ahead in (0, 15, 50)]
    assert numbers[0] > numbers[1] > numbers[2] > 0
    for seed in SEEDS:
        scene = draw_scene(seed, ahead=15)
        for shape in scene.shapes:
            assert all(np.isfinite(scene.camera(*np.transpose(polygon))).all()
                       for polygon in shape.polygons)


def test_most_of_a_drive_can_be_followed():
    frames = list(paint_drive('a', STYLES['A'], (128, 256), 4))
    assert flicker(frames, frames).share > 0.7
