# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Every config builds: model, optimisers, schedule, data pipeline, hooks and metrics."""
from pathlib import Path

import pytest
import torch
from mmagic.registry import DATASETS, HOOKS, METRICS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.visualization import Visualizer
from tiny_data import write_tiny_digits

from egscit_arguments import config_options
from egscit_mm.config import check_config, merge_options
from egscit_mm.models import VAEGAN, AlternatingGAN
from egscit_mm.models.style_transfer.decoder_training import DecoderTraining

SHORT = ('quickstart', 'quickstart_imagenet', 'reduced')  # not the paper's schedules
# Tasks whose test sets have ground truths.
TESTED = ('mnist', 'quickstart', 'streets')
CONFIGS = sorted((Path(__file__).parents[1] / 'configs' / 'egscit').glob('*.py'))


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    return write_tiny_digits(tmp_path_factory.mktemp('data'))


def test_configs_are_found():
    assert {'egscit_mnist_single.py', 'vaegan_mnist_single.py', 'egscit_quickstart.py',
            'vaegan_quickstart.py'} <= {path.name for path in CONFIGS}


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config_builds(path, data_root):
    cfg = Config.fromfile(path)
    init_default_scope(cfg.default_scope)
    with torch.device('meta'):  # of the paper's width: without numbers
        model = MODELS.build(cfg.model)
    is_trained = getattr(model, 'has_weights', True)
    for key in ('optim_wrapper', 'train_cfg', 'train_dataloader', 'param_scheduler'):
        assert (cfg.get(key) is not None) == is_trained, key
    if is_trained:
        # build_optim_wrapper takes the constructor out of the config.
        optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper.copy())
        assert [scheduler.type for scheduler in cfg.param_scheduler] == ['PolyDecayLR']
        sides = {'generators', 'discriminators'}
    if isinstance(model, AlternatingGAN):
        sides = {update.side for update in model.updates()}
        updates = sum(getattr(model, update.steps) for update in model.updates())
        assert cfg.train_dataloader.batch_size % updates == 0
    if is_trained and not isinstance(model, DecoderTraining):
        assert set(optim_wrapper.keys()) == sides
    Visualizer.get_instance('test_configs')  # MMagic's hook wants the one that a Runner builds
    for hook in cfg.custom_hooks:
        HOOKS.build(hook)

    loaders = [cfg.train_dataloader] if is_trained else []
    if cfg.get('stage1_config') is not None:
        stage1 = Config.fromfile(path.parent / cfg.stage1_config)
        own, other = (c.train_dataloader.dataset for c in (cfg, stage1))
        assert other.data_root == own.data_root
        assert other.pipeline == own.pipeline or path.stem.endswith(SHORT)
        same_length = stage1.train_cfg.max_iters == cfg.train_cfg.max_iters
        assert same_length or path.stem.endswith(SHORT)
    # Only painted tasks have ground truths to test with. The Runner wants the parts of a loop to be
    # there together.
    for loop in ('val', 'test'):
        parts = [cfg.get(f'{loop}_{part}') for part in ('cfg', 'dataloader', 'evaluator')]
        assert len({part is None for part in parts}) == 1
    if cfg.test_cfg is not None:
        loaders.append(cfg.test_dataloader)
        for metric in cfg.test_evaluator.metrics:
            METRICS.build(metric)
    has_ground_truths = any(task in path.stem for task in TESTED)
    # Stage 1 is tested nowhere.
    assert (cfg.test_cfg is not None) == (has_ground_truths and not isinstance(model, VAEGAN))
    for loader in loaders:
        dataset = DATASETS.build(dict(loader.dataset, data_root=str(data_root)))
        batch = pseudo_collate([dataset[0], dataset[1]])
        assert sorted(batch['inputs']) == ['img_A', 'img_B']
        assert batch['data_samples'][0].metainfo['img_A_path'].endswith('.png')


# Table 6 of the paper; GTA5 <-> Cityscapes from the authors' release, which names no iterations.
SETTINGS = {
    # task: (minibatch, num_downsamples, lr, style_weight, content_weight, max_iters)
    'mnist_single': (8, 0, 1e-5, 1e3, 1e1, 60000),
    'mnist_multi': (8, 2, 1e-5, 1e4, 1e2, 60000),
    'gta2bdd': (3, 2, 1e-4, 1e4, 1e2, 22000),
    'streets': (3, 2, 1e-4, 1e4, 1e2, 22000),  # those of GTA5 <-> BDD
    'celeba': (8, 2, 1e-4, 5e3, 1e1, 30000),
    'gta2cityscapes': (3, 2, 1e-4, 1e3, 5e2, 22000),
}


