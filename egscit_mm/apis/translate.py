# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Translation of folders: which content after which exemplar, into which file."""
import random
from pathlib import Path
from typing import Dict, List, NamedTuple

from ..utils.errors import UserError

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
        UserError: If two exemplars would have the same folder.
    """
    styles = list(exemplars.values())
    if pairing == 'all':
        folders: Dict[Path, Path] = {}
        for name, path in exemplars.items():
            folder = name.with_suffix('')
            if folders.setdefault(folder, path) != path:
                raise UserError(f'The exemplars {folders[folder]} and {path} would share the '
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
