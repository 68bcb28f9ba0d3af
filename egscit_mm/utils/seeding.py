# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Random numbers as a function of where a training is, instead of all that went before."""
import random

import numpy as np
import torch


def seed_generators(*place: int, devices: bool = True) -> None:
    """Seeds the global generators of Python, NumPy and PyTorch.

    Args:
        *place (int): What the random numbers shall depend on, each >= 0, such as the seed of the
            run, the rank and the iteration. Places that differ in any of them get unrelated
            numbers.
        devices (bool): Whether PyTorch's generators of all devices are seeded, or that of the CPU
            alone. Defaults to True.

    Examples:
        >>> seed_generators(0, 1, 2)
        >>> first = torch.rand(1)
        >>> seed_generators(0, 1, 2)
        >>> bool(torch.rand(1) == first)
        True
    """
    python, numpy, high, low = np.random.SeedSequence(place).generate_state(4).tolist()
    random.seed(python)
    np.random.seed(numpy)
    # Where CUDA is not initialised, the former formats the stack of all callers.
    seed = torch.manual_seed if devices else torch.default_generator.manual_seed
    seed(high << 32 | low)
