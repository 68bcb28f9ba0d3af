# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Networks of Augmented CycleGAN (Almahairi et al. 2018, <https://arxiv.org/abs/1802.10151>)."""
from typing import Dict

import torch
from mmagic.registry import MODELS
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...utils.checks import check_integers
from ..layers import ConditionalInstanceNorm, at_least_float32
from ..networks import DomainDiscriminators
from ..networks.encoder import check_divisible

_NORMAL = dict(type='Normal', layer=['Conv2d', 'ConvTranspose2d', 'Linear'], std=0.02)


class _ConditionalResidualBlock(nn.Module):
    """conv 3x3, conditional norm, ReLU, conv 3x3, instance norm, added to the input, ReLU."""

    def __init__(self, channels: int, style_dim: int):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, padding_mode='reflect')
        self.norm = ConditionalInstanceNorm(channels, style_dim)
        # Not a ConvModule: its norm is named "in", and with weights PyTorch cannot export that.
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode='reflect', bias=False),
            nn.InstanceNorm2d(channels, affine=True))

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        hidden = self.norm(self.first(x), code).relu()
        return (x + self.second(hidden)).relu()


@MODELS.register_module()
class ConditionalResnet(BaseModule):
    """Image and code to image: a ResNet with conditional instance norm (its Sec. 4 and release).

    conv 7x7, conv 3x3 that doubles the width, ``num_downsamples`` times conv 3x3 with stride 2 that
    doubles it again, residual blocks, as many transposed convolutions 3x3, conv 3x3, each with
    conditional instance norm and ReLU; conv 7x7 and tanh.

    Args:
        in_channels (int): Channels of both images. Defaults to 3.
        base_channels (int): Width of the first layer. Defaults to 32.
        num_downsamples (int): Defaults to 1.
        num_blocks (int): Residual blocks. Defaults to 3.
        style_dim (int): Length of the code. Defaults to 16.
        init_cfg (dict): Initialisation; normal with standard deviation 0.02 by default.

    Raises:
        ValueError: If a width or a number of layers is too small.
    """

    def __init__(self,
                 in_channels: int = 3,
                 base_channels: int = 32,
                 num_downsamples: int = 1,
                 num_blocks: int = 3,
                 style_dim: int = 16,
                 init_cfg: dict = _NORMAL):
        super().__init__(init_cfg)
        check_integers(self, 1, in_channels=in_channels, base_channels=base_channels,
                       style_dim=style_dim)
        check_integers(self, 0, num_downsamples=num_downsamples, num_blocks=num_blocks)
        self.in_channels = in_channels
        self.stride = 2**num_downsamples
        self.style_dim = style_dim
        widths = [base_channels * 2**level for level in range(num_downsamples + 2)]
        down = [nn.Conv2d(in_channels, widths[0], 7, padding=3, padding_mode='reflect'),
                nn.Conv2d(widths[0], widths[1], 3, padding=1)]
        up = [nn.Conv2d(widths[1], widths[0], 3, padding=1)]
        for narrow, wide in zip(widths[1:], widths[2:]):
            down.append(nn.Conv2d(narrow, wide, 3, stride=2, padding=1))
            up.insert(0, nn.ConvTranspose2d(
                wide, narrow, 3, stride=2, padding=1, output_padding=1))
        self.down, self.up = nn.ModuleList(down), nn.ModuleList(up)
        self.down_norms, self.up_norms = (
            nn.ModuleList([ConditionalInstanceNorm(conv.out_channels, style_dim) for conv in convs])
            for convs in (down, up))
        self.blocks = nn.ModuleList(
            [_ConditionalResidualBlock(widths[-1], style_dim) for _ in range(num_blocks)])
        self.last = nn.Conv2d(base_channels, in_channels, 7, padding=3)

    def init_weights(self) -> None:
        """As ``init_cfg`` says, then the conditional norms, which have their own."""
        super().init_weights()
        for module in self.modules():
            if isinstance(module, ConditionalInstanceNorm):
                module.init_weights()

    def forward(self, images: Tensor, code: Tensor) -> Tensor:
        """Translates.

        Args:
            images (Tensor): RGB in [-1, 1], (N, 3, H, W); H and W divisible by ``stride``.
            code (Tensor): (N or 1, style_dim).

        Returns:
            Tensor: RGB in [-1, 1], (N, 3, H, W).

        Raises:
            ValueError: If H or W is not divisible by ``stride``.
        """
        check_divisible(images, self.stride)
        x = images
        for conv, norm in zip(self.down, self.down_norms):
            x = norm(conv(x), code).relu()
        for block in self.blocks:
            x = block(x, code)
        for conv, norm in zip(self.up, self.up_norms):
            x = norm(conv(x), code).relu()
        return at_least_float32(self.last(x)).tanh()


