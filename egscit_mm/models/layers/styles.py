# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Arithmetic of styles: mixtures, strength, regions.

A style is what :meth:`Translator.encode_style` returns: a tensor, or a tuple of tensors, each
(N, C, ...) with one row for each image.
"""
import math
import warnings
from typing import Callable, Optional, Sequence, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...utils.errors import UserError
from .precision import at_least_float32

Style = Union[None, Tensor, Tuple[Tensor, ...]]
MAX_STRENGTH = 1.5


def mix_styles(styles: Sequence[Style], weights: Optional[Sequence[float]] = None) -> Style:
    """Convex mixture of styles.

    Exact where it can be: equal styles mix to themselves, and a style of weight 1 is that style.

    Args:
        styles (Sequence): Styles of one model and one domain, of one number of rows each.
        weights (Sequence[float] | None): One for each style, at least 0; they are divided by their
            sum. Equal ones if None: the mean style.

    Returns:
        The mixture, as one style.

    Raises:
        UserError: If there are no styles, the weights are no such numbers, or the model has no
            styles to mix.

    Examples:
        >>> red, blue = torch.tensor([[1., 0.]]), torch.tensor([[0., 1.]])
        >>> mix_styles([red, blue], [3, 1])
        tensor([[0.7500, 0.2500]])
    """
    if weights is None:
        weights = [1.] * len(styles)
    check_mixture(len(styles), weights)
    total = math.fsum(weights)
    shares = [(style, weight / total) for style, weight in zip(styles, weights) if weight]
    (first, _), *others = shares

    def mixture(first_part: Tensor, *parts: Tensor) -> Tensor:
        # By differences: those of equal styles are exactly 0.
        return first_part + sum(
            share * (part - first_part) for part, (_, share) in zip(parts, others))

    return _by_part(mixture, first, *(style for style, _ in others))


def check_mixture(number: int, weights: Sequence[float]) -> None:
    """Refuses weights that make no mixture of so many styles.

    Raises:
        UserError: If there are no styles, the numbers differ, or the weights are no numbers of at
            least 0 with a finite sum above 0.
    """
    if not number:
        raise UserError('Give at least one exemplar, got none')
    try:
        fit = all(weight >= 0 for weight in weights) and 0 < sum(weights) < math.inf
    except TypeError:
        fit = False
    if not fit:
        raise UserError('Weights of exemplars must be numbers of at least 0 with a finite sum '
                        f'above 0: got {weights!r}')
    if len(weights) != number:
        raise UserError(f'Give one weight for each exemplar: got {len(weights)} weights for '
                        f'{number} exemplars')


def strengthen(style: Style, mean: Style, strength: float) -> Style:
    """A style nearer to the mean style, or beyond the exemplar's: mean + strength (style - mean).

    Args:
        style: The exemplar's style.
        mean: The mean style of its domain.
        strength (float): 0: the mean style. 1: the exemplar's, exactly. Up to 1.5, with a warning:
            no image may have such a style, and the model has seen none.

    Raises:
        UserError: If the strength is outside 0..1.5, or the model has no styles.

    Examples:
        >>> strengthen(torch.tensor([[4.]]), torch.tensor([[2.]]), 0.5)
        tensor([[3.]])
    """
    check_strength(strength)
    if strength == 1:
        return style
    if strength > 1:
        warnings.warn(f'A strength of {strength:g} goes beyond the exemplar: the model has seen no '
                      'such style, and colours may leave their range.', stacklevel=2)
    return _by_part(lambda part, middle: middle + strength * (part - middle), style, mean)


def check_strength(strength: float) -> None:
    """Refuses what is no strength.

    Raises:
        UserError: If it is outside 0..1.5.
    """
    try:
        fits = 0 <= strength <= MAX_STRENGTH
    except TypeError:
        fits = False
    if not fits:
        raise UserError(f'The strength of a style must lie in 0..{MAX_STRENGTH}, got '
                        f'{strength!r}')


def region_maps(labels: Tensor, order: Sequence[int], stride: int, blend: float) -> Tensor:
    """How far each place of the features belongs to each region.

    Args:
        labels (Tensor): Integers, (H, W); H and W divisible by ``stride``.
        order (Sequence[int]): The labels, each once; all that occur.
        stride (int): Of the features.
        blend (float): Width of the borders in pixels, over which one region becomes the other; 0
            for hard ones, up to the features' grid.

    Returns:
        Tensor: Shares of the regions, (R, 1, H / stride, W / stride), that sum to 1.

    Examples:
        >>> labels = torch.tensor([[0, 0, 1, 1], [0, 0, 1, 1]])
        >>> region_maps(labels, [0, 1], stride=2, blend=0).flatten(1)
        tensor([[1., 0.],
                [0., 1.]])
    """
    shares = torch.stack([labels == label for label in order]).unsqueeze(1).float()
    shares = F.avg_pool2d(shares, stride)
    # Twice a mean over a window is a mean with weights that fall off evenly over `blend` pixels.
    reach = min(round(blend / stride / 4), *(side - 1 for side in shares.shape[-2:]))
    for _ in range(2 if reach > 0 else 0):
        shares = F.avg_pool2d(
            F.pad(shares, (reach, ) * 4, mode='replicate'), 2 * reach + 1, stride=1)
    return shares / shares.sum(0)


def regional_style(styles: Sequence[Style], maps: Tensor) -> Style:
    """A style that differs from place to place: AdaIN takes its parts as maps.

    Args:
        styles (Sequence): Of the regions, each of parts (1, C, 1, 1).
        maps (Tensor): Shares of :func:`region_maps`, (R, 1, h, w).

    Returns:
        The style, of parts (1, C, h, w); (1, C, 1, 1) for one region. Equal styles become
        themselves, exactly.

    Examples:
        >>> one, three = torch.ones(1, 1, 1, 1), torch.full((1, 1, 1, 1), 3.)
        >>> maps = torch.tensor([0.75, 0.25]).view(2, 1, 1, 1)
        >>> gamma, beta = regional_style([(one, one), (three, three)], maps)
        >>> gamma.item()
        1.5
    """
    first, *others = styles

    def blended(first_part: Tensor, *parts: Tensor) -> Tensor:
        return first_part + sum(
            share * (part - first_part) for part, share in zip(parts, maps[1:]))

    return _by_part(blended, first, *others)


def regional_statistics(features: Tensor, maps: Tensor) -> Tuple[Tensor, Tensor]:
    """Mean and variance of every channel over the region that a place belongs to.

    Args:
        features (Tensor): Feature maps of the content, (1, C, h, w).
        maps (Tensor): Shares of :func:`region_maps`, (R, 1, h, w).

    Returns:
        tuple[Tensor, Tensor]: Mean and population variance, each (1, C, h, w), blended as the
        regions are.

    Examples:
        >>> features = torch.tensor([1., 3., 9., 9.]).view(1, 1, 1, 4)
        >>> maps = torch.tensor([[1., 1., 0., 0.], [0., 0., 1., 1.]]).view(2, 1, 1, 4)
        >>> regional_statistics(features, maps)[0].flatten()
        tensor([2., 2., 9., 9.])
    """
    features = at_least_float32(features)
    sizes = maps.sum((-2, -1), keepdim=True).clamp_min(torch.finfo(maps.dtype).tiny)
    means = (features * maps).sum((-2, -1), keepdim=True) / sizes  # (R, C, 1, 1)
    variances = ((features - means).square() * maps).sum((-2, -1), keepdim=True) / sizes
    return tuple((part * maps).sum(0, keepdim=True) for part in (means, variances))


class MeanStyle(nn.Module):
    """Keeps the mean style of a domain with a model's weights, where it is known.

    What is not known is not in the state dict either: checkpoints without it load, and those of a
    training are without.

    Args:
        *parts (str): Names of the style's parts; a style of one part is a tensor, of several a
            tuple.

    Examples:
        >>> mean = MeanStyle('code')
        >>> list(mean.state_dict())
        []
        >>> mean.set(torch.zeros(1, 8))
        >>> list(mean.state_dict())
        ['code']
    """

    def __init__(self, *parts: str):
        super().__init__()
        self.parts = parts
        for part in parts:
            self.register_buffer(part, None)

    def get(self) -> Style:
        """The mean style; None where it is not known."""
        values = tuple(getattr(self, part) for part in self.parts)
        if values[0] is None:
            return None
        return values if len(values) > 1 else values[0]

    def set(self, style: Style) -> None:
        """Keeps a style of one row."""
        for part, value in zip(self.parts, style if isinstance(style, tuple) else (style, )):
            setattr(self, part, value)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args, **kwargs) -> None:
        for part in self.parts:
            value = state_dict.get(f'{prefix}{part}')
            setattr(self, part, None if value is None else value.detach().clone().float())
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _by_part(function: Callable[..., Tensor], *styles: Style) -> Style:
    if styles[0] is None:
        raise UserError('This model takes no style from exemplars (adain=None): there is nothing '
                        'to mix, to strengthen or to give to regions.')
    if isinstance(styles[0], tuple):
        return tuple(function(*parts) for parts in zip(*styles))
    return function(*styles)
