# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import pytest
import torch
from mmagic.registry import MODELS
from tiny_models import (
    cddit_cfg,
    coarse_batch,
    optim_wrappers,
    random_images,
    tiny_cddit,
)
from torch import nn

from egscit_mm.models.cddit import CDDITDecoder, CDDITEncoder, PairCritics
from egscit_mm.models.layers import reverse_gradient
from egscit_mm.models.losses import gradient_penalty, interpolated, wasserstein_loss

F64 = torch.float64
DIRECTIONS = (('A', 'B'), ('B', 'A'))
FLOWS = ('translation', 'autoencoding', 'exclusive', 'codes')


# ----------------------------------------------------------------------------- layers and losses
def test_gradient_reversal():
    x = torch.randn(3, 4, dtype=F64, requires_grad=True)
    weight = torch.randn(4, dtype=F64)
    result = reverse_gradient(x)
    assert torch.equal(result, x)
    (result * weight).sum().backward()
    torch.testing.assert_close(x.grad, -weight.expand(3, 4))


def test_gradient_penalty_of_a_linear_critic():
    """The gradient of <w, x> is w, whatever x."""
    weight = torch.tensor([2., -1., 2.], dtype=F64, requires_grad=True)  # of length 3
    images = torch.randn(5, 3, 1, 1, dtype=F64, requires_grad=True)
    penalty = gradient_penalty((images.flatten(1) * weight).sum(1), images)
    assert penalty.item() == pytest.approx((3 - 1)**2)
    penalty.backward()
    # d (|w| - 1)^2 / dw = 2 (|w| - 1) w / |w|
    torch.testing.assert_close(weight.grad, 2 * 2 * weight.detach() / 3)


def test_gradient_penalty_of_patches_is_that_of_their_mean():
    images = torch.randn(2, 1, 2, 2, dtype=F64, requires_grad=True)
    # The mean of four scores 8 x_i has the gradient (2, 2, 2, 2), of length 4.
    assert gradient_penalty(8 * images, images).item() == pytest.approx(9)


def test_interpolated_images_lie_between():
    real, fake = torch.zeros(200, 3, 2, 2), torch.ones(200, 3, 2, 2)
    between = interpolated(real, fake)
    shares = between.detach()[:, 0, 0, 0]
    assert between.requires_grad and torch.equal(
        between.detach(), shares[:, None, None, None].expand_as(real))
    assert 0 <= shares.min() < 0.1 and 0.9 < shares.max() <= 1


def test_wasserstein_loss():
    assert wasserstein_loss(torch.tensor([1., 3.]), torch.tensor([5.])).item() == 3


# ------------------------------------------------------------------------------------ networks
@pytest.mark.parametrize('num_convs, num_downsamples, size', [(5, 2, 28), (3, 3, 16), (2, 0, 7)])
def test_shapes(num_convs, num_downsamples, size):
    sizes = dict(base_channels=4, num_convs=num_convs, num_downsamples=num_downsamples, style_dim=5)
    encoder, decoder = CDDITEncoder(**sizes), CDDITDecoder(**sizes)
    images = random_images(2, size=size)['A']
    shared, code = encoder(images)
    side = size // 2**num_downsamples
    assert shared.shape == (2, 4 * 2**min(num_convs - 1, 3), side, side) and code.shape == (2, 5)
    result = decoder(shared, code)
    assert result.shape == images.shape and result.abs().max() <= 1
    exclusive = CDDITDecoder(**sizes, takes_shared=False).eval()
    assert torch.equal(exclusive(shared, code), exclusive(0 * shared, code))


# Convolutions 4x4 of the release: 3*64 + 64*128 + 128*256 + 256*512 + 512*512, times 16, and a bias
# and but for the first and the last a scale and a shift for each channel; the code 512*8 + 8.
def test_number_of_parameters_at_the_releases_width():
    with torch.device('meta'):
        encoder = CDDITEncoder()
    assert sum(parameter.numel() for parameter in encoder.parameters()) == (
        16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 512)
        + 64 + 3 * (128 + 256 + 512) + 512 + 512 * 8 + 8)


def test_noise_and_dropout_are_for_training_only():
    decoder = CDDITDecoder(base_channels=4, num_convs=3, num_downsamples=1, style_dim=3)
    shared, code = torch.randn(1, 16, 4, 4), torch.randn(1, 3)
    assert not torch.equal(decoder(shared, code), decoder(shared, code))
    decoder.eval()
    assert torch.equal(decoder(shared, code), decoder(shared, code))
    assert (decoder(shared, code) - decoder(shared, -code)).abs().max() > 1e-3