@MODELS.register_module()
class LatentEncoder(BaseModule):
    """A pair of images, the second the target's, to the code that makes one of the other.

    ``num_downsamples`` times conv 3x3 with stride 2 (the width doubles up to eight times the
    first), each but the first with layer norm, each with ReLU; global average, one linear layer.

    Layer norm stands in the place of the release's batch norm: with it the code of an image does
    not depend on what is beside it in a minibatch of four. Instance norm would remove the colours.

    Args:
        in_channels (int): Channels of each of both images. Defaults to 3.
        base_channels (int): Width of the first layer. Defaults to 32.
        num_downsamples (int): Defaults to 4; 3 for 28x28 digits.
        style_dim (int): Length of the code. Defaults to 16.
        init_cfg (dict): Initialisation; normal with standard deviation 0.02 by default.

    Raises:
        ValueError: If a width or a number of layers is below 1.
    """

    def __init__(self,
                 in_channels: int = 3,
                 base_channels: int = 32,
                 num_downsamples: int = 4,
                 style_dim: int = 16,
                 init_cfg: dict = _NORMAL):
        super().__init__(init_cfg)
        check_integers(self, 1, in_channels=in_channels, base_channels=base_channels,
                       num_downsamples=num_downsamples, style_dim=style_dim)
        self.in_channels = in_channels
        self.style_dim = style_dim
        layers, width = [], 2 * in_channels
        for level in range(num_downsamples):
            next_width = base_channels * 2**min(level, 3)
            layers.append(ConvModule(
                width, next_width, 3, stride=2, padding=1,
                norm_cfg=dict(type='GN', num_groups=1) if level else None))
            width = next_width
        self.layers = nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, style_dim))

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Two images (N, 3, H, W), RGB in [-1, 1], -> code of the second one, (N, style_dim)."""
        return self.layers(torch.cat([source, target], 1))


def code_key(domain: str) -> str:
    """Name of the codes of a domain beside its images."""
    return f'code_{domain}'


@MODELS.register_module()
class AugmentedDiscriminators(DomainDiscriminators):
    """A patch discriminator for the images of each domain, and a perceptron for its codes.

    Args:
        *args, **kwargs: Arguments of :class:`DomainDiscriminators`.
        style_dim (int): Length of a code. Defaults to 16.
        mlp_channels (int): Width of the perceptron's three hidden layers. Defaults to 64.
    """

    def __init__(self, *args, style_dim: int = 16, mlp_channels: int = 64, **kwargs):
        super().__init__(*args, **kwargs)
        check_integers(self, 1, style_dim=style_dim, mlp_channels=mlp_channels)
        for domain in list(self.networks):
            widths = [style_dim, *[mlp_channels] * 3]
            hidden = [layer for width, next_width in zip(widths, widths[1:])
                      for layer in (nn.Linear(width, next_width), nn.LeakyReLU(0.2, inplace=True))]
            self.networks[code_key(domain)] = nn.Sequential(*hidden, nn.Linear(mlp_channels, 1))

    def forward(self, inputs: Dict[str, Tensor]) -> Dict[str, Tensor]:
        """Scores images, by domain, and codes, by :func:`code_key`.

        Args:
            inputs (dict[str, Tensor]): RGB in [-1, 1], (N, 3, H, W), and codes, (N, style_dim).

        Returns:
            dict[str, Tensor]: Logits, (N, 1, h, w) of images and (N, 1) of codes.
        """
        scores = super().forward({key: x for key, x in inputs.items() if x.ndim == 4})
        scores.update({key: self.networks[key](x) for key, x in inputs.items() if x.ndim == 2})
        return scores