@pytest.mark.parametrize('task', SETTINGS)
def test_the_papers_settings(task):
    minibatch, num_downsamples, lr, style_weight, content_weight, max_iters = SETTINGS[task]
    for stage, updates in (('vaegan', 2), ('egscit', 6)):
        cfg = Config.fromfile(CONFIGS[0].parent / f'{stage}_{task}.py')
        assert cfg.train_dataloader.batch_size == minibatch * updates
        assert cfg.train_cfg.max_iters == max_iters
        assert cfg.train_dataloader.dataset.data_root == f'data/{task}'
        for part in (cfg.model.generator.encoder, cfg.model.generator.decoder):
            assert (part.base_channels, part.num_downsamples, part.num_blocks) == (
                64, num_downsamples, 3)
        for side in ('generators', 'discriminators'):
            assert cfg.optim_wrapper[side].optimizer == dict(
                type='Adam', lr=lr, betas=(0.5, 0.999))
    assert cfg.model.perceptual_loss.content_weight == content_weight
    assert cfg.model.perceptual_loss.style_weight == style_weight
    assert (cfg.model.discriminator_steps, cfg.model.generator_steps) == (1, 5)


def test_the_arch_of_the_perceptual_loss_is_an_option():
    """As ``--cfg-options model.perceptual_loss.arch=vgg16`` sets it."""
    cfg = Config.fromfile(CONFIGS[0].parent / 'egscit_mnist_single.py')
    merge_options(cfg, config_options(['model.perceptual_loss.arch=vgg16']))
    check_config(cfg, 'train')
    loss = MODELS.build(cfg.model.perceptual_loss)
    assert list(loss.vgg.taps) == [1, 6, 11, 18, 25]  # VGG-19: 1, 6, 11, 20, 29
    assert (loss.content_weight, loss.style_weight) == (10, 1000)


def test_letters_are_for_testing_only():
    digits, letters = (
        Config.fromfile(CONFIGS[0].parent / f'egscit_{task}.py').to_dict()
        for task in ('mnist_single', 'emnist'))
    for loader in ('val_dataloader', 'test_dataloader'):
        assert letters[loader]['dataset'].pop('data_root') == 'data/emnist'
        assert digits[loader]['dataset'].pop('data_root') == 'data/mnist_single'
    assert letters == digits


def leaf(name):
    """A config as a plain dict; equal settings are equal."""
    return Config.fromfile(CONFIGS[0].parent / f'{name}.py').to_dict()


@pytest.mark.parametrize('task', ['mnist_single', 'streets', 'gta2bdd'])
def test_an_ablation_changes_one_argument(task):
    for name, part, changes in (
        ('wo_mask', 'generator', dict(eta=1)),
        ('wo_adain', 'generator', dict(adain=None)),
        ('wo_perceptual', None, dict(perceptual_loss=None)),
    ):
        cfg, expected = leaf(f'egscit_{task}_{name}'), leaf(f'egscit_{task}')
        model = expected['model']
        (model if part is None else model[part]).update(changes)
        assert cfg == expected


@pytest.mark.parametrize('task', ['mnist_single', 'mnist_multi', 'streets', 'gta2bdd'])
def test_unit_is_egscit_without_its_parts(task):
    cfg, expected = leaf(f'unit_{task}'), leaf(f'egscit_{task}')
    expected['stage1_config'] = None
    expected['model']['perceptual_loss'] = None
    expected['model']['generator'].update(eta=1, adain=None)
    assert cfg == expected
    with torch.device('meta'):
        model = MODELS.build(cfg['model'])
    assert model.generators.feature_networks is None and model.perceptual_loss is None


@pytest.mark.parametrize('name', ['neural_style', 'adain_style', 'wct'])
@pytest.mark.parametrize('suffix', ['', '_reduced'])
def test_style_transfer_has_the_data_of_egscit(name, suffix):
    cfg, egscit = leaf(f'{name}_mnist_single{suffix}'), leaf(f'egscit_mnist_single{suffix}')
    for key in ('test_dataloader', 'test_evaluator', 'test_cfg', 'randomness'):
        assert cfg[key] == egscit[key], key
    assert cfg['model']['data_preprocessor'] == egscit['model']['data_preprocessor']
    networks = cfg['model']['generator']
    assert networks['size'] in ((56, 112) if suffix else (512, ))
    if name != 'neural_style':
        for loader in (cfg['train_dataloader'], egscit['train_dataloader']):
            loader.pop('batch_size')
        assert cfg['train_dataloader'] == egscit['train_dataloader']
        assert cfg['param_scheduler'] == egscit['param_scheduler']


