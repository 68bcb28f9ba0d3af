# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""tools/analysis/gpu_report.sh, in miniature and without a GPU."""
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
ANALYSIS = REPOSITORY / 'tools' / 'analysis'


@pytest.fixture
def module(monkeypatch):
    """Under the name by which the processes that it starts find it."""
    monkeypatch.syspath_prepend(str(ANALYSIS))
    import gpu_report
    return gpu_report


def script(folder, text):
    path = folder / f'script{len(list(folder.glob("script*")))}.py'
    path.write_text(text)
    return path


def test_a_part_that_fails_is_recorded_and_the_next_one_runs(module, tmp_path, monkeypatch):
    out = tmp_path / 'out'
    report = module.Report(out, dry_run=False)
    report.run('broken', [script(tmp_path, 'print("before"); raise SystemExit("it | broke")')], 60)
    report.run('endless', [script(tmp_path, '''
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid, flush=True)
time.sleep(600)''')], module.GRACE + 1)
    figures = script(tmp_path, '''
import json, sys
from pathlib import Path
Path(sys.argv[1]).write_text(json.dumps(dict(found=sys.argv[2:])))''')
    report.run('whole', [figures, tmp_path / 'x.json', 'a', 'b c'], 60, tmp_path / 'x.json')
    monkeypatch.setattr(report, 'end', 0.)
    report.run('late', [figures, tmp_path / 'y.json'], 60)

    parts = json.loads((out / 'report.json').read_text())['parts']
    assert parts == report.parts and list(parts) == ['broken', 'endless', 'whole', 'late']
    assert parts['broken']['error'] == 'exit status 1: it | broke'
    assert parts['endless']['error'] == f'ended after {module.GRACE + 1} s, its time limit'
    assert parts['endless']['seconds'] < 60
    # With all that it had started.
    child = Path('/proc', (out / 'logs' / 'endless.log').read_text().strip(), 'stat')
    assert not child.exists() or child.read_text().rpartition(')')[2].split()[0] == 'Z'
    assert parts['whole']['error'] is None and parts['whole']['figures'] == dict(found=['a', 'b c'])
    assert parts['whole']['command'].endswith("x.json a 'b c'")
    assert parts['late']['error'] == 'no time was left' and not (tmp_path / 'y.json').exists()
    text = (out / 'report.md').read_text()
    assert 'exit status 1: it / broke |' in text and '| late | 0.0 |' in text


def test_the_fastest_way(module):
    rows = dict(naive=dict(median_ms=1., settings={}), ours=dict(median_ms=4., settings={}),
                bf16=dict(median_ms=2., settings={'a.b': True, 'c': 'X'}))
    parts = dict(step=dict(figures=dict(results=rows)), failed=dict(figures=None))
    assert module.fastest(parts, ('step', 'failed', 'never run')) == dict(
        settings=['a.b=True', 'c=X'], seconds=0.002)
    assert module.fastest(parts, ('failed', )) == dict(settings=[], seconds=0.)


@pytest.mark.parametrize('words, message', [
    (['{tmp}/full'], 'is no empty folder: give a new one'),
    (['{tmp}/new', '--wheels', '{tmp}/full'], r'no \*.whl in it'),
])
def test_refusals(module, tmp_path, monkeypatch, capsys, words, message):
    (tmp_path / 'full').mkdir()
    (tmp_path / 'full' / 'file').touch()
    monkeypatch.setattr(sys, 'argv', ['gpu_report.py', *(w.format(tmp=tmp_path) for w in words)])
    with pytest.raises(SystemExit, match='2'):
        module.main()
    assert re.search(message, capsys.readouterr().err)


def test_wheels_come_first(module, tmp_path, monkeypatch):
    """A wheel is an archive of a package and its description."""
    name = 'egscit_mm_wheel_of_a_test'
    with zipfile.ZipFile(tmp_path / f'{name}-1.0-py3-none-any.whl', 'w') as wheel:
        wheel.writestr(f'{name}.py', 'VALUE = 7')
        wheel.writestr(f'{name}-1.0.dist-info/METADATA',
                       f'Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n')
        wheel.writestr(f'{name}-1.0.dist-info/WHEEL',
                       'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
        wheel.writestr(f'{name}-1.0.dist-info/RECORD', '')
    monkeypatch.setenv('PYTHONPATH', 'before')
    monkeypatch.setattr(sys, 'path', [*sys.path])
    module.install(tmp_path, tmp_path / 'site')
    assert os.environ['PYTHONPATH'].split(os.pathsep) == [str(tmp_path / 'site'), 'before']
    assert sys.path[0] == str(tmp_path / 'site')
    assert (tmp_path / 'site' / f'{name}.py').read_text() == 'VALUE = 7'


@pytest.mark.slow
def test_everything_in_miniature(tmp_path):
    done = subprocess.run(
        ['bash', str(ANALYSIS / 'gpu_report.sh'), 'out', '--dry-run'], cwd=tmp_path,
        env=dict(os.environ, PYTHON=sys.executable, OMP_NUM_THREADS='1'), capture_output=True,
        text=True, timeout=900)
    out = tmp_path / 'out'
    assert done.returncode == 0, done.stderr
    report = json.loads((out / 'report.json').read_text())
    assert report['dry_run'] and {
        name: part['error'] for name, part in report['parts'].items() if part['error']} == {}
    parts = report['parts']
    steps = [name for name in parts if name.startswith('step')]
    assert len(steps) == 6
    ways = {way for name in steps for way in parts[name]['figures']['results']}
    assert ways == {'ours', 'naive', 'channels_last', 'bf16', 'bf16+channels_last',
                    'bf16+channels_last+compile', 'bf16+channels_last+reduce_overhead'}
    for name in ('paper_stage1', 'paper_stage2'):
        figures = parts[name]['figures']
        assert figures['minutes'] == pytest.approx(figures['seconds_per_iteration'] * 1000)
    assert parts['largest_gta2bdd']['figures']['minibatch'] == 2
    assert 0 <= parts['evaluation']['figures']['ssim_ground_truth/A2B']['mean'] < 1
    text = (out / 'report.md').read_text()
    assert 'A dry run' in text and '## gta2bdd: a translation, 32x64, minibatch 2' in text
    assert '## MNIST-Single, iter_4.pth' in text and '| ssim_ground_truth/A2B mean |' in text
