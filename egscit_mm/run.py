# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Run a script with egscit_mm imported first: ``python -m egscit_mm.run PATH/TO/script.py ARGS``.

MMagic's own tools import mmagic before they read a config, so ``custom_imports`` comes too late
for :mod:`egscit_mm.compat`. Works under torchrun as well::

    torchrun --nproc_per_node 2 -m egscit_mm.run tools/train.py CONFIG --launcher pytorch
"""
from __future__ import annotations

import argparse
import os.path as osp
import runpy
import sys
from collections.abc import Sequence

from egscit_mm import compat


def main(argv: Sequence[str] | None = None) -> None:
    """Run a script as ``__main__``, with the arguments behind its path as its own.

    Args:
        argv: Path of the script and its arguments; None takes them from the command line. A
            ``--launcher`` among the arguments has :func:`compat.init_cpu_distributed` called.

    Raises:
        SystemExit: Status 2 when the script does not exist, or whatever the script exits with.
    """
    parser = argparse.ArgumentParser(
        prog='python -m egscit_mm.run', description='Run a script with egscit_mm imported first.')
    parser.add_argument('script', help="path of a Python script, e.g. MMagic's tools/train.py")
    parser.add_argument('args', nargs=argparse.REMAINDER, help='the arguments of the script')
    args = parser.parse_args(argv)
    if not osp.isfile(args.script):
        parser.error(f'there is no script {args.script} (looked for {osp.abspath(args.script)})')

    launcher_parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    launcher_parser.add_argument('--launcher', default='none')
    compat.init_cpu_distributed(launcher_parser.parse_known_args(args.args)[0].launcher)

    sys.argv = [args.script, *args.args]
    sys.path.insert(0, osp.dirname(osp.abspath(args.script)))  # as `python script.py` does
    runpy.run_path(args.script, run_name='__main__')


if __name__ == '__main__':
    main()
