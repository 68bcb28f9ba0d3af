# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Walks from the style of one exemplar to that of another, for one or several contents.

Writes OUT.gif, which goes there and back without end, and OUT.png with all steps: the contents at
the left, then from the first exemplar to the last. Between two exemplars lie mixtures of their
styles, with weights in even steps; several exemplars are visited in their order.
"""
from pathlib import Path

from egscit_arguments import parser_for, positive

MAX_FPS = 50  # GIF counts hundredths of a second, and viewers take one for ten


def parse_args():
    parser = parser_for(__doc__)
    parser.add_argument('config', help='config of the model')
    parser.add_argument('checkpoint', help='its checkpoint, or a published file')
    parser.add_argument('--content', required=True, nargs='+', metavar='PATH')
    parser.add_argument('--exemplar', required=True, nargs='+', metavar='PATH',
                        help='at least two images')
    parser.add_argument('--out', required=True, type=Path,
                        help='OUT or OUT.gif, for OUT.gif and OUT.png')
    parser.add_argument('--steps', type=positive, default=8,
                        help='from one exemplar to the next (default: 8)')
    parser.add_argument('--fps', type=positive, default=10, help='pictures per second of the '
                        'animation, 50 at most (default: 10)')
    parser.add_argument('--scale', type=positive, default=1,
                        help='enlarge pixels so many times (default: 1)')
    parser.add_argument('--source-domain', help='domain of the contents (default: with two '
                        'domains the other one)')
    parser.add_argument('--target-domain', help="domain of the exemplars (default: the model's)")
    parser.add_argument('--device', help='default: a GPU where there is one')
    args = parser.parse_args()
    if args.fps > MAX_FPS:
        parser.error(f'--fps: a GIF shows {MAX_FPS} pictures per second at most, got {args.fps}')
    return args


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

import io
from typing import Dict, List, Sequence

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from egscit_mm.apis import EGSCITInferencer
from egscit_mm.apis.inferencer import load_image
from egscit_mm.models.layers.styles import Style, mix_styles
from egscit_mm.utils.cli import exit_with
from egscit_mm.utils.errors import UserError
from egscit_mm.utils.files import check_outputs, write_atomically
from egscit_mm.utils.listing import find_images
from egscit_mm.visualization.grid import image_grid
from egscit_mm.visualization.report import png


def walk(styles: Sequence[Style], steps: int) -> List[Style]:
    """Styles from the first to the last, in so many steps from each to the next."""
    path = [mix_styles(pair, [steps - step, step])
            for pair in zip(styles, styles[1:]) for step in range(steps)]
    return [*path, styles[-1]]


def grid(rows: Dict[str, Sequence[np.ndarray]], scale: int) -> Image.Image:
    """Rows of RGB images (H, W, 3) in one picture, enlarged."""
    picture = Image.fromarray(image_grid({
        name: [torch.tensor(image).permute(2, 0, 1) / 127.5 - 1 for image in row]
        for name, row in rows.items()
    }, max_columns=max(map(len, rows.values()))))
    return picture.resize((picture.width * scale, picture.height * scale),
                          Image.Resampling.NEAREST)


def animation(frames: Sequence[Image.Image], fps: int) -> bytes:
    """A GIF that goes through the frames and back, without end."""
    first, *others = [*frames, *frames[-2:0:-1]]
    buffer = io.BytesIO()
    first.save(buffer, 'GIF', save_all=True, append_images=others, loop=0,
               duration=round(1000 / fps))
    return buffer.getvalue()


def main() -> None:
    args = parse_args()
    contents, exemplars = ([image.path for image in find_images(paths)]
                           for paths in (args.content, args.exemplar))
    if len(exemplars) < 2:
        raise UserError(f'A walk needs two exemplars or more, --exemplar names {len(exemplars)}.')
    stem = args.out.name.removesuffix('.gif').removesuffix('.png')
    gif, sheet = (args.out.with_name(f'{stem}.{suffix}') for suffix in ('gif', 'png'))
    check_outputs([(gif, 'the animation'), (sheet, 'the grid')],
                  [args.config, args.checkpoint, *contents, *exemplars])
    images = [np.array(load_image(path)) for path in contents]
    inferencer = EGSCITInferencer(args.config, args.checkpoint, args.device)
    domains = dict(source_domain=args.source_domain, target_domain=args.target_domain)
    styles = [inferencer.style(path, target_domain=args.target_domain) for path in exemplars]
    steps = [inferencer.translate_to_style(images, style, **domains)
             for style in tqdm(walk(styles, args.steps), unit='step')]
    write_atomically(gif, animation([grid({'': step}, args.scale) for step in steps], args.fps))
    rows = dict(enumerate(zip(images, *steps)))
    write_atomically(sheet, png(np.array(grid(rows, args.scale))))
    print(f'{gif} and {sheet}: {len(steps)} steps')


if __name__ == '__main__':
    exit_with(main)
