# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import numpy as np
import pytest
import torch
from torch import nn

from egscit_mm.models.layers import (
    ADAIN_FORMS,
    AdaIN,
    ResidualBlock,
    SameConv2d,
    channel_statistics,
    feature_mask,
)
from egscit_mm.models.layers.init import TRUNC_NORMAL


# ------------------------------------------------------------------------------------- AdaIN
def slow_adain(content, exemplar, form, eps):
    """Paper Eq. 1-2, one channel of one image at a time."""
    result = np.empty_like(content)
    for n in range(content.shape[0]):
        for c in range(content.shape[1]):
            x, y = content[n, c], exemplar[n, c]
            mean_x, var_x = x.sum() / x.size, ((x - x.sum() / x.size)**2).sum() / x.size
            mean_y, var_y = y.sum() / y.size, ((y - y.sum() / y.size)**2).sum() / y.size
            gamma, beta, delta = dict(
                std=((var_y + eps)**0.5, mean_y, (var_x + eps)**0.5),
                var=(var_y, mean_y, var_x + eps),
                release=(mean_y, var_y, var_x + eps))[form]
            result[n, c] = gamma * (x - mean_x) / delta + beta
    return result


@pytest.mark.parametrize('form', ADAIN_FORMS)
def test_adain_equals_the_slow_version(form):
    content = torch.randn(2, 3, 5, 4, dtype=torch.float64) * 2 + 1
    exemplar = torch.randn(2, 3, 7, 6, dtype=torch.float64) * 3 - 2  # of another size
    adain = AdaIN(form)
    result = adain(content, adain.style(exemplar))
    expected = slow_adain(content.numpy(), exemplar.numpy(), form, eps=1e-5)
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('form, expected', [
    ('std', [2 - 3 / 5**.5, 2 - 1 / 5**.5, 2 + 1 / 5**.5, 2 + 3 / 5**.5]),
    ('var', [1.4, 1.8, 2.2, 2.6]),
    ('release', [-0.2, 0.6, 1.4, 2.2]),
])
def test_adain_by_hand(form, expected):
    content = torch.tensor([[[[0., 2.], [4., 6.]]]])  # mean 3, variance 5
    exemplar = torch.tensor([[[[1., 1.], [3., 3.]]]])  # mean 2, variance 1
    adain = AdaIN(form, eps=0.)
    result = adain(content, adain.style(exemplar))
    torch.testing.assert_close(result.flatten(), torch.tensor(expected))


def test_adain_std_gives_the_statistics_asked_for():
    content = torch.randn(3, 4, 16, 16, dtype=torch.float64) * 5 + 7
    exemplar = torch.randn(3, 4, 16, 16, dtype=torch.float64) * 0.3 - 4
    adain = AdaIN('std')
    result = adain(content, adain.style(exemplar)).numpy()
    exemplar = exemplar.numpy()
    np.testing.assert_allclose(result.mean((2, 3)), exemplar.mean((2, 3)), rtol=1e-12)
    # Not exactly: the epsilon stands in both variances.
    np.testing.assert_allclose(result.std((2, 3)), exemplar.std((2, 3)), rtol=1e-4)


def test_adain_std_with_the_own_statistics_changes_nothing():
    content = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    adain = AdaIN('std')
    torch.testing.assert_close(adain(content, adain.style(content)), content)


@pytest.mark.parametrize('form', ADAIN_FORMS)
def test_adain_of_a_constant_channel_is_finite(form):
    """Black images give constant channels: without the epsilon this divides by zero."""
    content = torch.full((1, 2, 4, 4), 3., requires_grad=True)
    adain = AdaIN(form)
    gamma, beta = adain.style(torch.randn(1, 2, 4, 4))
    result = adain(content, (gamma, beta))
    # Centred before it is scaled (by up to 1e5), so no rounding noise is blown up.
    torch.testing.assert_close(result, beta.expand_as(result), rtol=1e-6, atol=1e-6)
    result.square().sum().backward()
    assert content.grad.isfinite().all()


