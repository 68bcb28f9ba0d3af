# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
from urllib.error import URLError

import pytest
import torch
import torchvision
from tiny_models import random_images

from egscit_mm.models.networks import VGG19Features

LAYERS = ('relu1_1', 'relu2_1', 'relu3_1', 'relu4_1', 'relu5_1')
# Index of these activations in torchvision's vgg19().features.
TAPS = dict(relu1_1=1, relu2_1=6, relu3_1=11, relu4_1=20, relu5_1=29)
SHALLOW = ('relu1_1', 'relu2_1')  # of a whole file only the first layers are looked at
IMAGES = random_images(2, size=32)['A']


def loaded(*args, **kwargs):
    vgg = VGG19Features(*args, **kwargs)
    vgg.load_weights()
    return vgg


def whole_state(seed=0):
    """Keys of torchvision's whole VGG-19; only the first layers have real weights."""
    with torch.device('meta'):
        state = torchvision.models.vgg19().state_dict()
    generator = torch.Generator().manual_seed(seed)
    small = {'features.0', 'features.2', 'features.5'}
    return {
        key: torch.randn(value.shape, generator=generator)
        if key.rsplit('.', 1)[0] in small else torch.zeros(1)
        for key, value in state.items()
    }


def torchvision_activations(state, images, layers):
    """The same layers run by torchvision, with its own preprocessing of [0, 1] images."""
    features = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs['E'])
    features = features[:TAPS[layers[-1]] + 1]
    features.load_state_dict(state)
    x = torchvision.transforms.functional.normalize(
        (images + 1) / 2, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    activations = {}
    for index, layer in enumerate(features):
        x = layer(x.clone())
        for name in layers:
            if TAPS[name] == index:
                activations[name] = x.clone()
    return activations


# ---------------------------------------------------------------------------------- features
def test_taps_equal_torchvisions():
    layers = LAYERS[:4]
    vgg = loaded(layers, pretrained=None)  # width 64
    with torch.no_grad():
        expected = torchvision_activations(dict(vgg.layers.named_buffers()), IMAGES, layers)
    activations = vgg(IMAGES)
    assert list(activations) == list(layers)
    for layer in layers:
        torch.testing.assert_close(activations[layer], expected[layer])
        assert activations[layer].min() == 0 < activations[layer].max()


def test_shapes_and_depth():
    vgg = loaded(LAYERS, pretrained=None, base_channels=2)
    assert vgg.taps == {index: layer for layer, index in TAPS.items()}
    assert len(vgg.layers) == TAPS['relu5_1'] + 1  # nothing behind the deepest one
    shapes = {layer: tuple(x.shape) for layer, x in vgg(IMAGES).items()}
    assert shapes == dict(
        relu1_1=(2, 2, 32, 32), relu2_1=(2, 4, 16, 16), relu3_1=(2, 8, 8, 8),
        relu4_1=(2, 16, 4, 4), relu5_1=(2, 16, 2, 2))


def test_activations_are_not_overwritten_by_the_next_layer():
    """torchvision's ReLUs work in place."""
    one = loaded(['relu1_1'], pretrained=None, base_channels=2)
    two = loaded(['relu1_1', 'relu1_2'], pretrained=None, base_channels=2)
    two.layers[2].weight.mul_(-1)
    torch.testing.assert_close(one(IMAGES)['relu1_1'], two(IMAGES)['relu1_1'])


@pytest.mark.parametrize('layer', ['relu6_1', 'conv1_1', 'pool1', 'relu1_3'])
def test_unknown_layer(layer):
    with pytest.raises(ValueError, match=rf"no layers \['{layer}'\]"):
        VGG19Features(['relu1_1', layer], pretrained=None)


# --------------------------------------------------------------------------- frozen, not saved
def test_no_parameters_and_nothing_in_the_state_dict():
    vgg = loaded(LAYERS, pretrained=None, base_channels=2)
    assert list(vgg.parameters()) == []
    assert vgg.state_dict() == {}
    assert all(buffer.dtype == torch.float64 for buffer in vgg.double().buffers())
    assert len(list(vgg.buffers())) == 2 * 13 + 2  # 13 convolutions, mean and std


def test_random_weights_are_the_same_twice():
    """Whatever the global generator does: equal on all ranks and in all runs."""
    first = loaded(LAYERS, pretrained=None, base_channels=4)
    torch.manual_seed(123)
    state = torch.get_rng_state()
    second = VGG19Features(LAYERS, pretrained=None, base_channels=4)
    torch.set_rng_state(state)
    second.load_weights()
    assert torch.equal(torch.get_rng_state(), state)
    for (name, a), (_, b) in zip(first.named_buffers(), second.named_buffers(), strict=True):
        assert torch.equal(a, b), name
    deep = first.layers[-2].weight  # He: std = sqrt(2 / fan_in)
    assert abs(deep.std() / (2 / deep[0].numel())**0.5 - 1) < 0.05


def test_random_weights_are_announced(caplog, monkeypatch):
    messages = []
    monkeypatch.setattr('egscit_mm.models.networks.vgg.print_log',
                        lambda message, *args, **kwargs: messages.append(message))
    loaded(['relu1_1'], pretrained=None, base_channels=2)
    assert len(messages) == 1 and 'random weights' in messages[0]


def test_use_before_loading():
    with pytest.raises(RuntimeError, match=r'not loaded; call init_weights\(\)'):
        VGG19Features(LAYERS, pretrained=None, base_channels=2)(IMAGES)


# -------------------------------------------------------------------------------- weight files
def test_torchvisions_whole_state_dict(tmp_path):
    state = whole_state()
    torch.save(state, tmp_path / 'vgg19.pth')
    vgg = loaded(SHALLOW, pretrained=str(tmp_path / 'vgg19.pth'))
    for index in (0, 2, 5):
        assert torch.equal(vgg.layers[index].weight, state[f'features.{index}.weight'])
        assert torch.equal(vgg.layers[index].bias, state[f'features.{index}.bias'])


@pytest.mark.parametrize('nested', [False, True])
def test_features_part_of_another_width(tmp_path, nested):
    """A quarter-width VGG, as ``vgg.features.state_dict()`` or a checkpoint with state_dict."""
    width = 16
    cfg = [width if c == 64 else c if c == 'M' else c * width // 64
           for c in torchvision.models.vgg.cfgs['E']]
    features = torchvision.models.vgg.make_layers(cfg)
    state = features.state_dict()
    torch.save(dict(state_dict=state) if nested else state, tmp_path / 'small.pth')
    vgg = loaded(LAYERS, pretrained=tmp_path / 'small.pth', base_channels=width)
    for name, buffer in vgg.layers.named_buffers():
        assert torch.equal(buffer, state[name])
    with pytest.raises(ValueError, match=r"'0.weight' should have the shape \(64, 3, 3, 3\), "
                       r'found \(16, 3, 3, 3\)'):
        loaded(SHALLOW, pretrained=tmp_path / 'small.pth')


def test_missing_file(tmp_path):
    path = str(tmp_path / 'nowhere.pth')
    vgg = VGG19Features(SHALLOW, pretrained=path)  # inference builds it without the file
    with pytest.raises(FileNotFoundError, match='nowhere.pth.* do not exist. Set perceptual_loss'):
        vgg.load_weights()


@pytest.mark.parametrize('content, message', [
    (dict(weight=torch.zeros(1)), "'0.weight' should have the shape .* found nothing"),
    ([1, 2], 'a state dict is needed, found list'),
])
def test_file_with_something_else(tmp_path, content, message):
    torch.save(content, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match=message):
        loaded(SHALLOW, pretrained=str(tmp_path / 'other.pth'))


class Harmful:

    def __reduce__(self):
        return print, ('executed', )


def test_file_is_loaded_safely(tmp_path):
    torch.save(dict(x=Harmful()), tmp_path / 'harmful.pth')
    with pytest.raises(RuntimeError, match="harmful.pth holds the Python object '.*print'"):
        loaded(SHALLOW, pretrained=str(tmp_path / 'harmful.pth'))


# --------------------------------------------------------------------------------- torchvision
def test_torchvision_weights(monkeypatch):
    """The ImageNet weights are asked from torchvision, with the hash checked."""
    calls = []

    def download(url, **kwargs):
        calls.append((url, kwargs['check_hash']))
        return whole_state()

    monkeypatch.setattr('torchvision.models._api.load_state_dict_from_url', download)
    vgg = VGG19Features(SHALLOW)
    assert calls == []  # building downloads nothing
    vgg.load_weights()
    assert calls == [(torchvision.models.VGG19_Weights.IMAGENET1K_V1.url, True)]
    assert torch.equal(vgg.layers[0].weight, whole_state()['features.0.weight'])


def test_offline_says_where_to_put_the_file(monkeypatch, tmp_path):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))

    def offline(*args, **kwargs):
        raise URLError('no route to host')

    monkeypatch.setattr('torchvision.models._api.load_state_dict_from_url', offline)
    vgg = VGG19Features(SHALLOW)
    with pytest.raises(FileNotFoundError) as error:
        vgg.load_weights()
    message = str(error.value)
    url = torchvision.models.VGG19_Weights.IMAGENET1K_V1.url
    assert 'no route to host' in message and url in message
    assert str(tmp_path / 'hub' / 'checkpoints' / url.rsplit('/', 1)[-1]) in message
    assert 'perceptual_loss.pretrained' in message
    assert not vgg.loaded
