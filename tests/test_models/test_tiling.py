# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Images in tiles: the result is that of the whole image, and nothing else is computed."""
import numpy as np
import pytest
import torch
from tiny_models import networks, tiny_egscit, tiny_munit, tiny_translator
from torch import nn

from egscit_mm.models.egscit import tiling
from egscit_mm.models.egscit.egscit import mask_image
from egscit_mm.models.egscit.tiling import TiledTranslation
from egscit_mm.models.layers import RunningStatistics, channel_statistics
from egscit_mm.models.networks.tiles import needed_inputs, tiles
from egscit_mm.utils.errors import UserError
from egscit_mm.utils.image_sizes import fitted


def net_of(num_downsamples, seed=0, **kwargs):
    return tiny_translator(seed, **networks(4, num_downsamples), **kwargs).eval()


def image(height, width, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, height, width, generator=generator, dtype=dtype) * 2 - 1


@torch.no_grad()
def whole(net, content, exemplar, source='A', target='B'):
    stride = net.encoders['A'].stride
    result = net.translate(fitted(content, stride), fitted(exemplar, stride), source, target)
    return result[..., :content.shape[-2], :content.shape[-1]]


@torch.no_grad()
def tiled(net, content, exemplar, side, source='A', target='B'):
    translation = TiledTranslation(net, side)
    return translation.translate(content, translation.style(exemplar, target), source, target)


# ----------------------------------------------------------------------------- equal to the whole
@pytest.mark.parametrize('kept', [True, False])
@pytest.mark.parametrize('num_downsamples', [0, 1, 2])
@pytest.mark.parametrize('size, side', [
    ((96, 128), 32),
    ((101, 67), 32),  # divided by neither the stride nor the tile
    ((9, 130), 40),  # lower than the smallest image of the networks
    ((64, 64), 7),
    ((50, 40), 512),  # one tile
])
def test_tiles_equal_the_whole(num_downsamples, size, side, kept, monkeypatch):
    if not kept:
        monkeypatch.setattr(tiling, 'KEPT_BYTES', 0)
    net = net_of(num_downsamples)
    content, exemplar = image(*size), image(75, 44, 1)
    wanted = whole(net, content, exemplar)
    found = tiled(net, content, exemplar, side)
    assert found.shape == content.shape and wanted.std() > 0.02
    assert (found - wanted).abs().max() < 1e-4 * 2


@pytest.mark.parametrize('adain', ['std', 'var', 'release', None])
@pytest.mark.parametrize('eta', [0.5, 1])
def test_every_form_and_ablation(adain, eta):
    """In float64 the two differ by rounding alone: the tiles leave nothing out."""
    net = net_of(2, adain=adain, eta=eta).double()
    content = image(90, 70, dtype=torch.float64)
    exemplar = image(40, 40, 1, dtype=torch.float64)
    wanted = whole(net, content, exemplar, 'B', 'A')
    found = tiled(net, content, exemplar, 24, 'B', 'A')
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-10)


def test_statistics_of_the_exemplar_in_tiles():
    net = net_of(1, adain='release').double()
    exemplar = image(61, 83, 1, dtype=torch.float64)
    with torch.no_grad():
        found = TiledTranslation(net, 16).style(exemplar, 'B')
        wanted = net.encode_style(fitted(exemplar, 2), 'B')
    for ours, theirs in zip(found, wanted):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_masks_in_tiles():
    net = net_of(2, eta=0.5)
    content = image(70, 45)
    with torch.no_grad():
        wanted = mask_image(net, fitted(content, 4), 'A')[..., :70, :45]
        found = TiledTranslation(net, 16).mask(content, 'A')
    assert wanted.std() > 3e-3
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)


def test_pictures_are_kept_as_they_come():
    """In bytes: what one tile needs is made of them, and no more."""
    net = net_of(1)
    content = ((image(80, 90) + 1) * 127.5).round().byte()
    seen = []

    def read(piece):
        seen.append(piece.shape[-2:])
        return piece.float() / 127.5 - 1

    translation = TiledTranslation(
        net, 32, read, lambda piece: ((piece.clamp(-1, 1) + 1) * 127.5).round().byte())
    with torch.no_grad():
        style = translation.style(content, 'B')
        found = translation.translate(content, style, 'A', 'B')
    wanted = ((whole(net, *[content.float() / 127.5 - 1] * 2) + 1) * 127.5).round()
    assert found.dtype == torch.uint8
    assert (found.float() - wanted).abs().max() <= 1
    assert max(max(size) for size in seen) < 80


