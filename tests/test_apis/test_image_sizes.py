# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Images of several sizes: the figures and pictures of each are those that it has alone."""
import json

import numpy as np
import pytest
import torch
from mmagic.models import CycleGAN
from mmagic.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from PIL import Image
from three_domains import CONFIGS, config, dataset, write_images
from tiny_data import tiny_model_options
from tool import Tool

from egscit_mm.apis import EGSCITInferencer, train
from egscit_mm.apis.model import load_model
from egscit_mm.evaluation.metrics import ExemplarSSIM
from egscit_mm.utils.image_sizes import fitted, groups, in_order, same_size_parts, stacked
from egscit_mm.visualization.translations import first_test_samples, translated_rows

DOMAINS = ('A', 'B')
SIZES = {
    'several': dict(A=[(20, 20), (24, 30), (21, 33), (20, 20)],
                    B=[(20, 20), (24, 30), (21, 33), (20, 20)]),
    'A is not B': dict(A=[(48, 64)], B=[(32, 32)]),
    'both': dict(A=[(17, 23), (48, 64), (20, 20)], B=[(32, 32), (9, 31)]),
}


@pytest.fixture(scope='module', params=SIZES)
def sized(request, tmp_path_factory):
    """Configs by model, with random weights, of a test set of these sizes."""
    folder = tmp_path_factory.mktemp('sizes')
    sizes = SIZES[request.param]
    root = write_images(folder / 'data', test=4, sizes=sizes)
    torch.manual_seed(0)
    for name in ('egscit', 'munit', 'drit'):
        cfg = Config.fromfile(config(name, root, folder, DOMAINS))
        model = MODELS.build(cfg.model)
        for parameter in model.generators.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
        model.generators_ema.module.load_state_dict(model.generators.state_dict())
        torch.save(dict(state_dict=model.state_dict()), folder / f'{name}.pth')
    return folder


@pytest.mark.parametrize('name', ['egscit', 'munit', 'drit'])
def test_figures_do_not_depend_on_the_batch_size(sized, name, tmp_path):
    figures = []
    for batch_size in (1, 2, 4):
        Tool('test.py')(sized / f'{name}_three.py', sized / f'{name}.pth', '--out',
                        tmp_path / 'figures.json', '--work-dir', tmp_path, '--cfg-options',
                        f'test_dataloader.batch_size={batch_size}')
        figures.append(json.loads((tmp_path / 'figures.json').read_text()))
    assert figures[0]
    for other in figures[1:]:
        assert other.keys() == figures[0].keys()
        for key, value in figures[0].items():
            assert other[key] == pytest.approx(value, abs=1e-3), key


def test_test_step_equals_the_inferencer(sized):
    cfg = Config.fromfile(sized / 'egscit_three.py')
    inferencer = EGSCITInferencer(cfg, sized / 'egscit.pth', device='cpu')
    samples = first_test_samples(cfg, 4)
    results = inferencer.model.test_step(pseudo_collate(samples))
    rows = translated_rows(inferencer.model, samples)
    for index, (sample, result) in enumerate(zip(samples, results)):
        assert result.get('img_A_path') == sample['data_samples'].get('img_A_path')
        content, exemplar = (Image.open(sample['data_samples'].get(f'img_{d}_path'))
                             for d in DOMAINS)
        expected = inferencer(content, exemplar)
        found = result.get('fake_B').round().byte().flip(0).permute(1, 2, 0).numpy()
        assert np.abs(found.astype(int) - expected).max() <= 1
        row = ((rows['A2B']['translation'][index] + 1) * 127.5).round().byte()
        assert np.abs(row.permute(1, 2, 0).numpy().astype(int) - expected).max() <= 1


@pytest.mark.parametrize('name', ['egscit', 'munit', 'drit'])
def test_rows_of_pictures_are_those_of_each_alone(sized, name):
    cfg = Config.fromfile(sized / f'{name}_three.py')
    model = load_model(cfg, sized / f'{name}.pth', 'cpu')
    samples = first_test_samples(cfg, 4)

    @torch.no_grad()
    def rows(chosen):
        return in_order({
            tuple(places): model.rows(model.images_by_domain(
                model.data_preprocessor(part)['inputs']))
            for places, part in same_size_parts(pseudo_collate(chosen))
        })

    together = rows(samples)
    for index, sample in enumerate(samples):
        for direction, grid in rows([sample]).items():
            for row, images in grid.items():
                torch.testing.assert_close(
                    together[direction][row][index], images[0], atol=1e-4, rtol=0)
    size = together['A2B']['content'][0].shape
    for row in ('translation', 'reconstruction', 'cycle'):
        assert together['A2B'][row][0].shape == size


def test_report(sized, tmp_path):
    Tool('report.py')(sized / 'egscit_three.py', sized / 'egscit.pth', '--work-dir', tmp_path,
                      '--stage1-dir', tmp_path, '--out', tmp_path, '--num-images', 3)
    assert (tmp_path / 'samples.png').is_file()
    # Figures of the paper are for its own tasks.
    assert 'Tables 2 and 4' not in (tmp_path / 'report.html').read_text()


