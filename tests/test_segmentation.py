# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The segmenters of the paper's Table 3, from the configs to the table, on made-up streets."""
import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from mmengine.config import Config
from mmengine.registry import DATASETS, METRICS, MODELS, init_default_scope
from PIL import Image
from tiny_models import SEGMENTER
from tool import Tool

from egscit_mm.apis.train import enable_amp, train
from egscit_mm.evaluation.paper import SEGMENTATION_MIOU
from egscit_mm.utils.errors import UserError

pytest.importorskip('mmseg')

REPOSITORY = Path(__file__).parents[1]
FOLDER = REPOSITORY / 'configs' / 'egscit' / 'segmentation'
CONFIGS = sorted(path for path in FOLDER.glob('*.py') if 'streets' not in path.name)
IMAGE_FOLDERS = {
    'deeplab_source': 'trainA',
    'deeplab_unit': 'trainA_unit',
    'deeplab_munit': 'trainA_munit',
    'deeplab_egscit': 'trainA_egscit',
    'deeplab_oracle': 'trainB',
}
ROAD, BUILDING, SKY, IGNORED = 0, 2, 10, 255
COLOURS = {ROAD: (90, 90, 90), BUILDING: (120, 60, 30), SKY: (120, 170, 250), IGNORED: (0, 0, 0)}
TINY = {
    **SEGMENTER,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'test_dataloader.num_workers': 0,
    'train_cfg.max_iters': 30,
    'optim_wrapper.optimizer.lr': 0.05,
}


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    """Sky over buildings over a road with an ignored border, by colour, with some noise."""
    root, rng = tmp_path_factory.mktemp('streets'), np.random.RandomState(0)
    for images, labels, count in [*((folder, f'{folder[:6]}_labels19', 8)
                                    for folder in IMAGE_FOLDERS.values()),
                                  ('testB', 'testB_labels19', 3)]:
        for folder in (images, labels):
            (root / folder).mkdir(exist_ok=True)
        for index in range(count):
            name = f'{index:05d}.png'
            if (root / labels / name).exists():  # all trainA_* share the labels of trainA
                label = np.array(Image.open(root / labels / name))
            else:
                label = np.full((32, 64), BUILDING, np.uint8)
                label[:rng.randint(6, 14)] = SKY
                label[rng.randint(18, 26):] = ROAD
                label[:, :3] = IGNORED
                Image.fromarray(label).save(root / labels / name)
            image = np.zeros((32, 64, 3))
            for number, colour in COLOURS.items():
                image[label == number] = colour
            image = (image + rng.normal(0, 10, image.shape)).clip(0, 255).astype(np.uint8)
            Image.fromarray(image).save(root / images / name)
    return root


def options_for(data_root):
    return TINY | {f'{loader}_dataloader.dataset.data_root': str(data_root)
                   for loader in ('train', 'test')}


def test_there_is_a_config_per_row_of_the_table():
    assert {path.stem for path in CONFIGS} == IMAGE_FOLDERS.keys()
    assert {f'deeplab_{row.lower().replace("-", "")}' for row in SEGMENTATION_MIOU} == (
        IMAGE_FOLDERS.keys())


def test_rows_differ_in_their_training_data_only():
    rest = []
    for path in CONFIGS:
        cfg = Config.fromfile(path).to_dict()
        del cfg['train_dataloader']['dataset']['data_prefix']
        rest.append(cfg)
    assert all(cfg == rest[0] for cfg in rest)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_datasets_pair_images_with_labels(path, data_root):
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(options_for(data_root))
    init_default_scope(cfg.default_scope)
    folder = IMAGE_FOLDERS[path.stem]
    for loader, images, labels, count in (
            (cfg.train_dataloader, folder, f'{folder[:6]}_labels19', 8),
            (cfg.test_dataloader, 'testB', 'testB_labels19', 3)):
        dataset = DATASETS.build(loader.dataset)
        assert len(dataset) == count
        sample = dataset[count - 1]['data_samples']
        assert sample.img_path == str(data_root / images / f'{count - 1:05d}.png')
        label = np.array(Image.open(data_root / labels / f'{count - 1:05d}.png'))
        if sample.get('flip'):
            label = label[:, ::-1]
        assert np.array_equal(sample.gt_sem_seg.data[0], label)
    assert len(dataset.metainfo['classes']) == 19
    assert [dataset.metainfo['classes'][number] for number in (ROAD, BUILDING, SKY)] == [
        'road', 'building', 'sky']


