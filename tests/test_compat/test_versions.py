# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import importlib.metadata
import sys
import warnings

import pytest
from fresh_process import run_python

from egscit_mm.compat import versions


def test_import_of_compat_is_light():
    out = run_python('print([n for n in ("torch", "numpy", "mmagic") if n in sys.modules])')
    assert out.strip() == '[]'


# distribution: (a version too old, the oldest, the newest of those below the bound, a too new one)
VERSIONS = {
    'torch': ('2.5.1+cu124', '2.6.0', '2.13.0+cpu', None),
    'torchvision': ('0.20.1', '0.21.0', '0.28.0', None),
    'mmcv-lite': ('1.7.2', '2.0.0', '2.1.99', '2.2.0'),
    'mmengine': ('0.10.6', '0.10.7', '0.99.0', '1.0.0'),
    'mmagic': ('1.1.0', '1.2.0', '1.99', '2.0.0'),
    'numpy': ('1.23.5', '1.24.0', '2.4.6', None),
    'opencv-python': ('4.7.0.72', '4.8.0.74', '5.0.0.93', None),
    'Pillow': ('9.5.0', '10.0.0', '12.3.0', None),
    'scikit-image': ('0.21.0', '0.22.0', '0.26.0', None),
    'filelock': (None, '3.0', '4.3.1', None),
    'tqdm': (None, '1.0', '4.70.1', None),
    'jinja2': (None, '2.0', '3.1.6', None),
    'matplotlib': (None, '3.0', '3.11.2', None),
    'packaging': ('21.3', '22.0', '26.3', None),
    'scipy': ('1.9.3', '1.10.0', '1.17.1', None),
    'safetensors': ('0.3.3', '0.4.0', '0.8.0', None),
}
# Of the fork: what it takes the place of, and versions as above.
FORK = {
    'onedl-mmengine': ('mmengine', '0.10.11', '0.10.12', '0.99.0', '1.0.0'),
    'onedl-mmcv': ('mmcv-lite', '2.2.0', '2.3.6', '2.99.0', '3.0.0'),
}


def requirements():
    return {**dict(versions._requirements('host')), **dict(versions._requirements('runtime'))}


def command(name):
    alone = '--no-deps ' if name == 'mmagic' else ''
    return f'pip install {alone}"{name}{requirements()[name]}"'


@pytest.fixture
def installed(monkeypatch):
    """The distributions that check_versions sees, the oldest allowed; a test changes them."""
    found = {name: oldest for name, (_, oldest, _, _) in VERSIONS.items()}

    def version(name):
        if name not in found:
            raise importlib.metadata.PackageNotFoundError(name)
        return found[name]

    monkeypatch.setattr(importlib.metadata, 'version', version)
    return found


def test_versions_that_fit_pass_silently(installed):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        versions.check_versions()
        installed.update({name: newest for name, (_, _, newest, _) in VERSIONS.items()})
        versions.check_versions()


def complaint():
    """The one line that check_versions has to say."""
    with pytest.raises(ImportError, match='egscit_mm cannot work with the installed') as error:
        versions.check_versions()
    _, line = str(error.value).splitlines()
    return line


@pytest.mark.parametrize('name, version', [
    pytest.param(name, version, id=f'{name}-{version}') for name, known in VERSIONS.items()
    for version in (known[0], known[-1]) if version
])
def test_unfit_version_is_named_with_range_and_command(installed, name, version):
    installed[name] = version
    wanted = requirements()[name]
    assert complaint() == (f'{name} {version} is installed, egscit_mm needs {name}{wanted}: '
                           f'{command(name)}')


@pytest.mark.parametrize('name', VERSIONS)
def test_missing_package_is_named_with_range_and_command(installed, name):
    del installed[name]
    line, wanted = complaint(), requirements()[name]
    assert line.startswith(name)
    assert line.endswith(f' is not installed: {command(name)}')
    assert f'({wanted})' in line or not wanted


def test_all_problems_are_named_at_once(installed):
    del installed['torch'], installed['mmcv-lite']
    installed['mmagic'] = '1.1.0'
    with pytest.raises(ImportError) as error:
        versions.check_versions()
    assert str(error.value).splitlines()[1:] == [
        'torch (>=2.6) is not installed: pip install "torch>=2.6"',
        'mmcv-lite or mmcv or onedl-mmcv (>=2.0,<2.2) is not installed: '
        'pip install "mmcv-lite>=2.0,<2.2"',
        'mmagic 1.1.0 is installed, egscit_mm needs mmagic>=1.2.0,<2: '
        'pip install --no-deps "mmagic>=1.2.0,<2"']


@pytest.mark.parametrize('name, other', [
    ('mmcv-lite', 'mmcv'), ('opencv-python', 'opencv-python-headless')])
def test_another_distribution_of_the_same_module_will_do_in_the_same_range(installed, name, other):
    too_old, installed[other] = VERSIONS[name][0], installed.pop(name)
    versions.check_versions()
    installed[other] = too_old
    wanted = requirements()[name]
    assert complaint() == (f'{other} {too_old} is installed, egscit_mm needs {other}{wanted}: '
                           f'pip uninstall -y {other} && {command(name)}')


def test_the_fork_will_do_in_its_own_range(installed):
    for other, (name, _, oldest, _, _) in FORK.items():
        del installed[name]
        installed[other] = oldest
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        versions.check_versions()
        installed.update({other: newest for other, (*_, newest, _) in FORK.items()})
        versions.check_versions()
    for other, (name, too_old, *_, too_new) in FORK.items():
        wanted, fits = dict(versions._requirements('fork'))[other], installed[other]
        for version in (too_old, too_new):
            installed[other] = version
            assert complaint() == (
                f'{other} {version} is installed, egscit_mm needs {other}{wanted}: '
                f'pip uninstall -y {other} && {command(name)}')
        installed[other] = fits


def test_all_requirements_are_known_here():
    assert requirements().keys() == VERSIONS.keys()
    assert dict(versions._requirements('fork')).keys() == FORK.keys()


@pytest.mark.parametrize('version, fits', [
    ('2', True), ('2.0', True), ('2.0.0', True), ('1.99.9', False), ('2.10.0', True),
    ('2.0.0+cu118', True), ('2.1.0a0+git1234', True), ('2.0.dev3', True), ('3.0.0rc1', False)])
def test_release_numbers_are_compared(version, fits):
    assert versions._in_range(version, '>=2.0,<3') is fits


def test_a_mere_copy_of_the_package_is_not_checked(monkeypatch, tmp_path):
    monkeypatch.setattr(versions, '__file__', str(tmp_path / 'package' / 'compat' / 'versions.py'))
    assert requirements() == {}


def test_old_python_is_named(installed, monkeypatch):
    monkeypatch.setattr(sys, 'version_info', (3, 9, 1))
    with pytest.raises(ImportError, match=r'Python .* is running, egscit_mm needs Python>=3\.10'):
        versions.check_versions()


@pytest.mark.parametrize('other, version, both', [
    ('mmcv', '2.1.0', 'mmcv-lite 2.0.0 and mmcv 2.1.0'),
    ('onedl-mmengine', '0.10.12', 'mmengine 0.10.7 and onedl-mmengine 0.10.12')])
def test_two_distributions_of_one_module_warn(installed, other, version, both):
    installed[other] = version
    with pytest.warns(UserWarning, match=f'{both} are both installed'):
        versions.check_versions()
