# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Published models: small, whole, and loaded like checkpoints."""
import hashlib
import os
import re

import numpy as np
import pytest
import torch
from inference_fixtures import folder
from mmengine.config import Config
from mmengine.fileio import load
from mmengine.logging import MMLogger
from mmengine.runner import load_checkpoint
from PIL import Image
from safetensors import safe_open
from tiny_data import tiny_options, write_tiny_digits
from tool import Tool

from egscit_mm.apis import EGSCITInferencer
from egscit_mm.apis.publish import publish as publish_file
from egscit_mm.config.of_checkpoint import note_other_settings
from egscit_mm.engine import load_from_safetensors
from egscit_mm.utils.errors import UserError

__all__ = ['folder']


@pytest.fixture
def publish(monkeypatch, tmp_path):
    """Runs the tool; returns the one file that it wrote."""
    run = Tool('model_converters/publish_model.py')

    def published(checkpoint, *args):
        out = tmp_path / 'published'
        before = set(out.glob('*'))
        run(checkpoint, out / 'model.safetensors', *args)
        path, = set(out.glob('*')) - before
        return path

    return published


def pictures():
    rng = np.random.RandomState(0)
    return [list(rng.randint(0, 256, (3, 14, 18, 3), np.uint8)) for _ in range(2)]


def translations(config, checkpoint, domain='B'):
    return np.stack(EGSCITInferencer(config, str(checkpoint), 'cpu')(*pictures(), domain))


@pytest.mark.parametrize('stage', ['egscit', 'munit', 'drit', 'augmented', 'cddit'])
@pytest.mark.parametrize('domain', ['A', 'B'])
def test_translations_are_those_of_the_checkpoint(folder, publish, stage, domain):
    config, checkpoint = folder / f'{stage}.py', folder / f'{stage}.pth'
    wanted = translations(config, checkpoint, domain)
    assert wanted.std() > 10
    assert np.array_equal(translations(config, publish(checkpoint), domain), wanted)
    half = translations(config, publish(checkpoint, '--dtype', 'float16'), domain)
    assert np.abs(half.astype(int) - wanted).max() <= 1


def test_mean_styles(folder, publish, tmp_path):
    for index, image in enumerate(pictures()[1]):
        (tmp_path / 'trainB').mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / 'trainB' / f'{index}.png')
    path = publish(folder / 'egscit.pth', '--mean-of', f'B={tmp_path / "trainB"}')
    model = EGSCITInferencer(folder / 'egscit.py', str(path), 'cpu')
    wanted = EGSCITInferencer(folder / 'egscit.py', str(folder / 'egscit.pth'), 'cpu')
    wanted.keep_mean_style(pictures()[1])
    images = pictures()[0][0], pictures()[1][0]
    assert np.array_equal(model(*images), wanted(*images))
    assert np.array_equal(model(*images, strength=0.3), wanted(*images, strength=0.3))
    assert not np.array_equal(model(*images, strength=0.3), model(*images))
    with pytest.raises(UserError, match="mean style of domain 'A'"):
        model(*images, 'A', strength=0.3)
    # Of a checkpoint without a config, the networks are not known.
    torch.save(dict(state_dict=torch.load(folder / 'egscit.pth')['state_dict']),
               tmp_path / 'bare.pth')
    with pytest.raises(UserError, match='holds no config'):
        publish(tmp_path / 'bare.pth', '--mean-of', f'B={tmp_path / "trainB"}')


def test_plain_weights(folder, publish):
    path = publish(folder / 'egscit.pth', '--weights', 'plain')
    cfg = Config.fromfile(folder / 'egscit.py')
    found = translations(cfg, path)
    del cfg.model['ema_config']
    wanted = translations(cfg, folder / 'egscit.pth')
    assert np.array_equal(found, wanted)
    assert not np.array_equal(wanted, translations(folder / 'egscit.py', folder / 'egscit.pth'))


def test_the_file(folder, publish):
    path = publish(folder / 'egscit.pth', '--dtype', 'float16')
    data = path.read_bytes()
    assert path.name == f'model-{hashlib.sha256(data).hexdigest()[:8]}.safetensors'
    with safe_open(path, 'pt') as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    averaged = {
        name.removeprefix('generators_ema.module.'): value
        for name, value in torch.load(folder / 'egscit.pth')['state_dict'].items()
        if name.startswith('generators_ema.module.')
    }
    assert set(tensors) == {f'generators.{name}' for name in averaged}
    assert tensors.pop('generators.features_loaded').item() is True
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    assert len(data) < sum(2 * tensor.numel() for tensor in tensors.values()) + 20_000
    loaded = load_from_safetensors(path)['state_dict']
    assert all(loaded[name].dtype == torch.float32 for name in tensors)
    path.unlink()
    assert publish(folder / 'egscit.pth', '--dtype', 'float16').name == path.name


def test_its_metadata_holds_a_config_that_inference_can_use(folder, publish):
    path = publish(folder / 'egscit.pth')
    meta = load_from_safetensors(path)['meta']
    assert (meta['model'], meta['weights'], meta['dtype']) == ('EGSCIT', 'ema', 'float32')
    assert 'work_dirs' not in str(meta) and 'perceptual_loss' not in meta['config']['model']
    assert np.array_equal(translations(Config(meta['config']), path),
                          translations(folder / 'egscit.py', folder / 'egscit.pth'))


