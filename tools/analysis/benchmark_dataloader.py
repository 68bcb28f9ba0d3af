# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Measures how many images per second a config's dataloader delivers, and what each step takes.

    python tools/analysis/benchmark_dataloader.py CONFIG --data-root DIR --workers 0 1 2 4

The dataloader is built as the training builds it, once per number of worker processes, and read as
fast as it delivers. Its samples are drawn without end, so a small set will do; its files are then
read from the page cache, not from the disk.

A training waits for its data when its iteration takes less time than a batch takes here
("ms/batch"). "own ms" is the processor time, per batch, that receiving it costs the process that
trains. The steps are measured in one process, as means over the images.
"""
import os
import os.path as osp
from collections import Counter
from itertools import islice
from math import ceil
from pathlib import Path
from time import perf_counter, process_time
from typing import Callable, Dict

from egscit_arguments import add_config_options, config_options, parser_for

READERS = ('LoadImage', 'LoadImageFromFile')


def parse_args():
    parser = parser_for(__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--loader', choices=['train', 'val', 'test'], default='train',
                        help='which dataloader of the config (default: %(default)s)')
    parser.add_argument('--workers', nargs='+', type=int, default=[0, 1, 2, 4], metavar='N',
                        help='numbers of worker processes; 0 loads in this one '
                        '(default: 0 1 2 4)')
    parser.add_argument('--batches', type=int, default=24,
                        help='batches to measure per number of workers, after the warm-up '
                        '(default: %(default)s)')
    parser.add_argument('--data-root', help="data folder (default: the config's)")
    parser.add_argument('--json', type=Path, help='also write the figures to this JSON file')
    add_config_options(parser)
    args = parser.parse_args()
    if min(args.workers) < 0:
        parser.error(f'--workers must be 0 or more, got {min(args.workers)}')
    if args.batches < 1:
        parser.error(f'--batches must be at least 1, got {args.batches}')
    return args


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

import cv2
import numpy as np
import torch
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.utils.dl_utils import set_multi_processing
from torch.utils.data import DataLoader
from tqdm import tqdm

from egscit_mm.config import read_config
from egscit_mm.utils.cli import exit_with
from egscit_mm.utils.files import check_outputs, write_json


def build(cfg: dict, workers: int) -> DataLoader:
    """The dataloader with so many workers, its samples drawn at random without end."""
    cfg = {**cfg, 'num_workers': workers, 'sampler': dict(type='InfiniteSampler', shuffle=True)}
    # One pass needs no persistence; without workers the DataLoader accepts neither setting.
    cfg['persistent_workers'] = False
    if workers == 0:
        cfg.pop('prefetch_factor', None)
    return Runner.build_dataloader(cfg, seed=0)


def measure(cfg: dict, workers: int, batches: int, images_per_batch: int) -> dict:
    """Reads the dataloader as fast as it delivers.

    Workers take turns, so their batches come in bursts: the unit that is timed is a round, one
    batch of each worker.
    """
    loader = build(cfg, workers)
    per_round = max(1, workers)
    rounds = ceil(batches / per_round)
    # The batches that were prefetched while the workers started come at once.
    warm_up = (loader.prefetch_factor or 1) + 1
    seconds = []
    iterator = iter(loader)
    with tqdm(total=(warm_up + rounds) * per_round, desc=f'{workers} workers', unit='batch',
              leave=False) as progress:
        for index in range(warm_up + rounds):
            if index == warm_up:
                cpu_start = process_time()
            start = perf_counter()
            for _ in range(per_round):
                next(iterator)
                progress.update()
            seconds.append(perf_counter() - start)
    cpu = process_time() - cpu_start
    seconds = np.array(seconds[warm_up:]) / per_round  # per batch
    low, median, high = np.percentile(images_per_batch / seconds, [25, 50, 75])
    return dict(
        workers=workers,
        batches=rounds * per_round,
        images_per_second=images_per_batch / seconds.mean(),
        images_per_second_median=median,
        images_per_second_quartiles=[low, high],
        ms_per_batch=1e3 * seconds.mean(),
        own_ms_per_batch=1e3 * cpu / (rounds * per_round))


def timed(step: Callable, seconds: Dict[str, float]) -> Callable:
    """The transform, which adds the time it takes to that of its type."""

    def run(results):
        start = perf_counter()
        results = step(results)
        seconds[type(step).__name__] += perf_counter() - start
        return results

    return run


def measure_steps(loader: DataLoader, batches: int, images_per_batch: int) -> Dict[str, float]:
    """Milliseconds per image of every step, in order; transforms of one type are added up."""
    dataset, size = loader.dataset, loader.batch_size
    indices = list(islice(loader.sampler, batches * size))
    loader.collate_fn([dataset[index] for index in indices[:size]])  # warm-up
    transforms, collate = Counter(), 0
    dataset.pipeline.transforms = [timed(step, transforms) for step in dataset.pipeline.transforms]
    start = perf_counter()
    for first in range(0, len(indices), size):
        samples = [dataset[index] for index in indices[first:first + size]]
        loaded = perf_counter()
        loader.collate_fn(samples)
        collate += perf_counter() - loaded
    total = perf_counter() - start
    steps = {
        'dataset': total - transforms.total() - collate,  # draws the sample and its paths
        **transforms,
        'collate': collate
    }
    return {name: 1e3 * value / (batches * images_per_batch) for name, value in steps.items()}


def table(header: list, rows: list) -> str:
    """Columns, the first one aligned to the left."""
    rows = [header, *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    return '\n'.join('  '.join(
        [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:]))])
        for row in rows)


def report(figures: dict) -> str:
    """The figures as people read them."""
    rates = [[
        str(row['workers']), f'{row["images_per_second"]:.0f}',
        f'{row["images_per_second_median"]:.0f}',
        '{:.0f}..{:.0f}'.format(*row['images_per_second_quartiles']),
        f'{row["ms_per_batch"]:.1f}', f'{row["own_ms_per_batch"]:.1f}'
    ] for row in figures['workers']]
    steps = {**figures['steps_ms_per_image'], 'sum': sum(figures['steps_ms_per_image'].values())}
    return '\n'.join([
        '{config}, {loader} dataloader: {images_per_batch} images per batch ({batch_size} samples '
        'of {images_per_sample}), {dataset_size} samples in {data_root}'.format(**figures),
        '{cpu_count} CPU cores, torch {torch}, OpenCV {opencv}'.format(**figures), '',
        table(['workers', 'images/s', 'median', 'quartiles', 'ms/batch', 'own ms'], rates),
        '', table(['step', 'ms/image'], [[name, f'{ms:.3f}'] for name, ms in steps.items()])
    ])


def main():
    args = parse_args()
    if args.json:
        check_outputs([(args.json, 'the figures')])
    cfg = read_config(args.config, config_options(args.cfg_options))
    loader_cfg = cfg.get(f'{args.loader}_dataloader')
    if loader_cfg is None:
        found = [name for name in ('train', 'val', 'test') if cfg.get(f'{name}_dataloader')]
        raise SystemExit(f'{args.config} has no {args.loader}_dataloader, only '
                         f'{", ".join(found) or "none"}: choose one with --loader.')
    if args.data_root:
        loader_cfg.dataset.data_root = args.data_root
    loader_cfg = loader_cfg.to_dict()
    init_default_scope(cfg.get('default_scope', 'mmagic'))
    # As the Runner does before it builds anything.
    set_multi_processing(**cfg.get('env_cfg', {}).get('mp_cfg', {}))

    try:
        loader = build(loader_cfg, workers=0)
    except FileNotFoundError as error:
        raise SystemExit(str(error)) from error
    images_per_sample = sum(
        type(step).__name__ in READERS for step in loader.dataset.pipeline.transforms)
    images_per_batch = loader.batch_size * images_per_sample
    figures = dict(
        config=osp.splitext(osp.basename(args.config))[0],
        loader=args.loader,
        data_root=str(loader.dataset.data_root),
        dataset_size=len(loader.dataset),
        batch_size=loader.batch_size,
        images_per_sample=images_per_sample,
        images_per_batch=images_per_batch,
        cpu_count=os.cpu_count(),
        torch=torch.__version__,
        opencv=cv2.__version__,
        workers=[measure(loader_cfg, workers, args.batches, images_per_batch)
                 for workers in args.workers],
        steps_ms_per_image=measure_steps(loader, args.batches, images_per_batch))
    print(report(figures))
    if args.json:
        write_json(figures, args.json)


if __name__ == '__main__':
    exit_with(main)
