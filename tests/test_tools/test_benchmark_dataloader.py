# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import json
from pathlib import Path

import cv2
import pytest
import torch
from tiny_data import write_tiny_digits
from tool import Tool

from egscit_mm.config import ConfigError

REPOSITORY = Path(__file__).parents[2]
CONFIG = REPOSITORY / 'configs' / 'egscit' / 'egscit_mnist_single.py'
STEPS = ['dataset', 'LoadImage', 'RandomZoomCrop', 'Flip', 'PackInputs', 'collate', 'sum']


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_tiny_digits(tmp_path_factory.mktemp('data'))


@pytest.fixture
def benchmark():
    return Tool('analysis/benchmark_dataloader.py')


def test_table_and_json(benchmark, data, tmp_path, capsys):
    out = tmp_path / 'new' / 'speed.json'
    benchmark(CONFIG, '--data-root', data, '--workers', 0, 2, '--batches', 3, '--json', out,
              '--cfg-options', 'train_dataloader.batch_size=4')
    assert [path.name for path in out.parent.iterdir()] == ['speed.json']
    figures = json.loads(out.read_text())
    rates = figures.pop('workers')
    steps = figures.pop('steps_ms_per_image')
    assert figures == dict(
        config='egscit_mnist_single', loader='train', data_root=str(data), dataset_size=12,
        batch_size=4, images_per_sample=2, images_per_batch=8, cpu_count=figures['cpu_count'],
        torch=torch.__version__, opencv=cv2.__version__)
    # Three batches are a round and a half of two workers.
    assert [(rate['workers'], rate['batches']) for rate in rates] == [(0, 3), (2, 4)]
    for rate in rates:
        assert rate['images_per_second'] == pytest.approx(1e3 * 8 / rate['ms_per_batch'])
        low, high = rate['images_per_second_quartiles']
        assert 0 < low <= rate['images_per_second_median'] <= high
        assert rate['own_ms_per_batch'] > 0
    assert list(steps) == STEPS[:-1] and min(steps.values()) > 0

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    first = lines.index(['workers', 'images/s', 'median', 'quartiles', 'ms/batch', 'own', 'ms'])
    for line, rate in zip(lines[first + 1:first + 3], rates):
        assert line[:2] == [str(rate['workers']), f'{rate["images_per_second"]:.0f}']
    first = lines.index(['step', 'ms/image'])
    assert [line[0] for line in lines[first + 1:]] == STEPS
    assert float(lines[-1][1]) == pytest.approx(sum(steps.values()), abs=1e-3)


def test_other_dataloader_of_the_config(benchmark, data, capsys):
    """Test samples have ground truths: four images each. The four samples are read repeatedly."""
    benchmark(CONFIG, '--loader', 'test', '--data-root', data, '--workers', 0, '--batches', 2,
              '--cfg-options', 'test_dataloader.batch_size=3')
    out = capsys.readouterr().out
    assert '12 images per batch (3 samples of 4), 4 samples in' in out
    assert 'PackInputs' in out and 'RandomZoomCrop' not in out


@pytest.mark.parametrize('args, expected', [
    (['nowhere.py'], "Config 'nowhere.py' does not exist"),
    ([REPOSITORY / 'configs' / 'egscit' / 'egscit_gta2bdd.py', '--loader', 'test'],
     'has no test_dataloader, only train'),
    ([CONFIG, '--data-root', 'nowhere'], 'nowhere/trainA does not exist'),
])
def test_errors(benchmark, args, expected):
    with pytest.raises((SystemExit, ConfigError)) as caught:
        benchmark(*args)
    assert expected in str(caught.value)


@pytest.mark.parametrize('args, expected', [
    (['--workers', 0, -2], '--workers must be 0 or more, got -2'),
    (['--batches', 0], '--batches must be at least 1, got 0'),
])
def test_bad_numbers(benchmark, args, expected, capsys):
    with pytest.raises(SystemExit):
        benchmark(CONFIG, *args)
    assert expected in capsys.readouterr().err


def test_unreadable_image_is_named(benchmark, tmp_path):
    data = write_tiny_digits(tmp_path, train=1)
    path = next((data / 'trainA').iterdir())
    path.write_bytes(b'')
    with pytest.raises(ValueError, match=f'cannot read .*{path.name}'):
        benchmark(CONFIG, '--data-root', data, '--workers', 0)
