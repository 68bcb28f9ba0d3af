# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Residual block with instance normalisation."""
from typing import Optional

from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

_INSTANCE_NORM = dict(padding=1, padding_mode='reflect', norm_cfg=dict(type='IN'))


class InstanceNormResidualBlock(BaseModule):
    """conv 3x3, instance norm, ReLU, conv 3x3, instance norm, added to the input.

    Args:
        channels (int): Channels of input and output.
        init_cfg (dict | None): Initialisation; None where the network around it has one.

    Examples:
        >>> import torch
        >>> InstanceNormResidualBlock(4)(torch.zeros(1, 4, 7, 7)).shape
        torch.Size([1, 4, 7, 7])
    """

    def __init__(self, channels: int, init_cfg: Optional[dict] = None):
        super().__init__(init_cfg)
        self.convs = nn.Sequential(
            ConvModule(channels, channels, 3, **_INSTANCE_NORM),
            ConvModule(channels, channels, 3, act_cfg=None, **_INSTANCE_NORM))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return x + self.convs(x)
