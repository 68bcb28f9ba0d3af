# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""An endless sampler that can start anywhere, and samples that know their random numbers."""
from __future__ import annotations

from collections.abc import Iterator, Sized
from itertools import count
from typing import Optional

import numpy as np
from mmagic.registry import DATA_SAMPLERS
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from ..utils.errors import UserError
from ..utils.seeding import seed_generators


class SeededIndex(int):
    """Index of a sample that brings the seed of all random numbers that the sample draws.

    To a dataset that does not know of it, it is an int.

    Args:
        index (int): Number of the sample in the dataset.
        seed (int): Seed of the run.
        number (int): Place of the sample in the endless stream of all samples of the run.
    """

    def __new__(cls, index: int, seed: int, number: int) -> SeededIndex:
        """Makes one, as immutable as an int."""
        self = super().__new__(cls, index)
        self.place = (seed, number)
        return self

    def __getnewargs__(self):  # a worker process gets it pickled
        return (int(self), *self.place)

    def __sub__(self, other: int) -> SeededIndex:
        """As MMEngine's ConcatDataset finds the place in one of its datasets."""
        return SeededIndex(int(self) - other, *self.place)

    def __mod__(self, other: int) -> SeededIndex:
        """As MMEngine's RepeatDataset finds the place in the dataset that it repeats."""
        return SeededIndex(int(self) % other, *self.place)

    def seed_generators(self) -> None:
        """Seeds the global generators for this sample, which is made on the CPU."""
        seed_generators(*self.place, devices=False)


@DATA_SAMPLERS.register_module()
class SeededInfiniteSampler(Sampler):
    """Endless stream of sample indices, like MMEngine's InfiniteSampler, that is resumed exactly.

    It differs in two ways. It can start anywhere in the stream, at no cost: a resumed training
    reads no images only to skip them. And it yields :class:`SeededIndex`: crops, flips and
    partners of a sample then depend on the seed and the sample's place in the stream, not on what
    the process drew before. So a training does not depend on the number of worker processes, and
    N ranks see the samples, in turn, that one process would.

    Args:
        dataset (Sized): The dataset.
        shuffle (bool): Whether every pass over the dataset has an order of its own. Defaults to
            True.
        seed (int | None): Seed of the run, the same on all ranks; drawn if None.
    """

    def __init__(self, dataset: Sized, shuffle: bool = True, seed: Optional[int] = None) -> None:
        self.size = len(dataset)
        if not self.size:
            raise UserError('SeededInfiniteSampler: the dataset is empty')
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.start = 0
        self.rank, self.world_size = get_dist_info()

    def start_at(self, seed: int, number: int) -> None:
        """Lets the next iterator start after the first ``number`` samples of every rank."""
        self.seed, self.start = seed, number

    def __iter__(self) -> Iterator[SeededIndex]:
        """The samples of this rank, without end."""
        epoch, order = None, None
        for number in count(self.start * self.world_size + self.rank, self.world_size):
            if number // self.size != epoch:
                epoch = number // self.size
                order = self._order(epoch)
            yield SeededIndex(order[number % self.size], self.seed, number)

    def _order(self, epoch: int) -> list[int]:
        if not self.shuffle:
            return list(range(self.size))
        return np.random.default_rng((self.seed, epoch)).permutation(self.size).tolist()

    def __len__(self) -> int:
        """Samples of the dataset."""
        return self.size

    def set_epoch(self, epoch: int) -> None:
        """Nothing to do, for the stream has no end; MMEngine calls it."""
