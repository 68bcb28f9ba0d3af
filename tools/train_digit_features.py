# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Trains a quarter-width VGG-19 to name digits: perceptual features for the digit tasks, offline.

The ImageNet weights of VGG-19 cannot be had without a network, and random weights do not see what
a digit is. This one learns it in about a minute from the labels in the file names of trainA
(00000_7.png), with foreground and background in random colours, so that its deep layers know the
digit and not its colours. Use: perceptual_loss=dict(pretrained=FILE, base_channels=16).
"""
import argparse
import os
from pathlib import Path

import mmcv
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm

import egscit_mm  # noqa: F401  (cures the import of torchvision where it is needed)
from egscit_mm.models.networks.vgg import VGG19Features

BASE_CHANNELS = 16
BATCH_SIZE = 64
LEARNING_RATE = 1e-3


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data', required=True, help='painted MNIST-Single (see '
                        'tools/dataset_converters/mnist.py)')
    parser.add_argument('--out', required=True, help='file for the weights')
    parser.add_argument('--iters', type=int, default=800)
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args()


def load_digits(folder: Path, limit: int = 20000):
    """Strokes (N, 1, 28, 28) as bool and labels (N,) of the pictures in trainA."""
    files = sorted(folder.glob('*_[0-9].png'))[:limit]
    if not files:
        raise SystemExit(f'{folder} holds no digits named INDEX_LABEL.png; paint them with '
                         'tools/dataset_converters/mnist.py.')
    grey = np.stack([mmcv.imread(file, 'grayscale') for file in files])
    # Domain A is black on white or white on black; the corner is background.
    strokes = (grey > 127) != (grey[:, :1, :1] > 127)
    labels = [int(file.stem[-1]) for file in files]
    return torch.from_numpy(strokes)[:, None], torch.tensor(labels)


def random_colours(count: int):
    """Foreground and background, (2, count, 3, 1, 1) in [-1, 1], mostly of the pure colours."""
    colours = torch.rand(2, count, 3, 1, 1) * 2 - 1
    pure = torch.rand(count) < 0.7
    return torch.where(pure[:, None, None, None], colours.sign(), colours)


def trainable(vgg: VGG19Features) -> list:
    """Turns the frozen weights into parameters."""
    parameters = []
    for layer in vgg.layers:
        for name, buffer in list(layer.named_buffers(recurse=False)):
            delattr(layer, name)
            parameters.append(nn.Parameter(buffer.clone()))
            layer.register_parameter(name, parameters[-1])
    return parameters


def main():
    args = parse_args()
    torch.manual_seed(args.seed)
    strokes, labels = load_digits(Path(args.data) / 'trainA')
    vgg = VGG19Features(['relu5_1'], pretrained=None, base_channels=BASE_CHANNELS)
    vgg.load_weights()
    parameters = trainable(vgg)
    head = nn.Linear(BASE_CHANNELS * 8, 10)
    optimizer = torch.optim.Adam([*parameters, *head.parameters()], betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=args.iters, pct_start=0.1)
    accuracy = 0.
    with tqdm(range(args.iters), desc='digit features') as progress:
        for step in progress:
            picked = torch.randint(len(labels), (BATCH_SIZE,))
            foreground, background = random_colours(BATCH_SIZE)
            images = torch.where(strokes[picked], foreground, background)
            seen = (foreground - background).abs().amax((1, 2, 3)) > 0.3
            logits = head(vgg(images)['relu5_1'].mean((2, 3)))[seen]
            loss = F.cross_entropy(logits, labels[picked][seen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            right = (logits.argmax(1) == labels[picked][seen]).float().mean().item()
            accuracy += (right - accuracy) * max(0.02, 1 / (step + 1))
            progress.set_postfix(accuracy=f'{accuracy:.3f}')
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_suffix('.part')
    torch.save({name: p.detach() for name, p in vgg.layers.named_parameters()}, temporary)
    os.replace(temporary, out)
    print(f'{out}: names {accuracy:.1%} of the training digits')


if __name__ == '__main__':
    main()
