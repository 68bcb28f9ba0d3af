# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Weights of a network: where they are read from, and whether they are its own."""
import contextlib
import os
from typing import Any, Dict, Iterable, Iterator, Optional, Tuple, Union

import torch
from torch import Tensor

from ...compat import explaining_load_errors, weights_only_loading
from ...utils.errors import MissingFileError, UserError


def features_state(arch: str, source: Union[str, os.PathLike], setting: str) -> Dict[str, Any]:
    """Weights of the ``features`` part of one of torchvision's networks.

    Args:
        arch (str): The network in torchvision, such as ``'vgg19'``.
        source (str | PathLike): ``'torchvision'`` for the ImageNet weights (downloaded by
            torchvision, or found in its cache), or the path of a state dict, the whole network's
            or that of its ``features``.
        setting (str): Where the user says so, for the error messages.

    Returns:
        dict: State dict with names such as ``'0.weight'``; those of other parts of the network are
        in it, too.

    Raises:
        FileNotFoundError: If the weights are not there and cannot be downloaded.
        RuntimeError: If the file cannot be read.
        ValueError: If it holds no dict.
    """
    if source == 'torchvision':
        from torchvision.models import get_model_weights
        weights = get_model_weights(arch).IMAGENET1K_V1
        with downloading(f"torchvision's weights of {arch}", weights.url, setting):
            state = weights.get_state_dict(progress=True, check_hash=True)
    else:
        state = file_state(
            source, f"the state dict of torchvision's {arch} or of its features", setting)
    return {str(key).removeprefix('features.'): value for key, value in state.items()}


def file_state(path: Union[str, os.PathLike], what: str, setting: str) -> Dict[str, Any]:
    """Read the weights of a network from a file.

    Args:
        path (str | PathLike): File that ``torch.save`` wrote; loaded with ``weights_only=True``.
        what (str): What the file should hold, for the error messages.
        setting (str): Where the user names the file, for the error messages.

    Returns:
        dict: The state dict, or what a checkpoint has under this name.

    Raises:
        FileNotFoundError: If there is no such file.
        RuntimeError: If it cannot be read.
        ValueError: If it holds no dict.
    """
    if not os.path.isfile(path):
        found = 'is a folder' if os.path.isdir(path) else 'does not exist'
        raise MissingFileError(f'{setting}={os.fspath(path)!r} {found}: it should be {what}.')
    with explaining_load_errors(path):
        state = torch.load(path, map_location='cpu', weights_only=True)
    if isinstance(state, dict):
        state = state.get('state_dict', state)
    if not isinstance(state, dict):
        raise UserError(f'{path} holds a {type(state).__name__}: it should be {what}.')
    return state


@contextlib.contextmanager
def downloading(what: str, url: str, setting: str) -> Iterator[None]:
    """Have weights loaded safely inside, and say what to do where they cannot be downloaded.

    Args:
        what (str): What is downloaded, for the message.
        url (str): Its address.
        setting (str): Where the user can name a file instead.

    Raises:
        FileNotFoundError: If they cannot be.
    """
    try:
        with weights_only_loading():  # not so by default in what torch.hub downloads
            yield
    except OSError as error:  # URLError included
        folder = os.path.join(torch.hub.get_dir(), 'checkpoints')
        raise MissingFileError(
            f'{what} are not in {folder} and cannot be downloaded ({error}). On a machine with '
            f'internet get {url}, then put the file at '
            f'{os.path.join(folder, url.rsplit("/", 1)[-1])} or set {setting} to its path.'
        ) from error


def first_misfit(wanted: Dict[str, Tensor], found: Dict[str, Any],
                 names: Optional[Iterable[str]] = None) -> Optional[Tuple]:
    """The first weight that has another shape, or is in one of both only.

    Args:
        wanted (dict[str, Tensor]): State dict of the network.
        found (dict): What a file has in its place.
        names (Iterable[str] | None): Which to compare; those that the network has if None.

    Returns:
        tuple | None: Its name, its shape in the network and in the file, each a tuple or
        ``'nothing'``; None where all fit.

    Examples:
        >>> import torch
        >>> first_misfit(dict(weight=torch.zeros(3)), {})
        ('weight', (3,), 'nothing')
    """
    for name in wanted if names is None else names:
        shapes = [tuple(state[name].shape) if isinstance(state.get(name), Tensor) else 'nothing'
                  for state in (wanted, found)]
        if shapes[0] != shapes[1]:
            return name, *shapes
    return None
