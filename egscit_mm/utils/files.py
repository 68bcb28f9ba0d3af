# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Finding files below a folder, and writing files whole or not at all."""
import hashlib
import os
import unicodedata
from pathlib import Path
from typing import Dict, Iterable, List, Tuple, Union

from .errors import BadInputError, ConversionError

# What systems and programs put among a user's files, beside names that begin with a dot (such as
# .DS_Store, ._x.png, .ipynb_checkpoints, .Trash-1000).
_SYSTEM_NAMES = {
    '__macosx', 'thumbs.db', 'ehthumbs.db', 'desktop.ini', '$recycle.bin', 'lost+found',
    'system volume information', '@eadir', '@recycle', '@recently-snapshot', '@tmp', '#recycle',
    '#snapshot'
}


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name (without its folder) is not the user's.

    Args:
        name (str): Its name.
    """
    return name.startswith('.') or name.casefold() in _SYSTEM_NAMES


def walk_files(root: Union[str, os.PathLike]) -> List[str]:
    """Names of all files below a folder, the same way everywhere.

    Hidden files and folders and those of the system are no files, unless the folder itself is one.
    Links are followed, to files and to folders. A folder that several links lead to counts once,
    under its own name where it lies below the root; a link to a folder above itself leads in a
    circle and is left out. Links that lead nowhere are listed.

    Args:
        root (str | PathLike): The folder.

    Returns:
        list[str]: Names relative to the root, with ``/``, sorted by their characters.

    Raises:
        BadInputError: If a folder cannot be listed; it names the folder.
    """
    root = os.fspath(root)
    found: List[str] = []
    seen = set()
    top = os.path.realpath(root)
    links = [(root, '', top)]
    while links:
        # Folders first and links after them: what lies here keeps its own name.
        links.sort(key=lambda link: link[1], reverse=True)
        folder, prefix, place = links.pop()
        if place in seen:
            continue
        pending = [(folder, prefix, place)]
        while pending:
            folder, prefix, place = pending.pop()
            if place in seen:
                continue
            seen.add(place)
            for entry in _entries(folder):
                if is_hidden(entry.name):
                    continue
                # Not DirEntry.is_dir(), which raises where links lead in circles.
                if not (os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()):
                    found.append(prefix + entry.name)
                elif not entry.is_symlink():
                    pending.append((entry.path, f'{prefix}{entry.name}/',
                                    os.path.join(place, entry.name)))
                else:
                    target = os.path.realpath(entry.path)
                    if not (_is_in(place, target) or _is_in(top, target)):
                        links.append((entry.path, f'{prefix}{entry.name}/', target))
    return sorted(found)


def _entries(folder: str) -> List[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise BadInputError(f'cannot list {folder}: {error.strerror}. Make it readable, or move it '
                            'away') from error


def _is_in(place: str, folder: str) -> bool:
    return os.path.join(place, '').startswith(os.path.join(folder, ''))


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file that appears complete or not at all.

    Args:
        path (Path): The file; its folder is made if needed.
        content (bytes): All of it.

    Raises:
        ConversionError: If it cannot be written, such as on a full disk.
    """
    # Not longer than the name itself, which may have the greatest length allowed.
    temporary = path.with_name(f'{os.getpid()}.tmp')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(content)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ConversionError(f'cannot write {path}: {error.strerror}. What is done is kept: cure '
                              'this and run the same command to go on') from error


def check_outputs(outputs: Iterable[Tuple[Path, str]],
                  inputs: Iterable[Union[str, os.PathLike]] = ()) -> None:
    """Refuses a run of which one file would replace another, before the first is written.

    Names that differ only in their letters' case, or in how an accent is coded, count as one: they
    are on many file systems, also of whoever gets a copy of the results.

    Args:
        outputs (Iterable[tuple[Path, str]]): All files that the run writes, with what each is.
        inputs (Iterable[str | PathLike]): The files that it reads.

    Raises:
        ConversionError: If two outputs are one file, one is an input, or one is a file where
            another needs a folder. It names both and says what to do.
    """
    places: Dict[str, str] = {}
    owners: Dict[str, Tuple[Path, str]] = {}
    for path, what in outputs:
        key = _key(path, places)
        if key in owners:
            other, first = owners[key]
            names = f'{path}' if path == other else f'{other} and {path}, one file,'
            raise ConversionError(f'{names} would be both {first} and {what}: rename one of the '
                                  'two sources, or run them into folders of their own')
        owners[key] = path, what
    read = {key: path for path in inputs
            for key in (_key(path, places), _key(os.path.realpath(path), places))}
    folders = {}
    for key, (path, what) in owners.items():
        if key in read:
            raise ConversionError(f'{path}, {what}, would replace {os.fspath(read[key])}, which '
                                  'this run reads: choose another place to write to')
        for parent in Path(key).parents:
            if folders.setdefault(str(parent), what) is not what:
                break  # its own parents are known, too
    for key in owners.keys() & folders.keys():
        path, what = owners[key]
        raise ConversionError(f'{path} would be both {what} and the folder of {folders[key]}: '
                              'rename one of the two sources, or run them into folders of their '
                              'own')


def _key(path: Union[str, os.PathLike], places: Dict[str, str]) -> str:
    """The same for all names of one directory entry; ``places`` keeps what was looked up."""
    folder, name = os.path.split(os.path.abspath(path))
    if folder not in places:
        places[folder] = os.path.realpath(folder)
    return unicodedata.normalize('NFC', os.path.join(places[folder], name)).casefold()


def fingerprint(path: Union[str, os.PathLike]) -> str:
    """What a file is known by: its content, not its name or its time.

    Args:
        path (str | PathLike): The file.

    Returns:
        str: Its SHA-256 as hexadecimal digits; 'unreadable' where nothing can be read.
    """
    if not os.path.isfile(path):  # a pipe would be waited for
        return 'unreadable'
    digest = hashlib.sha256()
    try:
        with open(path, 'rb', buffering=0) as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError:
        return 'unreadable'
    return digest.hexdigest()
