# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Training of both stages, as tools/train.py runs it, on a tiny model and real files."""
import importlib
import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tiny_data import tiny_model_options, tiny_options, write_tiny_digits
from tiny_training import CONFIGS, configs, data_root, run

from egscit_mm.apis.train import enable_amp, train
from egscit_mm.utils.errors import UserError

__all__ = ['configs', 'data_root']


class KillError(Exception):
    """Stands for a kill."""


class StopHook(Hook):
    """Kills the training after an iteration."""

    def __init__(self, after):
        self.after = after

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.after:
            raise KillError


def test_both_stages_with_one_call(configs, data_root, tmp_path, monkeypatch):
    work_dir = tmp_path / 'work'
    runner = run(configs, work_dir, data_root)

    assert runner.iter == 4
    stage1 = torch.load(work_dir / 'vaegan_mnist_single' / 'iter_4.pth', weights_only=True)
    stage2 = torch.load(work_dir / 'iter_4.pth', weights_only=True)
    for key, value in stage1['state_dict'].items():
        if key.startswith('generators.encoders.'):
            kept = key.replace('generators.encoders', 'generators.feature_networks')
            assert torch.equal(stage2['state_dict'][kept], value)
    assert bool(stage2['state_dict']['generators.features_loaded'])

    log = json.loads((work_dir / 'training.json').read_text())
    assert log['train_seconds'] > log['stage_seconds'] > 0
    scalars = [
        json.loads(line)
        for line in next(work_dir.glob('*/vis_data/scalars.json')).read_text().splitlines()
    ]
    logged = {key for row in scalars for key in row}
    assert {
        'loss_d', 'loss_g', 'loss_gan_d_A', 'loss_gan_g_B', 'loss_reconstruction_A', 'loss_kl_B',
        'loss_cycle_A2B', 'loss_cycle_kl_B2A', 'loss_content_A2B', 'loss_style_B2A',
        'ssim_ground_truth/A2B_mean', 'ssim_exemplar/B2A_std', 'ceiling_exemplar/A2B_mean'
    } <= logged
    pictures = {path.name for path in work_dir.glob('*/vis_data/vis_image/*.png')}
    assert pictures == {'translation_A2B_4.png', 'translation_B2A_4.png'}

    # The schedule: lr * (1 - t / T)^0.9 at t = 0 .. 3, as the log shows it.
    rates = [row['generators.lr'] if 'generators.lr' in row else row['lr']
             for row in scalars if 'loss_g' in row]
    lr = Config.fromfile(configs).optim_wrapper.generators.optimizer.lr
    assert rates == pytest.approx([lr * (1 - t / 4)**0.9 for t in range(4)], rel=1e-6)

    # A second call finds both stages done: stage 1 is not trained again.
    before = (work_dir / 'vaegan_mnist_single' / 'iter_4.pth').stat().st_mtime_ns
    run(configs, work_dir, data_root, resume=True)
    assert (work_dir / 'vaegan_mnist_single' / 'iter_4.pth').stat().st_mtime_ns == before

    (work_dir / 'training.json').write_text('{"train_')
    monkeypatch.setattr(Runner, 'train', lambda self: pytest.fail('trained'))
    with pytest.raises(UserError, match='training.json is damaged: delete it and run again'):
        run(configs, work_dir, data_root, resume=True)


