# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Channel statistics of feature maps that come in parts."""
from typing import Tuple

import torch
from torch import Tensor


class RunningStatistics:
    """Mean and variance of every channel over all parts of feature maps.

    Parts are merged by their means and sums of squared deviations (Chan et al. 1979), in float64:
    sums of squares would lose the variance of channels that are nearly constant.

    Examples:
        >>> statistics = RunningStatistics()
        >>> statistics.add(torch.tensor([1., 2.]).view(1, 1, 1, 2))
        >>> statistics.add(torch.tensor([6.]).view(1, 1, 1, 1))
        >>> mean, variance = statistics.mean_and_variance()
        >>> mean.item(), round(variance.item(), 4)
        (3.0, 4.6667)
    """

    def __init__(self):
        self.count = 0
        self.mean = self.squares = 0.
        self.dtype = torch.float32

    def add(self, features: Tensor) -> None:
        """Adds a part, (N, C, h, w) with the N and C of the others."""
        variance, mean = torch.var_mean(features.double(), dim=(2, 3), correction=0, keepdim=True)
        count = features.shape[2] * features.shape[3]
        total = self.count + count
        away = mean - self.mean
        self.mean = self.mean + away * (count / total)
        self.squares = self.squares + variance * count + away**2 * (self.count * count / total)
        self.count = total
        self.dtype = torch.promote_types(self.dtype, features.dtype)

    def mean_and_variance(self) -> Tuple[Tensor, Tensor]:
        """As :func:`channel_statistics` of the whole maps: each (N, C, 1, 1), float32 or wider."""
        return self.mean.to(self.dtype), (self.squares / self.count).to(self.dtype)
