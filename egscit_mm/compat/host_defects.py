# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Defects of MMagic, MMEngine, MMCV and torchvision: one cure a function, its symptom first."""
from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import re
import sys
import types
import warnings
from collections.abc import Callable

from ..utils.errors import RunError
from .patching import once, rebind

# HistoryBuffer.update copies the whole history, per scalar and iteration: measured 7 us at 10,000
# entries, 59 us at 100,000, 820 us at mmengine's 1,000,000 (16 MB of every checkpoint per scalar).
# mmengine's default log window is 10 iterations.
HISTORY_LENGTH = 10_000
NUM_TEXTS = 8  # of configs that are remembered: two stages, in all that a process makes of them

_TORCHVISION_OPERATORS = {
    name: f'{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor'
    for name in ('nms', 'qnms')
}

# Operators vanish together with the Library object that defined them.
_torchvision_library = None


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
        raise RunError(
            f'{name} of mmcv.ops is compiled code, which mmcv-lite does not have (EGSC-IT needs '
            'none). For other models install the full package: pip uninstall -y mmcv-lite && '
            'pip install "setuptools<81" ninja && pip install --no-build-isolation mmcv==2.1.0')

    return missing


def import_mmagic_beside_newer_mmcv() -> None:
    """Import ``mmagic`` (not its parts) beside an MMCV that is newer than MMagic allows.

    Symptom (onedl-mmcv 2.3): ``AssertionError: mmcv==2.3.6 is used but incompatible`` at ``import
    mmagic``. check_versions has allowed that MMCV; the others are refused there.
    """
    import mmcv
    try:
        import mmagic  # noqa: F401
        return
    except AssertionError:
        found = mmcv.__version__
    mmcv.__version__ = '2.1.0'  # what MMagic looks at
    try:
        import mmagic  # noqa: F401
    finally:
        mmcv.__version__ = found


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

    rebind('mmagic', released, generation_init_weights)


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


@once
def format_configs_once() -> None:
    """Format the text of a config once, not for the log, the file and every checkpoint.

    Symptom (mmengine 0.10): yapf works for 0.1 s before each checkpoint of an EGSC-IT config, and
    time and again at the start of a training; a tiny one of both stages formats 16 times.

    The last texts are remembered; what is formatted and how stays as released.
    """
    from mmengine.config import config
    from yapf.yapflib import yapf_api

    released, formatted = yapf_api.FormatCode, {}

    @functools.wraps(released)
    def format_code(text, **options):
        key = text, repr(options)
        if key not in formatted:
            result = released(text, **options)
            if len(formatted) == NUM_TEXTS:
                formatted.pop(next(iter(formatted)))
            formatted[key] = result
        return formatted[key]

    # onedl-mmengine looks it up in yapf.
    for module in (config, yapf_api):
        if hasattr(module, 'FormatCode'):
            module.FormatCode = format_code


def cyclegan_by_size() -> None:
    """Let MMagic's CycleGAN translate test images of other sizes on their own.

    Symptom: DataPreprocessor pads the smaller images of a batch with black, so that the figures
    depend on the batch size, or raises ``ValueError: All fields of a data sample should share the
    same padding size``.
    """
    from mmagic.models import CycleGAN

    from ..utils.image_sizes import by_size
    for name in ('test_step', 'val_step'):
        step = getattr(CycleGAN, name)
        if not hasattr(step, '__wrapped__'):
            setattr(CycleGAN, name, by_size(step))
