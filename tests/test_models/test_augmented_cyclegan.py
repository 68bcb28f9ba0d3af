# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import numpy as np
import pytest
import torch
from mmagic.registry import MODELS
from tiny_models import (
    augmented_cfg,
    random_images,
    tiny_augmented,
)
from torch import nn

from egscit_mm.models.augmented_cyclegan import (
    AugmentedDiscriminators,
    ConditionalResnet,
    LatentEncoder,
)
from egscit_mm.models.layers import ConditionalInstanceNorm

F64 = torch.float64
DIRECTIONS = (('A', 'B'), ('B', 'A'))


# ------------------------------------------------------------------------------------ networks
def test_conditional_instance_norm_equals_slow_numpy():
    norm = ConditionalInstanceNorm(3, 2).double()
    x, code = torch.randn(4, 3, 5, 6, dtype=F64), torch.randn(4, 2, dtype=F64)
    found = norm(x, code).detach().numpy()
    scale, bias = (value.detach().numpy() for value in (norm.scale.weight, norm.scale.bias))
    shift, start = (value.detach().numpy() for value in (norm.shift.weight, norm.shift.bias))
    for image in range(4):
        for channel in range(3):
            values, z = x[image, channel].numpy(), code[image].numpy()
            normalised = (values - values.mean()) / np.sqrt(values.var() + 1e-5)
            factor = max(0, sum(scale[channel] * z) + bias[channel])
            summand = max(0, sum(shift[channel] * z) + start[channel])
            np.testing.assert_allclose(found[image, channel], factor * normalised + summand)


def test_no_code_starts_as_plain_instance_norm():
    norm = ConditionalInstanceNorm(3, 2)
    norm.init_weights()
    x = torch.randn(4, 3, 5, 6)
    torch.testing.assert_close(norm(x, torch.zeros(1, 2)), nn.InstanceNorm2d(3)(x))


@pytest.mark.parametrize('num_downsamples, size', [(0, 9), (1, 10), (2, 12)])
def test_shapes(num_downsamples, size):
    generator = ConditionalResnet(base_channels=4, num_downsamples=num_downsamples, style_dim=5)
    images = random_images(2, size=size)['A']
    assert generator.stride == 2**num_downsamples
    for codes in (1, 2):
        result = generator(images, torch.randn(codes, 5))
        assert result.shape == images.shape and result.abs().max() <= 1
    assert LatentEncoder(base_channels=4, style_dim=5)(images, images).shape == (2, 5)


# Release's widths: conv 7x7 3*32*49 + 32 = 4736 and 32*3*49 + 3 = 4707; conv 3x3 32*64*9 + 64 =
# 18496 and 64*128*9 + 128 = 73856, back 128*64*9 + 64 = 73792 and 64*32*9 + 32 = 18464; three
# blocks of 128*128*9 + 128 = 147584, the same without bias and 2*128, so 295296; conditional norms
# 2 * 17 for each channel of 32 + 64 + 128 + 64 + 32 and of the blocks' 3 * 128.
def test_number_of_parameters_at_the_releases_width():
    with torch.device('meta'):
        count = sum(parameter.numel() for parameter in ConditionalResnet().parameters())
    assert count == (4736 + 4707 + 18496 + 73856 + 73792 + 18464 + 3 * 295296
                     + 34 * (320 + 3 * 128))


def test_the_code_changes_the_image_and_the_encoder_sees_colours():
    generator = tiny_augmented().generators.image_generators['A']
    images = random_images(1)['A']
    results = [generator(images, code) for code in torch.randn(2, 1, 3)]
    assert (results[0] - results[1]).abs().max() > 1e-3
    encoder = LatentEncoder(base_channels=4, num_downsamples=2)
    assert (encoder(images, images) - encoder(images, images.flip(1))).abs().max() > 1e-3


def test_codes_of_an_image_do_not_depend_on_the_minibatch():
    encoder = LatentEncoder(base_channels=4, num_downsamples=2).double().train()
    images = random_images(3, dtype=F64)
    together = encoder(images['A'], images['B'])
    torch.testing.assert_close(encoder(images['A'][:1], images['B'][:1]), together[:1])


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match='divisible by 2, got 9x10'):
        ConditionalResnet(base_channels=2)(torch.zeros(1, 3, 9, 10), torch.zeros(1, 16))


def test_discriminators_score_images_and_codes():
    discriminators = AugmentedDiscriminators(base_channels=4, style_dim=3, num_convs=2)
    scores = discriminators(dict(A=torch.zeros(2, 3, 16, 16), code_B=torch.zeros(5, 3)))
    assert {key: tuple(score.shape) for key, score in scores.items()} == {
        'A': (2, 1, 4, 4), 'code_B': (5, 1)}


def test_networks_must_fit():
    cfg = augmented_cfg()['generator']
    with pytest.raises(ValueError, match='ends with 4 numbers, the generator takes 3'):
        MODELS.build(dict(cfg, latent_encoder=dict(cfg['latent_encoder'], style_dim=4)))


# ---------------------------------------------------------------------------------- translator
def slow_forward(net, images, styles):
    """All flows of the paper's Fig. 3, network by network; codes of the translations given."""
    outputs = {name: {} for name in ('translation', 'translation_style', 'source_style',
                                     'recovered_style', 'cycle')}
    for (s, t), code in styles.items():
        x_st = net.image_generators[t](images[s], code)
        source_code = net.latent_encoders[s](x_st, images[s])
        outputs['translation'][s, t] = x_st
        outputs['translation_style'][s, t] = code
        outputs['source_style'][s, t] = source_code
        outputs['recovered_style'][s, t] = net.latent_encoders[t](images[s], x_st)
        outputs['cycle'][s, t] = net.image_generators[s](x_st, source_code)
    return outputs


