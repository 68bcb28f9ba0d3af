# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
r"""Split CelebA's aligned faces by an attribute into two domains of 128x128 images.

    python tools/dataset_converters/celeba.py --images celeba/img_align_celeba.zip \
        --attributes celeba/list_attr_celeba.txt --partition celeba/list_eval_partition.txt \
        --out data/celeba

The data: https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, "Align&Cropped Images" with the folders
Anno and Eval. The archive and its unpacked folder are both read:

    img_align_celeba.zip       img_align_celeba/000001.jpg, ...  202,599 faces of 178x218 pixels
    list_attr_celeba.txt       their number; the 40 names; then per face its file name and 40
                               times 1 (has it) or -1 (has not)
    list_eval_partition.txt    per face its file name and 0 (train), 1 (validation) or 2 (test)

Written are trainA, testA (faces that have the attribute, by default Male) and trainB, testB (faces
that have not): 84,434 and 118,165 faces in all, those of the validation set included. Of each face
the rows 20..198 are cut out, resized to 132x132 and then to 128x128 (Lanczos), as the authors'
release does in its preparation and its training.
"""

import argparse
from collections import Counter
from pathlib import Path, PurePosixPath

from egscit_arguments import add_output_arguments, parser_for

FACE_SIZE = 178, 218  # width, height
CROP = 0, 20, 178, 198  # left, top, right, bottom
SIZES = (132, 132), (128, 128)
PARTITIONS = {'0': 'train', '1': 'validation', '2': 'test'}
DOMAIN_OF_VALUE = {'1': 'A', '-1': 'B'}


def parse_args() -> argparse.Namespace:
    parser = parser_for(__doc__)
    parser.add_argument(
        '--images', type=Path, required=True, help='img_align_celeba.zip or the folder')
    parser.add_argument('--attributes', type=Path, required=True, help='list_attr_celeba.txt')
    parser.add_argument('--partition', type=Path, required=True, help='list_eval_partition.txt')
    parser.add_argument(
        '--attribute', default='Male', help='faces that have it are domain A, those that have '
        'not are domain B (default: %(default)s)')
    parser.add_argument(
        '--validation', choices=['train', 'test'],
        help="where the faces of partition 1 go (default: left out)")
    add_output_arguments(parser)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

from PIL import Image

from egscit_mm.datasets import conversion
from egscit_mm.datasets.conversion import BadInputError, ConversionError, Files, Job, Task


def read_lines(path: Path) -> list[list[str]]:
    """Words of every line of a text file."""
    try:
        text = path.read_text(encoding='utf-8-sig')  # Windows's editors put a mark in front
        return [line.split() for line in text.rstrip().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConversionError(f'cannot read {path}: {error}') from error


def read_attribute(path: Path, attribute: str) -> dict[str, str]:
    """Read one attribute of every face.

    Args:
        path (Path): list_attr_celeba.txt.
        attribute (str): Its name.

    Returns:
        dict[str, str]: 'A' (has it) or 'B' (has not) by file name.

    Raises:
        ConversionError: If the file is damaged or has no such attribute.
    """
    lines = read_lines(path)
    if len(lines) < 3 or len(lines[0]) != 1 or not lines[0][0].isdigit():
        raise ConversionError(f'{path} is not list_attr_celeba.txt: expected the number of faces '
                              "in its first line and the attributes' names in its second")
    names = lines[1]
    if attribute not in names:
        raise ConversionError(f'{path} has no attribute {attribute!r}; it has {", ".join(names)}')
    if len(lines) - 2 != int(lines[0][0]):
        raise ConversionError(f'{path} is truncated: its first line says {lines[0][0]} faces, it '
                              f'has {len(lines) - 2}: get this file again')
    column = names.index(attribute) + 1
    domains = {}
    for number, words in enumerate(lines[2:], start=3):
        if len(words) != len(names) + 1 or words[column] not in DOMAIN_OF_VALUE:
            raise ConversionError(f'line {number} of {path} is not a file name with {len(names)} '
                                  f'values 1 or -1: {" ".join(words[:4])} ...')
        domains[words[0]] = DOMAIN_OF_VALUE[words[column]]
    return domains


def read_partition(path: Path) -> dict[str, str]:
    """'train', 'validation' or 'test' by file name, from list_eval_partition.txt."""
    partition = {}
    for number, words in enumerate(read_lines(path), start=1):
        if len(words) != 2 or words[1] not in PARTITIONS:
            raise ConversionError(f'line {number} of {path} is not a file name with 0, 1 or 2: '
                                  f'{" ".join(words[:4])!r}')
        partition[words[0]] = PARTITIONS[words[1]]
    return partition


def render(contents: dict[str, bytes]) -> dict[str, Image.Image]:
    """The face, cropped and resized twice."""
    image = Image.fromarray(conversion.decode_rgb(contents['image']))
    if image.size != FACE_SIZE:
        raise BadInputError('the image is {}x{}, not an aligned face of {}x{}'.format(
            *image.size, *FACE_SIZE))
    image = image.crop(CROP)
    for size in SIZES:
        image = conversion.stretch(image, size)
    return dict(image=image)


def plan(args: argparse.Namespace) -> list[Job]:
    """What to make of the sources that the arguments name, per domain."""
    sources = dict(images=Files([args.images], ['.jpg', '.png']))
    images = conversion.by_stem(sources['images'].names)  # the lists say .jpg, also of PNG files
    domain_of = read_attribute(args.attributes, args.attribute)
    partition = read_partition(args.partition)
    split_of = dict(train='train', test='test', validation=args.validation)
    settings = dict(
        converter='celeba', attribute=args.attribute, validation=args.validation,
        size=SIZES[-1], format=args.format)

    jobs = []
    for value, domain in DOMAIN_OF_VALUE.items():
        faces = [face for face in sorted(domain_of) if domain_of[face] == domain]
        if not faces:
            raise ConversionError(f'{args.attributes} names no face '
                                  f'{"with" if value == "1" else "without"} {args.attribute}')
        tasks, failed, excluded = [], {}, Counter()
        for face in faces:
            stem = PurePosixPath(face).stem
            if stem not in images:
                failed[face] = f'is not in {args.images}'
            elif face not in partition:
                failed[face] = f'is not in {args.partition}'
            elif split_of[partition[face]] is None:
                excluded['validation set'] += 1
            else:
                tasks.append(Task(images[stem], dict(image=('images', images[stem])),
                                  conversion.output_paths(split_of[partition[face]], domain, stem,
                                                          args.format)))
        jobs.append(Job(domain, tasks, sources, render, dict(settings, value=int(value)), failed,
                        dict(excluded)))
    # A face without attributes belongs to no domain; it is reported with the first one.
    known = {PurePosixPath(face).stem for face in domain_of}
    jobs[0].failed.update({name: f'is not in {args.attributes}' for stem, name in images.items()
                           if stem not in known})
    return jobs


def main() -> int:
    args = parse_args()
    return conversion.convert(plan(args), args.out, args.workers)


if __name__ == '__main__':
    conversion.exit_with(main, conversion.KEPT)
