# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Every cure of egscit_mm.compat: it cures its symptom, and does nothing where there is none.

Import-time cures run in fresh processes against small fake packages that show the symptom, so
that the tests say the same whichever versions are installed. tests/test_run.py trains MMagic's own
CycleGAN with all of them in place.
"""
import importlib.metadata
import io
import logging
import multiprocessing
import os
import pickle
import resource
import signal
import subprocess
import sys
import textwrap
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.fileio import LocalBackend
from mmengine.hooks import EMAHook
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.model import (
    BaseModel,
    MMDistributedDataParallel,
    MMSeparateDistributedDataParallel,
)
from mmengine.runner import Runner, checkpoint, load_checkpoint
from packaging.specifiers import SpecifierSet
from PIL import Image
from torch import nn

from egscit_mm import compat

COMPAT = Path(compat.__file__)


def run_python(code, *paths):
    """Run ``code`` in a fresh process with compat.py loaded alone and ``paths`` importable."""
    prelude = f'''
        import importlib.util, sys
        spec = importlib.util.spec_from_file_location('compat', {str(COMPAT)!r})
        compat = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(compat)
    '''
    result = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(prelude) + textwrap.dedent(code)],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(map(str, paths))},
        capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    return result.stdout


def write_package(folder, name, **files):
    """Write the modules ``files`` (name to source) of the package ``name`` below ``folder``."""
    (folder / name).mkdir()
    for module, source in {'__init__': '', **files}.items():
        (folder / name / f'{module}.py').write_text(textwrap.dedent(source))
    return folder


def test_import_of_compat_is_light():
    out = run_python('print([n for n in ("torch", "numpy", "mmagic") if n in sys.modules])')
    assert out.strip() == '[]'


# ------------------------------------------------------------------------------------ versions
# distribution: (a version too old, the oldest, the newest of those below the bound, a too new one)
VERSIONS = {
    'torch': ('2.5.1+cu124', '2.6.0', '2.13.0+cpu', None),
    'torchvision': ('0.20.1', '0.21.0', '0.28.0', None),
    'mmcv-lite': ('1.7.2', '2.0.0', '2.1.99', '2.2.0'),
    'mmengine': ('0.10.6', '0.10.7', '0.99.0', '1.0.0'),
    'mmagic': ('1.1.0', '1.2.0', '1.99', '2.0.0'),
    'numpy': ('1.23.5', '1.24.0', '2.4.6', None),
    'opencv-python': ('4.7.0.72', '4.8.0.74', '5.0.0.93', None),
    'Pillow': ('9.5.0', '10.0.0', '12.3.0', None),
    'scikit-image': ('0.21.0', '0.22.0', '0.26.0', None),
    'scikit-learn': ('1.2.2', '1.3.0', '1.9.1', None),
    'tqdm': (None, '1.0', '4.70.1', None),
    'jinja2': (None, '2.0', '3.1.6', None),
    'matplotlib': (None, '3.0', '3.11.2', None),
    'diffusers': ('0.27.2', '0.28.0', '0.28.2', '0.29.0'),
    'transformers': ('4.43.4', '4.44.0', '4.48.3', '4.49.0'),
    'huggingface_hub': ('0.24.7', '0.25.0', '0.25.2', '0.26.0'),
    'albumentations': ('1.2.1', '1.3.0', '2.0.8', None),
}


@pytest.fixture
def installed(monkeypatch):
    """The distributions that check_versions sees, the oldest allowed; a test changes them."""
    versions = {name: oldest for name, (_, oldest, _, _) in VERSIONS.items()}

    def version(name):
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(importlib.metadata, 'version', version)
    return versions


def test_versions_that_fit_pass_silently(installed):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        compat.check_versions()
        installed.update({name: newest for name, (_, _, newest, _) in VERSIONS.items()})
        compat.check_versions()


def complaint():
    """The one line that check_versions has to say."""
    with pytest.raises(ImportError, match='egscit_mm cannot work with the installed') as error:
        compat.check_versions()
    _, line = str(error.value).splitlines()
    return line


@pytest.mark.parametrize('name, version', [
    pytest.param(name, version, id=f'{name}-{version}') for name, versions in VERSIONS.items()
    for version in (versions[0], versions[-1]) if version
])
def test_unfit_version_is_named_with_range_and_command(installed, name, version):
    installed[name] = version
    wanted = dict(compat._requirements())[name]
    assert complaint() == (f'{name} {version} is installed, egscit_mm needs {name}{wanted}: '
                           f'pip install "{name}{wanted}"')


@pytest.mark.parametrize('name', VERSIONS)
def test_missing_package_is_named_with_range_and_command(installed, name):
    del installed[name]
    line, wanted = complaint(), dict(compat._requirements())[name]
    assert line.startswith(name)
    assert line.endswith(f' is not installed: pip install "{name}{wanted}"')
    assert f'({wanted})' in line or not wanted


def test_all_problems_are_named_at_once(installed):
    del installed['torch'], installed['mmcv-lite']
    installed['mmagic'] = '1.1.0'
    with pytest.raises(ImportError) as error:
        compat.check_versions()
    assert str(error.value).splitlines()[1:] == [
        'torch (>=2.6) is not installed: pip install "torch>=2.6"',
        'mmcv-lite or mmcv (>=2.0,<2.2) is not installed: pip install "mmcv-lite>=2.0,<2.2"',
        'mmagic 1.1.0 is installed, egscit_mm needs mmagic>=1.2.0,<2: '
        'pip install "mmagic>=1.2.0,<2"']


@pytest.mark.parametrize('name, other', [
    ('mmcv-lite', 'mmcv'), ('opencv-python', 'opencv-python-headless')])
def test_another_distribution_of_the_same_module_will_do_in_the_same_range(installed, name, other):
    too_old, installed[other] = VERSIONS[name][0], installed.pop(name)
    compat.check_versions()
    installed[other] = too_old
    wanted = dict(compat._requirements())[name]
    assert complaint() == (f'{other} {too_old} is installed, egscit_mm needs {other}{wanted}: '
                           f'pip uninstall -y {other} && pip install "{name}{wanted}"')


def test_ranges_mean_what_they_mean_to_pip():
    requirements = dict(compat._requirements())
    assert requirements.keys() == VERSIONS.keys()
    for name, versions in VERSIONS.items():
        pip = SpecifierSet(requirements[name])
        for version in filter(None, versions):
            assert compat._in_range(version, requirements[name]) == (version in pip), (
                name, version)


@pytest.mark.parametrize('version, fits', [
    ('2', True), ('2.0', True), ('2.0.0', True), ('1.99.9', False), ('2.10.0', True),
    ('2.0.0+cu118', True), ('2.1.0a0+git1234', True), ('2.0.dev3', True), ('3.0.0rc1', False)])
def test_release_numbers_are_compared(version, fits):
    assert compat._in_range(version, '>=2.0,<3') is fits


def test_a_mere_copy_of_the_package_is_not_checked(monkeypatch, tmp_path):
    monkeypatch.setattr(compat, '__file__', str(tmp_path / 'egscit_mm' / 'compat.py'))
    assert list(compat._requirements()) == []


def test_old_python_is_named(installed, monkeypatch):
    monkeypatch.setattr(sys, 'version_info', (3, 9, 1))
    with pytest.raises(ImportError, match=r'Python .* is running, egscit_mm needs Python>=3\.10'):
        compat.check_versions()


def test_mmcv_beside_mmcv_lite_warns(installed):
    installed['mmcv'] = '2.1.0'
    with pytest.warns(UserWarning, match='mmcv-lite 2.0.0 and mmcv 2.1.0 are both installed'):
        compat.check_versions()


# ----------------------------------------------------------------------------- imports of MMagic
@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < '2.0.0', reason='the alias exists')
def test_numpy_bool8_comes_back(monkeypatch):
    monkeypatch.delattr(np, 'bool8', raising=False)
    compat.restore_numpy_bool8()
    assert np.bool8 is np.bool_


def test_numpy_bool8_that_exists_stays(monkeypatch):
    monkeypatch.setattr(np, 'bool8', 'the old one', raising=False)
    compat.restore_numpy_bool8()
    assert np.bool8 == 'the old one'


TORCHVISION = '''
    import torch
    from . import extension
    for name in ('nms', 'qnms'):
        torch.library.register_fake(f'torchvision::{name}')(lambda *args: None)
'''


def test_torchvision_operators_are_defined_where_missing(tmp_path):
    write_package(tmp_path, 'torchvision', __init__=TORCHVISION, extension='')
    out = run_python('''
        import torch
        torch.version.cuda = None
        try:
            import torchvision
        except RuntimeError as error:
            print(error)
        compat.define_torchvision_operators()
        library = compat._torchvision_library
        compat.define_torchvision_operators()
        import torchvision
        print(torchvision.extension.__name__, compat._torchvision_library is library)
        print(torch.ops.torchvision.qnms.default)
    ''', tmp_path)
    assert out.splitlines() == ['operator torchvision::nms does not exist',
                                'torchvision.extension True', 'torchvision.qnms.default']


def test_torchvision_that_imports_or_breaks_otherwise_is_left_alone(tmp_path):
    write_package(tmp_path, 'torchvision', __init__='raise RuntimeError(message)')
    out = run_python('''
        import builtins, torch
        def attempt(message, cuda):
            builtins.message, torch.version.cuda = message, cuda
            try:
                compat.define_torchvision_operators()
            except RuntimeError as error:
                print(error)
        attempt('operator torchvision::unheard_of does not exist', None)
        attempt('a broken disk', None)
        attempt('operator torchvision::nms does not exist', '12.8')
        sys.modules['torchvision'] = sys
        compat.define_torchvision_operators()
        print(compat._torchvision_library)
    ''', tmp_path)
    assert out.splitlines() == [
        'operator torchvision::unheard_of does not exist', 'a broken disk',
        'operator torchvision::nms does not exist', 'None']


def test_real_torchvision_works(tmp_path):
    import torchvision
    with torch.device('meta'):  # VGG-19 has 0.5 GB of weights
        assert len(torchvision.models.vgg19().features) == 37
    grid = torchvision.utils.make_grid(torch.ones(2, 3, 4, 4), padding=0)
    torchvision.utils.save_image(grid, tmp_path / 'grid.png')
    image = np.asarray(Image.open(tmp_path / 'grid.png'))
    assert image.shape == (4, 8, 3) and (image == 255).all()


MMCV_OPS = '''
    from importlib import import_module
    ext = import_module('mmcv._ext')
    assert hasattr(ext, 'nms_forward')
'''


def test_mmcv_lite_gets_an_importable_mmcv_ops(tmp_path):
    write_package(tmp_path, 'mmcv', ops=MMCV_OPS)
    out = run_python('''
        try:
            import mmcv.ops
        except ModuleNotFoundError as error:
            print(error)
        compat.provide_mmcv_ext()
        extension = sys.modules['mmcv._ext']
        compat.provide_mmcv_ext()
        import mmcv.ops
        print(mmcv.ops.ext is extension, extension.get_compiler_version())
        try:
            mmcv.ops.ext.nms_forward(1, iou=2)
        except RuntimeError as error:
            print(error)
    ''', tmp_path)
    lines = out.splitlines()
    assert lines[:2] == ["No module named 'mmcv._ext'", 'True n/a']
    assert lines[2].startswith('nms_forward of mmcv.ops is compiled') and 'mmcv==2.1.0' in lines[2]


def test_full_mmcv_is_left_alone(tmp_path):
    write_package(tmp_path, 'mmcv', ops=MMCV_OPS, _ext='nms_forward = "compiled"')
    out = run_python('compat.provide_mmcv_ext(); import mmcv.ops; print(mmcv.ops.ext.nms_forward)',
                     tmp_path)
    assert out.strip() == 'compiled'


def test_real_mmcv_ops_import_and_say_what_is_missing():
    from mmcv.ops import DeformConv2d
    from mmcv.utils import collect_env
    from mmengine.utils.dl_utils.misc import mmcv_full_available
    if mmcv_full_available():
        pytest.skip('needs mmcv-lite')
    layer = DeformConv2d(2, 2, 1)
    with pytest.raises(RuntimeError, match='mmcv-lite does not have'):
        layer(torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4))
    assert collect_env()['MMCV Compiler'] == 'n/a'


CONTROLNET_AUX = '''
    class HEDdetector:
        pass
    import {missing}
    class ZoeDetector:
        pass
'''
USE_CONTROLNET_AUX = '''
    compat.provide_controlnet_aux()
    compat.provide_controlnet_aux()
    print(len([f for f in sys.meta_path if type(f).__name__ == '_ControlnetAuxFinder']),
          'controlnet_aux' in sys.modules)
    from controlnet_aux import HEDdetector, ZoeDetector
    for detector in (HEDdetector, ZoeDetector):
        try:
            print(detector().__class__.__name__)
            detector.from_pretrained
        except (AttributeError, RuntimeError) as error:
            print(type(error).__name__, error)
'''


def test_failing_controlnet_aux_keeps_what_it_defined(tmp_path):
    write_package(tmp_path, 'controlnet_aux', __init__=CONTROLNET_AUX.format(missing='nowhere'))
    lines = run_python(USE_CONTROLNET_AUX, tmp_path).splitlines()
    assert lines[:2] == ['1 False', 'HEDdetector']
    assert lines[3].startswith('RuntimeError ZoeDetector of controlnet_aux cannot be used')
    assert "No module named 'nowhere'" in lines[3]


def test_absent_controlnet_aux_gets_placeholders(tmp_path):
    # an installed one is hidden
    out = run_python(
        'import importlib.machinery\n'
        'importlib.machinery.PathFinder.find_spec = lambda *args: None\n'
        + textwrap.dedent(USE_CONTROLNET_AUX), tmp_path)
    assert out.count("No module named 'controlnet_aux'") == 2


def test_working_controlnet_aux_is_left_alone(tmp_path):
    write_package(tmp_path, 'controlnet_aux', __init__=CONTROLNET_AUX.format(missing='sys'),
                  data='')
    out = run_python(
        textwrap.dedent(USE_CONTROLNET_AUX) + textwrap.dedent('''
            import pkgutil, controlnet_aux
            print(hasattr(controlnet_aux, '__getattr__'))
            print(pkgutil.get_data('controlnet_aux', 'data.py'))
        '''), tmp_path)
    assert out.count('ZoeDetector') == 2 and 'RuntimeError' not in out
    assert out.splitlines()[-2:] == ['False', "b''"]


def test_mmagic_apis_import():
    from mmagic.apis import MMagicInferencer, init_model
    assert callable(init_model) and isinstance(MMagicInferencer, type)


@pytest.fixture
def released_init_weights():
    """MMagic's generation_init_weights as released, put back in place for one test."""
    from mmagic.models.utils import model_utils
    fixed = model_utils.generation_init_weights
    if not hasattr(fixed, '__wrapped__'):
        pytest.skip('this MMagic needs no fix')
    compat._rebind('mmagic', fixed, fixed.__wrapped__)
    yield fixed.__wrapped__
    compat._rebind('mmagic', model_utils.generation_init_weights, fixed)


