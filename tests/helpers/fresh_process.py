# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Fresh processes, for what happens at import.

They run against small fake packages that show the symptom, so that the tests say the same
whichever versions are installed.
"""
import os
import subprocess
import sys
import textwrap
from pathlib import Path

from egscit_mm import compat

PACKAGE = Path(compat.__file__).parents[1]


def run_python(code, *paths):
    """Run ``code`` in a fresh process with egscit_mm.compat, but without the package's __init__."""
    prelude = f'''
        import sys, types
        package = sys.modules['egscit_mm'] = types.ModuleType('egscit_mm')
        package.__path__ = [{str(PACKAGE)!r}]
        from egscit_mm import compat
        sys.modules['compat'] = compat
    '''
    result = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(prelude) + textwrap.dedent(code)],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(map(str, paths))},
        capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    return result.stdout


def write_package(folder, name, **files):
    """Write the modules ``files`` (name to source) of the package ``name`` below ``folder``."""
    (folder / name).mkdir()
    for module, source in {'__init__': '', **files}.items():
        (folder / name / f'{module}.py').write_text(textwrap.dedent(source))
    return folder
