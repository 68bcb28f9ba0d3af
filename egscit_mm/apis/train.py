# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Training of both stages from one config."""
import logging
import os.path as osp
import resource
import time
from typing import Optional

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.fileio import load
from mmengine.logging import print_log
from mmengine.runner import Runner

from ..config_check import check_config, merge_options, naming_the_setting
from ..evaluation.monitored import check_monitored
from ..evaluation.results import write_json
from .resume import full_disk_explained, is_intact, newest_checkpoint

# Written to the work dir at the end of a training.
COST_FILE = 'training.json'

# Settings of the stage that is named, not of its stage 1.
_OWN_SETTINGS = ('model', 'optim_wrapper', 'load_from', 'stage1_config')


def train(cfg: Config,
          work_dir: Optional[str] = None,
          resume: bool = False,
          amp: bool = False,
          options: Optional[dict] = None,
          launcher: str = 'none') -> Runner:
    """Trains a config; where it names a ``stage1_config``, trains that first if needed.

    Stage 1 runs when ``model.feature_checkpoint`` is not set and the final checkpoint of stage 1 is
    missing. It works in ``work_dirs/<stage-1 config>``, shared by all configs of a task, or inside
    ``work_dir`` if that is given.

    Args:
        cfg (Config): The config, as loaded from its file.
        work_dir (str | None): Folder for logs and checkpoints; ``work_dirs/<config>`` by default.
        resume (bool): Whether to continue from the latest checkpoint. Defaults to False.
        amp (bool): Whether to train with mixed precision. Defaults to False.
        options (dict | None): Overrides, as ``key.key=value`` pairs; stage 1 gets them, too,
            except those under ``model`` and ``optim_wrapper`` and what it does not have.
        launcher (str): Job launcher of MMEngine's Runner. Defaults to ``'none'``.

    Returns:
        Runner: The finished runner of the config.

    Raises:
        SystemExit: If Ctrl-C or SIGTERM stopped it; it has saved a checkpoint.
    """
    options = options or {}
    merge_options(cfg, options)
    check_config(cfg, 'train')
    check_monitored(cfg)
    given_work_dir = work_dir or cfg.get('work_dir')
    name = osp.splitext(osp.basename(cfg.filename))[0]
    cfg.work_dir = given_work_dir or osp.join('work_dirs', name)
    stage1_config = cfg.get('stage1_config')
    if stage1_config and cfg.model.get('feature_checkpoint') is None:
        stage1 = Config.fromfile(osp.join(osp.dirname(cfg.filename), stage1_config))
        stage1_name = osp.splitext(osp.basename(stage1_config))[0]
        stage1_dir = osp.join(given_work_dir or 'work_dirs', stage1_name)
        shared = {
            key: value
            for key, value in options.items() if key.split('.')[0] not in _OWN_SETTINGS
            and stage1.get(key.split('.')[0]) is not None  # such as its absent validation
        }
        cfg.model.feature_checkpoint = _stage1_checkpoint(stage1, stage1_dir, shared, resume, amp,
                                                          launcher)
    return _run(cfg, resume, amp, launcher)


def _stage1_checkpoint(cfg: Config, work_dir: str, options: dict, resume: bool, amp: bool,
                       launcher: str) -> str:
    merge_options(cfg, options)
    check_config(cfg, 'train')
    checkpoint = osp.join(work_dir, f'iter_{cfg.train_cfg.max_iters}.pth')
    exists = osp.isfile(checkpoint)
    if exists and is_intact(checkpoint):
        print_log(f'Stage 1 is done: {checkpoint}', 'current')
    else:
        print_log(f'Stage 1: {cfg.filename} trains the feature networks in {work_dir}', 'current')
        cfg.work_dir = work_dir
        _run(cfg, resume or exists, amp, launcher)  # of a damaged end, the last iterations only
        print_log(f'Stage 1 ends with {checkpoint}; stage 2 starts', 'current')
    return checkpoint