def test_generation_init_weights_is_fixed_wherever_it_was_imported(released_init_weights):
    from mmagic.models.archs import patch_disc
    from mmagic.models.editors.cyclegan import cyclegan_generator
    from mmagic.models.utils import model_utils
    model = nn.Sequential(
        nn.Conv2d(8, 64, 3), nn.BatchNorm2d(64), nn.ReLU(), nn.Sequential(nn.Linear(64, 64)))
    record = {p: dict(init_info='', tmp_mean_value=p.mean()) for p in model.parameters()}
    model._params_init_info = record
    with pytest.raises(UnboundLocalError):
        patch_disc.generation_init_weights(model)

    compat.apply_after_import()
    compat.apply_after_import()
    for module in (model_utils, patch_disc, cyclegan_generator):
        assert module.generation_init_weights.__wrapped__ is released_init_weights
    torch.manual_seed(0)
    patch_disc.generation_init_weights(model, init_gain=0.05)
    assert model[0].weight.std().item() == pytest.approx(0.05, rel=0.05)
    assert model[0].bias.abs().max() == 0
    assert model[1].weight.mean().item() == pytest.approx(1, abs=0.03)
    assert model[3][0].weight.std().item() == pytest.approx(0.05, rel=0.05)
    assert record[model[0].weight]['init_info'] == "Initialize Conv2d by 'init_type' normal."