def test_an_image_does_not_depend_on_the_minibatch():
    encoder = CDDITEncoder(base_channels=4, num_convs=3, num_downsamples=2).double().train()
    images = random_images(3, dtype=F64)['A']
    for alone, together in zip(encoder(images[:1]), encoder(images)):
        torch.testing.assert_close(alone, together[:1])


def test_critics_have_no_norm_and_one_score_for_a_pair():
    critics = PairCritics(base_channels=4, num_convs=2)
    assert set(critics.networks) == {'A2B', 'B2A', 'exclusive_A2B', 'exclusive_B2A'}
    assert not any('Norm' in type(module).__name__ for module in critics.modules())
    pairs = torch.randn(3, 6, 16, 16)
    scores = critics(dict(A2B=pairs))['A2B']
    torch.testing.assert_close(scores, critics.networks['A2B'](pairs).mean((1, 2, 3)))


def test_wrong_numbers_are_refused():
    with pytest.raises(ValueError, match='num_downsamples must be at most num_convs, got 3 and 2'):
        CDDITEncoder(num_convs=2, num_downsamples=3)
    with pytest.raises(ValueError, match='divisible by 4, got 6x8'):
        CDDITEncoder(base_channels=2, num_convs=2, num_downsamples=2)(torch.zeros(1, 3, 6, 8))
    cfg = cddit_cfg()['generator']
    with pytest.raises(ValueError, match='give them the same'):
        MODELS.build(dict(cfg, encoder=dict(cfg['encoder'], style_dim=4)))


# ---------------------------------------------------------------------------------- translator
@pytest.mark.parametrize('domains', [('A', 'B'), ('day', 'dusk', 'night')])
def test_flows_equal_the_slow_version(domains):
    net = tiny_cddit(domains=domains).generators.double().eval()  # neither noise nor dropout
    images = random_images(3, dtype=F64, domains=domains)
    outputs = net(images, flows=FLOWS)
    codes = {domain: net.encoders[domain](images[domain]) for domain in domains}
    for s, t in net.directions:
        x_st = net.decoders[t](codes[s][0], codes[t][1])
        for name, expected in (
                ('translation', x_st), ('autoencoding', x_st),
                ('exclusive', net.exclusive_decoders[f'{s}2{t}'](codes[s][0], codes[s][1])),
                ('recovered_shared', net.encoders[t](x_st)[0]),
                ('recovered_style', net.encoders[t](x_st)[1])):
            torch.testing.assert_close(outputs[name][s, t], expected)
        torch.testing.assert_close(net.translate(images[s], images[t], s, t), x_st)


def test_training_draws_codes_and_autoencoders_are_swapped():
    net = tiny_cddit().generators
    for decoder in net.decoders.values():
        decoder.noise = 0.
        decoder.eval()  # no dropout
    images = random_images()
    outputs = net(images, flows=FLOWS)
    styles = outputs['translation_style']
    assert not torch.equal(styles['A', 'B'], styles['B', 'A'])
    shared, style = outputs['shared'], outputs['style']
    torch.testing.assert_close(outputs['translation']['A', 'B'],
                               net.decoders['B'](shared['A'], styles['A', 'B']))
    torch.testing.assert_close(outputs['autoencoding']['A', 'B'],
                               net.decoders['B'](shared['A'], style['B']))


def test_the_exclusive_decoder_pushes_the_encoder_the_other_way():
    """The encoder gets minus the gradient that would help its exclusive decoder."""
    net = tiny_cddit().generators.double().eval()
    images = random_images(dtype=F64)
    weight = net.encoders['A'].exclusive.weight
    made = net(images, flows=['exclusive'])['exclusive']['A', 'B']
    reversed_gradient, = torch.autograd.grad(made.sum(), weight)
    direct = net.exclusive_decoders['A2B'](*net.encoders['A'](images['A']))
    gradient, = torch.autograd.grad(direct.sum(), weight)
    assert gradient.abs().max() > 1e-4
    torch.testing.assert_close(reversed_gradient, -gradient)


