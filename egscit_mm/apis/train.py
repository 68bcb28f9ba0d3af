# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Training of both stages from one config."""
import copy
import json
import logging
import os.path as osp
import resource
import time
from contextlib import nullcontext
from typing import Any, List, Optional

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import barrier, is_main_process
from mmengine.logging import print_log
from mmengine.runner import Runner

from ..config import (
    ConfigError,
    check_config,
    merge_options,
    naming_the_setting,
    read_config,
    stage1_path,
)
from ..engine.resume import (
    check_is_new,
    checkpoint_of,
    choose_start,
    full_disk_explained,
    is_intact,
    remove_checkpoints,
)
from ..utils.cpu import computes_in_bfloat16
from ..utils.errors import UserError
from ..utils.files import alone_in, check_folder, read_json, write_json
from .model import has_weights, model_name
from .monitored import ValidationTrialHook, check_monitored
from .stage2_check import check_stage2

# Written to the work dir at the end of a training.
COST_FILE = 'training.json'
# Beside the final checkpoint of stage 1: what it was trained with.
STAGE1_SETTINGS_FILE = 'stage1_settings.json'
LOCK_PATIENCE = 10  # seconds, in which the loaders of a killed training end

# Settings of the stage that is named, not of its stage 1.
_OWN_SETTINGS = ('model', 'optim_wrapper', 'load_from', 'stage1_config')


def train(cfg: Config,
          work_dir: Optional[str] = None,
          resume: bool = False,
          amp: bool = False,
          options: Optional[dict] = None,
          launcher: str = 'none',
          overwrite: bool = False) -> Runner:
    """Trains a config; where it names a ``stage1_config``, trains that first if needed.

    Stage 1 runs when ``model.feature_checkpoint`` is not set and the final checkpoint of stage 1 is
    missing. It works in ``work_dirs/<stage-1 config>``, shared by all configs of a task, or inside
    ``work_dir`` if that is given. Before it starts, all that stage 2 needs is built and tried.

    Args:
        cfg (Config): The config, as loaded from its file.
        work_dir (str | None): Folder for logs and checkpoints; ``work_dirs/<config>`` by default.
        resume (bool): Whether to continue from the latest checkpoint of ``work_dir``; where there
            is none the training starts, from the weights of ``load_from`` if that is set. Defaults
            to False.
        amp (bool): Whether to train with mixed precision. Defaults to False.
        options (dict | None): Overrides, as ``key.key=value`` pairs; stage 1 gets them, too,
            except those under ``model`` and ``optim_wrapper`` and what it has no place for, which
            is logged.
        launcher (str): Job launcher of MMEngine's Runner. Defaults to ``'none'``.
        overwrite (bool): Whether checkpoints of an earlier training in the same folder are removed.
            Defaults to False.

    Raises:
        ValueError: If a setting is wrong, if the folder holds checkpoints and neither ``resume``
            nor ``overwrite`` is given, if another training writes to it, or if stage 2 could not
            train on these images.
        SystemExit: If Ctrl-C or SIGTERM stopped it; it has saved a checkpoint.
    """
    options = options or {}
    merge_options(cfg, options)
    resume = resume or cfg.get('resume', False)
    given_work_dir = work_dir or cfg.get('work_dir')
    name = osp.splitext(osp.basename(cfg.filename))[0]
    cfg.work_dir = given_work_dir or osp.join('work_dirs', name)
    _prepare(cfg, resume, amp, overwrite, launcher)
    stage1_config = cfg.get('stage1_config')
    # A checkpoint of stage 2 holds the feature networks.
    if stage1_config and cfg.model.get('feature_checkpoint') is None and not cfg.resume:
        stage1 = _with_fitting(read_config(stage1_path(cfg)), options)
        stage1_name = osp.splitext(osp.basename(stage1_config))[0]
        stage1.work_dir = osp.join(given_work_dir or 'work_dirs', stage1_name)
        cfg.model.feature_checkpoint = _stage1_checkpoint(
            stage1, cfg, resume, amp, overwrite, launcher)
    return _run(cfg, overwrite)


def _with_fitting(stage1: Config, options: dict) -> Config:
    """The config with those options that are for both stages."""
    left_out = []
    for key, value in options.items():
        name = key.split('.')[0]
        if name in _OWN_SETTINGS:
            continue
        changed = copy.deepcopy(stage1)
        try:
            if stage1.get(name) is None:  # such as its absent validation
                raise ConfigError(key)
            merge_options(changed, {key: value})
            if stage1.get('val_cfg') is None:
                check_monitored(changed)  # figures that there cannot be
            stage1 = changed
        except ConfigError:
            left_out.append(f'{key}={value!r}')
    if left_out:
        print_log(f'{", ".join(left_out)}: in stage 2 alone, for stage 1, {stage1.filename}, has '
                  'no place for it', 'current')
    return stage1


