# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Trains a quarter-width VGG-19 on digits: perceptual features for the digit tasks, offline.

The ImageNet weights of VGG-19 have to be downloaded, and random weights do not see what a digit is.
This network learns it in a few minutes from trainA: from the labels in the file names (00000_7.png)
and from the true strokes, painted in random colours, those of domain B among them. relu3_4 has to
give the strokes pixel by pixel, also hollow, thick and shifted ones, and relu5_1 has to name the
digit. So its deep layers know what is drawn where but not in which colours; its shallow ones see
the colours. Say so beside every figure of a model that used these features: EGSC-IT itself needs
no labels.

Use: perceptual_loss=dict(pretrained=FILE, base_channels=16).
"""
import argparse
from fnmatch import fnmatch
from pathlib import Path

BASE_CHANNELS = 16
STROKE_LAYER = 'relu3_4'  # 7x7 positions of 64 channels for 28x28 pixels
DIGIT_LAYER = 'relu5_1'
BATCH_SIZE = 48
LEARNING_RATE = 3e-3


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data', required=True, help='painted MNIST-Single (see '
                        'tools/dataset_converters/mnist.py)')
    parser.add_argument('--out', required=True, help='file for the weights')
    parser.add_argument('--iters', type=int, default=1500,
                        help='batches to train on (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='default: %(default)s')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval
from tqdm import tqdm

import egscit_mm  # noqa: F401  (cures the import of torchvision where it is needed)
from egscit_mm.models.networks.vgg import VGGFeatures
from egscit_mm.utils.files import atomic_path
from egscit_mm.utils.images import read_image
from egscit_mm.utils.listing import list_images


def load_digits(folder: Path, limit: int = 20000):
    """Strokes (N, 1, 28, 28) as bool and labels (N,) of the pictures in trainA."""
    names = list_images(folder) if folder.is_dir() else []
    files = [folder / name for name in names if fnmatch(name, '*_[0-9].png')][:limit]
    if not files:
        raise SystemExit(f'{folder} holds no digits named INDEX_LABEL.png; paint them with '
                         'tools/dataset_converters/mnist.py.')
    grey = np.stack([cv2.cvtColor(read_image(file), cv2.COLOR_RGB2GRAY) for file in files])
    # Domain A is black on white or white on black; the corner is background.
    strokes = (grey > 127) != (grey[:, :1, :1] > 127)
    labels = [int(file.stem[-1]) for file in files]
    return torch.from_numpy(strokes)[:, None], torch.tensor(labels)


def random_colours(count: int):
    """Foreground and background, (2, count, 3, 1, 1) in [-1, 1], mostly of the pure colours."""
    colours = torch.rand(2, count, 3, 1, 1) * 2 - 1
    pure = torch.rand(count) < 0.7
    return torch.where(pure[:, None, None, None], colours.sign(), colours)


def spoilt(strokes: Tensor):
    """Strokes of which some are spoilt as translations may be: hollow, outlined, thick, shifted.

    Args:
        strokes (Tensor): 0 or 1, (N, 1, H, W).

    Returns:
        tuple[Tensor, Tensor]: The strokes, and which of them still show the digit, (N,) bool.
    """
    thick = F.max_pool2d(strokes, 3, 1, 1)
    inner = -F.max_pool2d(-strokes, 3, 1, 1)
    chance = torch.rand(len(strokes))
    kind = chance[:, None, None, None]
    strokes = torch.where(kind < 0.15, strokes - inner,
                          torch.where(kind < 0.3, thick - strokes,
                                      torch.where(kind < 0.4, thick, strokes)))
    return strokes.roll(torch.randint(-2, 3, (2, )).tolist(), (2, 3)), chance >= 0.4


def stroke_map(strokes: Tensor) -> Tensor:
    """What the stroke layer has to give: (N, 1, 28, 28) -> (N, 64, 7, 7), values in [0, 1].

    The pixels of each 4x4 cell, sharp and blurred, as they are and inverted: all channels, so
    that none is left to tell the colours.
    """
    blurred = F.avg_pool2d(strokes, 3, 1, 1, count_include_pad=False)
    return F.pixel_unshuffle(torch.cat([strokes, 1 - strokes, blurred, 1 - blurred], 1), 4)


def make_trainable(vgg: VGGFeatures) -> None:
    """Puts convolutions with batch norm in place of the frozen ones: they learn much faster."""
    for index, layer in enumerate(vgg.layers):
        if isinstance(layer, nn.Conv2d):
            conv = nn.Conv2d(layer.in_channels, layer.out_channels, 3, padding=1)
            conv.weight.data.copy_(layer.weight)
            vgg.layers[index] = nn.Sequential(
                conv, nn.BatchNorm2d(layer.out_channels, momentum=0.05))


def folded_state(vgg: VGGFeatures) -> dict:
    """State dict of a plain VGG-19 that computes the same, its batch norms folded in."""
    state = {}
    for index, layer in enumerate(vgg.eval().layers):
        if isinstance(layer, nn.Sequential):
            conv = fuse_conv_bn_eval(*layer)
            state[f'{index}.weight'], state[f'{index}.bias'] = conv.weight.data, conv.bias.data
    return state


def main():
    args = parse_args()
    torch.manual_seed(args.seed)
    digits, labels = load_digits(Path(args.data) / 'trainA')
    vgg = VGGFeatures([STROKE_LAYER, DIGIT_LAYER], pretrained=None, base_channels=BASE_CHANNELS)
    vgg.load_weights()
    make_trainable(vgg)
    head = nn.Linear(BASE_CHANNELS * 8, 10)
    optimizer = torch.optim.Adam([*vgg.parameters(), *head.parameters()], betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=args.iters, pct_start=0.1)
    accuracy = error = 0.
    with tqdm(range(args.iters), desc='digit features') as progress:
        for step in progress:
            picked = torch.randint(len(labels), (BATCH_SIZE,))
            strokes, shows_digit = spoilt(digits[picked].float())
            foreground, background = random_colours(BATCH_SIZE)
            seen = (foreground - background).abs().amax((1, 2, 3)) > 0.3
            strokes, shows_digit = strokes[seen], shows_digit[seen]
            features = vgg(torch.where(strokes > 0.5, foreground[seen], background[seen]))
            stroke_error = F.mse_loss(features[STROKE_LAYER], stroke_map(strokes))
            logits = head(features[DIGIT_LAYER].mean((2, 3)))[shows_digit]
            right_labels = labels[picked][seen][shows_digit]
            loss = 10 * stroke_error + 0.1 * F.cross_entropy(logits, right_labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            share = max(0.02, 1 / (step + 1))
            right = (logits.argmax(1) == right_labels).float().mean().item()
            accuracy += (right - accuracy) * share
            error += (stroke_error.item() - error) * share
            progress.set_postfix(accuracy=f'{accuracy:.3f}', stroke_error=f'{error:.4f}')
    out = Path(args.out)
    with atomic_path(out) as temporary:
        torch.save(folded_state(vgg), temporary)
    print(f'{out}: names {accuracy:.1%} of the training digits, mean squared error of the strokes '
          f'{error:.4f}')


if __name__ == '__main__':
    main()
