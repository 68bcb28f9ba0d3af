# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What mixed precision must not touch."""
import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """``x`` in float32 if it is in half precision, else unchanged.

    bfloat16 keeps 8 bits: too few for means and variances over an image, for sums of losses and
    for the ends of tanh, which is exactly 1 from 3.5 on.

    Examples:
        >>> at_least_float32(torch.zeros(1, dtype=torch.bfloat16)).dtype
        torch.float32
        >>> at_least_float32(torch.zeros(1, dtype=torch.float64)).dtype
        torch.float64
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))
