# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""``egscit_mm::...`` names this package's configs, wherever they lie."""
import subprocess
import sys
from pathlib import Path

import pytest
from fresh_process import run_python
from mmengine.config import Config
from mmengine.hub import get_config, get_model

from egscit_mm.apis import train
from egscit_mm.config import ConfigError, read_config
from egscit_mm.models import EGSCIT
from egscit_mm.utils.errors import UserError

REPOSITORY = Path(__file__).parents[2]
NAME = 'egscit/egscit_quickstart.py'


def child(folder, base):
    path = folder / 'mine.py'
    path.write_text(f'_base_ = {base!r}\ntrain_cfg = dict(max_iters=7)\n')
    return path


def test_a_config_elsewhere_is_as_one_beside_its_base(tmp_path):
    cfg = Config.fromfile(child(tmp_path, f'egscit_mm::{NAME}'))
    beside = Config.fromfile(child(tmp_path, str(REPOSITORY / 'configs' / NAME)))
    assert cfg.to_dict() == beside.to_dict()
    assert cfg.train_cfg.max_iters == 7 and cfg.model.type == 'EGSCIT'


def test_several_bases_and_their_variables(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text("_base_ = ['egscit_mm::egscit/_base_/models/egscit.py',\n"
                    "          'egscit_mm::egscit/_base_/datasets/exemplar.py']\n"
                    'pipeline = _base_.test_pipeline\n')
    cfg = Config.fromfile(path)
    assert cfg.pipeline == cfg.test_pipeline and '_scope_' not in cfg.pipeline[0]


def test_the_hub_reads_it():
    expected = Config.fromfile(REPOSITORY / 'configs' / NAME)
    assert get_config(f'egscit_mm::{NAME}').to_dict() == expected.to_dict()


def test_the_hub_has_no_weights():
    with pytest.raises(UserError, match='egscit_mm::egscit/egscit_quickstart.py: .*no weights'):
        get_config(f'egscit_mm::{NAME}', pretrained=True)


def test_the_hub_builds_a_model():
    for _ in range(2):
        assert isinstance(get_model(f'egscit_mm::{NAME}'), EGSCIT)


def test_other_packages_are_found_as_before(tmp_path):
    cfg = Config.fromfile(child(tmp_path, 'mmagic::_base_/gen_default_runtime.py'))
    assert cfg.default_scope == get_config('mmagic::_base_/gen_default_runtime.py').default_scope
    with pytest.raises(AssertionError, match='does not support to load foo config'):
        get_config('foo::bar/baz.py')


@pytest.mark.parametrize('name', ['egscit/none.py', 'egscit'])
def test_a_config_that_is_not_there(tmp_path, name):
    with pytest.raises(UserError, match=f'egscit_mm::{name}: .*no file'):
        get_config(f'egscit_mm::{name}')
    with pytest.raises(ConfigError, match=f'mine.py.*egscit_mm::{name}: .*no file'):
        read_config(child(tmp_path, f'egscit_mm::{name}'))


def test_a_wheel_has_its_own(tmp_path):
    subprocess.run([sys.executable, 'setup.py', '-q', 'build_py', '--build-lib', tmp_path],
                   cwd=REPOSITORY, check=True, timeout=120)
    path = child(tmp_path, f'egscit_mm::{NAME}')
    read = run_python(f'''
        package.__path__ = [{str(tmp_path / 'egscit_mm')!r}]
        for name in [name for name in sys.modules if name.startswith('egscit_mm.')]:
            del sys.modules[name]
        from egscit_mm.compat.own_configs import offer_own_configs
        offer_own_configs()
        from mmengine.config import Config
        cfg = Config.fromfile({str(path)!r}, import_custom_modules=False)
        print(cfg.model.type, [line for line in cfg.text.splitlines() if '.mim' in line])
    ''')
    assert read.startswith('EGSCIT [') and str(tmp_path / 'egscit_mm' / '.mim') in read


@pytest.mark.parametrize('own, stage_1', [
    ('', REPOSITORY / 'configs/egscit/vaegan_mnist_single.py'),  # the base's
    ("stage1_config = 'egscit_mm::egscit/vaegan_emnist.py'\n",
     REPOSITORY / 'configs/egscit/vaegan_emnist.py'),
    ("stage1_config = 'vaegan_mine.py'\n", 'vaegan_mine.py'),  # beside the config
])
def test_stage_1_of_a_config_elsewhere(tmp_path, monkeypatch, own, stage_1):
    path = child(tmp_path, 'egscit_mm::egscit/egscit_mnist_single.py')
    path.write_text(path.read_text() + own)
    (tmp_path / 'vaegan_mine.py').write_text("_base_ = 'egscit_mm::egscit/vaegan_quickstart.py'\n")
    stage_1 = tmp_path / stage_1
    seen = []

    def stop(stage1, *others):
        seen.append(stage1)
        raise KeyboardInterrupt

    monkeypatch.setitem(train.__globals__, '_stage1_checkpoint', stop)
    with pytest.raises(KeyboardInterrupt):
        train(read_config(path), work_dir=str(tmp_path / 'work'))
    assert seen[0].filename == str(stage_1)
    assert seen[0].work_dir == str(tmp_path / 'work' / stage_1.stem)
