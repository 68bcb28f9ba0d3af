# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import numpy as np
import pytest
import torch
from inference_fixtures import checkpoints, inferencer
from PIL import Image
from tiny_data import picture
from tool import Tool

from egscit_mm.utils.errors import UserError

__all__ = ['checkpoints', 'inferencer']


@pytest.fixture(scope='module')
def tool():
    return Tool('analysis/style_walk.py')


def test_a_walk_visits_the_exemplars_in_even_steps(tool):
    styles = [torch.tensor([[value]]) for value in (0., 4., 2.)]
    path = torch.cat(tool.module.walk(styles, 4))
    assert path.flatten().tolist() == [0, 1, 2, 3, 4, 3.5, 3, 2.5, 2]


def test_the_ends_are_the_plain_results(tool, checkpoints, inferencer, tmp_path):
    for seed in range(4):
        Image.fromarray(picture(16, 20, seed)).save(tmp_path / f'{seed}.png')
    contents, exemplars = ([tmp_path / f'{seed}.png' for seed in seeds]
                           for seeds in ((0, 1), (2, 3)))
    tool(checkpoints / 'egscit_quickstart.py', checkpoints / 'egscit.pth', '--content', *contents,
         '--exemplar', *exemplars, '--out', tmp_path / 'walk', '--steps', 3, '--scale', 2)
    sheet = np.array(Image.open(tmp_path / 'walk.png'))[::2, ::2]
    assert sheet.shape == (2 * 18 + 2, 5 * 22 + 2, 3)  # content and four steps
    for row, content in enumerate(contents):
        cells = [sheet[2 + 18 * row:18 + 18 * row, 2 + 22 * column:22 + 22 * column].astype(int)
                 for column in range(5)]
        for cell, wanted in ((cells[0], np.array(Image.open(content))),
                             (cells[1], inferencer(content, exemplars[0])),
                             (cells[4], inferencer(content, exemplars[1]))):
            assert np.abs(cell - wanted).max() <= 1
    with Image.open(tmp_path / 'walk.gif') as animation:
        assert animation.n_frames == 6  # four there, two back
        assert animation.size == (2 * (2 * 22 + 2), 2 * (18 + 2))


def test_exemplars_and_contents_may_come_again(tool, checkpoints, tmp_path):
    for seed in range(3):
        Image.fromarray(picture(16, 20, seed)).save(tmp_path / f'{seed}.png')
    content, first, second = (tmp_path / f'{seed}.png' for seed in range(3))
    tool(checkpoints / 'egscit_quickstart.py', checkpoints / 'egscit.pth', '--content', content,
         content, '--exemplar', first, second, first, '--out', tmp_path / 'walk.gif', '--steps', 3)
    assert sorted(path.name for path in tmp_path.glob('walk*')) == ['walk.gif', 'walk.png']
    sheet = np.array(Image.open(tmp_path / 'walk.png'))
    assert sheet.shape == (2 * 18 + 2, 8 * 22 + 2, 3)  # content and seven steps
    assert np.array_equal(sheet[2:18, 24:44], sheet[2:18, 156:176])


def test_one_exemplar_is_no_walk(tool, checkpoints, tmp_path):
    Image.fromarray(picture(16, 20)).save(tmp_path / 'a.png')
    with pytest.raises(UserError, match='needs two exemplars or more, --exemplar names 1'):
        tool(checkpoints / 'egscit_quickstart.py', checkpoints / 'egscit.pth', '--content',
             tmp_path / 'a.png', '--exemplar', tmp_path / 'a.png', '--out', tmp_path / 'walk')


def test_faster_than_a_gif_can_be(tool, capsys):
    """60 pictures per second became 100 in the file, and 10 in browsers."""
    with pytest.raises(SystemExit):
        tool('config.py', 'x.pth', '--content', 'a', '--exemplar', 'b', '--out', 'c', '--fps', 60)
    assert '--fps: a GIF shows 50 pictures per second at most, got 60' in capsys.readouterr().err
