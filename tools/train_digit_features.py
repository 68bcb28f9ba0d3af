# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Trains a quarter-width VGG-19 on painted digits: perceptual features for them, without labels.

The ImageNet weights of VGG-19 have to be downloaded, and random weights do not see what a digit is.
This network learns it in a few minutes from the images of trainA alone. A picture has two colours,
and the corner shows which is the background: so its strokes are known. They are painted in random
colours, also hollow, thick and shifted, and relu3_4 has to give them back pixel by pixel. So the
deep layers know what is drawn where but not in which colours; the shallow ones see the colours.
Neither the digits' names nor the colours of domain B are used.

Use: perceptual_loss=dict(pretrained=FILE, base_channels=16).
"""
from pathlib import Path

from egscit_arguments import parser_for

BASE_CHANNELS = 16
STROKE_LAYER = 'relu3_4'  # 7x7 positions of 64 channels for 28x28 pixels
BATCH_SIZE = 48
LEARNING_RATE = 3e-3


def parse_args():
    parser = parser_for(__doc__)
    parser.add_argument('--data', required=True, help='painted MNIST-Single (see '
                        'tools/dataset_converters/mnist.py)')
    parser.add_argument('--out', required=True, help='file for the weights')
    parser.add_argument('--iters', type=int, default=4000,
                        help='batches to train on (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='default: %(default)s')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from mmengine.device import get_device
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval
from tqdm import tqdm

import egscit_mm  # noqa: F401  (cures the import of torchvision where it is needed)
from egscit_mm.models.networks.vgg import VGGFeatures
from egscit_mm.utils.cli import exit_with
from egscit_mm.utils.files import atomic_path, check_outputs
from egscit_mm.utils.images import read_image
from egscit_mm.utils.listing import list_images


def load_strokes(folder: Path) -> Tensor:
    """Strokes of the pictures in trainA, at most 20,000, (N, 1, 28, 28) as bool."""
    names = list_images(folder)[:20000] if folder.is_dir() else []
    if not names:
        raise SystemExit(f'{folder} holds no images; paint digits with '
                         'tools/dataset_converters/mnist.py.')
    grey = np.stack([
        cv2.cvtColor(read_image(folder / name), cv2.COLOR_RGB2GRAY) for name in names
    ])
    # Domain A is black on white or white on black; the corner is background.
    return torch.from_numpy((grey > 127) != (grey[:, :1, :1] > 127))[:, None]


def random_colours(count: int):
    """Foreground and background, (2, count, 3, 1, 1) in [-1, 1], mostly of the pure colours."""
    colours = torch.rand(2, count, 3, 1, 1) * 2 - 1
    pure = torch.rand(count) < 0.7
    return torch.where(pure[:, None, None, None], colours.sign(), colours)


def spoilt(strokes: Tensor) -> Tensor:
    """Strokes of which some are spoilt as translations may be: hollow, outlined, thick, shifted.

    Args:
        strokes (Tensor): 0 or 1, (N, 1, H, W).

    Returns:
        Tensor: 0 or 1, (N, 1, H, W).
    """
    thick = F.max_pool2d(strokes, 3, 1, 1)
    inner = -F.max_pool2d(-strokes, 3, 1, 1)
    kind = torch.rand(len(strokes))[:, None, None, None]
    strokes = torch.where(kind < 0.15, strokes - inner,
                          torch.where(kind < 0.3, thick - strokes,
                                      torch.where(kind < 0.4, thick, strokes)))
    return strokes.roll(torch.randint(-2, 3, (2, )).tolist(), (2, 3))


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
    out = Path(args.out)
    check_outputs([(out, 'the weights')])
    torch.manual_seed(args.seed)
    device = torch.device(get_device())
    digits = load_strokes(Path(args.data) / 'trainA').to(device)
    vgg = VGGFeatures([STROKE_LAYER], pretrained=None, base_channels=BASE_CHANNELS)
    vgg.load_weights()
    make_trainable(vgg)
    vgg.to(device)
    optimizer = torch.optim.Adam(vgg.parameters(), betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=args.iters, pct_start=0.1)
    average = 0.
    with device, tqdm(range(args.iters), desc='digit features') as progress:
        for step in progress:
            strokes = spoilt(digits[torch.randint(len(digits), (BATCH_SIZE,))].float())
            foreground, background = random_colours(BATCH_SIZE)
            seen = (foreground - background).abs().amax((1, 2, 3)) > 0.3
            strokes = strokes[seen]
            features = vgg(torch.where(strokes > 0.5, foreground[seen], background[seen]))
            error = F.mse_loss(features[STROKE_LAYER], stroke_map(strokes))
            optimizer.zero_grad()
            error.backward()
            optimizer.step()
            schedule.step()
            average += (error.item() - average) * max(0.02, 1 / (step + 1))
            progress.set_postfix(stroke_error=f'{average:.4f}')
    with atomic_path(out) as temporary:
        torch.save(folded_state(vgg.cpu()), temporary)
    print(f'{out}: mean squared error of the strokes {average:.4f}')


if __name__ == '__main__':
    exit_with(main)
