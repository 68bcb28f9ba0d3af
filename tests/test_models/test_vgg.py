# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import os
from urllib.error import URLError

import pytest
import torch
import torchvision
from tiny_models import random_images

from egscit_mm.models.networks import VGGFeatures

LAYERS = ('relu1_1', 'relu2_1', 'relu3_1', 'relu4_1', 'relu5_1')
# torchvision's layers and the index of these activations in its `features`.
CFGS = dict(vgg16='D', vgg19='E')
TAPS = dict(
    vgg16=dict(relu1_1=1, relu2_1=6, relu3_1=11, relu4_1=18, relu5_1=25),
    vgg19=dict(relu1_1=1, relu2_1=6, relu3_1=11, relu4_1=20, relu5_1=29))
NUM_CONVS = dict(vgg16=(2, 2, 3, 3, 3), vgg19=(2, 2, 4, 4, 4))
both = pytest.mark.parametrize('arch', TAPS)
SHALLOW = ('relu1_1', 'relu2_1')  # of a whole file only the first layers are looked at
IMAGES = random_images(2, size=32)['A']


def loaded(*args, **kwargs):
    vgg = VGGFeatures(*args, **kwargs)
    vgg.load_weights()
    return vgg


def whole_state(arch='vgg19', seed=0):
    """Keys of torchvision's whole VGG; only the first layers have real weights."""
    with torch.device('meta'):
        state = getattr(torchvision.models, arch)().state_dict()
    generator = torch.Generator().manual_seed(seed)
    small = {'features.0', 'features.2', 'features.5'}
    return {
        key: torch.randn(value.shape, generator=generator)
        if key.rsplit('.', 1)[0] in small else torch.zeros(1)
        for key, value in state.items()
    }


def torchvisions_features(arch, width=64):
    """The `features` of torchvision's own network, of another width."""
    cfg = [size if size == 'M' else size * width // 64
           for size in torchvision.models.vgg.cfgs[CFGS[arch]]]
    return torchvision.models.vgg.make_layers(cfg)


