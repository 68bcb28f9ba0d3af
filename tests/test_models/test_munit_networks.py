# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import pytest
import torch
import torch.nn.functional as F
from mmagic.registry import MODELS
from tiny_models import munit_networks, random_images, tiny_munit
from torch import nn

from egscit_mm.models.munit import MUNITContentEncoder, MUNITDecoder, MUNITStyleEncoder

F64 = torch.float64


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


# ------------------------------------------------------------------------------------ networks
@pytest.mark.parametrize('num_downsamples, size', [(0, 14), (1, 16), (2, 12)])
def test_shapes(num_downsamples, size):
    cfg = munit_networks(num_downsamples=num_downsamples, style_dim=5)
    content_encoder, style_encoder, decoder = (MODELS.build(part) for part in cfg.values())
    images = random_images(2, size=size)['A']
    content, style = content_encoder(images), style_encoder(images)
    side = size // 2**num_downsamples
    assert content.shape == (2, 4 * 2**num_downsamples, side, side)
    assert style.shape == (2, 5)
    result = decoder(content, style)
    assert result.shape == images.shape and result.abs().max() <= 1


# Convolutions that an instance norm follows have no bias. Content encoder: conv 7x7 3*64*49 = 9408;
# conv 4x4 64*128*16 = 131072 and 128*256*16 = 524288; residual block 2 * 256*256*9 = 1179648.
# Style encoder: conv 7x7 9472; conv 4x4 131200, 524544, then 256*256*16 + 256 = 1048832 twice;
# linear 256*8 + 8 = 2056. Decoder: residual block as above; perceptron 8*256 + 256 = 2304,
# 256*256 + 256 = 65792, 256*4096 + 4096 = 1052672 (4 blocks, 2 layers, scale and shift of 256);
# conv 5x5 256*128*25 + 2*128 = 819456 and 128*64*25 + 2*64 = 204928; conv 7x7 64*3*49 + 3 = 9411.
def test_numbers_of_parameters_at_the_papers_width():
    with torch.device('meta'):
        assert count(MUNITContentEncoder()) == 9408 + 131072 + 524288 + 4 * 1179648
        assert count(MUNITStyleEncoder()) == 9472 + 131200 + 524544 + 2 * 1048832 + 2056
        assert count(MUNITDecoder()) == (
            4 * 1179648 + 2304 + 65792 + 1052672 + 819456 + 204928 + 9411)


def test_content_code_does_not_see_brightness_and_contrast():
    encoder = MUNITContentEncoder(base_channels=4, num_downsamples=1, num_blocks=1).double()
    images = random_images(2, dtype=F64)['A']
    torch.testing.assert_close(encoder(0.5 * images - 0.3), encoder(images), rtol=0, atol=1e-3)
    assert (encoder(-images) - encoder(images)).abs().max() > 0.1


def test_style_code_sees_brightness_and_has_no_norm():
    encoder = MUNITStyleEncoder(base_channels=4, num_downsamples=2)
    images = random_images(2)['A']
    assert (encoder(0.5 * images - 0.3) - encoder(images)).abs().max() > 1e-3
    assert {type(m) for m in encoder.modules() if not list(m.children())} == {
        nn.Conv2d, nn.ReflectionPad2d, nn.ReLU, nn.AdaptiveAvgPool2d, nn.Flatten, nn.Linear
    }


def test_style_code_of_any_size():
    encoder = MUNITStyleEncoder(base_channels=4, num_downsamples=2, style_dim=8)
    assert encoder(torch.zeros(1, 3, 17, 40)).shape == (1, 8)


@torch.no_grad()
def slow_decode(decoder, content, style):
    """MUNIT's Sec. 5.1, written out for one image; statistics of one channel at a time."""

    def conv(module, x):
        pad = module.kernel_size[0] // 2
        return F.conv2d(F.pad(x, [pad] * 4, mode='reflect'), module.weight, module.bias)

    def adain(x, scale, shift):
        rows = [(c - c.mean()) / (c.var(correction=0) + 1e-5).sqrt() for c in x[0]]
        return torch.stack([row * scale[i] + shift[i] for i, row in enumerate(rows)])[None]

    channels = content.shape[1]
    numbers = decoder.mlp(style)[0].split(channels)  # scale, shift, scale, shift, ...
    for index, block in enumerate(decoder.blocks):
        first, second = (module.conv for module in block.convs)
        part = numbers[4 * index:4 * index + 4]
        hidden = adain(conv(first, content), part[0], part[1]).clamp(min=0)
        content = content + adain(conv(second, hidden), part[2], part[3])
    *up, last = decoder.layers
    for module in up[1::2]:
        x = conv(module.conv, content.repeat_interleave(2, 2).repeat_interleave(2, 3))
        x = (x - x.mean()) / (x.var(correction=0) + 1e-5).sqrt()
        content = (x * module.norm.weight[:, None, None] + module.norm.bias[:, None, None]).clamp(
            min=0)
    return conv(last.conv, content).tanh()


def test_decoder_equals_the_slow_version():
    decoder = MUNITDecoder(
        base_channels=4, num_downsamples=2, num_blocks=2, style_dim=3, mlp_channels=8).double()
    for parameter in decoder.parameters():
        nn.init.normal_(parameter, std=0.3)
    content, style = torch.randn(2, 16, 5, 6, dtype=F64), torch.randn(2, 3, dtype=F64)
    results = decoder(content, style)
    for i in range(2):
        expected = slow_decode(decoder, content[i:i + 1], style[i:i + 1])
        torch.testing.assert_close(results[i:i + 1], expected, rtol=1e-9, atol=1e-12)


