# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""All knowledge about the versions of the host libraries (MMagic, MMEngine, MMCV, PyTorch).

MMagic 1.2.0 is the last release and is no longer maintained, while the libraries below it moved
on. Every function here cures one incompatibility. Its docstring starts with the symptom; it looks
for the symptom itself rather than for version numbers where that is possible, does nothing where
there is nothing to cure, and may be called again.

:func:`apply` has to run before anything of MMagic is imported, :func:`apply_after_import` after
``mmagic.models`` has been imported. ``import egscit_mm`` does both. This module imports nothing
but the standard library until one of its functions is called.
"""
from __future__ import annotations

import contextlib
import functools
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import io
import logging
import os
import os.path as osp
import pickle
import re
import sys
import types
import warnings
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Distributions that hold the same module as the one that the requirements name.
_ALTERNATIVES = {
    'mmcv-lite': ('mmcv', ),
    'opencv-python': ('opencv-python-headless', 'opencv-contrib-python',
                      'opencv-contrib-python-headless'),
}

# HistoryBuffer.update copies the whole history, per scalar and iteration: measured 7 us at 10,000
# entries, 59 us at 100,000, 820 us at mmengine's 1,000,000 (16 MB of every checkpoint per scalar).
# mmengine's default log window is 10 iterations.
HISTORY_LENGTH = 10_000

# What torch.load(weights_only=True) accepts besides tensors and containers.
_PLAIN_TYPES = (bool, int, float, complex, str, bytes, type(None))

_TORCHVISION_OPERATORS = {
    name: f'{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor'
    for name in ('nms', 'qnms')
}
# functools.cache came with the Python version that check_versions has to be able to ask for.
_once = functools.lru_cache(maxsize=None)  # noqa: UP033

# Operators vanish together with the Library object that defined them.
_torchvision_library = None


# ------------------------------------------------------------------------------------ versions
def check_versions() -> None:
    """Compare the installed distributions with the package's requirements, importing none of them.

    The ranges are those of ``requirements/host.txt`` and ``requirements/runtime.txt``. Warns when
    both mmcv and mmcv-lite are installed: they overwrite each other's files.

    Raises:
        ImportError: One line per missing or unfit package, with the version found, the range
            wanted and the command to type.
    """
    problems = []
    if sys.version_info < (3, 10):  # noqa: UP036
        problems.append(f'Python {sys.version.split()[0]} is running, egscit_mm needs '
                        'Python>=3.10: create an environment with a newer one')
    for name, wanted in _requirements():
        names = (name, *_ALTERNATIVES.get(name, ()))
        command = f'pip install "{name}{wanted}"'
        found = {name: version for name in names if (version := _installed_version(name))}
        if not found:
            in_range = f' ({wanted})' if wanted else ''
            problems.append(f'{" or ".join(names)}{in_range} is not installed: {command}')
        for other, version in found.items():
            if not _in_range(version, wanted):
                # Another distribution of the same module would stay beside the new one.
                remove = '' if other == name else f'pip uninstall -y {other} && '
                problems.append(f'{other} {version} is installed, egscit_mm needs {other}{wanted}: '
                                f'{remove}{command}')
        if {'mmcv', 'mmcv-lite'} <= found.keys():
            both = ' and '.join(f'{name} {version}' for name, version in found.items())
            warnings.warn(
                f'{both} are both installed and overwrite each other: '
                f'pip uninstall -y {" ".join(found)}, then install one of them', stacklevel=2)
    if problems:
        raise ImportError('egscit_mm cannot work with the installed packages.\n' +
                          '\n'.join(problems))


def _requirements() -> Iterator[tuple[str, str]]:
    """Name and range (``>=2.0,<2.2`` or empty) of every package that the import needs.

    A wheel carries the files in .mim. A mere copy of the package's folder has none: nothing is
    checked there.
    """
    package = Path(__file__).parent
    for folder in (package / '.mim' / 'requirements', package.parent / 'requirements'):
        if folder.is_dir():
            for file in ('host.txt', 'runtime.txt'):
                for line in (folder / file).read_text().splitlines():
                    if line and not line.startswith('#'):
                        yield re.match(r'([\w.-]+)(.*)', line).groups()
            return


def _installed_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _in_range(version: str, wanted: str) -> bool:
    """Compare release numbers, needing no package that could itself be missing.

    A pre-release counts as its release.
    """

    def release(text):
        numbers = [int(number) for number in re.match(r'[\d.]+', text)[0].strip('.').split('.')]
        while numbers and numbers[-1] == 0:  # 2.0 is 2.0.0
            numbers.pop()
        return numbers

    found = release(version)
    return all(found >= release(bound) if sign == '>=' else found < release(bound)
               for sign, bound in re.findall(r'(>=|<)([\d.]+)', wanted))


# -------------------------------------------------------------------------------------- entries
def apply() -> None:
    """Apply everything that must be in place before MMagic is imported. Idempotent."""
    restore_numpy_bool8()
    define_torchvision_operators()
    provide_mmcv_ext()
    provide_controlnet_aux()
    name_our_inferencer()
    cap_history_buffers()
    store_plain_message_hub()
    store_plain_checkpoints()
    load_checkpoints_safely()
    write_files_atomically()
    ignore_device_ids_on_cpu()
    store_plain_parameter_names()


def apply_after_import() -> None:
    """Apply what needs ``mmagic.models``, which this imports. Call after :func:`apply`."""
    fix_generation_init_weights()
    cyclegan_by_size()


# ----------------------------------------------------------------------------- imports of MMagic
def restore_numpy_bool8() -> None:
    """Give NumPy 2 the alias ``numpy.bool8`` back.

    Symptom (numpy >= 2.0, mmagic 1.2.0): ``AttributeError: module 'numpy' has no attribute
    'bool8'`` in mmagic/utils/trans_utils.py, at ``import mmagic.models``.
    """
    import numpy as np
    with warnings.catch_warnings():
        # NumPy 1.24 to 1.26 has the alias and warns when it is looked at.
        warnings.simplefilter('ignore', DeprecationWarning)
        if hasattr(np, 'bool8'):
            return
    np.bool8 = np.bool_


def define_torchvision_operators() -> None:
    """Make torchvision's CUDA wheel importable under a CPU-only PyTorch.

    Symptom (torch +cpu with torchvision from PyPI): ``RuntimeError: operator torchvision::nms
    does not exist`` at ``import torchvision``, then the same for ``qnms``. Its compiled extension
    needs CUDA libraries, is skipped silently, and the operators it would have defined are missed.

    The operators are declared without an implementation, which is enough for models, transforms
    and utils; calling one still raises torchvision's own "Couldn't load custom C++ ops". Under a
    PyTorch with CUDA the error means a broken installation and is left alone.
    """
    import torch

    global _torchvision_library
    try:
        import torchvision  # noqa: F401
        return
    except RuntimeError as error:
        missing = re.search(r'operator torchvision::(\w+) does not exist', str(error))
        if (torch.version.cuda is not None or missing is None
                or missing[1] not in _TORCHVISION_OPERATORS):
            raise
    # The failed import leaves submodules behind that the next try would mix up with its own.
    for name in [name for name in sys.modules if name.split('.')[0] == 'torchvision']:
        del sys.modules[name]
    # All at once: torch 2.6 takes what torchvision says of an operator once only, so that there is
    # no third try.
    _torchvision_library = torch.library.Library('torchvision', 'FRAGMENT')
    for name, schema in _TORCHVISION_OPERATORS.items():
        if not hasattr(torch.ops.torchvision, name):
            _torchvision_library.define(schema)
    import torchvision  # noqa: F401


def provide_mmcv_ext() -> None:
    """Make ``mmcv.ops`` importable with mmcv-lite.

    Symptom (mmcv-lite 2.x): ``ModuleNotFoundError: No module named 'mmcv._ext'`` at ``import
    mmagic.models``, whose StyleGAN, TDAN, EDVR and BasicVSR++ import ``mmcv.ops``.

    mmcv-lite holds the Python part of ``mmcv.ops``, so only the compiled module is replaced:
    classes, registry entries and operations in plain PyTorch are the real ones, and a compiled
    function raises when it is called. mmengine and mmcv still see that there is no full mmcv
    (their test asks for the module's loader, which is None).
    """
    if importlib.util.find_spec('mmcv._ext') is not None:
        return
    extension = types.ModuleType('mmcv._ext', 'Stands in for the compiled part of mmcv.')
    extension.__spec__ = importlib.machinery.ModuleSpec('mmcv._ext', loader=None)
    extension.__getattr__ = _missing_mmcv_function
    # mmcv's environment report calls these two without a guard.
    extension.get_compiler_version = extension.get_compiling_cuda_version = lambda: 'n/a'
    sys.modules['mmcv._ext'] = extension


def _missing_mmcv_function(name: str) -> Callable:
    if name.startswith('__'):
        raise AttributeError(name)

    def missing(*args, **kwargs):
        raise RuntimeError(
            f'{name} of mmcv.ops is compiled code, which mmcv-lite does not have (EGSC-IT needs '
            'none). For other models install the full package: pip uninstall -y mmcv-lite && '
            'pip install "setuptools<81" ninja && pip install --no-build-isolation mmcv==2.1.0')

    return missing


def provide_controlnet_aux() -> None:
    """Let ``mmagic.apis`` be imported where ``controlnet_aux`` cannot be.

    Symptom (controlnet-aux 0.0.10 with mediapipe 1.2.2): ``AttributeError: module 'mediapipe' has
    no attribute 'solutions'`` at ``import mmagic.apis``. mediapipe < 0.10.20, which has it, wants
    numpy < 2.

    Registers an importer for this one name, which runs when (and if) it is imported. Whatever the
    package defined before it failed (MMagic's HEDdetector is among that) works; any other name
    raises when used. A package that imports is left alone.
    """
    if not any(isinstance(finder, _ControlnetAuxFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _ControlnetAuxFinder())


class _ControlnetAuxFinder(importlib.abc.MetaPathFinder):

    def find_spec(self, name, path=None, target=None):
        if name != 'controlnet_aux':
            return None
        spec = importlib.machinery.PathFinder.find_spec(name)
        if spec is None:
            spec = importlib.machinery.ModuleSpec(name, loader=None)
        spec.loader = _ControlnetAuxLoader(spec.loader)
        return spec


class _ControlnetAuxLoader(importlib.abc.Loader):
    """Run the package's own loader, and keep what it had defined when it failed."""

    def __init__(self, loader: importlib.abc.Loader | None) -> None:
        self.loader = loader

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        # pkgutil and importlib.resources look for the package's files through its own loader.
        module.__spec__.loader = module.__loader__ = self.loader
        try:
            if self.loader is None:
                raise ModuleNotFoundError("No module named 'controlnet_aux'")
            self.loader.exec_module(module)
        except Exception as error:
            reason = f'{type(error).__name__}: {error}'
            module.__getattr__ = functools.partial(_ControlnetAuxPlaceholder.of, reason)


class _ControlnetAuxPlaceholder:
    """Stands in for a detector; any use raises."""

    def __init__(self, message: str) -> None:
        self._message = message

    @classmethod
    def of(cls, reason: str, name: str) -> _ControlnetAuxPlaceholder:
        """The placeholder of the attribute ``name`` (``__getattr__`` of the module)."""
        if name.startswith('__'):
            raise AttributeError(name)
        return cls(f'{name} of controlnet_aux cannot be used, because importing the package failed '
                   f'({reason}). It needs "mediapipe<0.10.20" and "numpy<2" beside it.')

    def __call__(self, *args, **kwargs):
        raise RuntimeError(self._message)

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        raise RuntimeError(self._message)


def name_our_inferencer() -> None:
    """Let ``MMagicInferencer`` say that our models have an inferencer of their own.

    Symptom: ``ValueError: Model egscit is not supported.`` with this name, ``Unknown inferencer
    task: None`` without one, for its list of models is fixed.

    Registers an importer for its module, which imports it as ever and then changes these errors.
    """
    if not any(isinstance(finder, _MMagicInferencerFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _MMagicInferencerFinder())


class _MMagicInferencerFinder(importlib.abc.MetaPathFinder):

    def find_spec(self, name, path=None, target=None):
        if name != 'mmagic.apis.mmagic_inferencer':
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            module.MMagicInferencer.__init__ = _naming_our_inferencer(
                module.MMagicInferencer.__init__)

        spec.loader.exec_module = exec_module
        return spec


def _naming_our_inferencer(init: Callable) -> Callable:

    @functools.wraps(init)
    def wrapper(*args, **kwargs):
        try:
            init(*args, **kwargs)
        except ValueError as error:
            if not re.search('is not supported|Unknown inferencer task', str(error)):
                raise
            raise ValueError(f'{error} (models of egscit_mm translate after exemplars: use '
                             'egscit_mm.apis.EGSCITInferencer)') from error

    return wrapper


def fix_generation_init_weights() -> None:
    """Let MMagic initialise models that hold more than convolutions and batch norms.

    Symptom (mmagic 1.2.0): ``UnboundLocalError: cannot access local variable 'init_info'`` in
    ``generation_init_weights`` at the start of training CycleGAN and Pix2Pix, for every module
    that takes part in mmengine's record of initialisations and is neither a convolution nor
    linear nor a batch norm: here the generator and the discriminator themselves.

    The released function is called for each layer that it has a rule for, and for no other. It
    was imported by name into several modules, so this one runs after ``mmagic.models``.
    """
    from mmagic.models.utils import model_utils
    from torch import nn

    released = model_utils.generation_init_weights
    probe = nn.ReLU()
    probe._params_init_info = {}
    try:
        released(probe)
        return
    except UnboundLocalError:
        pass

    @functools.wraps(released)
    def generation_init_weights(module, init_type='normal', init_gain=0.02):
        for layer in module.modules():
            name = type(layer).__name__
            if 'BatchNorm2d' in name or (hasattr(layer, 'weight') and
                                         ('Conv' in name or 'Linear' in name)):
                if hasattr(module, '_params_init_info'):
                    # MMagic hands the record to the model only; without it the log would say
                    # of every layer that it was not initialised.
                    layer._params_init_info = module._params_init_info
                released(layer, init_type, init_gain)

    _rebind('mmagic', released, generation_init_weights)


def cyclegan_by_size() -> None:
    """Let MMagic's CycleGAN translate test images of other sizes on their own.

    Symptom: DataPreprocessor pads the smaller images of a batch with black, so that the figures
    depend on the batch size, or raises ``ValueError: All fields of a data sample should share the
    same padding size``.
    """
    from mmagic.models import CycleGAN

    from .image_sizes import by_size
    for name in ('test_step', 'val_step'):
        step = getattr(CycleGAN, name)
        if not hasattr(step, '__wrapped__'):
            setattr(CycleGAN, name, by_size(step))


def _rebind(package: str, old: Any, new: Any) -> None:
    """Replace ``old`` in every imported module of ``package`` that holds it under some name."""
    for module_name, module in list(sys.modules.items()):
        if module_name.split('.')[0] == package:
            for name, value in list(vars(module).items()):
                if value is old:
                    setattr(module, name, new)


# -------------------------------------------------------------------------- logs and checkpoints
def cap_history_buffers() -> None:
    """Keep the last 10,000 values of a logged scalar by default, not the last 1,000,000.

    Symptom (mmengine 0.10): training slows down with every iteration, and checkpoints grow,
    since ``HistoryBuffer.update`` copies the whole history for every scalar.

    The log processor's windows of up to 10,000 iterations are exact; ``'epoch'`` and ``'global'``
    windows of longer runs cover the last 10,000. An explicit ``max_length`` is respected.
    """
    from mmengine.logging import HistoryBuffer
    *defaults, length = HistoryBuffer.__init__.__defaults__
    HistoryBuffer.__init__.__defaults__ = (*defaults, min(length, HISTORY_LENGTH))


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


@_once
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

    _rebind('mmengine', released, save_checkpoint)


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


@_once
def load_checkpoints_safely() -> None:
    """Load every checkpoint with ``weights_only=True``, and say what to do when that fails.

    Symptoms (mmengine 0.10.7): before torch 2.6, and for http(s) files with every torch, a
    checkpoint may run code when it is loaded. With torch >= 2.6 a checkpoint of plain mmengine
    gives an error that names no file and recommends to switch the protection off, and a file that
    was cut off gives ``OSError: [Errno 22] Invalid argument``.

    Raises (the loading functions of mmengine, from now on):
        RuntimeError: Names the file, why it cannot be loaded and how to go on; also if it holds no
            state dict, which mmengine would notice by an error that names no file.
    """
    from mmengine.runner.checkpoint import CheckpointLoader

    released = CheckpointLoader.load_checkpoint.__func__

    @functools.wraps(released)
    def load_checkpoint(cls, filename, map_location=None, logger='current'):
        with explaining_load_errors(filename), weights_only_loading():
            checkpoint = released(cls, filename, map_location, logger)
        state = checkpoint.get('state_dict', checkpoint) if isinstance(checkpoint, dict) else (
            checkpoint)
        if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
            raise RuntimeError(f'{filename} holds no state dict with names of weights, but a '
                               f'{type(state).__name__}: give a checkpoint of a training.')
        return checkpoint

    CheckpointLoader.load_checkpoint = classmethod(load_checkpoint)


@contextlib.contextmanager
def explaining_load_errors(filename: str) -> Iterator[None]:
    """Make the errors of loading a file say which file it is, and what to do.

    Args:
        filename: What is loaded inside.

    Raises:
        RuntimeError: Names the file, why it cannot be loaded and how to go on.
    """
    try:
        yield
    except (FileNotFoundError, PermissionError, MemoryError):
        raise
    except Exception as error:
        message = _explain_load_error(filename, error)
        if message is None:
            raise
        # PyTorch's own text, which the message replaces, recommends unsafe loading.
        raise RuntimeError(message) from None


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
    detail = type(error).__name__
    if not isinstance(error, pickle.UnpicklingError) and 'weights_only' not in str(error):
        detail += ': ' + str(error).partition('\n')[0]
    return (f'{filename} ({osp.getsize(osp.expanduser(filename))} bytes) cannot be read as a '
            f'checkpoint ({detail}). It is cut off, damaged, or was not written by torch.save: '
            'use an earlier checkpoint, or copy the file again.')


@_once
def write_files_atomically() -> None:
    """Write checkpoints (and all else that goes through mmengine's LocalBackend) all or nothing.

    Symptom (mmengine 0.10.7): a training that is killed, or whose disk is full, while it saves
    leaves a cut off ``iter_N.pth``, over a good file of that name too.

    The file is written beside its place as ``NAME.PID.tmp``, flushed to the disk and renamed; on
    an error the temporary file is removed. Devices and pipes are written to as before.
    """
    from mmengine.fileio import LocalBackend

    for name in ('put', 'put_text'):
        setattr(LocalBackend, name, _atomic(getattr(LocalBackend, name)))


def _atomic(write: Callable) -> Callable:

    @functools.wraps(write)
    def write_atomically(self, obj, filepath, *args, **kwargs):
        path = osp.realpath(filepath)  # a link stays, the file that it points to is replaced
        if osp.exists(path) and not osp.isfile(path):
            return write(self, obj, filepath, *args, **kwargs)
        temporary = f'{path}.{os.getpid()}.tmp'
        try:
            write(self, obj, temporary, *args, **kwargs)
            with open(temporary, 'rb+') as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException as error:  # Ctrl-C as well
            with contextlib.suppress(FileNotFoundError):
                os.remove(temporary)
            if isinstance(error, OSError) and error.errno is not None:
                error.filename = filepath  # a full disk names none
            raise

    return write_atomically


# ------------------------------------------------------------------------- distributed on the CPU
def init_cpu_distributed(launcher: str) -> None:
    """Initialise gloo from torchrun's environment where there is no accelerator.

    Symptom (mmengine 0.10.7): ``AttributeError: module 'torch._C' has no attribute
    '_cuda_setDevice'``, since ``Runner`` with a launcher calls ``torch.cuda.set_device`` on a
    CPU-only PyTorch too. It skips that when the process group exists, so tools call this before
    they build the runner. Does nothing for launcher 'none', with an accelerator, or when called
    again.

    Args:
        launcher: 'none', 'pytorch', 'slurm' or 'mpi', as given to ``--launcher``.

    Raises:
        ValueError: ``launcher`` is one that works with accelerators only.
        RuntimeError: The process was not started by torchrun.
    """
    import torch.distributed as dist
    from mmengine.device import get_device

    if launcher == 'none' or get_device() != 'cpu' or dist.is_initialized():
        return
    if launcher != 'pytorch':
        raise ValueError(f'--launcher {launcher} needs an accelerator and PyTorch finds none: on '
                         'the CPU start with torchrun and --launcher pytorch')
    missing = [
        name for name in ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT')
        if name not in os.environ
    ]
    if missing:
        raise RuntimeError('--launcher pytorch needs the environment of torchrun, which lacks '
                           f'{", ".join(missing)}: start with torchrun --nproc_per_node N ..., or '
                           'leave --launcher away to run one process')
    dist.init_process_group('gloo')


@_once
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


@_once
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
