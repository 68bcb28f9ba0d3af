# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Encoders and decoders of DRIT (Lee et al., ECCV 2018, <https://arxiv.org/abs/1808.00948>)."""
import torch
from mmagic.registry import MODELS
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...utils.checks import check_integers
from ..layers import InstanceNormResidualBlock, at_least_float32
from ..networks.encoder import StridedEncoder

# Normal with std 0.02, biases at zero.
NORMAL = dict(type='Normal', layer=['Conv2d', 'ConvTranspose2d'], std=0.02)
LEAKY_RELU = dict(type='LeakyReLU', negative_slope=0.01)
REFLECT = dict(padding_mode='reflect')


@MODELS.register_module()
class DRITContentEncoder(StridedEncoder):
    """Image to content features, before the block that the domains share (DRIT's Sec. 3.1).

    conv 7x7 and LeakyReLU, ``num_downsamples`` times conv 3x3 with stride 2 that doubles the width,
    instance norm and ReLU, then residual blocks with instance norm. Reflection padding.

    Args:
        in_channels (int): Channels of the image. Defaults to 3.
        base_channels (int): Width of the first layer. Defaults to 64.
        num_downsamples (int): 2 in DRIT; 0 or 1 for 28x28 digits. Defaults to 2.
        num_blocks (int): Residual blocks of its own. Defaults to 3.
        init_cfg (dict): Initialisation; normal by default.

    Raises:
        ValueError: If a width or a number of layers is too small.
    """

    def __init__(self,
                 in_channels: int = 3,
                 base_channels: int = 64,
                 num_downsamples: int = 2,
                 num_blocks: int = 3,
                 init_cfg: dict = NORMAL):
        super().__init__(in_channels, base_channels, num_downsamples, num_blocks, init_cfg)
        layers = [ConvModule(in_channels, base_channels, 7, padding=3, act_cfg=LEAKY_RELU,
                             **REFLECT)]
        for level in range(num_downsamples):
            width = base_channels * 2**level
            layers.append(ConvModule(width, width * 2, 3, stride=2, padding=1,
                                     norm_cfg=dict(type='IN'), **REFLECT))
        layers += [InstanceNormResidualBlock(self.out_channels) for _ in range(num_blocks)]
        self.layers = nn.Sequential(*layers)


class _PoolingResidualBlock(nn.Module):
    """LeakyReLU, conv 3x3, LeakyReLU, conv 3x3, mean of 2x2; added to a 1x1 conv of such means."""

    def __init__(self, channels: int, out_channels: int):
        super().__init__()
        self.convs = nn.Sequential(
            nn.LeakyReLU(0.2), nn.Conv2d(channels, channels, 3, padding=1, **REFLECT),
            nn.LeakyReLU(0.2), nn.Conv2d(channels, out_channels, 3, padding=1, **REFLECT),
            nn.AvgPool2d(2))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(channels, out_channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.convs(x) + self.shortcut(x)


@MODELS.register_module()
class DRITAttributeEncoder(BaseModule):
    """Image to a distribution of attributes, of a variational autoencoder; no normalisation.

    conv 4x4 with stride 2, residual blocks that halve the size, global average pooling, one linear
    layer.

    Args:
        in_channels (int): Channels of the image. Defaults to 3.
        base_channels (int): Width of the first layer; it grows by as much in each block, up to four
            times. Defaults to 64.
        num_blocks (int): 3 in DRIT; 2 for 28x28 digits. Defaults to 3.
        style_dim (int): Number of attributes. Defaults to 8.
        init_cfg (dict): Initialisation; normal by default.

    Raises:
        ValueError: If a width or a number of layers is too small.
    """

    def __init__(self,
                 in_channels: int = 3,
                 base_channels: int = 64,
                 num_blocks: int = 3,
                 style_dim: int = 8,
                 init_cfg: dict = NORMAL):
        super().__init__(init_cfg)
        check_integers(self, 1, in_channels=in_channels, base_channels=base_channels,
                       style_dim=style_dim)
        check_integers(self, 0, num_blocks=num_blocks)
        self.style_dim = style_dim
        widths = [base_channels * min(4, level + 1) for level in range(num_blocks + 1)]
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, base_channels, 4, stride=2, padding=1, **REFLECT),
            *[_PoolingResidualBlock(*pair) for pair in zip(widths, widths[1:])],
            nn.LeakyReLU(0.2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(widths[-1], 2 * style_dim))

    def forward(self, images: Tensor) -> Tensor:
        """RGB in [-1, 1], (N, 3, H, W) -> means and logs of variances, (N, 2 * style_dim)."""
        return self.layers(images)


def _up(in_channels: int, out_channels: int) -> nn.Sequential:
    """Transposed conv 3x3 with stride 2, layer norm over channels and positions, ReLU."""
    return nn.Sequential(
        nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1, output_padding=1),
        nn.GroupNorm(1, out_channels), nn.ReLU(inplace=True))


def _with_attributes(x: Tensor, attributes: Tensor) -> Tensor:
    """Features (N, C, h, w) and at every position the attributes (N or 1, A)."""
    maps = attributes[..., None, None].expand(x.shape[0], -1, *x.shape[-2:])
    return torch.cat([x, maps], 1)


@MODELS.register_module()
class DRITDecoder(BaseModule):
    """Content features and attributes, concatenated, to image.

    Residual blocks with instance norm, ``num_downsamples`` transposed convolutions, a 1x1
    convolution and tanh. Attributes are concatenated to what goes into the residual blocks, into
    each transposed convolution and into the last one.

    Args:
        out_channels (int): Channels of the image. Defaults to 3.
        base_channels (int): As in the content encoder. Defaults to 64.
        num_downsamples (int): As in the content encoder. Defaults to 2.
        num_blocks (int): Residual blocks of its own. Defaults to 3.
        style_dim (int): Number of attributes. Defaults to 8.
        init_cfg (dict): Initialisation; normal by default.

    Raises:
        ValueError: If a width or a number of layers is too small.
    """

    def __init__(self,
                 out_channels: int = 3,
                 base_channels: int = 64,
                 num_downsamples: int = 2,
                 num_blocks: int = 3,
                 style_dim: int = 8,
                 init_cfg: dict = NORMAL):
        super().__init__(init_cfg)
        check_integers(self, 1, out_channels=out_channels, base_channels=base_channels,
                       style_dim=style_dim)
        check_integers(self, 0, num_downsamples=num_downsamples, num_blocks=num_blocks)
        self.in_channels = base_channels * 2**num_downsamples
        self.style_dim = style_dim
        width = self.in_channels + style_dim
        self.blocks = nn.Sequential(
            *[InstanceNormResidualBlock(width) for _ in range(num_blocks)])
        self.ups = nn.ModuleList()
        for _ in range(num_downsamples):
            out = (width + style_dim) // 2
            self.ups.append(_up(width + style_dim, out))
            width = out
        self.last = nn.Conv2d(width + style_dim, out_channels, 1)

    def forward(self, content: Tensor, attributes: Tensor) -> Tensor:
        """Decodes.

        Args:
            content (Tensor): Content features, (N, in_channels, h, w).
            attributes (Tensor): (N or 1, style_dim).

        Returns:
            Tensor: RGB in [-1, 1], (N, 3, h * stride, w * stride).
        """
        x = self.blocks(_with_attributes(content, attributes))
        for up in self.ups:
            x = up(_with_attributes(x, attributes))
        return at_least_float32(self.last(_with_attributes(x, attributes))).tanh()