def test_correct_generation_init_weights_stays(released_init_weights, monkeypatch):
    from mmagic.models.utils import model_utils

    def correct(module, init_type='normal', init_gain=0.02):
        pass

    monkeypatch.setattr(model_utils, 'generation_init_weights', correct)
    compat.apply_after_import()
    assert model_utils.generation_init_weights is correct


# ------------------------------------------------------------------------------- logged history
def test_history_is_capped_by_default_only():
    history = HistoryBuffer()
    assert history.max_length == compat.HISTORY_LENGTH == 10_000
    assert HistoryBuffer(max_length=20_000).max_length == 20_000
    history = HistoryBuffer(np.arange(10_000.), np.ones(10_000, int))
    history.update(10_000.)
    assert len(history.data[0]) == len(history.data[1]) == 10_000
    assert history.current() == 10_000 and history.min() == 1
    assert history.mean(10) == np.arange(9991, 10_001).mean()
    # a window longer than the history ('global', 'epoch') covers what is kept
    assert history.mean(50_000) == np.arange(1, 10_001).mean()


def test_shorter_history_of_another_mmengine_stays(monkeypatch):
    monkeypatch.setattr(HistoryBuffer.__init__, '__defaults__', ([], [], 500))
    compat.cap_history_buffers()
    assert HistoryBuffer().max_length == 500


