# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Gradient reversal (Ganin & Lempitsky, ICML 2015, <https://arxiv.org/abs/1409.7495>)."""
import torch
from torch import Tensor


class _GradientReversal(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return -gradient


def reverse_gradient(x: Tensor) -> Tensor:
    """``x`` itself, whose gradient is that of the result with the other sign.

    Args:
        x (Tensor): Of any shape.

    Examples:
        >>> x = torch.ones(2, requires_grad=True)
        >>> reverse_gradient(x).sum().backward()
        >>> x.grad
        tensor([-1., -1.])
    """
    return _GradientReversal.apply(x)
