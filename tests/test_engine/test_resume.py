# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What a resumed training takes from the command, the config, its folder and the checkpoint."""
import logging
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from tiny_training import configs, data_root, run

from egscit_mm.engine.resume import checkpoints, newest_checkpoint

__all__ = ['configs', 'data_root']

RATE = 'optim_wrapper.generators.optimizer.lr'


@pytest.fixture(scope='module')
def trained(tmp_path_factory, data_root):
    """A work dir with four iterations of both stages, and its config."""
    folder = tmp_path_factory.mktemp('trained')
    config = configs.__wrapped__(folder)
    run(config, folder / 'work', data_root)
    return config, folder / 'work'


@pytest.fixture
def copied(trained, tmp_path):
    """The same, to train on in."""
    config, work_dir = trained
    shutil.copytree(work_dir, tmp_path / 'work')
    return config, tmp_path / 'work'


@pytest.fixture
def messages(monkeypatch):
    """What the training logs."""
    found = []
    handle = logging.Logger.handle

    def note(self, record):
        found.append(record.getMessage())
        handle(self, record)

    monkeypatch.setattr(logging.Logger, 'handle', note)
    return found


def rates(runner, side='generators', key='lr'):
    return {group[key] for group in runner.optim_wrapper[side].param_groups}


def state(path):
    return torch.load(path, weights_only=True)


@pytest.mark.parametrize('in_config', [True, False])
def test_load_from_is_for_the_start(copied, data_root, tmp_path, in_config):
    config, work_dir = copied
    pretrained = tmp_path / 'pretrained.pth'
    torch.save({**state(work_dir / 'iter_2.pth'), 'message_hub': {}}, pretrained)
    options = {'load_from': str(pretrained)}
    if in_config:
        options['resume'] = True
    (work_dir / 'iter_4.pth').unlink()
    weights = state(work_dir / 'iter_2.pth')
    before = (work_dir / 'iter_2.pth').stat().st_mtime_ns
    runner = run(config, work_dir, data_root, resume=not in_config, options=options)
    assert runner.iter == 4 and (work_dir / 'iter_2.pth').stat().st_mtime_ns == before
    assert runner._load_from == str(work_dir / 'iter_2.pth')
    assert weights['meta']['iter'] == 2


def test_load_from_where_nothing_is_to_be_resumed(copied, data_root, tmp_path, monkeypatch):
    config, work_dir = copied
    loaded = []
    load = Runner.load_checkpoint
    monkeypatch.setattr(Runner, 'load_checkpoint', lambda self, path, **kwargs: (
        loaded.append(path) or load(self, path, **kwargs)))
    pretrained = str(work_dir / 'iter_4.pth')
    stage1 = str(work_dir / 'vaegan_mnist_single' / 'iter_4.pth')
    runner = run(config, tmp_path / 'new', data_root, resume=True, options={
        'load_from': pretrained, 'model.feature_checkpoint': stage1})
    assert loaded == [pretrained] and runner.iter == 4
    # From iteration 0: the first of the new folder's checkpoints is of iteration 2.
    assert sorted(checkpoints(runner.cfg)) == [2, 4]


@pytest.mark.parametrize('option, value, key', [
    (RATE, 1e-6, 'lr'),
    ('optim_wrapper.generators.optimizer.betas', (0.9, 0.99), 'betas'),
    ('optim_wrapper.generators.optimizer.weight_decay', 0.25, 'weight_decay'),
    ('optim_wrapper.generators.optimizer.eps', 1e-3, 'eps'),
])
def test_changed_settings_hold(copied, data_root, messages, option, value, key):
    config, work_dir = copied
    (work_dir / 'iter_4.pth').unlink()
    old = state(work_dir / 'iter_2.pth')['optimizer']['generators']
    runner = run(config, work_dir, data_root, iters=4, resume=True, options={option: value})
    if key == 'lr':  # after the last update: the schedule is at its end, but where it starts tells
        assert rates(runner, key='initial_lr') == {value}
        saved = state(work_dir / 'iter_4.pth')['param_schedulers']['generators'][0]
        assert saved['base_values'] == [value]
    else:
        assert rates(runner, key=key) == {value}
    was = old['param_groups'][0]['initial_lr' if key == 'lr' else key]
    assert any(option in text and repr(value) in text and repr(was) in text for text in messages)
    # The state of the optimiser is the checkpoint's: two more steps were counted, from two.
    steps = {int(entry['step']) for entry in
             runner.optim_wrapper['generators'].optimizer.state_dict()['state'].values()}
    assert steps == {4 * 5}
    # What was not changed is not logged.
    assert not any('of the config holds' in text and option not in text for text in messages)