def safe_copy(value):
    """What is left of ``value`` after saving and loading it with weights_only=True."""
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.fixture
def hub():
    hub = MessageHub('test_compat')
    for value in (1., 2.5):
        hub.update_scalar('train/loss', value)
    hub.update_scalar('train/iters', 3)
    hub.update_scalar('passing', 1., resumed=False)
    hub.update_info('iter', np.int64(7))
    hub.update_info('best', {'SSIM': np.float32(0.5), 'path': 'best.pth'})
    hub.update_info('palette', [np.array([[1, 2], [3, 4]], dtype=np.uint8)])
    hub.update_info('name', np.str_('x'))
    hub.update_info('tensor', torch.tensor([1.]))
    return hub


def test_message_hub_survives_a_safe_load(hub):
    state = safe_copy(hub.state_dict())
    copy = MessageHub('copy')
    copy.load_state_dict(state)
    assert list(copy.log_scalars) == ['train/loss', 'train/iters']
    loss = copy.get_scalar('train/loss')
    assert isinstance(loss, HistoryBuffer)
    assert loss.data[0].tolist() == [1, 2.5] and loss.data[1].tolist() == [1, 1]
    assert loss.mean() == 1.75
    assert copy.get_scalar('train/iters').data[0].dtype == np.int64
    copy.update_scalar('train/loss', 3.)  # goes on like any history
    assert loss.current() == 3
    info = copy.runtime_info
    assert info['iter'] == 7 and type(info['iter']) is int
    assert info['best'] == {'SSIM': 0.5, 'path': 'best.pth'}
    assert info['palette'] == [[[1, 2], [3, 4]]] and info['name'] == 'x'
    assert info['tensor'].tolist() == [1]


