# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""VGG features (Simonyan & Zisserman 2015) as a frozen, weightless-in-checkpoints module."""
from typing import Any, Dict, Iterable, List, Optional

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from ...utils.errors import RunError, UserError
from .state import features_state, first_misfit

# Convolutions per stage, and width of the stages in multiples of the base width.
NUM_CONVS = dict(vgg16=(2, 2, 3, 3, 3), vgg19=(2, 2, 4, 4, 4))
WIDTHS = (1, 2, 4, 8, 8)
# torchvision's normalisation of RGB in [0, 1], for which its ImageNet weights are trained.
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


def _layer_names(arch: str) -> List[str]:
    """Names of torchvision's ``features`` in order, such as conv1_1, relu1_1 and pool1."""
    return [
        name for stage, num_convs in enumerate(NUM_CONVS[arch], 1) for name in (
            *(f'{kind}{stage}_{conv}' for conv in range(1, num_convs + 1)
              for kind in ('conv', 'relu')), f'pool{stage}')
    ]


class VGGFeatures(nn.Module):
    """Activations of VGG-16 or VGG-19 at layers named relu1_1 ... relu5_3 or relu5_4.

    Weights live in buffers: they follow the device, but are neither trained, nor synchronised
    between ranks, nor, as a rule, written to checkpoints (80 MB that everybody has). They are
    loaded by :meth:`load_weights`, which training calls; inference needs no file of a VGG.

    Args:
        layers (Iterable[str]): Names of the activations to return; nothing behind the deepest one
            is built.
        pretrained (str | None): ``'torchvision'`` for the ImageNet weights (downloaded by
            torchvision, or found in its cache), or the path of a state dict, torchvision's whole
            network or its ``features`` part. None means seeded *random* weights: for tests only.
            Defaults to ``'torchvision'``.
        base_channels (int): Width of the first stage, 64 for the ImageNet weights. Defaults to 64.
        arch (str): ``'vgg16'`` or ``'vgg19'``. Defaults to ``'vgg19'``.
        persistent (bool): Whether checkpoints hold the weights, for networks that fit no others.
            Defaults to False.

    Raises:
        ValueError: If ``arch`` or a layer is unknown.
    """

    def __init__(self,
                 layers: Iterable[str],
                 pretrained: Optional[str] = 'torchvision',
                 base_channels: int = 64,
                 arch: str = 'vgg19',
                 persistent: bool = False):
        super().__init__()
        from torchvision.models.vgg import make_layers
        if arch not in NUM_CONVS:
            raise UserError(f'VGG arch must be one of {list(NUM_CONVS)}, got {arch!r}')
        names = _layer_names(arch)
        cfg = []
        for num_convs, width in zip(NUM_CONVS[arch], WIDTHS):
            cfg += [base_channels * width] * num_convs + ['M']
        layers = set(layers)
        unknown = layers - {name for name in names if name.startswith('relu')}
        if unknown:
            raise UserError(f'{_title(arch)} has no layers {sorted(unknown)}; they are named '
                            + ', '.join(name for name in names if name.startswith('relu')))
        depth = max(names.index(layer) for layer in layers) + 1
        self.layers = make_layers(cfg)[:depth]
        self.taps = {index: name for index, name in enumerate(names[:depth]) if name in layers}
        self.pretrained = pretrained
        self.arch = arch
        self.base_channels = base_channels
        self.persistent = persistent
        self.loaded = False
        for module in self.layers:
            if isinstance(module, nn.MaxPool2d):
                # As the release's SAME pooling: 28x28 digits keep 2x2 positions at relu5_1. With
                # one position the normalised features would be 0 or 1, without gradient. Sizes
                # that 16 divides do not change.
                module.ceil_mode = True
            for name, parameter in list(module.named_parameters(recurse=False)):
                delattr(module, name)
                module.register_buffer(name, torch.empty_like(parameter), persistent=persistent)
        for name, value in (('mean', _IMAGENET_MEAN), ('std', _IMAGENET_STD)):
            self.register_buffer(name, torch.tensor(value).view(1, 3, 1, 1), persistent=False)

    def load_weights(self, setting: str = 'perceptual_loss.pretrained') -> None:
        """Loads the weights that ``pretrained`` names.

        Args:
            setting (str): Where the config has it, or the option of a command line, for error
                messages.

        Raises:
            FileNotFoundError: If the weights are not on this machine and cannot be downloaded.
            ValueError: If a file does not hold a VGG of this ``arch`` and width.
        """
        if self.pretrained is None:
            print_log('VGG features have random weights (pretrained=None): good for tests, not '
                      'for results.', 'current', level=30)
            state = self._random_state()
        else:
            state = features_state(self.arch, self.pretrained, setting)
            self._check_state(state, setting)
        for name, buffer in self.layers.named_buffers():
            buffer.copy_(state[name])
        self.loaded = True

    @torch.no_grad()
    def normalise(self) -> None:
        """Scales every convolution so that the mean of its activations is 1, on an image of noise.

        What the network tells apart stays the same. Weights of other origins, whose activations
        differ a hundredfold, then suit the same loss weights. The releases of style transfer have
        such a network, for the mean over ImageNet.
        """
        noise = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        x, unit = (noise.to(self.mean) - self.mean) / self.std, 1.
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                x = layer(x)
                before, unit = unit, x.clamp_min(0).mean()
                if not 0 < unit < torch.inf:
                    raise UserError(f'The weights of the VGG ({self.pretrained}) are of no use: '
                                    f'their activations have the mean {unit:.3g} on an image of '
                                    'noise.')
                layer.weight *= before / unit
                layer.bias /= unit
            else:
                x = layer(x)

    def _load_from_state_dict(self, *args, **kwargs) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self.loaded |= self.persistent  # the model refuses a checkpoint that has not all of them

    def _check_state(self, state: Dict[str, Any], setting: str) -> None:
        """Refuses weights of another network, or of another width."""
        given, place = f'{setting}={self.pretrained}', setting.rpartition('.')[0]
        likely = _archs_of(state)
        if likely and self.arch not in likely:
            raise UserError(
                f'{given} looks like the weights of {_title(likely[0])}, '
                + (f'but arch={self.arch!r} is {_title(self.arch)}: set {place}.arch='
                   f'{likely[0]!r}, or ' if place else f'not of {_title(self.arch)}: ')
                + f"give the state dict of torchvision's {self.arch}.")
        if misfit := first_misfit(dict(self.layers.named_buffers()), state):
            raise UserError(
                f'{given}: no {_title(self.arch)} weights of this width: {misfit[0]!r} should have '
                f"the shape {misfit[1]}, found {misfit[2]}. Give the state dict of torchvision's "
                f'{self.arch} (or its features part)'
                + (' and a matching base_channels.' if place else '.'))

    def _random_state(self) -> Dict[str, Tensor]:
        """He-normal weights from a fixed seed: equal on all ranks and in all runs."""
        generator = torch.Generator().manual_seed(0)
        state = {}
        for name, buffer in self.layers.named_buffers():
            state[name] = torch.zeros(buffer.shape)
            if buffer.ndim == 4:
                fan_in = buffer[0].numel()
                state[name].normal_(0, (2 / fan_in)**0.5, generator=generator)
        return state

    def forward(self, images: Tensor, until: Optional[str] = None) -> Dict[str, Tensor]:
        """Activations by layer name.

        Args:
            images (Tensor): RGB in [-1, 1], (N, 3, H, W).
            until (str | None): The deepest layer to compute; all of them if None.

        Returns:
            dict[str, Tensor]: Activations after the ReLU, (N, C_l, H_l, W_l), shallow to deep.
        """
        if not self.loaded:
            raise RunError('VGG weights are not loaded; call init_weights() of the model (the '
                           'Runner does) before the perceptual loss is used.')
        x = ((images + 1) / 2 - self.mean) / self.std
        activations = {}
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index in self.taps:
                activations[self.taps[index]] = x
                if self.taps[index] == until:
                    break
        return activations


def _title(arch: str) -> str:
    return f'VGG-{arch.removeprefix("vgg")}'


def _archs_of(state: Dict[str, Any]) -> List[str]:
    """The networks whose first convolutions stand where those of a state dict do.

    Names and shapes of the first seven are the same in all of them, so that weights of the wrong
    network would fit where no deeper layer is used.
    """
    found = sorted(int(place) for place, _, kind in (name.rpartition('.') for name in state)
                   if kind == 'weight' and place.isdigit())
    places = {arch: [place for place, name in enumerate(_layer_names(arch))
                     if name.startswith('conv')] for arch in NUM_CONVS}
    return [arch for arch in places if found == places[arch][:len(found)]]