def test_cyclegan_and_other_models_are_tested_by_size(tmp_path):
    assert CycleGAN.test_step.__wrapped__ and CycleGAN.val_step.__wrapped__
    root = write_images(tmp_path, sizes=dict(A=[(20, 20), (24, 32)], B=[(20, 20), (24, 32)]))
    cfg = Config.fromfile(CONFIGS / 'cyclegan_mnist_single.py')
    cfg.merge_from_dict(tiny_model_options('cyclegan'))
    model = MODELS.build(cfg.model).eval()
    model.init_weights()
    data = DATASETS.build(dataset(root, DOMAINS, True))
    for method in (model.test_step, model.val_step):
        with torch.no_grad():
            together = method(pseudo_collate([data[0], data[1]]))
            alone = [method(pseudo_collate([data[index]]))[0] for index in range(2)]
        for one, other in zip(together, alone):
            assert torch.allclose(one.get('fake_B'), other.get('fake_B'), atol=1e-2)


def test_training_pictures_of_validation_images_of_several_sizes(tmp_path):
    root = write_images(tmp_path / 'data', sizes=dict(A=[(20, 20)], B=[(20, 20)]))
    mixed = write_images(tmp_path / 'mixed', sizes=SIZES['both'])
    cfg = Config.fromfile(config('vaegan', root, tmp_path, DOMAINS))
    loader = Config.fromfile(config('egscit', mixed, tmp_path, DOMAINS)).test_dataloader
    cfg.val_dataloader, cfg.val_cfg = loader, dict(type='MultiValLoop')
    cfg.val_evaluator = dict(type='Evaluator', metrics=[])
    cfg.train_cfg.val_interval = 99
    train(cfg, work_dir=str(tmp_path / 'work'))
    picture, = tmp_path.glob('work/*/vis_data/vis_image/translation_A_2.png')
    # Three cells of the largest image, 48x64, in two rows.
    assert Image.open(picture).size == (3 * (64 + 2) + 2, 2 * (48 + 2) + 2)


@pytest.mark.parametrize('collate', ['stack_collate', 'pseudo_collate'])
def test_training_images_of_several_sizes_are_named(tmp_path, collate):
    root = write_images(tmp_path / 'data', train=12,
                        sizes=dict(A=[(20, 20)], B=[(20, 20), (24, 20)]))
    cfg = Config.fromfile(config('vaegan', root, tmp_path, DOMAINS))
    cfg.train_dataloader.collate_fn = dict(type=collate)
    with pytest.raises(ValueError, match=r'images of img_B differ in size: .*trainB.*\.png is .*'
                       r'trainB.*\.png is .*folders.py --size H W'):
        train(cfg, work_dir=str(tmp_path / 'work'))


def test_grey_files_train_as_colours(tmp_path):
    root = write_images(tmp_path / 'data', sizes=dict(A=[(20, 20)], B=[(20, 20)]))
    for path in root.glob('*/*.png'):
        Image.open(path).convert('L').save(path)
    runner = train(Config.fromfile(config('vaegan', root, tmp_path, DOMAINS)),
                   work_dir=str(tmp_path / 'work'))
    assert runner.iter == runner.max_iters > 0
    grey = np.asarray(Image.open(sorted((root / 'trainA').iterdir())[0]))
    image = runner.train_dataloader.dataset[0]['inputs']['img_A'].numpy()
    flipped = grey[:, ::-1]
    assert any(np.array_equal(image, np.stack([one] * 3)) for one in (grey, flipped))


def test_exemplar_of_another_size_is_resized():
    metric = ExemplarSSIM()
    black, white = (torch.full((3, *size), value, dtype=torch.uint8)
                    for size, value in (((12, 16), 0), ((9, 10), 255)))
    metric.process(dict(inputs=dict(img_A=[black], img_B=[white])),
                   [dict(fake_A=torch.zeros(3, 9, 10), fake_B=torch.full((3, 12, 16), 255.))])
    figures = metric.evaluate(1)
    assert figures['ssim_exemplar/A2B_mean'] == pytest.approx(1)
    assert figures['ssim_exemplar/B2A_mean'] == pytest.approx(1)


def test_fitted_reflects_as_numpy():
    rng = np.random.RandomState(0)
    for height, width, stride in ((16, 20, 4), (17, 21, 4), (1, 40, 2), (3, 2, 4), (5, 1, 8)):
        image = rng.rand(1, 2, height, width).astype(np.float32)
        pads = [(0, max(-side % stride, 16 - side)) for side in (height, width)]
        wanted = np.pad(image, [(0, 0), (0, 0), *pads], mode='reflect')
        found = fitted(torch.from_numpy(image), stride).numpy()
        np.testing.assert_array_equal(found, wanted)
        assert not any(side % stride for side in found.shape[2:])


def test_groups_and_stacked():
    assert groups('abcab') == [[0, 3], [1, 4], [2]]
    assert stacked([torch.zeros(3, 2, 2)] * 2).shape == (2, 3, 2, 2)
    assert isinstance(stacked([torch.zeros(3, 2, 2), torch.zeros(3, 1, 2)]), list)