# ---------------------------------------------------------------------------------- features
@both
def test_every_activation_equals_torchvisions(arch, tmp_path):
    """The same images through torchvision's own layers, with its preprocessing of [0, 1]."""
    torch.manual_seed(0)
    features = torchvisions_features(arch, width=8)
    torch.save(features.state_dict(), tmp_path / 'small.pth')
    names = [f'relu{stage}_{conv}' for stage, number in enumerate(NUM_CONVS[arch], 1)
             for conv in range(1, number + 1)]
    vgg = loaded(names, pretrained=tmp_path / 'small.pth', base_channels=8, arch=arch)
    x = torchvision.transforms.functional.normalize(
        (IMAGES + 1) / 2, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    expected = []
    with torch.no_grad():
        for layer in features:
            x = layer(x.clone())
            if isinstance(layer, torch.nn.ReLU):
                expected.append(x.clone())
    activations = vgg(IMAGES)
    assert list(activations) == names and len(expected) == len(names)
    for name, wanted in zip(names, expected):
        torch.testing.assert_close(activations[name], wanted, msg=name)
        assert activations[name].min() == 0 < activations[name].max()


@both
def test_full_width_is_torchvisions(arch):
    with torch.device('meta'):
        expected = getattr(torchvision.models, arch)().features.state_dict()
    last = f'relu5_{NUM_CONVS[arch][-1]}'
    with torch.device('meta'):
        buffers = dict(VGGFeatures([last], pretrained=None, arch=arch).layers.named_buffers())
    assert {name: buffer.shape for name, buffer in buffers.items()} == {
        name: weight.shape for name, weight in expected.items()}


@both
def test_shapes_and_depth(arch):
    vgg = loaded(LAYERS, pretrained=None, base_channels=2, arch=arch)
    assert vgg.taps == {index: layer for layer, index in TAPS[arch].items()}
    assert len(vgg.layers) == TAPS[arch]['relu5_1'] + 1  # nothing behind the deepest one
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


@pytest.mark.parametrize('layer, arch', [
    ('relu6_1', 'vgg19'), ('conv1_1', 'vgg19'), ('pool1', 'vgg19'), ('relu1_3', 'vgg19'),
    ('relu3_4', 'vgg16')])
def test_unknown_layer(layer, arch):
    with pytest.raises(ValueError, match=rf"VGG-{arch[3:]} has no layers \['{layer}'\].* relu5_1"):
        VGGFeatures(['relu1_1', layer], pretrained=None, arch=arch)


def test_unknown_arch():
    with pytest.raises(ValueError, match=r"arch must be one of \['vgg16', 'vgg19'\], got 'vgg11'"):
        VGGFeatures(['relu1_1'], pretrained=None, arch='vgg11')


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
    second = VGGFeatures(LAYERS, pretrained=None, base_channels=4)
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
        VGGFeatures(LAYERS, pretrained=None, base_channels=2)(IMAGES)


# -------------------------------------------------------------------------------- weight files
@both
def test_torchvisions_whole_state_dict(arch, tmp_path):
    state = whole_state(arch)
    torch.save(state, tmp_path / 'whole.pth')
    vgg = loaded(SHALLOW, pretrained=str(tmp_path / 'whole.pth'), arch=arch)
    for index in (0, 2, 5):
        assert torch.equal(vgg.layers[index].weight, state[f'features.{index}.weight'])
        assert torch.equal(vgg.layers[index].bias, state[f'features.{index}.bias'])


@pytest.mark.parametrize('layers', [SHALLOW, LAYERS])
@pytest.mark.parametrize('arch, other', [('vgg16', 'vgg19'), ('vgg19', 'vgg16')])
def test_weights_of_the_other_arch(tmp_path, arch, other, layers):
    """Their first layers have the same shapes, but they were not trained together."""
    width = 4
    for part, state in dict(whole=whole_state(other),
                            features=torchvisions_features(other, width).state_dict()).items():
        path = tmp_path / f'{part}.pth'
        torch.save(state, path)
        with pytest.raises(ValueError, match=f'{part}.pth looks like the weights of VGG-{other[3:]}'
                           f", but arch='{arch}' .*set perceptual_loss.arch='{other}'"):
            loaded(layers, pretrained=str(path), arch=arch, base_channels=width)
        with pytest.raises(ValueError, match=f'^--vgg={path} looks like the weights of VGG-'
                           f'{other[3:]}, not of VGG-{arch[3:]}: give the state dict of'):
            VGGFeatures(layers, str(path), width, arch).load_weights('--vgg')


@both
def test_a_file_of_the_first_layers_fits_both(tmp_path, arch):
    state = torchvisions_features(arch, 4)[:11].state_dict()
    torch.save(state, tmp_path / 'first.pth')
    vgg = loaded(['relu3_1'], pretrained=tmp_path / 'first.pth', base_channels=4, arch=arch)
    assert torch.equal(vgg.layers[10].weight, state['10.weight'])


@pytest.mark.parametrize('nested', [False, True])
def test_features_part_of_another_width(tmp_path, nested):
    """A quarter-width VGG, as ``vgg.features.state_dict()`` or a checkpoint with state_dict."""
    width = 16
    state = torchvisions_features('vgg19', width).state_dict()
    torch.save(dict(state_dict=state) if nested else state, tmp_path / 'small.pth')
    vgg = loaded(LAYERS, pretrained=tmp_path / 'small.pth', base_channels=width)
    for name, buffer in vgg.layers.named_buffers():
        assert torch.equal(buffer, state[name])
    with pytest.raises(ValueError, match=r"'0.weight' should have the shape \(64, 3, 3, 3\), "
                       r'found \(16, 3, 3, 3\)'):
        loaded(SHALLOW, pretrained=tmp_path / 'small.pth')


def test_missing_file(tmp_path):
    path = str(tmp_path / 'nowhere.pth')
    vgg = VGGFeatures(SHALLOW, pretrained=path)  # inference builds it without the file
    with pytest.raises(FileNotFoundError, match="perceptual_loss.pretrained='.*nowhere.pth' does "
                       "not exist: it should be .* torchvision's vgg19"):
        vgg.load_weights()


@pytest.mark.parametrize('content, message', [
    (dict(weight=torch.zeros(1)), "'0.weight' should have the shape .* found nothing"),
    ([1, 2], "other.pth holds a list: it should be .* torchvision's vgg19"),
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
@both
def test_torchvision_weights(monkeypatch, arch):
    """The ImageNet weights are asked from torchvision, with the hash checked, and safely."""
    calls = []

    def download(url, **kwargs):
        calls.append((url, kwargs['check_hash'], os.environ['TORCH_FORCE_WEIGHTS_ONLY_LOAD']))
        return whole_state(arch)

    monkeypatch.setattr('torchvision.models._api.load_state_dict_from_url', download)
    vgg = VGGFeatures(SHALLOW, arch=arch)
    assert calls == []  # building downloads nothing
    vgg.load_weights()
    url = torchvision.models.get_model_weights(arch).IMAGENET1K_V1.url
    assert calls == [(url, True, '1')]
    assert torch.equal(vgg.layers[0].weight, whole_state(arch)['features.0.weight'])


@both
def test_offline_says_where_to_put_the_file(monkeypatch, tmp_path, arch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))

    def offline(*args, **kwargs):
        raise URLError('no route to host')

    monkeypatch.setattr('torchvision.models._api.load_state_dict_from_url', offline)
    vgg = VGGFeatures(SHALLOW, arch=arch)
    with pytest.raises(FileNotFoundError, match=f"torchvision's weights of {arch} are") as error:
        vgg.load_weights()
    message = str(error.value)
    url = torchvision.models.get_model_weights(arch).IMAGENET1K_V1.url
    assert 'no route to host' in message and url in message
    assert str(tmp_path / 'hub' / 'checkpoints' / url.rsplit('/', 1)[-1]) in message
    assert 'perceptual_loss.pretrained' in message
    assert not vgg.loaded
