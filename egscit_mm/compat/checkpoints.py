# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Checkpoints that load with ``weights_only=True``, and none that loads without."""
from __future__ import annotations

import contextlib
import functools
import io
import logging
import os
import os.path as osp
import pickle
import re
from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import Any

from ..utils.errors import MissingFileError, RunError
from .patching import once, rebind

# What torch.load(weights_only=True) accepts besides tensors and containers.
_PLAIN_TYPES = (bool, int, float, complex, str, bytes, type(None))


def store_plain_message_hub() -> None:
    """Store the message hub as tensors and numbers, and rebuild it on loading.

    Symptom (mmengine 0.10.7, torch >= 2.6): ``UnpicklingError: Weights only load failed ...
    GLOBAL getattr`` (or ``HistoryBuffer``, or ``numpy``) for ``--resume`` and ``load_from`` with
    every checkpoint of a training.

    ``MessageHub.state_dict`` gives each history as ``dict(log_history=Tensor,
    count_history=Tensor)``, NumPy values of the runtime information as numbers and lists, and
    leaves out, with a warning, what cannot be loaded safely. ``load_state_dict`` takes that and,
    as before, histories that are HistoryBuffers.
    """
    import torch
    from mmengine.logging import HistoryBuffer, MessageHub

    probe = MessageHub('egscit_mm_probe')
    probe.update_scalar('value', 1.)
    file = io.BytesIO()
    torch.save(probe.state_dict(), file)
    file.seek(0)
    try:
        torch.load(file, weights_only=True)
        return
    except pickle.UnpicklingError:
        pass

    released_state_dict = MessageHub.state_dict
    released_load_state_dict = MessageHub.load_state_dict

    @functools.wraps(released_state_dict)
    def state_dict(self):
        state = released_state_dict(self)
        info = _plain(state['runtime_info'])
        histories = {}
        for name, buffer in state['log_scalars'].items():
            log, count = buffer.data
            histories[name] = dict(
                log_history=torch.tensor(log), count_history=torch.tensor(count))
        left_out = state['runtime_info'].keys() - info.keys()
        return dict(
            log_scalars=histories,
            runtime_info=info,
            resumed_keys={k: v for k, v in state['resumed_keys'].items() if k not in left_out})

    @functools.wraps(released_load_state_dict)
    def load_state_dict(self, state_dict):
        if isinstance(state_dict, dict) and 'log_scalars' in state_dict:
            histories = {}
            for name, history in state_dict['log_scalars'].items():
                if isinstance(history, dict):
                    # Resuming maps every tensor of a checkpoint to the device of the model.
                    history = HistoryBuffer(*(history[key].cpu().numpy()
                                              for key in ('log_history', 'count_history')))
                histories[name] = history
            state_dict = {**state_dict, 'log_scalars': histories}
        released_load_state_dict(self, state_dict)

    MessageHub.state_dict = state_dict
    MessageHub.load_state_dict = load_state_dict


@once
def store_plain_checkpoints() -> None:
    """Keep NumPy values and functions out of the rest of a checkpoint.

    Symptom (mmengine 0.10.7, torch >= 2.6): as for :func:`store_plain_message_hub`, when the
    dataset's ``metainfo`` holds a NumPy array, a scheduler remembers a NumPy score
    (ReduceOnPlateauLR) or a function (OneCycleLR), or a learning rate is a NumPy number.
    """
    from mmengine.runner import checkpoint as module

    released = module.save_checkpoint

    @functools.wraps(released)
    def save_checkpoint(checkpoint, *args, **kwargs):
        parts = ('meta', 'optimizer', 'param_schedulers')
        plain = _plain({key: checkpoint[key] for key in parts if key in checkpoint})
        if plain:
            checkpoint = {**checkpoint, **plain}
        released(checkpoint, *args, **kwargs)

    rebind('mmengine', released, save_checkpoint)


def _plain(value: Any) -> Any:
    """Copy ``value`` into types that ``torch.load(weights_only=True)`` accepts.

    NumPy numbers become numbers and arrays nested lists; tensors are kept. A dictionary's entry
    that cannot be converted is left out with a warning.

    Raises:
        TypeError: ``value`` itself cannot be converted.
    """
    import numpy as np
    import torch

    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if type(value) in _PLAIN_TYPES or isinstance(value, (torch.Tensor, torch.dtype, torch.device)):
        return value
    if isinstance(value, dict):
        # MultiStepLR's milestones are a Counter; ConfigDict and defaultdict would be refused.
        plain = type(value)() if type(value) in (OrderedDict, Counter) else {}
        for key, entry in value.items():
            try:
                plain[_plain(key)] = _plain(entry)
            except TypeError as error:
                from mmengine.logging import print_log
                print_log(f'{key!r} is left out of the checkpoint: {error}', logger='current',
                          level=logging.WARNING)
        return plain
    for container in (list, tuple, set):
        if isinstance(value, container):
            return container(_plain(entry) for entry in value)
    raise TypeError(f'it holds a {type(value).__module__}.{type(value).__qualname__}, which a '
                    'checkpoint that is safe to load cannot hold')


