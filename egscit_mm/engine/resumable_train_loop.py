# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""A training loop whose iterations do not depend on when the process was started."""
import signal
from functools import partial
from itertools import chain, repeat
from typing import Sequence, Union

from mmagic.registry import LOOPS
from mmengine.dist import get_rank
from mmengine.hooks import CheckpointHook
from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from ..datasets import SeededInfiniteSampler
from ..utils.seeding import seed_generators
from .stop_signals import StopSignals, leave_signals_to_parent


class _Skippable(chain):
    """onedl-mmengine has the iterator skip batches, where mmengine takes and drops them."""

    def skip_iter(self, number: int) -> None:
        for _ in range(number):
            next(self)


@LOOPS.register_module()
class ResumableTrainLoop(IterBasedTrainLoop):
    """MMEngine's IterBasedTrainLoop, resumed exactly and stopped with a checkpoint.

    - The random numbers of an iteration (latent noise) depend on the seed, the iteration and, with
      ``randomness.diff_rank_seed``, the rank, and on nothing else. Those of the samples do with
      :class:`SeededInfiniteSampler`. So a checkpoint needs no states of generators, and a run
      that is killed and resumed ends with the weights, to the bit, of one that is not (on a
      CPU, with the same number of threads).
    - With that sampler a resumed run starts where it stopped; IterBasedTrainLoop reads and decodes
      all images up to there again.
    - At SIGTERM (a pre-empted job) or Ctrl-C it finishes the iteration, saves a checkpoint through
      the CheckpointHook and raises SystemExit with the status 128 + signal; workers of the
      dataloader leave these signals to it. In distributed training all ranks stop at the same
      iteration.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader | dict): The training dataloader.
        **kwargs: Arguments of IterBasedTrainLoop: ``max_iters``, ``val_begin``, ``val_interval``.
    """

    def __init__(self, runner: Runner, dataloader: Union[DataLoader, dict], **kwargs):
        self._runner = runner
        if isinstance(dataloader, dict):
            # IterBasedTrainLoop lets the sampler draw a seed if the ranks' differ.
            dataloader = runner.build_dataloader(dataloader, seed=self.seed)
        _protect_workers(dataloader)
        super().__init__(runner, dataloader, **kwargs)

    @property
    def seed(self) -> int:
        """Seed of the run, the same on all ranks; that of the checkpoint once it is resumed."""
        return self.runner.seed - self._rank_of_seed

    @property
    def _rank_of_seed(self) -> int:
        return get_rank() if self.runner._randomness_cfg.get('diff_rank_seed') else 0

    def run(self):
        """Trains.

        Raises:
            SystemExit: If the training was stopped by a signal.
        """
        sampler = self.dataloader.sampler
        if self._iter > 0 and isinstance(sampler, SeededInfiniteSampler):
            sampler.start_at(self.seed, self._iter * self.dataloader.batch_size)
            # IterBasedTrainLoop.run takes as many batches from the iterator and drops them.
            self.dataloader_iterator = _Skippable(
                repeat(None, self._iter), type(self.dataloader_iterator)(self.dataloader))
        for dataloader in getattr(self.runner.val_loop, 'dataloaders', []):  # of MultiValLoop
            _protect_workers(dataloader)
        try:
            with StopSignals() as self.stop_signals:
                return super().run()
        finally:
            self._end_workers()

    def _end_workers(self) -> None:
        """Ends the processes of the dataloaders at once.

        Left to the garbage collector, which takes their queues away first, each would be waited
        for for five seconds.
        """
        self.dataloader_iterator = None
        val_loop = self.runner.val_loop
        for dataloader in (self.dataloader, *getattr(val_loop, 'dataloaders', ())):
            dataloader._iterator = None  # where workers are persistent

    def run_iter(self, data_batch: Sequence[dict]) -> None:
        """One iteration."""
        seed_generators(self.seed, self._rank_of_seed, self._iter)
        super().run_iter(data_batch)
        if self._iter < self._max_iters and (number := self.stop_signals.on_any_rank()):
            self._save()
            self.runner.logger.warning(
                f'Stopped by {signal.Signals(number).name} after iteration {self._iter}; '
                '--resume goes on from there.')
            raise SystemExit(128 + number)

    def _save(self) -> None:
        for hook in self.runner.hooks:
            if isinstance(hook, CheckpointHook):
                # Its public entries save at the interval only. This one counts the file, too,
                # and does nothing harmful where the interval has just saved it.
                hook._save_checkpoint_with_step(
                    self.runner, self._iter, dict(epoch=self._epoch, iter=self._iter))


def _protect_workers(dataloader: DataLoader) -> None:
    dataloader.worker_init_fn = partial(leave_signals_to_parent, dataloader.worker_init_fn)
