# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Painting a whole data set, which appears when it is complete."""
import json
import tempfile
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import partial
from pathlib import Path

import cv2
from tqdm import tqdm

from ...utils.listing import list_images
from ..conversion.errors import ConversionError
from ..conversion.workers import map_in_workers
from ..conversion.writing import MANIFEST
from .pictures import Picture, Plan, Sources

PNG_COMPRESSION = 1  # 0..9; the pictures are tiny, so speed counts for more than size


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


def paint_all(out: Path, plan: Plan, sources: Sources, manifest: dict, workers: int) -> None:
    """Paint all pictures and write them; ``out`` appears only when it is complete.

    Args:
        out (Path): The folder, which does not exist or is empty.
        plan (Plan): The pictures of every folder.
        sources (Sources): The characters.
        manifest (dict): What :func:`is_painted` compares, with ``counts`` by folder.
        workers (int): Worker processes, 0 for none.

    Raises:
        ConversionError: If it cannot be written, or a worker was killed. Nothing is left then.
    """
    pictures = [(folder, picture) for folder, pictures in plan.items() for picture in pictures]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f'.{out.name}-', dir=out.parent) as temporary:
            unfinished = Path(temporary) / out.name
            for folder in plan:
                (unfinished / folder).mkdir(parents=True)
            write = partial(_write_picture, unfinished, sources)
            # Closed at once on an error, or the workers would paint all the others first.
            with closing(map_in_workers(write, pictures, workers, chunksize=64)) as written, \
                    tqdm(written, total=len(pictures), desc=out.name, unit='img') as progress:
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


def _write_picture(root: Path, sources: Sources, task: tuple[str, Picture]) -> None:
    folder, picture = task
    _, png = cv2.imencode('.png', cv2.cvtColor(picture.paint(sources), cv2.COLOR_RGB2BGR),
                          [cv2.IMWRITE_PNG_COMPRESSION, PNG_COMPRESSION])
    # Not cv2.imwrite, which tells neither why it failed nor that the disk is full.
    (root / folder / picture.name).write_bytes(png)


def _content(manifest: dict) -> bytes:
    return (json.dumps(manifest, indent=1) + '\n').encode()