def test_the_rate_of_the_next_update(copied, data_root, monkeypatch):
    """Not only in the books: the first update after resuming is made with the new rate."""
    config, work_dir = copied
    (work_dir / 'iter_4.pth').unlink()
    used = []
    step = torch.optim.Adam.step
    monkeypatch.setattr(torch.optim.Adam, 'step', lambda self, *args, **kwargs: (
        used.append(self.param_groups[0]['lr']), step(self, *args, **kwargs))[1])
    run(config, work_dir, data_root, resume=True, options={
        RATE: 1e-6, RATE.replace('generators', 'discriminators'): 1e-6})
    assert used[:6] == pytest.approx([1e-6 * (1 - 2 / 4)**0.9] * 6)


def test_other_schedules_keep_their_share(copied, data_root, tmp_path):
    """MMEngine's schedules multiply the present rate: it starts anew from the config's."""
    config, _ = copied
    schedule = [dict(type='MultiStepLR', by_epoch=False, milestones=[1], gamma=0.1)]
    cfg = Config.fromfile(config)
    cfg.param_scheduler = schedule
    cfg.dump(config.with_name('egscit_steps.py'))
    work_dir = tmp_path / 'steps'
    run(config.with_name('egscit_steps.py'), work_dir, data_root, iters=2)
    runner = run(config.with_name('egscit_steps.py'), work_dir, data_root, iters=4, resume=True,
                 options={RATE: 1e-3, 'train_cfg.max_iters': 4,
                          'model.feature_checkpoint': str(
                              work_dir / 'vaegan_mnist_single' / 'iter_2.pth')})
    assert [*rates(runner)] == [pytest.approx(1e-4)]


def test_another_optimiser_is_refused(copied, data_root):
    config, work_dir = copied
    (work_dir / 'iter_4.pth').unlink()
    with pytest.raises(ValueError, match='optim_wrapper.discriminators.optimizer.type is RMSprop'):
        run(config, work_dir, data_root, resume=True, options={
            'optim_wrapper.discriminators.optimizer': dict(_delete_=True, type='RMSprop', lr=1e-4)})


@pytest.mark.parametrize('kind', ['AdamW', 'Adamax', 'NAdam'])
@pytest.mark.parametrize('is_old', [False, True])
def test_so_is_one_with_the_same_settings(copied, data_root, kind, is_old):
    config, work_dir = copied
    (work_dir / 'iter_4.pth').unlink()
    if is_old:
        if kind == 'Adamax':
            pytest.skip('its settings are among those of Adam')
        checkpoint = state(work_dir / 'iter_2.pth')
        del checkpoint['meta']['optimizer_types']
        torch.save(checkpoint, work_dir / 'iter_2.pth')
    with pytest.raises(ValueError, match=f'optim_wrapper.generators.optimizer.type is {kind}'):
        run(config, work_dir, data_root, resume=True, options={
            'optim_wrapper.generators.optimizer': dict(_delete_=True, type=kind, lr=1e-4)})


def test_an_average_is_not_dropped(copied, data_root):
    config, work_dir = copied
    (work_dir / 'iter_4.pth').unlink()
    with pytest.raises(ValueError, match='cannot be resumed: .* model.ema_config is None'):
        run(config, work_dir, data_root, resume=True, options={'model.ema_config': None})


def test_other_trained_parameters_are_refused(copied, data_root):
    config, work_dir = copied
    (work_dir / 'iter_4.pth').unlink()
    with pytest.raises(ValueError, match='its state cannot be continued'):
        run(config, work_dir, data_root, resume=True,
            options={'model.frozen_modules': ['generators.encoders.A']})


