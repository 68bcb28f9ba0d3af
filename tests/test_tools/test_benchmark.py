# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""tools/benchmark.py, and that what it compares with computes the same."""
import copy
import inspect
import json
import re
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from tiny_data import tiny_model_options, tiny_options, write_tiny_digits
from tiny_models import (
    DISCRIMINATOR,
    PERCEPTUAL_LOSS,
    networks,
    optim_wrappers,
    random_batch,
    random_images,
    tiny_egscit,
)
from tool import Tool

from egscit_mm.models import (
    EGSCIT,
    AlternatingGAN,
    ExemplarTranslationModel,
    ExemplarTranslator,
    VGGPerceptualLoss,
)

TOOLS = Path(__file__).parents[2] / 'tools'
CONFIGS = TOOLS.parent / 'configs' / 'egscit'


def load(name, monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return Tool(f'{name}.py').module


LAYERS = dict(content_layers=dict(relu2_1=0.7, relu1_1=2.), style_layers=dict(relu1_1=0.3))
EMA = dict(type='mmengine.ExponentialMovingAverage', momentum=0.25)
WEIGHTS = dict(gan=3., reconstruction=7., kl=0.3, cycle=20., cycle_kl=0.2)
# Every option of the model, its generator side and its perceptual loss: with another value than
# the default, or refused, or without a part in an update.
FOLLOWED = {
    'default': {},
    'discriminator': dict(discriminator=dict(DISCRIMINATOR, base_channels=6, num_convs=1)),
    'encoder, decoder': dict(generator=dict(width=6)),
    'decoder.tanh_scale': dict(generator=dict(
        decoder=dict(networks()['decoder'], tanh_scale=1.3))),
    'domains': dict(domains=('A', 'B', 'C')),
    'loss_weights': dict(loss_weights=WEIGHTS),
    'discriminator_steps, generator_steps': dict(discriminator_steps=3, generator_steps=1),
    'split_batch': dict(split_batch=False),
    'channels_last': dict(channels_last=True),
    'frozen_modules': dict(frozen_modules=['generators.encoders.A', 'discriminators.networks.B']),
    'ema_config': dict(ema_config=EMA),
    'smooth_l1_beta': dict(smooth_l1_beta=0.4),
    'eta': dict(generator=dict(eta=0.2)),
    'eta of 1': dict(generator=dict(eta=1)),
    'adain': dict(generator=dict(adain='std')),
    'adain var': dict(generator=dict(adain='var')),
    'no adain': dict(generator=dict(adain=None)),
    'unit': dict(generator=dict(eta=1, adain=None)),
    'latent_noise': dict(generator=dict(latent_noise=0.5)),
    'no latent_noise': dict(generator=dict(latent_noise=0.)),
    'cycle_mask': dict(generator=dict(cycle_mask='original')),
    'detach_cycle': dict(generator=dict(detach_cycle=True)),
    'perceptual_loss': dict(perceptual_loss=None),
    'content_weight, style_weight, base_channels': dict(perceptual_loss=dict(
        PERCEPTUAL_LOSS, content_weight=3., style_weight=2., base_channels=3)),
    'content_layers, style_layers': dict(perceptual_loss=dict(PERCEPTUAL_LOSS, **LAYERS)),
    'arch': dict(perceptual_loss=dict(PERCEPTUAL_LOSS, arch='vgg16')),
    'no content_layers': dict(perceptual_loss=dict(PERCEPTUAL_LOSS, content_layers={})),
}
REFUSED = {
    'compile': dict(compile=True),
    'skip_non_finite': dict(skip_non_finite=True),
    'generator.activation_checkpointing': dict(generator=dict(activation_checkpointing=True)),
    'perceptual_loss.activation_checkpointing': dict(perceptual_loss=dict(
        PERCEPTUAL_LOSS, activation_checkpointing=True)),
}
# Where weights come from, what is done to the batch before, what inference does.
NO_PART = {'generator', 'feature_checkpoint', 'pretrained', 'equal_start', 'data_preprocessor',
           'default_domain'}


def test_every_option_is_followed_or_refused():
    names = {name for key in (*FOLLOWED, *REFUSED) for name in re.findall(r'\w+', key)} | NO_PART
    for cls in (EGSCIT, ExemplarTranslationModel, AlternatingGAN, ExemplarTranslator,
                VGGPerceptualLoss):
        options = set(inspect.signature(cls).parameters) - {'args', 'kwargs'}
        assert options <= names, cls


@pytest.fixture(params=FOLLOWED)
def pair(request, monkeypatch):
    """Twice the same model in float64; its noise depends on the latent alone, not on its turn.

    Where the number of updates is not what is compared, there are few.
    """
    # The first compilation of a process lists PyTorch's functions: all of them, for later tests.
    torch.compile(torch.sin, backend='eager')(torch.zeros(1))
    monkeypatch.setattr(torch, 'randn_like', lambda x, **kwargs: (9 * x).sin())
    options = {} if request.param == 'default' else dict(generator_steps=2)
    options.update(copy.deepcopy(FOLLOWED[request.param]))
    return [tiny_egscit(**options).double() for _ in range(2)]


def test_naive_losses_and_gradients_equal_ours(monkeypatch, pair):
    naive = load('naive_egscit', monkeypatch)
    ours, written_out = pair
    images = random_images(2, size=32, dtype=torch.float64, domains=ours.domains)
    for image in images.values():
        image[:, :, :16] = image[:, :, :16].sign()  # black, white and pure colours
    for side in ('discriminator', 'generator'):
        losses = getattr(ours, f'{side}_losses')(images)
        losses = {name: value for name, value in losses.items() if 'loss' in name}
        same = getattr(naive, f'{side}_losses')(written_out, images)
        assert losses.keys() == same.keys()
        for name, value in losses.items():
            torch.testing.assert_close(same[name], value, rtol=1e-9, atol=0, msg=name)
        for model, terms in ((ours, losses), (written_out, same)):
            model.zero_grad()
            sum(terms.values()).backward()
        parameters = zip(getattr(ours, f'{side}s').named_parameters(),
                         getattr(written_out, f'{side}s').parameters(), strict=True)
        for (name, parameter), other in parameters:
            torch.testing.assert_close(
                other.grad, parameter.grad, rtol=1e-9, atol=1e-12, msg=name)


def test_naive_iterations_end_with_our_weights(monkeypatch, pair):
    naive = load('naive_egscit', monkeypatch)
    ours, written_out = pair
    # Not Adam, which makes a whole step of a gradient that is rounding alone: a bias before AdaIN.
    # Small steps: without a mask, gradients of the release's AdaIN explode.
    wrappers = [optim_wrappers(model, lr=1e-6, optimizer=torch.optim.SGD)
                for model in (ours, written_out)]
    before = {name: value.clone() for name, value in ours.generators.named_parameters()}
    updates = ours.discriminator_steps + ours.generator_steps
    for seed in range(2):
        batch = random_batch(2 * updates, seed=seed, domains=ours.domains)
        ours.train_step(copy.deepcopy(batch), wrappers[0])
        naive.train_step(written_out, batch, wrappers[1])
    state = written_out.state_dict()
    for name, value in ours.state_dict().items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=1e-9, msg=name)
    assert any(not torch.equal(before[name], value)
               for name, value in ours.generators.named_parameters())


