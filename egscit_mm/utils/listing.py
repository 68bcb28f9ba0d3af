# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Which files a folder has, and which of them are images, the same way everywhere."""
import errno
import fnmatch
import glob
import itertools
import os
import stat
from collections import Counter
from pathlib import Path
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

from .errors import BadInputError, UserError

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp')

# What systems and programs put among a user's files, beside names that begin with a dot (such as
# .DS_Store, ._x.png, .ipynb_checkpoints, .Trash-1000).
_SYSTEM_NAMES = {
    '__macosx', 'thumbs.db', 'ehthumbs.db', 'desktop.ini', '$recycle.bin', 'lost+found',
    'system volume information', '@eadir', '@recycle', '@recently-snapshot', '@tmp', '#recycle',
    '#snapshot'
}


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name (without its folder) is not the user's."""
    return name.startswith('.') or name.casefold() in _SYSTEM_NAMES


def walk_files(root: Union[str, os.PathLike]) -> List[str]:
    """Names of all files below a folder, the same way everywhere.

    Hidden files and folders and those of the system are no files, unless the folder itself is one.
    Links are followed, to files and to folders. A folder that several links lead to counts once,
    under its own name where it lies below the root; a link to a folder above itself leads in a
    circle and is left out. Links that lead nowhere are listed.

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


def list_images(folder: Union[str, os.PathLike]) -> List[str]:
    """Names of the images below a folder, as every part of this package lists them.

    :func:`walk_files` says which files are found. Links that lead nowhere and
    have no suffix at all are listed too: a folder of images that is gone must not go unnoticed.

    Args:
        folder (str | PathLike): Where to search, in depth.

    Returns:
        list[str]: Names relative to the folder, with ``/``, sorted by their characters.

    Raises:
        BadInputError: If a folder cannot be listed; it names the folder.
    """
    return [name for name in walk_files(folder) if is_image_name(folder, name, IMAGE_SUFFIXES)]


def is_image_name(folder: Union[str, os.PathLike], name: str, suffixes: Iterable[str]) -> bool:
    """Whether a file below a folder is taken for an image, by its name."""
    suffix = os.path.splitext(name)[1].lower()
    if suffix:
        return suffix in suffixes
    path = os.path.join(folder, name)
    return os.path.islink(path) and not os.path.exists(path)


def why_unusable(path: Union[str, os.PathLike]) -> Optional[str]:
    """What shows without reading it that a file is no image; None where nothing does."""
    try:
        info = os.stat(path)
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError) or getattr(error, 'errno', 0) == errno.ELOOP:
            return 'is a link that leads nowhere' if os.path.islink(path) else 'does not exist'
        return f'cannot be read ({error})'
    if not stat.S_ISREG(info.st_mode):
        return 'is a folder' if stat.S_ISDIR(info.st_mode) else 'is no regular file'
    return None if info.st_size else 'is empty'


class FoundImage(NamedTuple):
    """An image of :func:`find_images`.

    Args:
        name (Path): Inside its folder, or below the part of the pattern without wildcards.
        path (Path): Where it is.
    """

    name: Path
    path: Path


def find_images(patterns: Sequence[str]) -> List[FoundImage]:
    """Images that files, folders and glob patterns name.

    Args:
        patterns (Sequence[str]): Files are taken whatever their suffix; below folders and among
            what a pattern matches, those that :func:`list_images` finds.

    Returns:
        list[FoundImage]: In the order of the patterns, sorted within each. An image that is named
        twice is there twice.

    Raises:
        UserError: If one names no image.
    """
    found: List[FoundImage] = []
    for pattern in patterns:
        root, files = _matches(pattern)
        if not files:
            verb = 'matches' if glob.has_magic(pattern) else 'holds'
            raise UserError(f'{pattern} {verb} no images ({", ".join(IMAGE_SUFFIXES)}).')
        found += [FoundImage(file.relative_to(root), file) for file in files]
    return found


def left_out(patterns: Sequence[str]) -> Dict[str, int]:
    """Suffixes of the files in folders that :func:`find_images` leaves out, and how many have them.

    Args:
        patterns (Sequence[str]): Files, folders and glob patterns; only folders are looked at.

    Returns:
        dict[str, int]: By suffix in lower case, such as ``'.gif'``, ``''`` where there is none.
    """
    folders = [pattern for pattern in patterns if os.path.isdir(pattern)]
    return Counter(os.path.splitext(name)[1].lower() for folder in folders
                   for name in sorted({*walk_files(folder)} - {*list_images(folder)}))


def _matches(pattern: str) -> Tuple[Path, List[Path]]:
    """The folder that names are relative to, and the images, sorted by their names in it."""
    path = Path(pattern)
    if path.is_dir():
        return path, [path / name for name in list_images(path)]
    if os.path.lexists(path):
        return path.parent, [path]
    if not glob.has_magic(pattern):
        raise UserError(f'{pattern} does not exist.')
    fixed = list(itertools.takewhile(lambda part: not glob.has_magic(part), path.parts))
    root, parts = Path(*fixed), path.parts[len(fixed):]
    plain = list(itertools.takewhile(lambda part: part != '**', parts))
    deep = parts[len(plain):]
    names = []
    for place in glob.glob(os.path.join(glob.escape(str(root)), *plain)) if plain else [str(root)]:
        if deep and os.path.isdir(place):
            # Not by glob, which goes round and round where links lead in circles.
            files = [os.path.join(place, name) for name in walk_files(place)
                     if _fits(name.split('/'), deep)]
        else:
            files = [] if deep or os.path.isdir(place) else [place]
        names += [os.path.relpath(file, root) for file in files]
    return root, [root / name for name in sorted(names) if is_image_name(
        root, name, IMAGE_SUFFIXES) and not any(map(is_hidden, Path(name).parts))]


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the parts of a path fit those of a pattern, in which ``**`` is any folders."""
    if not pattern:
        return not parts
    if pattern[0] == '**':
        return len(pattern) == 1 or any(
            _fits(parts[skipped:], pattern[1:]) for skipped in range(len(parts)))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], pattern[0]) and _fits(
        parts[1:], pattern[1:])
