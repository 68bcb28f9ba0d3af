# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.

import pytest
import torch
from forked import fork_scripts
from tool import Tool


@pytest.fixture
def crash_test():
    return Tool('analysis/crash_test.py')


@pytest.mark.slow
def test_two_ranks_killed_and_resumed(crash_test, monkeypatch, capsys):
    fork_scripts(monkeypatch, crash_test.module)
    monkeypatch.setattr(crash_test.module, 'ITERATIONS', 2)
    monkeypatch.setattr(crash_test.module, 'SAVE_INTERVAL', 1)
    crash_test('--kills', 1, '--scenarios', 'two ranks', '--seed', 1)
    row = capsys.readouterr().out.splitlines()[-1]
    assert row.startswith('| 1 | two ranks |') and row.endswith('| identical |')


def test_what_differs_is_named(crash_test):
    state = dict(a=torch.zeros(2), b=[1, dict(c=torch.ones(1))])
    assert crash_test.module.differences(state, state) == []
    other = dict(a=torch.zeros(2), b=[2, dict(c=torch.ones(1).nextafter(torch.zeros(1)))])
    assert crash_test.module.differences(other, state) == ['.b.0', '.b.1.c']
    assert crash_test.module.differences(dict(a=state['a']), state) == ['']


def test_a_run_that_differs_fails(crash_test, monkeypatch):
    class Fake:
        """Ends at once; every training has results of its own."""

        number = 0

        def __init__(self, folder, name, workers, ranks, resume=False):
            self.log = folder / f'{name}.log'
            self.log.write_text('Load checkpoint from vaegan_x/iter_3.pth\n')
            self.work_dir = folder / name
            self.work_dir.mkdir(exist_ok=True)

        def wait(self):
            pass

        def kill_at(self, iteration, delay):
            pass

        def iterations(self):
            return 5

        def results(self):
            Fake.number += 1
            return dict(egscit=Fake.number)

    monkeypatch.setattr(crash_test.module, 'Training', Fake)
    with pytest.raises(SystemExit, match='Some trainings differ'):
        crash_test('--kills', 1, '--scenarios', 'one process')


def test_no_kills_are_refused(crash_test, capsys):
    with pytest.raises(SystemExit):
        crash_test('--kills', 0)
    assert 'at least 1' in capsys.readouterr().err