def test_the_test_tool_reads_it(folder, publish, monkeypatch, tmp_path):
    path = publish(folder / 'egscit.pth')
    cfg = Config.fromfile(folder / 'egscit.py')
    cfg.merge_from_dict(tiny_options(write_tiny_digits(tmp_path / 'data')))
    cfg.dump(tmp_path / 'egscit.py')
    run = Tool('test.py')
    figures = []
    for checkpoint in (folder / 'egscit.pth', path):
        out = tmp_path / 'figures.json'
        run(tmp_path / 'egscit.py', checkpoint, '--out', out, '--work-dir', tmp_path / 'log')
        figures.append(load(out))
    made_of = [of.pop('checkpoint') for of in figures]
    assert made_of[0] != made_of[1] and figures[0] == figures[1] and figures[0]


class Malicious:

    def __reduce__(self):
        return os.putenv, ('PUBLISH_TEST', 'executed')


def write_bad_checkpoints(folder, good):
    """Files that cannot be published, by what the error says."""
    whole = torch.load(good)
    state = whole['state_dict']
    plain = {key: value for key, value in state.items() if 'generators_ema' not in key}
    large = {key: value * 1e7 if value.ndim else value for key, value in state.items()}
    (folder / 'base.py').write_text(f'open("{folder}/run", "w")')
    wrong = ['model = open("x")', f'_base_ = "{folder}/base.py"\nmodel = dict()', 'model = 3',
             'model = dict(a=[].__class__)', 'model = dict(', 'import os']
    content = {
        "holds the Python object '.*putenv'": dict(state_dict=state, other=Malicious()),
        'holds no state dict': [1, 2],
        'not a checkpoint of a model': dict(state_dict=dict(weight=torch.zeros(1))),
        'has no averaged weights': dict(state_dict=plain),
        'not finite in float16': dict(state_dict=large),
    }
    configs = [('config in its meta is not as', dict(state_dict=state, meta=dict(cfg=text)))
               for text in wrong]
    for index, (message, value) in enumerate([*content.items(), *configs]):
        torch.save(value, folder / f'{index}.pth')
        yield message, folder / f'{index}.pth'
    for name, data in (('cut', good.read_bytes()[:5000]), ('text', b'model = dict()')):
        (folder / f'{name}.pth').write_bytes(data)
        yield f'{name}.pth .*cannot be read as a checkpoint', folder / f'{name}.pth'
    yield "Checkpoint '.*none.pth' does not exist", folder / 'none.pth'


def test_what_cannot_be_published_is_named_and_leaves_no_file(folder, publish, tmp_path):
    for message, path in [
            *write_bad_checkpoints(tmp_path, folder / 'egscit.pth'),
            ('not a checkpoint of a model', folder / 'vaegan.pth')]:
        with pytest.raises(UserError, match=message):
            publish(path, '--weights', 'ema', '--dtype', 'float16')
    assert not (tmp_path / 'published').exists() and not (tmp_path / 'run').exists()
    (tmp_path / 'published' / 'model.safetensors').mkdir(parents=True)
    with pytest.raises(UserError, match='is a folder'):
        publish(folder / 'egscit.pth')


def test_a_name_of_another_kind_of_file_is_refused(folder, tmp_path):
    for name in ('model.pth', 'model', 'model.bin'):
        with pytest.raises(ValueError, match=f'{name}: .* such as .*model.safetensors'):
            publish_file(folder / 'egscit.pth', tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_published_file_is_not_published_again(folder, publish, tmp_path):
    path = publish(folder / 'egscit.pth')
    with pytest.raises(ValueError, match=f'{path.name} is published already'):
        publish_file(path, tmp_path / 'again.safetensors')
    assert not list(tmp_path.glob('again*'))


def test_a_full_disk_leaves_no_file(folder, publish, monkeypatch, tmp_path):

    def full(*args):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'replace', full)
    with pytest.raises(OSError, match='No space left'):
        publish(folder / 'egscit.pth')
    assert not list((tmp_path / 'published').iterdir())


@pytest.mark.parametrize('published', [False, True])
def test_settings_without_weights_that_differ_are_named(folder, publish, published, caplog):
    checkpoint = publish(folder / 'egscit.pth') if published else folder / 'egscit.pth'
    config = Config.fromfile(folder / 'egscit.py')
    caplog.handler.setLevel('WARNING')
    MMLogger.get_current_instance().addHandler(caplog.handler)
    EGSCITInferencer(config, str(checkpoint), 'cpu')
    # Nor are those named that make no other pictures: of memory, of the start, of the training.
    config.model.generator.update(activation_checkpointing=True, latent_noise=4, equal_start=True)
    config.model.generator.encoder.init_cfg = dict(type='Normal', layer='Conv2d', std=0.1)
    EGSCITInferencer(config, str(checkpoint), 'cpu')
    assert not caplog.messages
    config.model.generator.update(adain='release', eta=0.9)
    EGSCITInferencer(config, str(checkpoint), 'cpu')
    # A decoder of style transfer is for one size.
    note_other_settings(dict(generator=dict(size=56)), dict(config=dict(
        model=dict(generator=dict(size=112)))))
    assert len(caplog.messages) == 3 and 'model.generator.size is 56' in caplog.text and re.search(
        r"model.generator.adain is 'release' in the config; .* trained with 'std'", caplog.text)


def test_damaged_and_unfit_published_files_are_refused(folder, publish):
    path = publish(folder / 'egscit.pth')
    with pytest.raises(ValueError, match='not one of this MUNIT'):
        EGSCITInferencer(folder / 'munit.py', str(path))
    data = path.read_bytes()
    for damaged in (data[:-100], data[:50], b''):
        path.write_bytes(damaged)
        with pytest.raises(RuntimeError, match=f'{path.name} .*cannot be read as a checkpoint'):
            load_checkpoint(torch.nn.Linear(1, 1), str(path))
    with pytest.raises(FileNotFoundError, match='none.safetensors'):
        load_checkpoint(torch.nn.Linear(1, 1), str(path.with_name('none.safetensors')))
