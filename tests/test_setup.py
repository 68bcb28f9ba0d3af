# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What an installed package holds."""
import subprocess
import sys
from pathlib import Path

import yaml

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
