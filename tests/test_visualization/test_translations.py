# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
from pathlib import Path

import mmcv
import numpy as np
import pytest
import torch
from mmagic.registry import MODELS
from mmengine.config import Config
from tiny_data import tiny_model_options, tiny_options, write_tiny_digits

from egscit_mm.apis import EGSCITInferencer
from egscit_mm.apis.model import load_model
from egscit_mm.visualization.translations import first_test_samples, translated_rows

CONFIGS = Path(__file__).parents[2] / 'configs' / 'egscit'


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    return write_tiny_digits(tmp_path_factory.mktemp('data'))


def untrained(name, data_root, folder):
    """A tiny config and a checkpoint of random weights."""
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    options = tiny_model_options(name.split('_')[0])
    cfg.merge_from_dict({**options, **tiny_options(data_root, validate=True)})
    model = MODELS.build(cfg.model)
    model.init_weights()
    checkpoint = folder / f'{name}.pth'
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    return cfg, str(checkpoint)


def files(folder):
    """RGB, (N, H, W, 3), in the order of the names."""
    return np.stack([mmcv.imread(path, channel_order='rgb') for path in sorted(folder.iterdir())])


def as_bytes(row):
    """(N, 3, H, W) in [-1, 1] to (N, H, W, 3) in 0..255."""
    return ((row + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


def test_rows_are_the_images_of_the_files(data_root, tmp_path):
    cfg, checkpoint = untrained('egscit_mnist_single', data_root, tmp_path)
    rows = translated_rows(load_model(cfg, checkpoint), first_test_samples(cfg, 4), batch_size=3)
    for source, target in ('AB', 'BA'):
        grid = rows[f'{source}2{target}']
        assert list(grid) == ['content', 'exemplar', 'translation', 'ground_truth']
        for name, folder in (('content', f'test{source}'), ('exemplar', f'test{target}'),
                             ('ground_truth', f'test{source}2{target}')):
            np.testing.assert_array_equal(as_bytes(grid[name]), files(data_root / folder))
        translations = EGSCITInferencer(cfg, checkpoint)(
            list(files(data_root / f'test{source}')), list(files(data_root / f'test{target}')),
            target)
        np.testing.assert_allclose(
            as_bytes(grid['translation']).astype(int), np.stack(translations), atol=1)


def test_cyclegan(data_root, tmp_path):
    cfg, checkpoint = untrained('cyclegan_mnist_single', data_root, tmp_path)
    model = load_model(cfg, checkpoint, 'cpu')
    rows = translated_rows(model, first_test_samples(cfg, 2))
    content = torch.from_numpy(files(data_root / 'testB')[:2]).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        expected = model.generators['A'](content)
    torch.testing.assert_close(rows['B2A']['translation'], expected, atol=1e-4, rtol=0)


def test_at_most_all_samples(data_root, tmp_path):
    cfg, _ = untrained('unit_mnist_single', data_root, tmp_path)
    assert [len(first_test_samples(cfg, number)) for number in (1, 4, 99)] == [1, 4, 4]


def test_no_checkpoint(data_root, tmp_path):
    cfg, _ = untrained('unit_mnist_single', data_root, tmp_path)
    with pytest.raises(FileNotFoundError, match="Checkpoint 'nothing.pth' does not exist"):
        load_model(cfg, 'nothing.pth')