@pytest.mark.parametrize('option', REFUSED)
def test_naive_updates_refuse_what_they_have_not(monkeypatch, option):
    naive = load('naive_egscit', monkeypatch)
    model = tiny_egscit(**REFUSED[option])
    with pytest.raises(ValueError, match=f'naive updates have no {option}: leave it'):
        naive.train_step(model, random_batch(6), optim_wrappers(model))


def test_naive_updates_refuse_accumulation(monkeypatch):
    naive = load('naive_egscit', monkeypatch)
    model = tiny_egscit()
    with pytest.raises(ValueError, match='optim_wrapper.generators.accumulative_counts'):
        naive.train_step(model, random_batch(12), optim_wrappers(model, accumulative_counts=2))


def run_tiny(benchmark, monkeypatch, folder, stage, *arguments):
    """Figures of a tiny model."""
    write_tiny_digits(folder / 'data')
    cfg = Config.fromfile(CONFIGS / f'{stage}_mnist_single.py')
    options = {**tiny_options(folder / 'data'), **tiny_model_options(stage)}
    cfg.merge_from_dict({key: value for key, value in options.items() if 'test_' not in key})
    cfg.dump(folder / 'config.py')
    monkeypatch.setattr(sys, 'argv', [
        'benchmark.py', str(folder / 'config.py'), '--minibatch', '2',
        '--json', str(folder / 'figures.json'), *arguments])
    benchmark.main()
    return json.loads((folder / 'figures.json').read_text())


@pytest.mark.parametrize('stage, arguments, rows', [
    ('egscit', ['--compare', 'naive'], ['ours', 'naive']),
    ('vaegan', ['--compare', 'channels_last', 'checkpointing', 'foreach', 'fused', 'accumulation',
                'amp+foreach'],
     ['ours', 'channels_last', 'checkpointing', 'foreach', 'fused', 'accumulation',
      'amp+foreach']),
    ('egscit', ['--naive'], ['naive']),
    ('egscit', [], ['ours', 'one discriminator update', 'one generator update']),
    ('vaegan', [], ['ours', 'one discriminator update', 'one generator update']),
    ('drit', [], ['ours', 'one content_discriminator update', 'one discriminator update',
                  'one generator update', 'one random_generator update']),
    ('egscit', ['--part', 'infer'], ['ours']),
    ('egscit', ['--part', 'infer', '--compare', 'bf16+channels_last'],
     ['ours', 'bf16+channels_last']),
    ('egscit', ['--part', 'flows', '--processor-time'], [
        'reconstruction', 'translation', 'translation + cycle',
        'reconstruction + translation + cycle']),
])
def test_benchmark(monkeypatch, tmp_path, capsys, stage, arguments, rows):
    benchmark = load('benchmark', monkeypatch)
    monkeypatch.setattr(benchmark, 'CEILING_SECONDS', 0.01)
    # Minutes in bfloat16 on a CPU that only emulates it.
    figures = run_tiny(benchmark, monkeypatch, tmp_path, stage, '--iters', '1', '--warmup', '1',
                       '--ceiling', '64', *arguments)
    assert figures['size'] == [28, 28]
    assert figures['processor_time'] == ('--processor-time' in arguments)
    assert list(figures['results']) == rows
    for row in figures['results'].values():
        assert 0 < row['min_ms'] <= row['median_ms'] <= row['max_ms']
        assert row['gmacs'] > 0 and row['step_mb'] >= 0
        assert row['images_per_second'] > 0 and row['share_of_convolution_speed'] > 0
        assert row['peak_mb'] is None if '--compare' in arguments else row['peak_mb'] > 0
    printed = capsys.readouterr().out
    assert all(f'| {row} |' in printed for row in rows)
    if rows == ['ours', 'naive']:
        assert figures['results']['naive']['gmacs'] > figures['results']['ours']['gmacs']
        assert figures['results']['ours']['of_our_time'] == 1
        assert figures['results']['naive']['of_our_time'] > 0


