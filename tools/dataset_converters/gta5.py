# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
r"""Convert GTA5 ("Playing for Data") to images of 256x512 and label maps beside them.

    python tools/dataset_converters/gta5.py --images gta5/*_images.zip \
        --labels gta5/*_labels.zip --split gta5/split.mat --domain A --out data/gta2bdd

The data: https://download.visinf.tu-darmstadt.de/data/from_games/ offers ten archives of images
(01_images.zip to 10_images.zip) and ten of labels (01_labels.zip to 10_labels.zip), and
read_mapping.zip with the official split.mat. Archives and unpacked folders are both read:

    01_images.zip, ...      images/00001.png, ...  24,966 frames of about 1914x1052 pixels
    01_labels.zip, ...      labels/00001.png, ...  palette PNG in Cityscapes' colours
    split.mat               trainIds, valIds, testIds: frame numbers

Written are trainA and testA and, with --labels, trainA_labels19, trainA_labels8 (and so for test):

    trainA/00001.png             RGB, reduced by Lanczos without keeping the aspect (1.82 to 2)
    trainA_labels19/00001.png    one channel, nearest neighbour: Cityscapes' train ids 0..18, 255
                                 for every other class (ignored in training and scores)
    trainA_labels8/00001.png     one channel: the category of each pixel's class in Cityscapes:
                                 0 void, 1 flat, 2 construction, 3 object, 4 nature, 5 sky,
                                 6 human, 7 vehicle. Void is one of the eight, as in the authors'
                                 release; classes without a train id keep their category

Some frames' labels are of another size than their image. They are found by their sizes, left out
and named in the report and in manifest.json; they do not make the conversion fail.

Without --split a seeded share of the frames becomes the test set. Neighbouring frames look alike,
so such a test set is easier than the official one.
"""

import argparse
import io
from functools import partial
from pathlib import Path

from egscit_arguments import (
    add_images_argument,
    add_output_arguments,
    add_size_argument,
    add_split_arguments,
    domain_name,
    parser_for,
)


def parse_args() -> argparse.Namespace:
    parser = parser_for(__doc__)
    add_images_argument(parser)
    parser.add_argument(
        '--labels', type=Path, nargs='+', help='archives or folders of labels; without, only '
        'images are converted and no frame is left out')
    parser.add_argument('--domain', type=domain_name, default='A')
    parser.add_argument('--split', type=Path, help='the official split.mat')
    parser.add_argument(
        '--validation', choices=['train', 'test'], help="where the official split's validation "
        'frames go (default: left out)')
    add_split_arguments(parser)
    add_size_argument(parser, (256, 512))
    add_output_arguments(parser)
    args = parser.parse_args()
    if args.validation and not args.split:
        parser.error('--validation goes with --split')
    return args


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

from egscit_mm.datasets import conversion
from egscit_mm.datasets.conversion import ConversionError, Files, Job, LeftOutError, Task


def read_split(path: Path, validation: str | None) -> dict[int, str]:
    """Read the official split.

    Args:
        path (Path): split.mat.
        validation (str | None): 'train', 'test' or None (left out).

    Returns:
        dict[int, str]: 'train' or 'test' by frame number.

    Raises:
        ConversionError: If the file cannot be read or is not such a split.
    """
    from scipy.io import loadmat  # only this option needs it

    try:
        file = io.BytesIO(path.read_bytes())
    except OSError as error:
        raise ConversionError(f'cannot read {path}: {error.strerror}') from error
    try:
        content = loadmat(file)
        frames = {part: content[f'{part}Ids'].ravel().tolist()
                  for part in ('train', 'val', 'test')}
    except Exception as error:  # a damaged MAT file makes SciPy raise errors of all kinds
        raise ConversionError(f'{path} is not the split.mat of GTA5 with trainIds, valIds and '
                              f'testIds ({error!r})') from error
    split_of_part = dict(train='train', val=validation, test='test')
    return {int(frame): split_of_part[part] for part, numbers in frames.items()
            for frame in numbers if split_of_part[part]}


def plan(args: argparse.Namespace) -> Job:
    """What to make of the sources that the arguments name."""
    sources = dict(images=Files(args.images, ['.png']))
    frames = dict(images=conversion.by_stem(sources['images'].names), labels={})
    if args.labels:
        sources['labels'] = Files(args.labels, ['.png'])
        frames['labels'] = conversion.by_stem(sources['labels'].names)
    failed = {name: 'has no image' for frame, name in frames['labels'].items()
              if frame not in frames['images']}

    if args.split:
        split_of = read_split(args.split, args.validation)
        split_of = {frame: split_of.get(int(frame)) if frame.isdigit() else None
                    for frame in frames['images']}
    else:
        test = conversion.draw_test_names(frames['images'], args.test_fraction, args.seed)
        split_of = {frame: 'test' if frame in test else 'train' for frame in frames['images']}

    tasks, num_unused = [], 0
    for frame, name in frames['images'].items():
        inputs = dict(image=('images', name))
        if split_of[frame] is None:
            num_unused += 1
            continue
        if args.labels:
            if frame not in frames['labels']:
                failed[name] = 'has no label'
                continue
            inputs['label'] = ('labels', frames['labels'][frame])
        tasks.append(Task(name, inputs, conversion.output_paths(
            split_of[frame], args.domain, frame, args.format, bool(args.labels))))
    settings = dict(
        converter='gta5',
        size=args.size,
        format=args.format,
        labels=bool(args.labels),
        split=dict(official=True, validation=args.validation) if args.split else
        dict(test_fraction=args.test_fraction, seed=args.seed))
    excluded = {'neither a training nor a test frame of the split': num_unused}
    render = partial(conversion.render_labelled, size=tuple(args.size), role='label',
                     label_maps=conversion.train_ids_of_colours, mismatch=LeftOutError)
    return Job(args.domain, tasks, sources, render, settings, failed,
               {why: count for why, count in excluded.items() if count})


def main() -> int:
    args = parse_args()
    return conversion.convert([plan(args)], args.out, args.workers)


if __name__ == '__main__':
    conversion.exit_with(main, conversion.KEPT)
