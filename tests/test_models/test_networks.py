# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import pytest
import torch
from mmagic.registry import MODELS
from tiny_models import networks, random_images
from torch import nn

from egscit_mm.models import DomainAutoencoders
from egscit_mm.models.layers import SameConv2d
from egscit_mm.models.networks import ContentEncoder, DomainDiscriminators, ImageDecoder


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


# -------------------------------------------------------------------------- encoder and decoder
@pytest.mark.parametrize('num_downsamples, height, width, channels, out', [
    (0, 28, 28, 8, (28, 28)),
    (2, 32, 16, 32, (8, 4)),
])
def test_encoder_and_decoder_shapes(num_downsamples, height, width, channels, out):
    encoder = ContentEncoder(base_channels=8, num_downsamples=num_downsamples, num_blocks=1)
    decoder = ImageDecoder(base_channels=8, num_downsamples=num_downsamples, num_blocks=1)
    images = torch.rand(2, 3, height, width) * 2 - 1
    features = encoder(images)
    assert features.shape == (2, channels, *out)
    assert encoder.out_channels == decoder.in_channels == channels
    assert encoder.stride == height // out[0]
    decoded = decoder(features * 100)
    assert decoded.shape == images.shape
    assert decoded.abs().max() <= 1  # tanh


# Counted by hand from the table of the paper's appendix, at width 64:
# conv 7x7: 3*64*49 + 64 = 9472; residual block of 64: 2 * (64*64*9 + 64) = 73856, of 256:
# 2 * (256*256*9 + 256) = 1180160; conv 3x3 64 -> 128: 73856, 128 -> 256: 295168; transposed
# 256 -> 128: 295040, 128 -> 64: 73792; conv 1x1 to the image: 3*64 + 3 = 195.
def test_tanh_scale_leaves_a_gradient_at_pure_colours():
    decoder = ImageDecoder(base_channels=4, num_downsamples=0, num_blocks=1, tanh_scale=1.1)
    styled = torch.randn(1, 4, 8, 8)
    hidden = decoder.layers(styled)
    torch.testing.assert_close(decoder(styled), 1.1 * torch.tanh(hidden))
    assert ImageDecoder(base_channels=4).tanh_scale == 1  # the paper's
    with pytest.raises(ValueError, match='tanh_scale must be at least 1.*got 0.9'):
        ImageDecoder(tanh_scale=0.9)


def test_decoder_keeps_its_gradient_in_bfloat16():
    # tanh(4) = 0.9993 is 1 in bfloat16, and 1 - 1^2 no gradient.
    decoder = ImageDecoder(base_channels=4, num_downsamples=0, num_blocks=1)
    last = decoder.layers[-1]
    nn.init.zeros_(last.weight)
    nn.init.constant_(last.bias, 4.)
    with torch.autocast('cpu', torch.bfloat16):
        images = decoder(torch.randn(1, 4, 8, 8))
    images.sum().backward()
    gradient_per_pixel = last.bias.grad / 64
    torch.testing.assert_close(gradient_per_pixel, torch.full((3, ), 1 - torch.tanh(
        torch.tensor(4.)).item()**2), rtol=1e-2, atol=0)


@pytest.mark.parametrize('num_downsamples, in_encoder, in_decoder', [
    (0, 9472 + 3 * 73856, 3 * 73856 + 195),
    (2, 9472 + 73856 + 295168 + 3 * 1180160, 3 * 1180160 + 295040 + 73792 + 195),
])
def test_numbers_of_parameters_at_the_papers_width(num_downsamples, in_encoder, in_decoder):
    with torch.device('meta'):
        assert count(ContentEncoder(num_downsamples=num_downsamples)) == in_encoder
        assert count(ImageDecoder(num_downsamples=num_downsamples)) == in_decoder


