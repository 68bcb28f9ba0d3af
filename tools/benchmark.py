# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Times training and translation of a config on random images and weights.

Prints median and spread of milliseconds after a warm-up, images per second, peak memory, the
counted multiply-adds, and which share of this machine's own measured speed they reach. --compare
runs other ways to train or to translate in the same process and in turn, and prints the ratios: the
options of the configs, and "naive", the updates as a plain script would do them. --part largest
looks for the largest minibatch that a GPU holds.
"""
import argparse
import copy
import ctypes
import gc
import platform
import resource
import time
from collections import defaultdict
from pathlib import Path
from timeit import timeit

from egscit_arguments import add_config_options, config_options, not_negative, parser_for, positive

PARTS = ('step', 'infer', 'flows', 'largest')
CEILING_SECONDS = 0.5  # of measuring each kind of arithmetic
SIDES = ('generators', 'discriminators')
# What --compare sets in the config, by name.
OPTIONS = {
    'channels_last': {'model.channels_last': True},
    'checkpointing': {'model.generator.activation_checkpointing': True,
                      'model.perceptual_loss.activation_checkpointing': True},
    'compile': {'model.compile': True},
    'reduce_overhead': {'model.compile.mode': 'reduce-overhead'},
    'bf16': {f'optim_wrapper.{side}.type': 'AutocastOptimWrapper' for side in SIDES},
    'foreach': {f'optim_wrapper.{side}.optimizer.foreach': True for side in SIDES},
    'fused': {f'optim_wrapper.{side}.optimizer.fused': True for side in SIDES},
    'accumulation': {f'optim_wrapper.{side}.accumulative_counts': 2 for side in SIDES},
    'no_ema': {'model.ema_config': None},
}
TRANSLATION_OPTIONS = ('amp', 'bf16', 'channels_last', 'compile', 'reduce_overhead')
_LIBC = ctypes.CDLL(None)


def comparison(text: str) -> str:
    """A way of --compare."""
    known = ['amp', *OPTIONS]
    unknown = [part for part in text.split('+') if part not in known]
    if unknown and text != 'naive':
        raise argparse.ArgumentTypeError(
            f'{text}: {", ".join(unknown)} is none of {", ".join(known)} (or naive alone)')
    return text


def parse_args():
    parser = parser_for(__doc__)
    parser.add_argument('config', help='config of stage 1 or 2')
    parser.add_argument('--part', choices=PARTS, default='step', help='a whole iteration; '
                        'translation alone; forward and backward of each flow; the largest '
                        'minibatch whose generator update fits into memory (default: step)')
    parser.add_argument('--compare', nargs='+', default=[], type=comparison, metavar='WAY',
                        help='with --part step: naive (stage 2 only), amp (mixed precision: '
                        'bfloat16 on a CPU, float16 on a GPU), options of the config '
                        f'({", ".join(OPTIONS)}), or several of these joined by "+": '
                        'amp+channels_last; with --part infer: '
                        f'{", ".join(TRANSLATION_OPTIONS)}')
    parser.add_argument('--naive', action='store_true', help='the plain script alone: on a CPU, '
                        'total peak memory is that of a process')
    parser.add_argument('--size', type=positive, nargs=2, metavar=('H', 'W'),
                        help="default: that of the first image of the config's data")
    parser.add_argument('--minibatch', type=positive, help="images per update and domain "
                        "(default: the config's); where --part largest ends")
    parser.add_argument('--iters', type=positive, default=10,
                        help='iterations to time (default: 10)')
    parser.add_argument('--warmup', type=not_negative, default=2,
                        help='iterations before the timing starts (default: 2)')
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument('--ceiling', type=not_negative, metavar='N', help='rows of the matrices '
                        "that measure the machine's speed, 0 for no such measurement (default: "
                        '2048; 4096 on a GPU)')
    parser.add_argument('--processor-time', action='store_true', help='on a CPU that other '
                        'programs use, too: seconds of the processor, summed over the threads, in '
                        "place of the clock's")
    parser.add_argument('--json', type=Path, help='file for the figures')
    add_config_options(parser)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from naive_egscit import refuse_options
from naive_egscit import train_step as naive_train_step
from torch.utils.benchmark import Measurement, TaskSpec, Timer, timer
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

import egscit_mm  # noqa: F401  (makes MMagic importable)
from egscit_mm.apis.model import model_name
from egscit_mm.apis.train import enable_amp
from egscit_mm.config import read_config
from egscit_mm.utils.cli import exit_with
from egscit_mm.utils.files import check_outputs, write_json
from egscit_mm.utils.tables import markdown_table


def reset_peak(device: str) -> float:
    """Starts a new measurement of the peak memory; MB that are held already, weights above all."""
    gc.collect()
    if device == 'cuda':
        # What PyTorch keeps for itself stays: to ask for it again would take most of the time.
        torch.cuda.reset_peak_memory_stats()
    elif platform.system() == 'Linux':
        if hasattr(_LIBC, 'malloc_trim'):  # glibc: what the function before has left to it
            _LIBC.malloc_trim(0)
        Path('/proc/self/clear_refs').write_text('5')  # of the resident memory, see proc(5)
    return peak_mb(device)


def peak_mb(device: str) -> float:
    """Peak memory since :func:`reset_peak`: the GPU's, or resident memory of the process."""
    if device == 'cuda':
        return torch.cuda.max_memory_allocated() / 2**20
    if platform.system() == 'Linux':
        status = Path('/proc/self/status').read_text().splitlines()
        return int(next(line for line in status if line.startswith('VmHWM')).split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def machine_speed(device: str, dtype: torch.dtype, rows: int, clock=timer) -> dict:
    """Multiply-adds per second (1e9) of a large matrix product and of a convolution.

    Args:
        device (str): Where.
        dtype (torch.dtype): In what.
        rows (int): Of the matrices; for 2048, the images have 256 channels of 64x64 pixels.
        clock (callable): Seconds.
    """
    matrix = torch.randn(rows, rows, device=device, dtype=dtype)
    channels, side = rows // 8, rows // 32
    images = torch.randn(4, channels, side, side, device=device, dtype=dtype)
    weight = torch.randn(channels, channels, 3, 3, device=device, dtype=dtype)
    speeds = {}
    for name, statement, operations in (
            ('matrix', 'matrix @ matrix', rows**3),
            ('convolution', 'torch.conv2d(images, weight, padding=1)',
             images.numel() * channels * 9)):
        measured = Timer(
            statement, timer=clock, globals=dict(matrix=matrix, images=images, weight=weight),
            num_threads=torch.get_num_threads()).blocked_autorange(min_run_time=CEILING_SECONDS)
        speeds[name] = operations / min(measured.times) / 1e9
    return speeds


def build(cfg: Config, device: str) -> tuple:
    """Model with random weights, feature networks and VGG included, and its optimiser wrappers."""
    from mmagic.registry import MODELS
    from mmengine.optim import build_optim_wrapper
    init_default_scope('mmagic')
    torch.manual_seed(0)
    if cfg.model.get('perceptual_loss'):
        cfg.model.perceptual_loss.pretrained = None
    cfg.model.pop('feature_checkpoint', None)
    model = MODELS.build(cfg.model).to(device)
    model.init_weights()
    if getattr(model.generators, 'feature_networks', None) is not None:
        model.generators.features_loaded.fill_(True)
    return model, build_optim_wrapper(model, cfg.optim_wrapper)


def random_batch(cfg: Config, number: int, size: list) -> dict:
    """What the dataloader delivers."""
    from mmagic.structures import DataSample
    images = {f'img_{domain}': torch.randint(0, 256, (number, 3, *size), dtype=torch.uint8)
              for domain in cfg.model.get('domains', ('A', 'B'))}
    return dict(inputs=images, data_samples=[DataSample() for _ in range(number)])


def image_size(cfg: Config) -> list:
    """Height and width of the first training image."""
    from mmagic.registry import DATASETS
    init_default_scope('mmagic')
    try:
        sample = DATASETS.build(cfg.train_dataloader.dataset)[0]
    except FileNotFoundError as error:
        raise SystemExit(f'{error}\nThe data are not here: give --size H W.') from error
    return list(next(iter(sample['inputs'].values())).shape[1:])


def measure(functions: dict, device: str, iters: int, warmup: int, clock=timer) -> dict:
    """Times, multiply-adds and peak memory of functions, which take turns.

    Args:
        functions (dict[str, callable]): By name.
        device (str): Where they compute.
        iters (int): How often each is timed.
        warmup (int): How often each is called before.
        clock (callable): Seconds; PyTorch's clock waits for the device.
    """
    results = {}
    for name, function in functions.items():
        # What a compiled network computes cannot be counted; it is the same.
        with torch.compiler.set_stance('force_eager'), FlopCounterMode(display=False) as counter:
            function()
        results[name] = dict(
            gmacs=counter.get_total_flops() / 2e9, peak_mb=0., step_mb=0.,
            time=Measurement(number_per_run=1, raw_times=[], task_spec=TaskSpec(name, setup='')))
    for iteration in tqdm(range(warmup + iters), desc='timing', leave=False):
        for name, function in functions.items():
            held = reset_peak(device)
            # Timer.timeit would add two runs.
            seconds = timeit(function, timer=clock, number=1)
            if iteration >= warmup:
                result, peak = results[name], peak_mb(device)
                result['time'].raw_times.append(seconds)
                result['peak_mb'] = max(result['peak_mb'], peak)
                result['step_mb'] = max(result['step_mb'], peak - held)
    return results


def training(cfg, device, batch, step=None):
    """A function that trains one iteration, with weights of its own.

    Args:
        cfg (Config): The config.
        device (str): Where it trains.
        batch (dict): What it trains with, every time.
        step (callable | None): Called with model, batch and wrappers; its own train_step if None.
    """
    model, wrappers = build(cfg, device)
    if step is naive_train_step:
        try:
            refuse_options(model, wrappers)
        except ValueError as error:
            raise SystemExit(str(error)) from error
    return lambda: (step or type(model).train_step)(model, batch, wrappers)


def settings_of(cfg: Config, way: str) -> dict:
    """What a way of --compare sets in the config; nothing for amp, naive and ours."""
    options = [option for option in way.split('+') if option in OPTIONS]
    if 'no_ema' in options and not cfg.model.get('ema_config'):
        raise SystemExit('no_ema: this config averages no weights.')
    return {
        key: value for option in options for key, value in OPTIONS[option].items()
        if cfg.model.get('perceptual_loss') or 'perceptual_loss' not in key
    }


def changed_config(cfg: Config, way: str) -> Config:
    """The config with the options of a way of --compare."""
    cfg = copy.deepcopy(cfg)
    if 'amp' in way.split('+'):
        enable_amp(cfg)
    cfg.merge_from_dict(settings_of(cfg, way))
    return cfg


def precision(cfg: Config, way: str, amp: bool, device: str) -> str:
    """What a way computes in, by PyTorch's name."""
    options = way.split('+')
    if 'bf16' in options or cfg.optim_wrapper.get('generators', {}).get(
            'type') == 'AutocastOptimWrapper':
        return 'bfloat16'
    if amp or 'amp' in options:
        return 'bfloat16' if device == 'cpu' else 'float16'
    return 'float32'


def updates_of(cfg: Config) -> int:
    """How many updates an iteration has, of all kinds."""
    steps = dict(discriminator_steps=1, generator_steps=1 if model_name(cfg) == 'VAEGAN' else 5)
    steps.update({key: value for key, value in cfg.model.items() if key.endswith('_steps')})
    return sum(steps.values())


def step_functions(args, cfg, device, size, minibatch) -> dict:
    """One iteration of training, and the ways to compare it with, or one update of each side."""
    batch = random_batch(cfg, minibatch * updates_of(cfg), size)
    if args.naive or 'naive' in args.compare:
        if model_name(cfg) != 'EGSCIT':
            raise SystemExit(f'The naive updates are those of EGSCIT, not of {model_name(cfg)}.')
    if args.naive:
        return dict(naive=training(cfg, device, batch, naive_train_step))
    functions = dict(ours=training(cfg, device, batch))
    for way in args.compare:
        functions[way] = training(cfg, device, batch, naive_train_step) if way == 'naive' else (
            training(changed_config(cfg, way), device, batch))
    if args.compare:
        return functions

    model, update = update_function(cfg, device)
    images = model.images_by_domain(model.data_preprocessor(batch, True)['inputs'])
    part = {domain: image[:minibatch] for domain, image in images.items()}
    for kind in model.updates():
        name = kind.steps.removesuffix('_steps')
        functions[f'one {name} update'] = lambda kind=kind: update(kind.steps, part)
    return functions


def update_function(cfg, device) -> tuple:
    """A model, and a function for one update of a kind with a minibatch, as train_step."""
    from egscit_mm.models.base.updates import frozen
    model, wrappers = build(cfg, device)
    kinds = {kind.steps: kind for kind in model.updates()}

    def update(steps, images):
        with frozen(*kinds[steps].frozen):
            model.update(kinds[steps], images, wrappers[kinds[steps].side], defaultdict(list))

    return model, update


def largest_minibatch(cfg, device, size, limit=None) -> dict:
    """The largest minibatch whose generator update fits into memory, to an eighth.

    Args:
        cfg (Config): The config.
        device (str): Where.
        size (list): Height and width.
        limit (int | None): Where the search ends, if memory does not end it before.

    Returns:
        dict: ``minibatch``; ``ended_by``, 'memory' or 'limit'; ``peak_mb``, memory at its peak.
    """
    model, update = update_function(cfg, device)

    def fits(number):
        held = reset_peak(device)
        images = {domain: torch.rand(number, 3, *size, device=device).to(
            memory_format=model.memory_format) * 2 - 1 for domain in model.domains}
        try:
            update('generator_steps', images)
        except torch.OutOfMemoryError:
            model.zero_grad()
            if device == 'cuda':
                torch.cuda.empty_cache()
            return False
        peaks[number] = max(held, peak_mb(device))
        return True

    peaks, number = {0: 0.}, 1
    while (limit is None or number <= limit) and fits(number):
        number *= 2
    ended_by = 'limit' if limit is not None and number > limit else 'memory'
    step = number // 4
    if ended_by == 'memory':
        number //= 2
        for _ in range(2):
            number += step if step and fits(number + step) else 0
            step //= 2
    largest = max(peaks)
    return dict(minibatch=largest, ended_by=ended_by, peak_mb=peaks[largest])


def flow_functions(cfg, device, size, minibatch) -> dict:
    """Forward and backward of the flows of one minibatch."""
    model, _ = build(cfg, device)
    batch = random_batch(cfg, minibatch, size)
    images = model.images_by_domain(model.data_preprocessor(batch, True)['inputs'])

    def run(flows):
        outputs = model.generators(images, flows)
        sum(image.mean() for flow in flows for image in outputs[flow].values()).backward()
        model.zero_grad()

    return {
        ' + '.join(flows): lambda flows=flows: run(flows)
        for flows in (['reconstruction'], ['translation'], ['translation', 'cycle'],
                      ['reconstruction', 'translation', 'cycle'])
    }


def inference_functions(args, cfg, device, size, minibatch) -> dict:
    """Translation of a batch, and the ways to compare it with."""
    images = [torch.rand(minibatch, 3, *size, device=device) * 2 - 1 for _ in range(2)]

    def translating(way):
        model, _ = build(changed_config(cfg, way), device)
        model.eval()
        source, target = model.generators.directions[0]
        translation = model.translation
        if model.compile_options is not None:
            translation = torch.compile(translation, **model.compile_options)
        dtype = getattr(torch, precision(cfg, way, args.amp, device))

        @torch.inference_mode()
        def run():
            with torch.autocast(device, dtype, enabled=dtype != torch.float32):
                translation(images[0], target, images[1], source)

        return run

    return {way: translating(way) for way in ('ours', *args.compare)}


def main():
    args = parse_args()
    MMLogger.get_current_instance().setLevel('WARNING')  # not how each weight is initialised
    if args.json:
        check_outputs([(args.json, 'the figures')])
    if args.naive and args.part != 'step' or args.compare and args.part not in ('step', 'infer'):
        raise SystemExit('--naive goes with --part step, --compare with that and with --part '
                         'infer.')
    unfit = {option for way in args.compare for option in way.split('+')
             if option not in TRANSLATION_OPTIONS}
    if args.part == 'infer' and unfit:
        raise SystemExit(f'{", ".join(sorted(unfit))}: no way to translate; with --part infer '
                         f'--compare takes {", ".join(TRANSLATION_OPTIONS)}.')
    cfg = read_config(args.config, config_options(args.cfg_options))
    device = get_device()
    if args.part not in ('step', 'largest') and model_name(cfg) != 'EGSCIT':
        raise SystemExit(f'--part {args.part} needs a config of EGSCIT, this one has '
                         f'{model_name(cfg)}.')
    if args.part == 'largest' and device == 'cpu' and args.minibatch is None:
        raise SystemExit('--part largest fills the memory of a GPU, and there is none: give '
                         '--minibatch N, where it ends.')
    if args.processor_time and device != 'cpu':
        raise SystemExit('--processor-time is for CPUs: most of the time of a GPU is not in it.')
    size = args.size or image_size(cfg)
    minibatch = args.minibatch or cfg.train_dataloader.batch_size // updates_of(cfg)
    if args.amp:
        enable_amp(cfg)
    torch.backends.cudnn.benchmark = cfg.get('env_cfg', {}).get('cudnn_benchmark', False)
    gc.freeze()  # else reset_peak() looks through all that was imported
    figures = dict(
        config=args.config, part=args.part, size=list(size), minibatch=minibatch, amp=args.amp,
        device=torch.cuda.get_device_name() if device == 'cuda' else
        f'{torch.get_num_threads()} CPU threads', torch=torch.__version__)
    print(f'{args.config} --part {args.part}: {size[0]}x{size[1]}, {figures["device"]}, torch '
          f'{torch.__version__}')
    if args.part == 'largest':
        figures.update(largest_minibatch(cfg, device, size, args.minibatch))
        print('Largest minibatch: {minibatch}, ended by {ended_by}; peak {peak_mb:.0f} MB'.format(
            **figures))
    else:
        figures.update(timed(args, cfg, device, size, minibatch),
                       processor_time=args.processor_time)
    if args.json:
        write_json(figures, str(args.json))


def timed(args, cfg, device, size, minibatch) -> dict:
    """Measures the functions of a part, and prints them as a table."""
    functions = dict(
        step=lambda: step_functions(args, cfg, device, size, minibatch),
        infer=lambda: inference_functions(args, cfg, device, size, minibatch),
        flows=lambda: flow_functions(cfg, device, size, minibatch))[args.part]()
    # What each way computes in, and how fast the machine is at it.
    dtypes = {name: precision(cfg, name, args.amp, device) for name in functions}
    rows = (2048 if device == 'cpu' else 4096) if args.ceiling is None else args.ceiling
    clock = time.process_time if args.processor_time else timer
    speeds = {dtype: machine_speed(device, getattr(torch, dtype), rows, clock)
              for dtype in dict.fromkeys(['float32', *dtypes.values()]) if rows}
    results = measure(functions, device, args.iters, args.warmup, clock)

    images = minibatch
    if args.part == 'step':
        images *= updates_of(cfg)
    table = {}
    for dtype, speed in speeds.items():
        print(f'This machine, {dtype}: {speed["matrix"]:.0f} G multiply-adds/s in a matrix '
              f'product, {speed["convolution"]:.0f} in a 3x3 convolution')
    print(f'\nMinibatches of {minibatch}:\n')
    header = ['', 'ms, median (min to max)', 'of our time', 'images/s', 'G multiply-adds',
              'of the convolution speed', 'peak MB', 'for the step, MB']
    cells = []
    for name, result in results.items():
        ms = [seconds * 1e3 for seconds in result['time'].times]
        median = result['time'].median * 1e3
        row = table[name] = dict(
            median_ms=median, min_ms=min(ms), max_ms=max(ms),
            images_per_second=images / median * 1e3, gmacs=result['gmacs'],
            dtype=dtypes[name], settings=settings_of(cfg, name),
            # Other ways hold their weights beside it.
            peak_mb=None if args.compare else result['peak_mb'], step_mb=result['step_mb'])
        of_ours = share = ''
        if speeds:
            row['share_of_convolution_speed'] = (
                result['gmacs'] / median * 1e3 / speeds[dtypes[name]]['convolution'])
            share = f'{row["share_of_convolution_speed"]:.0%}'
        if args.compare:
            ratios = np.divide(ms, results['ours']['time'].times) / 1e3
            row['of_our_time'] = float(np.median(ratios))
            of_ours = f'{row["of_our_time"]:.2f} ({min(ratios):.2f} to {max(ratios):.2f})'
        cells.append([
            name, f'{median:.1f} ({row["min_ms"]:.1f} to {row["max_ms"]:.1f})', of_ours,
            '' if 'update' in name else f'{row["images_per_second"]:.2f}', f'{row["gmacs"]:.2f}',
            share, '' if args.compare else f'{row["peak_mb"]:.0f}', f'{row["step_mb"]:.0f}'])
    print(markdown_table(header, cells), end='')
    return dict(gmacs_per_second=speeds, results=table)


if __name__ == '__main__':
    exit_with(main)
