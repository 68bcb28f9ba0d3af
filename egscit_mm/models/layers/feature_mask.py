# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Feature mask (paper Sec. 3.1): soft attention to the content image's semantics."""
from torch import Tensor


def feature_mask(features: Tensor, eta: float) -> Tensor:
    """Mask that is multiplied with the content features.

    ``m = (1 - eta) * sigmoid(f) + eta``, so every value lies in (eta, 1); ``eta=1`` is no mask.

    Args:
        features (Tensor): Feature maps of the *content* image, (N, C, H, W).
        eta (float): Lower bound of the mask, 0..1. The paper uses 0.5.

    Returns:
        Tensor: Mask, (N, C, H, W).

    Examples:
        >>> import torch
        >>> feature_mask(torch.tensor([-100., 0., 100.]), eta=0.5)
        tensor([0.5000, 0.7500, 1.0000])
    """
    return (1 - eta) * features.sigmoid() + eta
