# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
r"""Convert your own folders of images, one per domain, to training and test sets of equal size.

    python tools/dataset_converters/folders.py --domain A photos/summer --domain B photos/winter \
        --size 128 128 --out data/mine

The data: any folders or zip archives of images (bmp, jpg, png, ppm, tif, webp), searched in depth;
other files are counted and not used. The images of the two domains need not be pairs.

Written are trainA, testA, trainB, testB, with the folders inside kept. --test names a folder whose
images are the test set of a domain; without it a seeded share of the domain's images is:

    python tools/dataset_converters/folders.py --domain B leftImg8bit/train \
        --test B leftImg8bit/val --size 256 512 --out data/gta2cityscapes

Images are turned upright as their EXIF data say; grey and 16-bit images become 8-bit RGB;
transparent pixels become white. The largest centred part with the shape of --size is resized by
Lanczos; --resize stretch keeps the whole image and changes its shape instead.
"""

import argparse
import itertools
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Callable

from egscit_arguments import (
    add_output_arguments,
    add_size_argument,
    add_split_arguments,
    domain_name,
    parser_for,
)


def parse_args() -> argparse.Namespace:
    parser = parser_for(__doc__)
    parser.add_argument(
        '--domain', nargs=2, action='append', required=True, metavar=('NAME', 'PATH'),
        dest='domains', help='name of a domain, such as A, and its folder or archive; repeat it '
        'for the other domain')
    parser.add_argument(
        '--test', nargs=2, action='append', default=[], metavar=('NAME', 'PATH'), dest='tests',
        help="folder or archive of a domain's test images; those of --domain are then all for "
        'training')
    add_split_arguments(parser)
    add_size_argument(parser, None)
    parser.add_argument(
        '--resize', choices=['crop', 'stretch'], default='crop', help='default: %(default)s')
    add_output_arguments(parser)
    args = parser.parse_args()
    for option in ('domains', 'tests'):
        pairs = getattr(args, option)
        try:
            paths = {domain_name(name): Path(path) for name, path in pairs}
        except argparse.ArgumentTypeError as error:
            parser.error(f'a domain name {error}')
        if len(paths) < len(pairs):
            parser.error(f'a domain is named twice: {" ".join(name for name, _ in pairs)}')
        setattr(args, option, paths)
    if set(args.tests) - set(args.domains):
        parser.error(f'--test names {" ".join(args.tests)}, --domain only '
                     f'{" ".join(args.domains)}')
    for pair in itertools.combinations([*args.domains.values(), *args.tests.values()], 2):
        inner, outer = sorted((path.resolve() for path in pair), reverse=True)
        if inner.is_relative_to(outer):
            parser.error('{} and {} have images in common: name folders of which none holds '
                         'another'.format(*pair))
    return args


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

from PIL import Image

from egscit_mm.datasets import conversion
from egscit_mm.datasets.conversion import Files, Job, Task

RESIZE = dict(crop=conversion.crop, stretch=conversion.stretch)


def render(contents: dict[str, bytes], resize: Callable,
           size: tuple[int, int]) -> dict[str, Image.Image]:
    """The image in the size wanted."""
    image = Image.fromarray(conversion.decode_rgb(contents['image']))
    return dict(image=resize(image, size))


def plan(args: argparse.Namespace, domain: str) -> Job:
    """What to make of a domain."""
    sources = dict(images=Files([args.domains[domain]], conversion.IMAGE_SUFFIXES))
    settings = dict(converter='folders', size=args.size, resize=args.resize, format=args.format)
    if domain in args.tests:
        sources['test images'] = Files([args.tests[domain]], conversion.IMAGE_SUFFIXES)
        names = dict(train=('images', sources['images'].names),
                     test=('test images', sources['test images'].names))
        settings['split'] = 'folders'
    else:
        test = conversion.draw_test_names(sources['images'].names, args.test_fraction, args.seed)
        names = dict(train=('images', sorted(set(sources['images'].names) - test)),
                     test=('images', sorted(test)))
        settings['split'] = dict(test_fraction=args.test_fraction, seed=args.seed)
    tasks = [
        Task(name if source == 'images' else f'{args.tests[domain]}/{name}',
             dict(image=(source, name)),
             conversion.output_paths(split, domain, str(PurePosixPath(name).with_suffix('')),
                                     args.format))
        for split, (source, group) in names.items() for name in group
    ]
    excluded = {f'{suffix or "without suffix"}': count for files in sources.values()
                for suffix, count in files.ignored.items()}
    return Job(domain, tasks, sources,
               partial(render, resize=RESIZE[args.resize], size=tuple(args.size)), settings,
               excluded=excluded)


def main() -> int:
    args = parse_args()
    return conversion.convert([plan(args, domain) for domain in args.domains], args.out,
                              args.workers)


if __name__ == '__main__':
    conversion.exit_with(main, conversion.KEPT)
