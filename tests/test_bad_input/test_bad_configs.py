# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Configs with a key that is missing, misspelled, of a wrong type or out of range.

Every key of the two stages' configs is misspelled and given a value of another type: the check must
name it. What it leaves to the constructors, numbers out of range above all, is built and used: it
must work, or the constructor must say what is wrong, with the place in the config.
"""
import copy
import gc
import math
import re
from pathlib import Path

import mmagic
import pytest
import torch
from bad_input import sentence_of
from mmagic.registry import MODELS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from tiny_data import tiny_model_options, tiny_options, write_tiny_digits

from egscit_mm.apis.train import train
from egscit_mm.config import ConfigError, check_config, naming_the_setting, read_config

CONFIGS = Path(__file__).parents[2] / 'configs' / 'egscit'
FILES = sorted(path for path in CONFIGS.rglob('*.py') if '_base_' not in path.parts)
PARTS = ('model', 'train_dataloader', 'optim_wrapper')  # built alone
RUN_PARTS = ('train_cfg', 'param_scheduler', 'default_hooks', 'custom_hooks', 'log_processor',
             'randomness', 'visualizer', 'env_cfg')  # need a Runner


def tiny_config(stage, data_root='data'):
    cfg = Config.fromfile(CONFIGS / f'{stage}_mnist_single.py', import_custom_modules=False)
    options = {**tiny_model_options(stage), **tiny_options(data_root, iters=1, validate=True)}
    options['train_dataloader.batch_size'] = dict(vaegan=2, egscit=6)[stage]
    if stage == 'vaegan':
        options = {key: value for key, value in options.items() if key[:4] not in ('val_', 'test')}
    cfg.merge_from_dict(options)
    for key in [key for key in cfg if key.startswith('_') or key in ('data_root', 'vis_backends')]:
        cfg.pop(key)
    return cfg


def settings(value, path=''):
    """Dotted paths of all settings, with their values; of lists the first entry of each type."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield f'{path}{key}', entry
            yield from settings(entry, f'{path}{key}.')
    elif isinstance(value, (list, tuple)):
        types = set()
        for index, entry in enumerate(value):
            kind = entry.get('type') if isinstance(entry, dict) else None
            if isinstance(entry, dict) and kind not in types:
                types.add(kind)
                yield from settings(entry, f'{path}{index}.')


def wrong_type(value):
    """A value of a type that can never stand for another; None where every type may."""
    if value is None or callable(value):
        return None
    if isinstance(value, bool):
        return 'maybe'
    if isinstance(value, (int, float)):
        return 'many'
    return [3] if isinstance(value, str) else 5


def mutated(cfg, path, kind, value=None):
    cfg = copy.deepcopy(cfg)
    *parents, key = path.split('.')
    holder = cfg
    for part in parents:
        holder = holder[int(part) if isinstance(holder, (list, tuple)) else part]
    if kind == 'misspelled':
        holder[key[:-1] + 'xy'] = holder.pop(key)
    else:
        holder[key] = value
    return cfg


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    return write_tiny_digits(tmp_path_factory.mktemp('data'), train=6, test=2)


@pytest.fixture(scope='module')
def configs(data_root):
    return {stage: tiny_config(stage, data_root) for stage in ('vaegan', 'egscit')}


def ready_model(cfg):
    """A model with the weights that a training loads."""
    model = MODELS.build(cfg.model)
    if getattr(model, 'perceptual_loss', None) is not None:
        model.perceptual_loss.init_weights()
    if getattr(model.generators, 'feature_networks', None) is not None:
        model.generators.features_loaded.fill_(True)
    return model


@pytest.fixture(scope='module')
def model(configs):
    return ready_model(configs['egscit'])


