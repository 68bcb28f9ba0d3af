# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Wrong settings on command lines, and mistakes that are not the user's."""
from pathlib import Path

import pytest
import torch
from tool import Tool

from egscit_mm.utils.cli import exit_with

CONFIGS = Path(__file__).parents[2] / 'configs' / 'egscit'


@pytest.mark.parametrize('name, arguments', [
    ('train', ['--cfg-options', 'model.generator.etta=1']),
    ('train', ['--cfg-options', 'train_cfg.max_iters.x=1']),
    ('train', ['--cfg-options', 'val_evaluator.type.x.y=1']),
    ('train', ['--cfg-options', 'custom_hooks.7.interval=1']),
    ('train', ['--cfg-options', 'model.generator.eta=4']),
    ('test', ['CHECKPOINT', '--cfg-options', 'model.generator.etta=1']),
    ('test', ['none.pth']),
    ('test', ['CHECKPOINT', '--out', '.']),
])
def test_tools_end_with_a_sentence(name, arguments, tmp_path, monkeypatch):
    config, checkpoint = tmp_path / 'egscit_tiny.py', tmp_path / 'any.pth'
    config.write_text(f"_base_ = '{CONFIGS / 'egscit_mnist_single.py'}'\nstage1_config = None\n")
    torch.save({}, checkpoint)
    monkeypatch.chdir(tmp_path)
    words = [str(checkpoint) if word == 'CHECKPOINT' else word for word in arguments]
    with pytest.raises(SystemExit) as exit_:
        exit_with(lambda: Tool(f'{name}.py')(config, *words))
    assert str(exit_.value.code).startswith('Error: ') and '\n' not in exit_.value.code
    assert arguments[-1].partition('=')[0].split('.')[0] in exit_.value.code


def test_command_lines_keep_the_traceback_of_mistakes_in_the_program():
    def main():
        return [][1]

    with pytest.raises(IndexError):
        exit_with(main)
