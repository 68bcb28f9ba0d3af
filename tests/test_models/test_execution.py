# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Options that change how the networks compute leave the numbers as they are."""
import pytest
import torch
from tiny_models import (
    PERCEPTUAL_LOSS,
    changed,
    optim_wrappers,
    random_batch,
    tiny_augmented,
    tiny_cddit,
    tiny_drit,
    tiny_egscit,
    tiny_munit,
    tiny_vaegan,
)

# Traces as compilation does, and computes as PyTorch does: without a C++ compiler.
TRACED = dict(backend='aot_eager')
SHALLOW = dict(PERCEPTUAL_LOSS, content_layers=dict(relu2_1=1.), style_layers=dict(relu1_1=1.))
EMA = dict(type='mmengine.ExponentialMovingAverage', momentum=0.25)


def trained(build, latent_noise, **kwargs):
    """Loss and weights in float64 after an iteration."""
    model = build(**kwargs).double().train()
    if latent_noise is not None:
        model.generators.latent_noise = latent_noise
    torch.manual_seed(1)
    logs = model.train_step(random_batch(6), optim_wrappers(model))
    return logs['loss_g'], model.state_dict()


@pytest.mark.parametrize('build, latent_noise, kwargs', [
    (tiny_egscit, 1., dict(
        generator=dict(activation_checkpointing=True),
        perceptual_loss=dict(PERCEPTUAL_LOSS, activation_checkpointing=True))),
    (tiny_vaegan, 1., dict(activation_checkpointing=True)),
    (tiny_munit, None, dict(activation_checkpointing=True)),
    (tiny_drit, None, dict(generator=dict(activation_checkpointing=True))),
    (tiny_augmented, None, dict(activation_checkpointing=True)),
    (tiny_cddit, None, dict(activation_checkpointing=True)),
], ids=['egscit', 'vaegan', 'munit', 'drit', 'augmented', 'cddit'])
def test_activation_checkpointing_changes_no_bit(build, latent_noise, kwargs):
    plain = trained(build, latent_noise)  # with noise: it must not be drawn twice
    checkpointed = trained(build, latent_noise, **kwargs)
    assert checkpointed[0] == plain[0]
    assert changed(plain[1], checkpointed[1]) == []


@pytest.mark.parametrize('build', [tiny_egscit, tiny_vaegan])
def test_channels_last(build):
    loss, state = trained(build, 1.)
    other_loss, other_state = trained(build, 1., channels_last=True)
    assert other_loss == pytest.approx(loss, rel=1e-6)
    assert state.keys() == other_state.keys()
    assert any(value.ndim == 4 and not value.is_contiguous() for value in other_state.values())
    for name, value in state.items():
        torch.testing.assert_close(other_state[name], value, rtol=0, atol=1e-6, msg=name)


@pytest.mark.parametrize('build, kwargs', [
    (tiny_egscit, dict(ema_config=EMA, generator=dict(activation_checkpointing=True),
                       channels_last=True, perceptual_loss=SHALLOW)),
    (tiny_vaegan, {}),
    (tiny_drit, {}),
    (tiny_cddit, {}),  # second derivatives, which compiled critics do not have
])
def test_compilation(build, kwargs):
    loss, state = trained(build, 0., **kwargs)
    torch._dynamo.utils.counters.clear()
    compiled_loss, compiled_state = trained(build, 0., compile=TRACED, **kwargs)
    assert torch._dynamo.utils.counters['stats']['unique_graphs'] > 0
    assert not torch._dynamo.utils.counters['graph_break']
    assert compiled_loss == pytest.approx(loss, rel=1e-10)
    assert state.keys() == compiled_state.keys()
    for name, value in state.items():
        torch.testing.assert_close(compiled_state[name], value, rtol=0, atol=1e-10, msg=name)


def test_only_training_compiles():
    model = tiny_egscit(compile=TRACED).eval()
    torch._dynamo.utils.counters.clear()
    model.test_step(random_batch(2))
    assert not torch._dynamo.utils.counters['stats']
