# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import os

import numpy as np
import pytest
from mmagic.registry import VISBACKENDS
from PIL import Image
from tiny_data import picture


@pytest.fixture
def backend(tmp_path):
    return VISBACKENDS.build(dict(type='AtomicVisBackend', save_dir=str(tmp_path)))


def test_picture_is_written(backend, tmp_path):
    backend.add_image('grid', picture(6, 9), step=3)
    assert np.array_equal(np.array(Image.open(tmp_path / 'vis_image' / 'grid_3.png')),
                          picture(6, 9))


def test_a_full_disk_leaves_the_old_picture_and_is_reported(backend, tmp_path, monkeypatch):
    backend.add_image('grid', picture(6, 9))

    def full(*args):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match='grid_0.png: No space left'):
        backend.add_image('grid', picture(6, 9, seed=1))
    assert [path.name for path in (tmp_path / 'vis_image').iterdir()] == ['grid_0.png']
    assert np.array_equal(np.array(Image.open(tmp_path / 'vis_image' / 'grid_0.png')),
                          picture(6, 9))
