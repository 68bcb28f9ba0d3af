# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Drawn letters in EMNIST's layout, and what the converter makes of them."""
import numpy as np
import pytest
from tool import Tool

from egscit_mm.datasets.digits.characters import IDX_SOURCES, load_idx_source


def test_the_converter_reads_upright_letters_that_differ_and_are_the_same_for_a_seed(tmp_path):
    draw = Tool('analysis/draw_letters.py')
    read = []
    for name in ('first', 'second'):
        draw('--out', tmp_path / name, '--num', 104)
        characters, _ = load_idx_source(IDX_SOURCES['emnist'], [tmp_path / name], ['test'])
        read.append(characters['test'])
    with pytest.raises(SystemExit, match='first.* has idx files already'):  # EMNIST's, perhaps
        draw('--out', tmp_path / 'first', '--num', 10)
    (images, labels), (again, _) = read
    np.testing.assert_array_equal(images, again)
    assert images.shape == (104, 28, 28) and labels.tolist() == [*range(1, 27)] * 4
    assert len({image.tobytes() for image in images}) == 104
    ink = images > 127
    assert ((0.03 < ink.mean((1, 2))) & (ink.mean((1, 2)) < 0.4)).all()
    assert not ink[:, [0, -1]].any() and not ink[:, :, [0, -1]].any()
    # A capital L has its foot at the bottom right.
    assert ink[37, 14:, 14:].sum() > 2 * ink[37, :14, 14:].sum()
