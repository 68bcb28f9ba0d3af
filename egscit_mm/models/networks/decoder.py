# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Decoder: styled content to image."""
import math

from mmagic.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...utils.checks import check_integers
from ...utils.errors import UserError
from ..layers import ResidualBlock, at_least_float32
from ..layers.init import TRUNC_NORMAL


@MODELS.register_module()
class ImageDecoder(BaseModule):
    """Residual blocks and transposed convolutions (the generator after its shared block).

    ``num_blocks`` residual blocks, ``num_downsamples`` times transposed conv 3x3 with stride 2 that
    halves the width and LeakyReLU(0.2), then a 1x1 convolution to the image and tanh.

    Args:
        out_channels (int): Channels of the image. Defaults to 3.
        base_channels (int): Width of the last hidden layer. Defaults to 64.
        num_downsamples (int): As in the encoder, the paper's n1 - 1. Defaults to 2.
        num_blocks (int): Residual blocks of its own. Defaults to 3.
        tanh_scale (float): The image is ``tanh_scale * tanh(...)``. The paper's 1 reaches black,
            white and pure colours only at infinity: on flat colours, a large learning rate drives
            the last layer to where tanh is level, and strokes that are wrong there stay wrong.
            1.1 keeps a gradient everywhere in [-1, 1]. Defaults to 1.
        init_cfg (dict): Initialisation; truncated normal by default.

    Raises:
        ValueError: If a width or ``tanh_scale`` is below 1 or a number of layers below 0.

    Examples:
        >>> import torch
        >>> decoder = ImageDecoder(base_channels=4, num_downsamples=2)
        >>> decoder(torch.zeros(1, 16, 8, 16)).shape
        torch.Size([1, 3, 32, 64])
    """

    def __init__(self,
                 out_channels: int = 3,
                 base_channels: int = 64,
                 num_downsamples: int = 2,
                 num_blocks: int = 3,
                 tanh_scale: float = 1.,
                 init_cfg: dict = TRUNC_NORMAL):
        super().__init__(init_cfg)
        check_integers(self, 1, out_channels=out_channels, base_channels=base_channels)
        check_integers(self, 0, num_downsamples=num_downsamples, num_blocks=num_blocks)
        if not 1 <= tanh_scale < math.inf:
            raise UserError('ImageDecoder: tanh_scale must be at least 1, for images reach -1 and '
                            f'1; got {tanh_scale}')
        self.tanh_scale = tanh_scale
        self.in_channels = base_channels * 2**num_downsamples
        layers = [ResidualBlock(self.in_channels, init_cfg) for _ in range(num_blocks)]
        for level in reversed(range(num_downsamples)):
            width = base_channels * 2**level
            layers += [
                nn.ConvTranspose2d(width * 2, width, 3, stride=2, padding=1, output_padding=1),
                nn.LeakyReLU(0.2, inplace=True)
            ]
        # The paper's "transposed convolution 1x1, stride 1" is a 1x1 convolution.
        layers.append(nn.Conv2d(base_channels, out_channels, 1))
        self.layers = nn.Sequential(*layers)

    def forward(self, styled: Tensor) -> Tensor:
        """(N, in_channels, h, w) -> RGB, (N, 3, h * stride, w * stride), up to ``tanh_scale``."""
        return self.tanh_scale * at_least_float32(self.layers(styled)).tanh()