@once
def load_checkpoints_safely() -> None:
    """Load every checkpoint with ``weights_only=True``, and say what to do when that fails.

    Symptoms (mmengine 0.10.7): before torch 2.6, and for http(s) files with every torch, a
    checkpoint may run code when it is loaded. With torch >= 2.6 a checkpoint of plain mmengine
    gives an error that names no file and recommends to switch the protection off, and a file that
    was cut off gives ``OSError: [Errno 22] Invalid argument``. onedl-mmengine 0.10.12 loads what
    was refused once more with ``weights_only=False``, so that a malicious file runs its code, and
    before that lets files call ``getattr``.

    Raises (the loading functions of mmengine, from now on):
        RuntimeError: Names the file, why it cannot be loaded and how to go on; also if it holds no
            state dict, which mmengine would notice by an error that names no file.
    """
    from mmengine.runner import checkpoint as module
    from mmengine.runner.checkpoint import CheckpointLoader

    released = CheckpointLoader.load_checkpoint.__func__

    @functools.wraps(released)
    def load_checkpoint(cls, filename, map_location=None, logger='current'):
        with explaining_load_errors(filename), weights_only_loading():
            checkpoint = released(cls, filename, map_location, logger)
        state = checkpoint.get('state_dict', checkpoint) if isinstance(checkpoint, dict) else (
            checkpoint)
        if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
            raise RunError(f'{filename} holds no state dict with names of weights, but a '
                           f'{type(state).__name__}: give a checkpoint of a training.')
        return checkpoint

    CheckpointLoader.load_checkpoint = classmethod(load_checkpoint)
    if hasattr(module, 'get_torch_safe_globals'):  # onedl-mmengine's
        module.get_torch_safe_globals = list


@contextlib.contextmanager
def explaining_load_errors(filename: str) -> Iterator[None]:
    """Make the errors of loading a file say which file it is, and what to do.

    Raises:
        RuntimeError: Names the file, why it cannot be loaded and how to go on.
    """
    try:
        yield
    except FileNotFoundError as error:
        if error.filename is not None:
            raise
        raise MissingFileError(str(error)) from error  # mmengine names the file in the text only
    except (PermissionError, MemoryError):
        raise
    except Exception as error:
        message = _explain_load_error(filename, error)
        if message is None:
            raise
        # PyTorch's own text, which the message replaces, recommends unsafe loading.
        raise RunError(message) from None


@contextlib.contextmanager
def weights_only_loading() -> Iterator[None]:
    """Force ``weights_only=True`` on every torch.load in the block.

    PyTorch's own switch reaches all of mmengine's loaders: the one for http(s) passes through
    ``torch.hub``, which asks for unsafe loading by default, also in torch 2.13.
    """
    force, force_not = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'
    before = {name: os.environ.pop(name) for name in (force, force_not) if name in os.environ}
    os.environ[force] = '1'
    try:
        yield
    finally:
        del os.environ[force]
        os.environ.update(before)


def _explain_load_error(filename: str, error: Exception) -> str | None:
    refused = re.search(r'GLOBAL (\S+)', str(error))
    if refused is not None:
        return (f"{filename} holds the Python object '{refused[1]}', which is not loaded, because "
                'loading such objects can run any code. If you trust the file: load it as `ck` in '
                'the environment that wrote it and save the weights alone, '
                "torch.save({'state_dict': ck['state_dict']}, 'weights.pth'); "
                'then use weights.pth instead.')
    if not osp.isfile(osp.expanduser(filename)) or 'CUDA' in str(error):
        return None
    with open(osp.expanduser(filename), 'rb') as file:
        is_safetensors = file.read(9)[8:] == b'{'  # after the length of its header
    if is_safetensors and not filename.endswith('.safetensors'):
        return f'{filename} looks like safetensors: its name must end with .safetensors.'
    detail = type(error).__name__
    if not isinstance(error, pickle.UnpicklingError) and 'weights_only' not in str(error):
        detail += ': ' + str(error).partition('\n')[0]
    return (f'{filename} ({osp.getsize(osp.expanduser(filename))} bytes) cannot be read as a '
            f'checkpoint ({detail}). It is cut off, damaged, or was not written by torch.save: '
            'use an earlier checkpoint, or copy the file again.')