@pytest.mark.parametrize('stage', [1, 2])
def test_resume_in_either_stage(configs, data_root, tmp_path, monkeypatch, stage):
    work_dir = tmp_path / 'work'
    from_cfg = Runner.from_cfg.__func__
    built = []

    def from_cfg_with_kill(cls, cfg):
        runner = from_cfg(cls, cfg)
        built.append(runner)
        if len(built) == stage:
            runner.register_hook(StopHook(after=3), priority='LOWEST')
        return runner

    monkeypatch.setattr(Runner, 'from_cfg', classmethod(from_cfg_with_kill))
    with pytest.raises(KillError):
        run(configs, work_dir, data_root)
    monkeypatch.setattr(Runner, 'from_cfg', classmethod(from_cfg))

    starts = []
    resume = Runner.resume
    monkeypatch.setattr(Runner, 'resume', lambda self, *args, **kwargs: starts.append(
        (Path(self.work_dir).name, resume(self, *args, **kwargs), self.iter)))
    if stage == 2:
        # Resuming needs the stage-1 weights no more: they are in the checkpoint.
        (work_dir / 'vaegan_mnist_single' / 'iter_4.pth').write_bytes(b'')
        runner = run(configs, work_dir, data_root, resume=True,
                     options={'model.feature_checkpoint': str(tmp_path / 'gone.pth')})
    else:
        runner = run(configs, work_dir, data_root, resume=True)
    assert starts == [('vaegan_mnist_single' if stage == 1 else 'work', None, 2)]
    assert runner.iter == 4
    assert (work_dir / 'iter_4.pth').is_file()


@pytest.mark.parametrize('stage', ['vaegan_mnist_single', ''])
def test_a_second_training_in_the_same_folder(configs, data_root, tmp_path, monkeypatch, stage):
    monkeypatch.setattr(sys.modules['egscit_mm.apis.train'], 'LOCK_PATIENCE', 0)
    work_dir = tmp_path / 'work'
    folder = work_dir / stage
    folder.mkdir(parents=True)
    with FileLock(folder / '.training.lock'):
        with pytest.raises(UserError, match=f'another training writes to {folder} at this moment'):
            run(configs, work_dir, data_root)
    assert not list(folder.glob('*.pth'))

    assert run(configs, work_dir, data_root, resume=True).iter == 4  # now nobody does


def test_options_of_the_model_stay_in_their_stage(configs, data_root, tmp_path):
    runner = run(configs, tmp_path / 'work', data_root, iters=2,
                 options={'model.generator.eta': 0.25})
    assert runner.model.generators.eta == 0.25


def test_options_that_do_not_fit_stage1(configs, data_root, tmp_path, monkeypatch):
    module = importlib.import_module('egscit_mm.apis.train')
    cfg = Config.fromfile(configs)
    cfg.param_scheduler = [dict(type='ConstantLR', by_epoch=False, end=2), *cfg.param_scheduler]
    cfg.dump(configs)
    seen, lines = [], []
    monkeypatch.setattr(module, '_run', lambda cfg, *args: seen.append(cfg))
    monkeypatch.setattr(module, '_stage1_checkpoint', lambda stage1, *args: seen.append(stage1))
    monkeypatch.setattr(module, 'print_log', lambda text, *args: lines.append(text))
    run(configs, tmp_path / 'work', data_root, options={
        'param_scheduler.1.power': 2, 'param_scheduler.0.end': 3,
        'default_hooks.checkpoint.save_best': 'ssim_ground_truth/A2B_mean',
        'default_hooks.checkpoint.rule': 'greater', 'custom_hooks': [dict(
            type='EarlyStoppingHook', monitor='ssim_ground_truth/A2B_mean', rule='greater')]})
    stage1, stage2 = seen
    assert len(stage1.param_scheduler) == 1 and stage1.param_scheduler[0].end == 3
    assert stage1.custom_hooks[0].type == 'TranslationGridHook'
    assert 'save_best' not in stage1.default_hooks.checkpoint
    assert stage2.param_scheduler[1].power == 2 and len(stage2.custom_hooks) == 1
    line, = [line for line in lines if 'in stage 2 alone' in line]
    for name in ('param_scheduler.1.power', 'save_best', 'custom_hooks', 'val_dataloader'):
        assert name in line
    assert 'param_scheduler.0' not in line


def test_mixed_precision_on_the_cpu(configs, data_root, tmp_path):
    runner = run(configs, tmp_path / 'work', data_root, iters=2, amp=True)
    for side in ('generators', 'discriminators'):
        assert type(runner.optim_wrapper[side]).__name__ == 'AutocastOptimWrapper'
    assert all(p.dtype == torch.float32 for p in runner.model.parameters())


