# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What command lines share: how they end, and kinds of numbers."""
import argparse
import sys
from typing import Callable

from ..errors import ConversionError, sentence_for_the_user


def positive(text: str) -> int:
    """An integer above 0, for argparse."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f'must be at least 1, got {text}')
    return int(text)


def not_negative(text: str) -> int:
    """An integer of at least 0, for argparse."""
    if int(text) < 0:
        raise argparse.ArgumentTypeError(f'must be at least 0, got {text}')
    return int(text)


def exit_with(
        main: Callable[[], int],
        interrupted: str = 'What is done is kept: run the same command to go on') -> None:
    """Run a script's main function and leave with its exit code, or with a readable error.

    Errors that may be mistakes in the program keep their traceback.

    Args:
        main (Callable[[], int]): The function.
        interrupted (str): What to say after Ctrl-C.
    """
    sys.stdout.reconfigure(errors='backslashreplace')  # as stderr: file names may be of any bytes
    try:
        sys.exit(main())
    except Exception as error:
        sentence = str(error) if isinstance(error, ConversionError) else (
            sentence_for_the_user(error))
        if sentence is None:
            raise
        sys.exit(f'Error: {sentence}')
    except KeyboardInterrupt:
        sys.exit(f'Interrupted. {interrupted}')
