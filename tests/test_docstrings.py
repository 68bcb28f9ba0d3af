# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The examples in the docstrings give what they say."""
import doctest
import importlib
import pkgutil

import pytest

import egscit_mm

MODULES = sorted(
    module.name for module in pkgutil.walk_packages(egscit_mm.__path__, f'{egscit_mm.__name__}.'))
# Where a public function has to show what it does.
SHOWN = ['egscit_mm.evaluation.functional', 'egscit_mm.models.layers', 'egscit_mm.models.losses']


def examples_of(name):
    """Examples by the name of what they belong to."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    return [test for test in finder.find(importlib.import_module(name)) if test.examples]


def test_there_are_examples():
    assert sum(len(examples_of(name)) for name in MODULES) > 25


@pytest.mark.parametrize('name', MODULES)
def test_examples_give_what_they_say(name):
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in examples_of(name):
        report = []
        runner.run(test, out=report.append)
        assert not runner.failures, ''.join(report)


@pytest.mark.parametrize('name', SHOWN)
def test_public_functions_have_examples(name):
    package = importlib.import_module(name)
    for public in package.__all__:
        value = getattr(package, public)
        if callable(value):
            assert '>>> ' in value.__doc__, f'{name}.{public} has no example'
