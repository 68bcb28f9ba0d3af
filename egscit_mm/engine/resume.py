# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Where an interrupted training goes on, and which folder a new one may have."""
import errno
import logging
import re
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple, Union

from mmengine.config import Config
from mmengine.logging import print_log

from ..utils.errors import UserError


def checkpoints(cfg: Config) -> Dict[int, Path]:
    """Checkpoints of a training, by iteration (by epoch, if its loop counts those).

    ``work_dir``, and the CheckpointHook's ``out_dir`` and ``filename_tmpl``, say where they are.
    """
    return _checkpoints_in(checkpoint_of(cfg, 0).parent, cfg)


def _checkpoints_in(folder: Path, cfg: Config) -> Dict[int, Path]:
    pattern = re.compile(
        re.escape(checkpoint_of(cfg, '{}').name).replace(r'\{\}', r'(\d+)'))
    return {int(match[1]): path for path in (folder.iterdir() if folder.is_dir() else ())
            if (match := pattern.fullmatch(path.name))}


def _of_earlier_training(cfg: Config) -> List[Path]:
    """Checkpoints in the training's folders, in the order of iterations in each."""
    folders = dict.fromkeys([Path(cfg.work_dir), checkpoint_of(cfg, 0).parent])
    return [path for folder in folders for _, path in sorted(_checkpoints_in(folder, cfg).items())]


def checkpoint_of(cfg: Config, number: Union[int, str]) -> Path:
    """Where MMEngine's CheckpointHook saves an iteration (an epoch, if its loop counts those)."""
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    folder = Path(cfg.work_dir)
    if hook.get('out_dir'):
        folder = Path(hook['out_dir'], folder.name)
    unit = 'epoch' if hook.get('by_epoch', True) else 'iter'
    return folder / (hook.get('filename_tmpl') or f'{unit}_{{}}.pth').format(number)


def newest_checkpoint(cfg: Config) -> Optional[str]:
    """The checkpoint of the latest iteration that is not damaged.

    MMEngine goes by the file ``last_checkpoint`` alone: where that is missing or was cut off it
    starts from scratch, and a checkpoint that is cut off ends the training.

    Returns:
        str | None: Its path, None if there is none. Newer ones that cannot be read are named in a
        warning.
    """
    for _, path in sorted(checkpoints(cfg).items(), reverse=True):
        if is_intact(path):
            return str(path)
        print_log(f'{path} is cut off or damaged and is not used: looking for the checkpoint '
                  'before it.', 'current', level=logging.WARNING)
    return None


def choose_start(cfg: Config) -> None:
    """Sets ``resume`` and ``load_from`` of a config to where its training begins.

    A training that is resumed goes on at the newest checkpoint of its own folder. Only where there
    is none it begins as it did the first time: at iteration 0, with the weights of ``load_from``.

    Raises:
        ValueError: If the folder's training is longer than the config's.
    """
    if not cfg.get('resume'):
        return
    newest = newest_checkpoint(cfg)
    cfg.resume = newest is not None
    if newest is None:
        start = f'with the weights of {cfg.load_from}' if cfg.get('load_from') else 'from scratch'
        print_log(f'{cfg.work_dir} holds no checkpoint to resume: the training starts at iteration '
                  f'0, {start}.', 'current', level=logging.WARNING)
        return
    if cfg.get('load_from'):
        print_log(f'Resuming from {newest}; load_from={cfg.load_from} was for the start.',
                  'current')
    cfg.load_from = newest
    name, end = _length(cfg)
    reached = max(number for number, path in checkpoints(cfg).items() if str(path) == newest)
    if end is not None and reached > end:
        raise UserError(
            f'{newest} is beyond the end of this training, train_cfg.{name}={end}: it is of a '
            f'longer one. Set train_cfg.{name} to more than {reached}, or choose another '
            '--work-dir.')
    if reached == end:
        print_log(f'{newest} is the end of this training (train_cfg.{name}={end}): there is '
                  'nothing left to do.', 'current')


def check_is_new(cfg: Config) -> None:
    """Refuses to start a training in a folder that holds the checkpoints of another.

    The first one's could have higher numbers, and a later ``--resume`` would go on from those.

    Raises:
        ValueError: If there are any.
    """
    found = _of_earlier_training(cfg)
    if found:
        raise UserError(
            f'{found[-1].parent} holds checkpoints of an earlier training (the last one is '
            f'{found[-1].name}). Go on with it by --resume, keep it and choose another '
            '--work-dir, or start anew by --overwrite, which removes its checkpoints.')


def remove_checkpoints(cfg: Config) -> None:
    """Removes what an earlier training has left to resume, best checkpoints included."""
    found = _of_earlier_training(cfg)
    folders = {path.parent for path in found} | {Path(cfg.work_dir)}
    best = [path for folder in folders for path in folder.glob('best_*.pth')]
    note = Path(cfg.work_dir, 'last_checkpoint')
    last = Path(note.read_text().strip()) if note.is_file() else note
    for path in [*found, *best, note]:
        path.unlink(missing_ok=True)
    if last.is_file():  # in an out_dir that the config no longer names
        print_log(f'{last} of an earlier training is left where it is; remove its folder if '
                  'nothing needs it.', 'current', level=logging.WARNING)
    if found:
        print_log(f'{len(found)} checkpoints of an earlier training were removed from '
                  f'{found[0].parent}.', 'current', level=logging.WARNING)


def _length(cfg: Config) -> Tuple[str, Optional[int]]:
    by_epoch = ((cfg.get('default_hooks') or {}).get('checkpoint') or {}).get('by_epoch', True)
    name = 'max_epochs' if by_epoch else 'max_iters'
    return name, cfg.train_cfg.get(name)


@contextmanager
def full_disk_explained(cfg: Config) -> Iterator[None]:
    """Says, where a training ends for want of space, what is safe."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        last = newest_checkpoint(cfg)
        goes_on = (f'--resume then goes on with the last whole checkpoint ({last})' if last else
                   'the training then starts anew: no checkpoint is whole')
        raise OSError(error.errno, f'{error.strerror}. Free some space; {goes_on}',
                      error.filename) from error


def is_intact(checkpoint: Path) -> bool:
    """Whether all of a file that torch.save has written is there, by its checksums."""
    try:
        with zipfile.ZipFile(checkpoint) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, zlib.error):
        return False
