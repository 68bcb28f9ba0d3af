# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The steps of an update that need no model."""
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Callable, Dict, Iterator, List, Optional, Tuple

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from ...utils.errors import UserError


@dataclass(frozen=True)
class Update:
    """One kind of update of an iteration.

    Args:
        steps (str): The model's argument that says how many there are in an iteration.
        side (str): The module of the model that is trained, and its optimiser wrapper.
        losses (callable): Weighted loss terms of a minibatch.
        total (str): Name of their sum in the log.
        frozen (tuple[nn.Module]): What gets no gradients meanwhile.
    """

    steps: str
    side: str
    losses: Callable[[Dict[str, Tensor]], Dict[str, Tensor]]
    total: str
    frozen: Tuple[nn.Module, ...] = ()


def chunks(images: Dict[str, Tensor], number: int) -> Iterator[Dict[str, Tensor]]:
    """Cuts a batch of every domain into parts of one size, in order.

    Args:
        images (dict[str, Tensor]): By domain, (N, 3, H, W).
        number (int): How many parts; it divides N.

    Yields:
        dict[str, Tensor]: By domain, (N / number, 3, H, W).
    """
    for parts in zip(*(batch.chunk(number) for batch in images.values())):
        yield dict(zip(images, parts))


@contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """No gradients for the parameters of the modules: another one is being updated."""
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def freeze(model: nn.Module, name: str) -> None:
    """Keeps the parameters of a module as they are.

    Raises:
        ValueError: If there is none of this name, or nothing in it to train.
    """
    modules = dict(model.named_modules())
    parameters = [] if name not in modules else [
        parameter for parameter in modules[name].parameters() if parameter.requires_grad]
    if not parameters:
        why = 'has nothing to train' if name in modules else 'does not exist'
        known = [key for key, module in modules.items()
                 if key.count('.') in (1, 2) and any(p.requires_grad for p in module.parameters())]
        raise UserError(f'{type(model).__name__}: frozen_modules names {name!r}, which {why}. '
                        f'Modules are {", ".join(known[:16])} and those inside of them.')
    for parameter in parameters:
        parameter.requires_grad_(False)


def gradient_norm(module: nn.Module, scaler: Optional[torch.amp.GradScaler] = None) -> Tensor:
    """L2 norm of all gradients of a module, scalar; without the factor of a scaler of losses."""
    norm = get_total_norm([p.grad for p in module.parameters() if p.grad is not None])
    # Not get_scale(), which waits for the device.
    return norm if scaler is None else norm / scaler.scale(torch.ones_like(norm))


def weight_norm(module: nn.Module) -> List[Tensor]:
    """L2 norm of the trained weights of a module, scalar; none where nothing is trained."""
    weights = [p.detach() for p in module.parameters() if p.requires_grad]
    return [get_total_norm(weights)] if weights else []


def means(logs: Dict[str, List[Tensor]]) -> Dict[str, float]:
    """Means of all terms in one transfer: one .item() per term would wait for the device each."""
    logs = {name: values for name, values in logs.items() if values}
    stacked = torch.stack([torch.stack(values).float().mean() for values in logs.values()])
    return dict(zip(logs, stacked.tolist()))
