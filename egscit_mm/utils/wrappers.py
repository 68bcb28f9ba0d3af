# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Distributed wrappers."""
from mmengine.model import is_model_wrapper
from torch import nn


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside a distributed wrapper, or the module itself."""
    return module.module if is_model_wrapper(module) else module