def test_decoder_does_not_saturate_in_bfloat16():
    decoder = MUNITDecoder(base_channels=4, num_downsamples=0, num_blocks=1, style_dim=3)
    conv = decoder.layers[-1].conv
    nn.init.zeros_(conv.weight)
    nn.init.constant_(conv.bias, 3.5)
    with torch.autocast('cpu', torch.bfloat16):
        image = decoder(torch.randn(1, 4, 8, 8), torch.randn(1, 3))
    assert image.dtype == torch.float32 and image.max() < 1
    image.sum().backward()
    assert conv.bias.grad.min() > 0


@pytest.mark.parametrize('height, width', [(30, 32), (32, 30)])
def test_content_encoder_refuses_sizes_that_do_not_divide(height, width):
    encoder = MUNITContentEncoder(base_channels=2, num_downsamples=2, num_blocks=1)
    with pytest.raises(ValueError, match=f'divisible by 4, got {height}x{width}'):
        encoder(torch.zeros(1, 3, height, width))


# ---------------------------------------------------------------------------------- translator
def slow_forward(net, images, styles):
    """All flows of MUNIT's Fig. 2, network by network; styles of the translations given."""
    outputs = {name: {} for name in (
        'content', 'reconstruction', 'translation', 'translation_style', 'recovered_content',
        'recovered_style', 'cycle')}
    for s in net.domains:
        content, own_style = net.encoders[s](images[s]), net.style_encoders[s](images[s])
        outputs['content'][s] = content
        outputs['reconstruction'][s] = net.decoders[s](content, own_style)
        for t in net.domains:
            if t != s:
                x_st = net.decoders[t](content, styles[s, t])
                recovered = net.encoders[t](x_st)
                outputs['translation'][s, t] = x_st
                outputs['translation_style'][s, t] = styles[s, t]
                outputs['recovered_content'][s, t] = recovered
                outputs['recovered_style'][s, t] = net.style_encoders[t](x_st)
                outputs['cycle'][s, t] = net.decoders[s](recovered, own_style)
    return outputs


@pytest.mark.parametrize('domains', [('A', 'B'), ('day', 'dusk', 'night')])
@pytest.mark.parametrize('training', [True, False])
def test_flows_equal_the_slow_version(domains, training):
    net = tiny_munit(domains=domains).generators.double().train(training)
    images = random_images(3, dtype=F64, domains=domains)
    torch.manual_seed(5)
    outputs = net(images)
    torch.manual_seed(5)
    styles = {
        (s, t): torch.randn(3, 3, dtype=F64) if training else net.style_encoders[t](images[t])
        for s, t in net.directions
    }
    expected = slow_forward(net, images, styles)
    torch.testing.assert_close(outputs, expected, rtol=1e-9, atol=1e-12)


def test_translate_is_the_translation_of_eval_mode():
    net = tiny_munit().generators.double().eval()
    images = random_images(3, dtype=F64)
    translations = net(images)['translation']
    for source, target in net.directions:
        result = net.translate(images[source], images[target], source, target)
        torch.testing.assert_close(result, translations[source, target])


def test_the_exemplar_steers_by_its_style_code_alone():
    net = tiny_munit().generators.double().eval()
    content = random_images(2, dtype=F64)['A']
    exemplars = [random_images(1, seed=seed, size=20, dtype=F64)['B'] for seed in (1, 2)]
    results = [net.translate(content, exemplar, 'A', 'B') for exemplar in exemplars]
    assert (results[0] - results[1]).abs().max() > 1e-3
    for exemplar, result in zip(exemplars, results):
        code = net.style_encoders['B'](exemplar).expand(2, -1)
        torch.testing.assert_close(net.decoders['B'](net.encoders['A'](content), code), result)


def test_only_the_flows_asked_for_are_computed():
    net = tiny_munit().generators
    calls = []
    for name in ('encoders', 'style_encoders', 'decoders'):
        for domain, network in getattr(net, name).items():
            network.register_forward_pre_hook(
                lambda module, args, name=name, domain=domain: calls.append((name, domain)))
    outputs = net(random_images(), flows=['translation'])
    assert outputs.keys() == {'content', 'translation', 'translation_style'}
    assert sorted(calls) == [(name, domain) for name in ('decoders', 'encoders')
                             for domain in 'AB']  # styles come from the prior


def test_training_draws_style_codes_from_the_standard_normal():
    net = tiny_munit().generators
    codes = net.prior_style(torch.zeros(20000, 3, 1, 1))
    assert codes.shape == (20000, 3)
    assert codes.mean(0).abs().max() < 0.03 and (codes.std(0) - 1).abs().max() < 0.03
    images = random_images()
    assert not torch.equal(*(net(images)['translation']['A', 'B'] for _ in range(2)))
    net.eval()
    assert torch.equal(*(net(images)['translation']['A', 'B'] for _ in range(2)))


def test_networks_must_fit():
    cfg = munit_networks()
    for part, change in (('encoder', dict(base_channels=8)), ('style_encoder', dict(style_dim=4))):
        with pytest.raises(ValueError, match='same base_channels, numbers of layers and style_dim'):
            MODELS.build(dict(type='MUNITTranslator', **{**cfg, part: {**cfg[part], **change}}))
    with pytest.raises(ValueError, match='at least 2 different names'):
        MODELS.build(dict(type='MUNITTranslator', **cfg, domains=('A', 'A')))