@pytest.mark.parametrize('task', ['mnist_single', 'mnist_multi', 'streets', 'gta2bdd'])
def test_munit_has_the_data_and_updates_of_egscit(task):
    cfg, egscit = leaf(f'munit_{task}'), leaf(f'egscit_{task}')
    for key in ('train_dataloader', 'val_dataloader', 'test_dataloader', 'test_evaluator',
                'train_cfg', 'param_scheduler', 'randomness'):
        assert cfg.get(key) == egscit.get(key), key
    for key in ('discriminator', 'discriminator_steps', 'generator_steps', 'ema_config',
                'data_preprocessor'):
        assert cfg['model'][key] == egscit['model'][key], key
    for side in ('generators', 'discriminators'):
        assert cfg['optim_wrapper'][side]['optimizer'] == dict(
            type='Adam', lr=1e-4, betas=(0.5, 0.999), weight_decay=1e-4)


@pytest.mark.parametrize('task', ['mnist_single', 'streets', 'gta2bdd'])
def test_drit_has_the_data_and_as_many_generator_updates_as_egscit(task):
    cfg, egscit = leaf(f'drit_{task}'), leaf(f'egscit_{task}')
    for key in ('train_dataloader', 'val_dataloader', 'test_dataloader', 'test_evaluator',
                'randomness'):
        assert cfg.get(key) == egscit.get(key), key
    updates = [c['model']['generator_steps'] + c['model'].get('random_generator_steps', 0)
               for c in (cfg, egscit)]
    lengths = [c['train_cfg']['max_iters'] for c in (cfg, egscit)]
    assert updates[0] * lengths[0] == updates[1] * lengths[1]
    for side, rate in (('generators', 1e-4), ('discriminators', 1e-4),
                       ('content_discriminator', 4e-5)):
        assert cfg['optim_wrapper'][side]['optimizer'] == dict(
            type='Adam', lr=rate, betas=(0.5, 0.999), weight_decay=1e-4)
    assert cfg['optim_wrapper']['content_discriminator']['clip_grad'] == dict(max_norm=5)
    # The second generator update has no gradients of the attribute encoders.
    assert cfg['model_wrapper_cfg']['find_unused_parameters']


@pytest.mark.parametrize('name, size', [
    ('mnist_single', (28, 28)), ('mnist_single_reduced', (28, 28)), ('streets', (256, 512)),
    ('streets_reduced', (64, 128)), ('gta2bdd', (256, 512))])
def test_the_discriminators_of_drit_fit_the_images(name, size):
    model = leaf(f'drit_{name}')['model']
    downs = model['generator']['encoder']['num_downsamples']
    with torch.device('meta'):
        images = MODELS.build(model['discriminator'])
        contents = MODELS.build(dict(model['content_discriminator'], in_channels=2))
    assert images.min_size <= min(size)
    least = contents.min_size * 2**downs
    assert least <= min(size) < 4 * least  # as many strides as fit, or one less


@pytest.mark.parametrize('task, minibatch, blocks, size, scores', [
    ('mnist_single', 8, 6, 28, 5), ('mnist_multi', 8, 6, 112, 12), ('streets', 3, 9, 256, 30)])
def test_cyclegan_has_the_data_and_updates_of_egscit(task, minibatch, blocks, size, scores):
    cfg, egscit = leaf(f'cyclegan_{task}'), leaf(f'egscit_{task}')
    for key in ('val_dataloader', 'test_dataloader', 'test_evaluator', 'param_scheduler'):
        assert cfg[key] == egscit[key], key
    assert cfg['train_dataloader'].pop('batch_size') == minibatch
    assert egscit['train_dataloader'].pop('batch_size') == 6 * minibatch
    assert cfg['train_dataloader'] == egscit['train_dataloader']
    # One generator update per iteration, not five.
    assert cfg['train_cfg'].pop('max_iters') == 5 * egscit['train_cfg'].pop('max_iters')
    assert cfg['train_cfg'] == egscit['train_cfg']
    for side in ('generators', 'discriminators'):
        assert cfg['optim_wrapper'][side]['optimizer'] == dict(
            type='Adam', lr=2e-4, betas=(0.5, 0.999))
    assert cfg['model']['data_preprocessor'] == egscit['model']['data_preprocessor']

    assert cfg['model']['generator']['num_blocks'] == blocks
    with torch.device('meta'), torch.no_grad():  # shapes alone
        model = MODELS.build(cfg['model'])
        images = torch.zeros(1, 3, size, size)
        fake = model.generators['B'](images)
        assert fake.shape == images.shape
        assert model.discriminators['B'](fake).shape == (1, 1, scores, scores)
