# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Networks that are used as they are."""
import os
from typing import Union

import torch
from mmagic.registry import MODELS
from mmengine.device import get_device
from torch import nn

from ...compat import explaining_load_errors
from ...utils.errors import MissingFileError, UserError


def build_frozen(network: Union[dict, nn.Module]) -> nn.Module:
    """Build a network for evaluation only.

    Args:
        network (dict | nn.Module): Config in the registry ``MODELS``, or the network itself.

    Returns:
        nn.Module: In eval mode, without gradients, on the GPU where there is one.
    """
    module = network if isinstance(network, nn.Module) else MODELS.build(network)
    return module.eval().requires_grad_(False).to(get_device())


def load_state(path: str, what: str) -> dict:
    """Read the weights of a network from a file.

    Args:
        path (str): File that ``torch.save`` wrote; loaded with ``weights_only=True``.
        what (str): What the file should hold, for the error message.

    Returns:
        dict[str, Tensor]: The state dict.

    Raises:
        FileNotFoundError: If there is no such file.
        RuntimeError: If it cannot be read.
        ValueError: If it holds no dict.
    """
    if not os.path.isfile(path):
        found = 'is a folder' if os.path.isdir(path) else 'does not exist'
        raise MissingFileError(f'weights={path!r} {found}: it should be {what}.')
    with explaining_load_errors(path):
        state = torch.load(path, map_location='cpu', weights_only=True)
    if not isinstance(state, dict):
        raise UserError(f'{path} holds a {type(state).__name__}: it should be {what}.')
    return state
