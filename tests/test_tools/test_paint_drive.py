# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import numpy as np
import pytest
from tool import Tool

from egscit_mm.apis.video import read_frames
from egscit_mm.datasets.streets import TIMES, WEATHERS, Style, paint_drive
from egscit_mm.utils.errors import UserError


def test_the_film_is_the_painted_one(tmp_path):
    tool = Tool('paint_drive.py')
    assert tool.module.TIMES == TIMES and tool.module.WEATHERS == WEATHERS
    tool('--out', tmp_path / 'drive.mkv', '--frames', 3, '--size', 32, 64, '--step', 1,
         '--weather', 'rain', '--seed', 'b')
    wanted = paint_drive('b', Style('A', 'day', 'rain', 0.5, 0., 1.), (32, 64), 3, 1)
    for frame, painted in zip(read_frames(tmp_path / 'drive.mkv'), wanted, strict=True):
        assert np.array_equal(frame, painted)
    with pytest.raises(UserError, match='films are written as'):
        tool('--out', tmp_path / 'drive.gif')
