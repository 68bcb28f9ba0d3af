# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Noise of the latent: the encoder gives the mean of a unit-variance Gaussian, as in UNIT."""
import torch
from torch import Tensor


def add_latent_noise(mean: Tensor, std: float) -> Tensor:
    """Draws the latent around its mean.

    The numbers do not depend on how the mean lies in memory, and are drawn in PyTorch's usual
    layout: into a channels-last tensor it draws them one by one, at a fifth of the speed.

    Args:
        mean (Tensor): (N, C, H, W).
        std (float): Standard deviation of the noise.

    Returns:
        Tensor: (N, C, H, W), laid out as ``mean``.

    Examples:
        >>> add_latent_noise(torch.ones(1, 1, 1, 2), std=0.)
        tensor([[[[1., 1.]]]])
    """
    return mean + std * torch.randn_like(mean, memory_format=torch.contiguous_format)
