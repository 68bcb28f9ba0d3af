# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Discriminators of all domains in one module."""
from typing import Dict, Sequence

from mmagic.registry import MODELS
from mmengine.model import BaseModule, ModuleDict
from torch import Tensor, nn

from ...utils.checks import check_domains, check_integers
from ...utils.errors import UserError
from ..layers import SameConv2d


def patch_discriminator(in_channels: int, base_channels: int, num_convs: int,
                        norm: bool = True) -> nn.Sequential:
    """conv 4x4 stride 2 with SAME padding, instance norm but on the first, then a 1x1 logit map."""
    layers, width = [], in_channels
    for index in range(num_convs):
        next_width = base_channels * 2**index
        # The affine instance norm that follows makes a bias of the convolution useless.
        has_norm = norm and index > 0
        layers.append(SameConv2d(width, next_width, 4, stride=2, bias=not has_norm))
        if has_norm:
            layers.append(nn.InstanceNorm2d(next_width, affine=True))
        layers.append(nn.LeakyReLU(0.2, inplace=True))
        width = next_width
    layers.append(nn.Conv2d(width, 1, 1))
    return nn.Sequential(*layers)


@MODELS.register_module()
class DomainDiscriminators(BaseModule):
    """One patch discriminator per domain (the paper's n3 = 5, read as four layers and the logits).

    One module for all domains, so that a distributed wrapper sees one forward per backward.

    Args:
        domains (Sequence[str]): Names of the domains. Defaults to ('A', 'B').
        in_channels (int): Channels of the image. Defaults to 3.
        base_channels (int): Width of the first layer, doubling. Defaults to 64.
        num_convs (int): Strided convolutions, the paper's n3 - 1. Defaults to 4.
        init_cfg (dict): Initialisation; Xavier as in the release.

    Raises:
        ValueError: If a width or a number of layers is below 1.

    Examples:
        >>> import torch
        >>> discriminators = DomainDiscriminators(base_channels=4)
        >>> discriminators(dict(A=torch.zeros(1, 3, 28, 28)))['A'].shape
        torch.Size([1, 1, 2, 2])
    """

    def __init__(self,
                 domains: Sequence[str] = ('A', 'B'),
                 in_channels: int = 3,
                 base_channels: int = 64,
                 num_convs: int = 4,
                 init_cfg: dict = dict(  # noqa: B006 (never changed, as everywhere in mmengine)
                     type='Xavier', layer='Conv2d', distribution='uniform')):
        super().__init__(init_cfg)
        check_domains(self, domains)
        check_integers(self, 1, in_channels=in_channels, base_channels=base_channels,
                       num_convs=num_convs)
        # Instance norm needs more than one position: ceil(size / 2**num_convs) >= 2.
        self.min_size = 2**num_convs + 1
        self.networks = ModuleDict({
            domain: patch_discriminator(in_channels, base_channels, num_convs)
            for domain in domains
        })

    def forward(self, images: Dict[str, Tensor]) -> Dict[str, Tensor]:
        """Scores images of each domain.

        Args:
            images (dict[str, Tensor]): RGB in [-1, 1] by domain, each (N, 3, H, W). Real and
                generated images go in one call, concatenated along N.

        Returns:
            dict[str, Tensor]: Logits by domain, each (N, 1, ceil(H / 16), ceil(W / 16)) for four
            convolutions.

        Raises:
            ValueError: If the images are too small for the instance norm of the last convolution.
        """
        for domain, batch in images.items():
            if max(batch.shape[-2:]) < self.min_size:
                raise UserError(
                    f'The discriminator needs images of at least {self.min_size} pixels on the '
                    f'longer side, got {batch.shape[-2]}x{batch.shape[-1]} in domain {domain!r}; '
                    'use larger images or fewer discriminator convolutions (num_convs).')
        return {domain: self.networks[domain](batch) for domain, batch in images.items()}
