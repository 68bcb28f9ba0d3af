# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import numpy as np
import pytest
import torch
from mmagic.registry import MODELS
from tiny_models import random_images

from egscit_mm.models.losses import (
    VGGPerceptualLoss,
    as_shown,
    gaussian_kl_loss,
    gram_matrix,
    interpolated,
    kl_loss,
    lsgan_accuracies,
    lsgan_discriminator_loss,
    lsgan_generator_loss,
    normalize_channels,
    reconstruction_loss,
)
from egscit_mm.models.style_transfer.decoder_training import squared_error

F64 = torch.float64
LAYERS = ['relu1_1', 'relu2_1', 'relu3_1', 'relu4_1', 'relu5_1']


def perceptual_loss(content_weight=1., style_weight=1., **kwargs):
    loss = VGGPerceptualLoss(
        content_weight, style_weight, **{**dict(pretrained=None, base_channels=2), **kwargs})
    loss.init_weights()
    return loss


# ---------------------------------------------------------------------------------------- KL
def test_kl_by_hand():
    assert kl_loss(torch.tensor([[1., -2.], [3., 0.]])) == (1 + 4 + 9 + 0) / 4
    assert kl_loss(torch.zeros(2, 3, 4, 4)) == 0


def test_kl_is_that_of_two_normals_up_to_one_half():
    """KL(N(mu, 1) || N(0, 1)) = mu^2 / 2."""
    from torch.distributions import Normal, kl_divergence
    mean = torch.randn(2, 3, 4, 4, dtype=F64)
    one = torch.ones((), dtype=F64)
    expected = kl_divergence(Normal(mean, one), Normal(0 * one, one)).mean()
    torch.testing.assert_close(kl_loss(mean), 2 * expected)


def test_kl_of_bfloat16_is_summed_in_float32():
    mean = torch.full((1, 4, 64, 64), 1.0078125, dtype=torch.bfloat16)  # its square needs 15 bits
    loss = kl_loss(mean)
    assert loss.dtype == torch.float32
    np.testing.assert_allclose(loss.item(), 1.0078125**2, rtol=1e-6)


# ------------------------------------------------------------------- normalisation and Gram
def test_normalize_channels_by_hand():
    features = torch.tensor([[[[3., 0.], [0., 4.]], [[1., 1.], [1., 1.]]]])
    expected = torch.tensor([[[0.6, 0., 0., 0.8], [0.5, 0.5, 0.5, 0.5]]])
    torch.testing.assert_close(normalize_channels(features), expected)


def test_normalize_channels_gives_unit_norm_over_positions():
    features = torch.rand(2, 5, 4, 6, dtype=F64) * 100
    normalized = normalize_channels(features).numpy()
    assert normalized.shape == (2, 5, 24)
    np.testing.assert_allclose((normalized**2).sum(2), 1)
    ratio = features.flatten(2).numpy() / normalized
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :, :1], ratio.shape))


def test_a_dead_channel_stays_zero_with_a_finite_gradient():
    """ReLU leaves channels that are zero everywhere."""
    features = torch.zeros(1, 2, 3, 3, requires_grad=True)
    normalized = normalize_channels(features.relu())
    assert not normalized.any()
    gram_matrix(normalized).sum().backward()
    assert features.grad.isfinite().all()


def test_gram_matrix_by_hand():
    features = torch.tensor([[[1., 2., 3., 4.], [0., 1., 0., -1.]]])
    # Rows times rows: 1 + 4 + 9 + 16 = 30; 2 - 4 = -2; 1 + 1 = 2; over 4 positions.
    assert gram_matrix(features).tolist() == [[[7.5, -0.5], [-0.5, 0.5]]]


