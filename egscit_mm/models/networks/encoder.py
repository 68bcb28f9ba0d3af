# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Encoder without its weight-sharing block; also the architecture of the feature network."""
from mmagic.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...utils.checks import check_integers
from ...utils.errors import UserError
from ..layers import ResidualBlock
from ..layers.init import TRUNC_NORMAL


class StridedEncoder(BaseModule):
    """Base of the encoders whose strided convolutions halve an image and double the width.

    A subclass builds its layers, which run in the order in which it has them.

    Args:
        in_channels (int): Channels of the image.
        base_channels (int): Width before the first strided convolution.
        num_downsamples (int): Number of strided convolutions.
        num_blocks (int): Number of residual blocks.
        init_cfg (dict): Initialisation.

    Raises:
        ValueError: If a width is below 1 or a number of layers below 0.
    """

    def __init__(self, in_channels: int, base_channels: int, num_downsamples: int, num_blocks: int,
                 init_cfg: dict):
        super().__init__(init_cfg)
        check_integers(self, 1, in_channels=in_channels, base_channels=base_channels)
        check_integers(self, 0, num_downsamples=num_downsamples, num_blocks=num_blocks)
        self.in_channels = in_channels
        self.stride = 2**num_downsamples
        self.out_channels = base_channels * self.stride

    def forward(self, images: Tensor) -> Tensor:
        """Encodes images.

        Args:
            images (Tensor): RGB in [-1, 1], (N, 3, H, W); H and W divisible by ``stride``.

        Returns:
            Tensor: Features, (N, out_channels, H / stride, W / stride).

        Raises:
            ValueError: If H or W is not divisible by ``stride``.
        """
        check_divisible(images, self.stride)
        for layers in self.children():
            images = layers(images)
        return images


@MODELS.register_module()
class ContentEncoder(StridedEncoder):
    """Strided convolutions and residual blocks (the encoder before its shared block).

    conv 7x7 to ``base_channels``, then ``num_downsamples`` times conv 3x3 with stride 2 that
    doubles the width, each with LeakyReLU(0.2), then the residual blocks. Reflection padding
    everywhere.

    Args:
        in_channels (int): Channels of the image. Defaults to 3.
        base_channels (int): Width of the first layer. Defaults to 64.
        num_downsamples (int): The paper's n1 - 1: 0 for 28x28 digits, 2 otherwise. Defaults to 2.
        num_blocks (int): The paper's n2 - 1 residual blocks of its own. Defaults to 3.
        init_cfg (dict): Initialisation; truncated normal by default.

    Raises:
        ValueError: If a width is below 1 or a number of layers below 0.

    Examples:
        >>> import torch
        >>> encoder = ContentEncoder(base_channels=4, num_downsamples=2)
        >>> encoder(torch.zeros(1, 3, 32, 64)).shape
        torch.Size([1, 16, 8, 16])
    """

    def __init__(self,
                 in_channels: int = 3,
                 base_channels: int = 64,
                 num_downsamples: int = 2,
                 num_blocks: int = 3,
                 init_cfg: dict = TRUNC_NORMAL):
        super().__init__(in_channels, base_channels, num_downsamples, num_blocks, init_cfg)
        layers = [
            nn.Conv2d(in_channels, base_channels, 7, padding=3, padding_mode='reflect'),
            nn.LeakyReLU(0.2, inplace=True)
        ]
        for level in range(num_downsamples):
            width = base_channels * 2**level
            layers += [
                nn.Conv2d(width, width * 2, 3, stride=2, padding=1, padding_mode='reflect'),
                nn.LeakyReLU(0.2, inplace=True)
            ]
        self.convs = nn.Sequential(*layers)
        self.blocks = nn.Sequential(
            *[ResidualBlock(self.out_channels, init_cfg) for _ in range(num_blocks)])


def check_fit(out_channels: int, in_channels: int) -> None:
    """Refuses an encoder and a decoder that do not fit together.

    Raises:
        ValueError: If they differ.
    """
    if out_channels != in_channels:
        raise UserError(
            f'The encoder ends with {out_channels} channels, the decoder starts with '
            f'{in_channels}; give both the same base_channels and num_downsamples.')


def check_divisible(images: Tensor, stride: int) -> None:
    """Refuses images that an encoder of this stride (a power of two) cannot halve evenly.

    Raises:
        ValueError: If they are not.
    """
    height, width = images.shape[-2:]
    if height % stride or width % stride:
        raise UserError(
            f'The encoder halves its input {stride.bit_length() - 1} times, so height and '
            f'width must be divisible by {stride}, got {height}x{width}; resize or pad the images '
            'in the pipeline.')