def _prepare(cfg: Config, resume: bool, amp: bool, overwrite: bool, launcher: str) -> None:
    """Completes a config with the command's options; refuses what cannot be trained."""
    if not has_weights(cfg):
        raise UserError(f'{cfg.filename}: {model_name(cfg)} is not trained. Use it at once, with '
                        "'none' for its checkpoint, as in tools/test.py CONFIG none.")
    check_config(cfg, 'train')
    check_monitored(cfg)
    check_folder(cfg.work_dir, f'--work-dir {cfg.work_dir}')
    cfg.launcher = launcher
    cfg.resume = resume
    if cfg.resume and overwrite:
        raise UserError('--resume goes on with a training, --overwrite removes it: give one of '
                        'them.')
    # Also in configs that are not based on this package's.
    cfg.setdefault('default_hooks', {})
    cfg.default_hooks.setdefault('configured_settings', dict(type='mmagic.ConfiguredSettingsHook'))
    if amp:
        enable_amp(cfg)
    end = cfg.train_cfg.get('max_iters')
    if end is not None:
        cfg.train_cfg.max_iters = int(end)  # 1e4 is a way to write it
    if (cfg.default_hooks.get('checkpoint') or {}).get('max_keep_ckpts') == 1:
        raise UserError('default_hooks.checkpoint.max_keep_ckpts=1: MMEngine deletes the old '
                        'checkpoint before it writes the new one, so that a crash could leave '
                        'none; keep 2 or more, or -1 for all.')
    if cfg.resume:
        choose_start(cfg)
    if not cfg.resume and not overwrite:
        check_is_new(cfg)


def _stage1_checkpoint(cfg: Config, stage2: Config, resume: bool, amp: bool, overwrite: bool,
                       launcher: str) -> str:
    """The final checkpoint of stage 1, which is trained if need be."""
    if 'max_iters' not in cfg.train_cfg:
        raise UserError(f'{cfg.filename}: stage 1 must count iterations, for its checkpoint is '
                        'found by their number: set train_cfg.max_iters.')
    end = int(cfg.train_cfg.max_iters)
    checkpoint = str(checkpoint_of(cfg, end))
    exists = osp.isfile(checkpoint)
    settings = _stage1_settings(cfg)
    settings_file = osp.join(cfg.work_dir, STAGE1_SETTINGS_FILE)
    if exists and is_intact(checkpoint):
        before = read_json(settings_file) if osp.isfile(settings_file) else settings
        changed = _differences(settings, before)
        if changed and not overwrite:
            raise UserError(
                f'{checkpoint} was trained with other settings than this stage 1: '
                f'{"; ".join(changed)}. Choose another --work-dir, remove {cfg.work_dir}, or take '
                f'it all the same by --cfg-options model.feature_checkpoint={checkpoint}.')
        if not changed:
            print_log(f'Stage 1 is done: {checkpoint}', 'current')
            return checkpoint
    # Of a damaged end, only the last iterations are trained again.
    _prepare(cfg, resume or exists and not overwrite, amp, overwrite, launcher)
    saves = cfg.default_hooks.get('checkpoint')
    if not saves or not saves.get('save_last', True) and end % saves.get('interval', -1):
        raise UserError(f'{cfg.filename}: stage 2 needs the last checkpoint of stage 1: set '
                        'default_hooks.checkpoint.save_last=True.')
    print_log('Stage 2 is built and tried on one sample of each domain, before stage 1 starts',
              'current')
    check_stage2(stage2, cfg)
    print_log(f'Stage 1: {cfg.filename} trains the feature networks in {cfg.work_dir}', 'current')
    _run(cfg, overwrite)
    if is_main_process():
        write_json(settings, settings_file)
    print_log(f'Stage 1 ends with {checkpoint}; stage 2 starts', 'current')
    return checkpoint


def _stage1_settings(cfg: Config) -> dict:
    """What the feature networks depend on, as JSON keeps it."""
    dataset = cfg.train_dataloader.dataset.to_dict()
    if 'data_root' in dataset:
        dataset['data_root'] = osp.realpath(dataset['data_root'])
    settings = dict(model=cfg.model.to_dict(), dataset=dataset,
                    max_iters=int(cfg.train_cfg.max_iters),
                    seed=(cfg.get('randomness') or {}).get('seed'),
                    optim_wrapper=cfg.optim_wrapper.to_dict(),
                    param_scheduler=cfg.get('param_scheduler'))
    return json.loads(json.dumps(settings, default=str))


def _differences(here: Any, there: Any, path: str = '') -> List[str]:
    if isinstance(here, dict) and isinstance(there, dict):
        return [line for key in sorted(here.keys() | there.keys())
                for line in _differences(here.get(key), there.get(key), f'{path}.{key}'.strip('.'))]
    return [] if here == there else [f'{path} is {here!r}, was {there!r}']


def _run(cfg: Config, overwrite: bool) -> Runner:
    with naming_the_setting(cfg), full_disk_explained(cfg):
        runner = Runner.from_cfg(cfg)  # from here on each process knows its rank
        runner.register_hook(ValidationTrialHook(cfg))
        with alone_in(cfg.work_dir, 'training', '--work-dir', LOCK_PATIENCE) if (
                is_main_process()) else nullcontext():
            if overwrite and not cfg.resume:
                if is_main_process():
                    remove_checkpoints(cfg)
                barrier()
            # Read now, that a damaged file be refused before the training.
            earlier = _read_cost(cfg.work_dir) if cfg.resume else {}
            stage1 = _read_cost(osp.dirname(cfg.model.get('feature_checkpoint') or ''))
            start = time.perf_counter()
            try:
                runner.train()
            finally:
                # Also of a training that was stopped: the one that resumes it adds its own.
                if runner.iter and is_main_process():
                    _write_cost(cfg, time.perf_counter() - start, earlier, stage1)
    return runner


def _write_cost(cfg: Config, seconds: float, before: dict, stage1: dict) -> None:
    """Writes what a training took: seconds of this stage and of both, peak memory in MB."""
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
    return read_json(path) if osp.isfile(path) else {}


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
        if not computes_in_bfloat16():
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
            raise UserError(f"--amp needs {name}.type='OptimWrapper', got "
                            f'{wrapper_cfg.get("type")!r}')
        wrapper_cfg.update(wrapper)
