# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""tools/analysis/side_by_side.py on tiny models."""
import json

import pytest
from tiny_data import tiny_model_options
from tool import Tool


@pytest.fixture
def side_by_side():
    return Tool('analysis/side_by_side.py')


def test_all_methods(side_by_side, monkeypatch, tmp_path, capsys):
    module = side_by_side.module
    released = module.config_of

    def tiny(title, size):
        cfg = released(title, size)
        cfg.merge_from_dict(tiny_model_options(module.METHODS[title][size].split('_')[0]))
        return cfg

    monkeypatch.setattr(module, 'config_of', tiny)
    side_by_side('--sizes', '28x28', '--iters', 1, '--processor-time',
                 '--json', tmp_path / 'figures.json')
    figures = json.loads((tmp_path / 'figures.json').read_text())
    rows = {(row['method'], row['kind']): row for row in figures['results']['28x28']}
    assert set(rows) == {(title, kind) for title in module.METHODS
                         for kind in ('update', 'translation')} - {
        ('EGSC-IT, stage 1', 'translation')}  # it only reconstructs
    for row in rows.values():
        assert row['gmacs'] > 0 and row['median_ms'] > 0 and row['trained_parameters'] > 0
        assert row['images_per_second'] == pytest.approx(1e3 / row['median_ms'])
    # Both sides learn, and so does the way back.
    for title in module.METHODS:
        if title != 'EGSC-IT, stage 1':
            assert rows[title, 'update']['gmacs'] > 4 * rows[title, 'translation']['gmacs']
    printed = capsys.readouterr().out
    assert 'One update at 28x28' in printed and '| EGSC-IT, stage 2 |' in printed


@pytest.mark.parametrize('size', ['28x28', '128x256'])
def test_both_updates_of_an_iteration_see_one_minibatch(side_by_side, size):
    for title in side_by_side.module.METHODS:
        model = side_by_side.module.config_of(title, size).model
        if model.type != 'CycleGAN':  # which has no such option
            assert (model.discriminator_steps, model.generator_steps, model.split_batch) == (
                1, 1, False)


def test_unknown_sizes_are_refused(side_by_side):
    with pytest.raises(SystemExit, match='2'):
        side_by_side('--sizes', '64x64')
