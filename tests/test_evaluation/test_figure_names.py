# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import numpy as np
import pytest
from mmagic.registry import METRICS
from translated import evaluate, same_both_ways


def picture(index):
    return np.random.RandomState(index).choice([0, 255], (12, 12, 1)).astype(np.uint8).repeat(3, 2)


@pytest.mark.parametrize('name', [
    'TranslationSSIM', 'ExemplarSSIM', 'StyleAccuracy', 'ContentAccuracy', 'PixelAccuracy'])
def test_names_are_those_that_the_metric_gives(name):
    metric = METRICS.build(dict(type=name))
    found = evaluate(metric, same_both_ways(3, picture, picture))
    assert set(found) == set(type(metric).figure_names(['A', 'B'], {}))
