# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Encoders and decoder of MUNIT (Huang et al., ECCV 2018, <https://arxiv.org/abs/1804.04732>)."""
import torch.nn.functional as F
from mmagic.registry import MODELS
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...utils.checks import check_integers
from ..layers import AdaIN, InstanceNormResidualBlock, at_least_float32
from ..networks.encoder import StridedEncoder

_KAIMING = dict(type='Kaiming', layer=['Conv2d', 'Linear'], mode='fan_in')
_REFLECT = dict(padding_mode='reflect')
_INSTANCE_NORM = dict(norm_cfg=dict(type='IN'), **_REFLECT)


class _StyledResidualBlock(nn.Module):
    """As :class:`InstanceNormResidualBlock`, but each convolution is followed by AdaIN."""

    def __init__(self, channels: int):
        super().__init__()
        # AdaIN makes a bias useless.
        self.convs = nn.ModuleList([
            ConvModule(channels, channels, 3, padding=1, bias=False, act_cfg=None, **_REFLECT)
            for _ in range(2)
        ])
        self.adain = AdaIN('std')

    def forward(self, x: Tensor, styles: list) -> Tensor:
        hidden = F.relu(self.adain(self.convs[0](x), styles[0]))
        return x + self.adain(self.convs[1](hidden), styles[1])


@MODELS.register_module()
class MUNITContentEncoder(StridedEncoder):
    """Image to content code; instance norm removes the style (MUNIT's Sec. 5.1).

    conv 7x7, ``num_downsamples`` times conv 4x4 with stride 2 that doubles the width, residual
    blocks, each convolution with instance norm and ReLU. Reflection padding.

    Args:
        in_channels (int): Channels of the image. Defaults to 3.
        base_channels (int): Width of the first layer. Defaults to 64.
        num_downsamples (int): 2 in MUNIT's paper; 0 for 28x28 digits. Defaults to 2.
        num_blocks (int): Residual blocks. Defaults to 4.
        init_cfg (dict): Initialisation; Kaiming by default.

    Raises:
        ValueError: If a width or a number of layers is too small.
    """

    def __init__(self,
                 in_channels: int = 3,
                 base_channels: int = 64,
                 num_downsamples: int = 2,
                 num_blocks: int = 4,
                 init_cfg: dict = _KAIMING):
        super().__init__(in_channels, base_channels, num_downsamples, num_blocks, init_cfg)
        layers = [ConvModule(in_channels, base_channels, 7, padding=3, **_INSTANCE_NORM)]
        for level in range(num_downsamples):
            width = base_channels * 2**level
            layers.append(
                ConvModule(width, width * 2, 4, stride=2, padding=1, **_INSTANCE_NORM))
        layers += [InstanceNormResidualBlock(self.out_channels) for _ in range(num_blocks)]
        self.layers = nn.Sequential(*layers)


@MODELS.register_module()
class MUNITStyleEncoder(BaseModule):
    """Image to style code; no normalisation, which would remove the style (MUNIT's Sec. 5.1).

    conv 7x7, ``num_downsamples`` times conv 4x4 with stride 2, each with ReLU (the width doubles
    twice, then stays), global average pooling, one linear layer. Reflection padding.

    Args:
        in_channels (int): Channels of the image. Defaults to 3.
        base_channels (int): Width of the first layer. Defaults to 64.
        num_downsamples (int): 4 in MUNIT's paper; 2 for 28x28 digits. Defaults to 4.
        style_dim (int): Length of the style code. Defaults to 8.
        init_cfg (dict): Initialisation; Kaiming by default.

    Raises:
        ValueError: If a width or a number of layers is too small.
    """

    def __init__(self,
                 in_channels: int = 3,
                 base_channels: int = 64,
                 num_downsamples: int = 4,
                 style_dim: int = 8,
                 init_cfg: dict = _KAIMING):
        super().__init__(init_cfg)
        check_integers(self, 1, in_channels=in_channels, base_channels=base_channels,
                       style_dim=style_dim)
        check_integers(self, 0, num_downsamples=num_downsamples)
        self.style_dim = style_dim
        layers = [ConvModule(in_channels, base_channels, 7, padding=3, **_REFLECT)]
        width = base_channels
        for level in range(num_downsamples):
            next_width = base_channels * 2**min(level + 1, 2)
            layers.append(ConvModule(width, next_width, 4, stride=2, padding=1, **_REFLECT))
            width = next_width
        self.layers = nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, style_dim))

    def forward(self, images: Tensor) -> Tensor:
        """RGB in [-1, 1], (N, 3, H, W) -> style code, (N, style_dim)."""
        return self.layers(images)


