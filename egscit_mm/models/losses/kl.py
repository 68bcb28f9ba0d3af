# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Kullback-Leibler term of the variational autoencoder."""
from torch import Tensor

from ...utils.checks import check_same_shape
from ..layers import at_least_float32


def kl_loss(latent_mean: Tensor) -> Tensor:
    """KL divergence between N(mu, 1) and N(0, 1), up to the factor 1/2: ``mean(mu^2)``.

    The posterior has unit variance, as in UNIT (Liu et al., NIPS 2017), so only the mean remains.
    EGSC-IT's release takes mu with the noise added, which shifts the value by 1 on average.

    Args:
        latent_mean (Tensor): mu, of any shape.

    Returns:
        Tensor: Scalar >= 0, in float32 or wider.

    Examples:
        >>> import torch
        >>> kl_loss(torch.tensor([1., 3.]))
        tensor(5.)
    """
    return at_least_float32(latent_mean).square().mean()


def gaussian_kl_loss(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence between N(mean, variance) and N(0, I), ``0.5 (m^2 + v - 1 - log v)``.

    Summed over the numbers of a code, as an image's divergence is; the mean over the images.

    Args:
        mean (Tensor): (N, C).
        log_variance (Tensor): (N, C).

    Returns:
        Tensor: Scalar >= 0, in float32 or wider.

    Raises:
        ValueError: If the shapes differ.

    Examples:
        >>> import torch
        >>> gaussian_kl_loss(torch.tensor([[1., 3.]]), torch.zeros(1, 2))
        tensor(5.)
    """
    check_same_shape('gaussian_kl_loss', mean=mean, log_variance=log_variance)
    mean, log_variance = at_least_float32(mean), at_least_float32(log_variance)
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
