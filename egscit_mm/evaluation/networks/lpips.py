# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""LPIPS as a network with two inputs."""
import os
import warnings

import torch
import torch.nn.functional as F
from mmagic.registry import MODELS
from torch import Tensor, nn

from ...compat import weights_only_loading
from ...utils.errors import MissingFileError, UserError
from ..optional import import_optional
from .frozen import load_state

# LPIPS was fitted on patches of this size; AlexNet takes nothing under 31.
MIN_SIDE = 64
# The ImageNet weights that LPIPS' linear layers were fitted to, in torchvision.
_WEIGHTS = dict(alex='AlexNet_Weights', vgg='VGG16_Weights', squeeze='SqueezeNet1_1_Weights')


@MODELS.register_module()
class LPIPSDistance(nn.Module):
    """Learned perceptual distance of two images (Zhang et al., CVPR 2018), version 0.1.

    The authors' package ``lpips``. It contains its linear layers, but not
    the ImageNet weights of the network below them.

    Args:
        net (str): 'alex' (the one to report), 'vgg' (VGG-16) or 'squeeze'. Defaults to 'alex'.
        weights (str): ``'torchvision'`` for the ImageNet weights (downloaded by torchvision, or
            found in its cache), or the path of a state dict of torchvision's alexnet, vgg16 or
            squeezenet1_1, the whole or its ``features`` part. Defaults to ``'torchvision'``.

    Raises:
        FileNotFoundError: If the weights are not there and cannot be downloaded.
        ModuleNotFoundError: If ``lpips`` is not installed.
        ValueError: If ``net`` is unknown or the file holds something else.
    """

    def __init__(self, net: str = 'alex', weights: str = 'torchvision') -> None:
        super().__init__()
        if net not in _WEIGHTS:
            raise UserError(f'LPIPSDistance: net must be one of {list(_WEIGHTS)}, got {net!r}')
        state = _torchvision_state(net) if weights == 'torchvision' else load_state(
            weights, f"the state dict of torchvision's network for LPIPS ({_WEIGHTS[net]})")
        with warnings.catch_warnings():
            # lpips asks torchvision for random weights by an argument that is deprecated.
            warnings.simplefilter('ignore', UserWarning)
            self.distance = import_optional('lpips').LPIPS(net=net, pnet_rand=True, verbose=False)
        state = {str(key).removeprefix('features.'): value for key, value in state.items()}
        for name, parameter in self.distance.net.named_parameters():
            # 'slice1.0.weight' is torchvision's 'features.0.weight'.
            key = name.partition('.')[2]
            found = state.get(key)
            if not isinstance(found, Tensor) or found.shape != parameter.shape:
                found = tuple(found.shape) if isinstance(found, Tensor) else 'nothing'
                raise UserError(
                    f'{weights} does not fit net={net!r}: features.{key} should have the shape '
                    f'{tuple(parameter.shape)}, found {found}. Give the state dict of '
                    f"torchvision's network ({_WEIGHTS[net]}).")
            parameter.data.copy_(state[key])

    def forward(self, images: Tensor, others: Tensor) -> Tensor:
        """Distance of image i to other i.

        Args:
            images (Tensor): RGB in [-1, 1], (N, 3, H, W). Where a side is shorter than 64 pixels,
                both are enlarged so that it has 64.
            others (Tensor): The same.

        Returns:
            Tensor: (N,), at least 0; 0 for equal images.
        """
        side = min(images.shape[-2:])
        if side < MIN_SIDE:
            images, others = (
                F.interpolate(batch, scale_factor=MIN_SIDE / side, mode='bilinear')
                for batch in (images, others))
        return self.distance(images, others).flatten()


def _torchvision_state(net: str) -> dict:
    from torchvision import models
    weights = getattr(models, _WEIGHTS[net]).IMAGENET1K_V1
    try:
        with weights_only_loading():
            return weights.get_state_dict(progress=True, check_hash=True)
    except OSError as error:  # URLError included
        name = weights.url.rsplit('/', 1)[-1]
        folder = os.path.join(torch.hub.get_dir(), 'checkpoints')
        raise MissingFileError(
            f"torchvision's {_WEIGHTS[net]} are not in {folder} and cannot be downloaded ({error})."
            f' On a machine with internet get {weights.url}, then put the file at '
            f'{os.path.join(folder, name)} or set `weights` to its path.') from error
