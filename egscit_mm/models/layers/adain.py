# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Adaptive instance normalisation (paper Eq. 1-2) in the forms that paper and release name."""
from typing import Optional, Tuple

import torch
from torch import Tensor, nn

from ...utils.errors import UserError
from .precision import at_least_float32

ADAIN_FORMS = ('std', 'var', 'release')


def channel_statistics(features: Tensor) -> Tuple[Tensor, Tensor]:
    """Mean and variance of every channel over its positions.

    Always in float32 or wider.

    Args:
        features (Tensor): Feature maps, (N, C, H, W).

    Returns:
        tuple[Tensor, Tensor]: Mean and population variance, each (N, C, 1, 1).

    Examples:
        >>> mean, variance = channel_statistics(torch.tensor([1., 3.]).view(1, 1, 1, 2))
        >>> mean.item(), variance.item()
        (2.0, 1.0)
    """
    variance, mean = torch.var_mean(
        at_least_float32(features), dim=(2, 3), correction=0, keepdim=True)
    return mean, variance


class AdaIN(nn.Module):
    """Gives content features the channel statistics of the exemplar's features.

    ``AdaIN(c) = gamma * (c - mu(c)) / delta(c) + beta`` with (gamma, beta) from the exemplar.
    Text and code of the paper do not agree on delta, gamma and beta, hence three named forms:

    | form        | gamma            | beta             | delta(c)       |
    | ----------- | ---------------- | ---------------- | -------------- |
    | ``std``     | std of exemplar  | mean of exemplar | std of content |
    | ``var``     | var of exemplar  | mean of exemplar | var of content |
    | ``release`` | mean of exemplar | var of exemplar  | var of content |

    ``std`` is AdaIN as published (Huang & Belongie, ICCV 2017), ``var`` the wording of the paper
    ("variance"), ``release`` what the authors' code computes. Every delta has an epsilon, which
    the release lacks. Only the scale of ``release`` can be negative. So an exemplar can reverse a
    channel's contrast, as black-on-white content needs it for a white-on-black exemplar.

    Args:
        form (str): One of :data:`ADAIN_FORMS`.
        eps (float): Added to the variance of the content. Defaults to 1e-5.

    Examples:
        >>> adain = AdaIN('std')
        >>> exemplar = torch.tensor([10., 14.]).view(1, 1, 1, 2)  # mean 12, standard deviation 2
        >>> content = torch.tensor([-1., 1.]).view(1, 1, 1, 2)  # mean 0, standard deviation 1
        >>> adain(content, adain.style(exemplar)).flatten().round()
        tensor([10., 14.])
    """

    def __init__(self, form: str, eps: float = 1e-5):
        super().__init__()
        if form not in ADAIN_FORMS:
            raise UserError(f'adain form must be one of {ADAIN_FORMS}, got {form!r}')
        self.form = form
        self.eps = eps

    def style(self, features: Tensor) -> Tuple[Tensor, Tensor]:
        """Statistics of the exemplar that steer the translation.

        Args:
            features (Tensor): Features of the exemplar, (N, C, H, W).

        Returns:
            tuple[Tensor, Tensor]: (gamma, beta), each (N, C, 1, 1).
        """
        return self.style_of(*channel_statistics(features))

    def style_of(self, mean: Tensor, variance: Tensor) -> Tuple[Tensor, Tensor]:
        """:meth:`style` of an exemplar whose statistics are known, each (N, C, 1, 1)."""
        if self.form == 'std':
            return (variance + self.eps).sqrt(), mean
        if self.form == 'var':
            return variance, mean
        return mean, variance

    def possible(self, style: Tuple[Tensor, Tensor]) -> Tuple[Tensor, Tensor]:
        """The style, its gamma at least 0 where it is a standard deviation or a variance.

        An extrapolated one may be below, which would reverse a channel's contrast.
        """
        gamma, beta = style
        return (gamma if self.form == 'release' else gamma.clamp_min(0)), beta

    def forward(self,
                content: Tensor,
                style: Tuple[Tensor, Tensor],
                statistics: Optional[Tuple[Tensor, Tensor]] = None) -> Tensor:
        """Applies the style to the content.

        Args:
            content (Tensor): Content features, (N, C, H, W).
            style (tuple[Tensor, Tensor]): (gamma, beta) of :meth:`style`, (N or 1, C, 1, 1); or
                maps of them, (N or 1, C, H, W).
            statistics (tuple[Tensor, Tensor] | None): Mean and variance to take for the content's,
                of the shapes that gamma may have; its own if None.

        Returns:
            Tensor: Styled features, (N, C, H, W), of the content's dtype.
        """
        gamma, beta = style
        mean, variance = statistics or channel_statistics(content)
        delta = variance + self.eps
        if self.form == 'std':
            delta = delta.sqrt()
        # Centred first: content * scale + (beta - mean * scale) would leave rounding noise where a
        # channel is nearly constant, for there the scale is up to gamma / eps.
        return ((content - mean) * (gamma / delta) + beta).to(content.dtype)
