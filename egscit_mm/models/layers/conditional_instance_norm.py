# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Instance norm whose scale and shift come from a code (Augmented CycleGAN's generators)."""
from torch import Tensor, nn

from .adain import AdaIN


class ConditionalInstanceNorm(nn.Module):
    """``relu(A z + a) * (x - mu(x)) / sigma(x) + relu(B z + b)``, for every channel of x.

    mu and sigma are those of a channel over its positions. ``a`` starts at 1, so that the code
    z = 0 starts as plain instance norm.

    Args:
        channels (int): Channels of x.
        code_dim (int): Length of z.

    Examples:
        >>> import torch
        >>> norm = ConditionalInstanceNorm(channels=4, code_dim=2)
        >>> norm(torch.zeros(3, 4, 5, 5), torch.zeros(3, 2)).shape
        torch.Size([3, 4, 5, 5])
    """

    def __init__(self, channels: int, code_dim: int):
        super().__init__()
        self.scale = nn.Linear(code_dim, channels)
        self.shift = nn.Linear(code_dim, channels)
        self.norm = AdaIN('std')

    def init_weights(self) -> None:
        """Small weights, scale 1 and shift 0."""
        for linear, bias in ((self.scale, 1.), (self.shift, 0.)):
            nn.init.normal_(linear.weight, std=0.02)
            nn.init.constant_(linear.bias, bias)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """(N, channels, H, W) and (N or 1, code_dim) -> (N, channels, H, W)."""
        style = [linear(code).relu()[..., None, None] for linear in (self.scale, self.shift)]
        return self.norm(x, style)
