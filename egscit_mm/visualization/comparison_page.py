# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Several methods beside each other as one self-contained HTML page."""
from typing import Dict, List

from torch import Tensor

from ..evaluation.comparison import CEILING, Section
from .report import enlargement, picture_strip
from .templates import page_template


def comparison_html(title: str, note: str, tables: List[Section],
                    pictures: Dict[str, Dict[str, Dict[str, Tensor]]]) -> str:
    """Makes the page: the tables, and a row of pictures per method as in the paper's Fig. 4.

    Args:
        title (str): Heading of the page.
        note (str): What the figures are.
        tables (list[Section]): From :mod:`egscit_mm.evaluation.comparison`.
        pictures (dict): By method and direction ('A2B'), rows by name as
            :func:`egscit_mm.visualization.translations.translated_rows` makes them, of the same
            samples for all methods: content and translation, and maybe exemplar and ground_truth.

    Returns:
        str: HTML that needs no other file, no network and no script.
    """
    strips = {}
    for direction, rows in picture_rows(pictures).items():
        scale = enlargement(rows['content'])
        strips[direction] = {name: picture_strip({name: row}, scale) for name, row in rows.items()}
    return page_template('comparison').render(
        title=title, note=note, tables=tables, ceiling=CEILING, samples=strips)


def picture_rows(
        pictures: Dict[str, Dict[str, Dict[str, Tensor]]]) -> Dict[str, Dict[str, Tensor]]:
    """Rows by direction: content, exemplar, the translations by method, ground truth."""
    grids: Dict[str, Dict[str, Tensor]] = {}
    given = next(iter(pictures.values()), {})
    for direction, rows in given.items():
        grids[direction] = {name: rows[name] for name in ('content', 'exemplar') if name in rows}
        for method, grid in pictures.items():
            grids[direction][method] = grid[direction]['translation']
        if 'ground_truth' in rows:
            grids[direction]['ground truth'] = rows['ground_truth']
    return grids
