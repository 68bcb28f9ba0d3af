# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Shows what a trained model does: samples.png and a self-contained report.html.

Usage::

    python tools/test.py CONFIG CHECKPOINT --out metrics.json
    python tools/report.py CONFIG CHECKPOINT --metrics metrics.json --out DIR
"""
import os.path as osp
import platform
import sys
from datetime import datetime, timedelta
from importlib.metadata import version
from itertools import permutations
from pathlib import Path

from egscit_arguments import add_config_options, config_options, parser_for

PICTURE, PAGE = 'samples.png', 'report.html'
NUM_CONTENTS, NUM_EXEMPLARS = 6, 8  # of the exemplar grids
FIGURES = ('ssim_ground_truth', 'ssim_exemplar', 'ceiling_exemplar')


def parse_args():
    parser = parser_for(__doc__)
    parser.add_argument('config', help='config of stage 2')
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument('--metrics', help='JSON file that tools/test.py --out wrote')
    parser.add_argument('--work-dir', help='work directory of the training, for its loss curves '
                        '(default: work_dirs/<config name>)')
    parser.add_argument('--stage1-dir', help='that of stage 1 (default: where tools/train.py '
                        'puts it)')
    parser.add_argument('--out', required=True, help='folder for samples.png and report.html')
    parser.add_argument('--num-images', type=int, default=24,
                        help='number of test images to show (default: 24)')
    parser.add_argument('--paper-task', choices=['MNIST-Single', 'MNIST-Multiple', 'none'],
                        default='none', help="whose figures of the paper to show beside the "
                        "model's (default: %(default)s)")
    add_config_options(parser)
    args = parser.parse_args()
    if args.num_images < 1:
        parser.error(f'--num-images must be at least 1, got {args.num_images}')
    return args


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

import mmengine
import torch
from mmengine.dataset import pseudo_collate

import egscit_mm
from egscit_mm.apis import EGSCITInferencer
from egscit_mm.apis.model import NO_CHECKPOINT, model_name
from egscit_mm.config import read_config
from egscit_mm.utils.cli import exit_with
from egscit_mm.utils.errors import check_file
from egscit_mm.utils.files import check_folder, check_outputs, write_atomically
from egscit_mm.utils.image_sizes import in_order, same_size_parts, stacked
from egscit_mm.utils.records import fingerprint
from egscit_mm.visualization import contact_sheet, exemplar_grid
from egscit_mm.visualization.report import (
    TrainingLog,
    enlargement,
    png,
    read_losses,
    report_html,
    total,
)
from egscit_mm.visualization.translations import first_test_samples, ground_truth, paths_of


def load_figures(path: str, checkpoint: str, directions: list) -> dict:
    """Reads and checks the file of tools/test.py: it is of this checkpoint."""
    try:
        figures = mmengine.load(path, file_format='json')
    except ValueError as error:
        raise SystemExit(f'{path} is no JSON file: {error}') from error
    names = [f'{figure}/{direction}' for figure in FIGURES for direction in directions]
    known = [name for name in names if name in figures]
    wrong = [name for name in known
             if not isinstance(figures[name], dict) or 'mean' not in figures[name]]
    if wrong or not known:
        raise SystemExit(
            f'{path} is not a file that tools/test.py --out writes: expected {names} with "mean" '
            f'and "std" each, found {wrong or sorted(figures)}.')
    if checkpoint != NO_CHECKPOINT and 'checkpoint' not in figures:
        print(f'{path} does not say of which checkpoint it is: see to it that it is this one.',
              file=sys.stderr)
    if checkpoint != NO_CHECKPOINT and figures.get('checkpoint') not in (
            None, fingerprint(checkpoint)):
        raise SystemExit(f'{path} has the figures of another checkpoint than {checkpoint}; give '
                         'what tools/test.py --out wrote for this one.')
    return figures


@torch.inference_mode()
def draw(model, samples: list) -> tuple:
    """Rows and exemplar grids by direction."""
    parts = {}  # by size, so that no image is padded
    for places, part in same_size_parts(pseudo_collate(samples)):
        inputs = model.data_preprocessor(part)['inputs']
        parts[tuple(places)] = model.rows(model.images_by_domain(inputs))
    all_rows = in_order(parts)
    grids, exemplar_grids = {}, {}
    for source, target in model.inference_generators.directions:
        rows = all_rows[f'{source}2{target}']
        contents, exemplars = rows['content'][:NUM_CONTENTS], rows['exemplar'][:NUM_EXEMPLARS]
        translations = [[
            model.translation_at_any_size(content[None], target, exemplar[None], source)[0]
            for exemplar in exemplars
        ] for content in contents]
        exemplar_grids[f'{source}2{target}'] = exemplar_grid(contents, exemplars, translations)
    for direction, rows in all_rows.items():
        truth = ground_truth(samples, direction)
        grids[direction] = {}
        for name, row in rows.items():
            grids[direction][name] = stacked([image.cpu() for image in row])
            if name == 'translation' and truth is not None:
                grids[direction]['ground_truth'] = truth
    return grids, exemplar_grids


def main():
    args = parse_args()
    cfg = read_config(args.config, config_options(args.cfg_options))
    files = {'Checkpoint': args.checkpoint, 'Metrics file': args.metrics}
    files = {what: path for what, path in files.items() if path not in (None, NO_CHECKPOINT)}
    for what, path in files.items():
        check_file(path, what)
    if cfg.get('test_dataloader') is None:
        raise SystemExit(f'{args.config} has no test set (test_dataloader), whose images '
                         'the report shows. Add one, with ground truths as in '
                         'configs/egscit/egscit_mnist_single.py or without as in '
                         'docs/own_folders.md.')
    directions = [f'{source}2{target}'
                  for source, target in permutations(cfg.model.get('domains', ('A', 'B')), 2)]
    figures = load_figures(args.metrics, args.checkpoint, directions) if args.metrics else {}
    name = osp.splitext(osp.basename(args.config))[0]

    two_stages = args.stage1_dir or cfg.get('stage1_config')
    last = 'Stage 2: translation' if two_stages else 'Training'
    work_dirs = {last: args.work_dir or osp.join('work_dirs', name)}
    if two_stages:
        # Without --work-dir, tools/train.py puts stage 1 beside stage 2, otherwise inside.
        stage1_dir = args.stage1_dir or osp.join(
            args.work_dir or 'work_dirs', osp.splitext(osp.basename(cfg.stage1_config))[0])
        work_dirs = {'Stage 1: feature networks': stage1_dir, **work_dirs}
    logs = {stage: TrainingLog(path, read_losses(path)) for stage, path in work_dirs.items()}

    check_folder(args.out, f'--out {args.out}')
    samples = first_test_samples(cfg, args.num_images)
    check_outputs([(Path(args.out, name), f'the {what} of this report') for name, what in (
        (PICTURE, 'picture'), (PAGE, 'page'))], [cfg.filename, *files.values(), *paths_of(samples)])
    model = EGSCITInferencer(cfg, args.checkpoint).model
    grids, exemplar_grids = draw(model, samples)

    facts = {'Config': name, 'Checkpoint': osp.basename(args.checkpoint)}
    for stage, log in logs.items():
        facts[f'Iterations logged, {stage.partition(":")[0].lower()}'] = (
            str(max(total(log.losses))) if log.losses else 'none')
    seconds, memory = figures.get('train_seconds'), figures.get('peak_rss_mb')
    facts['Training time, all stages'] = 'not recorded' if seconds is None else (
        f'{seconds:,.0f} s ({timedelta(seconds=round(seconds))})')
    facts['Peak memory'] = 'not recorded' if memory is None else f'{memory:,.0f} MB'
    facts['Versions'] = ', '.join([
        f'egscit_mm {egscit_mm.__version__}', f'torch {torch.__version__}',
        f'mmengine {mmengine.__version__}', f'mmagic {version("mmagic")}',
        f'Python {platform.python_version()}'
    ])
    facts['Made on'] = datetime.now().strftime('%Y-%m-%d %H:%M')

    scale = enlargement(next(iter(grids.values()))['content'])
    write_atomically(osp.join(args.out, PICTURE), png(contact_sheet(grids, scale)))
    task = None if args.paper_task == 'none' else args.paper_task
    page = report_html(f'{model_name(cfg)}: {name}', facts, figures, task, grids, exemplar_grids,
                       logs)
    write_atomically(osp.join(args.out, PAGE), page.encode())
    print(f'{osp.join(args.out, PICTURE)} and {osp.join(args.out, PAGE)} written')


if __name__ == '__main__':
    exit_with(main)
