# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The installed distributions, compared with the package's requirements."""
from __future__ import annotations

import importlib.metadata
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

# Distributions that hold the same module as the one that the requirements name. Installed beside
# one another they overwrite each other's files.
_ALTERNATIVES = {
    'mmcv-lite': ('mmcv', 'onedl-mmcv'),
    'mmengine': ('onedl-mmengine', ),
    'opencv-python': ('opencv-python-headless', 'opencv-contrib-python',
                      'opencv-contrib-python-headless'),
}
# Without its dependencies, of which most are for models that nobody here uses.
_INSTALLED_ALONE = ('mmagic', )


def check_versions() -> None:
    """Compare the installed distributions with the package's requirements, importing none of them.

    The ranges are those of ``requirements/host.txt``, ``requirements/runtime.txt`` and, for the
    fork of MMEngine and MMCV, ``requirements/fork.txt``. Warns when two distributions of MMEngine
    or of MMCV are installed: they overwrite each other's files.

    Raises:
        ImportError: One line per missing or unfit package, with the version found, the range
            wanted and the command to type.
    """
    problems = []
    if sys.version_info < (3, 10):  # noqa: UP036
        problems.append(f'Python {sys.version.split()[0]} is running, egscit_mm needs '
                        'Python>=3.10: create an environment with a newer one')
    fork = dict(_requirements('fork'))
    for name, wanted in (*_requirements('host'), *_requirements('runtime')):
        names = (name, *_ALTERNATIVES.get(name, ()))
        alone = '--no-deps ' * (name in _INSTALLED_ALONE)
        command = f'pip install {alone}"{name}{wanted}"'
        found = {name: version for name in names if (version := _installed_version(name))}
        if not found:
            in_range = f' ({wanted})' if wanted else ''
            problems.append(f'{" or ".join(names)}{in_range} is not installed: {command}')
        for other, version in found.items():
            range_of_other = fork.get(other, wanted)
            if not _in_range(version, range_of_other):
                # Another distribution of the same module would stay beside the new one.
                remove = '' if other == name else f'pip uninstall -y {other} && '
                problems.append(f'{other} {version} is installed, egscit_mm needs '
                                f'{other}{range_of_other}: {remove}{command}')
        if len(found) > 1 and name != 'opencv-python':  # of these many need several
            both = ' and '.join(f'{name} {version}' for name, version in found.items())
            warnings.warn(
                f'{both} are both installed and overwrite each other: '
                f'pip uninstall -y {" ".join(found)}, then install one of them', stacklevel=2)
    if problems:
        raise ImportError('egscit_mm cannot work with the installed packages.\n' +
                          '\n'.join(problems))


def _requirements(name: str) -> Iterator[tuple[str, str]]:
    """Name and range (``<2.2,>=2.0`` or empty) of every package in ``requirements/<name>.txt``.

    A wheel carries the files in .mim. A mere copy of the package's folder has none: nothing is
    checked there.
    """
    from packaging.requirements import Requirement

    package = Path(__file__).parents[1]
    for folder in (package / '.mim' / 'requirements', package.parent / 'requirements'):
        if folder.is_dir():
            for line in (folder / f'{name}.txt').read_text().splitlines():
                if line and not line.startswith('#'):
                    requirement = Requirement(line)
                    yield requirement.name, line[len(requirement.name):]
            return


def _installed_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _in_range(version: str, wanted: str) -> bool:
    """Whether a version is in a range. A pre-release counts as its release, as vendors' builds."""
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    return Version(version).base_version in SpecifierSet(wanted)
