# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Which files a translation of folders reads and writes."""
import glob
import hashlib
import json
import os
import random
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence

from ..datasets.conversion.errors import ConversionError
from ..datasets.conversion.images import IMAGE_SUFFIXES
from ..datasets.conversion.writing import write_atomically

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
            what a pattern matches, those with one of :data:`IMAGE_SUFFIXES`. Sorted within each.

    Returns:
        dict[Path, Path]: By the image's name inside its folder (or below the part of the pattern
        without wildcards), the image.

    Raises:
        ConversionError: If one names no image, or two images have the same name.
    """
    found: Dict[Path, Path] = {}
    for pattern in patterns:
        path = Path(pattern)
        if path.is_dir():
            root, files = path, _images(path.rglob('*'))
        elif path.exists():
            root, files = path.parent, [path]
        elif glob.has_magic(pattern):
            fixed = [part for part in _before_magic(path)]
            root = Path(*fixed) if fixed else Path()
            files = _images(map(Path, glob.glob(pattern, recursive=True)))
        else:
            raise ConversionError(f'{pattern} does not exist.')
        if not files:
            raise ConversionError(f'{pattern} holds no images ({", ".join(IMAGE_SUFFIXES)}).')
        for file in files:
            name = file.relative_to(root)
            if found.setdefault(name, file) != file:
                raise ConversionError(
                    f'{found[name]} and {file} have the same name {name}: one would overwrite the '
                    'other. Translate the folders one by one, or give the folder that holds both.')
    return found


def _images(paths) -> List[Path]:
    return sorted(path for path in paths
                  if path.suffix.lower() in IMAGE_SUFFIXES and not path.is_dir())


def _before_magic(path: Path):
    for part in path.parts:
        if glob.has_magic(part):
            return
        yield part


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


def check_settings(out: Path, checkpoint: str, contents: Dict[Path, Path],
                   exemplars: Dict[Path, Path], pairing: str, seed: int,
                   target_domain: Optional[str], source_domain: Optional[str] = None) -> None:
    """Notes in the output folder what its translations were made of, or holds this run against it.

    A second run skips the translations that are there, so they must be those it would make.

    Raises:
        ConversionError: If the folder holds translations made otherwise.
    """
    with open(checkpoint, 'rb') as file:
        digest = hashlib.file_digest(file, 'sha256').hexdigest()
    settings = dict(
        checkpoint=digest, target_domain=target_domain, pairing=pairing,
        exemplars=_digest(exemplars))
    if source_domain is not None:
        settings['source_domain'] = source_domain
    if pairing == 'random':
        settings['seed'] = seed
    if pairing == 'each' and len(exemplars) > 1:  # a content's place decides on its exemplar
        settings['contents'] = _digest(contents)
    path = out / SETTINGS
    try:
        before = json.loads(path.read_text()) if path.exists() else settings
    except ValueError:
        before = {}
    if before != settings:
        differ = sorted(key for key in {*settings, *before}
                        if settings.get(key) != before.get(key))
        raise ConversionError(f'{out} holds translations made with another {", ".join(differ)}, '
                              'which this run would skip: choose another --out or delete it.')
    write_atomically(path, (json.dumps(settings, indent=1) + '\n').encode())


def _digest(files: Dict[Path, Path]) -> str:
    names = '\0'.join(os.path.abspath(path) for path in files.values())
    return hashlib.sha256(os.fsencode(names)).hexdigest()
