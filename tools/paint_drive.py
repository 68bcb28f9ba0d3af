# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Paints a film of a drive through a street, to try the translation of films on.

The suffix of --out chooses the format: .mkv (without loss), .avi or .mp4.
"""
from pathlib import Path

from egscit_arguments import add_size_argument, parser_for, positive

TIMES, WEATHERS = ('day', 'dusk', 'night'), ('clear', 'overcast', 'fog', 'rain')


def parse_args():
    parser = parser_for(__doc__)
    parser.add_argument('--out', required=True, type=Path, metavar='FILM')
    parser.add_argument('--seed', default='a', help='any word: chooses the street (default: a)')
    parser.add_argument('--domain', choices=['A', 'B'], default='A',
                        help='painted as by a game, or as by a camera (default: A)')
    parser.add_argument('--time', choices=TIMES, default='day', help='default: day')
    parser.add_argument('--weather', choices=WEATHERS, default='clear', help='default: clear')
    parser.add_argument('--frames', type=positive, default=100, help='default: 100')
    parser.add_argument('--step', type=float, default=0.1, metavar='METRES',
                        help='from one frame to the next (default: 0.1)')
    parser.add_argument('--fps', type=positive, default=25, help='default: 25')
    add_size_argument(parser, default=(128, 256))
    args = parser.parse_args()
    if args.size[1] != 2 * args.size[0]:
        parser.error('--size: pictures of streets are twice as wide as high')
    return args


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

from egscit_mm.apis.video import check_film_name, write_film
from egscit_mm.datasets.streets import Style, paint_drive
from egscit_mm.utils.cli import exit_with
from egscit_mm.utils.errors import UserError
from egscit_mm.utils.files import check_outputs


def main() -> None:
    args = parse_args()
    check_film_name(args.out)
    check_outputs([(args.out, 'the film')])
    if args.out.exists():
        raise UserError(f'{args.out} exists already: give another name, or remove it.')
    style = Style(args.domain, args.time, args.weather, phase=0.5, warmth=0., exposure=1.)
    frames = paint_drive(args.seed, style, tuple(args.size), args.frames, args.step)
    write_film(args.out, frames, args.fps, args.frames)
    print(f'{args.out}: {args.frames} frames')


if __name__ == '__main__':
    exit_with(main)
