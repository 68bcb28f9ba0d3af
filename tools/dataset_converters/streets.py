# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
r"""Paint streets: scenes of eight classes in two domains, whose exact translation is known.

    python tools/dataset_converters/streets.py --size 128 256 --num-train 5000 --out data/streets

No files are needed. A street is a list of shapes: road, houses, trees, cars, people, sky and more.
Domain A paints it as a game does (clean, saturated, hard shadows), domain B as a camera (muted,
with haze, blur, vignetting and noise). Both show day, dusk and night, in clear, overcast, foggy
and rainy weather; white balance and exposure are drawn per image.

Written are ``trainA``, ``trainB``, ``testA``, ``testB`` and the ground truths ``testA2B``,
``testB2A``: RGB PNG files. Image i of testA goes with image i of testB: image i of testA2B is the
scene of testA in the style of testB, image i of testB2A the scene of testB in the style of testA.
No scene is in two of trainA, trainB, testA and testB.

Beside them are trainA_labels8, trainB_labels8, testA_labels8, testB_labels8: one channel, the
category of each pixel:

    0 void, 1 flat, 2 construction, 3 object, 4 nature, 5 sky, 6 human, 7 vehicle

The ground truths have the labels of their scenes: testA2B those of testA. Training never reads
labels or ground truths.

Held out of trainB are people at night and in rain, and vehicles in fog; the test set shows them.
``manifest.json`` tells the scene and the style of every test image.

The same arguments give the same bytes, whatever the number of workers. ``--out`` appears when it is
complete: an interrupted run leaves nothing and starts over, a complete one is not repeated.
"""

import argparse
from pathlib import Path

from egscit_arguments import add_size_argument, add_workers_argument, parser_for, positive

SIZES = ((64, 128), (128, 256), (256, 512))


def parse_args() -> argparse.Namespace:
    parser = parser_for(__doc__)
    add_size_argument(parser, (128, 256))
    parser.add_argument('--out', type=Path, required=True, help='folder to write')
    parser.add_argument(
        '--seed', type=int, default=0, help='chooses scenes and styles (default: %(default)s)')
    parser.add_argument(
        '--num-train', type=positive, default=5000, help='images per domain (default: '
        '%(default)s)')
    parser.add_argument(
        '--num-test', type=positive, default=500, help='images per domain (default: %(default)s)')
    add_workers_argument(parser)
    args = parser.parse_args()
    if tuple(args.size) not in SIZES:
        *some, last = ('{} {}'.format(*size) for size in SIZES)
        parser.error(f'--size must be {", ".join(some)} or {last}, got '
                     '{} {}'.format(*args.size))
    return args


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

from collections import Counter
from functools import partial

from egscit_mm.datasets import conversion
from egscit_mm.datasets.conversion.painted import is_painted, write_painted
from egscit_mm.datasets.streets.pictures import Street, label_folder, plan_streets, write_street
from egscit_mm.datasets.streets.style import HELD_OUT


def describe(args: argparse.Namespace, streets: list[Street]) -> dict:
    """Everything that decides the bytes of the output, and what the test images show."""
    counts, test = Counter(), {}
    for street in streets:
        counts.update([*street.styles, label_folder(street)])
        for folder, style in street.styles.items():
            if folder.startswith('test'):
                test.setdefault(folder, {})[street.name] = dict(
                    scene=street.scene, **style._asdict())
    return dict(
        task='streets', seed=args.seed, image_size=list(args.size), held_out=dict(HELD_OUT),
        counts=counts, test=test)


def main() -> int:
    args = parse_args()
    streets = plan_streets(dict(train=args.num_train, test=args.num_test), args.seed)
    manifest = describe(args, streets)
    if is_painted(args.out, manifest):
        print(f'{args.out} is already complete, nothing to do')
        return 0
    write_painted(args.out, streets, partial(write_street, tuple(args.size)), manifest,
                  args.workers, chunksize=16)
    print(f'{args.out}: ' + ', '.join(f'{n} images in {folder}'
                                      for folder, n in manifest['counts'].items()))
    return 0


if __name__ == '__main__':
    conversion.exit_with(main, 'Nothing was written: run the same command to start over')
