# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Everything that wants a GPU, in at most nine minutes on one card and without a network.

    bash tools/analysis/gpu_report.sh OUT

runs, one after the other: the tests that need a GPU; training iterations and translations of
MNIST-Single (28x28) and GTA5 <-> BDD (256x512) in float32, bfloat16, channels last, compiled and as
CUDA graphs; the largest minibatches; 500 iterations of both stages of the paper's MNIST-Single; and
for the rest of the time EGSC-IT on MNIST-Single with perceptual features that are learnt without
labels, evaluated. Every part is a command with a time limit of its own. One that fails is recorded
with its error, and the next one starts.

OUT/report.json and OUT/report.md are written anew after each part, so that a run that is cut off
keeps what it has; OUT/logs has all that the commands print.
"""
import json
import multiprocessing
import os
import runpy
import shlex
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Optional

from egscit_arguments import parser_for

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS = 520  # of the nine minutes: the last part may take some to stop
RESERVED = 170  # of them, for the training at the end
GRACE = 8  # seconds between asking a command to stop and ending it
PATIENCE = 10  # times as long as that may a dry run take: it is to succeed on a busy machine
EVALUATION = 30  # seconds
PAPER_ITERATIONS = 60000
FULL = dict(mnist_single=['28', '28'], gta2bdd=['256', '512'])
# What is measured, most wanted first. Compilation takes long: in parts of their own.
EAGER = ['naive', 'channels_last', 'bf16', 'bf16+channels_last']
COMPILED = ['bf16+channels_last', 'bf16+channels_last+compile']
GRAPHS = ['bf16+channels_last', 'bf16+channels_last+reduce_overhead']
TRANSLATION = ['channels_last', 'bf16', 'bf16+channels_last', 'bf16+channels_last+compile',
               'bf16+channels_last+reduce_overhead']
# In miniature.
TINY = dict(mnist_single=['28', '28'], gta2bdd=['32', '64'])
TINY_MODEL = [
    *(f'model.generator.{part}.{key}' for part in ('encoder', 'decoder')
      for key in ('base_channels=4', 'num_blocks=1')), 'model.discriminator.base_channels=4']
TINY_STEPS = ['model.generator_steps=1']
# Loaded once for all parts of a dry run.
PRELOADED = ['egscit_mm', 'egscit_mm.apis.train', 'mmagic.models', 'mmagic.datasets',
             'mmagic.evaluation', 'mmagic.engine', 'mmagic.visualization', 'torchvision',
             'torch.utils.benchmark', 'torch.utils.flop_counter', 'torch._dynamo', 'pytest']


def parse_args():
    parser = parser_for(__doc__)
    parser.add_argument('out', type=Path, help='new folder for the report')
    parser.add_argument('--wheels', type=Path, metavar='DIR', help='folder of wheels that are '
                        'installed first, into OUT: what the machine lacks')
    parser.add_argument('--dry-run', action='store_true', help='everything in miniature, on a CPU, '
                        'without compilation')
    args = parser.parse_args()
    if args.out.exists() and (not args.out.is_dir() or os.listdir(args.out)):
        parser.error(f'{args.out} is no empty folder: give a new one')
    if args.wheels and not list(args.wheels.glob('*.whl')):
        parser.error(f'--wheels {args.wheels}: no *.whl in it')
    return args


def install(wheels: Path, folder: Path) -> None:
    """Unpacks wheels where this process and those that it starts find them first."""
    subprocess.run([sys.executable, '-m', 'pip', 'install', '--quiet', '--no-index', '--no-deps',
                    '--no-compile', '--target', str(folder), *map(str, wheels.glob('*.whl'))],
                   check=True)
    sys.path.insert(0, str(folder))
    os.environ['PYTHONPATH'] = f'{folder}{os.pathsep}{os.environ.get("PYTHONPATH", "")}'


def work(words: list, log: Path) -> None:
    """What ``python WORDS`` does, its output in a file."""
    os.setpgid(0, 0)  # so that it can be stopped with all that it starts
    os.chdir(REPOSITORY)
    with open(log, 'wb', buffering=0) as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    if words[0] == '-m':
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name='__main__', alter_sys=True)
    else:
        sys.argv = words
        sys.path.insert(0, str(Path(words[0]).parent))
        runpy.run_path(words[0], run_name='__main__')


class Report:
    """Runs commands, and keeps what came of them in report.json and report.md.

    Args:
        out (Path): The folder.
        dry_run (bool): Whether it is one.

    Attributes:
        parts (dict[str, dict]): Of every part its command, seconds, limit, error (None if there was
            none) and figures.
    """

    def __init__(self, out: Path, dry_run: bool):
        self.out = out
        self.dry_run = dry_run
        self.patience = PATIENCE if dry_run else 1
        self.end = time.monotonic() + SECONDS * self.patience
        self.parts = {}
        # A process that has used a GPU must not be copied; on a CPU that saves the imports.
        self.processes = multiprocessing.get_context('forkserver' if dry_run else 'spawn')
        if dry_run:
            self.processes.set_forkserver_preload(PRELOADED)
        (out / 'logs').mkdir(parents=True, exist_ok=True)

    def left(self, reserved: float = 0) -> float:
        """Seconds until the end, without those that are for later parts."""
        return self.end - time.monotonic() - reserved

    def run(self, name: str, words: list, limit: float, figures: Optional[Path] = None,
            reserved: float = RESERVED) -> dict:
        """Runs ``python WORDS`` as a part, for at most ``limit`` seconds.

        Args:
            name (str): Of the part.
            words (list): A script of the repository, or -m and a module, and arguments.
            limit (float): Seconds.
            figures (Path | None): JSON file that the command writes.
            reserved (float): Seconds that are left for later parts in any case.

        Returns:
            dict: The part.
        """
        words = [str(word) for word in words]
        limit = min(limit * self.patience, self.left(reserved))
        part = self.parts[name] = dict(command=shlex.join(['python', *words]), seconds=0.,
                                       limit=limit, error=None, figures=None)
        print(f'== {name}', flush=True)
        if limit <= GRACE:
            part['error'] = 'no time was left'
        else:
            start = time.monotonic()
            part['error'] = self._run(words, self.out / 'logs' / f'{name}.log', limit)
            part['seconds'] = time.monotonic() - start
        if figures is not None and figures.is_file():
            part['figures'] = json.loads(figures.read_text())
        self.write()
        return part

    def _run(self, words: list, log: Path, limit: float) -> Optional[str]:
        """Runs a command; what went wrong, or None."""
        process = self.processes.Process(target=work, args=(words, log))
        process.start()
        try:
            process.join(limit)
            late = process.is_alive()
        finally:
            for stop in (signal.SIGTERM, signal.SIGKILL):
                if process.is_alive():
                    os.killpg(process.pid, stop)
                    process.join(GRACE)
        if late:
            return f'ended after {limit:.0f} s, its time limit'
        if process.exitcode:
            lines = log.read_text(errors='replace').split('\n') if log.is_file() else []
            last = next((line for line in reversed(lines) if line.strip()), '')
            return f'exit status {process.exitcode}: {last.strip()[:500]}'
        return None

    def write(self) -> None:
        """Writes both files anew."""
        from egscit_mm.utils.files import write_atomically, write_json

        write_json(dict(dry_run=self.dry_run, parts=self.parts), self.out / 'report.json')
        write_atomically(self.out / 'report.md', markdown(self.parts, self.dry_run).encode())


def measurements(report: Report, sizes: dict, tiny: dict) -> None:
    """Tests and benchmarks."""

    def benchmark(name, config, limit, *arguments, minibatch=None, ceiling=0, **options):
        file = report.out / 'figures' / f'{name}.json'
        report.run(name, [
            'tools/benchmark.py', f'configs/egscit/egscit_{config}.py', '--size', *sizes[config],
            *(['--minibatch', minibatch] if minibatch else []),
            *([] if ceiling is None else ['--ceiling', ceiling]), '--json', file, *arguments,
            *(['--cfg-options', *tiny['model'], *TINY_STEPS,
               'model.perceptual_loss.base_channels=2'] if tiny else [])], limit, file)

    turns = ['--iters', '1', '--warmup', '0'] if tiny else ['--iters', '5', '--warmup', '3']
    small = dict(minibatch=2) if tiny else {}
    report.run('tests', ['-m', 'pytest', '-q', '-rs', '-p', 'no:cacheprovider', '-m', 'gpu',
                         'tests/test_apis/test_gpu.py', 'tests/test_models/test_host_reads.py'],
               60)
    for config in sizes:
        # The first one measures the card's speed, too.
        benchmark(f'step_{config}', config, 50, *turns, '--compare', *EAGER, **small,
                  ceiling=(64 if tiny else None) if config == 'mnist_single' else 0)
    for kind, ways in (('graphs', GRAPHS), ('compiled', COMPILED)):
        benchmark(f'step_mnist_single_{kind}', 'mnist_single', 75, *turns, '--compare', *ways,
                  **small)
    paper(report, sizes, tiny)
    for config in sizes:
        benchmark(f'translation_{config}', config, 60, '--part', 'infer', *turns, '--compare',
                  *TRANSLATION, **small)
    for config in reversed(sizes):
        benchmark(f'largest_{config}', config, 40, '--part', 'largest', **small)
    for kind, ways in (('graphs', GRAPHS), ('compiled', COMPILED)):
        benchmark(f'step_gta2bdd_{kind}', 'gta2bdd', 90, *turns, '--compare', *ways, **small)


def fastest(parts: dict, names: tuple) -> dict:
    """The fastest way to train MNIST-Single.

    Args:
        parts (dict[str, dict]): Those that have been measured.
        names (tuple[str]): Which of the parts count.

    Returns:
        dict: ``settings``, a list of KEY=VALUE, and ``seconds`` of an iteration, 0 if not known.
    """
    rows = [row for name in names for way, row in rows_of(parts, name).items() if way != 'naive']
    if not rows:
        return dict(settings=[], seconds=0.)
    row = min(rows, key=lambda row: row['median_ms'])
    return dict(settings=[f'{key}={value}' for key, value in row['settings'].items()],
                seconds=row['median_ms'] / 1e3)


def rows_of(parts: dict, name: str) -> dict:
    """The measurements of a part by way; none if it failed."""
    return ((parts.get(name) or {}).get('figures') or {}).get('results', {})


def paper(report: Report, sizes: dict, tiny: dict) -> None:
    """500 iterations of both stages of the paper's MNIST-Single."""
    iterations = 4 if tiny else 500
    folder = report.out / 'work' / 'paper'
    eager = fastest(report.parts, ('step_mnist_single', ))['settings']
    best = fastest(report.parts, tuple(
        f'step_mnist_single{kind}' for kind in ('', '_graphs', '_compiled')))['settings']
    # Validated neither before the end nor at it. Weights of VGG do not change the speed.
    options = [f'train_cfg.max_iters={iterations}', 'default_hooks.logger.interval='
               f'{1 if tiny else 50}', *data_options(report, tiny, ('train', 'val', 'test')),
               *tiny.get('model', [])]
    stage1 = [option for option in options if not option.startswith(('val_', 'test_'))]
    first, second = folder / 'stage1', folder / 'stage2'
    # Compiled anew, stage 1 might not reach its end in time, which stage 2 needs.
    for name, config, work_dir, settings, words in (
            ('paper_stage1', 'vaegan', first, eager, stage1),
            ('paper_stage2', 'egscit', second, best,
             [*options, f'model.feature_checkpoint={first}/iter_{iterations}.pth',
              'model.perceptual_loss.pretrained=None', *(TINY_STEPS if tiny else [])])):
        part = report.run(name, [
            'tools/train.py', f'configs/egscit/{config}_mnist_single.py', '--work-dir', work_dir,
            '--cfg-options', *words, *settings], 60)
        logged = [row['time'] for file in work_dir.glob('*/vis_data/scalars.json')
                  for row in map(json.loads, file.read_text().splitlines()) if 'time' in row]
        if logged:
            # The first half has the warm-up.
            seconds = statistics.median(logged[len(logged) // 2:])
            part['figures'] = dict(seconds_per_iteration=seconds, settings=settings,
                                   minutes=seconds * PAPER_ITERATIONS / 60)
            report.write()


def data_options(report: Report, tiny: dict, loaders: tuple) -> list:
    """Where a training finds the digits."""
    root = report.out / 'data'
    options = [f'{name}_dataloader.dataset.data_root={root}' for name in loaders]
    if tiny:
        options += [f'{name}_dataloader.{setting}' for name in loaders
                    for setting in ('num_workers=0', 'persistent_workers=False')]
        options.append('train_dataloader.batch_size=4')
    return options


def training(report: Report, tiny: dict) -> None:
    """EGSC-IT on MNIST-Single, for the rest of the time: features, both stages, figures."""
    features = report.out / 'digit_features.pth'
    # Compilation would take longer than it saves.
    chosen = fastest(report.parts, ('step_mnist_single', ))
    folder = report.out / 'work' / 'training'
    first, second = folder / 'stage1', folder / 'stage2'
    stage1_iterations = 4 if tiny else 300
    report.run('features', ['tools/train_digit_features.py', '--data', report.out / 'data', '--out',
                            features, *(['--iters', '2'] if tiny else [])], 60, reserved=110)
    common = [*data_options(report, tiny, ('train', )), *chosen['settings'],
              *([] if tiny else ['train_dataloader.num_workers=4'])]
    part = report.run('stage1', [
        'tools/train.py', 'configs/egscit/vaegan_quickstart.py', '--work-dir', first,
        '--cfg-options', f'train_cfg.max_iters={stage1_iterations}', *common,
        *tiny.get('model', [])], 60, reserved=70)
    iterations, options = 4, TINY_STEPS
    if not tiny:
        # An iteration of the quickstart takes no longer than one of the paper's; the rest is for
        # the images to arrive, the start and what is drawn.
        seconds = chosen['seconds'] or 3 * part['seconds'] / stage1_iterations
        iterations = max(20, int(0.75 * (report.left(EVALUATION + GRACE) - 15) / seconds))
        options = ['default_hooks.checkpoint.interval=1000', 'custom_hooks.0.interval=1000']
    report.run('stage2', [
        'tools/train.py', 'configs/egscit/egscit_quickstart.py', '--work-dir', second,
        '--cfg-options', f'train_cfg.max_iters={iterations}',
        f'model.feature_checkpoint={first}/iter_{stage1_iterations}.pth',
        f'model.perceptual_loss.pretrained={features}', *common, *options,
        *data_options(report, tiny, ('test', ))[:1], *tiny.get('model', [])],
        report.left(EVALUATION + GRACE), reserved=EVALUATION + GRACE)
    # A training that was ended has saved a checkpoint.
    saved = sorted(second.glob('iter_*.pth'), key=lambda file: int(file.stem[5:]))
    file = report.out / 'figures' / 'metrics.json'
    checkpoint = saved[-1] if saved else second / f'iter_{iterations}.pth'
    report.run('evaluation', [
        'tools/test.py', 'configs/egscit/egscit_quickstart.py', checkpoint, '--work-dir', second,
        '--out', file, '--cfg-options', *data_options(report, tiny, ('test', ))[:1],
        *tiny.get('model', [])], EVALUATION, file, reserved=0)


def markdown(parts: dict, dry_run: bool) -> str:
    """The report as people read it."""
    from egscit_mm.utils.tables import markdown_table

    known = [part['figures'] for part in parts.values() if 'device' in (part['figures'] or {})]
    text = '# Report of a GPU\n\n'
    if dry_run:
        text += '**A dry run, in miniature on a CPU: its figures mean nothing.**\n\n'
    if known:
        text += '{device}, torch {torch}.\n\n'.format(**known[0])
    speeds = {}
    for figures in known:
        speeds.update(figures.get('gmacs_per_second') or {})
    for dtype, speed in speeds.items():
        text += (f'- {dtype}: {speed["matrix"]:,.0f} G multiply-adds/s in a matrix product, '
                 f'{speed["convolution"]:,.0f} in a 3x3 convolution\n')
    for config in FULL:
        for kind, title in (('step', 'a training iteration'), ('translation', 'a translation')):
            names = [name for name in parts if name.startswith(f'{kind}_{config}')]
            rows = {way: row for name in names for way, row in rows_of(parts, name).items()}
            if not rows:
                continue
            figures = next(parts[name]['figures'] for name in names if rows_of(parts, name))
            text += (f'\n## {config}: {title}, {"x".join(map(str, figures["size"]))}, minibatch '
                     f'{figures["minibatch"]}\n\n')
            slowest = rows.get('naive') or rows['ours']
            text += markdown_table(
                ['', 'ms, median (min to max)', f'{"naive" if "naive" in rows else "ours"} / this',
                 'images/s', 'G multiply-adds', 'of the matrix product', 'for the step, MB'],
                [[way, f'{row["median_ms"]:.2f} ({row["min_ms"]:.2f} to {row["max_ms"]:.2f})',
                  f'{slowest["median_ms"] / row["median_ms"]:.2f}',
                  f'{row["images_per_second"]:.1f}', f'{row["gmacs"]:.1f}',
                  share(row, speeds), f'{row["step_mb"]:.0f}'] for way, row in rows.items()])
        largest = (parts.get(f'largest_{config}') or {}).get('figures')
        if largest:
            text += ('\nLargest minibatch of a generator update, float32: {minibatch} (ended by '
                     '{ended_by}, {peak_mb:,.0f} MB).\n'.format(**largest))
    for name in ('paper_stage1', 'paper_stage2'):
        figures = (parts.get(name) or {}).get('figures')
        if figures:
            text += ('\n{name}: {ms:.1f} ms per iteration, {minutes:.1f} minutes for the paper\'s '
                     '{all:,} ({settings}).\n'.format(
                         name=name, ms=1e3 * figures['seconds_per_iteration'],
                         all=PAPER_ITERATIONS, minutes=figures['minutes'],
                         settings=', '.join(figures['settings']) or 'the config unchanged'))
    evaluation = parts.get('evaluation') or {}
    if evaluation.get('figures'):
        checkpoint = next(word for word in shlex.split(evaluation['command']) if 'iter_' in word)
        text += (f'\n## MNIST-Single, {Path(checkpoint).name}\n\nPerceptual features that know '
                 'strokes, learnt from the training images without labels.\n\n')
        text += markdown_table(['figure', 'value'], flat(evaluation['figures']))
    text += '\n## Parts\n\n' + markdown_table(
        ['part', 'seconds', 'limit', 'error'],
        [[name, f'{part["seconds"]:.1f}', f'{part["limit"]:.0f}',
          (part['error'] or '').replace('|', '/')] for name, part in parts.items()])
    return text + '\n```bash\n' + '\n'.join(part['command'] for part in parts.values()) + '\n```\n'


def share(row: dict, speeds: dict) -> str:
    """What share of the speed of a matrix product a measurement reaches; empty if not known."""
    if row['dtype'] not in speeds:
        return ''
    return f'{row["gmacs"] / row["median_ms"] * 1e3 / speeds[row["dtype"]]["matrix"]:.0%}'


def flat(figures: dict, prefix: str = '') -> list:
    """Rows of nested figures."""
    rows = []
    for name, value in figures.items():
        if isinstance(value, dict):
            rows += flat(value, f'{prefix}{name} ')
        elif not isinstance(value, str):  # such as the fingerprint of the checkpoint
            rows.append([f'{prefix}{name}', f'{value:.4g}'])
    return rows


def main():
    args = parse_args()
    out = args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    if args.wheels:
        install(args.wheels, out / 'site')
    tiny = {}
    if args.dry_run:
        tiny = dict(model=TINY_MODEL)
        os.environ.update(CUDA_VISIBLE_DEVICES='', TORCHDYNAMO_DISABLE='1')
    report = Report(out, args.dry_run)
    report.run('digits', [
        'tools/dataset_converters/mnist.py', '--task', 'single', '--source', 'digits', '--out',
        out / 'data', *(['--num-train', '24', '--num-test', '4', '--workers', '0'] if tiny else [])
    ], 40)
    measurements(report, TINY if tiny else FULL, tiny)
    training(report, tiny)
    failed = [name for name, part in report.parts.items() if part['error']]
    print(f'{out / "report.md"}: {len(report.parts)} parts, failed: {", ".join(failed) or "none"}')


if __name__ == '__main__':
    main()
