# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import numpy as np
import pytest
import torch
from mmagic.models.base_models import BaseTranslationModel
from mmagic.registry import MODELS
from mmengine.optim import OptimWrapper
from mmengine.runner import load_checkpoint
from tiny_models import PREPROCESSOR, changed, random_batch, random_images, snapshot

from egscit_mm.engine import AutocastOptimWrapper
from egscit_mm.models.networks.vgg import VGGFeatures
from egscit_mm.models.style_transfer.networks import VGGDecoder, noise_images
from egscit_mm.models.style_transfer.whitening import mean_and_root, whitened_and_coloured
from egscit_mm.utils.errors import UserError

NETWORKS = dict(AdaINStyleTransfer='AdaINNetworks', WCT='WCTNetworks',
                NeuralStyle='PixelOptimisation')
TRAINED = ('AdaINStyleTransfer', 'WCT')


def tiny(kind, seed=0, loss_weights=None, **networks):
    """A model of a random VGG of width 2, ready to train and to translate."""
    torch.manual_seed(seed)
    networks = {**dict(type=NETWORKS[kind], size=32, arch='vgg16', pretrained=None,
                       base_channels=2), **networks}
    if kind == 'NeuralStyle':
        networks.setdefault('evaluations', 5)
    weights = {} if loss_weights is None else dict(loss_weights=loss_weights)
    model = MODELS.build(dict(
        type=kind, generator=networks, data_preprocessor=PREPROCESSOR, **weights))
    model.init_weights()
    return model


def adam(model, lr=1e-2, kind=OptimWrapper):
    return kind(optimizer=torch.optim.Adam(model.parameters(), lr=lr))


