# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Augmented CycleGAN and CDD-IT in every tool, as MUNIT is."""
import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from tiny_data import picture, tiny_model_options, tiny_options, write_tiny_digits
from tiny_training import CONFIGS
from tool import Tool

from egscit_mm.apis import EGSCITInferencer, train
from egscit_mm.datasets import ExemplarImageDataset

NAMES = ('augmented_cyclegan_mnist_single', 'cddit_mnist_single')
TERMS = dict(
    augmented_cyclegan_mnist_single={'gan', 'cycle', 'style'},
    cddit_mnist_single={'gan', 'penalty', 'exclusive', 'autoencoding', 'code', 'shared'})


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    return write_tiny_digits(tmp_path_factory.mktemp('data'))


@pytest.fixture(scope='module', params=NAMES)
def trained(request, data_root, tmp_path_factory):
    """Config, folder of checkpoints 2 and 4, and the name."""
    folder = tmp_path_factory.mktemp('trained')
    cfg = Config.fromfile(CONFIGS / f'{request.param}.py')
    cfg.merge_from_dict({
        **tiny_model_options(request.param.split('_')[0]),
        **tiny_options(data_root, iters=4, validate=True),
        'train_dataloader.batch_size': 2, 'custom_hooks.0.interval': 4})
    # MMEngine names a training after its config and the second: another name, another log.
    config = folder / f'{request.param}.py'
    cfg.dump(config)
    train(Config.fromfile(config), work_dir=str(folder / 'work'))
    return config, folder / 'work', request.param


def test_training_logs_its_terms_and_draws_pictures(trained):
    _, work_dir, name = trained
    rows = [json.loads(line) for line in
            next(work_dir.glob('*/vis_data/scalars.json')).read_text().splitlines()]
    logged = {key: value for row in rows for key, value in row.items()}
    assert {key.split('_')[1] for key in logged
            if key.startswith('loss_') and key not in ('loss_d', 'loss_g')} == TERMS[name]
    assert all(np.isfinite(value) for value in logged.values())
    assert {path.name for path in work_dir.glob('*/vis_data/vis_image/*.png')} == {
        'translation_A2B_4.png', 'translation_B2A_4.png'}


def test_it_resumes_bit_for_bit(trained, tmp_path):
    config, work_dir, _ = trained
    resumed = train(Config.fromfile(config), work_dir=str(tmp_path),
                    resume=str(work_dir / 'iter_2.pth')).model.state_dict()
    wanted = torch.load(work_dir / 'iter_4.pth', weights_only=True)['state_dict']
    assert wanted.keys() == resumed.keys()
    assert [key for key, value in wanted.items() if not torch.equal(value, resumed[key])] == []


def test_amp(trained, tmp_path):
    config, _, _ = trained
    model = train(Config.fromfile(config), work_dir=str(tmp_path), amp=True,
                  options={'train_cfg.max_iters': 1}).model
    assert all(p.isfinite().all() and p.dtype == torch.float32 for p in model.parameters())


def test_it_is_tested_published_and_translates(trained, tmp_path):
    config, work_dir, _ = trained
    checkpoint = work_dir / 'iter_4.pth'
    Tool('test.py')(config, checkpoint, '--work-dir', tmp_path / 'test', '--out',
                    tmp_path / 'metrics.json')
    figures = json.loads((tmp_path / 'metrics.json').read_text())
    assert {'ssim_ground_truth/A2B', 'ssim_exemplar/B2A', 'train_seconds'} <= figures.keys()

    for part, number in (('contents', 2), ('exemplars', 2)):
        (tmp_path / part).mkdir()
        for index in range(number):
            Image.fromarray(picture(27, 30, index)).save(tmp_path / part / f'{index}.png')
    published = Tool('model_converters/publish_model.py')
    published(checkpoint, tmp_path / 'model.safetensors')
    file, = tmp_path.glob('model-*.safetensors')
    assert file.stat().st_size < checkpoint.stat().st_size / 2
    for weights in (checkpoint, file):
        Tool('translate.py')(config, weights, '--content', tmp_path / 'contents', '--exemplar',
                             tmp_path / 'exemplars', '--out', tmp_path / weights.stem,
                             '--strength', 0.5, '--target-domain', 'A')
    results = [np.array(Image.open(tmp_path / weights.stem / '0.png'))
               for weights in (checkpoint, file)]
    assert results[0].shape == (27, 30, 3) and np.array_equal(*results)


def test_the_inferencer_follows_the_exemplar(trained):
    config, work_dir, _ = trained
    inferencer = EGSCITInferencer(config, str(work_dir / 'iter_4.pth'), device='cpu')
    assert inferencer.model.discriminators is None
    torch.manual_seed(0)
    for parameter in inferencer.model.inference_generators.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    results = [inferencer(picture(20, 24), picture(28, 28, seed)) for seed in (1, 2)]
    assert results[0].shape == (20, 24, 3) and not np.array_equal(*results)
    style = inferencer.style([picture(28, 28, 1)])
    assert np.array_equal(inferencer.translate_to_style(picture(20, 24), style), results[0])


def test_training_of_cddit_sees_pairs(data_root):
    cfg = Config.fromfile(CONFIGS / 'cddit_mnist_single_reduced.py').train_dataloader.dataset
    cfg.pop('type')
    dataset = ExemplarImageDataset(**{**cfg, 'data_root': data_root})
    assert len(dataset) == 24
    for index in range(len(dataset)):
        images = dataset[index]['inputs']
        stroke = [image.float().flatten(1).std(1).max() > 0 for image in images.values()]
        assert all(stroke)
        # Two colours each, at the same places: both images agree on which pixels are alike.
        first, second = ((image == image[:, :1, :1]).all(0) for image in images.values())
        assert torch.equal(first, second)
