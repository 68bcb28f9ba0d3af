# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Shows what the channels of the feature mask attend to (paper Sec. 3.1), in groups.

The mask has as many channels as the content features; the mean of all tells little. Channels that
are high and low at the same places of all contents form a group (k-means of their standardised
masks). A row per content: the image, then the mean mask of each group, the largest group first;
black and white are the lowest and the highest value of a group.
"""
from pathlib import Path

from egscit_arguments import parser_for, positive


def parse_args():
    parser = parser_for(__doc__)
    parser.add_argument('config', help='config of the model')
    parser.add_argument('checkpoint', help='its checkpoint, or a published file')
    parser.add_argument('--content', required=True, nargs='+', metavar='PATH',
                        help='images of one size')
    parser.add_argument('--domain', help="domain of the contents (default: the model's first)")
    parser.add_argument('--groups', type=positive, default=6, help='default: 6')
    parser.add_argument('--out', required=True, type=Path, help='the picture, a PNG file')
    parser.add_argument('--device', help='default: a GPU where there is one')
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

from typing import List

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from egscit_mm.apis import EGSCITInferencer
from egscit_mm.apis.inferencer import load_image
from egscit_mm.utils.cli import exit_with
from egscit_mm.utils.errors import UserError
from egscit_mm.utils.files import check_outputs, write_atomically
from egscit_mm.utils.image_sizes import fitted
from egscit_mm.utils.listing import find_images
from egscit_mm.visualization.grid import image_grid
from egscit_mm.visualization.report import png


def group_channels(masks: Tensor, groups: int) -> List[Tensor]:
    """Mean mask of each group of channels that are high and low at the same places.

    Args:
        masks (Tensor): Masks of several contents, (N, C, H, W).
        groups (int): How many, at most C.

    Returns:
        list[Tensor]: (N, H, W) each, the largest group first.
    """
    channels = masks.transpose(0, 1).flatten(1)
    patterns = (channels - channels.mean(1, keepdim=True)) / (channels.std(1, keepdim=True) + 1e-6)
    cv2.setRNGSeed(0)
    labels = torch.from_numpy(cv2.kmeans(
        patterns.numpy(), groups, None, (cv2.TERM_CRITERIA_MAX_ITER, 50, 0), 10,
        cv2.KMEANS_PP_CENTERS)[1][:, 0])
    members = sorted((labels == group for group in range(groups)), key=torch.sum, reverse=True)
    return [masks[:, some].mean(1) for some in members if some.any()]


def main() -> None:
    args = parse_args()
    paths = [image.path for image in find_images(args.content)]
    if args.out.suffix.lower() != '.png':
        raise UserError(f'--out: {args.out} would be a PNG file; name it so')
    check_outputs([(args.out, 'the picture')], [args.config, args.checkpoint, *paths])
    images = [np.array(load_image(path)) for path in paths]
    for path, image in zip(paths, images):
        if image.shape != images[0].shape:
            raise UserError(f'--content: images of one size are expected; {path} has '
                            f'{image.shape[1]} x {image.shape[0]} pixels, {paths[0]} '
                            f'{images[0].shape[1]} x {images[0].shape[0]}')
    inferencer = EGSCITInferencer(args.config, args.checkpoint, args.device)
    generators, domains = inferencer.model.inference_generators, inferencer.model.domains
    if not inferencer.has_masks:
        raise UserError(f'{args.config}: this model has no feature mask')
    domain = args.domain or domains[0]
    if domain not in domains:
        raise UserError(f'--domain: expected one of {", ".join(domains)}, got {domain}')

    contents = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.inference_mode():
        batch = fitted(contents, generators.image_network.stride).to(inferencer.device)
        masks = generators.mask(generators.features({domain: batch})[domain]).float().cpu()
    if args.groups > masks.shape[1]:
        raise UserError(f'--groups: the mask has {masks.shape[1]} channels, got {args.groups}')
    columns = [contents]
    height, width = contents.shape[-2:]
    for group in group_channels(masks, args.groups):
        # The masks are of the fitted contents, which may be larger at the bottom and on the right.
        group = interpolate(group[:, None], batch.shape[-2:], mode='nearest')[..., :height, :width]
        group = (group - group.min()) / (group.max() - group.min() + 1e-6)
        columns.append(2 * group.expand(-1, 3, -1, -1) - 1)
    rows = {path: row for path, *row in zip(paths, *columns)}
    write_atomically(args.out, png(image_grid(rows, len(columns))))
    print(f'{args.out}: {len(paths)} contents, {masks.shape[1]} channels in {len(columns) - 1} '
          'groups')


if __name__ == '__main__':
    exit_with(main)