@pytest.mark.parametrize('capabilities, warns', [
    (dict(avx2=True, avx512_bf16=False), True),
    (dict(avx512_bf16=True), False),
    (dict(amx_bf16=True), False),
    (dict(neon=True, bf16=True), False),
    (None, False),
])
@pytest.mark.skipif(get_device() != 'cpu', reason='there is an accelerator')
def test_amp_on_a_cpu_that_emulates_bfloat16(monkeypatch, capabilities, warns):
    messages = []
    if capabilities is None:  # torch 2.6
        monkeypatch.delattr('torch.cpu.get_capabilities', raising=False)
    else:
        monkeypatch.setattr('torch.cpu.get_capabilities', lambda: capabilities, raising=False)
    # Not by its dotted name: egscit_mm.apis.train is the function.
    monkeypatch.setattr(sys.modules[train.__module__], 'print_log',
                        lambda message, *args, **kwargs: messages.append(message))
    enable_amp(Config(dict(optim_wrapper=dict(
        constructor='AlternatingOptimWrapperConstructor', generators=dict(type='OptimWrapper')))))
    assert any('many times slower' in message for message in messages) == warns


def test_amp_refuses_other_wrappers():
    cfg = Config(dict(optim_wrapper=dict(
        constructor='AlternatingOptimWrapperConstructor', generators=dict(type='ApexWrapper'))))
    with pytest.raises(ValueError, match='optim_wrapper.generators.type'):
        enable_amp(cfg)


def test_stage1_of_another_width_is_refused(configs, data_root, tmp_path):
    work_dir = tmp_path / 'work'
    run(configs, work_dir, data_root, iters=2)
    stage1 = work_dir / 'vaegan_mnist_single' / 'iter_2.pth'
    with pytest.raises(ValueError, match='another architecture'):
        run(configs, tmp_path / 'other', data_root, iters=2, options={
            'model.feature_checkpoint': str(stage1), 'model.generator.encoder.base_channels': 8,
            'model.generator.decoder.base_channels': 8})


def test_batch_that_does_not_divide(configs, data_root, tmp_path):
    # Stage 2 needs a multiple of 6: stage 1, which trains first, could do with 8.
    with pytest.raises(ValueError, match='batch of 8 cannot be split into 6 minibatches'):
        run(configs, tmp_path / 'work', data_root, options={'train_dataloader.batch_size': 8})
    assert not [*tmp_path.rglob('*.pth')]


def munit(data, **options):
    """Config of a training in one stage."""
    cfg = Config.fromfile(CONFIGS / 'munit_mnist_single.py')
    cfg.merge_from_dict({**tiny_model_options('munit'), **tiny_options(data, 2, validate=True),
                         'train_cfg.val_interval': 2, **options})
    return cfg


def test_a_validation_that_lacks_something_is_refused_before_the_first_iteration(
        tmp_path, monkeypatch):
    """Not at the first validation, thousands of iterations after the start."""
    data = write_tiny_digits(tmp_path / 'data')
    shutil.rmtree(data / 'testA2B')
    monkeypatch.setattr('egscit_mm.models.MUNIT.train_step', lambda *args: pytest.fail('started'))
    with pytest.raises(UserError, match=f'gt_A2B.*{data}/testA2B'):
        train(munit(data), str(tmp_path / 'work'))


def test_a_validation_on_two_data_sets(data_root, tmp_path):
    cfg = munit(data_root)
    cfg.val_dataloader = [cfg.val_dataloader, cfg.val_dataloader]
    cfg.val_evaluator = [dict(type='Evaluator', metrics=[dict(type='ExemplarSSIM', prefix=name)])
                         for name in ('x', 'y')]
    cfg.default_hooks.checkpoint.update(save_best='y/ssim_exemplar/A2B_mean', rule='greater')
    train(cfg, str(tmp_path))
    assert len(list(tmp_path.glob('best_y*iter_2.pth'))) == 1
