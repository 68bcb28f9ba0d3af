# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Translates content images after exemplars with a trained model.

--content and --exemplar take files, folders and glob patterns (in quotes). Names, folders and
formats are kept, so that labels of the contents fit their translations. The same command again
skips what is there, unless what it was made of has changed. Images that cannot be read stop
nothing: they are listed at the end, and the exit code is 1.

  each    content i after exemplar i, exemplars reused in turn where there are fewer,
          left out where there are more
  random  every content after an exemplar drawn by --seed and its name
  all     every content after every exemplar, into OUT/EXEMPLAR/
  matrix  the same as one picture, OUT/matrix.png, contents at the left and exemplars on top

Instead, --exemplar-weights mixes all exemplars to one style for all contents, and --regions gives
each region of a content its own exemplar.
"""
import sys
from pathlib import Path

from egscit_arguments import (
    add_translation_arguments,
    config_options,
    not_negative,
    parse_translation,
    parser_for,
)


def parse_args():
    parser = parser_for(__doc__)
    parser.add_argument('config', help='config of the model, for EGSC-IT that of stage 2')
    parser.add_argument('checkpoint', help='its checkpoint, or a published file; "none" for '
                        'a model that is not trained')
    parser.add_argument('--content', required=True, nargs='+', metavar='PATH')
    parser.add_argument('--exemplar', required=True, nargs='+', metavar='PATH')
    parser.add_argument('--out', required=True, type=Path, help='folder for the translations')
    parser.add_argument('--pairing', choices=['each', 'random', 'all', 'matrix'],
                        default='each', help='default: each')
    parser.add_argument('--seed', type=int, help='of the random pairing (default: 0)')
    parser.add_argument('--masks', action='store_true',
                        help='write the feature masks of the contents, too, into OUT/masks/')
    parser.add_argument('--html', action='store_true',
                        help='write OUT/index.html: contents, exemplars and translations')
    parser.add_argument('--tile', type=not_negative, metavar='PIXELS',
                        help='side of the tiles that larger images are cut into, with the same '
                        'result in less memory, by EGSC-IT alone; at least 64, or 0: never '
                        '(default: 512 for images of more than a megapixel)')
    styles = add_translation_arguments(parser, 'contents', batch_size=8)
    shared = styles.add_mutually_exclusive_group()
    shared.add_argument('--exemplar-weights', type=float, nargs='+', metavar='W',
                        help='mix the exemplars, in the order of --exemplar, with these weights')
    shared.add_argument('--regions', type=Path, metavar='DIR', help='label maps with the names of '
                        'the contents and the suffix .png: label k gets exemplar k, from 0 on')
    styles.add_argument('--region-labels', type=int, nargs='+', metavar='K',
                        help='the labels of the exemplars, in their order, instead of 0, 1, ...')
    styles.add_argument('--blend', type=float, default=8., metavar='PIXELS',
                        help='width of the borders of regions (default: 8)')
    styles.add_argument('--region-statistics', choices=['image', 'region'], default='image',
                        help='what the content is normalised by (default: image)')
    args = parse_translation(parser)
    if (args.exemplar_weights or args.regions) and (
            args.pairing != 'each' or args.masks or args.html):
        parser.error('--exemplar-weights and --regions do not go with --pairing, --masks and '
                     '--html: every content gets the same exemplars')
    if args.regions is None and (args.region_labels or args.blend != 8
                                 or args.region_statistics != 'image'):
        parser.error('--region-labels, --blend and --region-statistics need --regions')
    if args.seed is not None and args.pairing != 'random':
        parser.error('--seed needs --pairing random: the other pairings draw nothing')
    args.seed = args.seed or 0
    if args.pairing == 'matrix' and (args.masks or args.html):
        parser.error('--masks and --html do not go with --pairing matrix, which is one picture')
    return args


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

from egscit_mm.apis.shared_style import SharedStyle
from egscit_mm.apis.translate import FolderTranslation
from egscit_mm.config import read_config
from egscit_mm.utils.cli import KEPT, exit_with


def main() -> int:
    args = vars(parse_args())
    args['config'] = read_config(args['config'], config_options(args.pop('cfg_options')))
    shared = SharedStyle(**{field: args.pop(option) for field, option in dict(
        weights='exemplar_weights', regions='regions', labels='region_labels', blend='blend',
        statistics='region_statistics').items()})
    if shared.weights is None and shared.regions is None:
        shared = None
    unreadable = FolderTranslation(**args, shared=shared).run()
    if unreadable:
        causes = dict.fromkeys(unreadable)  # an exemplar of many contents once
        print('\n'.join([f'{len(unreadable)} not translated:', *causes]), file=sys.stderr)
    return 1 if unreadable else 0


if __name__ == '__main__':
    exit_with(main, KEPT)