@pytest.mark.parametrize('domains', [('A', 'B'), ('day', 'dusk', 'night')])
@pytest.mark.parametrize('training', [True, False])
def test_flows_equal_the_slow_version(domains, training):
    net = tiny_augmented(domains=domains).generators.double().train(training)
    images = random_images(3, dtype=F64, domains=domains)
    torch.manual_seed(5)
    outputs = net(images)
    torch.manual_seed(5)
    styles = {(s, t): torch.randn(3, 3, dtype=F64) if training else net.encode_style(images[t], t)
              for s, t in net.directions}
    expected = slow_forward(net, images, styles)
    torch.testing.assert_close(outputs, expected, rtol=1e-9, atol=1e-12)


def test_the_exemplar_steers_by_its_code_beside_its_own_translation():
    net = tiny_augmented().generators.double().eval()
    content = random_images(2, dtype=F64)['A']
    exemplar = random_images(1, seed=1, size=20, dtype=F64)['B']
    other = net.image_generators['A'](exemplar, torch.zeros(1, 3, dtype=F64))
    code = net.latent_encoders['B'](other, exemplar)
    torch.testing.assert_close(net.translate(content, exemplar, 'A', 'B'),
                               net.image_generators['B'](content, code))


def test_only_the_flows_asked_for_are_computed():
    net = tiny_augmented().generators
    calls = []
    for name in ('image_generators', 'latent_encoders'):
        for network in getattr(net, name).values():
            network.register_forward_pre_hook(lambda module, args, name=name: calls.append(name))
    assert net(random_images(), flows=['source_style']).keys() == {
        'translation', 'translation_style', 'source_style'}
    assert sorted(calls) == ['image_generators'] * 2 + ['latent_encoders'] * 2


# ------------------------------------------------------------------------------------- losses
def test_losses_of_known_outputs():
    """Constant outputs, so that every term is a number that a human can check."""
    model = tiny_augmented()
    images = {domain: torch.full((1, 3, 16, 16), value) for domain, value in
              (('A', 0.5), ('B', -0.5))}
    outputs = dict(
        translation={key: torch.zeros(1, 3, 16, 16) for key in DIRECTIONS},
        translation_style={key: torch.full((1, 3), 2.) for key in DIRECTIONS},
        source_style={key: torch.zeros(1, 3) for key in DIRECTIONS},
        recovered_style={key: torch.tensor([[1., 2., 6.]]) for key in DIRECTIONS},
        cycle={key: torch.full((1, 3, 16, 16), 0.25) for key in DIRECTIONS})
    model.generators.forward = lambda images, flows=None: outputs
    model.discriminators.forward = lambda inputs: {
        key: torch.full((1, 1), 3. if x.ndim == 4 else 2.) for key, x in inputs.items()}
    losses = {name: value.item() for name, value in model.generator_losses(images).items()}
    assert losses == pytest.approx({
        'loss_gan_g_A': 4., 'loss_gan_g_B': 4.,  # (3 - 1)^2
        'loss_gan_g_code_A': 1., 'loss_gan_g_code_B': 1.,  # (2 - 1)^2
        'loss_cycle_A2B': 0.25, 'loss_cycle_B2A': 0.75,
        # 0.025 (|1 - 2| + |2 - 2| + |6 - 2|) / 3
        'loss_style_code_A2B': 0.125 / 3, 'loss_style_code_B2A': 0.125 / 3,
    })


def test_discriminators_tell_codes_of_the_prior_from_those_of_the_encoders():
    model = tiny_augmented()
    seen = {}

    def scores(inputs):
        seen.update(inputs)
        return {key: torch.cat([torch.full((len(x) // 2, 1), 0.5), torch.ones(len(x) // 2, 1)])
                for key, x in inputs.items()}

    model.discriminators.forward = scores
    images = random_images(4)
    torch.manual_seed(3)
    losses = model.discriminator_losses(images)
    torch.manual_seed(3)
    with torch.no_grad():
        outputs = model.generators(images)
    assert seen.keys() == {'A', 'B', 'code_A', 'code_B'}
    torch.testing.assert_close(seen['code_A'][4:], outputs['source_style']['A', 'B'])
    torch.testing.assert_close(seen['B'], torch.cat(
        [images['B'], outputs['translation']['A', 'B']]))
    assert not torch.equal(seen['code_A'][:4], seen['code_B'][:4])
    for key in seen:  # 0.5 ((0.5 - 1)^2 + 1^2)
        assert losses[f'loss_gan_d_{key}'].item() == pytest.approx(0.625)


def test_default_loss_weights_are_the_releases():
    assert tiny_augmented().loss_weights == dict(gan=1., cycle=1., style_code=0.025)


# ----------------------------------------------------------------------------------- training
def test_init_weights():
    model = MODELS.build(augmented_cfg(width=16))
    for parameter in model.parameters():
        nn.init.constant_(parameter, 9.)
    model.init_weights()
    networks = model.generators.image_generators['B']
    assert networks.blocks[0].first.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert torch.equal(networks.blocks[0].norm.scale.bias, torch.ones(64))
    assert not networks.blocks[0].norm.shift.bias.any()
