# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Residual block without normalisation."""
from mmengine.model import BaseModule
from torch import Tensor, nn

from .init import TRUNC_NORMAL


class ResidualBlock(BaseModule):
    """conv 3x3, ReLU, conv 3x3, added to the input; reflection padding, no normalisation.

    Normalisation would remove the statistics that carry the style.

    Args:
        channels (int): Channels of input and output.
        init_cfg (dict): Initialisation; truncated normal by default.

    Examples:
        >>> import torch
        >>> ResidualBlock(4)(torch.zeros(1, 4, 7, 7)).shape
        torch.Size([1, 4, 7, 7])
    """

    def __init__(self, channels: int, init_cfg: dict = TRUNC_NORMAL):
        super().__init__(init_cfg)
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode='reflect'),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode='reflect'))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return x + self.layers(x)
