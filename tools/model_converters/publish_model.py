# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Strips a checkpoint to what inference needs, as safetensors with its hash in the name."""

from egscit_arguments import add_mean_argument, parser_for, paths_by_domain


def parse_args():
    parser = parser_for(__doc__)
    parser.add_argument('checkpoint', help='checkpoint of stage 2 (EGSCIT), or of MUNIT')
    parser.add_argument('out', help='NAME.safetensors; the hash is added to NAME')
    parser.add_argument('--weights', choices=['ema', 'plain'], help='averaged or plain generators '
                        '(default: the average where there is one, as in inference)')
    parser.add_argument('--dtype', choices=['float32', 'float16'], default='float32',
                        help='of the file; float16 halves it (default: float32)')
    add_mean_argument(parser)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # answers --help and mistakes before the imports below, which take seconds

from egscit_mm.apis.publish import publish
from egscit_mm.utils.cli import exit_with


def main():
    args = parse_args()
    path = publish(args.checkpoint, args.out, args.weights, args.dtype,
                   paths_by_domain(args.mean_of))
    print(f'{path} ({path.stat().st_size:,} bytes)')


if __name__ == '__main__':
    exit_with(main, 'Nothing was written')
