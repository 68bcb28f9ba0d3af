# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import io

import numpy as np
import pytest
import torch
from html_page import Page, decoded
from PIL import Image

from egscit_mm.evaluation.comparison import CEILING, Section
from egscit_mm.visualization import image_grid
from egscit_mm.visualization.comparison_page import comparison_html, picture_rows

ATTACK = '<script src="https://evil.example/x.js">alert("1")</script> & \'co\''
TABLE = Section('SSIM', 'Best is 1.', ['ours', 'paper'],
                {'UNIT': ['0.123', '0.178'], CEILING: ['0.987', '–']})


def images(seed, number=3, size=28):
    rng = np.random.RandomState(seed)
    return torch.from_numpy(rng.randint(0, 256, (number, 3, size, size))).float() / 127.5 - 1


def pictures(names=('content', 'exemplar', 'translation', 'ground_truth')):
    """Of two methods; they share all rows but the translation."""
    return {
        method: {
            direction: {
                name: images(10 * i + j + (100 * k if name == 'translation' else 0))
                for j, name in enumerate(names)
            } for i, direction in enumerate(('A2B', 'B2A'))
        } for k, method in enumerate(('UNIT', 'EGSC-IT'))
    }


def test_one_row_per_method():
    given = pictures()
    grids = picture_rows(given)
    assert list(grids) == ['A2B', 'B2A']
    assert list(grids['B2A']) == ['content', 'exemplar', 'UNIT', 'EGSC-IT', 'ground truth']
    assert torch.equal(grids['B2A']['exemplar'], given['UNIT']['B2A']['exemplar'])
    for method in ('UNIT', 'EGSC-IT'):
        assert torch.equal(grids['B2A'][method], given[method]['B2A']['translation'])
    without = picture_rows(pictures(('content', 'translation')))
    assert list(without['A2B']) == ['content', 'UNIT', 'EGSC-IT']
    assert picture_rows({}) == {}


def test_page_shows_tables_and_pictures():
    given = pictures()
    page = Page(comparison_html('Table 2', 'One training.', [TABLE], given))
    for text in ('Table 2', 'One training.', 'SSIM', 'Best is 1.', '0.123', '0.178', '0.987'):
        assert text in page.text
    assert page.all('tr').count({'class': 'ours'}) == 1  # the ceiling
    strips = {a['alt']: a for a in page.all('img')}
    assert len(strips) == 10
    strip = strips['A2B, EGSC-IT: 3 images']
    shown = np.array(Image.open(io.BytesIO(decoded(strip['src']))))
    expected = image_grid({'EGSC-IT': given['EGSC-IT']['A2B']['translation']})
    np.testing.assert_array_equal(shown, expected)
    assert (strip['width'], strip['height']) == ('184', '64')  # twice 92 x 32


def test_page_needs_nothing_but_itself():
    html = comparison_html('Table 2', 'One training.', [TABLE], pictures())
    page = Page(html)
    assert not page.all('script') and not page.all('link') and not page.all('a')
    assert 'http' not in html.replace('http-equiv', '')
    assert '@import' not in html and 'url(' not in html
    identifiers = [a['id'] for _, a in page.elements if 'id' in a]
    labels = {a['aria-labelledby'] for _, a in page.elements if 'aria-labelledby' in a}
    assert len(identifiers) == len(set(identifiers)) and labels <= set(identifiers)
    assert all(attributes['alt'] for attributes in page.all('img'))


@pytest.mark.parametrize('given', [{}, pictures()])
def test_page_escapes_everything(given):
    table = Section(ATTACK, ATTACK, [ATTACK], {ATTACK: [ATTACK]})
    page = Page(comparison_html(ATTACK, ATTACK, [table], given))
    assert not page.all('script')
    assert page.text.count(ATTACK) == 8  # title twice, note, five in the table
