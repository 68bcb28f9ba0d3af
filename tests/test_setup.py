# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What an installed package holds."""
import email
import importlib.util
import subprocess
import sys
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from egscit_mm.compat import versions

REPOSITORY = Path(__file__).parents[1]


def test_a_built_package_has_what_mim_looks_for(tmp_path):
    subprocess.run([sys.executable, 'setup.py', '-q', 'build_py', '--build-lib', tmp_path],
                   cwd=REPOSITORY, check=True, timeout=120)
    mim = tmp_path / 'egscit_mm' / '.mim'
    assert (mim / 'tools' / 'train.py').is_file()
    models = [
        model for metafile in yaml.safe_load((mim / 'model-index.yml').read_text())['Import']
        for model in yaml.safe_load((mim / metafile).read_text())['Models']
    ]
    assert models
    for model in models:
        config = Path(model['Config'])
        assert (mim / config).read_bytes() == (REPOSITORY / config).read_bytes()
    assert not list(mim.rglob('__pycache__'))
    pages = tmp_path / 'egscit_mm' / 'visualization' / 'templates'
    assert {path.name for path in pages.glob('*.html')} == {
        path.name for path in REPOSITORY.glob('egscit_mm/visualization/templates/*.html')} != set()


def test_the_check_at_import_and_pip_know_the_same_ranges(tmp_path):
    subprocess.run(
        [sys.executable, 'setup.py', '-q', 'build_py', '--build-lib', tmp_path, 'dist_info',
         '--output-dir', tmp_path], cwd=REPOSITORY, check=True, timeout=120)
    # what a wheel of it would check
    spec = importlib.util.spec_from_file_location(
        'built', tmp_path / 'egscit_mm' / 'compat' / 'versions.py')
    built = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(built)
    for name in ('host', 'runtime', 'fork'):
        assert list(built._requirements(name)) == list(versions._requirements(name)) != []

    metadata = email.message_from_string(
        next(tmp_path.glob('*.dist-info/METADATA')).read_text())
    asked = {requirement.name: requirement.specifier
             for requirement in map(Requirement, metadata.get_all('Requires-Dist'))
             if requirement.marker is None}
    assert asked == {name: SpecifierSet(wanted)
                     for name, wanted in versions._requirements('runtime')}
    assert metadata['Requires-Python'] == '>=3.10'