def test_message_hub_still_loads_history_buffers_and_hubs(hub):
    state = hub.state_dict()
    buffer = HistoryBuffer([4.], [2])
    state['log_scalars'] = {'train/loss': buffer}
    copy = MessageHub('copy')
    copy.load_state_dict(state)
    assert copy.get_scalar('train/loss') is buffer
    assert state['log_scalars'] == {'train/loss': buffer}
    copy.load_state_dict(hub)
    assert copy.get_scalar('train/loss').mean() == 1.75
    with pytest.raises(AssertionError, match='log_scalars'):
        copy.load_state_dict({})


def test_message_hub_leaves_out_what_cannot_be_loaded_safely(hub, monkeypatch):
    warned = []
    monkeypatch.setattr('mmengine.logging.print_log',
                        lambda message, logger, level: warned.append((message, level)))
    hub.update_info('hook', test_message_hub_survives_a_safe_load)
    hub.update_info('nested', {'kept': 1, 'lost': [object()]})
    state = safe_copy(hub.state_dict())
    assert 'hook' not in state['runtime_info'] and 'hook' not in state['resumed_keys']
    assert state['runtime_info']['nested'] == {'kept': 1}
    assert state['resumed_keys']['passing'] is False
    assert [level for _, level in warned] == [logging.WARNING] * 2
    assert warned[0][0].startswith("'hook' is left out of the checkpoint: it holds a builtins.func")
    assert warned[1][0].startswith("'lost' is left out of the checkpoint: it holds a builtins.obj")


def test_message_hub_that_is_safe_stays(monkeypatch):

    def state_dict(self):
        return {}

    monkeypatch.setattr(MessageHub, 'state_dict', state_dict)
    before = MessageHub.load_state_dict
    compat.store_plain_message_hub()
    assert MessageHub.state_dict is state_dict and MessageHub.load_state_dict is before


def test_applying_twice_changes_nothing():
    places = [(MessageHub, 'state_dict'), (MessageHub, 'load_state_dict'), (LocalBackend, 'put'),
              (LocalBackend, 'put_text'), (MMDistributedDataParallel, '__init__'),
              (MMDistributedDataParallel, 'state_dict')]
    before = [getattr(*place) for place in places]
    compat.apply()
    assert [getattr(*place) for place in places] == before


# ---------------------------------------------------------------------------------- checkpoints
def test_rest_of_a_checkpoint_is_stored_plain(tmp_path):
    path = str(tmp_path / 'a.pth')
    content = dict(
        meta=dict(seed=np.int64(3), dataset_meta=dict(classes=('a', ), colors=np.eye(2))),
        state_dict=nn.Linear(1, 1).state_dict(),
        optimizer=dict(param_groups=[dict(lr=np.float64(0.1), betas=(0.5, 0.9))]),
        param_schedulers=[
            dict(milestones=Counter([2, 2]), anneal_func=np.cos, best=np.float32(0.5))])
    checkpoint.save_checkpoint(content, path)
    loaded = torch.load(path, weights_only=True)
    assert loaded['meta'] == dict(
        seed=3, dataset_meta=dict(classes=('a', ), colors=[[1., 0.], [0., 1.]]))
    assert loaded['optimizer'] == dict(param_groups=[dict(lr=0.1, betas=(0.5, 0.9))])
    assert loaded['param_schedulers'] == [dict(milestones=Counter([2, 2]), best=0.5)]
    assert loaded['state_dict']._metadata == content['state_dict']._metadata
    assert content['param_schedulers'][0]['anneal_func'] is np.cos  # the caller's is kept


