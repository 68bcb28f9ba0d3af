# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Whitening and colouring of features."""
from typing import Tuple

import torch
from torch import Tensor

SMALLEST_EIGENVALUE = 1e-5  # smaller ones are noise, which whitening would raise to size 1


def mean_and_root(features: Tensor, power: float = 0.5) -> Tuple[Tensor, Tensor]:
    """Mean of every channel, and a power of the covariance of the channels over positions.

    Eigenvalues below :data:`SMALLEST_EIGENVALUE` are left out. In float64: float32 has too few
    digits for the small ones.

    Args:
        features (Tensor): Feature maps, (N, C, H, W).
        power (float): 0.5 for the root that colours, -0.5 for the one that whitens.

    Returns:
        tuple[Tensor, Tensor]: (N, C, 1) and, symmetric, (N, C, C), both float64.

    Examples:
        >>> features = torch.tensor([[[[1., 3., 1., 3.]], [[5., 5., 5., 5.]]]])
        >>> mean, root = mean_and_root(features)
        >>> mean.flatten().tolist(), (root[0]**2).round(decimals=4).tolist()
        ([2.0, 5.0], [[1.3333, 0.0], [0.0, 0.0]])
    """
    flat = features.flatten(2).double()
    mean = flat.mean(2, keepdim=True)
    centred = flat - mean
    # Autocast leaves float64 alone.
    covariance = centred @ centred.mT / max(flat.shape[2] - 1, 1)
    values, vectors = torch.linalg.eigh(covariance)
    kept = values >= SMALLEST_EIGENVALUE
    powers = torch.where(kept, values, 1.).pow(power) * kept
    return mean, vectors * powers.unsqueeze(1) @ vectors.mT


def whitened_and_coloured(features: Tensor, mean: Tensor, root: Tensor) -> Tensor:
    """Features with another mean and covariance (WCT's Eq. 2 and 3).

    Args:
        features (Tensor): Of the content, (N, C, H, W).
        mean (Tensor): Of the style, of :func:`mean_and_root`, (N or 1, C, 1).
        root (Tensor): The same, (N or 1, C, C).

    Returns:
        Tensor: (N, C, H, W), of the features' dtype.
    """
    own_mean, whitening = mean_and_root(features, -0.5)
    centred = features.flatten(2).double() - own_mean
    result = root.double() @ (whitening @ centred) + mean.double()
    return result.view(features.shape).to(features.dtype)
