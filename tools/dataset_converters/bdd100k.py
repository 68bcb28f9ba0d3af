# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
r"""Convert BDD100K to images of 256x512 and label maps beside them.

    python tools/dataset_converters/bdd100k.py --images bdd/bdd100k_images_10k.zip \
        --masks bdd/bdd100k_sem_seg_labels_trainval.zip --domain B --out data/gta2bdd

The data: http://bdd-data.berkeley.edu (registration) offers "100K Images" and "10K Images" (those
with segmentation), "Semantic Segmentation" and "Labels" or "Detection 2020 Labels" (time of day).
Archives and unpacked folders are both read; the folder train or val above a file decides:

    bdd100k/images/{100k,10k}/{train,val}/<id>.jpg      1280x720 pixels
    bdd100k/labels/sem_seg/masks/{train,val}/<id>.png   one channel: train ids 0..18, 255
    bdd100k/seg/{images,labels}/{train,val}/            the same in the older bdd100k_seg.zip, with
                                                        labels named <id>_train_id.png
    bdd100k_labels_images_{train,val}.json, det_{train,val}.json, or one <id>.json per image

Written are trainB (from train) and testB (from val) and, with --masks, trainB_labels19,
trainB_labels8 (and so for test):

    trainB/<id>.png             RGB, reduced by Lanczos without keeping the aspect (1.78 to 2)
    trainB_labels19/<id>.png    one channel, nearest neighbour: train ids 0..18, 255 = ignore
    trainB_labels8/<id>.png     one channel: 0 void, 1 flat, 2 construction, 3 object, 4 nature,
                                5 sky, 6 human, 7 vehicle. The masks tell only the 19 classes
                                apart: all others become 0

--masks goes with the 10K images: every image must have a mask. The folder test, which has no
masks, is not used. --time-of-day takes images whose JSON labels (--labels) give one of these times;
the 10K images are only in part among those labels, and an image without a time is not used.
"""

import argparse
import json
from collections import Counter
from functools import partial
from pathlib import Path, PurePosixPath

from egscit_arguments import (
    add_images_argument,
    add_output_arguments,
    add_size_argument,
    domain_name,
    parser_for,
)

SPLITS = dict(train='train', val='test')
UNUSED_SPLIT = 'test'
TIMES = {'day': 'daytime', 'night': 'night', 'dawn/dusk': 'dawn/dusk'}
# What the official archives of masks and the older bdd100k_seg.zip hold beside the masks.
NO_MASKS = {'colormaps', 'color_labels', 'images'}


def parse_args() -> argparse.Namespace:
    parser = parser_for(__doc__)
    add_images_argument(parser)
    parser.add_argument(
        '--masks', type=Path, nargs='+', help='archives or folders of segmentation masks; '
        'without, only images are converted')
    parser.add_argument(
        '--time-of-day', nargs='+', choices=list(TIMES), help='take these images only')
    parser.add_argument(
        '--labels', type=Path, nargs='+', help='JSON files, or archives or folders of them, that '
        'tell the time of day')
    parser.add_argument('--domain', type=domain_name, default='B')
    add_size_argument(parser, (256, 512))
    add_output_arguments(parser)
    args = parser.parse_args()
    if bool(args.time_of_day) != bool(args.labels):
        parser.error('--time-of-day and --labels go together')
    return args


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

from tqdm import tqdm

from egscit_mm.datasets import conversion
from egscit_mm.datasets.conversion import BadInputError, ConversionError, Files, Job, Task


def read_times(paths: list[Path]) -> dict[str, str]:
    """Read the time of day from JSON labels.

    Args:
        paths (list[Path]): JSON files, each of one image or of many, or archives or folders.

    Returns:
        dict[str, str]: ``attributes.timeofday`` by image name without suffix.

    Raises:
        ConversionError: If a file cannot be read or is no such label file.
    """
    files = Files(paths, ['.json'])
    times = {}
    for name in tqdm(files.names, desc='time of day', unit='file'):
        try:
            content = json.loads(files.read(name), object_hook=_without_objects)
            if isinstance(content, dict):
                # One image, or Scalabel's {'frames': [...]} of many.
                content = [content] if 'attributes' in content else content['frames']
            for frame in content:
                time = str(frame['attributes']['timeofday'])
                times[PurePosixPath(frame['name']).stem] = time
        except (BadInputError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ConversionError(f'{name} of the --labels is not a label file of BDD100K with the '
                                  f'time of day ({error!r})') from error
    return times


def _without_objects(item: dict) -> dict:
    # Applied while parsing: the outlines of all objects would fill many gigabytes.
    return {key: item[key] for key in ('name', 'attributes', 'timeofday', 'frames') if key in item}


def split_of(name: str) -> str | None:
    """The last folder of a name that is a split of BDD100K."""
    found = [part for part in PurePosixPath(name).parts[:-1] if part in (*SPLITS, UNUSED_SPLIT)]
    return found[-1] if found else None


def plan(args: argparse.Namespace) -> Job:
    """What to make of the sources that the arguments name."""
    sources = dict(images=Files(args.images, ['.jpg']))
    images = conversion.by_stem(sources['images'].names)
    if not any(split_of(name) for name in images.values()):
        raise ConversionError(f'no folder {" or ".join(SPLITS)} in the --images, only such as '
                              f'{sources["images"].names[0]}: give the folder that holds them')
    masks, failed = {}, {}
    if args.masks:
        sources['masks'] = Files(args.masks, ['.png'])
        masks = conversion.by_stem(
            (name for name in sources['masks'].names
             if NO_MASKS.isdisjoint(PurePosixPath(name).parts)), '_train_id')
        failed = {name: 'has no image' for stem, name in masks.items() if stem not in images}
    times = read_times(args.labels) if args.labels else {}
    wanted = {TIMES[time] for time in args.time_of_day or ()}

    tasks, excluded = [], Counter()
    for stem, name in images.items():
        inputs = dict(image=('images', name))
        split = split_of(name)
        if split not in SPLITS:
            excluded[f'in no folder {" or ".join(SPLITS)}'] += 1
        elif wanted and times.get(stem) not in wanted:
            excluded[f'time of day: {times.get(stem, "not in the labels")}'] += 1
        elif args.masks and stem not in masks:
            failed[name] = 'has no mask'
        else:
            if args.masks:
                inputs['mask'] = ('masks', masks[stem])
            tasks.append(Task(name, inputs, conversion.output_paths(
                SPLITS[split], args.domain, stem, args.format, bool(args.masks))))
    settings = dict(
        converter='bdd100k',
        size=args.size,
        format=args.format,
        labels=bool(args.masks),
        time_of_day=sorted(args.time_of_day or ()))
    render = partial(conversion.render_labelled, size=tuple(args.size), role='mask',
                     label_maps=conversion.categories_of_train_ids, mismatch=BadInputError)
    return Job(args.domain, tasks, sources, render, settings, failed, dict(excluded))


def main() -> int:
    args = parse_args()
    return conversion.convert([plan(args)], args.out, args.workers)


if __name__ == '__main__':
    conversion.exit_with(main, conversion.KEPT)
