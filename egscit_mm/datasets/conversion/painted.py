# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Painted data sets, which appear when they are complete."""
import json
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ...utils.files import check_folder
from ...utils.listing import list_images
from .errors import ConversionError
from .workers import map_in_workers
from .writing import MANIFEST


def is_painted(out: Path, manifest: dict) -> bool:
    """Whether ``out`` already holds what this run would paint.

    Args:
        out (Path): The folder.
        manifest (dict): What this run would paint.

    Returns:
        bool: True if it is there, False if there is no ``out`` or it is empty.

    Raises:
        ConversionError: If ``out`` holds anything else.
    """
    check_folder(out, f'--out {out}')
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    path = out / MANIFEST
    if not path.is_file() or path.read_bytes() != _content(manifest):
        raise ConversionError(f'{out} exists and was not written with these arguments and source '
                              'files: choose another --out, or delete it first')
    for folder, count in manifest['counts'].items():
        found = len(list_images(out / folder)) if (out / folder).is_dir() else 0
        if found != count:
            raise ConversionError(f'{out / folder} holds {found} PNG files, but {path} says '
                                  f'{count}: delete {out} and run this again')
    return True


def write_painted(out: Path, tasks: Sequence[Any], write: Callable[[Path, Any], None],
                  manifest: dict, workers: int, chunksize: int) -> None:
    """Paint a whole data set; ``out`` appears only when it is complete.

    Args:
        out (Path): The folder, which does not exist or is empty.
        tasks (Sequence): What to paint.
        write (Callable): Paints one task into a folder, ``write(root, task)``, in any process.
        manifest (dict): What :func:`is_painted` compares, with ``counts`` by folder.
        workers (int): Worker processes, 0 for none.
        chunksize (int): Tasks that a worker gets at a time.

    Raises:
        ConversionError: If it cannot be written, or a worker was killed. Nothing is left then.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f'.{out.name}-', dir=out.parent) as temporary:
            unfinished = Path(temporary) / out.name
            for folder in manifest['counts']:
                (unfinished / folder).mkdir(parents=True)
            # Closed at once on an error, or the workers would paint all the others first.
            with closing(map_in_workers(
                    partial(write, unfinished), tasks, workers, chunksize=chunksize)) as written, \
                    tqdm(written, total=len(tasks), desc=out.name, unit='img') as progress:
                for _ in progress:
                    pass
            (unfinished / MANIFEST).write_bytes(_content(manifest))
            unfinished.rename(out)
    except OSError as error:
        raise ConversionError(f'cannot write {out}: {error.strerror}. Nothing was written: cure '
                              'this and run the same command again') from error
    except BrokenProcessPool as error:
        raise ConversionError('a worker process was killed, perhaps for lack of memory. Nothing '
                              'was written: run the same command with fewer --workers') from error


def _content(manifest: dict) -> bytes:
    return (json.dumps(manifest, indent=1) + '\n').encode()
