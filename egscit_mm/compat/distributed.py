# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Distributed training on a CPU, and its checkpoints."""
from __future__ import annotations

import functools
import os

from ..utils.errors import RunError, UserError
from .patching import once


def init_cpu_distributed(launcher: str) -> None:
    """Initialise gloo from torchrun's environment where there is no accelerator.

    Symptom (mmengine 0.10.7): ``AttributeError: module 'torch._C' has no attribute
    '_cuda_setDevice'``, since ``Runner`` with a launcher calls ``torch.cuda.set_device`` on a
    CPU-only PyTorch too. It skips that when the process group exists, so tools call this before
    they build the runner. Does nothing for launcher 'none', with an accelerator, or when called
    again.

    Raises:
        ValueError: ``launcher`` is one that works with accelerators only.
        RuntimeError: The process was not started by torchrun.
    """
    import torch.distributed as dist
    from mmengine.device import get_device

    if launcher == 'none' or get_device() != 'cpu' or dist.is_initialized():
        return
    if launcher != 'pytorch':
        raise UserError(f'--launcher {launcher} needs an accelerator and PyTorch finds none: on '
                        'the CPU start with torchrun and --launcher pytorch')
    missing = [
        name for name in ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT')
        if name not in os.environ
    ]
    if missing:
        raise RunError('--launcher pytorch needs the environment of torchrun, which lacks '
                       f'{", ".join(missing)}: start with torchrun --nproc_per_node N ..., or '
                       'leave --launcher away to run one process')
    dist.init_process_group('gloo')


@once
def ignore_device_ids_on_cpu() -> None:
    """Let mmengine wrap a model on the CPU for distributed training.

    Symptom (mmengine 0.10.7, after gloo was initialised): ``ValueError: DistributedDataParallel
    device_ids and output_device arguments only work with single-device/multiple-device GPU
    modules``. Runner passes ``device_ids=[LOCAL_RANK]`` wherever the model is.
    """
    from mmengine.model import MMDistributedDataParallel

    released = MMDistributedDataParallel.__init__

    @functools.wraps(released)
    def init(self, module, *args, **kwargs):
        if all(parameter.device.type == 'cpu' for parameter in module.parameters()):
            kwargs.pop('device_ids', None)
        released(self, module, *args, **kwargs)

    MMDistributedDataParallel.__init__ = init


@once
def store_plain_parameter_names() -> None:
    """Store the parameters of separately wrapped submodules under their own names.

    Symptom (mmengine 0.10.7): a checkpoint of a training under MMSeparateDistributedDataParallel
    names them ``generators.module.*``. mmengine's loader removes the wrapper from the model only:
    in one process and in several, on ``--resume`` too, it reports every key as unexpected in a
    warning, and goes on with random weights.

    The names are ``generators.*`` from now on, as without wrappers. ``load_state_dict`` of PyTorch
    itself takes them too (mmengine's EMAHook uses it). A wrapper around a whole model is as before.
    """
    from mmengine.model import MMDistributedDataParallel

    released_state_dict = MMDistributedDataParallel.state_dict
    released_load = MMDistributedDataParallel._load_from_state_dict

    @functools.wraps(released_state_dict)
    def state_dict(self, *args, prefix='', **kwargs):
        if prefix:  # a submodule
            return self.module.state_dict(*args, prefix=prefix, **kwargs)
        return released_state_dict(self, *args, **kwargs)

    @functools.wraps(released_load)
    def load(self, state_dict, prefix, *args):
        inner = f'{prefix}module.'
        if prefix and not any(key.startswith(inner) for key in state_dict):
            for key in [key for key in state_dict if key.startswith(prefix)]:
                state_dict[inner + key[len(prefix):]] = state_dict.pop(key)
        released_load(self, state_dict, prefix, *args)

    MMDistributedDataParallel.state_dict = state_dict
    MMDistributedDataParallel._load_from_state_dict = load
