# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import pickle
import random
from itertools import islice

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from torch.utils.data import DataLoader, Dataset

from egscit_mm.datasets.seeded_sampler import SeededIndex, SeededInfiniteSampler
from egscit_mm.utils.seeding import seed_generators


def first(sampler, number):
    return [(int(index), index.place) for index in islice(sampler, number)]


def of_rank(rank, world_size, monkeypatch, size=7, **kwargs):
    monkeypatch.setattr('egscit_mm.datasets.seeded_sampler.get_dist_info',
                        lambda: (rank, world_size))
    return SeededInfiniteSampler(range(size), **kwargs)


def test_every_pass_holds_every_sample_in_an_order_of_its_own():
    drawn = [index for index, _ in first(SeededInfiniteSampler(range(50), seed=3), 150)]
    passes = [drawn[start:start + 50] for start in (0, 50, 100)]
    assert all(sorted(order) == list(range(50)) for order in passes)
    assert passes[0] != passes[1] != passes[2] != list(range(50))


def test_seeds_and_places():
    stream = first(SeededInfiniteSampler(range(7), seed=3), 20)
    assert [place for _, place in stream] == [(3, number) for number in range(20)]
    assert stream == first(SeededInfiniteSampler(range(7), seed=3), 20)
    other = first(SeededInfiniteSampler(range(7), seed=4), 20)
    assert [index for index, _ in stream] != [index for index, _ in other]


def test_without_shuffling():
    drawn = first(SeededInfiniteSampler(range(3), shuffle=False, seed=0), 7)
    assert [index for index, _ in drawn] == [0, 1, 2, 0, 1, 2, 0]


def test_it_starts_anywhere():
    sampler = SeededInfiniteSampler(range(7), seed=3)
    stream = first(sampler, 100)
    sampler.start_at(3, 45)
    assert first(sampler, 55) == stream[45:]


@pytest.mark.parametrize('start', [0, 5])
def test_ranks_share_one_stream(monkeypatch, start):
    stream = first(SeededInfiniteSampler(range(7), seed=3), 3 * 20)
    ranks = [of_rank(rank, 3, monkeypatch, seed=3) for rank in range(3)]
    for sampler in ranks:
        sampler.start_at(3, start)
    parts = [first(sampler, 20 - start) for sampler in ranks]
    assert [sample for turn in zip(*parts) for sample in turn] == stream[3 * start:]


def test_an_empty_dataset_is_refused():
    with pytest.raises(ValueError, match='empty'):
        SeededInfiniteSampler([])


def test_an_index_travels_to_a_worker():
    index = pickle.loads(pickle.dumps(SeededIndex(4, 1, 9)))
    assert index == 4 and index.place == (1, 9)


class Drawn(Dataset):
    """What the three generators draw for a sample."""

    def __len__(self):
        return 5

    def __getitem__(self, index):
        index.seed_generators()
        return [random.random(), np.random.random(), torch.rand(()).item()]


@pytest.mark.parametrize('wrapper', [
    lambda dataset: ConcatDataset([dataset, dataset]), lambda dataset: RepeatDataset(dataset, 2)])
def test_it_reaches_a_dataset_inside_mmengines_wrappers(wrapper):
    class Places(BaseDataset):
        def load_data_list(self):
            return [dict(number=number) for number in range(3)]

        def prepare_data(self, idx):
            return int(idx), idx.place

    dataset = wrapper(Places())
    for index in (1, 4):  # in the first and the second half
        assert dataset[SeededIndex(index, 7, 8)] == (1, (7, 8))


def test_workers_change_nothing():
    batches = []
    for workers in (0, 3):
        sampler = SeededInfiniteSampler(Drawn(), seed=0)
        loader = DataLoader(Drawn(), 2, sampler=sampler, num_workers=workers, collate_fn=list)
        batches.append(list(islice(loader, 6)))
    assert batches[0] == batches[1]
    numbers = [number for batch in batches[0] for sample in batch for number in sample]
    assert len(set(numbers)) == len(numbers) == 36


def test_places_that_differ_anywhere_give_other_numbers():
    drawn = set()
    for place in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 1 << 40)]:
        seed_generators(*place)
        drawn |= {random.random(), np.random.random(), torch.rand(()).item()}
    assert len(drawn) == 15


def test_a_sample_seeds_the_cpu_alone_with_the_same_numbers(monkeypatch):
    seed_generators(3, 45)
    expected = [random.random(), np.random.random(), torch.rand(()).item()]
    assert Drawn()[SeededIndex(0, 3, 45)] == expected
    seeded = []
    monkeypatch.setattr(torch.cuda, 'manual_seed_all', seeded.append)
    SeededIndex(0, 3, 45).seed_generators()
    assert not seeded
    seed_generators(3, 45)
    assert len(seeded) == 1
