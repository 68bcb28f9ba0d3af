# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Difference of two images, or of two codes."""
import torch
import torch.nn.functional as F
from torch import Tensor

from ...utils.checks import check_same_shape
from ..layers import at_least_float32


def reconstruction_loss(image: Tensor, real: Tensor, beta: float = 0.) -> Tensor:
    """Mean absolute difference, ``mean |x' - x|``, where ``beta`` is 0.

    Otherwise differences d below ``beta`` count ``d^2 / (2 beta)``, larger ones ``d - beta / 2``.

    Args:
        image (Tensor): x', of any shape.
        real (Tensor): x, of the same shape.
        beta (float): Where the square ends, >= 0. Defaults to 0.

    Returns:
        Tensor: Scalar >= 0, in float32 or wider.

    Raises:
        ValueError: If the shapes differ.

    Examples:
        >>> import torch
        >>> reconstruction_loss(torch.tensor([0., 1.]), torch.tensor([1., 1.]))
        tensor(0.5000)
        >>> reconstruction_loss(torch.tensor([0.2]), torch.tensor([0.]), beta=0.5)
        tensor(0.0400)
    """
    check_same_shape('reconstruction_loss', image=image, real=real)
    return F.smooth_l1_loss(at_least_float32(image), at_least_float32(real), beta=beta)


def as_shown(image: Tensor, real: Tensor) -> Tensor:
    """Takes back what lies beyond black or white where the real image is black or white.

    Images are clipped to [-1, 1] when they are shown, so there this is no error. Elsewhere a value
    beyond the range keeps its gradient. Only decoders with a ``tanh_scale`` above 1 put it out.

    Args:
        image (Tensor): x', generated, (N, 3, H, W).
        real (Tensor): x in [-1, 1], of the same shape.

    Returns:
        Tensor: x', with x where x is -1 or 1 and x' lies beyond it.

    Raises:
        ValueError: If the shapes differ.

    Examples:
        >>> as_shown(torch.tensor([1.1, -1.1, 1.1]), torch.tensor([1., 1., 0.]))
        tensor([ 1.0000, -1.1000,  1.1000])
    """
    check_same_shape('as_shown', image=image, real=real)
    return torch.where((real.abs() >= 1) & (image * real > 1), real.to(image.dtype), image)
