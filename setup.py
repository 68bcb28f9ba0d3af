# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Installs egscit_mm. requirements/host.txt must be there already."""
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent


def requirements(name):
    """Lines of requirements/<name>.txt without comments."""
    lines = (HERE / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


class BuildWithConfigs(build_py):
    """Adds what MIM, OpenMMLab's `mim`, looks for, and the ranges that are checked at import."""

    def run(self):
        """Builds the package."""
        super().run()
        if self.editable_mode:  # the repository has them
            return
        mim = Path(self.build_lib, 'egscit_mm', '.mim')
        for folder in ('configs', 'tools', 'requirements'):
            shutil.copytree(HERE / folder, mim / folder, dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns('__pycache__'))
        shutil.copy(HERE / 'model-index.yml', mim)


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
    package_data={'egscit_mm.visualization.templates': ['*.html']},
    py_modules=['egscit_arguments'],  # tools/ needs it before the package
    cmdclass=dict(build_py=BuildWithConfigs),
    python_requires='>=3.10',
    install_requires=requirements('runtime'),
    extras_require={
        name: requirements(name)
        for name in ('tests', 'digits', 'analysis', 'segmentation', 'evaluation', 'export', 'demo',
                     'docs', 'diffusion')
    },
    classifiers=[
        'Intended Audience :: Science/Research',
        'License :: OSI Approved :: Apache Software License',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Image Processing',
    ])
