# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Draws real images of a domain and translations into it as two clouds, as the paper's Fig. 5.

One panel per direction: t-SNE of the pixels of the first test images, the real ones of the target
domain and the translations into it. Where a model matches the domain, the clouds cover each other;
translations that collapse to few styles, or miss them, lie apart.
"""
from pathlib import Path
from typing import Dict

from egscit_arguments import add_config_options, config_options, parser_for

PERPLEXITY = 30  # scikit-learn's default; it must be smaller than the number of images
PANEL_SIZE = 5  # inches
CLOUDS = {'real': dict(c='#4477aa', marker='o'), 'translated': dict(c='#ee6677', marker='^')}


def parse_args():
    parser = parser_for(__doc__)
    parser.add_argument('config', help='config of the digit tasks, of any method')
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument('--out', required=True, help='picture to write (PNG)')
    parser.add_argument('--num', type=int, default=500, metavar='N',
                        help='number of test images to take (default: %(default)s)')
    parser.add_argument('--pca', type=int, default=50, metavar='D',
                        help='dimensions to reduce the pixels to first; 0: not at all '
                        '(default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0)
    add_config_options(parser)
    args = parser.parse_args()
    if args.num < 2:
        parser.error(f'--num must be at least 2, got {args.num}')
    if args.pca < 0:
        parser.error(f'--pca must be at least 0, got {args.pca}')
    if not args.out.lower().endswith('.png'):
        parser.error(f'--out: {args.out} would be a PNG file; name it so')
    return args


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from egscit_mm.apis.model import NO_CHECKPOINT, load_model
from egscit_mm.config import read_config
from egscit_mm.utils.cli import exit_with
from egscit_mm.utils.errors import check_file, check_packages
from egscit_mm.utils.files import check_outputs, write_atomically
from egscit_mm.visualization.report import png
from egscit_mm.visualization.translations import first_test_samples, paths_of, translated_rows


def embed(images: Dict[str, np.ndarray], pca: int, seed: int) -> Dict[str, np.ndarray]:
    """t-SNE of all images together.

    Args:
        images (dict[str, np.ndarray]): By name, (N, ...); the values of an image in any shape.
        pca (int): Dimensions to which a PCA first reduces them; 0 for none.
        seed (int): Of the PCA and of the t-SNE.

    Returns:
        dict[str, np.ndarray]: By name, (N, 2).
    """
    from sklearn.decomposition import PCA  # not part of a plain installation
    from sklearn.manifold import TSNE

    points = np.concatenate([array.reshape(len(array), -1) for array in images.values()])
    if pca and pca < min(points.shape):
        points = PCA(pca, random_state=seed).fit_transform(points)
    perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
    points = TSNE(init='pca', perplexity=perplexity, random_state=seed).fit_transform(points)
    ends = np.cumsum([len(array) for array in images.values()])
    return dict(zip(images, np.split(points, ends[:-1])))


def check_one_size(samples: list) -> None:
    """Refuses images of several sizes, whose pixels cannot be compared."""
    images = {key: [sample['inputs'][key] for sample in samples] for key in samples[0]['inputs']}
    sizes = {tuple(image.shape[1:]): f'number {index} of {key}'
             for key, row in images.items() for index, image in enumerate(row)}
    if len(sizes) > 1:
        raise SystemExit('t-SNE compares pixels, so all images must have one size, but there are '
                         + ', '.join(f'{height}x{width} ({where})'
                                     for (height, width), where in list(sizes.items())[:3])
                         + ' among the test images: add a Resize to the test pipeline.')


def draw(panels: Dict[str, Dict[str, np.ndarray]]) -> np.ndarray:
    """Draws the clouds.

    Args:
        panels (dict[str, dict[str, np.ndarray]]): By title, points (N, 2) by name, as in CLOUDS.

    Returns:
        np.ndarray: RGB, uint8, (H, W, 3).
    """
    figure = Figure((PANEL_SIZE * len(panels), PANEL_SIZE), layout='constrained')
    for axes, (title, clouds) in zip(figure.subplots(1, len(panels), squeeze=False)[0],
                                     panels.items()):
        for name, points in clouds.items():
            axes.scatter(*points.T, s=12, alpha=0.7, linewidths=0, label=name, **CLOUDS[name])
        axes.set(title=title, xticks=[], yticks=[])
        axes.legend()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def main():
    args = parse_args()
    check_packages('t-SNE', ['sklearn'], 'analysis')
    cfg = read_config(args.config, config_options(args.cfg_options))
    if args.checkpoint != NO_CHECKPOINT:
        check_file(args.checkpoint, 'Checkpoint')
    if cfg.get('test_dataloader') is None:
        raise SystemExit(f'{args.config} has no test set (test_dataloader); take a config of the '
                         'digit tasks, such as configs/egscit/egscit_mnist_single.py.')
    samples = first_test_samples(cfg, args.num)
    check_outputs([(Path(args.out), 'the picture of the clouds')],
                  [args.config, args.checkpoint, *paths_of(samples)])
    check_one_size(samples)
    rows = translated_rows(load_model(cfg, args.checkpoint), samples)
    panels = {
        direction.replace('2', '→'): embed(
            {'real': grid['exemplar'].numpy(), 'translated': grid['translation'].numpy()},
            args.pca, args.seed)
        for direction, grid in rows.items()
    }
    write_atomically(args.out, png(draw(panels)))
    print(f'{args.out} written')


if __name__ == '__main__':
    exit_with(main)
