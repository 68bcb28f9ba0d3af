# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""tools/benchmark.py, and that what it compares with computes the same."""
import json
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from tiny_data import tiny_model_options, tiny_options, write_tiny_digits
from tiny_models import optim_wrappers, random_batch, random_images, tiny_egscit
from tool import Tool

TOOLS = Path(__file__).parents[2] / 'tools'
CONFIGS = TOOLS.parent / 'configs' / 'egscit'


def load(name, monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return Tool(f'{name}.py').module


def noiseless_pair(**kwargs):
    """Twice the same model in float64, without noise."""
    models = [tiny_egscit(**kwargs).double() for _ in range(2)]
    for model in models:
        model.generators.latent_noise = 0.
    return models


@pytest.mark.parametrize('kwargs', [
    {}, dict(generator=dict(eta=1)), dict(generator=dict(adain='std')),
    dict(generator=dict(eta=1, adain=None), perceptual_loss=None)],
    ids=['egscit', 'no mask', 'std', 'unit'])
def test_naive_losses_equal_ours(monkeypatch, kwargs):
    naive = load('naive_egscit', monkeypatch)
    model, _ = noiseless_pair(**kwargs)
    images = random_images(2, size=32, dtype=torch.float64)
    for side in ('discriminator', 'generator'):
        ours = getattr(model, f'{side}_losses')(images)
        written_out = getattr(naive, f'{side}_losses')(model, images)
        assert {name for name in ours if 'loss' in name} == written_out.keys()
        for name, value in written_out.items():
            # Losses are in float32 or wider, Gram matrices and norms in float64 here.
            torch.testing.assert_close(
                ours[name].double(), value.double(), rtol=1e-10, atol=0, msg=name)


def test_naive_iterations_end_with_our_weights(monkeypatch):
    naive = load('naive_egscit', monkeypatch)
    ours, written_out = noiseless_pair()
    wrappers = [optim_wrappers(model) for model in (ours, written_out)]
    before = {name: value.clone() for name, value in ours.generators.named_parameters()}
    for seed in range(2):
        ours.train_step(random_batch(12, seed=seed), wrappers[0])
        naive.train_step(written_out, random_batch(12, seed=seed), wrappers[1])
    state = written_out.state_dict()
    for name, value in ours.state_dict().items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=1e-9, msg=name)
    assert any(not torch.equal(before[name], value)
               for name, value in ours.generators.named_parameters())


@pytest.mark.parametrize('stage, arguments, rows', [
    ('egscit', ['--compare', 'naive'], ['ours', 'naive']),
    ('vaegan', ['--compare', 'channels_last', 'checkpointing', 'foreach', 'fused', 'accumulation',
                'amp+foreach'],
     ['ours', 'channels_last', 'checkpointing', 'foreach', 'fused', 'accumulation',
      'amp+foreach']),
    ('egscit', ['--naive'], ['naive']),
    ('egscit', [], ['ours', 'one discriminator update', 'one generator update']),
    ('vaegan', [], ['ours', 'one discriminator update', 'one generator update']),
    ('egscit', ['--part', 'infer'], ['translation']),
    ('egscit', ['--part', 'flows'], ['reconstruction', 'translation', 'translation + cycle',
                                     'reconstruction + translation + cycle']),
])
def test_benchmark(monkeypatch, tmp_path, capsys, stage, arguments, rows):
    benchmark = load('benchmark', monkeypatch)
    monkeypatch.setattr(benchmark, 'CEILING_SECONDS', 0.01)
    # Minutes in bfloat16 on a CPU that only emulates it.
    monkeypatch.setattr(benchmark, 'CEILING_MATRIX', 64)
    monkeypatch.setattr(benchmark, 'CEILING_IMAGES', (1, 8, 16, 16))
    write_tiny_digits(tmp_path / 'data')
    cfg = Config.fromfile(CONFIGS / f'{stage}_mnist_single.py')
    options = {**tiny_options(tmp_path / 'data'), **tiny_model_options(stage)}
    cfg.merge_from_dict({key: value for key, value in options.items() if 'test_' not in key})
    cfg.dump(tmp_path / 'config.py')
    monkeypatch.setattr(sys, 'argv', [
        'benchmark.py', str(tmp_path / 'config.py'), '--minibatch', '2', '--iters', '1', '--warmup',
        '1', '--json', str(tmp_path / 'figures.json'), *arguments])
    benchmark.main()
    figures = json.loads((tmp_path / 'figures.json').read_text())
    assert figures['size'] == [28, 28]
    assert list(figures['results']) == rows
    for row in figures['results'].values():
        assert 0 < row['min_ms'] <= row['median_ms'] <= row['max_ms']
        assert row['gmacs'] > 0 and row['step_mb'] >= 0
        assert row['peak_mb'] is None if '--compare' in arguments else row['peak_mb'] > 0
    printed = capsys.readouterr().out
    assert all(f'| {row} |' in printed for row in rows)
    if rows == ['ours', 'naive']:
        assert figures['results']['naive']['gmacs'] > figures['results']['ours']['gmacs']
        assert figures['results']['ours']['of_our_time'] == 1
        assert figures['results']['naive']['of_our_time'] > 0


def test_refusals(monkeypatch, tmp_path):
    benchmark = load('benchmark', monkeypatch)

    def run(config, *arguments):
        monkeypatch.setattr(sys, 'argv', ['benchmark.py', str(CONFIGS / config), *arguments])
        benchmark.main()

    options = ['--cfg-options', f'train_dataloader.dataset.data_root={tmp_path}']
    with pytest.raises(SystemExit, match='give --size H W'):
        run('egscit_mnist_single.py', *options)
    with pytest.raises(SystemExit, match='--part infer needs a config of EGSCIT'):
        run('vaegan_mnist_single.py', '--part', 'infer', '--size', '28', '28')
    with pytest.raises(SystemExit, match='no_ema: this config averages no weights'):
        run('vaegan_mnist_single.py', '--compare', 'no_ema', '--size', '28', '28')
    with pytest.raises(SystemExit, match='those of EGSCIT, not of VAEGAN'):
        run('vaegan_mnist_single.py', '--compare', 'naive', '--size', '28', '28')
    for unknown in ('fast', 'amp+naive'):
        with pytest.raises(SystemExit, match='2'):
            run('vaegan_mnist_single.py', '--compare', unknown, '--size', '28', '28')
