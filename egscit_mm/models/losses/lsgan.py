# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Least-squares GAN (Mao et al., ICCV 2017): real images are to score 1, generated ones 0."""
from typing import Tuple

from torch import Tensor

from ..layers import at_least_float32


def lsgan_discriminator_loss(on_real: Tensor, on_fake: Tensor) -> Tensor:
    """What a discriminator minimises: ``0.5 * [mean (D(x) - 1)^2 + mean D(x')^2]``.

    Args:
        on_real (Tensor): D(x), scores of real images, (N, 1, h, w).
        on_fake (Tensor): D(x'), scores of generated images, (N', 1, h, w).

    Returns:
        Tensor: Scalar >= 0, in float32 or wider; 0.25 where every score is 0.5.

    Examples:
        >>> import torch
        >>> lsgan_discriminator_loss(torch.tensor([1., 0.]), torch.tensor([0.]))
        tensor(0.2500)
    """
    on_real, on_fake = at_least_float32(on_real), at_least_float32(on_fake)
    return 0.5 * ((on_real - 1).square().mean() + on_fake.square().mean())


def lsgan_generator_loss(on_fake: Tensor) -> Tensor:
    """What a generator minimises: ``mean (D(x') - 1)^2``.

    Args:
        on_fake (Tensor): D(x'), scores of generated images, (N, 1, h, w).

    Returns:
        Tensor: Scalar >= 0, in float32 or wider.

    Examples:
        >>> import torch
        >>> lsgan_generator_loss(torch.tensor([1., 0.]))
        tensor(0.5000)
    """
    return (at_least_float32(on_fake) - 1).square().mean()


def lsgan_accuracies(on_real: Tensor, on_fake: Tensor) -> Tuple[Tensor, Tensor]:
    """Shares of scores on the right side of 0.5; near 1 for both, the discriminator has won.

    Args:
        on_real (Tensor): Scores of real images, (N, 1, h, w).
        on_fake (Tensor): Scores of generated images, (N', 1, h, w).

    Returns:
        tuple[Tensor, Tensor]: Of the real and of the generated images, scalars in [0, 1].

    Examples:
        >>> import torch
        >>> lsgan_accuracies(torch.tensor([0.9, 0.4]), torch.tensor([0.1]))
        (tensor(0.5000), tensor(1.))
    """
    return (on_real > 0.5).float().mean(), (on_fake < 0.5).float().mean()
