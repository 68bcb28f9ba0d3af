# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Every defect is cured where it shows, and left alone where it does not."""
import sys

import numpy as np
import pytest
import torch
from fresh_process import run_python, write_package
from mmengine.logging import HistoryBuffer
from PIL import Image
from torch import nn

from egscit_mm import compat
from egscit_mm.compat import host_defects
from egscit_mm.compat.patching import rebind


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < '2.0.0', reason='the alias exists')
def test_numpy_bool8_comes_back(monkeypatch):
    monkeypatch.delattr(np, 'bool8', raising=False)
    host_defects.restore_numpy_bool8()
    assert np.bool8 is np.bool_


def test_numpy_bool8_that_exists_stays(monkeypatch):
    monkeypatch.setattr(np, 'bool8', 'the old one', raising=False)
    host_defects.restore_numpy_bool8()
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
        compat.host_defects.define_torchvision_operators()
        library = compat.host_defects._torchvision_library
        compat.host_defects.define_torchvision_operators()
        import torchvision
        print(torchvision.extension.__name__, compat.host_defects._torchvision_library is library)
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
                compat.host_defects.define_torchvision_operators()
            except RuntimeError as error:
                print(error)
        attempt('operator torchvision::unheard_of does not exist', None)
        attempt('a broken disk', None)
        attempt('operator torchvision::nms does not exist', '12.8')
        sys.modules['torchvision'] = sys
        compat.host_defects.define_torchvision_operators()
        print(compat.host_defects._torchvision_library)
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
        compat.host_defects.provide_mmcv_ext()
        extension = sys.modules['mmcv._ext']
        compat.host_defects.provide_mmcv_ext()
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
    out = run_python('''
        compat.host_defects.provide_mmcv_ext()
        import mmcv.ops
        print(mmcv.ops.ext.nms_forward)
    ''', tmp_path)
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


MMAGIC = '''
    import mmcv
    assert mmcv.__version__ < '2.2', f'mmcv=={mmcv.__version__} is used but incompatible'
'''


@pytest.mark.parametrize('version', ['2.1.0', '2.3.6'])
def test_mmagic_imports_beside_a_newer_mmcv(tmp_path, version):
    write_package(tmp_path, 'mmcv', __init__=f'__version__ = {version!r}')
    write_package(tmp_path, 'mmagic', __init__=MMAGIC)
    out = run_python('''
        compat.host_defects.import_mmagic_beside_newer_mmcv()
        import mmcv, mmagic
        print(mmcv.__version__)
    ''', tmp_path)
    assert out.strip() == version


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
    rebind('mmagic', fixed, fixed.__wrapped__)
    yield fixed.__wrapped__
    rebind('mmagic', model_utils.generation_init_weights, fixed)


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


def test_history_is_capped_by_default_only():
    history = HistoryBuffer()
    assert history.max_length == host_defects.HISTORY_LENGTH == 10_000
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
    host_defects.cap_history_buffers()
    assert HistoryBuffer().max_length == 500


def test_the_text_of_a_config_is_formatted_once():
    out = run_python('''
        from mmengine.config import Config
        from yapf.yapflib import yapf_api
        calls, released = [], yapf_api.FormatCode
        def counting(text, **options):
            calls.append(text)
            return released(text, **options)
        configs = [Config(dict(a=dict(b=[value, 'text' * 30]))) for value in range(20)]
        texts = [cfg.pretty_text for cfg in configs]

        import mmengine.config.config as module
        yapf_api.FormatCode = counting
        compat.host_defects.format_configs_once()
        compat.host_defects.format_configs_once()
        again = [[cfg.pretty_text for _ in range(3)][-1] for cfg in configs]
        print(again == texts, len(calls), 'b=[\\n' in texts[0])
        configs[-1].a.b[0] = -1
        print('-1' in configs[-1].pretty_text, len(calls))
        configs[0].pretty_text, configs[-1].pretty_text  # only the last ones are remembered
        print(len(calls))
    ''', *sys.path)
    assert out.splitlines() == ['True 20 True', 'True 21', '22']
