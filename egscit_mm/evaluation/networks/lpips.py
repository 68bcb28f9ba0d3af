# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""LPIPS as a network with two inputs."""
import warnings

import torch.nn.functional as F
from mmagic.registry import MODELS
from torch import Tensor, nn

from ...models.networks.state import features_state, first_misfit
from ...utils.errors import UserError
from ..optional import import_optional

# LPIPS was fitted on patches of this size; AlexNet takes nothing under 31.
MIN_SIDE = 64
# torchvision's networks to whose ImageNet weights LPIPS' linear layers were fitted.
_ARCHS = dict(alex='alexnet', vgg='vgg16', squeeze='squeezenet1_1')


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
        if net not in _ARCHS:
            raise UserError(f'LPIPSDistance: net must be one of {list(_ARCHS)}, got {net!r}')
        arch = _ARCHS[net]
        state = features_state(arch, weights, 'weights')
        with warnings.catch_warnings():
            # lpips asks torchvision for random weights by an argument that is deprecated.
            warnings.simplefilter('ignore', UserWarning)
            self.distance = import_optional('lpips').LPIPS(net=net, pnet_rand=True, verbose=False)
        # 'slice1.0.weight' is torchvision's 'features.0.weight'.
        wanted = {name.partition('.')[2]: parameter.data
                  for name, parameter in self.distance.net.named_parameters()}
        if misfit := first_misfit(wanted, state):
            raise UserError(
                f'{weights} does not fit net={net!r}: features.{misfit[0]} should have the shape '
                f"{misfit[1]}, found {misfit[2]}. Give the state dict of torchvision's {arch}.")
        for name, parameter in wanted.items():
            parameter.copy_(state[name])

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
