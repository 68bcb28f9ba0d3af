# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from egscit_mm.engine import PolyDecayLR

RATES = dict(generators=1e-3, discriminators=2e-2)


class RateRecorder(BaseModel):
    """Two sides, updated as in EGSC-IT; notes the rates of every iteration."""

    def __init__(self):
        super().__init__()
        self.generators = nn.Linear(1, 1)
        self.discriminators = nn.Linear(1, 1)
        self.rates = []

    def forward(self, inputs, data_samples=None, mode='tensor'):
        raise NotImplementedError

    def train_step(self, data, optim_wrapper):
        rates = optim_wrapper.get_lr()
        self.rates.append({side: rates[f'{side}.lr'][0] for side in RATES})
        for side, updates in dict(discriminators=1, generators=5).items():
            for _ in range(updates):
                optim_wrapper[side].update_params(getattr(self, side)(torch.ones(1, 1)).sum())
        return {}


def train(work_dir, max_iters, param_scheduler=None, factor=1, **kwargs):
    """Train with MMEngine's Runner, saving every iteration, and return the rates by iteration."""
    model = RateRecorder()
    runner = Runner(
        model=model,
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=list(range(4)),
            batch_size=1,
            sampler=dict(type='InfiniteSampler', shuffle=False)),
        train_cfg=dict(by_epoch=False, max_iters=max_iters),
        optim_wrapper=dict(
            constructor='AlternatingOptimWrapperConstructor',
            **{side: dict(optimizer=dict(type='SGD', lr=factor * lr))
               for side, lr in RATES.items()}),
        param_scheduler=param_scheduler or dict(type='PolyDecayLR', by_epoch=False),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1, by_epoch=False)),
        default_scope='mmagic',
        log_level='ERROR',
        experiment_name=f'{work_dir.parent.name}_{work_dir.name}',
        **kwargs)
    runner.train()
    return model.rates


def check_curve(rates, length, begin=0):
    """The rates from iteration ``begin`` on are those of the paper's schedule (A.2)."""
    assert len(rates) == length - begin
    for step, rate in enumerate(rates, begin):
        for side, lr in RATES.items():
            assert rate[side] == pytest.approx(lr * (1 - step / length)**0.9, rel=1e-9)


def test_follows_max_iters(tmp_path):
    rates = train(tmp_path / 'ten', max_iters=10)
    check_curve(rates, 10)
    # Three points by hand: 1, 0.5^0.9 and 0.1^0.9 times the initial rate.
    for step, factor in [(0, 1.), (5, 0.5358867), (9, 0.1258925)]:
        assert rates[step]['generators'] == pytest.approx(1e-3 * factor, rel=1e-6)
    check_curve(train(tmp_path / 'four', max_iters=4), 4)


@pytest.mark.parametrize('finished, begin, length', [
    (6, 4, 6),  # broken off and resumed
    (6, 4, 9),  # resumed with more iterations
    (6, 4, 5),  # with fewer
    (6, 6, 8),  # trained on after the end, where the rate was 0
])
def test_resume(finished, begin, length, tmp_path):
    train(tmp_path / 'first', finished)
    checkpoint = str(tmp_path / 'first' / f'iter_{begin}.pth')
    rates = train(tmp_path / 'second', length, load_from=checkpoint, resume=True)
    check_curve(rates, length, begin)


def test_other_arguments(tmp_path):
    # Rate by hand, with T - begin = 4: constant until 2, then eta_min + (lr - eta_min) * decay.
    scheduler = dict(type='PolyDecayLR', by_epoch=False, power=2, begin=2, eta_min=4e-4)
    rates = train(tmp_path / 'run', 6, scheduler)
    expected = [1e-3, 1e-3, 1e-3, 7.375e-4, 5.5e-4, 4.375e-4]
    assert [rate['generators'] for rate in rates] == pytest.approx(expected, rel=1e-9)


def test_linear_decay_from_half_time_follows_max_iters(tmp_path):
    scheduler = dict(type='PolyDecayLR', by_epoch=False, power=1, hold=0.5)
    for length, expected in ((8, [1, 1, 1, 1, 1, 0.75, 0.5, 0.25]), (4, [1, 1, 1, 0.5])):
        rates = train(tmp_path / str(length), length, scheduler)
        assert [rate['generators'] for rate in rates] == pytest.approx(
            [1e-3 * share for share in expected], rel=1e-9)
    # Resumed with more iterations, it goes on along the new curve.
    rates = train(tmp_path / 'resumed', 8, scheduler, resume=True,
                  load_from=str(tmp_path / '4' / 'iter_3.pth'))
    assert [rate['generators'] for rate in rates] == pytest.approx(
        [1e-3, 1e-3, 7.5e-4, 5e-4, 2.5e-4], rel=1e-9)
    with pytest.raises(ValueError, match='hold must be a share below 1, got 1'):
        PolyDecayLR(torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.), end=4, by_epoch=False,
                    hold=1)


