# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import json

import pytest

from egscit_mm.evaluation.comparison import (
    CEILING,
    Section,
    compare,
    markdown,
    mean_std,
    property_sections,
    sections,
    segmentation_sections,
    street_sections,
    what_std_is,
)


def figures(value, **more):
    """What tools/test.py writes: every mean is `value`, or twice that for B2A."""
    names = ('ssim_exemplar', 'ceiling_exemplar', 'ssim_ground_truth', 'style_accuracy',
             'content_accuracy')
    return {
        f'{name}/{direction}': {'mean': times * value, 'std': value / 4}
        for name in names for direction, times in (('A2B', 1), ('B2A', 2))
    } | more


# What was measured of the yardsticks.
YARDSTICKS = {'copy the content': figures(0.1), CEILING: figures(0.25) | {
    f'ssim_ground_truth/{direction}': {'mean': 1., 'std': 0.} for direction in ('A2B', 'B2A')}}


def test_one_training_per_method():
    comparison = compare({'UNIT': {0: figures(0.2, train_seconds=90.)}, 'EGSC-IT': {}},
                         'MNIST-Single', YARDSTICKS)
    assert comparison == json.loads(json.dumps(comparison))
    assert comparison['task'] == 'MNIST-Single' and comparison['std_over'] == 'images'
    assert list(comparison['rows']) == [
        'UNIT', 'EGSC-IT', 'copy the content', CEILING]
    unit, egscit, copy, ceiling = comparison['rows'].values()
    assert unit['ours']['ssim_exemplar/B2A'] == {'mean': 0.4, 'std': 0.05}
    assert unit['paper']['ssim_exemplar/A2B'] == {'mean': 0.178, 'std': 0.160}
    assert unit['seeds'] == {'0': figures(0.2, train_seconds=90.)}
    assert egscit['ours'] == egscit['seeds'] == {}
    assert copy == dict(ours=figures(0.1), paper={}, seeds={})
    assert ceiling['ours'] == YARDSTICKS[CEILING]
    assert ceiling['paper'] == {'ssim_exemplar/A2B': {'mean': 0.484, 'std': 0.082},
                                'ssim_exemplar/B2A': {'mean': 0.225, 'std': 0.124}}


def test_properties():
    """Table 1: what is not measured yet, or not of this method, is a dash."""
    known = figures(0.2, **{
        f'{name}/{direction}': {'mean': mean, 'std': 0.} for direction, mean in
        (('A2B', 30.), ('B2A', 60.)) for name in ('diversity', 'content_iou')})
    comparison = compare({'UNIT': {0: known}, 'DRIT': {}}, 'MNIST-Single', YARDSTICKS)
    table, = property_sections(comparison)
    assert table.columns == [
        f'{name} {arrow}' for name in ('diversity', 'style', 'shape', 'shape is right', 'SSIM')
        for arrow in ('A→B', 'B→A')]
    assert table.rows['UNIT'] == ['30.000', '60.000', '0.200', '0.400', '30.000', '60.000', '0.200',
                                  '0.400', '0.200', '0.400']
    assert table.rows['DRIT'] == ['–'] * 10
    assert table.rows['copy the content'][:2] == ['–', '–']
    assert what_std_is(comparison, [table]) == (
        'Means over the test images; one training per method.')
    assert what_std_is(comparison, sections(comparison)).startswith('Mean ± standard deviation ov')


def test_properties_of_several_trainings():
    comparison = compare({'UNIT': {0: figures(0.1), 1: figures(0.3)}, 'DRIT': {0: figures(0.1)}},
                         'MNIST-Single', YARDSTICKS)
    style = slice(2, 4)
    for tables in (property_sections(comparison), sections(comparison)[2:]):
        cells = tables[0].rows['UNIT'][style if len(tables[0].columns) == 10 else slice(2)]
        assert cells == ['0.200 ± 0.141', '0.400 ± 0.283']
        assert '±' not in ''.join(tables[0].rows['DRIT'] + tables[0].rows['copy the content'])
        assert 'over the trainings with different seeds' in what_std_is(comparison, tables)


def test_figures_of_whole_sets():
    """FID and the correlation of hues have one number for all images, and no deviation."""
    one = compare({'UNIT': {0: figures(0.2, **{'fid/A2B': 30., 'train_seconds': 9.})}},
                  'MNIST-Single', {})['rows']['UNIT']
    assert one['ours']['fid/A2B'] == {'mean': 30.} and 'train_seconds' not in one['ours']
    three = compare({'UNIT': {seed: figures(0.2, **{'fid/A2B': 30. + seed}) for seed in range(3)}},
                    'MNIST-Single', {})['rows']['UNIT']
    assert three['ours']['fid/A2B'] == {'mean': 31., 'std': 1.}
    assert mean_std(0.5) == mean_std({'mean': 0.5}) == '0.500' and mean_std(None) == '–'


