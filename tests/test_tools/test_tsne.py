# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmagic.registry import MODELS
from mmengine.config import Config
from PIL import Image
from tiny_data import tiny_model_options, tiny_options, write_tiny_digits
from tool import Tool

REPOSITORY = Path(__file__).parents[2]
CONFIGS = REPOSITORY / 'configs' / 'egscit'


@pytest.fixture
def tsne():
    return Tool('analysis/tsne.py')


def clusters(rng, offset):
    """20 noisy images around 0 and around `offset`."""
    images = rng.normal(0, 0.1, (20, 3, 4, 4))
    images[10:] += offset
    return images


@pytest.mark.parametrize('pca', [0, 5, 500])
def test_neighbours_stay_neighbours(tsne, pca):
    """Real and translated images of one style end up together, those of two styles apart."""
    rng = np.random.RandomState(0)
    images = {'real': clusters(rng, 10), 'translated': clusters(rng, 10)}
    points = tsne.module.embed(images, pca, seed=0)
    assert [points[name].shape for name in ('real', 'translated')] == [(20, 2), (20, 2)]
    styles = [np.concatenate([points[name][half] for name in points])
              for half in (slice(0, 10), slice(10, 20))]
    centres = [style.mean(0) for style in styles]
    spread = max(np.linalg.norm(style - centre, axis=1).max()
                 for style, centre in zip(styles, centres))
    assert np.linalg.norm(centres[0] - centres[1]) > 2 * spread
    again = tsne.module.embed(images, pca, seed=0)
    np.testing.assert_array_equal(points['translated'], again['translated'])


def test_two_panels_with_both_clouds(tsne):
    points = {'real': np.array([[0., 0.], [1., 1.]]), 'translated': np.array([[0., 1.], [1., 0.]])}
    picture = tsne.module.draw({'A→B': points, 'B→A': points})
    assert picture.shape == (500, 1000, 3) and picture.dtype == np.uint8
    for panel in (picture[:, :500], picture[:, 500:]):
        blue = (panel[..., 2].astype(int) - panel[..., 0] > 60).sum()
        red = (panel[..., 0].astype(int) - panel[..., 2] > 60).sum()
        assert blue > 20 and red > 20


def test_tool(tsne, tmp_path):
    data_root = write_tiny_digits(tmp_path / 'data', test=6)
    cfg = Config.fromfile(CONFIGS / 'cyclegan_mnist_single.py')
    cfg.merge_from_dict({**tiny_model_options('cyclegan'), **tiny_options(data_root)})
    cfg.dump(tmp_path / 'config.py')
    model = MODELS.build(cfg.model)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'weights.pth')
    tsne(tmp_path / 'config.py', tmp_path / 'weights.pth', '--out', tmp_path / 'out' / 'tsne.png',
         '--num', 5, '--cfg-options', 'test_dataloader.num_workers=0')
    assert Image.open(tmp_path / 'out' / 'tsne.png').size == (1000, 500)
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['tsne.png']


def test_missing_files(tsne, tmp_path):
    with pytest.raises(ValueError, match="Config 'nowhere.py' does not exist"):
        tsne('nowhere.py', 'nothing.pth', '--out', tmp_path / 'x.png')
    with pytest.raises(FileNotFoundError, match="Checkpoint 'nothing.pth' does not exist"):
        tsne(CONFIGS / 'egscit_mnist_single.py', 'nothing.pth', '--out', tmp_path / 'x.png')


def test_scikit_learn_is_named(tsne, monkeypatch):
    monkeypatch.setitem(sys.modules, 'sklearn', None)
    with pytest.raises(ModuleNotFoundError, match=r'needs sklearn.*"egscit_mm\[analysis\]"'):
        tsne('nowhere.py', 'nothing.pth', '--out', 'x.png')


def test_config_without_test_set(tsne, tmp_path):
    (tmp_path / 'weights.pth').touch()
    with pytest.raises(SystemExit, match='egscit_gta2bdd.py has no test set'):
        tsne(CONFIGS / 'egscit_gta2bdd.py', tmp_path / 'weights.pth', '--out', tmp_path / 'x.png')


@pytest.mark.parametrize('option, value', [('--num', 1), ('--pca', -1)])
def test_bad_numbers(tsne, capsys, option, value):
    with pytest.raises(SystemExit):
        tsne('config.py', 'x.pth', '--out', 'x.png', option, value)
    assert f'{option} must be at least' in capsys.readouterr().err


def test_a_picture_of_another_name(tsne, capsys):
    with pytest.raises(SystemExit):
        tsne('config.py', 'x.pth', '--out', 'clouds.jpg')
    assert '--out: clouds.jpg would be a PNG file; name it so' in capsys.readouterr().err