def test_bare_state_dict_is_stored_as_it_is(tmp_path):
    path = str(tmp_path / 'a.pth')
    state_dict = nn.Linear(1, 1).state_dict()
    checkpoint.save_checkpoint(state_dict, path)
    assert torch.load(path, weights_only=True)._metadata == state_dict._metadata


class Dataset(torch.utils.data.Dataset):
    metainfo = dict(palette=np.zeros((2, 3), dtype=np.uint8))

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return torch.tensor([float(index)])


class Model(BaseModel):

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 1)

    def forward(self, *inputs, mode='tensor'):
        out = self.linear(torch.stack(inputs))
        return dict(loss=out.square().mean()) if mode == 'loss' else list(out)


class NumpyMetric(BaseMetric):

    def process(self, data_batch, data_samples):
        self.results.append(len(data_samples))

    def compute_metrics(self, results):
        return dict(score=np.float32(len(results)))


def make_runner(work_dir, name, max_iters, **kwargs):
    dataloader = dict(
        dataset=Dataset(), batch_size=2, num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False))
    return Runner(
        Model(), str(work_dir), experiment_name=name, train_dataloader=dataloader,
        val_dataloader=dataloader, val_cfg=dict(),
        val_evaluator=Evaluator(NumpyMetric(prefix='toy')),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=2),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.1)),
        param_scheduler=[
            dict(type='MultiStepLR', milestones=[3], by_epoch=False),
            dict(type='OneCycleLR', eta_max=0.1, total_steps=9, by_epoch=False)],
        default_hooks=dict(checkpoint=dict(
            type='CheckpointHook', interval=2, by_epoch=False, save_best='toy/score',
            rule='greater')),
        custom_hooks=[EMAHook()], log_level='WARNING', **kwargs)


def test_runner_saves_safe_checkpoints_and_resumes(tmp_path):
    runner = make_runner(tmp_path, 'compat_first', max_iters=4)
    runner.train()
    saved = torch.load(tmp_path / 'iter_4.pth', weights_only=True)
    assert set(saved) == {'meta', 'state_dict', 'message_hub', 'optimizer', 'param_schedulers',
                          'ema_state_dict'}
    assert saved['meta']['dataset_meta'] == {'palette': [[0, 0, 0]] * 2}
    assert saved['message_hub']['runtime_info']['best_score'] == 2
    assert list(tmp_path.glob('best_toy_score_iter_*.pth'))
    assert not list(tmp_path.glob('*.tmp'))

    again = make_runner(tmp_path, 'compat_again', max_iters=6, resume=True)
    again.train()
    assert again.iter == 6
    losses = again.message_hub.get_scalar('train/loss').data[0]
    assert len(losses) == 6
    assert losses[:4].tolist() == runner.message_hub.get_scalar('train/loss').data[0].tolist()
    assert again.message_hub.get_info('best_score') == 2


@pytest.fixture
def no_safe_loading_by_default(monkeypatch):
    """The switch that users set to be rid of weights_only errors: it must not reach us."""
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')


class Malicious:

    def __reduce__(self):
        return os.putenv, ('COMPAT_TEST', 'executed')


@pytest.mark.parametrize('content, name', [
    (HistoryBuffer([1.], [1]), "'getattr'"),
    (np.float64(1), 'numpy'),
    (Malicious(), "'posix.putenv'"),
])
def test_objects_in_a_checkpoint_are_refused_with_a_way_out(
        tmp_path, no_safe_loading_by_default, content, name):
    path = str(tmp_path / 'foreign.pth')
    torch.save({'state_dict': nn.Linear(1, 1).state_dict(), 'message_hub': content}, path)
    with pytest.raises(RuntimeError) as error:
        load_checkpoint(nn.Linear(1, 1), path)
    message = str(error.value)
    assert path in message and "torch.save({'state_dict': ck['state_dict']}" in message
    assert name in message or type(content).__name__ in message
    assert 'weights_only' not in message and error.value.__suppress_context__


def test_conversion_that_the_error_recommends_works(tmp_path):
    model = nn.Linear(1, 1)
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'weights.pth')
    other = nn.Linear(1, 1)
    load_checkpoint(other, str(tmp_path / 'weights.pth'))
    assert other.weight.equal(model.weight)


