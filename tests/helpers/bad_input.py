# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What must hold of every bad input: it works or ends with a sentence, soon, and leaves no rest."""
import os
import signal
from contextlib import contextmanager
from pathlib import Path

from egscit_mm.utils.errors import sentence_for_the_user

SECONDS = 20  # a case takes well below one, but machines may be busy


class HangError(BaseException):
    """A case took too long; no handler of the code under test catches it."""


@contextmanager
def time_limit(seconds=SECONDS):
    def stop(*args):
        raise HangError(f'takes longer than {seconds} s')

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def sentence_of(function, *args, **kwargs):
    """What a user reads when the function fails; None where it works.

    An error that a command line would show as a traceback passes on and fails the test.
    """
    with time_limit():
        try:
            function(*args, **kwargs)
        except SystemExit as exit_:
            assert exit_.code not in (0, None)
            sentence = str(exit_.code)
        except Exception as error:
            sentence = sentence_for_the_user(error)
            if sentence is None:
                raise
        else:
            return None
    assert sentence.strip() and 'Traceback' not in sentence and 'weights_only' not in sentence
    assert '\n' not in sentence and len(sentence) < 900, sentence
    return sentence


def files_below(folder):
    """Files, links and folders by relative path, with the size of files."""
    return {
        os.path.relpath(os.path.join(root, name), folder):
        os.lstat(os.path.join(root, name)).st_size if name in files else None
        for root, folders, files in os.walk(folder) for name in [*folders, *files]
    }


def assert_no_rests(folder):
    rests = [name for name in files_below(folder)
             if Path(name).suffix in ('.tmp', '.part', '.partial')]
    assert not rests
