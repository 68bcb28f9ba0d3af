# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Exemplar-guided, semantically consistent image translation (EGSC-IT) for MMagic.

Importing the package checks the installed versions, cures the known incompatibilities of the
host libraries (:mod:`egscit_mm.compat`) and registers all parts in MMagic's registries, so that a
config needs only ``custom_imports = dict(imports=['egscit_mm'], allow_failed_imports=False)``.
"""
from . import compat
from .version import __version__

compat.check_versions()
compat.apply()

# The order matters: nothing of MMagic may be imported before compat has been applied.
from . import datasets, engine, evaluation, models, visualization

compat.apply_after_import()

__all__ = ['__version__', 'compat', 'datasets', 'engine', 'evaluation', 'models', 'visualization']
