# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The scripts of tools/, called in the process of the tests."""
import importlib.util
import signal
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / 'tools'


class Tool:
    """A script as a function of its command line.

    Args:
        path (str): The script, relative to tools/.

    Attributes:
        module (ModuleType): What it defines.
    """

    def __init__(self, path: str):
        self.path = TOOLS / path
        spec = importlib.util.spec_from_file_location(f'{self.path.stem}_tool', self.path)
        self.module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)

    def __call__(self, *args) -> None:
        handler = signal.getsignal(signal.SIGTERM)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, 'argv', [self.path.name, *map(str, args)])
            self.module.main()
        # Whoever calls it in its own process must still die of the signal as before.
        assert signal.getsignal(signal.SIGTERM) is handler