def test_model_builds_at_full_size():
    cfg = Config.fromfile(CONFIGS[0])
    init_default_scope(cfg.default_scope)
    METRICS.build(cfg.test_evaluator)
    with torch.device('meta'):
        model = MODELS.build(cfg.model).eval()
        assert model.backbone(torch.zeros(1, 3, 256, 512))[-1].shape == (1, 2048, 32, 64)
        assert model(torch.zeros(1, 3, 256, 512)).shape == (1, 19, 32, 64)
        published = torchvision.models.resnet101().state_dict()
    # The ImageNet weights that init_cfg names: all of them fit but those of the classifier.
    assert cfg.model.backbone.init_cfg.checkpoint == 'torchvision://resnet101'
    shapes = {name: weights.shape for name, weights in model.backbone.state_dict().items()}
    assert shapes == {name: weights.shape for name, weights in published.items()
                      if not name.startswith('fc.')}


def test_amp_knows_a_single_wrapper():
    cfg = Config.fromfile(CONFIGS[0])
    enable_amp(cfg)
    assert cfg.optim_wrapper.type in ('mmagic.AutocastOptimWrapper', 'AmpOptimWrapper')
    with pytest.raises(ValueError, match=r'--amp needs optim_wrapper\.type'):
        enable_amp(cfg)


def test_from_training_to_the_table(data_root, tmp_path, monkeypatch, capsys):
    path = REPOSITORY / 'configs' / 'egscit' / 'segmentation' / 'deeplab_egscit.py'
    work_dir = tmp_path / 'deeplab_egscit'
    options = options_for(data_root)
    runner = train(Config.fromfile(path), work_dir=str(work_dir), options=options)
    # The rate falls over the length that the options gave: MMEngine's Runner told the schedule.
    rates = runner.message_hub.get_scalar('train/lr').data[0]
    assert rates == pytest.approx([0.05 * (1 - t / 30)**0.9 for t in range(30)], rel=1e-4)

    Tool('test.py')(
        path, work_dir / 'iter_30.pth', '--work-dir', work_dir, '--out', work_dir / 'metrics.json',
        '--cfg-options', *(f'{key}={value}' for key, value in options.items()),
        f'test_evaluator.output_dir={tmp_path / "predictions"}')
    figures = json.loads((work_dir / 'metrics.json').read_text())
    assert f'mIoU: {figures["mIoU"]:.4f}' in capsys.readouterr().out

    labels, predictions = (
        np.concatenate([np.array(Image.open(file)).ravel() for file in sorted(folder.iterdir())])
        for folder in (data_root / 'testB_labels19', tmp_path / 'predictions'))
    valid = labels != IGNORED
    labels, predictions = labels[valid], predictions[valid]
    from sklearn.metrics import jaccard_score  # takes a second
    iou = jaccard_score(labels, predictions, average=None,
                        labels=np.union1d(labels, predictions))
    assert figures['mIoU'] == pytest.approx(100 * iou.mean(), abs=0.006)  # two digits are kept
    assert figures['aAcc'] == pytest.approx(100 * (labels == predictions).mean(), abs=0.006)
    assert iou.mean() > 0.6  # it has learned: one class everywhere would give less than 0.2

    Tool('analysis/segmentation_table.py')(tmp_path)
    assert capsys.readouterr().out.splitlines()[2:] == [
        '| source | - | 0.329 |',
        '| UNIT | - | 0.297 |',
        '| MUNIT | - | 0.331 |',
        f'| EGSC-IT | {figures["mIoU"] / 100:.3f} | 0.343 |',
        '| oracle | - | 0.448 |',
    ]


def test_table_names_what_is_wrong(tmp_path):
    tool = Tool('analysis/segmentation_table.py')
    with pytest.raises(SystemExit, match='none is not a folder of work directories'):
        tool(tmp_path / 'none')
    metrics = tmp_path / 'deeplab_source' / 'metrics.json'
    metrics.parent.mkdir()
    metrics.write_text('{"ssim": 0.5}')
    with pytest.raises(SystemExit, match='metrics.json has no mIoU, only ssim'):
        tool(tmp_path)
    metrics.write_text('{"mIoU": ')
    with pytest.raises(UserError, match=f'{metrics} is damaged: delete it and run again'):
        tool(tmp_path)


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'mmseg.utils', None)
    with pytest.raises(ImportError, match=r'pip install .* "\.\[segmentation\]"'):
        runpy.run_path(str(REPOSITORY / 'egscit_mm' / 'segmentation.py'))
