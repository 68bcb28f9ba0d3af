# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Options that change how the networks compute leave the numbers as they are."""
import pytest
import torch
from tiny_models import (
    PERCEPTUAL_LOSS,
    changed,
    optim_wrappers,
    random_batch,
    tiny_egscit,
    tiny_vaegan,
)


def trained(build, latent_noise, **kwargs):
    """Loss and weights in float64 after an iteration."""
    model = build(**kwargs).double().train()
    model.generators.latent_noise = latent_noise
    torch.manual_seed(1)
    logs = model.train_step(random_batch(6), optim_wrappers(model))
    return logs['loss_g'], model.state_dict()


def test_activation_checkpointing_changes_no_bit():
    plain = trained(tiny_egscit, 1.)  # with noise: it must not be drawn twice
    checkpointed = trained(
        tiny_egscit, 1., generator=dict(activation_checkpointing=True),
        perceptual_loss=dict(PERCEPTUAL_LOSS, activation_checkpointing=True))
    assert checkpointed[0] == plain[0]
    assert changed(plain[1], checkpointed[1]) == []


@pytest.mark.parametrize('build', [tiny_egscit, tiny_vaegan])
def test_channels_last(build):
    # Without noise: it is drawn in the order of the memory.
    loss, state = trained(build, 0.)
    other_loss, other_state = trained(build, 0., channels_last=True)
    assert other_loss == pytest.approx(loss, rel=1e-6)
    assert state.keys() == other_state.keys()
    assert any(value.ndim == 4 and not value.is_contiguous() for value in other_state.values())
    for name, value in state.items():
        torch.testing.assert_close(other_state[name], value, rtol=0, atol=1e-6, msg=name)
