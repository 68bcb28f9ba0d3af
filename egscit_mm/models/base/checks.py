# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What ends a training, or keeps a checkpoint out."""
import math
from typing import Any, Dict, List, Optional

import torch
from mmagic.models.data_preprocessors import DataPreprocessor
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ...utils.errors import NonFiniteError, RunError, UserError
from ...utils.wrappers import unwrapped
from ..networks.state import first_misfit


def check_finite(floats: Dict[str, float], logs: Dict[str, List[Tensor]],
                 files: List[str]) -> None:
    """Stops where a loss or a weight is not finite.

    Gradients may be: a scaler of losses (float16) meets infinite ones and skips their step.

    Args:
        floats (dict[str, float]): Means of the terms of an iteration, and norms of the weights.
        logs (dict[str, list[Tensor]]): The terms of each update.
        files (list[str]): Where the images of the batch come from.

    Raises:
        FloatingPointError: Naming what is not finite, the other terms and the files.
    """
    wrong = [name for name, value in floats.items()
             if not math.isfinite(value) and not name.startswith('grad_norm')]
    if not wrong:
        return
    iteration = MessageHub.get_current_instance().runtime_info.get('iter', 0) + 1
    updates = ', '.join(
        f'{name} in {[f"{value:.4g}" for value in torch.stack(logs[name]).tolist()]}'
        if name in logs else name for name in wrong)
    finite = ', '.join(f'{name} {value:.4g}' for name, value in floats.items()
                       if name not in wrong)
    raise NonFiniteError(
        f'Iteration {iteration}: not finite: {updates}. The other terms: {finite}. The batch: '
        f'{", ".join(files)}. Resume from the last checkpoint with a smaller '
        'learning rate or with clip_grad in optim_wrapper, or look at these images.')


def check_preprocessor(preprocessor: nn.Module, in_channels: int) -> None:
    """Refuses a preprocessor of MMagic that makes anything but RGB in [-1, 1].

    Inference feeds the networks such images, and results, from a tanh, are read as such.

    Args:
        preprocessor (nn.Module): ``data_preprocessor`` of a model.
        in_channels (int): Channels of its images; only three have an order.

    Raises:
        ValueError: Naming the setting.
    """
    if not isinstance(preprocessor, DataPreprocessor):
        return
    for name in ('mean', 'std'):
        values = getattr(preprocessor, name, torch.zeros(1)).flatten().tolist()
        if set(values) != {127.5}:
            raise UserError(f'data_preprocessor.{name} must be 127.5, which brings 0..255 to '
                            f'[-1, 1], got {values}.')
    order = preprocessor.output_channel_order
    if in_channels == 3 and order != 'RGB':
        raise UserError(f"data_preprocessor.output_channel_order must be 'RGB', got {order!r}.")


def check_sides(optim_wrapper: Any, sides: List[str]) -> None:
    """Refuses optimiser wrappers that leave out a side of the training.

    Raises:
        ValueError: Naming the sides.
    """
    found = list(optim_wrapper.keys()) if isinstance(optim_wrapper, (dict, OptimWrapperDict)) else (
        f'one {type(optim_wrapper).__name__}')
    if missing := [side for side in sides if side not in found]:
        raise UserError(
            f'The training needs an optimiser wrapper for each of {sides} and has none for '
            f'{missing}: got {found}. Let AlternatingOptimWrapperConstructor build them from '
            'optim_wrapper, as configs/egscit/ does.')


def check_all_used(side: str, module: nn.Module) -> None:
    """Refuses a distributed module with weights that no loss depends on.

    Args:
        side (str): Its name in the model.
        module (nn.Module): The module after a backward pass, perhaps in a distributed wrapper.

    Raises:
        RuntimeError: Naming the first parameter without gradient.
    """
    if not isinstance(module, DistributedDataParallel) or module.find_unused_parameters:
        return
    unused = [name for name, parameter in module.module.named_parameters()
              if parameter.requires_grad and parameter.grad is None]
    if unused:
        raise RunError(
            f'No loss depends on {side}.{unused[0]} ({len(unused)} such parameters in all), for '
            'whose gradients the ranks would wait. Freeze it (requires_grad=False), use it, or set '
            'model_wrapper_cfg.find_unused_parameters=True, which costs time.')


def check_state(model: str, sides: Dict[str, Optional[nn.Module]], state_dict: dict,
                prefix: str) -> None:
    """Refuses a checkpoint of another model.

    MMEngine loads with strict=False: a checkpoint of the other stage or of another width would
    leave random weights behind a warning, and one of a model with more parts would translate
    without them.

    Raises:
        ValueError: Naming the first weight that is missing, has another shape or has no place.
    """
    for side, module in sides.items():
        own = {} if module is None else unwrapped(module).state_dict(prefix=f'{prefix}{side}.')
        if 'discriminator' in side and not own.keys() & state_dict.keys():
            continue  # a checkpoint made for inference comes without
        found = () if module is None else (
            name for name in state_dict if name.startswith(f'{prefix}{side}.')
            and '.mean_styles.' not in name)  # which are an extra
        if misfit := first_misfit(own, state_dict, [*own, *found]):
            fault = (f'it has {misfit[0]!r}, which this model lacks' if misfit[1] == 'nothing' else
                     f'{misfit[0]!r} should have the shape {misfit[1]}, found {misfit[2]}')
            raise UserError(
                f'The checkpoint is not one of this {model}: {fault}. Give a checkpoint of the '
                'same stage, architecture, domains and ema_config as the config.')
