# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What the converters' command lines share."""
import argparse
import os
from pathlib import Path
from typing import Optional

from ...utils.cli import not_negative, positive
from .images import FORMATS


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that all converters have."""
    parser.add_argument('--out', type=Path, required=True, help='folder to write')
    parser.add_argument(
        '--format', choices=list(FORMATS), default='png', help='file type: png loses nothing, '
        'jpg (quality 95) is smaller and faster to read (default: %(default)s)')
    add_workers_argument(parser)


def add_workers_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--workers``."""
    parser.add_argument(
        '--workers', type=not_negative, default=os.cpu_count(), help='worker processes; 0 converts '
        'in this one (default: all %(default)s cores)')


def add_size_argument(parser: argparse.ArgumentParser, default: Optional[tuple[int, int]]) -> None:
    """Add ``--size``; without a default it is required."""
    parser.add_argument(
        '--size', nargs=2, type=positive, metavar=('H', 'W'), default=default,
        required=default is None, help='height and width of the images; the networks want '
        'multiples of 4' + (f' (default: {default[0]} {default[1]})' if default else ''))


def add_split_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of :func:`draw_test_names`."""
    parser.add_argument(
        '--test-fraction', type=fraction, default=0.1, metavar='F',
        help='share of the images that become the test set (default: %(default)s)')
    parser.add_argument(
        '--seed', type=int, default=0, help='chooses the test images (default: %(default)s)')


def fraction(text: str) -> float:
    """A number between 0 and 1, for argparse."""
    if not 0 < float(text) < 1:
        raise argparse.ArgumentTypeError(f'must be between 0 and 1, got {text}')
    return float(text)


def domain_name(text: str) -> str:
    """A domain name, for argparse: it becomes part of folder names."""
    if not (text.isascii() and text.isalnum()):
        raise argparse.ArgumentTypeError(f'must be letters and digits such as A, got {text!r}')
    return text