def _run(cfg: Config, resume: bool, amp: bool, launcher: str) -> Runner:
    cfg.launcher = launcher
    cfg.resume = resume or cfg.get('resume', False)
    if cfg.resume and cfg.get('load_from') is None:
        cfg.load_from = newest_checkpoint(cfg.work_dir)
        cfg.resume = cfg.load_from is not None
    if amp:
        enable_amp(cfg)
    if cfg.get('default_hooks', {}).get('checkpoint', {}).get('max_keep_ckpts') == 1:
        raise ValueError('default_hooks.checkpoint.max_keep_ckpts=1: MMEngine deletes the old '
                         'checkpoint before it writes the new one, so that a crash could leave '
                         'none; keep 2 or more, or -1 for all.')
    with naming_the_setting(cfg), full_disk_explained(cfg.work_dir):
        runner = Runner.from_cfg(cfg)
        start = time.perf_counter()
        try:
            runner.train()
        finally:
            # Also of a training that was stopped: the one that resumes it adds its own.
            if runner.iter and is_main_process():
                _write_cost(cfg, time.perf_counter() - start)
    return runner


def _cpu_computes_in_bfloat16() -> bool:
    """Whether it does; True also where an older PyTorch cannot tell, for this only warns."""
    if not hasattr(torch.cpu, 'get_capabilities'):
        return True
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ('avx512_bf16', 'amx_bf16', 'bf16'))


def _write_cost(cfg: Config, seconds: float) -> None:
    """Writes what a training took: seconds of this stage and of both, peak memory in MB."""
    before = _read_cost(cfg.work_dir) if cfg.resume else {}
    stage1 = _read_cost(osp.dirname(cfg.model.get('feature_checkpoint') or ''))
    stage_seconds = before.get('stage_seconds', 0.) + seconds
    # The peak of the process: stage 1's is in it if it ran in the same. Kilobytes on Linux.
    peak_rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    write_json(
        dict(stage_seconds=stage_seconds,
             train_seconds=stage_seconds + stage1.get('stage_seconds', 0.),
             peak_rss_mb=max(peak_rss_mb, before.get('peak_rss_mb', 0.))),
        osp.join(cfg.work_dir, COST_FILE))


def _read_cost(work_dir: str) -> dict:
    path = osp.join(work_dir, COST_FILE)
    return load(path) if osp.isfile(path) else {}


def enable_amp(cfg: Config) -> None:
    """Switches the optimiser wrapper, or every side of it, to mixed precision.

    Args:
        cfg (Config): Config whose wrappers have ``type='OptimWrapper'``; changed in place.

    Raises:
        ValueError: If one has another type.
    """
    # MMEngine's AmpOptimWrapper asserts an accelerator and scales losses, which bfloat16 on a CPU
    # does not need.
    wrapper = dict(type='AmpOptimWrapper', loss_scale='dynamic')
    if get_device() == 'cpu':
        wrapper = dict(type='mmagic.AutocastOptimWrapper')
        if not _cpu_computes_in_bfloat16():
            print_log('This CPU has no bfloat16 instructions (avx512_bf16, amx_bf16; bf16 on Arm) '
                      'and emulates them: with --amp the training is many times slower than '
                      'without.', 'current', level=logging.WARNING)
    if 'optimizer' in cfg.optim_wrapper:
        wrappers = dict(optim_wrapper=cfg.optim_wrapper)
    else:
        wrappers = {
            f'optim_wrapper.{side}': side_cfg
            for side, side_cfg in cfg.optim_wrapper.items() if isinstance(side_cfg, dict)
        }
    for name, wrapper_cfg in wrappers.items():
        if wrapper_cfg.get('type') != 'OptimWrapper':
            raise ValueError(f"--amp needs {name}.type='OptimWrapper', got "
                             f'{wrapper_cfg.get("type")!r}')
        wrapper_cfg.update(wrapper)
