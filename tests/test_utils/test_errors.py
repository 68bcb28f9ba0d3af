# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Which errors a command line shows as a sentence."""
import pickle
import sys

import pytest
from torch._utils import ExceptionWrapper
from torch.utils.data import DataLoader

from egscit_mm.config import ConfigError
from egscit_mm.datasets.conversion import ConversionError
from egscit_mm.utils import errors
from egscit_mm.utils.cli import KEPT, exit_with
from egscit_mm.utils.errors import BadInputError, UserError, check_file, sentence_for_the_user

KINDS = [UserError, BadInputError, ConfigError, ConversionError, errors.RunError,
         errors.MissingFileError, errors.MissingPackageError, errors.UnwritableError]


class Failing:
    """A data set whose samples cannot be read."""

    def __init__(self, error):
        self.error = error

    def __len__(self):
        return 1

    def __getitem__(self, index):
        try:
            raise KeyError('first')
        except KeyError as error:
            raise self.error from error


@pytest.mark.parametrize('kind', KINDS)
def test_errors_of_the_user_are_sentences(kind):
    error = kind('a.png: is empty. Remove it')
    assert isinstance(error, ValueError)
    assert sentence_for_the_user(error) == 'a.png: is empty. Remove it'
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('text', ['a.png: is empty. Remove it', 'Error: UserError: odd\nnames'])
def test_they_come_out_of_a_worker_as_they_are(kind, text):
    try:
        raise kind(text)
    except UserError:
        sent = pickle.loads(pickle.dumps(ExceptionWrapper(where='in DataLoader worker process 0')))
    with pytest.raises(kind) as caught:
        sent.reraise()
    assert type(caught.value) is kind
    assert sentence_for_the_user(caught.value) == text


def test_they_come_out_of_a_real_worker():
    with pytest.raises(BadInputError) as caught:
        next(iter(DataLoader(Failing(BadInputError('a.png: is empty')), num_workers=1)))
    assert sentence_for_the_user(caught.value) == 'a.png: is empty'


def test_mistakes_in_a_worker_keep_their_traceback():
    with pytest.raises(ValueError, match='Original Traceback') as caught:
        next(iter(DataLoader(Failing(ValueError('broken')), num_workers=1)))
    assert sentence_for_the_user(caught.value) is None


def test_files_that_cannot_be_used_are_sentences(tmp_path):
    with pytest.raises(OSError) as caught:
        open(tmp_path / 'none')
    assert sentence_for_the_user(caught.value) == (
        f'No such file or directory: {tmp_path / "none"}')
    with pytest.raises(FileNotFoundError) as caught:
        check_file(tmp_path, 'Checkpoint')
    assert sentence_for_the_user(caught.value) == f"Checkpoint '{tmp_path}' is a folder."


@pytest.mark.parametrize('error', [
    ValueError('x'), RuntimeError('x'), ImportError('x'), OSError('x'), KeyError('x')])
def test_all_others_may_be_mistakes(error):
    assert sentence_for_the_user(error) is None

    def main():
        raise error

    with pytest.raises(type(error)):
        exit_with(main)


def test_a_command_line_ends_with_the_sentence(monkeypatch):
    monkeypatch.setattr(sys.stdout, 'reconfigure', lambda **kwargs: None, raising=False)

    def main():
        raise UserError('give another')

    with pytest.raises(SystemExit, match='^Error: give another$'):
        exit_with(main)


@pytest.mark.parametrize('texts, expected', [
    ((), '^Interrupted. Run the same command again$'), ((KEPT, ), 'What is done is kept')])
def test_ctrl_c_promises_only_what_is_so(monkeypatch, texts, expected):
    monkeypatch.setattr(sys.stdout, 'reconfigure', lambda **kwargs: None, raising=False)

    def main():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit, match=expected):
        exit_with(main, *texts)
