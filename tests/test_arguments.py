# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The command lines: they are read at once, and know what the package knows."""
import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tool import Tool

from egscit_arguments import IMAGE_FORMATS, add_config_options, config_options
from egscit_mm.apis.publish import DTYPES, WEIGHTS
from egscit_mm.apis.translate import PAIRINGS
from egscit_mm.datasets.conversion import FORMATS
from egscit_mm.datasets.digits import STYLES
from egscit_mm.datasets.digits.characters import IDX_SOURCES
from egscit_mm.evaluation.paper import SSIM

REPOSITORY = Path(__file__).parents[1]
SCRIPTS = sorted(path.relative_to(REPOSITORY).as_posix()
                 for folder in ('tools', 'demo') for path in (REPOSITORY / folder).rglob('*.py')
                 if 'def parse_args' in path.read_text())


@pytest.fixture(scope='module')
def nothing_heavy(tmp_path_factory):
    """An environment in which what takes long to import cannot be imported."""
    folder = tmp_path_factory.mktemp('light')
    for name in ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmagic', 'egscit_mm', 'numpy', 'cv2',
                 'PIL', 'gradio', 'mlxtend', 'sklearn', 'matplotlib'):
        (folder / f'{name}.py').write_text(f'raise SystemExit("{name} was imported")')
    return {**os.environ, 'PYTHONPATH': os.pathsep.join(map(str, [folder, REPOSITORY]))}


@pytest.mark.parametrize('script', SCRIPTS)
def test_help_and_mistakes_are_answered_before_any_slow_import(nothing_heavy, script):
    for words, status, sentence in (
            (['--help'], 0, 'usage: '), (['--no-such-option'], 2, 'usage: '),
            # An unset variable of the shell: as a path it would be the current folder.
            (['--out', ''], 2, "the argument after '--out' is empty"),
            (['a', 'b', '--out='], 2, '--out is empty')):
        result = subprocess.run([sys.executable, script, *words], cwd=REPOSITORY, text=True,
                                env=nothing_heavy, capture_output=True, timeout=60)
        assert result.returncode == status and sentence in result.stdout + result.stderr, result


def test_ctrl_c_during_the_imports_leaves_no_traceback(tmp_path):
    (tmp_path / 'egscit_mm.py').write_text('raise KeyboardInterrupt')
    env = {**os.environ, 'PYTHONPATH': os.pathsep.join(map(str, [tmp_path, REPOSITORY]))}
    words = ['c', 'k', '--content', 'a', '--exemplar', 'b', '--out', 'o']
    result = subprocess.run([sys.executable, 'tools/translate.py', *words], cwd=REPOSITORY,
                            text=True, env=env, capture_output=True, timeout=60)
    assert result.stderr == 'Interrupted.\n' and result.returncode


def test_all_scripts_are_there():
    assert len(SCRIPTS) >= 19


def read(tool, *words):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', [tool.path.name, *words])
        return tool.module.parse_args()


@pytest.mark.parametrize('path, words, option, choices', [
    ('translate.py', ['c', 'k', '--content', 'a', '--exemplar', 'b', '--out', 'o'], '--pairing',
     PAIRINGS),
    ('report.py', ['c', 'k', '--out', 'o'], '--paper-task',
     [*SSIM, 'none']),
    ('model_converters/publish_model.py', ['k', 'o'], '--weights', WEIGHTS),
    ('model_converters/publish_model.py', ['k', 'o'], '--dtype', DTYPES),
    ('dataset_converters/mnist.py', ['--root', 'r', '--out', 'o'], '--source', IDX_SOURCES),
    ('dataset_converters/folders.py',
     ['--domain', 'A', 'a', '--domain', 'B', 'b', '--out', 'o', '--size', '8', '8'], '--format',
     FORMATS)])
def test_choices_are_those_of_the_package(path, words, option, choices, capsys):
    tool = Tool(path)
    for choice in choices:
        read(tool, *words, option, choice)
    with pytest.raises(SystemExit):
        read(tool, *words, option, 'another')
    offered = capsys.readouterr().err.splitlines()[-1]
    assert all(choice in offered for choice in choices)


def test_what_else_the_command_lines_repeat():
    assert list(IMAGE_FORMATS) == list(FORMATS)
    mnist = Tool('dataset_converters/mnist.py').module
    assert list(mnist.DOMAINS) == list(STYLES)
    assert set(mnist.DEFAULT_NUM_TEST) == {*IDX_SOURCES, 'digits'}
    assert list(mnist.PLANS) == list(mnist.TASKS)


def test_an_open_bracket_in_a_config_option_is_named():
    with pytest.raises(SystemExit, match=r'--cfg-options: Imbalanced brackets exist in \[1,2'):
        config_options(['model.domains=[1,2'])


def test_config_options_are_read_as_mmengine_does():
    parser = argparse.ArgumentParser()
    add_config_options(parser)
    assert config_options(parser.parse_args([]).cfg_options) == {}
    words = ['--cfg-options', 'a.b=1', 'c=[1,(2,x)]', '--cfg-options', 'a.b=-2', 'd=', 'e=f=None']
    assert config_options(parser.parse_args(words).cfg_options) == {
        'a.b': -2, 'c': [1, (2, 'x')], 'd': '', 'e': 'f=None'}


@pytest.mark.parametrize('word', ['train_cfg.max_iters', '=3'])
def test_a_config_option_without_key_or_value_is_refused(word, capsys):
    parser = argparse.ArgumentParser()
    add_config_options(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(['--cfg-options', word])
    assert f"must be KEY=VALUE, got '{word}'" in capsys.readouterr().err


