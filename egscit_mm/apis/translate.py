# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Which files a translation of folders reads and writes."""
import fnmatch
import glob
import hashlib
import itertools
import json
import os
import random
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence, Tuple

from ..utils.errors import BadInputError, ConversionError
from ..utils.files import is_hidden, walk_files, write_atomically
from ..utils.images import IMAGE_SUFFIXES, is_image_name, list_images, why_unusable

SETTINGS = 'translation.json'
PAIRINGS = ('each', 'random', 'all', 'matrix')


class Pair(NamedTuple):
    """One translation.

    Args:
        content (Path): Image to translate.
        exemplar (Path): Image whose style it takes.
        name (Path): Of the result, inside the output folder.
    """

    content: Path
    exemplar: Path
    name: Path


def find_images(patterns: Sequence[str]) -> Dict[Path, Path]:
    """Images that files, folders and glob patterns name.

    Args:
        patterns (Sequence[str]): Files are taken whatever their suffix; below folders and among
            what a pattern matches, those that :func:`list_images` finds. Sorted within each.

    Returns:
        dict[Path, Path]: By the image's name inside its folder (or below the part of the pattern
        without wildcards), the image.

    Raises:
        ConversionError: If one names no image, or two images have the same name.
    """
    found: Dict[Path, Path] = {}
    for pattern in patterns:
        try:
            root, files = _matches(pattern)
        except BadInputError as error:
            raise ConversionError(str(error)) from error
        if not files:
            raise ConversionError(f'{pattern} holds no images ({", ".join(IMAGE_SUFFIXES)}).')
        for file in files:
            name = file.relative_to(root)
            if found.setdefault(name, file) != file:
                raise ConversionError(
                    f'{found[name]} and {file} have the same name {name}: one would overwrite the '
                    'other. Translate the folders one by one, or give the folder that holds both.')
    return found


def _matches(pattern: str) -> Tuple[Path, List[Path]]:
    """The folder that names are relative to, and the images, sorted by their names in it."""
    path = Path(pattern)
    if path.is_dir():
        return path, [path / name for name in list_images(path)]
    if os.path.lexists(path):
        return path.parent, [path]
    if not glob.has_magic(pattern):
        raise ConversionError(f'{pattern} does not exist.')
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


def pair_images(contents: Dict[Path, Path], exemplars: Dict[Path, Path], pairing: str,
                seed: int) -> List[Pair]:
    """Which content is translated after which exemplar, and into which file.

    Args:
        contents (dict[Path, Path]): From :func:`find_images`.
        exemplars (dict[Path, Path]): The same.
        pairing (str): ``'each'``: content i after exemplar i, in turn where there are fewer;
            ``'random'``: after one drawn by the seed and the content's name, whatever other
            contents there are; ``'all'``: after every exemplar, into a folder for each of them.
        seed (int): Of ``'random'``.

    Returns:
        list[Pair]: In the order of the contents; of ``'all'`` the exemplars', then the contents'.

    Raises:
        ConversionError: If two exemplars would have the same folder.
    """
    styles = list(exemplars.values())
    if pairing == 'all':
        folders: Dict[Path, Path] = {}
        for name, path in exemplars.items():
            folder = name.with_suffix('')
            if folders.setdefault(folder, path) != path:
                raise ConversionError(f'The exemplars {folders[folder]} and {path} would share the '
                                      f'folder {folder}: rename one of them.')
        return [
            Pair(content, exemplar, folder / name) for folder, exemplar in folders.items()
            for name, content in contents.items()
        ]
    pairs = []
    for index, (name, content) in enumerate(contents.items()):
        if pairing == 'random':
            # A seed of its own for each: a content that is added changes no other's exemplar.
            exemplar = random.Random(f'{seed}:{name.as_posix()}').choice(styles)
        else:
            exemplar = styles[index % len(styles)]
        pairs.append(Pair(content, exemplar, name))
    return pairs


def keep_record(out: Path, recipes: Dict[str, str]) -> None:
    """Makes the output folder hold of a run's files those alone that this run would make.

    ``translation.json`` in it notes of every file what it was made of. A file that was made of
    something else is removed, to be made anew; what is there afterwards needs no second making.

    Args:
        out (Path): The folder.
        recipes (dict[str, str]): By name in the folder, what this run makes each file of.

    Raises:
        ConversionError: If the folder holds a file of such a name that no earlier run made.
    """
    path = out / SETTINGS
    known = _read_record(path)
    there = [name for name in recipes if os.path.lexists(out / name)]
    for name in there:
        if name not in known:
            raise ConversionError(
                f'{out / name} is there already, and {path} does not say what it was made of: '
                'choose another --out, or move it away.')
    stale = [name for name in there
             if known[name] != recipes[name] or why_unusable(out / name)]
    # Removed before the record says otherwise: a run that is killed here leaves nothing stale.
    for name in stale:
        (out / name).unlink()
    if stale:
        print(f'{len(stale)} files in {out}, such as {stale[0]}, are made anew: a content, an '
              'exemplar, the checkpoint, the config or an option has changed.')
    others = [name for name in known if name not in recipes and os.path.lexists(out / name)]
    if others:
        print(f'{len(others)} files in {out}, such as {others[0]}, are of an earlier run and not '
              'of this one; they stay as they are.')
    record = dict(files=dict({name: known[name] for name in others}, **recipes))
    write_atomically(path, (json.dumps(record, indent=1) + '\n').encode())


def _read_record(path: Path) -> Dict[str, str]:
    try:
        return dict(json.loads(path.read_text())['files']) if path.exists() else {}
    except (ValueError, KeyError, TypeError):  # not ours: then no file is known
        return {}


def recipe(*parts) -> str:
    """One string for all that a file is made of: fingerprints and options, as JSON can say them."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
