# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Translates a film after an exemplar, or after a mixture of several.

Frames are translated in order and kept in OUT.parts until the film is written; the same command
again goes on where an earlier one stopped. The audio is kept where ffmpeg is there. The suffix of
--out chooses the format: .mp4 (MPEG-4), .avi (Motion JPEG) or .mkv (FFV1, without loss). What can
be read of a damaged film is translated; the exit code is then 1.
"""
import argparse
from pathlib import Path

from egscit_arguments import add_config_options, config_options, parser_for, positive


def parse_args():
    parser = parser_for(__doc__)
    parser.add_argument('config', help='config of the model, for EGSC-IT that of stage 2')
    parser.add_argument('checkpoint', help='its checkpoint, or a published file')
    parser.add_argument('--content', required=True, type=Path, metavar='FILM')
    parser.add_argument('--exemplar', required=True, nargs='+', metavar='PATH',
                        help='an image, or several that are mixed to one style')
    parser.add_argument('--out', required=True, type=Path, metavar='FILM')
    parser.add_argument('--exemplar-weights', type=float, nargs='+', metavar='W', dest='weights',
                        help='of the exemplars, in their order (default: equal ones)')
    parser.add_argument('--strength', type=float, default=1., metavar='S', help='0: the mean style '
                        "of the domain, 1: the exemplar's (default), up to 1.5")
    parser.add_argument('--mean-of', nargs='+', default=[], metavar='PATH', help='images whose '
                        'mean style is that of strength 0, where the checkpoint holds none')
    parser.add_argument('--smooth', type=float, default=0., metavar='S', help='share of the frames '
                        'before in the content statistics, 0 to below 1 (default: 0, no smoothing)')
    parser.add_argument('--flicker', action='store_true',
                        help='measure the flicker of the film and of its translation')
    parser.add_argument('--source-domain', help='domain of the film (default: with two domains the '
                        'other one)')
    parser.add_argument('--target-domain', help="domain of the exemplars (default: the model's)")
    parser.add_argument('--batch-size', type=positive, default=4, help='default: 4')
    parser.add_argument('--device', help='default: a GPU where there is one')
    parser.add_argument('--amp', action=argparse.BooleanOptionalAction,
                        help='compute in bfloat16 (default: on CPUs with AMX)')
    add_config_options(parser)
    args = parser.parse_args()
    if args.mean_of and args.strength == 1:
        parser.error('--mean-of needs a --strength other than 1')
    return args


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

from egscit_mm.apis.video import FilmTranslation
from egscit_mm.config import read_config
from egscit_mm.utils.cli import exit_with


def main() -> None:
    args = vars(parse_args())
    args['config'] = read_config(args['config'], config_options(args.pop('cfg_options')))
    FilmTranslation(**args).run()


if __name__ == '__main__':
    exit_with(main)
