# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Writing files whole or not at all, and no file over another; reading them again."""
import errno
import json
import os
import pickle
import tempfile
import threading
import unicodedata
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, Tuple, Union

from .errors import UnwritableError, UserError


@contextmanager
def atomic_path(path: Union[str, os.PathLike], sync: bool = True) -> Iterator[Path]:
    """Where to write a file that is to appear complete or not at all.

    The file that is written there takes its place when the block has ended; after an error, Ctrl-C
    too, nothing of it remains. A link stays, and the file that it leads to is replaced. Devices and
    pipes are written to at once.

    Args:
        path (str | PathLike): The file; missing folders are made.
        sync (bool): Whether to flush it to the disk first, so that it is whole after a crash of the
            machine, too. Defaults to True.

    Yields:
        Path: A file beside it.

    Raises:
        UnwritableError: If it cannot be written, such as on a full disk.
    """
    place = Path(os.path.realpath(path))
    # Not longer than the name itself, which may have the greatest length allowed.
    temporary = place.with_name(f'{os.getpid()}{threading.get_native_id()}.tmp')
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists() and not place.is_file() and not place.is_dir():
            yield place
            return
        try:
            yield temporary
            if sync:
                with open(temporary, 'rb+') as file:
                    os.fsync(file.fileno())
            os.replace(temporary, place)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        if error.errno is None or isinstance(error, UserError):
            raise
        remedy = ('Free some space' if error.errno in (errno.ENOSPC, errno.EDQUOT) else
                  'Choose another place, or change the rights of this one')
        path = os.fspath(path)  # a full disk names none
        refused = UnwritableError(f'cannot write {path}: {error.strerror}. {remedy}.')
        refused.errno, refused.strerror, refused.filename = error.errno, error.strerror, path
        raise refused from error


def write_atomically(path: Union[str, os.PathLike], content: bytes, sync: bool = True) -> None:
    """Writes a file that appears complete or not at all; see :func:`atomic_path`.

    Raises:
        UnwritableError: If it cannot be written.
    """
    with atomic_path(path, sync) as temporary:
        temporary.write_bytes(content)


def write_output(path: Path, content: bytes) -> None:
    """Writes one of the many files of a run that goes on where it stopped.

    Raises:
        UserError: If it cannot be written.
    """
    try:
        # Not flushed, which would take most of the time: such a run looks for damaged files.
        write_atomically(path, content, sync=False)
    except OSError as error:
        raise UserError(f'cannot write {path}: {error.strerror}. What is done is kept: cure this '
                        'and run the same command to go on') from error


def write_json(data: Any, path: Union[str, os.PathLike]) -> None:
    """Writes what JSON can hold, and NumPy values, as a file that appears complete or not at all.

    Raises:
        UnwritableError: If it cannot be written.
        TypeError: If ``data`` holds something else.
    """
    from mmengine.fileio import dump  # this module has to be there before mmengine

    write_atomically(path, dump(data, file_format='json', indent=2).encode())


def read_json(path: Union[str, os.PathLike]) -> Any:
    """Reads a file of JSON that a tool has written.

    Raises:
        UserError: If it is damaged.
    """
    try:
        return json.loads(Path(path).read_text(encoding='utf-8'))
    except ValueError as error:  # of the encoding, too
        raise _damaged(path) from error


def read_tensors(path: Union[str, os.PathLike]) -> Any:
    """Reads tensors that a tool has written by ``torch.save``.

    Raises:
        UserError: If the file is damaged.
    """
    import torch  # this module has to be there before it

    try:
        return torch.load(path, map_location='cpu', weights_only=True)
    except (EOFError, KeyError, OSError, RuntimeError, ValueError,
            pickle.UnpicklingError) as error:
        if getattr(error, 'filename', None):  # it cannot be opened; PyTorch's own names no file
            raise
        raise _damaged(path) from error


def _damaged(path: Union[str, os.PathLike]) -> UserError:
    return UserError(f'{os.fspath(path)} is damaged: delete it and run again.')


