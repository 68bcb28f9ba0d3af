# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Paint the MNIST-Single image folders from real MNIST or from scikit-learn's digits.

    python tools/dataset_converters/mnist.py --source mnist --root data/mnist --out data/single
    python tools/dataset_converters/mnist.py --source digits --out data/digits_single

``--source mnist`` reads the four idx files, gzipped or not, from ``--root`` or its subfolder
``MNIST/raw`` (torchvision's layout). ``--source digits`` needs no files: it takes the 1,797
digits of 8x8 pixels that scikit-learn carries and enlarges them to MNIST's 20x20 pixel box
in a 28x28 image.

Written are ``trainA``, ``trainB``, ``testA``, ``testB`` and the ground truths ``testA2B``,
``testB2A``: 28x28 RGB PNG files ``<index>_<label>.png``. File i of testA goes with file i of
testB: file i of testA2B is the digit of testA in the colours of testB, file i of testB2A the
digit of testB in the colours of testA. ``manifest.json`` tells where every test image comes
from. The same arguments give the same bytes.

The paper does not say which digits the domains are made from. Here all four image folders are
made of different digits, so that the training sets are unpaired in the strict sense.
"""

import argparse
import gzip
import hashlib
import json
import math
import tempfile
import zlib
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from egscit_mm.datasets.digits import DIGIT_SIZE, STYLES, Style, binarize, draw_style, paint

# Test pictures per domain: the paper's number, and half of the digits held out of 1,797.
DEFAULT_NUM_TEST = dict(mnist=1000, digits=200)
DIGIT_BOX = 20  # pixels; MNIST's digits fill a box of this size in the middle of the image
MANIFEST = 'manifest.json'
PNG_COMPRESSION = 1  # 0..9; the pictures are tiny, so speed counts for more than size


class Digits(NamedTuple):
    """Grey digits, uint8 (N, 28, 28), bright strokes on dark, and labels, uint8 (N,)."""

    images: np.ndarray
    labels: np.ndarray


class Picture(NamedTuple):
    """What to paint: a digit (its index in its split) in the style of a domain."""

    name: str
    split: str
    digit: int
    style: str


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--task', choices=['single'], default='single')
    parser.add_argument('--source', choices=sorted(DEFAULT_NUM_TEST), required=True)
    parser.add_argument('--root', type=Path, help="folder of MNIST's idx files (mnist only)")
    parser.add_argument('--out', type=Path, required=True, help='folder to write')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--num-train', type=int, help='per domain; default: half of the training digits')
    parser.add_argument(
        '--num-test',
        type=int,
        help=f'per domain; default: {DEFAULT_NUM_TEST["mnist"]} for mnist, '
        f'{DEFAULT_NUM_TEST["digits"]} for digits')
    args = parser.parse_args()
    if (args.source == 'mnist') != (args.root is not None):
        parser.error('--root goes with --source mnist: it names the folder of the idx files')
    if not 0 <= args.seed < 2**32:
        parser.error(f'--seed must be in 0..{2**32 - 1}, got {args.seed}')
    for option, number in (('--num-train', args.num_train), ('--num-test', args.num_test)):
        if number is not None and number < 1:
            parser.error(f'{option} must be at least 1, got {number}')
    if args.num_test is None:
        args.num_test = DEFAULT_NUM_TEST[args.source]
    return args


def find_idx_file(root: Path, name: str) -> Path:
    """Find an idx file, gzipped or not, in ``root`` or torchvision's ``root/MNIST/raw``."""
    candidates = [
        folder / (name + suffix) for folder in (root, root / 'MNIST' / 'raw')
        for suffix in ('', '.gz')
    ]
    for path in candidates:
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"no {name} in {root}: looked for {', '.join(map(str, candidates))}. Copy the four files "
        'train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and '
        't10k-labels-idx1-ubyte (or the same with .gz) there, or use --source digits, which '
        'needs no files')


