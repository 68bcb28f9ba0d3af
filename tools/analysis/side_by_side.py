# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Times EGSC-IT beside the methods that one would take instead, on random images.

    python tools/analysis/side_by_side.py --json FILE

One update is one of the discriminators and one of the generators, both on one minibatch, as
CycleGAN's iterations are. A translation is one of domain A to B. The methods take turns in one
process; what they compute is counted, so that one sees which is arithmetic and which is waste.
"""
import argparse
import sys
import time
from pathlib import Path

from egscit_arguments import parser_for, positive

SIZES = ('28x28', '128x256')
# Config by size; there is no CycleGAN of streets.
METHODS = {
    "CycleGAN (MMagic's)": dict(zip(SIZES, ('cyclegan_mnist_single', 'cyclegan_mnist_multi'))),
    **{title: dict(zip(SIZES, (f'{name}_mnist_single', f'{name}_gta2bdd')))
       for title, name in (('MUNIT', 'munit'), ('UNIT', 'unit'), ('EGSC-IT, stage 1', 'vaegan'),
                           ('EGSC-IT, stage 2', 'egscit'))}
}
CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'egscit'


def size_name(text: str) -> str:
    """One of SIZES."""
    if text not in SIZES:
        raise argparse.ArgumentTypeError(f'must be one of {", ".join(SIZES)}, got {text}')
    return text


def parse_args():
    parser = parser_for(__doc__)
    parser.add_argument('--sizes', nargs='+', type=size_name, default=SIZES, metavar='HxW',
                        help=f'default: {" ".join(SIZES)}')
    parser.add_argument('--minibatch', type=positive, default=1,
                        help='images of each domain (default: %(default)s)')
    parser.add_argument('--iters', type=positive, default=3,
                        help='how often each is timed (default: %(default)s)')
    parser.add_argument('--processor-time', action='store_true',
                        help="seconds of the processor in place of the clock's: see "
                        'tools/benchmark.py')
    parser.add_argument('--json', type=Path, help='file for the figures')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

import torch
from mmengine.device import get_device
from mmengine.logging import MessageHub, MMLogger
from torch.utils.benchmark import timer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmark import build, measure, random_batch

from egscit_mm.config import read_config
from egscit_mm.utils.cli import exit_with
from egscit_mm.utils.files import check_outputs, write_json
from egscit_mm.utils.tables import markdown_table


def config_of(title: str, size: str):
    """The config of a method, for one update of each side on the same minibatch."""
    cfg = read_config(str(CONFIGS / f'{METHODS[title][size]}.py'))
    if cfg.model.type == 'CycleGAN':
        if size == '128x256':
            cfg.model.generator.num_blocks = 9  # as MMagic's own configs, for larger images
    else:
        cfg.model.update(discriminator_steps=1, generator_steps=1, split_batch=False)
    return cfg


def functions_of(title: str, cfg, device: str, size: list, minibatch: int) -> tuple:
    """One update and one translation, the latter None for stage 1; the number of parameters."""
    model, wrappers = build(cfg, device)
    batch = random_batch(cfg, minibatch, size)
    content, exemplar = (torch.rand(minibatch, 3, *size, device=device) * 2 - 1 for _ in range(2))

    def update():
        model.train()
        model.train_step(batch, wrappers)

    @torch.inference_mode()
    def translation():
        model.eval()
        if cfg.model.type == 'CycleGAN':
            model.generators['B'](content)
        else:
            model.translation(content, 'B', exemplar, 'A')

    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return update, None if cfg.model.type == 'VAEGAN' else translation, trained


def main():
    args = parse_args()
    if args.json:
        check_outputs([(args.json, 'the figures')])
    MMLogger.get_current_instance().setLevel('WARNING')
    # CycleGAN asks for it. Later than its start-up, in which only discriminators learn.
    MessageHub.get_current_instance().update_info('iter', 10000)
    device = get_device()
    clock = time.process_time if args.processor_time else timer
    figures = dict(
        minibatch=args.minibatch, processor_time=args.processor_time, torch=torch.__version__,
        device=torch.cuda.get_device_name() if device == 'cuda' else
        f'{torch.get_num_threads()} CPU threads', results={})
    print(f'{figures["device"]}, torch {figures["torch"]}, minibatch {args.minibatch}')
    for size in args.sizes:
        functions, trained = {}, {}
        for title in METHODS:
            update, translation, trained[title] = functions_of(
                title, config_of(title, size), device, [int(n) for n in size.split('x')],
                args.minibatch)
            functions[title, 'update'] = update
            if translation is not None:
                functions[title, 'translation'] = translation
        rows = []
        for (title, kind), found in measure(functions, device, args.iters, 0, clock).items():
            seconds = found['time'].median
            row = dict(size=size, method=title, kind=kind, median_ms=1e3 * seconds,
                       min_ms=1e3 * min(found['time'].times),
                       max_ms=1e3 * max(found['time'].times),
                       images_per_second=args.minibatch / seconds, gmacs=found['gmacs'],
                       gmacs_per_second=found['gmacs'] / seconds, step_mb=found['step_mb'],
                       trained_parameters=trained[title])
            rows.append(row)
        figures['results'][size] = rows
        for kind in ('update', 'translation'):
            print(f'\nOne {kind} at {size}:\n')
            print(markdown_table(
                ['', 'images/s', 'ms, median (min to max)', 'G multiply-adds', 'G of them per s',
                 'memory of it, MB', 'trained parameters, millions'],
                [[row['method'], f'{row["images_per_second"]:.3g}',
                  f'{row["median_ms"]:.0f} ({row["min_ms"]:.0f} to {row["max_ms"]:.0f})',
                  f'{row["gmacs"]:.3g}', f'{row["gmacs_per_second"]:.0f}',
                  f'{row["step_mb"]:.0f}', f'{row["trained_parameters"] / 1e6:.1f}']
                 for row in rows if row['kind'] == kind]))
        if args.json:
            write_json(figures, args.json)


if __name__ == '__main__':
    exit_with(main)