# --------------------------------------------------------------------------------- whitening
def random_features(channels=3, side=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(channels, channels, generator=generator)
    return (mixing @ torch.rand(channels, side * side, generator=generator) + seed).view(
        1, channels, side, side)


def covariance(features):
    return np.cov(features[0].flatten(1).double().numpy())


def test_features_get_mean_and_covariance_of_the_style():
    content, style = random_features(seed=1), random_features(side=7, seed=2)
    result = whitened_and_coloured(content, *mean_and_root(style))
    np.testing.assert_allclose(covariance(result), covariance(style), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result.mean((2, 3)), style.mean((2, 3)), rtol=1e-4)


def test_whitened_features_are_uncorrelated():
    content = random_features(channels=4, seed=3)
    result = whitened_and_coloured(content, torch.zeros(1, 4, 1), torch.eye(4)[None])
    np.testing.assert_allclose(covariance(result), np.eye(4), atol=1e-4)


def test_own_style_changes_nothing():
    content = random_features(seed=4)
    result = whitened_and_coloured(content, *mean_and_root(content))
    torch.testing.assert_close(result, content, rtol=1e-4, atol=1e-4)


def test_roots_of_hand_made_features():
    """Two uncorrelated channels: 4 and 0 of one, 3 and 1 of the other, over four positions."""
    features = torch.tensor([[[[0., 0.], [4., 4.]], [[1., 3.], [1., 3.]]]])
    mean, root = mean_and_root(features)
    assert mean.flatten().tolist() == [2, 2]
    # Variances 16 / 3 and 4 / 3.
    np.testing.assert_allclose(root[0], np.diag([4, 2]) / 3**0.5, atol=1e-12)
    _, inverse = mean_and_root(features, -0.5)
    np.testing.assert_allclose(inverse[0], np.diag([3**0.5 / 4, 3**0.5 / 2]), atol=1e-12)


def test_a_constant_channel_is_left_out():
    """Its noise would be raised to size 1."""
    content = random_features(channels=2, seed=5)
    content[:, 1] = 0.5
    content[:, 1, 0, 0] += 1e-3  # variance 4e-8
    result = whitened_and_coloured(content, *mean_and_root(random_features(2, seed=6)))
    _, whitening = mean_and_root(content, -0.5)
    assert result.isfinite().all() and whitening.abs().max() < 10


def test_each_image_has_its_own_statistics():
    batch = torch.cat([random_features(seed=seed) for seed in (1, 2)])
    styles = mean_and_root(torch.cat([random_features(seed=seed) for seed in (3, 4)]))
    alone = [whitened_and_coloured(batch[i:i + 1], *(part[i:i + 1] for part in styles))
             for i in range(2)]
    torch.testing.assert_close(whitened_and_coloured(batch, *styles), torch.cat(alone))


# --------------------------------------------------------------------------------- networks
@pytest.mark.parametrize('arch, convolutions', [
    ('vgg16', [1, 3, 5, 8, 11]), ('vgg19', [1, 3, 5, 9, 13])])
def test_a_decoder_mirrors_the_vgg(arch, convolutions):
    for stage, number in enumerate(convolutions, 1):
        vgg = VGGFeatures([f'relu{stage}_1'], None, 2, arch)
        decoder = VGGDecoder(stage, vgg)
        own, mirrored = ([tuple(layer.weight.shape[:2]) for layer in layers
                          if isinstance(layer, torch.nn.Conv2d)]
                         for layers in (decoder.layers, vgg.layers))
        assert own == [shape[::-1] for shape in reversed(mirrored)] and len(own) == number
        features = torch.zeros(2, own[0][1], 4, 5)
        size = 4 * 2**(stage - 1) - 1, 5 * 2**(stage - 1)
        assert decoder(features, size).shape == (2, 3, *size)
        assert isinstance(decoder.layers[-1], torch.nn.Conv2d)  # neither ReLU nor tanh


@pytest.mark.parametrize('kind', TRAINED)
def test_decoders_get_whitened_features(kind):
    """Of the noise that the map is made from: mean 0; variance 1 in every direction, 0 if dead."""
    networks = tiny(kind, base_channels=4).generators
    decoders = getattr(networks, 'stage_decoders', None) or {'relu4_1': networks.decoder}
    features = networks.vgg(noise_images())
    for layer, decoder in decoders.items():
        decoder.layers = torch.nn.Identity()
        whitened = decoder(features[layer], (64, 64)).transpose(0, 1).flatten(1).double().numpy()
        np.testing.assert_allclose(whitened.mean(1), 0, atol=1e-3)
        values = np.linalg.eigvalsh(np.cov(whitened))
        own = np.linalg.eigvalsh(np.cov(features[layer].transpose(0, 1).flatten(1).double()))
        np.testing.assert_allclose(values, np.sort(own >= 1e-5), atol=1e-2)
        assert values.max() > 0.9


def test_whitening_changes_no_more_than_the_first_convolution():
    """A decoder without it, whose first convolution has taken it in, is the same."""
    networks = tiny('AdaINStyleTransfer', base_channels=4).generators
    decoder, plain = networks.decoder, VGGDecoder(4, networks.vgg)
    plain.layers.load_state_dict(decoder.layers.state_dict())
    first, whitening = plain.layers[0], decoder.whitening[..., 0, 0]
    first.weight.data = torch.einsum('oihw,ij->ojhw', first.weight.data, whitening)
    first.bias.data -= torch.einsum('oihw,i->o', first.weight.data, decoder.mean[0, :, 0, 0])
    features = networks.vgg(random_images(size=32)['A'])['relu4_1']
    torch.testing.assert_close(
        plain(features, (32, 32)), decoder(features, (32, 32)), rtol=1e-3, atol=1e-4)


def test_whitening_is_as_fine_under_autocast_and_in_half_precision():
    networks = tiny('AdaINStyleTransfer', base_channels=4).generators
    decoder, features = networks.decoder, torch.rand(1, 32, 4, 4)
    decoder.layers = torch.nn.Identity()
    decoder.mean += 100  # a small difference of large numbers
    expected = decoder(features.bfloat16().float() + 100, (4, 4))
    with torch.autocast('cpu', torch.bfloat16):
        torch.testing.assert_close(
            decoder(features.bfloat16().float() + 100, (4, 4)), expected, rtol=0, atol=0)
    half = decoder.half()(features.half(), (4, 4))
    assert half.isfinite().all()


@pytest.mark.parametrize('scale', [1, 100])
def test_a_normalised_vgg_tells_the_same_in_another_size(scale):
    """So that weights of any origin suit the same loss weights."""
    layers = ['relu1_1', 'relu2_1', 'relu3_1']
    plain, vgg = (VGGFeatures(layers, None, 4) for _ in range(2))
    for network in (plain, vgg):
        network.load_weights()
        network.layers[0].weight *= scale
        network.layers[0].bias *= scale
        for layer in network.layers[2:]:
            if isinstance(layer, torch.nn.Conv2d):
                layer.bias += 0.01 * scale  # so that biases matter
    vgg.normalise()
    noise = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    means = [x.mean().item() for x in vgg(noise * 2 - 1).values()]
    assert means == pytest.approx([1, 1, 1], rel=1e-4)
    images = random_images(size=32)['A']
    for name, x in vgg(images).items():
        own = plain(images)[name]
        ratio = own.mean() / x.mean()
        torch.testing.assert_close(x * ratio, own, rtol=1e-3, atol=1e-4 * scale)
        assert 0.2 < x.mean() < 5


@pytest.mark.parametrize('value', [0., float('nan')])
def test_weights_of_no_use_are_refused(value):
    vgg = VGGFeatures(('relu1_1', 'relu2_1'), None, 4, 'vgg16')
    vgg.load_weights()
    vgg.layers[2].weight.fill_(value)
    vgg.layers[2].bias.fill_(value)
    with pytest.raises(UserError, match=f'of no use: their activations have the mean {value:.3g}'):
        vgg.normalise()


def test_features_stop_at_the_layer_that_is_asked_for():
    vgg = VGGFeatures(['relu1_1', 'relu2_1', 'relu3_1'], None, 2)
    vgg.load_weights()
    images = random_images()['A']
    assert list(vgg(images, 'relu2_1')) == ['relu1_1', 'relu2_1']
    assert torch.equal(vgg(images, 'relu2_1')['relu2_1'], vgg(images)['relu2_1'])


# -------------------------------------------------------------------------------------- AdaIN
def slow_adain(content, style):
    """As the formula says, channel by channel."""
    result = np.empty_like(content)
    for n, c in np.ndindex(content.shape[:2]):
        mean, std = content[n, c].mean(), np.sqrt(content[n, c].var() + 1e-5)
        own = np.sqrt(style[n, c].var() + 1e-5)
        result[n, c] = own * (content[n, c] - mean) / std + style[n, c].mean()
    return result


def test_adain_decodes_features_of_the_exemplars_statistics():
    networks = tiny('AdaINStyleTransfer', size=None).generators.eval()
    networks.decoder.forward = lambda features, size: features
    images = random_images(size=32)
    deepest = {d: networks.vgg(x)['relu4_1'].numpy() for d, x in images.items()}
    style = networks.encode_style(images['B'], 'B')
    result = networks.stylised(images['A'], style)
    np.testing.assert_allclose(
        result, slow_adain(deepest['A'], deepest['B']), rtol=1e-3, atol=1e-5)
    networks.alpha = 0.25
    np.testing.assert_allclose(
        networks.stylised(images['A'], style), 0.75 * deepest['A'] + 0.25 * result.numpy(),
        rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize('pixel', [0., 4.])
def test_adain_losses_equal_the_written_out_ones(pixel):
    weights = dict(content=2., style=3., pixel=pixel)
    model = tiny('AdaINStyleTransfer', loss_weights=weights, size=None)
    images = random_images(size=32)
    losses = model.losses(images)
    networks = model.generators
    real = {d: {k: v.numpy() for k, v in networks.vgg(x).items()} for d, x in images.items()}
    expected = {}
    for s, t in (('A', 'B'), ('B', 'A')):
        target = slow_adain(real[s]['relu4_1'], real[t]['relu4_1'])
        with torch.no_grad():
            image = networks.decoder(torch.from_numpy(target), (32, 32))
            made = {k: v.numpy() for k, v in networks.vgg(image).items()}
        expected[f'loss_content_{s}2{t}'] = 2 * ((made['relu4_1'] - target)**2).mean()
        expected[f'loss_style_{s}2{t}'] = 3 * sum(
            ((made[k].mean((2, 3)) - real[t][k].mean((2, 3)))**2).mean()
            + ((np.sqrt(made[k].var((2, 3)) + 1e-5)
                - np.sqrt(real[t][k].var((2, 3)) + 1e-5))**2).mean() for k in made)
    for domain, batch in images.items() if pixel else ():
        with torch.no_grad():
            image = networks.decoder(networks.vgg(batch)['relu4_1'], (32, 32))
        expected[f'loss_pixel_{domain}'] = 4 * ((image - batch)**2).mean().item()
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        assert losses[name].item() == pytest.approx(value, rel=1e-3), name


# ---------------------------------------------------------------------------------------- WCT
def test_wct_losses_equal_the_written_out_ones():
    model = tiny('WCT', loss_weights=dict(pixel=2., feature=3.))
    images = random_images(size=16)
    networks = model.generators
    batch = torch.nn.functional.interpolate(
        torch.cat([images['A'], images['B']]), (32, 32), mode='bilinear')
    losses = model.losses(images)
    for stage, (layer, decoder) in enumerate(networks.stage_decoders.items(), 1):
        assert layer == f'relu{stage}_1'
        with torch.no_grad():
            features = networks.vgg(batch)[layer]
            image = decoder(features, (32, 32))
            made = networks.vgg(image)[layer]
        assert losses[f'loss_pixel_{layer}'].item() == pytest.approx(
            2 * ((image - batch)**2).mean().item(), rel=1e-4)
        assert losses[f'loss_feature_{layer}'].item() == pytest.approx(
            3 * ((made - features)**2).mean().item(), rel=1e-4)
    assert len(losses) == 10


def test_wct_goes_from_the_deepest_layer_to_the_first():
    """Each stage sees the image of the stage before; its share of the style is alpha."""
    networks = tiny('WCT', size=None, alpha=0.25).generators.eval()
    images = random_images(size=32)
    style = networks.encode_style(images['B'], 'B')
    image = images['A']
    with torch.no_grad():
        for stage in (5, 4, 3, 2, 1):
            layer = f'relu{stage}_1'
            features, exemplar = (networks.vgg(x)[layer] for x in (image, images['B']))
            styled = whitened_and_coloured(features, *mean_and_root(exemplar))
            image = networks.stage_decoders[layer](
                0.75 * features + 0.25 * styled, (32, 32))
        result = networks.stylised(images['A'], style)
    torch.testing.assert_close(result, image, rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------------------- neural style
def test_neural_styles_loss_equals_the_written_out_one():
    weights = dict(relu1_1=7., relu2_1=6., relu3_1=5., relu4_1=4., relu5_1=3.)
    networks = tiny('NeuralStyle', style_layers=weights, size=None).generators
    images = {d: x[:1] for d, x in random_images(size=32).items()}
    made = random_images(1, size=32, seed=5)['A']
    features = {name: {k: v[0].numpy() for k, v in networks.vgg(x).items()}
                for name, x in dict(images, made=made).items()}

    def gram(x):
        """Entry by entry."""
        channels, height, width = x.shape
        return np.array([[(x[i] * x[j]).sum() / (height * width) for j in range(channels)]
                         for i in range(channels)])

    expected = ((features['made']['relu4_2'] - features['A']['relu4_2'])**2).mean()
    for layer, weight in weights.items():
        own, wanted = (gram(features[name][layer]) for name in ('made', 'B'))
        expected += weight / len(own)**2 * ((own - wanted)**2).mean()
    loss = networks.loss(made, torch.from_numpy(features['A']['relu4_2'])[None],
                         networks.encode_style(images['B'], 'B'))
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_pixels_are_optimised_also_in_inference_mode():
    images = {d: x[:1] for d, x in random_images(size=32).items()}
    losses = []
    for evaluations in (1, 4, 16):
        networks = tiny('NeuralStyle', size=None, evaluations=evaluations).generators.eval()
        with torch.inference_mode():
            style = networks.encode_style(images['B'], 'B')
            result = networks.stylised(images['A'], style)
            content = networks.features(images['A'])['relu4_2']
            losses.append(networks.loss(result, content, style).item())
    assert losses[2] < losses[1] < losses[0]


def test_a_loss_of_pixels_that_is_not_finite_ends_the_translation():
    model = tiny('NeuralStyle', style_layers=dict(relu1_1=1e40)).eval()
    images = random_images()
    with pytest.raises(FloatingPointError, match="style_layers than {'relu1_1': 1e[+]40}"):
        model.translation(images['A'], 'B', images['B'])


def test_images_of_a_batch_are_optimised_each_as_if_alone():
    model = tiny('NeuralStyle').eval()
    images = random_images()
    together = model.translation(images['A'], 'B', images['B'])
    for i in range(2):
        alone = model.translation(images['A'][i:i + 1], 'B', images['B'][i:i + 1])
        torch.testing.assert_close(together[i:i + 1], alone, rtol=0, atol=1e-4)


def test_neural_style_has_nothing_to_train_or_to_save():
    model = tiny('NeuralStyle')
    assert not model.state_dict() and not list(model.parameters())
    assert not model.has_weights


# ----------------------------------------------------------------------------------- training
@pytest.mark.parametrize('kind', TRAINED)
def test_the_decoders_learn_and_the_vgg_stays(kind):
    model = tiny(kind)
    wrapper, before, batch = adam(model), snapshot(model), random_batch(2)
    logs = [model.train_step(batch, wrapper) for _ in range(12)]
    assert logs[-1]['loss'] < 0.9 * logs[0]['loss']
    assert logs[0]['loss'] == pytest.approx(
        sum(value for name, value in logs[0].items() if name != 'loss'), rel=1e-5)
    names = set(changed(before, snapshot(model)))
    assert names == {name for name, _ in model.named_parameters()}
    assert all('decoder' in name for name in names)


@pytest.mark.parametrize('kind', TRAINED)
def test_bfloat16_training_is_finite(kind):
    model = tiny(kind)
    logs = model.train_step(random_batch(2), adam(model, kind=AutocastOptimWrapper))
    assert all(np.isfinite(value) for value in logs.values())
    assert all(p.isfinite().all() and p.dtype == torch.float32 for p in model.parameters())


@pytest.mark.parametrize('kind', TRAINED)
def test_a_loss_that_is_not_finite_stops_the_training(kind):
    model = tiny(kind)
    next(model.parameters()).data.fill_(float('nan'))
    with pytest.raises(FloatingPointError, match='testA/0.png'):
        model.train_step(random_batch(2), adam(model))


def test_unknown_loss_weights_and_arguments_are_refused():
    with pytest.raises(ValueError, match=r"unknown keys \['gan'\]"):
        tiny('WCT', loss_weights=dict(gan=1.))
    for kind in TRAINED:
        with pytest.raises(ValueError, match=r'alpha must lie in \[0, 1\], got 1.5'):
            tiny(kind, alpha=1.5)
    with pytest.raises(ValueError, match='size'):
        tiny('NeuralStyle', size=8)
    for layers in ({}, dict(relu1_1=-1.), dict(relu9_1=1.)):
        with pytest.raises(ValueError, match='layers'):
            tiny('NeuralStyle', style_layers=layers)


# ---------------------------------------------------------------------------------- inference
@pytest.mark.parametrize('kind', NETWORKS)
def test_translation_follows_the_exemplar_in_both_directions(kind):
    model = tiny(kind).eval()
    assert isinstance(model, BaseTranslationModel)
    images, batch = random_images(), random_batch(2)
    for s, t in (('A', 'B'), ('B', 'A')):
        results = [model.translation(images[s], t, exemplar)
                   for exemplar in (images[t], images[t].flip(0))]
        assert results[0].shape == images[s].shape and not torch.equal(*results)
        assert all(-1 <= result.min() and result.max() <= 1 for result in results)
    # Content and exemplar change places, the network stays.
    assert torch.equal(model.translation(images['A'], 'B', images['B']),
                       model.translation(images['A'], 'A', images['B'], 'B'))
    samples = model.test_step(batch)
    own = {d: torch.stack(batch['inputs'][f'img_{d}']).flip(1).float() / 127.5 - 1 for d in 'AB'}
    expected = (model.translation(own['B'], 'A', own['A']).flip(1) + 1) * 127.5
    for i in range(2):
        torch.testing.assert_close(samples[i].get('fake_A'), expected[i], rtol=1e-3, atol=0.1)
    grids = model.rows(images)
    assert {name: list(rows) for name, rows in grids.items()} == {
        name: ['content', 'exemplar', 'translation'] for name in ('A2B', 'B2A')}


@pytest.mark.parametrize('kind', TRAINED)
def test_translation_works_in_other_precisions(kind):
    model = tiny(kind).eval()
    images = {domain: image.half() for domain, image in random_images().items()}
    expected = model.translation(images['A'].float(), 'B', images['B'].float())
    for dtype, tolerance in ((torch.float64, 1e-3), (torch.float16, 0.2)):
        model.to(dtype)
        result = model.translation(images['A'].to(dtype), 'B', images['B'].to(dtype))
        torch.testing.assert_close(result.float(), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize('kind', NETWORKS)
def test_any_size_is_resized_and_resized_back(kind):
    model = tiny(kind).eval()
    content, exemplar = torch.rand(1, 3, 27, 45) * 2 - 1, torch.rand(1, 3, 33, 18) * 2 - 1
    assert model.generators.resized(content).shape == (1, 3, 32, 53)
    result = model.translation_at_any_size(content, 'B', exemplar, 'A')
    assert result.shape == content.shape and result.isfinite().all()


@pytest.mark.parametrize('kind', NETWORKS)
def test_styles_can_be_mixed_and_strengthened(kind):
    generators = tiny(kind).eval().generators
    images = random_images()
    one, two = (generators.encode_style(images['B'][i:i + 1], 'B') for i in range(2))
    generators.mean_styles['B'].set(one)
    weak = generators.strengthened(two, 'B', 0)
    expected, result = (generators.translate_to_style(images['A'], style, 'A', 'B')
                        for style in (one, weak))
    torch.testing.assert_close(result, expected, rtol=1e-3, atol=1e-3)


# -------------------------------------------------------------------------------- checkpoints
@pytest.mark.parametrize('kind', TRAINED)
def test_a_checkpoint_holds_the_vgg_that_its_decoder_fits(kind, tmp_path):
    model = tiny(kind).eval()
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'model.pth')
    torch.manual_seed(1)
    twin = MODELS.build(dict(
        type=kind, data_preprocessor=PREPROCESSOR,
        generator=dict(type=NETWORKS[kind], size=32, arch='vgg16', pretrained='nowhere.pth',
                       base_channels=2))).eval()
    load_checkpoint(twin, str(tmp_path / 'model.pth'), strict=True)
    images = random_images()
    assert torch.equal(*(m.translation(images['A'], 'B', images['B']) for m in (model, twin)))

    other = TRAINED[1 - TRAINED.index(kind)]
    with pytest.raises(ValueError, match=f'not one of this {other}'):
        load_checkpoint(tiny(other), str(tmp_path / 'model.pth'))
