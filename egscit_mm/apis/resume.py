# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Where an interrupted training goes on."""
import errno
import logging
import re
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Optional

from mmengine.logging import print_log

_NAME = re.compile(r'iter_(\d+)\.pth')  # of MMEngine's CheckpointHook


def newest_checkpoint(work_dir: str) -> Optional[str]:
    """The checkpoint of the latest iteration that is not damaged.

    MMEngine goes by the file ``last_checkpoint`` alone: where that is missing or was cut off it
    starts from scratch, and a checkpoint that is cut off ends the training.

    Args:
        work_dir (str): Folder of the training.

    Returns:
        str | None: Path of an ``iter_N.pth``, None if there is none. Newer ones that cannot be
        read are named in a warning.
    """
    found = {int(match[1]): path for path in Path(work_dir).glob('iter_*.pth')
             if (match := _NAME.fullmatch(path.name))}
    for iteration in sorted(found, reverse=True):
        if is_intact(found[iteration]):
            return str(found[iteration])
        print_log(f'{found[iteration]} is cut off or damaged and is not used: looking for the '
                  'checkpoint before it.', 'current', level=logging.WARNING)
    print_log(f'{work_dir} holds no checkpoint to resume: the training starts at iteration 0.',
              'current', level=logging.WARNING)
    return None


@contextmanager
def full_disk_explained(work_dir: str) -> Iterator[None]:
    """Says, where a training ends for want of space, what is safe.

    Args:
        work_dir (str): Folder of the training.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        last = newest_checkpoint(work_dir)
        raise OSError(
            error.errno, f'{error.strerror}. Free some space; --resume then goes on with the last '
            f'whole checkpoint ({last})', error.filename) from error


def is_intact(checkpoint: Path) -> bool:
    """Whether all of a file that torch.save has written is there, by its checksums."""
    try:
        with zipfile.ZipFile(checkpoint) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, zlib.error):
        return False