def test_encoder_pads_by_reflection_and_has_no_normalisation():
    encoder = ContentEncoder(base_channels=4, num_downsamples=2, num_blocks=2)
    convs = [m for m in encoder.modules() if isinstance(m, nn.Conv2d)]
    assert len(convs) == 1 + 2 + 2 * 2
    assert {conv.padding_mode for conv in convs} == {'reflect'}
    layers = {type(m) for m in encoder.modules() if not list(m.children())}
    assert layers == {nn.Conv2d, nn.LeakyReLU, nn.ReLU}
    assert {m.negative_slope for m in encoder.modules() if isinstance(m, nn.LeakyReLU)} == {0.2}


@pytest.mark.parametrize('height, width', [(30, 32), (32, 30)])
def test_encoder_refuses_sizes_that_do_not_divide(height, width):
    encoder = ContentEncoder(base_channels=2, num_downsamples=2, num_blocks=1)
    with pytest.raises(ValueError, match=f'divisible by 4, got {height}x{width}'):
        encoder(torch.zeros(1, 3, height, width))


@pytest.mark.parametrize('network', [
    ContentEncoder(base_channels=16, num_downsamples=2, num_blocks=1),
    ImageDecoder(base_channels=16, num_downsamples=2, num_blocks=1),
])
def test_generator_side_starts_from_a_truncated_normal(network):
    for parameter in network.parameters():
        nn.init.constant_(parameter, 9.)
    network.init_weights()
    weights = []
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            assert not module.bias.any()
            assert module.weight.abs().max() <= 0.04
            weights.append(module.weight.detach().flatten())
    assert abs(torch.cat(weights).std() - 0.0176) < 2e-4


# ------------------------------------------------------------------------------- discriminator
def test_discriminator_shapes():
    discriminators = DomainDiscriminators(base_channels=4)
    images = dict(A=torch.zeros(2, 3, 28, 28), B=torch.zeros(3, 3, 112, 36))
    logits = discriminators(images)
    assert logits['A'].shape == (2, 1, 2, 2)  # 28 -> 14 -> 7 -> 4 -> 2
    assert logits['B'].shape == (3, 1, 7, 3)  # 36 -> 18 -> 9 -> 5 -> 3


def test_discriminator_layers():
    """Four strided convolutions, instance norm on all but the first, plain logits."""
    network = DomainDiscriminators().networks['A']
    assert [type(layer) for layer in network] == [
        SameConv2d, nn.LeakyReLU, *[SameConv2d, nn.InstanceNorm2d, nn.LeakyReLU] * 3, nn.Conv2d
    ]
    convs = [layer for layer in network if isinstance(layer, SameConv2d)]
    assert [conv.out_channels for conv in convs] == [64, 128, 256, 512]
    assert {(conv.kernel_size, conv.stride) for conv in convs} == {((4, 4), (2, 2))}
    assert [conv.bias is not None for conv in convs] == [True, False, False, False]
    assert all(layer.affine and not layer.track_running_stats for layer in network
               if isinstance(layer, nn.InstanceNorm2d))
    # conv 3*64*16 + 64; 64*128*16 + 2*128; 128*256*16 + 2*256; 256*512*16 + 2*512; 512 + 1.
    assert count(network) == 3136 + 131328 + 524800 + 2098176 + 513


def test_discriminators_of_the_domains_are_independent():
    discriminators = DomainDiscriminators(base_channels=2, num_convs=2)
    images = random_images(2)
    discriminators(images)['A'].sum().backward()
    assert all(p.grad is not None for p in discriminators.networks['A'].parameters())
    assert all(p.grad is None for p in discriminators.networks['B'].parameters())


def test_discriminator_scores_real_and_fake_alike_in_one_call():
    """Instance norm is per sample, so a concatenated call changes nothing."""
    discriminators = DomainDiscriminators(base_channels=2, num_convs=2).double()
    real = random_images(2, dtype=torch.float64, seed=1)
    fake = random_images(2, dtype=torch.float64, seed=2)
    both = discriminators({domain: torch.cat([real[domain], fake[domain]]) for domain in real})
    for domain in real:
        torch.testing.assert_close(both[domain][:2], discriminators(real)[domain])
        torch.testing.assert_close(both[domain][2:], discriminators(fake)[domain])