def test_several_trainings_per_method():
    """The spread is that of a sample of seeds: 0.1, 0.2, 0.3 have 0.1."""
    measured = {seed: figures(value) for seed, value in ((3, 0.1), (4, 0.2), (5, 0.3))}
    comparison = compare({'UNIT': measured, 'MUNIT': {3: figures(0.5)}}, 'MNIST-Multiple', {})
    assert comparison['std_over'] == 'seeds'
    unit, munit = (comparison['rows'][method] for method in ('UNIT', 'MUNIT'))
    assert unit['ours']['ssim_exemplar/A2B'] == pytest.approx({'mean': 0.2, 'std': 0.1})
    assert list(unit['seeds']) == ['3', '4', '5'] and unit['seeds']['4'] == figures(0.2)
    # One seed says nothing about the spread over seeds.
    assert munit['ours']['ssim_exemplar/A2B'] == {'mean': 0.5}


def test_markdown():
    table = Section('SSIM', 'Best is 1.', ['ours', 'paper'], {'a': ['0.1', '–'], 'b': ['1', '2']})
    assert markdown('Table 2', 'One training.', [table]) == '''\
# Table 2

One training.

## SSIM

Best is 1.

| method | ours | paper |
| --- | --- | --- |
| a | 0.1 | – |
| b | 1 | 2 |
'''


def test_sections():
    measured = {'CycleGAN': {}, 'EGSC-IT': {0: figures(0.25, train_seconds=90.)}}
    exemplar, truth, accuracy = sections(
        compare(measured, 'MNIST-Multiple', YARDSTICKS))
    assert exemplar.columns == ['A→B', 'paper', 'B→A', 'paper']
    assert exemplar.rows == {
        'CycleGAN': ['–', '0.145', '–', '0.130'],
        'EGSC-IT': ['0.250 ± 0.062', '0.503', '0.500 ± 0.062', '0.495'],
        'copy the content': ['0.100 ± 0.025', '–', '0.200 ± 0.025', '–'],
        CEILING: ['0.250 ± 0.062', '–', '0.500 ± 0.062', '–'],
    }
    assert 'Table 5' in exemplar.note
    assert truth.rows['EGSC-IT'] == ['0.250 ± 0.062', '0.910', '0.500 ± 0.062', '0.924']
    assert truth.rows[CEILING] == ['1.000 ± 0.000', '–', '1.000 ± 0.000', '–']
    assert accuracy.columns == ['style A→B', 'style B→A', 'content A→B', 'content B→A', 'minutes']
    assert accuracy.rows['CycleGAN'] == ['–'] * 5
    assert accuracy.rows['EGSC-IT'] == ['0.250', '0.500', '0.250', '0.500', '1.5']


def test_figures_without_ground_truths():
    [name] = [name for name in figures(0.5) if name == 'ssim_exemplar/A2B']
    comparison = compare({'UNIT': {0: {name: figures(0.5)[name]}}}, 'MNIST-Single', {})
    exemplar, truth, accuracy = sections(comparison)
    assert exemplar.rows[CEILING] == ['–', '0.484 ± 0.082', '–', '0.225 ± 0.124']
    assert truth.rows['UNIT'] == ['–', '0.346', '–', '0.414']
    assert accuracy.rows['UNIT'] == ['–'] * 5


def test_segmentation():
    [table] = segmentation_sections({'source': {'mIoU': 31.45, 'aAcc': 80.}, 'EGSC-IT': None})
    assert table.rows == {'source': ['0.315', '0.329'], 'EGSC-IT': ['–', '0.343']}


def test_streets():
    """Half of the gap with one seed, all of it with the other."""
    seeds = {0: {'mIoU': 30.}, 1: {'mIoU': 40.}}
    segmenters = {'source': {0: {'mIoU': 20.}, 1: {'mIoU': 20.}}, 'EGSC-IT': seeds, 'UNIT': {},
                  'oracle': {0: {'mIoU': 40.}, 1: {'mIoU': 40.}}}
    street = figures(0.5) | {
        f'{name}/{direction}': dict(mean=12.5, std=1.) for direction in ('A2B', 'B2A')
        for name in ('colour_error', 'colour_error_sky', 'content_leak')}
    comparison = compare({'EGSC-IT': {0: street, 1: street}, 'UNIT': {}}, 'Painted streets',
                         {'copy the content': street})
    miou, translations, colours = street_sections(comparison, segmenters)
    assert miou.rows == {'source': ['0.200 ± 0.000', '0.000 ± 0.000'], 'UNIT': ['–', '–'],
                         'EGSC-IT': ['0.350 ± 0.071', '0.750 ± 0.354'],
                         'oracle': ['0.400 ± 0.000', '1.000 ± 0.000']}
    assert translations.columns[:4] == ['SSIM A→B', 'SSIM B→A', 'colour A→B', 'colour B→A']
    means = ['0.500', '1.000', '12.500', '12.500', '–', '–', '12.500', '12.500']
    egscit = [mean + ' ± 0.000' * (mean != '–') for mean in means]
    assert translations.rows == {'EGSC-IT': egscit, 'UNIT': ['–'] * 8, 'copy the content': means,
                                 CEILING: ['–'] * 8}
    row = dict(zip(colours.columns, colours.rows['EGSC-IT']))
    assert row['sky B→A'] == '12.500 ± 0.000' and row['flat A→B'] == '–' and len(row) == 14
    # One seed without its source.
    [miou, *_] = street_sections(comparison, {**segmenters, 'source': {}})
    assert miou.rows['EGSC-IT'] == ['0.350 ± 0.071', '–']