@MODELS.register_module()
class MUNITDecoder(BaseModule):
    """Content code and style code to image (MUNIT's Sec. 5.1).

    Residual blocks with AdaIN, whose scales and shifts a perceptron makes from the style code, then
    ``num_downsamples`` times nearest-neighbour up-sampling, conv 5x5 that halves the width, layer
    norm and ReLU; conv 7x7 to the image and tanh. Reflection padding.

    Args:
        out_channels (int): Channels of the image. Defaults to 3.
        base_channels (int): Width of the last hidden layer. Defaults to 64.
        num_downsamples (int): As in the content encoder. Defaults to 2.
        num_blocks (int): Residual blocks. Defaults to 4.
        style_dim (int): Length of the style code. Defaults to 8.
        mlp_channels (int): Width of the perceptron's two hidden layers. Defaults to 256.
        init_cfg (dict): Initialisation; Kaiming by default.

    Raises:
        ValueError: If a width or a number of layers is too small.
    """

    def __init__(self,
                 out_channels: int = 3,
                 base_channels: int = 64,
                 num_downsamples: int = 2,
                 num_blocks: int = 4,
                 style_dim: int = 8,
                 mlp_channels: int = 256,
                 init_cfg: dict = _KAIMING):
        super().__init__(init_cfg)
        check_integers(self, 1, out_channels=out_channels, base_channels=base_channels,
                       num_blocks=num_blocks, style_dim=style_dim, mlp_channels=mlp_channels)
        check_integers(self, 0, num_downsamples=num_downsamples)
        self.in_channels = base_channels * 2**num_downsamples
        self.style_dim = style_dim
        # Per block two AdaIN layers, each with scale and shift of every channel.
        self.style_shape = (2 * num_blocks, 2, self.in_channels, 1, 1)
        self.mlp = nn.Sequential(
            nn.Linear(style_dim, mlp_channels), nn.ReLU(inplace=True),
            nn.Linear(mlp_channels, mlp_channels), nn.ReLU(inplace=True),
            nn.Linear(mlp_channels, 4 * num_blocks * self.in_channels))
        self.blocks = nn.ModuleList(
            [_StyledResidualBlock(self.in_channels) for _ in range(num_blocks)])
        layers = []
        for level in reversed(range(num_downsamples)):
            width = base_channels * 2**level
            layers += [
                nn.Upsample(scale_factor=2),
                # Layer norm over channels and positions: instance norm would undo the style.
                ConvModule(width * 2, width, 5, padding=2,
                           norm_cfg=dict(type='GN', num_groups=1), **_REFLECT)
            ]
        layers.append(
            ConvModule(base_channels, out_channels, 7, padding=3, act_cfg=None, **_REFLECT))
        self.layers = nn.Sequential(*layers)

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """Decodes.

        Args:
            content (Tensor): Content code, (N, in_channels, h, w).
            style (Tensor): Style code, (N or 1, style_dim).

        Returns:
            Tensor: RGB in [-1, 1], (N, 3, h * stride, w * stride).
        """
        # (N, 4 * num_blocks * C) -> by AdaIN layer, scale and shift, each (N, C, 1, 1).
        styles = [layer.unbind(1) for layer in self.mlp(style).unflatten(1, self.style_shape)
                  .unbind(1)]
        for index, block in enumerate(self.blocks):
            content = block(content, styles[2 * index:2 * index + 2])
        return at_least_float32(self.layers(content)).tanh()
