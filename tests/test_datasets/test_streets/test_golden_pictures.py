# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Labels and pictures, against recorded ones: figures of trained models hold for these bytes only.

If a change is meant:

    python -m pytest tests/test_datasets/test_streets/test_golden_pictures.py --renew-golden

writes golden_pictures.json; say in the commit why they change.
"""
import json
import zlib
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from egscit_mm.datasets.streets import DOMAINS, SIZES, TIMES, WEATHERS, Style, draw_scene, paint

GOLDEN = Path(__file__).with_name('golden_pictures.json')
# Processors round differently: a few values of a picture by one.
TOLERANCE = 1e-4
STYLES = [Style(*names, 0.1 + 0.03 * i, 0.5 - 0.04 * i, 0.8 + 0.015 * i)
          for i, names in enumerate(product(DOMAINS, TIMES, WEATHERS))]


def painted(size):
    """Of some scenes, the checksum of the labels and the mean colour of each picture."""
    rows = []
    for i in range(12):
        scene = draw_scene(f'golden {i}', ['human'] if i % 3 == 0 else [], i if i % 4 == 0 else 0.)
        pictures, labels = paint(scene, STYLES[i::12], size)
        rows.append([zlib.crc32(labels.tobytes()), *(
            [round(float(mean), 4) for mean in picture.mean((0, 1))] for picture in pictures)])
    return rows


@pytest.mark.parametrize('size', SIZES)
def test_labels_and_pictures_are_the_recorded_ones(size, request):
    name, found = '{}x{}'.format(*size), painted(size)
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if request.config.getoption('--renew-golden'):
        golden[name] = found
        GOLDEN.write_text(json.dumps(golden) + '\n')
    for row, wanted in zip(found, golden[name], strict=True):
        assert row[0] == wanted[0]
        assert np.allclose(row[1:], wanted[1:], rtol=TOLERANCE)