@contextmanager
def alone_in(folder: Union[str, os.PathLike], what: str, option: str,
             patience: float = 0) -> Iterator[None]:
    """Refuses a second run in the folder of one that runs: each would lose what the other writes.

    The system lets go of the lock, a hidden file in the folder, when the process ends, a killed
    one, too.

    Args:
        folder (str | PathLike): The folder, which is there.
        what (str): Kind of the run, as the error and the lock call it.
        option (str): Of the command line, that names the folder.
        patience (float): Seconds to wait for the other one to end. Defaults to 0.

    Raises:
        UserError: If another process writes to it.
    """
    from filelock import FileLock, Timeout  # takes longer to import than all else here

    lock = FileLock(os.path.join(folder, f'.{what}.lock'))
    try:
        lock.acquire(timeout=patience)
    except Timeout:
        raise UserError(f'another {what} writes to {os.fspath(folder)} at this moment: wait until '
                        f'it has ended, or choose another {option}.') from None
    try:
        yield
    finally:
        lock.release()


def check_folder(path: Union[str, os.PathLike], what: str) -> None:
    """Refuses what cannot be a folder to write to, before long work.

    Args:
        path (str | PathLike): The folder, which need not be there yet.
        what (str): What the error calls it.

    Raises:
        UserError: If it, or what should be a folder above it, is a file, or is not to be written
            to.
    """
    path = Path(os.path.abspath(path))
    place = next(place for place in (path, *path.parents) if os.path.lexists(place))
    if not place.is_dir():
        raise UserError(f'{what} must be a folder: {place} is none. Choose another place to write '
                        'to.')
    try:
        # Rights alone do not tell: root has all of them, also where nothing can be made.
        tempfile.TemporaryFile(dir=place).close()
    except OSError as error:
        raise UserError(f'{what}: nothing can be written to {place} ({error.strerror}). Choose '
                        'another place, or change its rights.') from error


def check_outputs(outputs: Iterable[Tuple[Path, str]],
                  inputs: Iterable[Union[str, os.PathLike]] = ()) -> None:
    """Refuses a run of which one file would replace another, before the first is written.

    Names that differ only in their letters' case, or in how an accent is coded, count as one: they
    are on many file systems, also of whoever gets a copy of the results.

    Args:
        outputs (Iterable[tuple[Path, str]]): All files that the run writes, with what each is.
        inputs (Iterable[str | PathLike]): The files that it reads.

    Raises:
        UserError: If two outputs are one file, one is an input, or one is a file where
            another needs a folder. It names both and says what to do. Also if an output is a
            folder, or its folder cannot be written to.
    """
    outputs, folders = list(outputs), {}
    for path, what in outputs:
        if path.is_dir():
            raise UserError(f'{path}, {what}, is a folder: give the name of a file.')
        if path.is_file() or not path.exists():  # and no device
            place = os.path.realpath(path) if path.is_symlink() else path
            folders.setdefault(os.path.dirname(place), what)
    for folder, what in folders.items():
        check_folder(folder, f'The folder of {what}')
    places: Dict[str, str] = {}
    owners: Dict[str, Tuple[Path, str]] = {}
    for path, what in outputs:
        key = _key(path, places)
        if key in owners:
            other, first = owners[key]
            names = f'{path}' if path == other else f'{other} and {path}, one file,'
            raise UserError(f'{names} would be both {first} and {what}: rename one of the '
                                  'two sources, or run them into folders of their own')
        owners[key] = path, what
    read = {key: path for path in inputs
            for key in (_key(path, places), _key(os.path.realpath(path), places))}
    folders = {}
    for key, (path, what) in owners.items():
        if key in read:
            raise UserError(f'{path}, {what}, would replace {os.fspath(read[key])}, which '
                                  'this run reads: choose another place to write to')
        for parent in Path(key).parents:
            if folders.setdefault(str(parent), what) is not what:
                break  # its own parents are known, too
    for key in owners.keys() & folders.keys():
        path, what = owners[key]
        raise UserError(f'{path} would be both {what} and the folder of {folders[key]}: '
                              'rename one of the two sources, or run them into folders of their '
                              'own')


def _key(path: Union[str, os.PathLike], places: Dict[str, str]) -> str:
    """The same for all names of one directory entry; ``places`` keeps what was looked up."""
    folder, name = os.path.split(os.path.abspath(path))
    if folder not in places:
        places[folder] = os.path.realpath(folder)
    return unicodedata.normalize('NFC', os.path.join(places[folder], name)).casefold()
