# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Convolution with TensorFlow's SAME padding, which the authors' discriminator uses."""
import torch.nn.functional as F
from torch import Tensor, nn


class SameConv2d(nn.Conv2d):
    """Conv2d whose output is ``ceil(input / stride)``, as TensorFlow's ``padding='SAME'``.

    PyTorch's own ``padding='same'`` refuses strides; an odd total of padding puts the extra row
    and column at the end. Arguments are those of :class:`torch.nn.Conv2d` without padding.

    Examples:
        >>> import torch
        >>> SameConv2d(3, 8, 4, stride=2)(torch.zeros(1, 3, 7, 28)).shape
        torch.Size([1, 8, 4, 14])
    """

    def forward(self, x: Tensor) -> Tensor:
        """Pads and convolves: (N, C, H, W) -> (N, C_out, ceil(H / stride), ceil(W / stride))."""
        pads = []
        for size, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1]):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(F.pad(x, pads))
