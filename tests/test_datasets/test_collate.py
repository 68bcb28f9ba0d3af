# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What the networks get to see of the training images, bit by bit."""
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmagic.registry import MODELS
from mmengine.config import Config
from mmengine.runner import Runner
from tiny_data import write_tiny_digits

CONFIG = Path(__file__).parents[2] / 'configs' / 'egscit' / 'egscit_gta2bdd.py'
NUM_SAMPLES = 6


@pytest.fixture
def cfg(tmp_path):
    cfg = Config.fromfile(CONFIG)
    cfg.merge_from_dict({
        'train_dataloader.dataset.data_root': str(write_tiny_digits(tmp_path)),
        'train_dataloader.batch_size': NUM_SAMPLES,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
    })
    return cfg


def first_batch(cfg, **settings):
    """Of a training with seed 0; MMEngine seeds its first worker with the same number."""
    np.random.seed(0)
    loader = Runner.build_dataloader({**cfg.train_dataloader.to_dict(), **settings}, seed=0)
    return next(iter(loader))


def network_inputs(cfg, batch):
    return MODELS.build(cfg.model.data_preprocessor)(batch, training=True)['inputs']


def test_networks_get_rgb_in_minus_one_to_one(cfg):
    for step in cfg.train_dataloader.dataset.pipeline:
        step.update({name: 0 for name in ('prob', 'flip_ratio') if name in step})
    batch = first_batch(cfg)
    paths = [sample.metainfo for sample in batch['data_samples']]
    inputs = network_inputs(cfg, batch)
    assert list(inputs) == ['img_A', 'img_B']
    for key, images in inputs.items():
        pictures = np.stack([cv2.imread(path[f'{key}_path'])[..., ::-1] for path in paths])
        expected = (pictures.astype(np.float32) - np.float32(127.5)) / np.float32(127.5)
        assert images.dtype == torch.float32
        np.testing.assert_array_equal(images, expected.transpose(0, 3, 1, 2))


@pytest.mark.parametrize('workers', [0, 1])
def test_stacking_changes_nothing(cfg, workers):
    apart = first_batch(cfg, collate_fn=dict(type='pseudo_collate'))
    stacked = first_batch(cfg, num_workers=workers)
    assert isinstance(apart['inputs']['img_A'], list)
    for key in ('img_A', 'img_B'):
        assert [sample.get(f'{key}_path') for sample in stacked['data_samples']] == [
            sample.get(f'{key}_path') for sample in apart['data_samples']]
    expected = network_inputs(cfg, apart)
    for key, images in network_inputs(cfg, stacked).items():
        assert torch.equal(images, expected[key])


def test_workers_send_one_tensor_of_bytes_per_domain(cfg):
    batch = first_batch(cfg)
    for images in batch['inputs'].values():
        assert images.dtype == torch.uint8 and images.shape == (NUM_SAMPLES, 3, 28, 28)
        assert images.is_contiguous()
    # Paths and channel orders, but no second copy of the images (2,352 bytes each).
    assert len(pickle.dumps(batch['data_samples'])) < NUM_SAMPLES * 1000
    assert not any(sample.keys() for sample in batch['data_samples'])


def test_images_of_different_sizes_are_named(cfg):
    folder = Path(cfg.train_dataloader.dataset.data_root, 'trainB')
    odd = sorted(folder.iterdir())[3]
    cv2.imwrite(str(odd), np.zeros((20, 28, 3), np.uint8))
    with pytest.raises(ValueError, match='the images of img_B differ in size') as caught:
        first_batch(cfg, batch_size=50)
    message = str(caught.value)
    assert str(odd) in message and '(3, 20, 28)' in message and '(3, 28, 28)' in message
    assert 'folders.py --size' in message
