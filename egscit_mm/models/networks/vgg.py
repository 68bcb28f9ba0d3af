# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""VGG-19 features (Simonyan & Zisserman 2015) as a frozen, weightless-in-checkpoints module."""
import os
from typing import Dict, Iterable, Optional, Union

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from ...compat import explaining_load_errors
from ...utils.errors import MissingFileError, RunError, UserError
from .state import first_misfit

# Convolutions per stage and width of the stages in multiples of the base width.
_STAGES = ((2, 1), (2, 2), (4, 4), (4, 8), (4, 8))
# torchvision's normalisation of RGB in [0, 1], for which its ImageNet weights are trained.
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class VGG19Features(nn.Module):
    """Activations of VGG-19 at layers named relu1_1 ... relu5_4.

    Weights live in non-persistent buffers: they follow the device, but are neither trained, nor
    synchronised between ranks, nor written to checkpoints (80 MB that everybody has). They are
    loaded by :meth:`load_weights`, which training calls; inference needs no VGG.

    Args:
        layers (Iterable[str]): Names of the activations to return; nothing behind the deepest one
            is built.
        pretrained (str | None): ``'torchvision'`` for the ImageNet weights (downloaded by
            torchvision, or found in its cache), or the path of a state dict, torchvision's whole
            VGG-19 or its ``features`` part. None means seeded *random* weights: for tests only.
            Defaults to ``'torchvision'``.
        base_channels (int): Width of the first stage, 64 for the ImageNet weights. Defaults to 64.
    """

    def __init__(self,
                 layers: Iterable[str],
                 pretrained: Optional[str] = 'torchvision',
                 base_channels: int = 64):
        super().__init__()
        from torchvision.models.vgg import make_layers
        cfg, names = [], []
        for stage, (num_convs, multiple) in enumerate(_STAGES, 1):
            for conv in range(1, num_convs + 1):
                cfg.append(base_channels * multiple)
                names += [f'conv{stage}_{conv}', f'relu{stage}_{conv}']
            cfg.append('M')
            names.append(f'pool{stage}')
        layers = set(layers)
        unknown = layers - {name for name in names if name.startswith('relu')}
        if unknown:
            raise UserError(f'VGG-19 has no layers {sorted(unknown)}; they are named relu1_1 to '
                            'relu5_4')
        depth = max(names.index(layer) for layer in layers) + 1
        self.layers = make_layers(cfg)[:depth]
        self.taps = {index: name for index, name in enumerate(names[:depth]) if name in layers}
        self.pretrained = pretrained
        self.loaded = False
        for module in self.layers:
            if isinstance(module, nn.MaxPool2d):
                # As the release's SAME pooling: 28x28 digits keep 2x2 positions at relu5_1. With
                # one position the normalised features would be 0 or 1, without gradient. Sizes
                # that 16 divides do not change.
                module.ceil_mode = True
            for name, parameter in list(module.named_parameters(recurse=False)):
                delattr(module, name)
                module.register_buffer(name, torch.empty_like(parameter), persistent=False)
        for name, value in (('mean', _IMAGENET_MEAN), ('std', _IMAGENET_STD)):
            self.register_buffer(name, torch.tensor(value).view(1, 3, 1, 1), persistent=False)

    def load_weights(self) -> None:
        """Loads the weights that ``pretrained`` names.

        Raises:
            FileNotFoundError: If the weights are not on this machine and cannot be downloaded.
            ValueError: If a file does not hold a VGG-19 of this width.
        """
        if self.pretrained is None:
            print_log('VGG features have random weights (pretrained=None): good for tests, not '
                      'for results.', 'current', level=30)
            state = self._random_state()
        elif self.pretrained == 'torchvision':
            state = _torchvision_state()
        else:
            state = _file_state(self.pretrained)
        state = {str(key).removeprefix('features.'): value for key, value in state.items()}
        buffers = dict(self.layers.named_buffers())
        if misfit := first_misfit(buffers, state):
            raise UserError(
                f'{self.pretrained}: no VGG-19 weights of this width: {misfit[0]!r} should have '
                f'the shape {misfit[1]}, found {misfit[2]}. Give the state dict of '
                "torchvision's vgg19 (or its features part) and a matching base_channels.")
        for name, buffer in buffers.items():
            buffer.copy_(state[name])
        self.loaded = True

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

    def forward(self, images: Tensor) -> Dict[str, Tensor]:
        """Activations by layer name.

        Args:
            images (Tensor): RGB in [-1, 1], (N, 3, H, W).

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
        return activations


def _torchvision_state() -> Dict[str, Tensor]:
    from torchvision.models import VGG19_Weights
    weights = VGG19_Weights.IMAGENET1K_V1
    try:
        return weights.get_state_dict(progress=True, check_hash=True)
    except OSError as error:  # URLError included
        name = weights.url.rsplit('/', 1)[-1]
        folder = os.path.join(torch.hub.get_dir(), 'checkpoints')
        raise MissingFileError(
            f"torchvision's VGG-19 weights are not in {folder} and cannot be downloaded ({error}). "
            f'On a machine with internet get {weights.url}, then put the file at '
            f'{os.path.join(folder, name)} or set perceptual_loss.pretrained to its path.'
        ) from error


def _file_state(path: Union[str, os.PathLike]) -> Dict[str, Tensor]:
    if not os.path.isfile(path):
        found = 'are a folder' if os.path.isdir(path) else 'do not exist'
        raise MissingFileError(
            f'VGG-19 weights {path!r} {found}. Set perceptual_loss.pretrained to the state '
            "dict of torchvision's vgg19, or to 'torchvision' to have it downloaded.")
    with explaining_load_errors(path):
        state = torch.load(path, map_location='cpu', weights_only=True)
    if isinstance(state, dict):
        state = state.get('state_dict', state)
    if not isinstance(state, dict):
        raise UserError(f'{path}: a state dict is needed, found {type(state).__name__}')
    return state
