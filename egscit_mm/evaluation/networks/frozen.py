# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Networks that are used as they are."""
from typing import Union

from mmagic.registry import MODELS
from mmengine.device import get_device
from torch import nn


def build_frozen(network: Union[dict, nn.Module]) -> nn.Module:
    """Build a network for evaluation only.

    Args:
        network (dict | nn.Module): Config in the registry ``MODELS``, or the network itself.

    Returns:
        nn.Module: In eval mode, without gradients, on the GPU where there is one.
    """
    module = network if isinstance(network, nn.Module) else MODELS.build(network)
    return module.eval().requires_grad_(False).to(get_device())
