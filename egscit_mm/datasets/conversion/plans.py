# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What is to be made of which input: tasks, jobs, and how names and test sets are chosen."""
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Callable, NamedTuple

from PIL import Image

from .errors import ConversionError
from .sources import Files


class Task(NamedTuple):
    """One image to convert.

    Args:
        name (str): What to call it in reports.
        inputs (dict[str, tuple[str, str]]): Source and file name by role, such as
            ``image=('images', 'images/00001.png')``.
        outputs (dict[str, str]): Paths relative to the output folder by what
            ``Job.render`` returns. The training image stands last: it is written when all others
            are there.
    """

    name: str
    inputs: dict[str, tuple[str, str]]
    outputs: dict[str, str]


@dataclass
class Job:
    """All that is to be made of one domain.

    Args:
        domain (str): Name of the domain, the ending of the folder names.
        tasks (list[Task]): The images.
        sources (dict[str, Files]): The sources that the tasks name.
        render (Callable): From the contents of a task's inputs by role to its output images by
            key. May raise BadInputError and LeftOutError.
        settings (dict): What decides the bytes of the output beside the sources; JSON values.
        failed (dict[str, str]): Reasons why inputs cannot be used, as far as known before any is
            opened, such as a missing label, by name.
        excluded (dict[str, int]): Number of inputs that were not asked for, by reason.
    """

    domain: str
    tasks: list[Task]
    sources: dict[str, Files]
    render: Callable[[dict[str, bytes]], dict[str, Image.Image]]
    settings: dict
    failed: dict[str, str] = field(default_factory=dict)
    excluded: dict[str, int] = field(default_factory=dict)


def output_paths(split: str, domain: str, name: str, image_format: str,
                 with_labels: bool = False) -> dict[str, str]:
    """Where the outputs of an image go.

    Args:
        split (str): 'train' or 'test'.
        domain (str): Name of the domain.
        name (str): Name of the image without suffix; may have folders.
        image_format (str): A key of :data:`FORMATS`.
        with_labels (bool): Whether there are label maps, too.

    Returns:
        dict[str, str]: Paths relative to the output folder for ``image`` (last) and, before it,
        ``labels19`` and ``labels8``.
    """
    folder = split + domain
    labels = ('labels19', 'labels8') if with_labels else ()
    return {**{key: f'{folder}_{key}/{name}.png' for key in labels},
            'image': f'{folder}/{name}.{image_format}'}


def draw_test_names(names: Iterable[str], fraction: float, seed: int) -> set[str]:
    """Draw a test set.

    Args:
        names (Iterable[str]): All names.
        fraction (float): Share of the test set, 0 < fraction < 1; at least one name is drawn.
        seed (int): Chooses the names; a name keeps its place when others come or go.

    Raises:
        ConversionError: If there are fewer than two names.
    """
    names = sorted(names)
    if len(names) < 2:
        raise ConversionError(f'only {len(names)} image: too few for a training and a test set')
    count = min(max(round(fraction * len(names)), 1), len(names) - 1)
    rank = {name: hashlib.md5(f'{seed} {name}'.encode(errors='surrogateescape'),
                              usedforsecurity=False).digest()
            for name in names}
    return set(sorted(names, key=rank.get)[:count])


def by_stem(names: Iterable[str], suffix: str = '') -> dict[str, str]:
    """Names by their last part without extension and without ``suffix``.

    Raises:
        ConversionError: If two names have the same stem.
    """
    found = {}
    for name in names:
        stem = PurePosixPath(name).stem.removesuffix(suffix)
        if stem in found:
            raise ConversionError(f'{found[stem]} and {name} have the same name: give only the '
                                  'archive or folder that is meant')
        found[stem] = name
    return found