def test_memory_does_not_grow_with_the_image(monkeypatch):
    """The networks see windows of one size, however many there are."""
    net = net_of(2)
    monkeypatch.setattr(tiling, 'KEPT_BYTES', 0)
    largest = {}
    for side in (192, 256):
        areas = []
        hooks = [layer.register_forward_pre_hook(
            lambda layer, inputs, areas=areas: areas.append(inputs[0][0, 0].numel()))
            for layer in net.modules() if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))]
        tiled(net, image(side, side), image(16, 16), 32)
        largest[side] = max(areas)
        for hook in hooks:
            hook.remove()
    assert largest[256] == largest[192] < 128 * 128


# ----------------------------------------------------------------------------- receptive field
def chains(num_downsamples):
    net = net_of(num_downsamples)
    encoding = [net.encoders['A'], net.shared_encoder_block, net.shared_decoder_block]
    stride = net.encoders['A'].stride
    return [(encoding, stride, 1), ([net.decoders['B']], 1, stride),
            (encoding + [net.decoders['B']], stride, stride)]


@pytest.mark.parametrize('num_downsamples', [0, 1, 2])
@pytest.mark.parametrize('which', range(3))
def test_receptive_field_is_exact(num_downsamples, which):
    """Which inputs have a gradient, of all weights and paths."""
    networks_, inputs, outputs = chains(num_downsamples)[which]
    for network in networks_:
        for name, parameter in network.named_parameters():
            nn.init.constant_(parameter, 1. if name.endswith('weight') else 0.)
    network = nn.Sequential(*networks_).double()
    channels = 3 if which != 1 else networks_[0].in_channels
    # Small numbers: tanh must not be level.
    x = torch.full((1, channels, 4 * inputs, 48 * inputs), 1e-30, dtype=torch.float64,
                   requires_grad=True)
    for start, stop in ((24 * outputs, 25 * outputs), (23 * outputs, 26 * outputs)):
        output = network(x)[..., start:stop]
        gradient, = torch.autograd.grad(output.sum(), x)
        columns = gradient.abs().sum((0, 1, 2)).nonzero().flatten()
        assert needed_inputs(networks_, start, stop) == (columns[0].item(), columns[-1].item() + 1)


def test_networks_with_statistics_of_their_own_are_refused():
    net = tiny_munit().generators
    assert not net.works_in_tiles
    with pytest.raises(UserError, match='MUNITContentEncoder cannot work in tiles: its layer '
                       'InstanceNorm2d may look at the whole image'):
        needed_inputs([net.encoders['A']], 0, 1)


def test_tiles_cover_the_image_once():
    count = torch.zeros(1, 1, 23, 9)
    windows = torch.zeros(1, 1, 23, 9)
    places = tiles((23, 9), 4, lambda start, stop: (start - 2, stop + 3))
    for tile in places:
        tile.place(count).add_(1)
        tile.window(windows).add_(1)
        assert max(tile.place(count).shape) <= 4
        inner = tile.inner(tile.window(torch.arange(23 * 9).view(1, 1, 23, 9)))
        assert torch.equal(inner, tile.place(torch.arange(23 * 9).view(1, 1, 23, 9)))
    assert len(places) == 6 * 3
    assert (count == 1).all() and (windows >= count).all()


# ----------------------------------------------------------------------------- statistics
def test_statistics_of_parts_equal_those_of_the_whole():
    """Also of channels that are far from 0 and nearly constant."""
    features = torch.randn(2, 5, 30, 40, dtype=torch.float64)
    features = (features * torch.tensor([1, 1e-3, 100, 1e-6, 0]).view(5, 1, 1) + 1000).float()
    statistics = RunningStatistics()
    for rows in features.split([7, 1, 22], 2):
        for part in rows.split([13, 27], 3):
            statistics.add(part)
    mean, variance = statistics.mean_and_variance()
    wanted = features.double().numpy()
    assert mean.dtype == variance.dtype == torch.float32
    np.testing.assert_allclose(mean.flatten(), wanted.mean((2, 3)).flatten(), rtol=1e-7)
    np.testing.assert_allclose(variance.flatten(), wanted.var((2, 3)).flatten(), rtol=1e-6,
                               atol=1e-12)


def test_one_part_is_the_whole():
    features = torch.randn(1, 3, 8, 9, dtype=torch.float64)
    statistics = RunningStatistics()
    statistics.add(features)
    for ours, theirs in zip(statistics.mean_and_variance(), channel_statistics(features)):
        torch.testing.assert_close(ours, theirs, rtol=1e-14, atol=1e-14)


def test_mask_and_translation_of_a_whole_model():
    """Of the average, as inference takes it; the other direction and domain."""
    model = tiny_egscit(generator=networks(4, 1)).eval()
    content, exemplar = image(44, 60), image(30, 30, 1)
    with torch.no_grad():
        wanted = model.translation_at_any_size(content, 'A', exemplar, 'B')
    found = tiled(model.inference_generators, content, exemplar, 16, 'B', 'A')
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)
