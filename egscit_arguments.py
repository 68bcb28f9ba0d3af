# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What the command lines of tools/ and demo/ share.

Beside the package, not in it: the tools read their arguments before they import egscit_mm, which
takes seconds, so that ``--help`` and mistakes are answered at once.
"""
import argparse
import os
import sys
from pathlib import Path
from typing import Optional

IMAGE_FORMATS = ('png', 'jpg')  # that the dataset converters write


class Parser(argparse.ArgumentParser):
    """Refuses empty arguments: a path from an unset variable would be the current folder."""

    def parse_known_args(self, args=None, namespace=None):
        """Looks at the words as they were given, before defaults and types."""
        words = sys.argv[1:] if args is None else list(args)
        for before, word in zip(['the first argument', *words], words):
            if not word or word.startswith('--') and word.endswith('='):
                self.error(f'{word.rstrip("=") or "the argument after " + repr(before)} is empty; '
                           'is it a variable of the shell that is not set?')
        return super().parse_known_args(args, namespace)


def parser_for(text: str) -> argparse.ArgumentParser:
    """A parser whose help shows the docstring of a tool as it is.

    From now on Ctrl-C ends the process without a traceback, also while the tool imports.
    """
    sys.excepthook = _show_uncaught
    return Parser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)


def _show_uncaught(kind: type, error: BaseException, traceback) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print('Interrupted.', file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


def parse_launched(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Reads the command line of a tool that a job launcher may start, one process per device."""
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def add_images_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--images``, for converters of archives."""
    parser.add_argument(
        '--images', type=Path, nargs='+', required=True, help='archives or folders of images')


def add_config_options(parser: argparse.ArgumentParser,
                       text: str = 'override settings of the config') -> None:
    """Add ``--cfg-options``; :func:`config_options` reads what it takes."""
    parser.add_argument('--cfg-options', nargs='+', action='extend', default=[], type=key_value,
                        metavar='KEY=VALUE', help=text)


def add_translation_arguments(parser: argparse.ArgumentParser, contents: str,
                              batch_size: int) -> argparse._ArgumentGroup:
    """Add the options of tools that translate many images, which :func:`parse_translation` reads.

    Returns:
        The group of options of styles, for more of them.
    """
    parser.add_argument('--source-domain', help=f'domain of the {contents} (default: with two '
                        'domains the other one)')
    parser.add_argument('--target-domain', help="domain of the exemplars (default: the model's)")
    parser.add_argument('--batch-size', type=positive, default=batch_size,
                        help='default: %(default)s')
    parser.add_argument('--device', help='default: a GPU where there is one')
    parser.add_argument('--amp', action=argparse.BooleanOptionalAction,
                        help='compute in bfloat16 (default: on CPUs with AMX)')
    add_config_options(parser)
    styles = parser.add_argument_group('styles')
    styles.add_argument('--strength', type=float, default=1., metavar='S', help='0: the mean style '
                        "of the domain, 1: the exemplar's (default), up to 1.5")
    styles.add_argument('--mean-of', nargs='+', default=[], metavar='PATH', help='images whose '
                        'mean style is that of strength 0, where the checkpoint holds none')
    return styles


def parse_translation(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Reads the command line of a tool with :func:`add_translation_arguments`."""
    args = parser.parse_args()
    if args.mean_of and args.strength == 1:
        parser.error('--mean-of needs a --strength other than 1')
    return args


def config_options(words: list[str]) -> dict:
    """Settings by their place in the config, as MMEngine reads them.

    Args:
        words (list[str]): ``KEY=VALUE`` each.

    Raises:
        SystemExit: If a bracket of a value is not closed.
    """
    from mmengine.config import DictAction

    parser = argparse.ArgumentParser()
    parser.add_argument('--words', nargs='*', action=DictAction)
    try:
        return parser.parse_args(['--words', *words]).words
    except AssertionError as error:
        raise SystemExit(f'--cfg-options: {error}') from error


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that all dataset converters have."""
    parser.add_argument('--out', type=Path, required=True, help='folder to write')
    parser.add_argument(
        '--format', choices=IMAGE_FORMATS, default='png', help='of the images: png loses nothing, '
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
    """Add the options of converters that draw the test images."""
    parser.add_argument(
        '--test-fraction', type=fraction, default=0.1, metavar='F',
        help='share of the images that become the test set (default: %(default)s)')
    parser.add_argument(
        '--seed', type=int, default=0, help='chooses the test images (default: %(default)s)')


def whole(text: str) -> int:
    """An integer, for argparse."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'must be a whole number, got {text}') from None


def positive(text: str) -> int:
    """An integer above 0, for argparse."""
    if whole(text) < 1:
        raise argparse.ArgumentTypeError(f'must be at least 1, got {text}')
    return whole(text)


def not_negative(text: str) -> int:
    """An integer of at least 0, for argparse."""
    if whole(text) < 0:
        raise argparse.ArgumentTypeError(f'must be at least 0, got {text}')
    return whole(text)


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


def domain_and_path(text: str) -> tuple[str, str]:
    """``DOMAIN=PATH``, for argparse."""
    domain, _, path = text.partition('=')
    if not (domain and path):
        raise argparse.ArgumentTypeError(
            f'must be DOMAIN=PATH, such as B=data/trainB, got {text!r}')
    return domain, path


def add_mean_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--mean-of``; :func:`paths_by_domain` reads what it takes."""
    parser.add_argument(
        '--mean-of', nargs='+', default=[], type=domain_and_path, metavar='DOMAIN=PATH',
        help='images whose mean style is that of strength 0')


def paths_by_domain(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    """The values of ``--mean-of``, by domain."""
    paths: dict[str, list[str]] = {}
    for domain, path in pairs:
        paths.setdefault(domain, []).append(path)
    return paths


def key_value(text: str) -> str:
    """``KEY=VALUE``, for argparse."""
    if not text.partition('=')[0] or '=' not in text:
        raise argparse.ArgumentTypeError(f'must be KEY=VALUE, got {text!r}')
    if 'dict(' in text or '{' in text:
        raise argparse.ArgumentTypeError(
            f'{text!r} holds a dictionary, which cannot be written here: give its entries by their '
            'places (KEY.ENTRY=VALUE), or write a config with this one as its _base_')
    return text
