# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Arguments of the constructors that a config names: which there are, and of which types."""
import collections.abc
import functools
import inspect
import numbers
import os
import re
import types
import typing
from typing import Any, Callable, Union

from mmengine.dist import init_dist
from mmengine.hooks import CheckpointHook
from mmengine.model import MMDistributedDataParallel, MMSeparateDistributedDataParallel
from mmengine.runner import Runner
from torch.distributed import init_process_group
from torch.nn.parallel import DistributedDataParallel

OWN_PACKAGE = __name__.split('.')[0]
# Packages whose annotations hold; many of MMagic's and MMCV's do not.
_WELL_ANNOTATED = (OWN_PACKAGE, 'mmengine', 'torch')
# What functions of MMEngine call with their **kwargs, some of them late.
_CALLS = {
    CheckpointHook.__init__: Runner.save_checkpoint,
    MMDistributedDataParallel.__init__: DistributedDataParallel,
    MMSeparateDistributedDataParallel.__init__: DistributedDataParallel,
    init_dist: init_process_group,
}


def package_of(function: Callable) -> str:
    """The package that a function or class comes from."""
    return (getattr(function, '__module__', None) or '').split('.')[0]


def arguments_of(constructor: Callable) -> tuple[dict, bool]:
    """Default and annotation of all arguments by name, and whether there may be others.

    Args:
        constructor (Callable): A function, or a class, whose bases are followed as far as its
            ``**kwargs`` reach them.
    """
    is_class = inspect.isclass(constructor)
    steps = [vars(cls)['__init__'] for cls in constructor.__mro__
             if '__init__' in vars(cls)] if is_class else [constructor]
    arguments = {}
    for step in steps:
        try:
            parameters, hints = _signature(step)
        except (TypeError, ValueError):  # written in C
            return arguments, True
        for name, parameter in [*parameters.items()][is_class:]:
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                arguments.setdefault(name, (parameter.default, hints.get(name)))
        if all(parameter.kind != parameter.VAR_KEYWORD for parameter in parameters.values()):
            return arguments, False
        if step in _CALLS:
            called = inspect.signature(_CALLS[step]).parameters.values()
            others = {parameter.name: (parameter.default, None) for parameter in called
                      if parameter.default is not parameter.empty}
            return {**others, **arguments}, False
        # This package's classes hand **kwargs on to their base; what others do is not known.
        if package_of(step) != OWN_PACKAGE:
            return arguments, True
    return arguments, True


@functools.cache
def _signature(function: Callable) -> tuple[dict, dict]:
    """Parameters, and those of the annotations that can be relied on, by name."""
    try:
        # DataLoader's are imported for type checkers only.
        hints = typing.get_type_hints(function, localns=vars(collections.abc))
    except (NameError, TypeError):
        hints = {}
    numeric = (int, float)  # defaults that stand for an annotation
    if package_of(function) not in _WELL_ANNOTATED:
        numeric = (float, )
        hints = {name: hint for name, hint in hints.items() if hint in (bool, str)}
    hints.pop('init_cfg', None)  # MMEngine takes lists of them, too
    parameters = dict(inspect.signature(function).parameters)
    for name, parameter in parameters.items():
        if parameter.annotation is parameter.empty and type(parameter.default) in numeric:
            hints[name] = float
    return parameters, hints


def text_of(hint: Any) -> str:
    """A type as a user may read it."""
    return hint.__name__ if inspect.isclass(hint) and not typing.get_args(hint) else re.sub(
        r'\b(typing|collections\.abc)\.', '', str(hint))


def fits(value: Any, hint: Any) -> bool:
    """Whether a value may stand where a type is expected; True where that cannot be said.

    As configs are written: lists for tuples, integers for floats, 1e4 for an integer, 0 and 1 for
    bools, paths for strings, dictionaries for what is built from them.

    Examples:
        >>> fits([0.5, 1], tuple[float, float]), fits('many', int)
        (True, False)
    """
    kind, inner = typing.get_origin(hint) or hint, typing.get_args(hint)
    if kind in (Union, types.UnionType):
        return any(fits(value, option) for option in inner)
    if kind is typing.Literal:
        return value in inner
    if not inspect.isclass(kind) or kind is object:
        return True  # none, Any, a type variable, a forward reference
    if kind is bool:
        return value in (False, True)
    if kind in (int, float):
        return isinstance(value, numbers.Real) and (kind is float or value == value // 1)
    if kind is str:
        return isinstance(value, (str, os.PathLike))
    if kind is collections.abc.Callable:
        return callable(value) or isinstance(value, dict)
    if issubclass(kind, collections.abc.Mapping):
        return isinstance(value, collections.abc.Mapping) and all(
            fits(entry, inner[1]) for entry in value.values() if inner and entry is not None)
    if issubclass(kind, collections.abc.Collection):
        if not isinstance(value, (list, tuple)) or not inner:
            is_text = isinstance(value, str) and str in inner and kind not in (list, tuple)
            return is_text or not isinstance(value, (str, dict, numbers.Number, type(None)))
        if kind is tuple and Ellipsis not in inner:
            return len(value) == len(inner) and all(map(fits, value, inner))
        return all(fits(entry, inner[0]) for entry in value)
    return isinstance(value, (dict, kind))
