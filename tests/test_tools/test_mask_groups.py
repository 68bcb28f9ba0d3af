# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import numpy as np
import pytest
import torch
from inference_fixtures import checkpoints
from PIL import Image
from tiny_data import picture
from tool import Tool

from egscit_mm.utils.errors import UserError

__all__ = ['checkpoints']


@pytest.fixture(scope='module')
def tool():
    return Tool('analysis/mask_groups.py')


def test_channels_that_are_high_at_the_same_places_form_a_group(tool):
    generator = torch.Generator().manual_seed(0)
    left = torch.zeros(2, 8, 8)
    left[:, :, :4] = 1
    top = left.transpose(1, 2)
    # Height and range of a channel do not matter, nor does their order.
    order = [left, top, left, top, 1 - left, left]
    masks = torch.stack([0.5 + 0.1 * (1 + index) * one for index, one in enumerate(order)], 1)
    masks += 0.01 * torch.rand(masks.shape, generator=generator)
    groups = tool.module.group_channels(masks, 3)
    wanted = [[0, 2, 5], [1, 3], [4]]
    assert len(groups) == 3
    for group, members in zip(groups, wanted):
        assert torch.allclose(group, masks[:, members].mean(1))


def test_a_picture_of_contents_and_groups(tool, checkpoints, tmp_path):
    for seed in range(2):
        Image.fromarray(picture(16, 20, seed)).save(tmp_path / f'{seed}.png')
    words = (checkpoints / 'egscit_quickstart.py', checkpoints / 'egscit.pth', '--content',
             tmp_path / '0.png', tmp_path / '1.png', '--out', tmp_path / 'out.png', '--groups')
    tool(*words, 2)
    sheet = np.array(Image.open(tmp_path / 'out.png'))
    assert sheet.shape == (2 * 18 + 2, 3 * 22 + 2, 3)
    assert np.array_equal(sheet[2:18, 2:22], picture(16, 20, 0))
    cells = sheet[2:18, 24:44]
    assert (cells[..., 0] == cells[..., 1]).all() and cells.std() > 0
    # A content that has to be continued: the mask stays where it belongs.
    Image.fromarray(picture(8, 8)).save(tmp_path / 'small.png')
    tool(*words[:3], tmp_path / 'small.png', *words[5:], 2)
    cells = np.array(Image.open(tmp_path / 'out.png'))[2:10, 12:20]
    assert (cells[::2] == cells[1::2]).all() and (cells[:, ::2] == cells[:, 1::2]).all()
    with pytest.raises(UserError, match='--groups: the mask has [0-9]+ channels, got 10000'):
        tool(*words, 10000)
    with pytest.raises(UserError, match='--domain: expected one of A, B, got C'):
        tool(*words, 2, '--domain', 'C')
    with pytest.raises(UserError, match='--out: .*out.foo would be a PNG file; name it so'):
        tool(*words, 2, '--out', tmp_path / 'out.foo')
    Image.fromarray(picture(8, 8)).save(tmp_path / '1.png')
    message = 'images of one size are expected; .*1.png has 8 x 8 pixels, .*0.png 20 x 16'
    with pytest.raises(UserError, match=message):
        tool(*words, 2)
