# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Cross-entropy of logits: real or generated (Goodfellow et al. 2014), and which domain."""
import torch
import torch.nn.functional as F
from torch import Tensor

from ..layers import at_least_float32


def bce_loss(logits: Tensor, target: float) -> Tensor:
    """Binary cross-entropy of ``sigmoid(logits)`` to one target.

    Args:
        logits (Tensor): Of any shape.
        target (float): 0 (generated) to 1 (real).

    Returns:
        Tensor: Scalar >= 0, in float32 or wider.

    Examples:
        >>> bce_loss(torch.zeros(2), 1.)
        tensor(0.6931)
    """
    logits = at_least_float32(logits)
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def domain_loss(logits: Tensor, domain: int) -> Tensor:
    """What a classifier of domains minimises: ``-log softmax(logits)`` at the right one.

    Args:
        logits (Tensor): One for each domain, (N, domains, h, w).
        domain (int): Place of the right one.

    Returns:
        Tensor: Scalar >= 0, in float32 or wider; log(domains) where it has to guess.

    Examples:
        >>> domain_loss(torch.zeros(1, 2, 1, 1), 0)
        tensor(0.6931)
    """
    return -at_least_float32(logits).log_softmax(1)[:, domain].mean()


def domain_confusion_loss(logits: Tensor) -> Tensor:
    """Cross-entropy to equal shares of all domains: what makes a classifier of domains guess.

    Args:
        logits (Tensor): One for each domain, (N, domains, h, w).

    Returns:
        Tensor: Scalar, in float32 or wider; smallest, log(domains), where all logits are equal:
        with two domains where the classifier says 0.5.

    Examples:
        >>> domain_confusion_loss(torch.zeros(1, 2, 1, 1))
        tensor(0.6931)
    """
    return -at_least_float32(logits).log_softmax(1).mean()