WARM_UP = [dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=4),
           dict(type='PolyDecayLR', by_epoch=False)]


def followed(eta_min=5e-4, end=4):
    """A decay, and steps after it."""
    return [dict(type='PolyDecayLR', by_epoch=False, end=end, eta_min=eta_min, power=1),
            dict(type='MultiStepLR', by_epoch=False, begin=4, milestones=[2, 5], gamma=0.1)]


def test_beside_another_schedule(tmp_path):
    rates = [rate['generators'] for rate in train(tmp_path / 'warm_up', 8, WARM_UP)]
    warm_up = [0.01, 0.34, 0.67, 1, 1, 1, 1, 1]
    assert rates == pytest.approx(
        [1e-3 * share * (1 - step / 8)**0.9 for step, share in enumerate(warm_up)], rel=1e-9)
    rates = [rate['generators'] for rate in train(tmp_path / 'followed', 10, followed())]
    assert rates == pytest.approx(
        [1e-3, 8.75e-4, 7.5e-4, 6.25e-4, 5e-4, 5e-4, 5e-5, 5e-5, 5e-5, 5e-6], rel=1e-9)


@pytest.mark.parametrize('scheduler', [
    WARM_UP, followed(), dict(type='PolyDecayLR', by_epoch=False, power=500)])
@pytest.mark.parametrize('hooks', [[], [dict(type='ConfiguredSettingsHook')]])
@pytest.mark.parametrize('begin', [2, 8])
def test_resume_beside_another_schedule(scheduler, hooks, begin, tmp_path):
    rates = train(tmp_path / 'first', 10, scheduler)
    checkpoint = str(tmp_path / 'first' / f'iter_{begin}.pth')
    resumed = train(tmp_path / 'second', 10, scheduler, load_from=checkpoint, resume=True,
                    custom_hooks=hooks)
    assert resumed == rates[begin:]  # to the bit


@pytest.mark.parametrize('before, after, factor, length, begin', [
    (WARM_UP, WARM_UP, 1, 15, 2),
    (WARM_UP, WARM_UP, 3, 15, 8),
    (followed(), followed(2e-4), 1, 10, 8),
    (followed(0), followed(2e-4), 1, 10, 4),
    (followed(0, 6), followed(0, 9), 1, 10, 3),
    (followed(0)[:1], [dict(followed(0, 9)[0], begin=5)], 1, 10, 3),
    (followed()[:1], followed()[:1], 1, 10, 8),
    (followed(2e-4)[:1], followed(3e-4, 9)[:1], 1, 10, 6),
    (followed(2e-4, 9)[:1], followed(3e-4)[:1], 1, 10, 6),
])
def test_resume_with_other_settings(before, after, factor, length, begin, tmp_path):
    train(tmp_path / 'first', 10, before)
    expected = train(tmp_path / 'through', length, after, factor)
    resumed = train(tmp_path / 'second', length, after, factor, resume=True,
                    load_from=str(tmp_path / 'first' / f'iter_{begin}.pth'),
                    custom_hooks=[dict(type='ConfiguredSettingsHook')])
    for here, there in zip(resumed, expected[begin:], strict=True):
        assert here == pytest.approx(there, rel=1e-9)


def test_an_end_before_its_begin():
    with pytest.raises(ValueError, match='end must be an integer of at least 5, got 4'):
        PolyDecayLR(torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.), end=4, by_epoch=False,
                    begin=4)


def test_load_before_begin():
    # Another scheduler may own the rate until `begin`: loading must leave it alone.
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.)
    scheduler = PolyDecayLR(optimizer, end=10, by_epoch=False, begin=5)
    optimizer.param_groups[0]['lr'] = 0.1
    scheduler.load_state_dict(scheduler.state_dict())
    assert optimizer.param_groups[0]['lr'] == 0.1


def test_by_epoch_is_refused(tmp_path):
    # Without by_epoch in the config the Runner takes max_epochs for the length: 1.
    with pytest.raises(ValueError, match='write by_epoch=False'):
        train(tmp_path / 'run', 4, dict(type='PolyDecayLR'))
