# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Whether weights are those of a network."""
from typing import Any, Dict, Iterable, Optional, Tuple

from torch import Tensor


def first_misfit(wanted: Dict[str, Tensor], found: Dict[str, Any],
                 names: Optional[Iterable[str]] = None) -> Optional[Tuple]:
    """The first weight that has another shape, or is in one of both only.

    Args:
        wanted (dict[str, Tensor]): State dict of the network.
        found (dict): What a file has in its place.
        names (Iterable[str] | None): Which to compare; those that the network has if None.

    Returns:
        tuple | None: Its name, its shape in the network and in the file, each a tuple or
        ``'nothing'``; None where all fit.

    Examples:
        >>> import torch
        >>> first_misfit(dict(weight=torch.zeros(3)), {})
        ('weight', (3,), 'nothing')
    """
    for name in wanted if names is None else names:
        shapes = [tuple(state[name].shape) if isinstance(state.get(name), Tensor) else 'nothing'
                  for state in (wanted, found)]
        if shapes[0] != shapes[1]:
            return name, *shapes
    return None
