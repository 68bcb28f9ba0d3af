# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Discriminators of DRIT: of images by domain, and of contents between domains."""
from typing import Dict, List, Sequence, Tuple

import torch
from mmagic.registry import MODELS
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule, ModuleDict
from torch import Tensor, nn

from ...utils.checks import check_domains, check_integers
from ...utils.errors import UserError
from .networks import LEAKY_RELU, NORMAL, REFLECT

Scores = Dict[str, List[Tensor]]  # by domain, those of each scale, (N, 1, h, w)


class _MultiScaleDiscriminator(nn.Module):
    """Patch discriminators without normalisation of an image, its half, its quarter, ..."""

    def __init__(self, in_channels: int, base_channels: int, num_convs: int, num_scales: int):
        super().__init__()
        self.halve = nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)
        widths = [in_channels, *(base_channels * 2**level for level in range(num_convs))]
        self.scales = nn.ModuleList([
            nn.Sequential(
                *[ConvModule(*pair, 4, stride=2, padding=1, act_cfg=LEAKY_RELU, **REFLECT)
                  for pair in zip(widths, widths[1:])],
                nn.Conv2d(widths[-1], 1, 1))
            for _ in range(num_scales)
        ])

    def forward(self, images: Tensor) -> List[Tensor]:
        scores = []
        for index, scale in enumerate(self.scales):
            images = self.halve(images) if index else images
            scores.append(scale(images))
        return scores


@MODELS.register_module()
class DRITDiscriminators(BaseModule):
    """Two multi-scale discriminators per domain (DRIT's D and its second one).

    One sees translations after exemplars, the other those to random attributes. All are one
    module, so that a distributed wrapper sees one forward per backward.

    Args:
        domains (Sequence[str]): Names of the domains. Defaults to ('A', 'B').
        in_channels (int): Channels of the image. Defaults to 3.
        base_channels (int): Width of the first layer, doubling. Defaults to 64.
        num_convs (int): Strided convolutions of a scale. Defaults to 4.
        num_scales (int): The image, its half, its quarter, ...: 1 for 28x28 digits. Defaults to 3.
        init_cfg (dict): Initialisation; normal by default.

    Raises:
        ValueError: If a width or a number of layers is below 1.

    Examples:
        >>> discriminators = DRITDiscriminators(base_channels=4, num_scales=2)
        >>> scores, _ = discriminators(dict(A=torch.zeros(1, 3, 32, 64)), {})
        >>> [tuple(scale.shape) for scale in scores['A']]
        [(1, 1, 2, 4), (1, 1, 1, 2)]
    """

    def __init__(self,
                 domains: Sequence[str] = ('A', 'B'),
                 in_channels: int = 3,
                 base_channels: int = 64,
                 num_convs: int = 4,
                 num_scales: int = 3,
                 init_cfg: dict = NORMAL):
        super().__init__(init_cfg)
        check_domains(self, domains)
        check_integers(self, 1, in_channels=in_channels, base_channels=base_channels,
                       num_convs=num_convs, num_scales=num_scales)
        self.min_size = 2**(num_convs + num_scales - 1)
        self.networks, self.random_networks = (
            ModuleDict({
                domain: _MultiScaleDiscriminator(in_channels, base_channels, num_convs, num_scales)
                for domain in domains
            }) for _ in range(2))

    def forward(self, images: Dict[str, Tensor],
                random: Dict[str, Tensor]) -> Tuple[Scores, Scores]:
        """Scores images of each domain.

        Args:
            images (dict[str, Tensor]): RGB in [-1, 1] by domain, each (N, 3, H, W): for the
                discriminators of translations after exemplars.
            random (dict[str, Tensor]): For those of translations to random attributes.

        Returns:
            tuple[dict, dict]: Logits of both by domain, a list of one (N, 1, h, w) for each scale.

        Raises:
            ValueError: If the images are too small.
        """
        return tuple(
            {domain: networks[domain](self._checked(batch)) for domain, batch in some.items()}
            for networks, some in ((self.networks, images), (self.random_networks, random)))

    def _checked(self, images: Tensor) -> Tensor:
        if min(images.shape[-2:]) < self.min_size:
            raise UserError(
                f'The discriminators need images of at least {self.min_size} pixels on each side, '
                f'got {images.shape[-2]}x{images.shape[-1]}; use larger images, or fewer '
                'convolutions (num_convs) or scales (num_scales) of the discriminator.')
        return images


@MODELS.register_module()
class ContentDiscriminator(BaseModule):
    """Tells from content features which domain an image is of (DRIT's Eq. 1).

    ``num_downsamples`` times conv 7x7 with stride 2, instance norm and LeakyReLU, conv 4x4 and
    LeakyReLU, a 1x1 convolution to one logit for each domain. DRIT has two domains and one logit,
    which is the difference of two.

    Args:
        in_channels (int): Channels of the content features; :class:`DRIT` sets them. Defaults to
            256.
        domains (Sequence[str]): Names of the domains. Defaults to ('A', 'B').
        num_downsamples (int): 3 in DRIT; for small images as many as fit. Defaults to 3.
        init_cfg (dict): Initialisation; normal by default.

    Raises:
        ValueError: If a width or a number of layers is too small.

    Examples:
        >>> discriminator = ContentDiscriminator(8, num_downsamples=1)
        >>> discriminator(dict(A=torch.zeros(1, 8, 14, 14)))['A'].shape
        torch.Size([1, 2, 2, 2])
    """

    def __init__(self,
                 in_channels: int = 256,
                 domains: Sequence[str] = ('A', 'B'),
                 num_downsamples: int = 3,
                 init_cfg: dict = NORMAL):
        super().__init__(init_cfg)
        check_domains(self, domains, 2)
        check_integers(self, 1, in_channels=in_channels)
        check_integers(self, 0, num_downsamples=num_downsamples)
        self.min_size = 4
        for _ in range(num_downsamples):
            self.min_size = 2 * self.min_size + 3
        self.layers = nn.Sequential(
            *[ConvModule(in_channels, in_channels, 7, stride=2, padding=1,
                         norm_cfg=dict(type='IN'), act_cfg=LEAKY_RELU, **REFLECT)
              for _ in range(num_downsamples)],
            ConvModule(in_channels, in_channels, 4, act_cfg=LEAKY_RELU),
            nn.Conv2d(in_channels, len(domains), 1))

    def forward(self, contents: Dict[str, Tensor]) -> Dict[str, Tensor]:
        """Scores contents.

        Args:
            contents (dict[str, Tensor]): Features by domain, each (N, in_channels, h, w).

        Returns:
            dict[str, Tensor]: By domain, logits, (N, domains, h', w').

        Raises:
            ValueError: If the features are too small.
        """
        for domain, batch in contents.items():
            if min(batch.shape[-2:]) < self.min_size:
                raise UserError(
                    f'The content discriminator needs features of at least {self.min_size} on each '
                    f'side, got {batch.shape[-2]}x{batch.shape[-1]} in domain {domain!r}; use '
                    'larger images, or a smaller content_discriminator.num_downsamples.')
        scores = self.layers(torch.cat(list(contents.values())))
        return dict(zip(contents, scores.split([len(batch) for batch in contents.values()])))