@pytest.fixture(scope='module')
def batch(configs):
    return next(iter(Runner.build_dataloader(configs['egscit'].train_dataloader, seed=0)))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Formatting the config for the log takes most of the time of a tiny run."""
    monkeypatch.setattr(Config, 'pretty_text', property(lambda self: repr(dict(self))))
    monkeypatch.setattr(gc, 'collect', lambda *args: 0)


def check_and_use(cfg, part, model, batch):
    """Checks a config, builds one part of it as the Runner does, and uses it once."""
    check_config(cfg, 'train')
    with naming_the_setting(cfg):
        if part == 'model':
            model = ready_model(cfg)
        if part in ('model', 'optim_wrapper'):
            wrapper = build_optim_wrapper(model, copy.deepcopy(cfg.optim_wrapper))
            model.train_step(batch, wrapper)
        else:
            next(iter(Runner.build_dataloader(cfg[part], seed=0)))


def named(sentence, path):
    """Whether a sentence names the setting, or what holds it."""
    *parents, key = path.split('.')
    return any(name in sentence for name in (key, '.'.join(parents)) if name)


# Names that a config may choose: what has other ones, and no type, is left to the constructors.
FREE_NAMES = (r'(visualizer|default_hooks|optim_wrapper)(\.\w+)?|randomness|env_cfg|'
              r'param_scheduler\.0\.power|model\.loss_weights\.\w+|model\.\w+(\.\w+)?\.type')
# Of MMagic's classes and of dictionaries without a schema.
FREE_TYPES = (r'model\.loss_weights\.\w+|model\.data_preprocessor\.(mean|std|output_channel_order)|'
              r'optim_wrapper\.(generators|discriminators)|log_processor\.by_epoch|'
              r'randomness\.seed|env_cfg\.dist_cfg\.backend|'
              r'train_dataloader\.dataset\.pipeline\.\d\.(keys|meta_keys|direction)')


@pytest.mark.parametrize('stage', ['vaegan', 'egscit'])
@pytest.mark.parametrize('kind, free', [('misspelled', FREE_NAMES), ('wrong type', FREE_TYPES)])
def test_the_check_names_every_setting(configs, stage, kind, free):
    cfg = configs[stage]
    tried = 0
    for path, value in settings({part: cfg[part] for part in PARTS + RUN_PARTS}):
        new = wrong_type(value)
        if re.fullmatch(free, path) or kind == 'wrong type' and new is None:
            continue
        sentence = sentence_of(check_config, mutated(cfg, path, kind, new), 'train')
        assert sentence is not None, path
        assert named(sentence, path), sentence
        tried += 1
    assert tried > 80


def mutants(cfg):
    """(path, value): numbers below their range or none at all, and what the check leaves."""
    for path, value in settings({part: cfg[part] for part in PARTS}):
        if path.startswith('optim_wrapper.discriminators.'):
            continue  # as the other side
        if re.fullmatch(FREE_TYPES, path):
            yield path, wrong_type(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield path, -1
            if isinstance(value, float):
                yield path, math.nan


MUTANTS = [*mutants(tiny_config('egscit'))]


@pytest.mark.parametrize('path, value', MUTANTS)
def test_constructors_name_the_rest(path, value, configs, model, batch):
    cfg = mutated(configs['egscit'], path, 'new', value)
    sentence = sentence_of(check_and_use, cfg, path.split('.')[0], model, batch)
    assert sentence is None or named(sentence, path), sentence


@pytest.mark.parametrize('path', [
    'model.generator.type', 'model.generator.encoder.type', 'model.loss_weights.gan',
    'optim_wrapper.generators'])
def test_constructors_name_what_they_miss(path, configs, model, batch):
    cfg = mutated(configs['egscit'], path, 'misspelled')
    assert named(sentence_of(check_and_use, cfg, path.split('.')[0], model, batch), path)


@pytest.mark.parametrize('path, value', [
    ('param_scheduler.0.power', -1), ('param_scheduler.0.power', math.nan),
    ('default_hooks.logger.interval', -1), ('default_hooks.checkpoint.interval', -1),
    ('default_hooks.checkpoint.max_keep_ckpts', 0), ('custom_hooks.0.interval', -1),
    ('log_processor.by_epoch', 'maybe'),
    ('env_cfg.mp_cfg.opencv_num_threads', -1),
    ('env_cfg.dist_cfg.backend', [3]),
    ('train_cfg.val_interval', 0), ('log_processor.window_size', 0),
])
def test_what_only_a_run_uses(path, value, configs, tmp_path):
    cfg = mutated(configs['vaegan'], path, 'new', value)
    cfg._filename = 'vaegan.py'
    sentence = sentence_of(train, cfg, work_dir=str(tmp_path))
    assert sentence is None or named(sentence, path), sentence


# ----------------------------------------------------------------------------- no false alarms
@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_every_config_is_accepted(path):
    cfg = read_config(path)
    purposes = ['inference'] + ['test'] * (cfg.get('test_cfg') is not None)
    purposes += ['train'] * (not path.stem.startswith('neural_style'))  # nothing is trained
    if cfg.default_scope == 'mmseg':
        pytest.importorskip('mmseg')
    for purpose in purposes:
        assert sentence_of(check_config, cfg, purpose) is None


@pytest.mark.parametrize('name', ['cyclegan', 'pix2pix', 'esrgan', 'styleganv2', 'liif'])
def test_configs_of_mmagic_are_accepted(name):
    folder = Path(mmagic.__file__).parent / '.mim' / 'configs' / name
    paths = sorted(folder.glob('*.py'))[:3]
    assert paths
    for path in paths:
        cfg = Config.fromfile(path)
        for purpose in ['train'] + ['test'] * (cfg.get('test_cfg') is not None):
            assert sentence_of(check_config, cfg, purpose) is None


class OwnHook:
    """Stands for a class that its user hands over itself."""

    def __init__(self, every, **others):
        pass


@pytest.mark.parametrize('path, value', [
    ('custom_hooks', None),
    ('custom_hooks', [dict(type=OwnHook, every=3, anything='goes')]),
    ('default_hooks.timer', None),
    ('default_hooks.checkpoint.save_best', ['ssim/A2B_mean']),
    ('default_hooks.checkpoint.save_optimizer', False),
    ('default_hooks.checkpoint.interval', 1e3),
    ('custom_hooks.0.interval', 1e3),
    ('train_cfg.max_iters', 1e4),
    ('param_scheduler', dict(type='PolyDecayLR', by_epoch=False, end=1e4)),
    ('param_scheduler', dict(generators=[dict(type='LinearLR', start_factor=.1, by_epoch=False)])),
    ('model.domains', ['A', 'B']),
    ('model.loss_weights', dict(gan=1)),
    ('model.loss_weights', None),
    ('model.generator.eta', 0),
    ('model.generator.adain', None),
    ('model.generator.encoder.init_cfg', dict(type='Normal', layer='Conv2d', std=0.1)),
    ('model.generator.encoder.init_cfg', [dict(type='Constant', layer='Conv2d', val=1)]),
    ('model.perceptual_loss', None),
    ('model.perceptual_loss.style_layers', dict(relu1_1=1)),
    ('model.discriminator.type', 'mmagic.DomainDiscriminators'),
    ('model.generator.encoder._scope_', 'mmagic'),
    ('model.feature_checkpoint', Path('iter_1.pth')),
    ('model.ema_config', None),
    ('train_dataloader.dataset.data_root', Path('data')),
    ('train_dataloader.dataset.pipeline.2.scale', [0.5, 1]),
    ('train_dataloader.dataset.pipeline.2.keys', 'img_A'),
    ('train_dataloader.dataset.pipeline', (lambda results: results, )),
    ('train_dataloader.dataset.indices', [1, 2]),
    ('train_dataloader.collate_fn', list),
    ('train_dataloader.num_batch_per_epoch', 3),
    ('train_dataloader.pin_memory', True),
    ('optim_wrapper.generators.clip_grad', dict(max_norm=1, norm_type=2)),
    ('optim_wrapper.generators.type', 'AmpOptimWrapper'),
    ('optim_wrapper.generators.optimizer.lr', 1),
    ('optim_wrapper.generators.optimizer.betas', [0.5, 0.9]),
    ('optim_wrapper.generators.optimizer', dict(type=torch.optim.SGD, lr=0.1)),
    ('val_evaluator', [dict(type='TranslationSSIM')]),
    ('val_evaluator', dict(type='TranslationSSIM', prefix='all')),
    ('randomness', dict(seed=None, deterministic=True)),
    ('model_wrapper_cfg', dict(find_unused_parameters=True, static_graph=False)),
    ('model_wrapper_cfg', dict(type='MMSeparateDistributedDataParallel', broadcast_buffers=False)),
    ('env_cfg.dist_cfg', dict(backend='gloo', timeout=1800, port=29500)),
    ('log_level', 20),
    ('my_train_setting', dict(anything='goes')),
    ('vis_backends', [dict(type='TensorboardVisBackend')]),
])
def test_what_users_may_write_is_accepted(configs, path, value):
    cfg = mutated(configs['egscit'], path, 'new', value)
    assert sentence_of(check_config, cfg, 'train') is None


# -------------------------------------------------------------------------------- the sentences
@pytest.mark.parametrize('path, value, sentence', [
    ('model.type', 'EGSCTI', "model.type is 'EGSCTI', which is not in the registry MODELS: did you "
     "mean 'EGSCIT'?"),
    ('model.generator.etta', 0.5, 'model.generator.etta is no setting: did you mean eta?'),
    ('model.generator.equl_start', True, 'model.generator.equl_start is no setting: did you mean '
     'equal_start?'),
    # What a class hands to its base is none of the config's.
    ('model.generator.style_parts', ['gamma'], 'model.generator.style_parts is no setting: '),
    ('model.generator.encoder.base_channels', 'wide',
     "model.generator.encoder.base_channels of ContentEncoder should be int, got 'wide'."),
    # Without these a run would train nothing, or fail at its first checkpoint.
    ('train_cfg.max_iters', -1, 'train_cfg.max_iters=-1 would train nothing: it must be at least'),
    ('default_hooks.checkpoint.max_keep_checkpts', 3, 'default_hooks.checkpoint.max_keep_checkpts '
     'is no setting: did you mean max_keep_ckpts?'),
    ('optim_wrapper', None, 'optim_wrapper is missing, without which there is no training '
     '(train_dataloader, train_cfg, optim_wrapper go together)'),
    ('train_dataloader.sampler', None, 'train_dataloader.sampler is missing'),
    ('train_dataloader.sampler.type', None, 'train_dataloader.sampler has no type: it must say'),
    ('optim_wrapper.constructor', None, 'optim_wrapper.constructor is missing'),
    ('optim_wrapper.constructor', 'AlternatingConstructor', 'optim_wrapper.constructor is '
     "'AlternatingConstructor', which is not in the registry OPTIM_WRAPPER_CONSTRUCTORS: did"),
    ('env_cfg.dist_cfg.bakend', 'gloo', 'env_cfg.dist_cfg.bakend is no setting: did you mean '
     'backend?'),
    ('env_cfg.cudnn_bench', True, 'env_cfg.cudnn_bench is no setting: did you mean '
     'cudnn_benchmark?'),
    ('model_wrapper_cfg', dict(find_unused_parameter=True), 'model_wrapper_cfg.find_unused_'
     'parameter is no setting: did you mean find_unused_parameters?'),
    ('model_wrapper_cfg', dict(type='MMDistributedDataParalel'), "model_wrapper_cfg.type is "
     "'MMDistributedDataParalel', which is not in the registry MODEL_WRAPPERS: did you mean"),
    ('load_form', 'x.pth', 'load_form is no setting: did you mean load_from?'),
])
def test_sentences_of_the_check(configs, path, value, sentence):
    cfg = mutated(configs['egscit'], path, 'new', value)
    with pytest.raises(ConfigError) as error:
        check_config(cfg, 'train')
    assert str(error.value).startswith(f'{cfg.filename}: {sentence}')


@pytest.mark.parametrize('path, value, sentence', [
    ('model.generator.eta', 3, 'model.generator: ExemplarTranslator: eta must lie in [0, 1], got '
     '3'),
    ('model.generator.encoder.base_channels', 0, 'model.generator.encoder: ContentEncoder: '
     'base_channels must be an integer of at least 1, got 0'),
    ('model.ema_config.momentum', 2, 'model.ema_config: momentum must be in range (0.0, 1.0)'),
    ('model.ema_config.interval', 0, 'model: EGSCIT: ema_config.interval must be an integer of at '
     'least 1, got 0'),
    ('model.loss_weights.gan', -1, "model: The model: loss_weights['gan'] must be a number of"),
    ('model.domains', ['A', 'B.c'], 'model: EGSCIT: domains must be at least 2 different names'),
    ('model.perceptual_loss.content_layers', dict(relu9_9=1.), 'model.perceptual_loss: VGG-19 has'),
    ('model.perceptual_loss.arch', 'vgg18', 'model.perceptual_loss: VGG arch must be one of '
     "['vgg16', 'vgg19'], got 'vgg18'"),
])
def test_constructors_say_it_with_their_place(configs, path, value, sentence):
    cfg = mutated(configs['egscit'], path, 'new', value)
    check_config(cfg, 'train')
    with pytest.raises(ConfigError) as error, naming_the_setting(cfg):
        MODELS.build(cfg.model)
    assert str(error.value).startswith(f'{cfg.filename}: {sentence}')


@pytest.mark.parametrize('path, value, sentence', [
    ('env_cfg.mp_cfg.mp_start_method', 'Nothing', "env_cfg: cannot find context for 'Nothing'"),
    ('randomness.seed', -1, 'randomness: Seed must be between 0'),
    ('randomness.seed', 'many', 'randomness: '),
    ('randomness.seed', 1.5, 'randomness: Cannot cast scalar'),
    ('log_level', 'INFOO', 'log_level is none of DEBUG, INFO, WARNING, ERROR, CRITICAL: INFOO'),
])
def test_so_does_the_runner(configs, path, value, sentence, tmp_path):
    cfg = mutated(configs['vaegan'], path, 'new', value)
    cfg.work_dir = str(tmp_path)
    with pytest.raises(ConfigError) as error, naming_the_setting(cfg):
        Runner.from_cfg(cfg)
    assert f': {sentence}' in str(error.value)


@pytest.mark.parametrize('loop', ['train', 'val', 'test'])
@pytest.mark.parametrize('place, value, sentence', [
    ('dataloader.dataset.data_root', '/none', "dataloader.dataset.data_root='/none': /none/t"),
    ('dataloader.dataset.domains', ['A'], 'dataloader.dataset: ExemplarImageDataset: domains must'),
    ('evaluator.metrics.0.sise', 1, 'evaluator.metrics.0: TranslationMetric'),
])
def test_what_a_loop_builds_is_named_by_its_own_place(configs, loop, place, value, sentence,
                                                      tmp_path):
    if place.startswith('evaluator') and loop == 'train':
        return
    cfg = mutated(configs['egscit'], f'{loop}_{place}', 'new', value)
    cfg.work_dir = str(tmp_path)
    with pytest.raises(ConfigError) as error, naming_the_setting(cfg):
        runner = Runner.from_cfg(cfg)
        getattr(runner, f'build_{loop}_loop')(getattr(runner, f'_{loop}_loop'))
    assert str(error.value).startswith(f'{cfg.filename}: {loop}_{sentence}')


@pytest.mark.parametrize('side', ['generators', 'discriminators'])
def test_of_settings_that_are_alike_the_wrong_one_is_named(configs, model, side):
    cfg = mutated(configs['egscit'], f'optim_wrapper.{side}.optimizer.lr', 'new', -1)
    with pytest.raises(ConfigError, match=rf': optim_wrapper\.{side}\.optimizer: Invalid learning'):
        with naming_the_setting(cfg):
            build_optim_wrapper(model, copy.deepcopy(cfg.optim_wrapper))


def test_several_mistakes_are_named_at_once(configs):
    cfg = mutated(configs['egscit'], 'model.generator.etta', 'new', 1)
    cfg.train_cfg.max_iter = 0
    with pytest.raises(ConfigError, match='has 2 wrong settings:\n  .*etta.*\n  .*max_iter'):
        check_config(cfg, 'train')


def test_mistakes_in_the_program_pass_unchanged(configs):
    with pytest.raises(TypeError, match='mine'), naming_the_setting(configs['egscit']):
        raise TypeError('mine')
    with pytest.raises(ValueError, match='^mine$'), naming_the_setting(configs['egscit']):
        raise ValueError('mine')


@pytest.mark.parametrize('content', ['model = dict(', '1 / 0', '_base_ = "none.py"', '\0', None])
def test_files_that_are_no_configs(tmp_path, content):
    path = tmp_path / 'config.py'
    if content is None:
        path.mkdir()
    else:
        path.write_text(content)
    sentence = sentence_of(read_config, path)
    assert str(path) in sentence


@pytest.mark.parametrize('content, key, found', [
    ("test_dataloader = dict(batch_size=1, long='of this nothing is repeated')",
     'test_dataloader', 'None'),
    ("model = dict(perceptual_loss=dict(pretrained=dict(file='x')))",
     'model.perceptual_loss.pretrained', 'a str'),
    ('train_dataloader = dict(dataset=dict(pipeline=dict(scale=1)))',
     'train_dataloader.dataset.pipeline', 'a list'),
])
def test_a_dict_in_place_of_something_else(tmp_path, content, key, found):
    parent, path = tmp_path / 'parent.py', tmp_path / 'config.py'
    parent.write_text(f"_base_ = '{CONFIGS / 'egscit_celeba.py'}'\n{content}\n")
    path.write_text("_base_ = 'parent.py'\n")  # the mistake may be in any of the files
    for file in (parent, path):
        assert sentence_of(read_config, file) == (
            f'{parent}: {key} is a dict here and {found} in its _base_: add _delete_=True to that '
            'dict, so that it takes the place of the other.')
    parent.write_text('dict(_delete_=True, '.join(parent.read_text().rsplit('dict(', 1)))
    assert sentence_of(read_config, path) is None


@pytest.mark.parametrize('option, key', [
    ('test_dataloader.batch_size', 'test_dataloader is None there'),
    ('model.perceptual_loss.pretrained.file', 'model.perceptual_loss.pretrained is a str there'),
])
def test_an_option_inside_what_is_no_dict(option, key):
    path = CONFIGS / 'egscit_celeba.py'
    assert sentence_of(read_config, path, {option: 3}) == (
        f'{option}=3 fits no setting of {path}: {key} and has nothing inside.')


@pytest.mark.parametrize('option, value, words', [
    ('param_scheduler.power', 2, 'param_scheduler is a list there: give the number of an entry, as '
     'in param_scheduler.0.power.'),
    ('param_scheduler.power.x', 2, 'as in param_scheduler.0.power.x.'),
    ('param_scheduler.-1.power', 2, 'as in param_scheduler.0.power.'),
    ('visualizer.vis_backends.type', 'x', 'as in visualizer.vis_backends.0.type.'),
    ('param_scheduler.1.power', 2, 'param_scheduler has 1 entries there, whose numbers start at '
     '0.'),
    ('train_dataloader.dataset.pipeline.2.keys.0', 'img_A', 'write '
     'train_dataloader.dataset.pipeline.2.keys whole, as a list.'),
    ('custom_hooks.0', None, 'write custom_hooks whole, as a list.'),
    ('train_dataloader.dataset', dict(pipeline=dict(keys='x')),
     'as in train_dataloader.dataset.pipeline.0.keys.'),
])
def test_an_option_inside_a_list(option, value, words):
    path = CONFIGS / 'egscit_celeba.py'
    sentence = sentence_of(read_config, path, {option: value})
    assert sentence.startswith(f'{option}={value!r} fits no setting of {path}: ')
    assert sentence.endswith(words)


@pytest.mark.parametrize('path', [
    'test_evaluator', 'test_evaluator.metrics.0', 'model.perceptual_loss.style_layers',
    'optim_wrapper', 'model.generator'])
def test_a_delete_with_nothing_to_delete(configs, path):
    cfg = copy.deepcopy(configs['egscit'])
    cfg.model.perceptual_loss.style_layers = dict(relu1_1=1.)
    cfg = mutated(cfg, f'{path}._delete_', 'new', True)
    purpose = 'test' if path.startswith('test') else 'train'
    sentence = sentence_of(check_config, cfg, purpose)
    assert sentence == (f'{cfg.filename}: {path}._delete_ must go: nothing is inherited there that '
                        'it could delete.')