def test_gram_matrix_ignores_where_things_are():
    features = torch.randn(2, 3, 20, dtype=F64)
    shuffled = features[:, :, torch.randperm(20)]
    torch.testing.assert_close(gram_matrix(shuffled), gram_matrix(features))
    expected = [[[(a * b).sum() / 20 for b in image] for a in image] for image in features.numpy()]
    np.testing.assert_allclose(gram_matrix(features).numpy(), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_style_is_computed_in_float32_under_autocast(dtype):
    """Gram entries of a large map are below 1e-5: subnormal in float16, 8 bits in bfloat16."""
    features = torch.rand(1, 4, 128, 128)
    expected = gram_matrix(normalize_channels(features.double()))
    with torch.autocast('cpu', dtype):
        result = gram_matrix(normalize_channels(features))
    assert result.dtype == torch.float32
    torch.testing.assert_close(result.double(), expected, rtol=1e-5, atol=0)


# -------------------------------------------------------------------------- content and style
def slow_losses(loss, content, exemplar, translation, content_layers, style_layers):
    """Sum over layers in NumPy, from the activations of the VGG."""

    def normalized(image):
        maps = {}
        for layer, x in loss.vgg(image).items():
            x = x.numpy().reshape(*x.shape[:2], -1)
            norm = np.sqrt((x**2).sum(2, keepdims=True))
            maps[layer] = x / np.where(norm > 0, norm, 1)
        return maps

    def gram(x):
        return np.einsum('ncp,ndp->ncd', x, x) / x.shape[2]

    content, exemplar, translation = map(normalized, (content, exemplar, translation))
    l_c = sum(weight * np.abs(translation[layer] - content[layer]).mean()
              for layer, weight in content_layers.items())
    l_s = sum(weight * np.abs(gram(translation[layer]) - gram(exemplar[layer])).mean()
              for layer, weight in style_layers.items())
    return l_c, l_s


def test_content_and_style_equal_the_slow_version():
    """Layers weighted i / 5 for the content and 1 for the style, then the two lambdas."""
    loss = perceptual_loss(content_weight=7., style_weight=300.).double()
    images = random_images(2, size=32, dtype=F64)
    fakes = random_images(2, size=32, dtype=F64, seed=1)
    translations = {('A', 'B'): fakes['A'], ('B', 'A'): fakes['B']}
    content, style = loss(images, translations)
    assert content.keys() == style.keys() == translations.keys()
    for (source, target), image in translations.items():
        l_c, l_s = slow_losses(
            loss, images[source], images[target], image,
            dict(zip(LAYERS, [0.2, 0.4, 0.6, 0.8, 1.0], strict=True)), dict.fromkeys(LAYERS, 1.))
        np.testing.assert_allclose(content[source, target].item(), 7 * l_c, rtol=1e-10)
        np.testing.assert_allclose(style[source, target].item(), 300 * l_s, rtol=1e-10)


def test_layers_can_be_chosen():
    content_layers, style_layers = dict(relu4_2=2.), dict(relu1_2=0.5, relu2_1=3.)
    loss = perceptual_loss(content_layers=content_layers, style_layers=style_layers).double()
    assert sorted(loss.vgg.taps.values()) == ['relu1_2', 'relu2_1', 'relu4_2']
    images = random_images(2, size=32, dtype=F64)
    fake = random_images(2, size=32, dtype=F64, seed=1)['A']
    content, style = loss(images, {('A', 'B'): fake})
    expected = slow_losses(loss, images['A'], images['B'], fake, content_layers, style_layers)
    np.testing.assert_allclose(
        [content['A', 'B'].item(), style['A', 'B'].item()], expected, rtol=1e-10)


def test_no_style_layers_means_none():
    loss = perceptual_loss(style_layers={})
    assert set(loss.vgg.taps.values()) == set(LAYERS) and loss.style_layers == {}
    images = random_images(1, size=32)
    content, style = loss(images, {('A', 'B'): images['B']})
    assert content['A', 'B'] > 0 and style['A', 'B'] == 0


def test_losses_of_identical_images_are_zero():
    loss = perceptual_loss()
    image = random_images(2, size=32)['A']
    content, style = loss(dict(A=image, B=image), {('A', 'B'): image, ('B', 'A'): image})
    for terms in (content, style):
        assert all(value == 0 for value in terms.values())


def test_losses_look_at_the_right_image():
    """Content at the source, style at the target."""
    loss = perceptual_loss()
    images = random_images(2, size=32)
    content, style = loss(images, {('A', 'B'): images['A'], ('B', 'A'): images['A']})
    assert content['A', 'B'] == 0 and style['A', 'B'] > 0
    assert content['B', 'A'] > 0 and style['B', 'A'] == 0


@pytest.mark.parametrize('sizes', [(4, 2, 3), (2, 2, 1), (1, 2, 2)])
def test_batches_that_do_not_belong_together_are_refused(sizes):
    """They were cut in parts of equal length, of which a style became a content's."""
    a, b, fake = (torch.rand(size, 3, 32, 32) for size in sizes)
    with pytest.raises(ValueError, match=r"VGGPerceptualLoss: images\['A'\] and (images\['B'\]|"
                                         r"translations\[\('A', 'B'\)\]) must have the same shape"):
        perceptual_loss()(dict(A=a, B=b), {('A', 'B'): fake})


@pytest.mark.parametrize('loss', [reconstruction_loss, as_shown, gaussian_kl_loss, interpolated,
                                  squared_error], ids=lambda loss: loss.__name__)
def test_different_shapes_are_not_broadcast(loss):
    for other in (torch.rand(1, 3, 8, 8), torch.rand(4, 1, 8, 8), torch.rand(4, 3, 8, 1)):
        with pytest.raises(ValueError, match=rf'{loss.__name__}: .* must have the same shape, got '
                                             r'\(4, 3, 8, 8\) and'):
            loss(torch.rand(4, 3, 8, 8), other)


def test_gradient_flows_to_the_translations_only():
    loss = perceptual_loss()
    images = {d: x.requires_grad_() for d, x in random_images(2, size=32).items()}
    fakes = {d: x.requires_grad_() for d, x in random_images(2, size=32, seed=1).items()}
    content, style = loss(images, {('A', 'B'): fakes['A'], ('B', 'A'): fakes['B']})
    for terms in (content, style):
        gradients = torch.autograd.grad(
            sum(terms.values()), [*fakes.values(), *images.values()], retain_graph=True,
            allow_unused=True)
        assert all(gradient.any() and gradient.isfinite().all() for gradient in gradients[:2])
        assert gradients[2:] == (None, None)


def test_real_images_pass_the_vgg_once_and_without_graph():
    loss = perceptual_loss()
    passes = []
    loss.vgg.register_forward_hook(
        lambda module, args, output: passes.append(
            (len(args[0]), any(x.requires_grad for x in output.values()))))
    images = random_images(2, size=32)
    fakes = {d: x.requires_grad_() for d, x in random_images(2, size=32, seed=1).items()}
    loss(images, {('A', 'B'): fakes['A'], ('B', 'A'): fakes['B']})
    assert passes == [(4, False), (4, True)]


def test_perceptual_loss_has_no_weights_of_its_own():
    loss = perceptual_loss()
    assert list(loss.parameters()) == []
    assert loss.state_dict() == {}


def test_perceptual_loss_is_built_from_a_config():
    loss = MODELS.build(
        dict(type='VGGPerceptualLoss', pretrained=None, base_channels=2, content_weight=10,
             style_weight=1e3))
    assert loss.content_layers == dict(zip(LAYERS, [0.2, 0.4, 0.6, 0.8, 1.0], strict=True))
    assert loss.style_layers == dict.fromkeys(LAYERS, 1.)
    assert not loss.vgg.loaded  # building needs no weights, training does


# ------------------------------------------------------------------------------------ LSGAN, L1
def test_lsgan_by_hand():
    on_real, on_fake = torch.tensor([1., 0.5]), torch.tensor([0., 2., 1.])
    # ([0 + 0.25] / 2 + [0 + 4 + 1] / 3) / 2
    assert lsgan_discriminator_loss(on_real, on_fake).item() == pytest.approx(0.125 / 2 + 5 / 6)
    assert lsgan_generator_loss(on_fake).item() == pytest.approx((1 + 1 + 0) / 3)
    # 0.5 is on neither side.
    assert [x.item() for x in lsgan_accuracies(on_real, on_fake)] == pytest.approx([0.5, 1 / 3])


def test_what_lies_beyond_black_and_white_is_no_error_there():
    real = torch.tensor([1., 1., -1., -1., 0.5, 1.])
    image = torch.tensor([1.2, -1.2, -1.2, 1.2, 1.2, 0.9], requires_grad=True)
    shown = as_shown(image, real)
    assert shown.tolist() == pytest.approx([1, -1.2, -1, 1.2, 1.2, 0.9])
    reconstruction_loss(shown, real).backward()
    # Beyond the right end nothing pulls; beyond the wrong one, and elsewhere, the image is pulled.
    assert (6 * image.grad).tolist() == pytest.approx([0, -1, 0, 1, 1, -1])
    inside = torch.rand(2, 3, 4, 4) * 2 - 1
    assert torch.equal(as_shown(inside, inside.sign()), inside)


def test_reconstruction_by_hand():
    image, real = torch.tensor([[0., 1.], [2., -3.]]), torch.ones(2, 2)
    assert reconstruction_loss(image, real) == 6 / 4
    # 0.2^2 / (2 * 0.5), 0.5 - 0.5 / 2, 1 - 0.5 / 2
    image, real = torch.tensor([0.1, 0.9, -1.]), torch.tensor([0.3, 0.4, 0.])
    loss = reconstruction_loss(image, real, beta=0.5)
    assert loss.item() == pytest.approx((0.04 + 0.25 + 0.75) / 3)


@pytest.mark.parametrize('loss', [
    lambda x: lsgan_discriminator_loss(x, x), lsgan_generator_loss,
    lambda x: reconstruction_loss(x, x * 0)], ids=['lsgan d', 'lsgan g', 'reconstruction'])
def test_sums_of_bfloat16_are_in_float32(loss):
    """In bfloat16 the mean of 1.0078125 (1 + 2^-7) squared or not would lose its last digits."""
    x = torch.full((1000, ), 1.0078125, dtype=torch.bfloat16)
    assert loss(x).dtype == torch.float32
    torch.testing.assert_close(loss(x), loss(x.double()).float(), rtol=1e-6, atol=1e-9)