def test_compilation_is_counted_and_named(monkeypatch, tmp_path):
    """Its multiply-adds are those of the same networks, and its settings those to train with."""
    benchmark = load('benchmark', monkeypatch)
    monkeypatch.setitem(benchmark.OPTIONS, 'compile', {'model.compile.backend': 'eager'})
    figures = run_tiny(benchmark, monkeypatch, tmp_path, 'vaegan', '--iters', '1', '--warmup', '1',
                       '--ceiling', '0', '--compare', 'compile+bf16')['results']
    assert figures['compile+bf16']['gmacs'] == pytest.approx(figures['ours']['gmacs'])
    assert figures['compile+bf16']['settings'] == {
        'model.compile.backend': 'eager',
        'optim_wrapper.generators.type': 'AutocastOptimWrapper',
        'optim_wrapper.discriminators.type': 'AutocastOptimWrapper'}
    assert figures['compile+bf16']['dtype'] == 'bfloat16' and figures['ours']['settings'] == {}
    assert 'share_of_convolution_speed' not in figures['ours']


@pytest.mark.parametrize('room, limit, expected, ended_by', [
    (5, None, 5, 'memory'), (16, None, 16, 'memory'), (27, None, 24, 'memory'),
    (1, None, 1, 'memory'), (0, None, 0, 'memory'), (99, 6, 4, 'limit')])
def test_largest_minibatch(monkeypatch, room, limit, expected, ended_by):
    """Doubled until memory ends, then narrowed to an eighth."""
    benchmark = load('benchmark', monkeypatch)
    model = tiny_egscit()

    def update(side, images):
        assert side == 'generator_steps' and list(images) == ['A', 'B']
        if len(images['A']) > room:
            raise torch.OutOfMemoryError

    monkeypatch.setattr(benchmark, 'update_function', lambda cfg, device: (model, update))
    monkeypatch.setattr(benchmark, 'reset_peak', lambda device: 0.)
    found = benchmark.largest_minibatch(None, 'cpu', [16, 16], limit)
    assert (found['minibatch'], found['ended_by']) == (expected, ended_by)
    assert (found['peak_mb'] > 0) == (expected > 0)


def test_largest_minibatch_of_a_config(monkeypatch, tmp_path, capsys):
    benchmark = load('benchmark', monkeypatch)
    figures = run_tiny(benchmark, monkeypatch, tmp_path, 'vaegan', '--part', 'largest')
    assert (figures['minibatch'], figures['ended_by']) == (2, 'limit')
    assert 'Largest minibatch: 2, ended by limit' in capsys.readouterr().out


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
    with pytest.raises(SystemExit, match='foreach, naive: no way to translate'):
        run('egscit_mnist_single.py', '--part', 'infer', '--compare', 'foreach', 'naive')
    with pytest.raises(SystemExit, match='--compare with that and with --part infer'):
        run('egscit_mnist_single.py', '--part', 'flows', '--compare', 'amp')
    if not torch.cuda.is_available():
        with pytest.raises(SystemExit, match='give --minibatch N, where it ends'):
            run('egscit_mnist_single.py', '--part', 'largest')
    with pytest.raises(SystemExit, match='no_ema: this config averages no weights'):
        run('vaegan_mnist_single.py', '--compare', 'no_ema', '--size', '28', '28')
    with pytest.raises(SystemExit, match='naive updates have no compile'):
        run('egscit_mnist_single.py', '--compare', 'naive', '--size', '28', '28', '--cfg-options',
            'model.compile=True')
    with pytest.raises(SystemExit, match='those of EGSCIT, not of VAEGAN'):
        run('vaegan_mnist_single.py', '--compare', 'naive', '--size', '28', '28')
    for unknown in ('fast', 'amp+naive'):
        with pytest.raises(SystemExit, match='2'):
            run('vaegan_mnist_single.py', '--compare', unknown, '--size', '28', '28')
