# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Kills trainings with SIGKILL at random iterations, resumes them, and compares the results.

    python tools/analysis/crash_test.py --kills 20

Trains both stages of a tiny MNIST-Single model on made-up images: in one process, with two worker
processes for the data, and on two ranks (gloo). For each kill a new training is started, killed at
a random iteration of either stage and resumed by a second process; its last checkpoints of both
stages (weights, averages, optimisers, schedules) must equal, bit for bit, those of a training that
nobody killed. Runs on the CPU; the exit status is 1 if a checkpoint differs.
"""
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import List

from egscit_arguments import parser_for

ROOT = Path(__file__).parents[2]
ITERATIONS = 12  # of each stage
SAVE_INTERVAL = 3
STAGES = ('vaegan', 'egscit')
TIME_LIMIT = 600  # seconds of one process
NETWORK = dict(base_channels=4, num_downsamples=1, num_blocks=1)
# Worker processes and ranks.
SCENARIOS = {
    'one process': dict(workers=0, ranks=1),
    'two workers': dict(workers=2, ranks=1),
    'two ranks': dict(workers=0, ranks=2),
}


def parse_args():
    parser = parser_for(__doc__)
    parser.add_argument('--kills', type=int, default=20,
                        help='number of kills (default: %(default)s)')
    parser.add_argument('--scenarios', nargs='+', choices=SCENARIOS, default=list(SCENARIOS),
                        help='trainings to kill (default: all)')
    parser.add_argument('--seed', type=int, default=0,
                        help='chooses when to kill (default: %(default)s)')
    args = parser.parse_args()
    if args.kills < 1:
        parser.error(f'--kills must be at least 1, got {args.kills}')
    return args


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

import cv2
import numpy as np
import torch
from mmengine.config import Config
from tqdm import tqdm

from egscit_mm.utils.tables import markdown_table, table_row


def write_task(folder: Path) -> None:
    """Images of a few pixels and a tiny config per stage."""
    generator = np.random.default_rng(0)
    for phase in ('train', 'test'):
        for domain in 'AB':
            (folder / 'data' / f'{phase}{domain}').mkdir(parents=True)
            for index in range(20):
                cv2.imwrite(str(folder / 'data' / f'{phase}{domain}' / f'{index:02d}.png'),
                            generator.integers(0, 256, (24, 24, 3), np.uint8))
    for stage in STAGES:
        cfg = Config.fromfile(ROOT / 'configs' / 'egscit' / f'{stage}_mnist_single.py')
        cfg.merge_from_dict(dict(
            model=dict(generator=dict(encoder=NETWORK, decoder=NETWORK),
                       discriminator=dict(base_channels=4)),
            train_dataloader=dict(dataset=dict(data_root=str(folder / 'data'))),
            train_cfg=dict(max_iters=ITERATIONS),
            default_hooks=dict(logger=dict(interval=1),
                               checkpoint=dict(interval=SAVE_INTERVAL))))
        if stage == 'egscit':
            cfg.model.perceptual_loss.update(pretrained=None, base_channels=2)
            cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.dump(folder / f'{stage}_mnist_single.py')


class Training:
    """The processes of a training of both stages.

    Args:
        folder (Path): As :func:`write_task` left it.
        name (str): Of the folder for its checkpoints.
        workers (int): Worker processes for the data.
        ranks (int): Processes that train.
        resume (bool): Whether it goes on with an earlier one of this name.
    """

    def __init__(self, folder: Path, name: str, workers: int, ranks: int, resume: bool = False):
        self.work_dir = folder / name
        self.log = folder / f'{name}{"_resumed" * resume}.log'
        command = [
            sys.executable, ROOT / 'tools' / 'train.py', folder / 'egscit_mnist_single.py',
            '--work-dir', self.work_dir, '--launcher', 'pytorch' if ranks > 1 else 'none',
            *['--resume'] * resume, '--cfg-options', f'train_dataloader.num_workers={workers}',
            f'train_dataloader.persistent_workers={workers > 0}'
        ]
        with socket.socket() as probe:
            probe.bind(('localhost', 0))
            port = probe.getsockname()[1]
        self.processes = []
        for rank in range(ranks):
            place = dict(RANK=rank, LOCAL_RANK=rank, WORLD_SIZE=ranks, MASTER_ADDR='localhost',
                         MASTER_PORT=port, OMP_NUM_THREADS=1, CUDA_VISIBLE_DEVICES='')
            with open(self.log if rank == 0 else f'{self.log}.{rank}', 'w') as log:
                self.processes.append(subprocess.Popen(
                    list(map(str, command)), cwd=folder, stdout=log, stderr=subprocess.STDOUT,
                    env={**os.environ, **{key: str(value) for key, value in place.items()}},
                    start_new_session=True))

    def iterations(self) -> int:
        """Iterations of both stages that the log shows."""
        return self.log.read_text(errors='replace').count('Iter(train)')

    def wait(self) -> None:
        """Waits for the end.

        Raises:
            SystemExit: If a process fails; all are killed.
        """
        try:
            for process in self.processes:
                if process.wait(TIME_LIMIT):
                    raise SystemExit(f'{self.log.read_text()[-3000:]}\nThe training failed.')
        finally:
            self.kill()

    def kill_at(self, iteration: int, delay: float) -> None:
        """Kills all processes, their workers too, some seconds after an iteration."""
        end = time.monotonic() + TIME_LIMIT
        while self.iterations() < iteration and time.monotonic() < end and not self.ended():
            time.sleep(0.005)
        time.sleep(delay)
        self.kill()

    def ended(self) -> bool:
        """Whether a process has ended."""
        return any(process.poll() is not None for process in self.processes)

    def kill(self) -> None:
        """Ends what is still there."""
        for process in self.processes:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()

    def results(self) -> dict:
        """What decides how the training goes on, from the last checkpoints of both stages."""
        return {
            stage: {
                key: value for key, value in torch.load(
                    path / f'iter_{ITERATIONS}.pth', weights_only=True).items()
                if key in ('state_dict', 'optimizer', 'param_schedulers')
            }
            for stage, path in zip(
                STAGES, (self.work_dir / 'vaegan_mnist_single', self.work_dir))
        }


def differences(result, expected, name: str = '') -> List[str]:
    """Names of the leaves that differ in any bit."""
    if isinstance(expected, dict):
        if not isinstance(result, dict) or result.keys() != expected.keys():
            return [name]
        return [difference for key in expected
                for difference in differences(result[key], expected[key], f'{name}.{key}')]
    if isinstance(expected, (list, tuple)):
        if len(result) != len(expected):
            return [name]
        return [difference for index, pair in enumerate(zip(result, expected))
                for difference in differences(*pair, f'{name}.{index}')]
    same = torch.equal if isinstance(expected, torch.Tensor) else lambda a, b: a == b
    return [] if same(result, expected) else [name]


def resumed_from(log: Path) -> str:
    """The checkpoint with which a resumed training began: stage and iteration."""
    names = [line.split()[-1] for line in log.read_text().splitlines() if 'Load checkpoint' in line]
    if not names:
        return 'no checkpoint'
    path = Path(names[0])
    return f'{1 if path.parent.name.startswith("vaegan") else 2}, {path.stem.split("_")[1]}'


def main():
    args = parse_args()
    chance = random.Random(args.seed)
    folder = Path(tempfile.mkdtemp(prefix='crash_test_'))
    write_task(folder)
    expected = {}
    for scenario in tqdm(args.scenarios, desc='trainings that nobody kills'):
        training = Training(folder, scenario.replace(' ', '_'), **SCENARIOS[scenario])
        start = time.monotonic()
        training.wait()
        expected[scenario] = training.results(), time.monotonic() - start
    workers = [expected[name][0] for name in ('one process', 'two workers') if name in expected]
    failed = len(workers) > 1 and bool(differences(*workers))

    header = ['kill', 'training', 'killed in stage, after iteration', 'resumed from', 'result']
    print(markdown_table(header, []), end='')
    for number in tqdm(range(args.kills), desc='kills'):
        scenario = args.scenarios[number % len(args.scenarios)]
        reference, seconds = expected[scenario]
        killed_at = chance.randint(0, 2 * ITERATIONS - 1)
        training = Training(folder, f'kill_{number}', **SCENARIOS[scenario])
        # Anywhere between two iterations; before the first one, anywhere in the start.
        training.kill_at(killed_at, chance.uniform(0, 0.1 if killed_at else 0.8 * seconds))
        seen = training.iterations()
        resumed = Training(folder, f'kill_{number}', **SCENARIOS[scenario], resume=True)
        resumed.wait()
        wrong = differences(resumed.results(), reference)
        failed |= bool(wrong)
        stage = min(seen // ITERATIONS, 1)
        row = (number + 1, scenario, f'{stage + 1}, {seen - stage * ITERATIONS}',
               resumed_from(resumed.log),
               f'{len(wrong)} differ: {wrong[0]}' if wrong else 'identical')
        tqdm.write(table_row([*map(str, row)]), file=sys.stdout, end='')
        sys.stdout.flush()  # a table in a file shows how far it is
        shutil.rmtree(training.work_dir)

    if len(workers) > 1:
        same = 'differ' if differences(*workers) else 'identical'
        print(f'\nWithout and with worker processes: {same}')
    if failed:
        raise SystemExit(f'Some trainings differ; their logs are in {folder}')
    shutil.rmtree(folder)


if __name__ == '__main__':
    main()
