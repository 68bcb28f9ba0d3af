# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import pytest
import torch
from mmagic.registry import MODELS
from tiny_models import (
    DOMAINS,
    changed,
    coarse_batch,
    munit_cfg,
    optim_wrappers,
    random_images,
    tiny_munit,
)
from torch import nn

F64 = torch.float64
EMA = dict(type='mmengine.ExponentialMovingAverage', momentum=0.25)
CYCLE = dict(cycle=10.)


# ------------------------------------------------------------------------------------- losses
@pytest.mark.parametrize('training', [True, False])
def test_generator_losses_equal_the_written_out_ones(training):
    weights = dict(gan=2., reconstruction=3., content_code=5., style_code=7., cycle=11.)
    model = tiny_munit(loss_weights=weights).double().train(training)
    images = random_images(dtype=F64)
    torch.manual_seed(5)
    losses = model.generator_losses(images)
    torch.manual_seed(5)
    outputs = model.generators(images)
    expected = {
        f'loss_reconstruction_{d}': 3 * (outputs['reconstruction'][d] - images[d]).abs().mean()
        for d in DOMAINS
    }
    for s, t in (('A', 'B'), ('B', 'A')):
        score = model.discriminators.networks[t](outputs['translation'][s, t])
        expected[f'loss_gan_g_{t}'] = 2 * ((score - 1)**2).mean()
        expected[f'loss_content_code_{s}2{t}'] = 5 * (
            outputs['recovered_content'][s, t] - outputs['content'][s]).abs().mean()
        expected[f'loss_style_code_{s}2{t}'] = 7 * (
            outputs['recovered_style'][s, t] - outputs['translation_style'][s, t]).abs().mean()
        expected[f'loss_cycle_{s}2{t}'] = 11 * (outputs['cycle'][s, t] - images[s]).abs().mean()
    torch.testing.assert_close(losses, expected, rtol=1e-5, atol=0, check_dtype=False)


def test_losses_of_known_outputs():
    """Constant outputs, so that every term is a number that a human can check."""
    model = tiny_munit(loss_weights=CYCLE)
    images = {domain: torch.full((1, 3, 16, 16), value) for domain, value in
              (('A', 0.5), ('B', -0.5))}
    directions = {('A', 'B'): 0.25, ('B', 'A'): -1.}
    outputs = dict(
        content={'A': torch.zeros(1, 4, 8, 8), 'B': torch.ones(1, 4, 8, 8)},
        reconstruction={d: torch.zeros(1, 3, 16, 16) for d in DOMAINS},
        translation={key: torch.zeros(1, 3, 16, 16) for key in directions},
        translation_style={key: torch.full((1, 3), value) for key, value in directions.items()},
        recovered_content={key: torch.full((1, 4, 8, 8), 0.75) for key in directions},
        recovered_style={key: torch.zeros(1, 3) for key in directions},
        cycle={key: torch.full((1, 3, 16, 16), 0.25) for key in directions})
    model.generators.forward = lambda images, flows: outputs
    model.discriminators.forward = lambda images: {
        domain: torch.full((1, 1, 4, 4), 3.) for domain in images}
    losses = {name: value.item() for name, value in model.generator_losses(images).items()}
    assert losses == pytest.approx({
        'loss_gan_g_A': 4., 'loss_gan_g_B': 4.,  # (3 - 1)^2
        'loss_reconstruction_A': 5., 'loss_reconstruction_B': 5.,  # 10 * 0.5
        'loss_content_code_A2B': 0.75, 'loss_content_code_B2A': 0.25,
        'loss_style_code_A2B': 0.25, 'loss_style_code_B2A': 1.,
        'loss_cycle_A2B': 2.5, 'loss_cycle_B2A': 7.5,
    })


def test_discriminator_losses_equal_the_written_out_ones():
    model = tiny_munit(loss_weights=dict(gan=2.)).double().eval()
    images = random_images(dtype=F64)
    losses = model.discriminator_losses(images)
    assert {name for name in losses if 'loss' in name} == {'loss_gan_d_A', 'loss_gan_d_B'}
    for s, t in (('A', 'B'), ('B', 'A')):
        network = model.discriminators.networks[t]
        fake = model.generators.translate(images[s], images[t], s, t)
        expected = 2 * 0.5 * (((network(images[t]) - 1)**2).mean() + (network(fake)**2).mean())
        torch.testing.assert_close(losses[f'loss_gan_d_{t}'].double(), expected, rtol=1e-5, atol=0)


def test_default_loss_weights_are_the_papers():
    assert tiny_munit().loss_weights == dict(
        gan=1., reconstruction=10., content_code=1., style_code=1., cycle=0.)
    with pytest.raises(ValueError, match=r"unknown keys \['kl'\]"):
        tiny_munit(loss_weights=dict(kl=1.))


def test_no_cycle_is_computed_where_it_has_no_weight():
    passes = []
    for weights in ({}, CYCLE):
        model = tiny_munit(loss_weights=weights)
        model.generators.decoders['A'].register_forward_pre_hook(lambda *args: passes.append(1))
        losses = model.generator_losses(random_images())
        assert ('loss_cycle_A2B' in losses) == bool(weights)
        passes.append('|')
    assert passes == [1, 1, '|', 1, 1, 1, '|']  # reconstruction, translation; with cycle


def test_relabelling_the_domains_swaps_the_losses():

    def relabelled(text):
        return ''.join({'A': 'B', 'B': 'A'}.get(letter, letter) for letter in text)

    model, twin = (tiny_munit(seed, loss_weights=CYCLE).double().eval() for seed in (0, 1))
    twin.load_state_dict({
        '.'.join(relabelled(part) if part in DOMAINS else part for part in key.split('.')): value
        for key, value in model.state_dict().items()
    })
    images = random_images(dtype=F64)
    swapped = {relabelled(domain): batch for domain, batch in images.items()}
    for side in ('discriminator', 'generator'):
        losses = getattr(model, f'{side}_losses')(images)
        for name, value in getattr(twin, f'{side}_losses')(swapped).items():
            torch.testing.assert_close(value, losses[relabelled(name)], msg=name)


# ----------------------------------------------------------------------------------- training
def test_it_learns_to_reconstruct():
    model = tiny_munit(width=8, discriminator_steps=1, generator_steps=1, split_batch=False)
    model.init_weights()
    wrappers = optim_wrappers(model, lr=5e-3)
    batch = coarse_batch(2)
    logs = [model.train_step(batch, wrappers) for _ in range(50)]
    for domain in DOMAINS:
        name = f'loss_reconstruction_{domain}'
        assert logs[-1][name] < 0.5 * logs[0][name]


def test_init_weights():
    model = MODELS.build(munit_cfg(width=16, ema_config=EMA))
    for parameter in (p for p in model.parameters() if p.ndim > 1):
        nn.init.constant_(parameter, 9.)
    model.init_weights()
    for name, parameter in model.named_parameters():
        assert not (parameter == 9).any(), name
    # Kaiming: std = sqrt(2 / fan_in).
    weight = model.generators.encoders['A'].layers[1].conv.weight
    assert weight.std().item() == pytest.approx((2 / (16 * 16))**0.5, rel=0.05)
    averaged, trained = model.generators_ema.module.state_dict(), model.generators.state_dict()
    assert changed(averaged, trained) == []