def test_discriminator_refuses_images_too_small_for_its_norm():
    discriminators = DomainDiscriminators(base_channels=2, num_convs=4)
    with pytest.raises(ValueError, match="at least 17 pixels .* got 16x16 in domain 'B'"):
        discriminators(dict(A=torch.zeros(1, 3, 17, 16), B=torch.zeros(1, 3, 16, 16)))


def test_discriminator_starts_from_xavier():
    discriminators = DomainDiscriminators(base_channels=16)
    for parameter in discriminators.parameters():
        nn.init.constant_(parameter, 9.)
    discriminators.init_weights()
    for network in discriminators.networks.values():
        for layer in network:
            if isinstance(layer, nn.Conv2d):
                area = layer.weight[0, 0].numel()
                bound = (6 / (area * (layer.in_channels + layer.out_channels)))**0.5
                assert 0.9 * bound < layer.weight.abs().max() <= bound
                assert layer.bias is None or not layer.bias.any()
    first = [network[0].weight for network in discriminators.networks.values()]
    assert not torch.equal(*first)


# -------------------------------------------------------------------------------- autoencoders
def test_autoencoders_share_nothing():
    autoencoders = DomainAutoencoders(**networks())
    autoencoders(random_images())['reconstruction']['A'].sum().backward()
    for name, parameter in autoencoders.named_parameters():
        if '.A.' in name:
            assert parameter.grad.any(), name
        else:
            assert '.B.' in name and parameter.grad is None


def test_autoencoders_run_encoder_block_noise_block_decoder():
    autoencoders = DomainAutoencoders(**networks()).double()
    images = random_images(dtype=torch.float64)
    outputs = autoencoders.eval()(images)
    for domain, batch in images.items():
        mean = autoencoders.encoder_blocks[domain](autoencoders.encoders[domain](batch))
        image = autoencoders.decoders[domain](autoencoders.decoder_blocks[domain](mean))
        assert torch.equal(outputs['latent_mean'][domain], mean)
        assert torch.equal(outputs['reconstruction'][domain], image)


def test_autoencoders_add_noise_in_training_only():
    images = random_images()
    autoencoders = DomainAutoencoders(**networks())
    first, second = autoencoders(images), autoencoders(images)
    assert torch.equal(first['latent_mean']['A'], second['latent_mean']['A'])
    assert not torch.equal(first['reconstruction']['A'], second['reconstruction']['A'])
    autoencoders.eval()
    first, second = autoencoders(images), autoencoders(images)
    assert torch.equal(first['reconstruction']['A'], second['reconstruction']['A'])


@pytest.mark.parametrize('latent_noise', [0., 0.5, 1.])
def test_standard_deviation_of_the_noise_of_the_autoencoders(latent_noise):
    autoencoders = DomainAutoencoders(**networks(), latent_noise=latent_noise)
    latents = {}
    for domain, block in autoencoders.decoder_blocks.items():
        block.register_forward_pre_hook(
            lambda module, args, domain=domain: latents.update({domain: args[0]}))
    outputs = autoencoders(random_images(16))
    for domain, latent in latents.items():
        noise = latent - outputs['latent_mean'][domain]
        assert abs(noise.mean()) < 0.03
        assert abs(noise.std() - latent_noise) < 0.03


def test_networks_are_registered():
    for name in ('ContentEncoder', 'DomainAutoencoders', 'DomainDiscriminators',
                 'ExemplarTranslator', 'ImageDecoder', 'VGGPerceptualLoss', 'EGSCIT', 'VAEGAN'):
        assert MODELS.get(name).__module__.startswith('egscit_mm.models'), name