# ------------------------------------------------------------------------------------- losses
@pytest.mark.parametrize('beta, autoencoding', [
    (0., (75., 25.)),  # 100 * |0.25 - (-0.5)|, 100 * |0.25 - 0.5|
    (2., (100 * 0.75**2 / 4, 100 * 0.25**2 / 4)),
])
def test_losses_of_known_outputs(beta, autoencoding):
    """Constant outputs, so that every term is a number that a human can check."""
    model = tiny_cddit(smooth_l1_beta=beta)
    images = {domain: torch.full((1, 3, 16, 16), value) for domain, value in
              (('A', 0.5), ('B', -0.5))}
    picture = {key: torch.zeros(1, 3, 16, 16) for key in DIRECTIONS}
    outputs = dict(
        shared={'A': torch.zeros(1, 4, 4, 4), 'B': torch.full((1, 4, 4, 4), 0.02)},
        style={domain: torch.zeros(1, 3) for domain in 'AB'},
        translation=picture, exclusive=picture,
        translation_style={key: torch.tensor([[1., 2., 3.]]) for key in DIRECTIONS},
        autoencoding={key: torch.full((1, 3, 16, 16), 0.25) for key in DIRECTIONS},
        recovered_shared={key: torch.full((1, 4, 4, 4), 0.01) for key in DIRECTIONS},
        recovered_style={key: torch.tensor([[1., 2., 6.]]) for key in DIRECTIONS})
    model.generators.forward = lambda images, flows: outputs
    model.discriminators.forward = lambda pairs: {
        key: torch.full((1, ), 5. if key.startswith('exclusive') else 3.) for key in pairs}
    losses = {name: value.item() for name, value in model.generator_losses(images).items()}
    assert losses == pytest.approx({
        'loss_gan_g_A2B': -3., 'loss_gan_g_B2A': -3.,
        'loss_exclusive_A2B': -0.5, 'loss_exclusive_B2A': -0.5,  # -0.1 * 5
        'loss_autoencoding_A2B': autoencoding[0], 'loss_autoencoding_B2A': autoencoding[1],
        # 100 * (|0.01 - 0| + |6 - 3| / 3), 100 * (|0.01 - 0.02| + 1)
        'loss_code_A2B': 101., 'loss_code_B2A': 101.,
        'loss_shared_A-B': 2.,
    })


def test_discriminator_losses_equal_the_written_out_ones(monkeypatch):
    monkeypatch.setattr('egscit_mm.models.cddit.cddit.interpolated',
                        lambda real, fake: ((real + fake) / 2).requires_grad_())
    model = tiny_cddit(loss_weights=dict(gan=2., penalty=3.)).double().eval()
    images = random_images(dtype=F64)
    losses = model.discriminator_losses(images)
    with torch.no_grad():
        outputs = model.generators(images, flows=FLOWS)
    expected = {}
    for s, t in DIRECTIONS:
        for key, flow in ((f'{s}2{t}', 'translation'), (f'exclusive_{s}2{t}', 'exclusive')):
            fake = outputs[flow][s, t]
            between = ((images[t] + fake) / 2).requires_grad_()

            def score(x_t, s=s, key=key):
                pairs = torch.cat([images[s], x_t], 1)
                return model.discriminators.networks[key](pairs).mean((1, 2, 3))

            gradient, = torch.autograd.grad(score(between).sum(), between)
            expected[f'loss_gan_d_{key}'] = 2 * (score(fake).mean() - score(images[t]).mean())
            expected[f'loss_penalty_{key}'] = 3 * (
                (gradient.square().sum((1, 2, 3)).sqrt() - 1)**2).mean()
    torch.testing.assert_close(losses, expected, rtol=1e-5, atol=1e-9, check_dtype=False)


def test_default_loss_weights_are_the_papers():
    assert tiny_cddit().loss_weights == dict(
        gan=1., penalty=10., exclusive=0.1, autoencoding=100., shared=100., code=100.)


# ----------------------------------------------------------------------------------- training
def test_it_learns_to_recombine_a_pair():
    model = tiny_cddit(width=8, split_batch=False, generator_steps=1,
                       loss_weights=dict(shared=1., code=1.))
    model.init_weights()
    wrappers = optim_wrappers(model, lr=5e-3)
    batch = coarse_batch(2)
    batch['inputs']['img_B'] = [255 - image for image in batch['inputs']['img_A']]
    logs = [model.train_step(batch, wrappers) for _ in range(60)]
    for direction in ('A2B', 'B2A'):
        name = f'loss_autoencoding_{direction}'
        assert logs[-1][name] < 0.7 * logs[0][name]


def test_init_weights():
    model = MODELS.build(cddit_cfg(width=16))
    for parameter in (p for p in model.parameters() if p.ndim > 1):
        nn.init.constant_(parameter, 9.)
    model.init_weights()
    for name, parameter in model.named_parameters():
        assert not (parameter == 9).any(), name
    weight = model.generators.encoders['A'].shared[0].weight
    assert weight.std().item() == pytest.approx((2 / (32 * 9))**0.5, rel=0.05)  # Kaiming
