# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The tools of an installed package: ``python -m egscit_mm COMMAND ARGUMENTS``.

``python -m egscit_mm train configs/egscit/egscit_gta2bdd.py`` does what
``python tools/train.py configs/egscit/egscit_gta2bdd.py`` does in a checkout. A config that is not
in the present folder is looked up among those of the package.
"""
from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from egscit_mm import run
from egscit_mm.packaged import packaged_folder

_NO_COMMANDS = ('naive_egscit.py', 'site_hooks.py')  # of the benchmark and of the site's generator


def commands() -> dict[str, Path]:
    """The tools by name, such as ``train`` and ``dataset_converters/mnist``."""
    folder = packaged_folder('tools')
    paths = folder.glob('**/*.py') if folder else ()
    return {path.relative_to(folder).with_suffix('').as_posix(): path for path in sorted(paths)
            if path.name not in _NO_COMMANDS}


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a tool.

    Args:
        argv: The tool's name and its arguments; None takes them from the command line.

    Raises:
        SystemExit: If there is no such tool, or with what the tool exits with.
    """
    name, *arguments = (sys.argv[1:] if argv is None else argv) or ['--help']
    tools = commands()
    if name in tools:
        run.main([str(tools[name]), *arguments])
        return
    print('\n  '.join(['usage: python -m egscit_mm COMMAND ARGUMENTS', '',
                         'COMMAND --help tells its arguments. Commands:', *tools]))
    if name not in ('-h', '--help'):
        raise SystemExit(f'There is no command {name!r}.')


if __name__ == '__main__':
    main()