def garbage(folder):
    """Bytes that are no whole checkpoint, by name."""
    torch.save({'state_dict': {'weight': torch.zeros(9999)}}, folder / 'whole.pth')
    whole = (folder / 'whole.pth').read_bytes()
    return {
        'cut.pth': whole[:20_000], 'start.pth': whole[:10], 'empty.pth': b'',
        'text.pth': b'model = dict(type="EGSCIT")', 'hello.pth': b'hello world',
        'image.png': b'\x89PNG\r\n\x1a\n' + bytes(100), 'pickle.pth': pickle.dumps({'a': 1}),
        'noise.pth': np.random.default_rng(0).bytes(5000),
    }


@pytest.mark.filterwarnings('ignore:Detected pickle protocol')
def test_files_that_are_no_checkpoint_are_named(tmp_path):
    for name, content in garbage(tmp_path).items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(RuntimeError) as error:
            load_checkpoint(nn.Linear(1, 1), str(path))
        assert str(error.value).startswith(
            f'{path} ({len(content)} bytes) cannot be read as a checkpoint'), name
    with pytest.raises(FileNotFoundError, match='missing.pth'):
        load_checkpoint(nn.Linear(1, 1), str(tmp_path / 'missing.pth'))


def test_http_checkpoints_load_safely_too(tmp_path, monkeypatch):
    """torch.hub asks for weights_only=False: served from its cache, so nothing is downloaded."""
    monkeypatch.setattr(torch.hub, '_hub_dir', str(tmp_path))
    (tmp_path / 'checkpoints').mkdir()
    url = 'http://localhost:9/{}.pth'
    torch.save({'state_dict': Malicious()}, tmp_path / 'checkpoints' / 'bad.pth')
    torch.save({'state_dict': {'weight': torch.ones(1, 1)}}, tmp_path / 'checkpoints' / 'good.pth')
    with pytest.raises(RuntimeError, match='http://localhost:9/bad.pth holds'):
        load_checkpoint(nn.Linear(1, 1), url.format('bad'))
    model = nn.Linear(1, 1)
    load_checkpoint(model, url.format('good'))
    assert model.weight.item() == 1


@pytest.mark.parametrize('error', [OSError('no network'), RuntimeError('CUDA error: busy')])
def test_other_loading_errors_pass_unchanged(monkeypatch, error):
    from mmengine.runner.checkpoint import CheckpointLoader

    def load(filename, map_location):
        raise error

    monkeypatch.setattr(CheckpointLoader, '_get_checkpoint_loader', lambda path: load)
    with pytest.raises(type(error)) as raised:
        load_checkpoint(nn.Linear(1, 1), __file__ if 'CUDA' in str(error) else 's3://a.pth')
    assert raised.value is error


def test_loading_leaves_the_environment_as_it_was(tmp_path, monkeypatch):
    switch, other = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'
    monkeypatch.setenv(other, '1')
    monkeypatch.delenv(switch, raising=False)
    with pytest.raises(FileNotFoundError):
        load_checkpoint(nn.Linear(1, 1), str(tmp_path / 'missing.pth'))
    assert switch not in os.environ and os.environ[other] == '1'


# ---------------------------------------------------------------------------------------- files
def test_written_files_are_as_before(tmp_path):
    backend = LocalBackend()
    backend.put(b'data', tmp_path / 'new' / 'a.pth')
    backend.put_text('täxt', str(tmp_path / 'a.txt'), encoding='latin-1')
    (tmp_path / 'plain').write_bytes(b'')
    assert (tmp_path / 'new' / 'a.pth').read_bytes() == b'data'
    assert (tmp_path / 'a.txt').read_bytes() == 'täxt'.encode('latin-1')
    assert (tmp_path / 'a.txt').stat().st_mode == (tmp_path / 'plain').stat().st_mode
    assert sorted(p.name for p in tmp_path.rglob('*')) == ['a.pth', 'a.txt', 'new', 'plain']


def test_links_and_devices_stay(tmp_path):
    (tmp_path / 'file').write_bytes(b'old')
    (tmp_path / 'link').symlink_to('file')
    LocalBackend().put(b'new', tmp_path / 'link')
    assert (tmp_path / 'link').is_symlink() and (tmp_path / 'file').read_bytes() == b'new'
    LocalBackend().put(b'x', '/dev/null')
    assert not Path('/dev/null').is_file()


def test_full_disk_keeps_the_old_file_and_leaves_no_rest(tmp_path):
    path = tmp_path / 'iter_1.pth'
    path.write_bytes(b'old')
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError):
            LocalBackend().put(bytes(100_000), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b'old' and list(tmp_path.iterdir()) == [path]


def test_ctrl_c_leaves_no_rest(tmp_path, monkeypatch):

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, 'replace', interrupt)
    with pytest.raises(KeyboardInterrupt):
        LocalBackend().put(b'new', tmp_path / 'iter_1.pth')
    assert not list(tmp_path.iterdir())


