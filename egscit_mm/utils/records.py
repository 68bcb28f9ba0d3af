# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What files are made of: written down, so that only what has changed is made anew."""
import hashlib
import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator, Union

from .errors import UserError
from .files import write_atomically, write_output
from .listing import why_unusable

RECORD = 'translation.json'


def fingerprint(path: Union[str, os.PathLike]) -> str:
    """What a file is known by: its content, not its name or its time.

    Returns:
        str: Its SHA-256 as hexadecimal digits; 'unreadable' where nothing can be read.
    """
    if not os.path.isfile(path):  # a pipe would be waited for
        return 'unreadable'
    digest = hashlib.sha256()
    try:
        with open(path, 'rb', buffering=0) as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError:
        return 'unreadable'
    return digest.hexdigest()


def keep_record(out: Path, recipes: Dict[str, str]) -> None:
    """Makes the output folder hold of a run's files those alone that this run would make.

    ``translation.json`` in it notes of every file what it was made of. A file that was made of
    something else is removed, to be made anew; what is there afterwards needs no second making.

    Raises:
        UserError: If the folder holds a file of such a name that no earlier run made.
    """
    path = out / RECORD
    known = _read_record(path)
    there = [name for name in recipes if os.path.lexists(out / name)]
    for name in there:
        if name not in known:
            raise UserError(
                f'{out / name} is there already, and {path} does not say what it was made of: '
                'choose another --out, or move it away.')
    stale = [name for name in there
             if known[name] != recipes[name] or why_unusable(out / name)]
    # Removed before the record says otherwise: a run that is killed here leaves nothing stale.
    for name in stale:
        (out / name).unlink()
    if stale:
        print(f'{len(stale)} files in {out}, such as {stale[0]}, are made anew: a content, an '
              'exemplar, the checkpoint, the config or an option has changed.')
    others = [name for name in known if name not in recipes and os.path.lexists(out / name)]
    if others:
        print(f'{len(others)} files in {out}, such as {others[0]}, are of an earlier run and not '
              'of this one; they stay as they are.')
    record = dict(files=dict({name: known[name] for name in others}, **recipes))
    write_output(path, (json.dumps(record, indent=1) + '\n').encode())


def _read_record(path: Path) -> Dict[str, str]:
    try:
        return dict(json.loads(path.read_text())['files']) if path.exists() else {}
    except (ValueError, KeyError, TypeError):  # not ours: then no file is known
        return {}


def recipe(*parts) -> str:
    """One string for all that a file is made of: fingerprints and options, as JSON can say them."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


@contextmanager
def made_of(out: Path, *inputs) -> Iterator[bool]:
    """Tells whether a result is there that was made of the same; notes afterwards that it is.

    A result that is made anew counts as done when the block has ended without an error.

    Args:
        out (Path): A file or folder. What it was made of is noted beside it.
        *inputs: All that it is made of: fingerprints and settings, as :func:`recipe` takes them.
    """
    note = note_of(out)
    is_current = is_made_of(out, *inputs)
    if not is_current:
        note.unlink(missing_ok=True)
    yield is_current
    write_atomically(note, recipe(*inputs).encode())


def is_made_of(out: Path, *inputs) -> bool:
    """Whether a result is there that :func:`made_of` has noted as made of the same."""
    note = note_of(out)
    return out.exists() and note.is_file() and note.read_bytes() == recipe(*inputs).encode()


def note_of(out: Path) -> Path:
    """Where :func:`made_of` writes down what a result was made of."""
    return out.with_name(f'{out.name}.made_of')
