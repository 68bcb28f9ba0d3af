# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Gradient reversal (Ganin & Lempitsky, ICML 2015, <https://arxiv.org/abs/1409.7495>)."""
import torch
from torch import Tensor


class _GradientReversal(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return -ctx.factor * gradient, None


def reverse_gradient(x: Tensor, factor: float = 1.) -> Tensor:
    """``x`` itself, whose gradient is ``-factor`` times that of the result.

    Args:
        x (Tensor): Of any shape.
        factor (float): Defaults to 1.

    Examples:
        >>> x = torch.ones(2, requires_grad=True)
        >>> reverse_gradient(x, 0.5).sum().backward()
        >>> x.grad
        tensor([-0.5000, -0.5000])
    """
    return _GradientReversal.apply(x, factor)
