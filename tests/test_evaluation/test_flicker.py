# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Flicker of films made by hand."""
import cv2
import numpy as np
import pytest

from egscit_mm.evaluation.functional import flicker
from egscit_mm.evaluation.functional.flicker import consistent_flow
from egscit_mm.utils.errors import UserError


def texture(height=96, width=160, seed=0):
    """Smooth random colours, of which every shift can be told."""
    noise = np.random.RandomState(seed).rand(height // 4, width // 4, 3).astype(np.float32)
    smooth = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return (smooth.clip(0, 1) * 255).astype(np.uint8)


def test_a_static_film_has_none():
    content, translation = texture(), texture(seed=1)
    result = flicker([content] * 4, [translation] * 4)
    assert result == (0, 1, 3)


def moving(image, frames=5, step=3):
    """A window that moves over the image, so many pixels each frame."""
    return [image[:, step * i:step * i + 128] for i in range(frames)]


def test_a_film_that_moves_as_its_content_has_almost_none():
    contents, translations = moving(texture()), moving(texture(seed=1))
    result = flicker(contents, translations)
    assert result.error < 1 and result.share > 0.9 and result.pairs == 4
    assert flicker(contents, contents).error < 1
    # Without the flow, it would be large; and so it is for a film that does not move along.
    still = np.mean([np.abs(a.astype(int) - b).mean()
                     for a, b in zip(translations, translations[1:])])
    assert still > 20
    assert flicker(contents, [texture(seed=1)[:, :128]] * 5).error > 10


@pytest.mark.parametrize('size', [4, 30])
def test_random_flicker_has_its_size(size):
    """Frames whose brightness jumps up and down: the difference is twice the amplitude."""
    contents = moving(texture())
    translations = [(image / 2 + 64 + (-1)**i * size).round().astype(np.uint8)
                    for i, image in enumerate(moving(texture(seed=1)))]
    assert flicker(contents, translations).error == pytest.approx(2 * size, abs=0.5)
    static = flicker([texture()] * 5, [np.full((96, 160, 3), 100 + (-1)**i * size, np.uint8)
                                       for i in range(5)])
    assert static.error == 2 * size


def test_what_is_uncovered_does_not_count():
    """A square that moves over a background: what was behind it has no counterpart."""
    background, square = texture(), texture(60, 60, seed=2)
    frames = []
    for i in range(3):
        frame = background.copy()
        frame[20:80, 40 + 4 * i:100 + 4 * i] = square
        frames.append(frame)
    _, agrees = consistent_flow(frames[1], frames[0])
    assert agrees[30:70, 40:43].mean() < 0.5  # uncovered
    assert agrees[:12].mean() > 0.9 and agrees[30:70, 54:94].mean() > 0.9
    assert flicker(frames, frames).error < 3


def test_frames_that_do_not_fit():
    for contents, message in (([texture()], '0 pairs of frames'), ([], '0 pairs of frames'),
                              ([texture(8, 8)], 'at least 12 x 12')):
        with pytest.raises(UserError, match=message):
            flicker(contents, contents)
    with pytest.raises(UserError, match='of one size'):
        flicker([texture()], [texture()[:, 1:]])