def test_a_used_folder_is_refused(copied, data_root, messages):
    config, work_dir = copied
    before = {path: path.read_bytes() for path in work_dir.rglob('*.pth')}
    for iters in (2, 4, 6):
        with pytest.raises(ValueError, match='--resume.*--work-dir.*--overwrite'):
            run(config, work_dir, data_root, iters=iters)
    assert {path: path.read_bytes() for path in work_dir.rglob('*.pth')} == before

    runner = run(config, work_dir, data_root, iters=2, overwrite=True)
    assert sorted(checkpoints(runner.cfg)) == [2]
    assert any('checkpoints of an earlier training were removed' in text for text in messages)
    assert run(config, work_dir, data_root, iters=4, resume=True).iter == 4


@pytest.mark.parametrize('before, after', [(None, 'elsewhere'), ('elsewhere', None)])
def test_overwrite_with_another_folder(configs, data_root, tmp_path, messages, before, after):
    """Checkpoints of the earlier training are removed, or their folder is named."""
    stage1 = {}

    def train_in(folder, iters, **kwargs):
        options = {**stage1, 'default_hooks.checkpoint.interval': 1,
                   'default_hooks.checkpoint.out_dir': folder and str(tmp_path / folder)}
        return run(configs, tmp_path / 'work', data_root, iters=iters, options=options, **kwargs)

    train_in(before, 2)
    path = tmp_path / (before or '') / 'work'
    stage1['model.feature_checkpoint'] = str(path / 'vaegan_mnist_single' / 'iter_2.pth')
    if before:
        stage1['model.feature_checkpoint'] = str(
            tmp_path / before / 'vaegan_mnist_single' / 'iter_2.pth')
    assert (path / 'iter_2.pth').is_file()
    if before is None:
        with pytest.raises(ValueError, match='holds checkpoints of an earlier training'):
            train_in(after, 1)
    train_in(after, 1, overwrite=True)
    new = tmp_path / (after or '') / 'work'
    assert [entry.name for entry in new.glob('iter_*.pth')] == ['iter_1.pth']
    if before is None:
        assert not [*path.glob('iter_*.pth')]
    else:
        assert any(str(path / 'iter_2.pth') in text and 'is left' in text for text in messages)


def test_overwrite_of_a_run_that_cannot_start(copied, data_root):
    config, work_dir = copied
    with pytest.raises(ValueError):
        run(config, work_dir, data_root, overwrite=True, options={'model.generator.eta': 5})
    assert (work_dir / 'iter_4.pth').is_file()


def test_resume_and_overwrite(copied, data_root):
    config, work_dir = copied
    with pytest.raises(ValueError, match='give one of them'):
        run(config, work_dir, data_root, resume=True, overwrite=True)


def test_resume_of_a_longer_training(copied, data_root):
    config, work_dir = copied
    with pytest.raises(ValueError, match=r'iter_4.pth is beyond .*train_cfg.max_iters=2'):
        run(config, work_dir, data_root, iters=2, resume=True)


def test_stage1_in_a_used_folder(copied, data_root):
    """A stage 1 that was interrupted is not mixed with a new one either."""
    config, work_dir = copied
    for path in (work_dir / 'vaegan_mnist_single' / 'iter_4.pth', *work_dir.glob('iter_*.pth')):
        path.unlink()
    with pytest.raises(ValueError, match='vaegan_mnist_single holds checkpoints'):
        run(config, work_dir, data_root)
    assert run(config, work_dir, data_root, resume=True).iter == 4


def test_stage1_of_other_data_is_refused(copied, data_root, tmp_path):
    config, work_dir = copied
    (tmp_path / 'other').symlink_to(data_root)
    for path in work_dir.glob('iter_*.pth'):
        path.unlink()
    run(config, work_dir, tmp_path / 'other', iters=4)  # the same folder by another name
    for path in work_dir.glob('iter_*.pth'):
        path.unlink()
    cfg = Config.fromfile(config.with_name('vaegan_mnist_single.py'))
    cfg.model.generator.latent_noise = 3
    cfg.dump(config.with_name('vaegan_noise.py'))
    (work_dir / 'vaegan_mnist_single').rename(work_dir / 'vaegan_noise')
    with pytest.raises(ValueError, match='model.generator.latent_noise is 3, was None'):
        run(config, work_dir, data_root, options={'stage1_config': 'vaegan_noise.py'})