def read_idx(path: Path, ndim: int) -> np.ndarray:
    """Read an idx file of bytes, gzipped if its name ends in ``.gz``.

    torchvision's reader takes neither gzipped files nor the name of the file into its errors.

    Args:
        path (Path): The file.
        ndim (int): Number of dimensions that it must have: 3 for images, 1 for labels.

    Returns:
        np.ndarray: The content, uint8.

    Raises:
        ValueError: If the file is not such an idx file, or is damaged or truncated.
    """
    content = path.read_bytes()
    if path.suffix == '.gz':
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(
                f'{path} is damaged or truncated ({error}): get this file again') from error
    header = 4 + 4 * ndim
    magic = bytes([0, 0, 8, ndim])  # 8: unsigned bytes
    if content[:4] != magic:
        raise ValueError(f'{path} is not an idx file of bytes in {ndim} dimensions: expected it '
                         f'to start with {magic.hex()}, got {content[:4].hex() or "nothing"}')
    shape = tuple(int.from_bytes(content[i:i + 4], 'big') for i in range(4, header, 4))
    if len(content) != header + math.prod(shape):
        raise ValueError(f'{path} is damaged or truncated: its header (shape {shape}) asks for '
                         f'{header + math.prod(shape)} bytes of content, but it has '
                         f'{len(content)}: get this file again')
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def load_mnist(root: Path) -> tuple[dict[str, Digits], dict[str, str]]:
    """Read MNIST's training and test digits.

    Args:
        root (Path): Folder of the idx files.

    Returns:
        tuple: Digits by split ('train', 'test'), and the md5 sums of the files read by name.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is damaged, or images and labels do not fit each other.
    """
    digits, md5 = {}, {}
    for split, prefix in (('train', 'train'), ('test', 't10k')):
        image_path = find_idx_file(root, f'{prefix}-images-idx3-ubyte')
        label_path = find_idx_file(root, f'{prefix}-labels-idx1-ubyte')
        images, labels = read_idx(image_path, 3), read_idx(label_path, 1)
        if images.shape[1:] != (DIGIT_SIZE, DIGIT_SIZE):
            raise ValueError(f'{image_path} holds images of {images.shape[1]}x{images.shape[2]} '
                             f'pixels, expected {DIGIT_SIZE}x{DIGIT_SIZE}')
        if len(images) != len(labels):
            raise ValueError(f'{image_path} holds {len(images)} images, but {label_path} '
                             f'{len(labels)} labels: they do not belong together')
        if labels.size and labels.max() > 9:
            raise ValueError(f'{label_path} holds the label {labels.max()}, expected 0..9')
        digits[split] = Digits(images, labels)
        for path in (image_path, label_path):
            md5[path.name] = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    return digits, md5


def load_sklearn_digits(num_held_out: int,
                        rng: np.random.RandomState) -> tuple[dict[str, Digits], dict[str, str]]:
    """Enlarge scikit-learn's digits to MNIST's format and hold some out for testing.

    Args:
        num_held_out (int): Size of the test split.
        rng (np.random.RandomState): Chooses the digits held out.

    Returns:
        tuple: Digits by split ('train', 'test'), and the md5 sum of the source by name.

    Raises:
        ValueError: If too few digits would be left for training.
    """
    from sklearn.datasets import load_digits  # seconds of import that only this source needs

    source = load_digits()
    most = len(source.target) - len(STYLES)
    if num_held_out > most:
        raise ValueError(f'the test set asks for {num_held_out} of the {len(source.target)} digits '
                         'of scikit-learn, which leaves too few for training: ask for a --num-test '
                         f'of at most {most // len(STYLES)}')
    border = (DIGIT_SIZE - DIGIT_BOX) // 2
    images = []
    for small in source.images.astype(np.float32):  # 8x8, values 0..16
        # Lanczos and full brightness from 14 on: other choices break more of the thin strokes when
        # the digit is binarised (an 0 becomes a C) or fill more of the holes.
        box = cv2.resize(
            small * (255 / 14), (DIGIT_BOX, DIGIT_BOX), interpolation=cv2.INTER_LANCZOS4)
        images.append(np.pad(np.clip(box, 0, 255).round().astype(np.uint8), border))
    digits = Digits(np.stack(images), source.target.astype(np.uint8))
    order = rng.permutation(len(digits.labels))
    chosen = dict(test=order[:num_held_out], train=order[num_held_out:])
    pixels = np.ascontiguousarray(source.images.astype(np.uint8))
    md5 = hashlib.md5(pixels, usedforsecurity=False).hexdigest()
    return ({split: Digits(*(array[index] for array in digits))
             for split, index in chosen.items()}, {'sklearn.datasets.load_digits': md5})


