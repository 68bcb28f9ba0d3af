# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Translates a film after an exemplar, or after a mixture of several.

Frames are translated in order and kept in OUT.parts until the film is written; the same command
again goes on where an earlier one stopped. The audio is kept where ffmpeg is there. The suffix of
--out chooses the format: .mp4 (MPEG-4), .avi (Motion JPEG) or .mkv (FFV1, without loss). What can
be read of a damaged film is translated; the exit code is then 1.
"""
from pathlib import Path

from egscit_arguments import (
    add_translation_arguments,
    config_options,
    parse_translation,
    parser_for,
)


def parse_args():
    parser = parser_for(__doc__)
    parser.add_argument('config', help='config of the model, for EGSC-IT that of stage 2')
    parser.add_argument('checkpoint', help='its checkpoint, or a published file')
    parser.add_argument('--content', required=True, type=Path, metavar='FILM')
    parser.add_argument('--exemplar', required=True, nargs='+', metavar='PATH',
                        help='an image, or several that are mixed to one style')
    parser.add_argument('--out', required=True, type=Path, metavar='FILM')
    parser.add_argument('--smooth', type=float, default=0., metavar='S', help='share of the frames '
                        'before in the content statistics, 0 to below 1 (default: 0, no smoothing)')
    parser.add_argument('--flicker', action='store_true',
                        help='measure the flicker of the film and of its translation')
    styles = add_translation_arguments(parser, 'film', batch_size=4)
    styles.add_argument('--exemplar-weights', type=float, nargs='+', metavar='W', dest='weights',
                        help='of the exemplars, in their order (default: equal ones)')
    return parse_translation(parser)


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

from egscit_mm.apis.video import FilmTranslation
from egscit_mm.config import read_config
from egscit_mm.utils.cli import KEPT, exit_with


def main() -> None:
    args = vars(parse_args())
    args['config'] = read_config(args['config'], config_options(args.pop('cfg_options')))
    FilmTranslation(**args).run()


if __name__ == '__main__':
    exit_with(main, KEPT)
