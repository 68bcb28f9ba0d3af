# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import random

import numpy as np
import pytest
import torch

# First of all, as in a config: it makes MMagic importable.
import egscit_mm  # noqa: F401

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seeds():
    """Every test draws the same random numbers, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