def plan_single(digits: dict[str, Digits], counts: dict[str, int],
                rng: np.random.RandomState) -> dict[str, list[Picture]]:
    """Decide the pictures of MNIST-Single.

    Args:
        digits (dict[str, Digits]): Digits by split ('train', 'test').
        counts (dict[str, int]): Pictures per domain by split.
        rng (np.random.RandomState): Chooses digits and styles.

    Returns:
        dict[str, list[Picture]]: The pictures of every folder, in the order of their names.

    Raises:
        ValueError: If a split has too few digits to give every domain its own.
    """
    plan = {}
    domains = list(STYLES)
    for split, count in counts.items():
        labels = digits[split].labels
        if count * len(domains) > len(labels):
            raise ValueError(
                f'--num-{split} {count} needs {count * len(domains)} digits (every domain has its '
                f'own), but the source has {len(labels)} {split} digits: ask for at most '
                f'{len(labels) // len(domains)}')
        order = rng.permutation(len(labels))
        for number, domain in enumerate(domains):
            chosen = order[number * count:(number + 1) * count].tolist()
            plan[split + domain] = [
                Picture(f'{i:05d}_{labels[digit]}.png', split, digit,
                        draw_style(domain, labels[digit], split, rng))
                for i, digit in enumerate(chosen)
            ]
    for source, target in ((domains[0], domains[1]), (domains[1], domains[0])):
        plan[f'test{source}2{target}'] = [
            content._replace(style=exemplar.style)
            for content, exemplar in zip(plan[f'test{source}'], plan[f'test{target}'], strict=True)
        ]
    return plan


def describe(args: argparse.Namespace, plan: dict[str, list[Picture]],
             md5: dict[str, str]) -> dict:
    """Everything that decides the bytes of the output, and where the test images come from."""
    return dict(
        task=args.task,
        source=args.source,
        source_md5=md5,
        seed=args.seed,
        image_size=[DIGIT_SIZE, DIGIT_SIZE],
        counts={folder: len(pictures) for folder, pictures in plan.items()},
        test={
            folder: {picture.name: dict(digit=picture.digit, style=picture.style)
                     for picture in pictures}
            for folder, pictures in plan.items() if folder.startswith('test')
        },
    )


def as_text(manifest: dict) -> str:
    return json.dumps(manifest, indent=1) + '\n'


def is_complete(out: Path, manifest: dict) -> bool:
    """Whether ``out`` already holds what this run would write.

    Args:
        out (Path): The folder.
        manifest (dict): What this run would write.

    Returns:
        bool: True if it is there, False if there is no ``out`` or it is empty.

    Raises:
        FileExistsError: If ``out`` holds anything else.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    path = out / MANIFEST
    if not path.is_file() or path.read_text() != as_text(manifest):
        raise FileExistsError(f'{out} exists and was not written with these arguments and source '
                              'files: choose another --out, or delete it first')
    for folder, count in manifest['counts'].items():
        found = len(list((out / folder).glob('*.png')))
        if found != count:
            raise FileExistsError(f'{out / folder} holds {found} PNG files, but {path} says '
                                  f'{count}: delete {out} and run this again')
    return True


def write(out: Path, plan: dict[str, list[Picture]], digits: dict[str, Digits],
          manifest: dict) -> None:
    """Paint and write all pictures; ``out`` appears only when it is complete."""
    styles: dict[str, Style] = {name: style for named in STYLES.values()
                                for name, style in named.items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'.{out.name}-', dir=out.parent) as temporary:
        unfinished = Path(temporary) / out.name
        with tqdm(total=sum(map(len, plan.values())), unit='img') as progress:
            for folder, pictures in plan.items():
                progress.set_description(folder)
                (unfinished / folder).mkdir(parents=True)
                for name, split, digit, style in pictures:
                    image = paint(binarize(digits[split].images[digit]), styles[style])
                    _, png = cv2.imencode('.png', cv2.cvtColor(image, cv2.COLOR_RGB2BGR),
                                          [cv2.IMWRITE_PNG_COMPRESSION, PNG_COMPRESSION])
                    # Not cv2.imwrite, which tells neither why it failed nor that the disk is full.
                    (unfinished / folder / name).write_bytes(png)
                    progress.update()
        (unfinished / MANIFEST).write_text(as_text(manifest))
        unfinished.rename(out)


def main() -> None:
    args = parse_args()
    # RandomState and not default_rng: its numbers are the same in every version of NumPy.
    rng = np.random.RandomState(args.seed)
    if args.source == 'mnist':
        digits, md5 = load_mnist(args.root)
    else:
        digits, md5 = load_sklearn_digits(len(STYLES) * args.num_test, rng)
    num_train = args.num_train or len(digits['train'].labels) // len(STYLES)
    plan = plan_single(digits, dict(train=num_train, test=args.num_test), rng)
    manifest = describe(args, plan, md5)
    if is_complete(args.out, manifest):
        print(f'{args.out} is already complete, nothing to do')
        return
    write(args.out, plan, digits, manifest)
    print(f'{args.out}: ' + ', '.join(f'{n} images in {folder}'
                                      for folder, n in manifest['counts'].items()))


if __name__ == '__main__':
    main()
