# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Ranges of arguments: errors that name class or function, argument, value and range.

``owner`` is the object, or the name of its class or of the function, whose arguments they are.
"""
import math
from itertools import permutations
from numbers import Integral, Real
from typing import Any, Dict, Sequence

from .errors import UserError


def check_integers(owner: Any, smallest: int, **arguments: int) -> None:
    """Refuses what is no integer of at least ``smallest``.

    Raises:
        ValueError: If one is outside the range.

    Examples:
        >>> check_integers('ImageDecoder', 1, base_channels=64)
        >>> check_integers('Encoder', 1, stride=0)
        Traceback (most recent call last):
        egscit_mm.utils.errors.UserError: Encoder: stride must be an integer of at least 1, got 0
    """
    for name, value in arguments.items():
        if not isinstance(value, Integral) or value < smallest:
            raise UserError(f'{_name(owner)}: {name} must be an integer of at least {smallest}, '
                            f'got {value!r}')


def check_not_negative(owner: Any, **arguments: float) -> None:
    """Refuses what is no finite number of at least 0.

    Raises:
        ValueError: If one is outside the range.

    Examples:
        >>> check_not_negative('PolyDecayLR', power=0.9)
    """
    for name, value in arguments.items():
        if not isinstance(value, Real) or not 0 <= value < math.inf:  # nor NaN
            raise UserError(
                f'{_name(owner)}: {name} must be a number of at least 0, got {value!r}')


def check_shares(owner: Any, **arguments: float) -> None:
    """Refuses what is no number from 0 to 1.

    Raises:
        ValueError: If one is outside the range.

    Examples:
        >>> check_shares('ExemplarTranslator', eta=1.5)
        Traceback (most recent call last):
        egscit_mm.utils.errors.UserError: ExemplarTranslator: eta must lie in [0, 1], got 1.5
    """
    for name, value in arguments.items():
        if not isinstance(value, Real) or not 0 <= value <= 1:  # nor NaN
            raise UserError(f'{_name(owner)}: {name} must lie in [0, 1], got {value!r}')


def check_weights(owner: Any, argument: str, weights: Dict[str, float]) -> None:
    """Refuses weights of loss terms that are no numbers of at least 0.

    Raises:
        ValueError: If one is outside the range.

    Examples:
        >>> check_weights('UNIT', 'weights', dict(gan=10, kl=-1))
        Traceback (most recent call last):
        egscit_mm.utils.errors.UserError: UNIT: weights['kl'] must be a number of at least 0, got -1
    """
    check_not_negative(owner, **{f'{argument}[{name!r}]': value for name, value in weights.items()})


def check_domains(owner: Any, domains: Sequence[str], smallest: int = 1) -> None:
    """Refuses what are no different names that modules, files and figures can have.

    Raises:
        ValueError: If they are too few, equal or no names, or if two directions of theirs would
            have the same name.

    Examples:
        >>> check_domains('EGSCIT', ('summer', 'winter'), smallest=2)
    """
    fit = isinstance(domains, (list, tuple)) and all(
        isinstance(domain, str) and domain and not {'.', '/'} & {*domain} for domain in domains)
    if not fit or len(set(domains)) < max(len(domains), smallest):
        raise UserError(f'{_name(owner)}: domains must be at least {smallest} different names '
                        f"without dots and slashes, such as ('A', 'B'), got {domains!r}")
    directions = [f'{source}2{target}' for source, target in permutations(domains, 2)]
    names = [*domains, *directions]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f'{_name(owner)}: domains {tuple(domains)!r}: {twice[0]!r} would be the '
                        'name of two of their directions, or of a direction and a domain; rename '
                        'one of them')


def check_same_shape(owner: Any, **tensors: Any) -> None:
    """Refuses tensors of different shapes, which PyTorch would broadcast.

    Raises:
        ValueError: If two differ.

    Examples:
        >>> import torch
        >>> check_same_shape('reconstruction_loss', image=torch.zeros(4), real=torch.zeros(1))
        Traceback (most recent call last):
        egscit_mm.utils.errors.UserError: reconstruction_loss: image and real must have the same \
shape, got (4,) and (1,)
    """
    (first, wanted), *others = tensors.items()
    for name, tensor in others:
        if tensor.shape != wanted.shape:
            raise UserError(f'{_name(owner)}: {first} and {name} must have the same shape, got '
                            f'{tuple(wanted.shape)} and {tuple(tensor.shape)}')


def _name(owner: Any) -> str:
    return owner if isinstance(owner, str) else type(owner).__name__
