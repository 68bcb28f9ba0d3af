# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Wasserstein GAN with gradient penalty (Gulrajani et al., NIPS 2017)."""
import torch
from torch import Tensor

from ...utils.checks import check_same_shape
from ..layers import at_least_float32


def wasserstein_loss(on_real: Tensor, on_fake: Tensor) -> Tensor:
    """What a critic minimises, without the penalty: ``mean D(x') - mean D(x)``.

    A generator minimises ``-mean D(x')``.

    Args:
        on_real (Tensor): D(x), scores of real images, (N, ...).
        on_fake (Tensor): D(x'), scores of generated images, (N', ...).

    Returns:
        Tensor: Scalar of either sign, in float32 or wider.

    Examples:
        >>> wasserstein_loss(torch.tensor([2., 4.]), torch.tensor([1.]))
        tensor(-2.)
    """
    return at_least_float32(on_fake).mean() - at_least_float32(on_real).mean()


def interpolated(real: Tensor, fake: Tensor) -> Tensor:
    """A random point between each real and its generated image, for :func:`gradient_penalty`.

    Args:
        real (Tensor): (N, C, H, W).
        fake (Tensor): (N, C, H, W).

    Returns:
        Tensor: (N, C, H, W), which requires a gradient.

    Raises:
        ValueError: If the shapes differ.

    Examples:
        >>> between = interpolated(torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1))
        >>> 0 <= between.item() <= 1 and between.requires_grad
        True
    """
    check_same_shape('interpolated', real=real, fake=fake)
    share = torch.rand(len(real), 1, 1, 1, device=real.device, dtype=real.dtype)
    return torch.lerp(real, fake.detach().to(real.dtype), share).requires_grad_()


def gradient_penalty(scores: Tensor, images: Tensor) -> Tensor:
    """``mean (|dD(x) / dx| - 1)^2``, where D(x) is the mean of the scores of image x.

    Args:
        scores (Tensor): Scores of the images, (N, ...), each of its own image alone.
        images (Tensor): What was scored, (N, C, H, W), such as :func:`interpolated` images.

    Returns:
        Tensor: Scalar >= 0, in float32 or wider, with a graph to the weights of D.

    Examples:
        >>> images = torch.zeros(2, 1, 1, 2, requires_grad=True)
        >>> scores = (images * torch.tensor([3., 4.])).sum((1, 2, 3))  # gradient of length 5
        >>> gradient_penalty(scores, images).item()
        16.0
    """
    by_image = at_least_float32(scores).flatten(1).mean(1) if scores.ndim > 1 else scores
    gradient, = torch.autograd.grad(by_image.sum(), images, create_graph=True)
    return (at_least_float32(gradient).flatten(1).norm(dim=1) - 1).square().mean()
