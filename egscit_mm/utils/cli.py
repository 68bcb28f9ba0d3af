# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""How scripts end."""
import sys
from typing import Callable

from .errors import sentence_for_the_user

KEPT = 'What is done is kept: run the same command to go on'


def exit_with(main: Callable[[], int], interrupted: str = 'Run the same command again') -> None:
    """Run a script's main function and leave with its exit code, or with a readable error.

    Errors that may be mistakes in the program keep their traceback.

    Args:
        main (callable): The function.
        interrupted (str): What to do after Ctrl-C; :data:`KEPT` where a run goes on.
    """
    sys.stdout.reconfigure(errors='backslashreplace')  # as stderr: file names may be of any bytes
    try:
        sys.exit(main())
    except SystemExit as end:
        if isinstance(end.code, str):
            end.code = f'Error: {end.code}'
        raise
    except Exception as error:
        sentence = sentence_for_the_user(error)
        if sentence is None:
            raise
        sys.exit(f'Error: {sentence}')
    except KeyboardInterrupt:
        sys.exit(f'Interrupted. {interrupted}')
