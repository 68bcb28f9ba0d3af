# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Installs egscit_mm. torch, torchvision and mmcv (or mmcv-lite) must be there already."""
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def requirements(name):
    """Lines of requirements/<name>.txt without comments."""
    lines = (HERE / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


version = {}
exec((HERE / 'egscit_mm' / 'version.py').read_text(), version)

setup(
    name='egscit_mm',
    version=version['__version__'],
    description='Exemplar-guided, semantically consistent image translation (EGSC-IT) for MMagic',
    long_description=(HERE / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['egscit_mm', 'egscit_mm.*']),
    python_requires='>=3.10',
    install_requires=requirements('runtime'),
    extras_require=dict(tests=requirements('tests')),
    classifiers=[
        'Intended Audience :: Science/Research',
        'License :: OSI Approved :: Apache Software License',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Image Processing',
    ])