def test_stage2_resumes_without_stage1(copied, data_root):
    config, work_dir = copied
    (work_dir / 'iter_4.pth').unlink()
    (work_dir / 'vaegan_mnist_single' / 'iter_4.pth').unlink()
    (work_dir / 'vaegan_mnist_single' / 'iter_2.pth').unlink()
    assert run(config, work_dir, data_root, resume=True).iter == 4
    assert not [*(work_dir / 'vaegan_mnist_single').glob('*.pth')]


@pytest.mark.parametrize('options, names', [
    ({}, ['iter_2.pth', 'iter_10.pth']),
    ({'filename_tmpl': 'step{}.pth'}, ['step2.pth', 'step10.pth']),
    ({'by_epoch': True}, ['epoch_2.pth', 'epoch_10.pth']),
    ({'out_dir': 'elsewhere'}, ['iter_2.pth', 'iter_10.pth']),
])
def test_where_checkpoints_are(options, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hook = dict(dict(by_epoch=False), **options)
    cfg = Config(dict(work_dir='work', default_hooks=dict(checkpoint=hook)))
    folder = Path(options.get('out_dir', '.'), 'work')
    folder.mkdir(parents=True)
    assert newest_checkpoint(cfg) is None
    for name in names:
        torch.save({}, folder / name)
    (folder / 'iter_x.pth').write_bytes(b'')
    assert newest_checkpoint(cfg) == str(folder / names[1])
    (folder / names[1]).write_bytes(b'cut off')
    assert newest_checkpoint(cfg) == str(folder / names[0])


def test_parameter_wise_rates_hold(configs, data_root, tmp_path):
    """Groups of their own: the frozen part stays as it is, also after resuming at another rate."""
    frozen = {'optim_wrapper.generators.paramwise_cfg': dict(
        custom_keys={'generators.encoders': dict(lr_mult=0)})}
    work_dir = tmp_path / 'work'
    run(configs, work_dir, data_root, iters=2, options=frozen)
    runner = run(configs, work_dir, data_root, iters=4, resume=True, options={
        **frozen, RATE: 1e-3, 'model.feature_checkpoint': str(
            work_dir / 'vaegan_mnist_single' / 'iter_2.pth')})
    assert rates(runner, key='initial_lr') == {0, 1e-3}
    before, after = (state(work_dir / f'iter_{i}.pth')['state_dict'] for i in (2, 4))
    moved = {key.split('.')[1] for key in before
             if key.startswith('generators.') and not torch.equal(before[key], after[key])}
    assert 'decoders' in moved and 'encoders' not in moved


def test_frozen_modules(configs, data_root, tmp_path):
    runner = run(configs, tmp_path / 'work', data_root, iters=2, options={
        'model.frozen_modules': ['generators.encoders.A', 'generators.shared_encoder_block']})
    model = runner.model
    assert not any(p.requires_grad for p in model.generators.encoders['A'].parameters())
    assert all(p.requires_grad for p in model.generators.encoders['B'].parameters())
    trained = {id(p) for group in runner.optim_wrapper['generators'].param_groups
               for p in group['params']}
    assert not trained & {id(p) for p in model.generators.encoders['A'].parameters()}


@pytest.mark.parametrize('name, why', [
    ('generators.encoders.C', 'does not exist'),
    ('generators.feature_networks', 'has nothing to train'),
])
def test_frozen_modules_that_are_none(configs, data_root, tmp_path, name, why):
    with pytest.raises(ValueError, match=f'{name!r}, which {why}.*generators.encoders'):
        run(configs, tmp_path / 'work', data_root, options={'model.frozen_modules': [name]})
    assert not [*tmp_path.rglob('*.pth')]


def test_a_longer_training_is_logged_in_the_users_words(copied, data_root, messages):
    config, work_dir = copied
    assert run(config, work_dir, data_root, iters=6, resume=True).iter == 6
    assert any('PolyDecayLR.end: 6 of the config holds; the checkpoint was trained with 4' in text
               for text in messages)


def test_networks_that_compute_otherwise_are_logged(copied, data_root, messages):
    config, work_dir = copied
    run(config, work_dir, data_root, iters=5, resume=True)
    assert not any('model.generator' in text for text in messages)
    run(config, work_dir, data_root, iters=6, resume=True, options={'model.generator.eta': 0.9})
    assert any('model.generator.eta is 0.9 in the config; the checkpoint was trained with 0.5'
               in text for text in messages)