def die_while_saving(path):
    os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)
    LocalBackend().put(b'new', path)


def test_kill_keeps_the_old_file(tmp_path):
    path = tmp_path / 'iter_1.pth'
    path.write_bytes(b'old')
    process = multiprocessing.get_context('fork').Process(target=die_while_saving, args=(path, ))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert path.read_bytes() == b'old'


# -------------------------------------------------------------------------- distributed on the CPU
cpu_only = pytest.mark.skipif(torch.cuda.is_available(), reason='what happens without CUDA')


@cpu_only
def test_gloo_is_initialised_and_models_can_be_wrapped(torchrun_environment):
    compat.init_cpu_distributed('pytorch')
    compat.init_cpu_distributed('pytorch')
    assert torch.distributed.get_backend() == 'gloo'
    model = MMDistributedDataParallel(module=nn.Linear(1, 1), device_ids=[0])
    model(torch.ones(2, 1)).sum().backward()
    assert model.module.weight.grad.item() == 2


def test_device_ids_stay_for_models_elsewhere(monkeypatch):
    seen = {}
    monkeypatch.setattr(nn.parallel.DistributedDataParallel, '__init__',
                        lambda self, **kwargs: seen.update(kwargs))
    MMDistributedDataParallel(module=nn.Linear(1, 1, device='meta'), device_ids=[3])
    assert seen['device_ids'] == [3]
    seen.clear()
    MMDistributedDataParallel(module=nn.Linear(1, 1), device_ids=[3], bucket_cap_mb=1)
    assert 'device_ids' not in seen and seen['bucket_cap_mb'] == 1


def test_no_launcher_and_an_accelerator_initialise_nothing(torchrun_environment, monkeypatch):
    compat.init_cpu_distributed('none')
    assert not torch.distributed.is_initialized()
    monkeypatch.setattr('mmengine.device.get_device', lambda: 'cuda')
    compat.init_cpu_distributed('pytorch')
    assert not torch.distributed.is_initialized()


class TwoPartModel(nn.Module):
    """A model whose parts are wrapped one by one, as MMagic's translation models are."""

    def __init__(self):
        super().__init__()
        self.generators = nn.ModuleDict(
            {domain: nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)) for domain in 'AB'})
        self.frozen = nn.Linear(1, 1).requires_grad_(False)


@cpu_only
def test_separately_wrapped_models_store_plain_names(torchrun_environment, tmp_path):
    compat.init_cpu_distributed('pytorch')
    plain, path = TwoPartModel(), str(tmp_path / 'a.pth')
    names, metadata = list(plain.state_dict()), plain.state_dict()._metadata
    wrapped = MMSeparateDistributedDataParallel(TwoPartModel())
    assert isinstance(wrapped.module.generators, MMDistributedDataParallel)
    state = wrapped.module.state_dict()
    assert list(state) == names and state._metadata == metadata
    torch.save({'state_dict': state}, path)

    again = MMSeparateDistributedDataParallel(TwoPartModel())
    by_torch = MMSeparateDistributedDataParallel(TwoPartModel())
    load_checkpoint(plain, path, strict=True)
    load_checkpoint(again, path, strict=True)
    by_torch.module.load_state_dict(state, strict=True)
    for model in (plain, again.module, by_torch.module):
        for name, value in model.state_dict().items():
            assert value.equal(state[name]), name


@cpu_only
def test_wrapper_around_a_whole_model_names_as_before(torchrun_environment):
    compat.init_cpu_distributed('pytorch')
    wrapped = MMDistributedDataParallel(module=nn.Linear(1, 1))
    state = wrapped.state_dict()
    assert list(state) == ['module.weight', 'module.bias']
    wrapped.load_state_dict({name: value + 1 for name, value in state.items()})
    assert list(wrapped.module.state_dict()) == ['weight', 'bias']


@cpu_only
def test_launcher_errors_say_what_to_type(monkeypatch):
    with pytest.raises(ValueError, match='--launcher slurm needs an accelerator'):
        compat.init_cpu_distributed('slurm')
    monkeypatch.setenv('RANK', '0')
    monkeypatch.delenv('WORLD_SIZE', raising=False)
    with pytest.raises(RuntimeError, match='lacks .*WORLD_SIZE.* torchrun --nproc_per_node'):
        compat.init_cpu_distributed('pytorch')