@pytest.mark.parametrize('form', ADAIN_FORMS)
def test_adain_gradient(form):
    content = torch.randn(2, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    adain = AdaIN(form)
    style = adain.style(torch.randn(2, 2, 3, 3, dtype=torch.float64))
    assert torch.autograd.gradcheck(lambda x: adain(x, style), content)


@pytest.mark.parametrize('form', ADAIN_FORMS)
def test_adain_takes_one_exemplar_for_all(form):
    content, exemplar = torch.randn(3, 2, 4, 4), torch.randn(1, 2, 4, 4)
    adain = AdaIN(form)
    torch.testing.assert_close(
        adain(content, adain.style(exemplar)),
        adain(content, adain.style(exemplar.expand(3, -1, -1, -1))))


def test_adain_knows_its_forms():
    with pytest.raises(ValueError, match=r"must be one of \('std', 'var', 'release'\), got 'ins'"):
        AdaIN('ins')


def test_statistics_of_bfloat16_are_float32():
    """A large mean and a small variance: bfloat16 arithmetic would lose the variance."""
    features = (100 + torch.randint(0, 2, (1, 1, 64, 64))).to(torch.bfloat16)  # 100 or 101
    features = features.clamp(max=100.5)  # representable: 100 or 100.5
    mean, variance = channel_statistics(features)
    assert mean.dtype == variance.dtype == torch.float32
    expected = features.double().numpy()
    np.testing.assert_allclose(mean.item(), expected.mean(), rtol=1e-6)
    np.testing.assert_allclose(variance.item(), expected.var(), rtol=1e-4)


@pytest.mark.parametrize('form', ADAIN_FORMS)
def test_adain_keeps_the_dtype_of_the_content(form):
    adain = AdaIN(form)
    style = adain.style(torch.randn(1, 2, 4, 4, dtype=torch.bfloat16))
    assert style[0].dtype == style[1].dtype == torch.float32
    assert adain(torch.randn(1, 2, 4, 4, dtype=torch.bfloat16), style).dtype == torch.bfloat16


# -------------------------------------------------------------------------------------- mask
def test_feature_mask_by_hand():
    features = torch.tensor([1., 3., 1 / 3]).log()  # sigmoid: 1/2, 3/4, 1/4
    torch.testing.assert_close(feature_mask(features, 0.5), torch.tensor([0.75, 0.875, 0.625]))
    torch.testing.assert_close(feature_mask(features, 0.), torch.tensor([0.5, 0.75, 0.25]))
    assert torch.equal(feature_mask(features, 1.), torch.ones(3))


def test_feature_mask_stays_in_its_interval():
    mask = feature_mask(torch.randn(2, 3, 8, 8) * 100, 0.5)
    assert mask.min() == 0.5 and mask.max() == 1.


# --------------------------------------------------------------------------- SAME convolution
def slow_same_conv(image, weight, stride):
    """TensorFlow's rule in loops: output ceil(n / s), the odd pixel of padding goes to the end."""
    channels, height, width = image.shape
    kernel = weight.shape[2:]

    def geometry(axis, size):
        out = int(np.ceil(size / stride[axis]))
        return out, max((out - 1) * stride[axis] + kernel[axis] - size, 0) // 2

    (rows, top), (columns, left) = geometry(0, height), geometry(1, width)
    result = np.zeros((len(weight), rows, columns))
    for o, i, j in np.ndindex(*result.shape):
        for c, a, b in np.ndindex(channels, *kernel):
            y, x = i * stride[0] + a - top, j * stride[1] + b - left
            if 0 <= y < height and 0 <= x < width:
                result[o, i, j] += image[c, y, x] * weight[o, c, a, b]
    return result


@pytest.mark.parametrize('size, kernel, stride', [
    ((8, 8), (4, 4), (2, 2)),
    ((7, 7), (4, 4), (2, 2)),
    ((7, 10), (4, 4), (2, 2)),
    ((5, 9), (3, 3), (2, 2)),
    ((6, 6), (3, 3), (2, 2)),
    ((9, 6), (3, 5), (1, 2)),
    ((5, 4), (1, 1), (3, 2)),
    ((1, 2), (4, 4), (2, 2)),
])
def test_same_conv_follows_tensorflows_rule(size, kernel, stride):
    conv = SameConv2d(2, 3, kernel, stride=stride, bias=False).double()
    image = torch.randn(1, 2, *size, dtype=torch.float64)
    expected = slow_same_conv(image[0].numpy(), conv.weight.detach().numpy(), stride)
    np.testing.assert_allclose(conv(image)[0].detach().numpy(), expected, atol=1e-12)


def test_same_conv_pads_an_odd_total_at_the_end():
    """7 pixels, kernel 4, stride 2: total padding 3, one before and two after."""
    conv = SameConv2d(1, 1, 4, stride=2, bias=False)
    image = torch.arange(1., 8).expand(1, 1, 7, 7)  # columns 1..7
    for tap, expected in enumerate([[0, 2, 4, 6], [1, 3, 5, 7], [2, 4, 6, 0], [3, 5, 7, 0]]):
        conv.weight.data.zero_()
        conv.weight.data[0, 0, 1, tap] = 1.  # second row of the kernel: no vertical padding
        assert conv(image)[0, 0, 0].tolist() == expected


def test_same_conv_chain_of_the_digits():
    x = torch.zeros(1, 1, 28, 28)
    sizes = []
    for _ in range(4):
        x = SameConv2d(1, 1, 4, stride=2)(x)
        sizes.append(x.shape[-1])
    assert sizes == [14, 7, 4, 2]


# ------------------------------------------------------------------------------ residual block
def test_residual_block_equals_the_slow_version():
    block = ResidualBlock(2).double()
    image = torch.randn(1, 2, 5, 4, dtype=torch.float64)

    def conv(x, layer):
        x = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode='reflect')
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        result = np.empty((2, 5, 4))
        for o, i, j in np.ndindex(2, 5, 4):
            result[o, i, j] = (x[:, i:i + 3, j:j + 3] * weight[o]).sum() + bias[o]
        return result

    first, _, second = block.layers
    hidden = np.maximum(conv(image[0].numpy(), first), 0)
    expected = image[0].numpy() + conv(hidden, second)
    np.testing.assert_allclose(block(image)[0].detach().numpy(), expected, atol=1e-12)


def test_residual_block_starts_near_the_identity():
    block = ResidualBlock(4)
    block.init_weights()
    x = torch.randn(1, 4, 8, 8)
    difference = (block(x) - x).abs().max()
    assert 0 < difference < 0.2


def test_truncated_normal_is_cut_at_two_deviations():
    """The bounds of torch's trunc_normal_ are absolute; std of the cut normal is 0.8796 * 0.02."""
    assert (TRUNC_NORMAL['a'], TRUNC_NORMAL['b']) == (-0.04, 0.04)
    block = ResidualBlock(64)
    for module in block.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.bias, 1.)
    block.init_weights()
    for conv in (block.layers[0], block.layers[2]):
        weight = conv.weight.detach()
        assert 0.0395 < weight.abs().max() <= 0.04
        assert weight.mean().abs() < 5e-4
        assert abs(weight.std() - 0.0176) < 2e-4
        assert not conv.bias.any()
