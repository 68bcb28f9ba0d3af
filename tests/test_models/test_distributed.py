# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Two processes on different data do what one process does on all of it."""
import pytest
import torch
from mmengine.model import MMSeparateDistributedDataParallel
from mmengine.runner.checkpoint import get_state_dict, load_state_dict
from tiny_models import (
    batch_part,
    changed,
    merged_batch,
    optim_wrappers,
    random_batch,
    tiny_augmented,
    tiny_cddit,
    tiny_drit,
    tiny_egscit,
    tiny_munit,
    tiny_vaegan,
)

EMA = dict(type='mmengine.ExponentialMovingAverage', momentum=0.25)
# One image per update and rank; for accumulation two. Iterations last.
CASES = {
    'vaegan': (tiny_vaegan, {}, 1, 6),
    'egscit': (tiny_egscit, dict(ema_config=EMA), 1, 6),
    'compiled': (tiny_vaegan, dict(compile=dict(backend='eager')), 1, 2),
    'unit': (tiny_egscit, dict(generator=dict(eta=1., adain=None), perceptual_loss=None), 1, 2),
    'accumulation': (tiny_egscit, {}, 2, 2),
    'munit': (tiny_munit, dict(loss_weights=dict(cycle=10.)), 1, 2),
    'drit': (tiny_drit, dict(ema_config=EMA), 1, 2),
    'augmented': (tiny_augmented, {}, 1, 2),
    'cddit': (tiny_cddit, {}, 1, 2),
}
# Whose discriminators see codes, or mixtures with generated images, that every rank draws.
RANDOM = ('augmented', 'cddit')
RANKS = 2


def built(case, seed, **changes):
    build, kwargs, counts, _ = CASES[case]
    model = build(seed, **{**kwargs, **changes}).double()
    if hasattr(model.generators, 'prior_style'):  # of the images alone, not what a rank draws
        model.generators.prior_style = lambda images: images.mean((2, 3))
        return model.eval(), counts
    model.generators.latent_noise = 0.
    return model.train(), counts


def batch_of(case, model, rank, iteration):
    """The batch that a rank sees."""
    updates = sum(getattr(model, update.steps) for update in model.updates())
    return random_batch(updates * CASES[case][2], seed=10 * iteration + rank)


def run_rank(rank, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=RANKS)
    results = {}
    for case in CASES:
        # Other weights on every rank: the wrapper must bring them together.
        model, counts = built(case, seed=rank)
        wrapped = MMSeparateDistributedDataParallel(
            model, find_unused_parameters=case == 'drit')  # as its configs have it
        wrappers = optim_wrappers(model, accumulative_counts=counts)
        for iteration in range(CASES[case][3]):
            logs = wrapped.train_step(batch_of(case, model, rank, iteration), wrappers)
        wrapped.eval()
        samples = wrapped.test_step(batch_part(batch_of(case, model, 0, 0), 0, 1))
        # As MMEngine saves and loads it: without the names of the wrappers.
        state = get_state_dict(wrapped)
        load_state_dict(wrapped, state)
        results[case] = dict(
            state=state, loss=logs['loss_g'],
            images={key: samples[0].get(key) for key in samples[0].keys()})
    results['unused'] = unused_parameters(rank)
    torch.save(results, f'{folder}/rank{rank}.pth')
    torch.distributed.destroy_process_group()


def unused_parameters(rank):
    """What a rank says of a parameter that nothing depends on, and its loss if it may be unused."""
    results = []
    for find in (False, True):
        model = tiny_egscit(rank)
        model.generators.extra = torch.nn.Linear(2, 2)
        wrapped = MMSeparateDistributedDataParallel(model, find_unused_parameters=find)
        wrappers = optim_wrappers(model)
        try:
            for iteration in range(2):
                logs = wrapped.train_step(random_batch(6, seed=iteration), wrappers)
            results.append(logs['loss_g'])
        except RuntimeError as error:
            results.append(str(error))
    return results


@pytest.fixture(scope='module')
def ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp('ranks')
    # Fork, as spawned processes would spend seconds on imports.
    torch.multiprocessing.start_processes(
        run_rank, (str(folder), ), nprocs=RANKS, start_method='fork')
    return [torch.load(folder / f'rank{rank}.pth', weights_only=True) for rank in range(RANKS)]


@pytest.fixture(scope='module')
def alone():
    """One process; the minibatch of an update is those of the ranks, one after the other."""
    results = {}
    for case in CASES:
        # Accumulation and compilation are no other update.
        model, counts = built(case, seed=0, **({'compile': False} if case == 'compiled' else {}))
        wrappers = optim_wrappers(model)
        parts = counts * sum(getattr(model, update.steps) for update in model.updates())
        for iteration in range(CASES[case][3]):
            batches = [batch_of(case, model, rank, iteration) for rank in range(RANKS)]
            logs = model.train_step(
                merged_batch([
                    batch_part(batch, part, part + 1) for part in range(parts)
                    for batch in batches
                ]), wrappers)
        results[case] = dict(state=model.state_dict(), loss=logs['loss_g'])
    return results


@pytest.mark.parametrize('case', CASES)
def test_ranks_agree(case, ranks):
    first, second = (results[case] for results in ranks)
    assert changed(first['state'], second['state']) == []
    assert not any('module.generators' in name for name in first['state'])
    assert changed(first['images'], second['images']) == []


@pytest.mark.parametrize('case', CASES)
def test_ranks_saw_different_data(case, ranks):
    assert ranks[0][case]['loss'] != ranks[1][case]['loss']


@pytest.mark.parametrize('case', [case for case in CASES if case not in RANDOM])
def test_two_processes_equal_one(case, ranks, alone):
    expected = alone[case]['state']
    state = ranks[0][case]['state']
    assert state.keys() == expected.keys()
    tolerance = 1e-10 if CASES[case][3] == 2 else 1e-6  # rounding grows with the iterations
    for name, value in expected.items():
        torch.testing.assert_close(state[name], value, rtol=0, atol=tolerance, msg=name)
    mean_loss = sum(results[case]['loss'] for results in ranks) / RANKS
    assert mean_loss == pytest.approx(alone[case]['loss'], rel=1e-5)


def test_an_unused_parameter_is_named_and_hangs_no_rank(ranks):
    for results in ranks:
        error, loss = results['unused']
        assert 'No loss depends on generators.extra.weight (2 such parameters' in error
        assert loss > 0
