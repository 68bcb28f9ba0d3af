# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Draws letters in the layout of EMNIST's test files, for trying out the letter task without them.

    python tools/analysis/draw_letters.py --out data/drawn_letters
    python tools/dataset_converters/mnist.py --source emnist --root data/drawn_letters \
        --out data/drawn_letters_single

The letters are OpenCV's Hershey fonts, slanted, stretched and thickened at random. They are no
handwriting, and a figure on them is none of the paper's.
"""
from pathlib import Path

import cv2
import numpy as np

from egscit_arguments import parser_for
from egscit_mm.utils.cli import exit_with
from egscit_mm.utils.files import check_folder, write_atomically

FONTS = [cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_COMPLEX,
         cv2.FONT_HERSHEY_SCRIPT_SIMPLEX]
SIZE, LARGE, BOX = 28, 224, 20  # a letter fills a box of 20 pixels, as MNIST's digits do


def drawn(letter: str, font: int, rng: np.random.RandomState) -> np.ndarray:
    """One letter, white on black, uint8, (28, 28)."""
    canvas = np.zeros((LARGE, LARGE), np.uint8)
    cv2.putText(canvas, letter, (LARGE // 4, 3 * LARGE // 4), font, 4, 255, 1, cv2.LINE_AA)
    x, y, width, height = cv2.boundingRect(canvas)
    # To the middle, sheared, stretched to the box.
    scale = 0.92 * BOX * LARGE / SIZE / max(width, height)
    shear = rng.uniform(-0.3, 0.3)
    linear = scale * np.array([[rng.uniform(0.85, 1), shear], [0, rng.uniform(0.85, 1)]])
    middle = np.array([x + width / 2, y + height / 2])
    shift = LARGE / 2 - linear @ middle
    canvas = cv2.warpAffine(canvas, np.column_stack([linear, shift]), (LARGE, LARGE))
    # After it, so that strokes are as wide in all letters: about 2 pixels of the small picture.
    width = rng.randint(8, 20)
    canvas = cv2.dilate(canvas, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    return cv2.resize(canvas, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def idx(array: np.ndarray) -> bytes:
    """Content of an idx file of bytes."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, '>u4').tobytes() + array.tobytes()


def main():
    parser = parser_for(__doc__)
    parser.add_argument('--out', type=Path, required=True, help='folder to write')
    parser.add_argument('--num', type=int, default=4160, help='letters (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    check_folder(args.out, f'--out {args.out}')
    names = [f'emnist-letters-test-{kind}-ubyte' for kind in ('images-idx3', 'labels-idx1')]
    if any((args.out / name).exists() for name in names):
        raise SystemExit(f'{args.out} has idx files already, EMNIST itself perhaps: give another '
                         'folder.')
    rng = np.random.RandomState(args.seed)
    labels = np.arange(args.num, dtype=np.uint8) % 26
    images = []
    for index, label in enumerate(labels):
        letter = chr(ord('aA'[index // 26 % 2]) + label)
        images.append(drawn(letter, FONTS[rng.randint(len(FONTS))], rng))
    # EMNIST stores its letters transposed, and counts them from 1.
    for name, array in zip(names, (np.stack(images).transpose(0, 2, 1), labels + 1)):
        write_atomically(args.out / name, idx(array))
    print(f'{args.num} letters in {args.out}')


if __name__ == '__main__':
    exit_with(main)
