# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import json
from concurrent.futures.process import BrokenProcessPool
from functools import partial

import numpy as np
import pytest
from tiny_sources import converter, fill_disk, read, run_converter, tree

from egscit_mm.datasets import ExemplarImageDataset, conversion
from egscit_mm.datasets.conversion import ConversionError, painted
from egscit_mm.datasets.streets import SIZES, Style, draw_scene, paint, pictures
from egscit_mm.datasets.streets.labels import CATEGORIES
from egscit_mm.datasets.streets.style import HELD_OUT

run = partial(run_converter, 'streets', '--num-train', 4, '--num-test', 3, '--out')
SIZE = 128, 256  # by default
COUNTS = dict(trainA=4, trainB=4, testA=3, testB=3, testA2B=3, testB2A=3, trainA_labels8=4,
              trainB_labels8=4, testA_labels8=3, testB_labels8=3)


@pytest.fixture(scope='module')
def out(tmp_path_factory):
    """A small data set."""
    folder = tmp_path_factory.mktemp('streets') / 'out'
    assert run(folder) == 0
    return folder


def manifest_of(out):
    return json.loads((out / 'manifest.json').read_text())


def test_layout_names_and_sizes(out):
    manifest = manifest_of(out)
    assert manifest['counts'] == COUNTS and manifest['image_size'] == [*SIZE]
    assert sorted(path.name for path in out.iterdir()) == sorted([*COUNTS, 'manifest.json'])
    for folder, count in COUNTS.items():
        assert sorted(path.name for path in (out / folder).iterdir()) == [
            f'{i:05d}.png' for i in range(count)]
        shape = read(out / folder / '00000.png').shape
        assert shape == (SIZE if 'labels' in folder else (*SIZE, 3))


def test_test_images_ground_truths_and_labels_are_exact(out):
    test = manifest_of(out)['test']
    for content, exemplar in ('AB', 'BA'):
        truth = f'test{content}2{exemplar}'
        for name in test[truth]:
            entries = {folder: dict(test[folder][name])
                       for folder in (f'test{content}', f'test{exemplar}', truth)}
            scenes = {folder: entry.pop('scene') for folder, entry in entries.items()}
            styles = {folder: Style(**entry) for folder, entry in entries.items()}
            # The scene of the content in the style of the exemplar.
            assert scenes[truth] == scenes[f'test{content}'] != scenes[f'test{exemplar}']
            assert styles[truth] == styles[f'test{exemplar}']
            (image, translation), labels = paint(
                draw_scene(scenes[truth]), [styles[f'test{content}'], styles[truth]], SIZE)
            assert (read(out / f'test{content}' / name) == image).all()
            assert (read(out / truth / name) == translation).all()
            assert (read(out / f'test{content}_labels8' / name) == labels).all()
            assert not (image == translation).all()


def test_every_image_that_is_no_ground_truth_has_its_own_scene_and_style():
    streets = pictures.plan_streets(dict(train=50, test=20), 0)
    assert len({street.scene for street in streets}) == len(streets) == 140
    styles = [next(iter(street.styles.values())) for street in streets]
    assert len(set(styles)) == 140
    labels = {paint(draw_scene(street.scene), [], SIZE)[1].tobytes() for street in streets[:30]}
    assert len(labels) == 30


def test_held_out_classes_are_in_the_test_set_only():
    seen = {'trainA': set(), 'trainB': set(), 'testB': set()}
    for street in pictures.plan_streets(dict(train=150, test=150), 0):
        folder, style = next(iter(street.styles.items()))
        if folder in seen and style.domain == folder[-1]:
            labels = paint(draw_scene(street.scene, street.without), [], SIZE)[1]
            seen[folder] |= {(name, CATEGORIES[i]) for i in np.unique(labels).tolist()
                             for name in (style.time, style.weather)}
    held_out = {(name, category) for name, some in HELD_OUT.items() for category in some}
    assert len(held_out) == 3 and not held_out & seen['trainB']
    assert held_out < seen['testB'] and held_out < seen['trainA']


def test_another_size(tmp_path):
    run(tmp_path / 'out', '--size', 256, 512)
    assert read(tmp_path / 'out' / 'testA2B' / '00002.png').shape == (256, 512, 3)
    assert read(tmp_path / 'out' / 'testA_labels8' / '00002.png').shape == (256, 512)


def test_the_dataset_reads_it(out):
    assert len(ExemplarImageDataset(out, [])) == 4
    dataset = ExemplarImageDataset(out, [], test_mode=True)
    assert len(dataset) == 3 and {'gt_A2B_path', 'gt_B2A_path'} < set(dataset[0])


def test_worker_processes_give_the_same_bytes_and_another_seed_others(out, tmp_path):
    assert run(tmp_path / 'there', workers=2) == 0
    assert tree(tmp_path / 'there') == tree(out)
    run(tmp_path / 'other', '--seed', 1)
    assert not set(tree(tmp_path / 'other').values()) & set(tree(out).values())


def test_complete_output_is_kept_and_other_output_refused(out, capsys):
    before = tree(out)
    assert run(out) == 0
    assert 'is already complete' in capsys.readouterr().out
    with pytest.raises(ConversionError, match='was not written with these arguments'):
        run(out, '--seed', 1)
    assert tree(out) == before


@pytest.mark.parametrize('after', [0, 20, 34])  # 34 files, then the manifest
def test_full_disk_leaves_nothing(tmp_path, monkeypatch, after):
    fill_disk(monkeypatch, after)
    with pytest.raises(ConversionError, match='cannot write .*out: No space left on device'):
        run(tmp_path / 'place' / 'out')
    assert list((tmp_path / 'place').iterdir()) == []


def test_interrupted_run_leaves_nothing(tmp_path, monkeypatch):

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(pictures, 'draw_scene', interrupted)
    with pytest.raises(SystemExit, match='Interrupted. Nothing is kept'):
        conversion.exit_with(partial(run, tmp_path / 'place' / 'out'), 'Nothing is kept')
    assert list((tmp_path / 'place').iterdir()) == []


def test_killed_worker_leaves_nothing(tmp_path, monkeypatch):

    def broken(function, items, workers, chunksize):
        yield function(items[0])
        raise BrokenProcessPool

    monkeypatch.setattr(painted, 'map_in_workers', broken)
    with pytest.raises(ConversionError, match='a worker process was killed.*fewer --workers'):
        run(tmp_path / 'place' / 'out')
    assert list((tmp_path / 'place').iterdir()) == []


@pytest.mark.parametrize('args, match', [
    (['--size', '100', '200'], '--size must be 64 128, 128 256 or 256 512, got 100 200'),
    (['--num-train', '0'], '--num-train: must be at least 1, got 0'),
    (['--num-test', '-1'], '--num-test: must be at least 1, got -1'),
])
def test_bad_arguments_are_named(tmp_path, capsys, args, match):
    with pytest.raises(SystemExit):
        run(tmp_path / 'out', *args)
    assert match in capsys.readouterr().err and not (tmp_path / 'out').exists()


def test_the_tool_knows_what_the_package_knows(capsys):
    assert converter('streets').SIZES == SIZES
    with pytest.raises(SystemExit):
        run_converter('streets', '--help')
    text = capsys.readouterr().out
    assert all(f'{i} {category}' in text for i, category in enumerate(CATEGORIES))
