# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Report on a trained model as one self-contained HTML page.

Not imported by the package: the training needs neither Jinja nor Matplotlib.
"""
import base64
import io
import json
from collections import defaultdict
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Sequence

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from ..evaluation import paper
from ..evaluation.comparison import DIRECTIONS, by_name, mean_std
from ..utils.errors import UserError
from .grid import Row, image_grid, row_label
from .templates import page_template

# The figures of the table, as the metrics name them, with what to call them.
FIGURES = dict(ssim_ground_truth='to ground truth', ssim_exemplar='to exemplar')
OURS = 'This run'
TOTAL = 'generators, total'
TOTALS = ('loss_g', 'loss')  # its names in the log: beside discriminators, and without them
SUMS = ('loss_d', 'loss_content_d', 'loss_random_g')  # of others, whose terms are drawn
SIDE = 56  # pixels: small images are enlarged to about this side
NUM_MASKS = 8
CHART_SIZE = (6, 4.5)  # inches; the template has its 576 x 432 CSS pixels


class TrainingLog(NamedTuple):
    """What a stage's training wrote down.

    Args:
        work_dir (str): Where it was looked for.
        losses (dict[str, dict[int, float]]): By loss and iteration; empty where nothing was found.
    """

    work_dir: str
    losses: Dict[str, Dict[int, float]]


class Picture(NamedTuple):
    """A picture of the page: data URI, size on the page in pixels, images in a row."""

    uri: str
    width: int
    height: int
    number: int


def read_losses(work_dir: str) -> Dict[str, Dict[int, float]]:
    """Reads the losses that MMEngine logged, those of a resumed training as one curve.

    A training that is resumed or started again writes to a new folder
    ``<work_dir>/<time>/vis_data``; from its first logged iteration on it replaces what earlier
    ones logged.

    Returns:
        dict[str, dict[int, float]]: Value by name (``loss...``) and iteration; empty if there is
        no log.

    Raises:
        ValueError: If a line of a log is damaged. One that was cut off at the end is ignored.
    """
    losses: Dict[str, Dict[int, float]] = {}
    for path in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        records = [record for record in _records(path) if any(name in record for name in TOTALS)]
        if not records:
            continue
        start = records[0]['step']
        losses = {
            name: {step: value for step, value in values.items() if step < start}
            for name, values in losses.items()
        }
        for record in records:
            for name, value in record.items():
                if name.startswith('loss'):
                    losses.setdefault(name, {})[record['step']] = value
    return losses


def _records(path: Path) -> list:
    # A training that is killed leaves its last line without the newline.
    lines = path.read_text(encoding='utf-8').split('\n')[:-1]
    records = []
    for number, line in enumerate(lines, 1):
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise UserError(
                f'{path}, line {number} is not JSON: {error}. Remove the line.') from error
    return records


def loss_terms(losses: Dict[str, Dict[int, float]]) -> Dict[str, Dict[int, float]]:
    """Sums each term over the domains and directions.

    Returns:
        dict[str, dict[int, float]]: Value by term and iteration: ``loss_style_A2B`` and
        ``loss_style_B2A`` make ``style``; ``loss_g`` (``loss``) is :data:`TOTAL`.
    """
    terms: Dict[str, Dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for name, values in losses.items():
        if name in SUMS:
            continue
        term = name.removeprefix('loss_').rpartition('_')[0]
        for step, value in values.items():
            terms[TOTAL if name in TOTALS else row_label(term)][step] += value
    return terms


def loss_chart(losses: Dict[str, Dict[int, float]], dark: bool = False) -> bytes:
    """Draws the curves of :func:`loss_terms`.

    Returns:
        bytes: SVG with a transparent background.
    """
    # A Wasserstein distance may be below 0, which a logarithm would not show.
    negative = any(value < 0 for values in losses.values() for value in values.values())
    style = ['dark_background' if dark else 'default', {'svg.hashsalt': 'egscit_mm'}]
    with matplotlib.style.context(style):
        figure = Figure(CHART_SIZE, layout='constrained')
        axes = figure.subplots()
        for term, values in loss_terms(losses).items():
            steps = sorted(values)
            axes.plot(steps, [values[step] for step in steps], '.--' if term == TOTAL else '.-',
                      linewidth=2.5 if term == TOTAL else 1.5, label=term)
        axes.set(xlabel='iteration', ylabel='weighted loss',
                 yscale='symlog' if negative else 'log')
        axes.grid(alpha=0.25)
        axes.spines[['top', 'right']].set_visible(False)
        figure.legend(loc='outside lower center', ncols=3, frameon=False)
        file = io.BytesIO()
        # No metadata: the same losses give the same picture.
        figure.savefig(file, format='svg', transparent=True,
                       metadata=dict.fromkeys(['Creator', 'Date', 'Format', 'Type']))
    return file.getvalue()


def ssim_table(figures: Dict[str, Any], task: Optional[str],
               directions: Sequence[str] = DIRECTIONS) -> Dict[str, Dict[str, list]]:
    """Puts measured figures beside the ceiling and the paper's.

    Args:
        figures (dict): By ``<figure>/<direction>``, as ``tools/test.py --out`` writes them:
            ``{'ssim_exemplar/A2B': {'mean': 0.4, 'std': 0.1}, ...}``. Missing ones become dashes.
        task (str | None): A key of :data:`egscit_mm.evaluation.paper.SSIM`; None: the paper does
            not have the task.
        directions (Sequence[str]): Of the columns. Defaults to the paper's.

    Returns:
        dict[str, dict[str, list[str]]]: By group and name of the row, one cell per figure of
        :data:`FIGURES` and direction.
    """

    def row(values: Dict[str, dict]) -> list:
        return [mean_std(values.get(f'{figure}/{direction}'))
                for figure in FIGURES for direction in directions]

    perfect = by_name(dict(ssim_ground_truth=dict.fromkeys(directions, {'mean': 1.})))
    ceiling = {
        f'ssim_exemplar/{direction}': figures.get(f'ceiling_exemplar/{direction}')
        for direction in directions
    }
    groups = {OURS: {'this model': row(figures), 'perfect translation': row(perfect | ceiling)}}
    # Of other domains the paper says nothing.
    if task is None or not set(DIRECTIONS) & set(directions):
        return groups
    published = paper.SSIM[task]
    methods = published['ssim_exemplar'] | published['ssim_ground_truth']
    paper_rows = {
        method: row(by_name({figure: published[figure].get(method, {}) for figure in FIGURES}))
        for method in reversed(methods)
    }
    if 'ceiling_exemplar' in published:
        paper_rows['perfect translation, MNIST'] = row(
            perfect | by_name(dict(ssim_exemplar=published['ceiling_exemplar'])))
    groups[f'Paper, {task}'] = paper_rows
    return groups


def enlargement(images: Row) -> int:
    """By which whole number images (..., H, W) are enlarged for the eye: digits twice."""
    return max(1, SIDE // max(max(image.shape[-2:]) for image in images))


def report_html(title: str,
                facts: Dict[str, str],
                figures: Dict[str, Any],
                task: Optional[str],
                samples: Dict[str, Dict[str, Row]],
                exemplar_grids: Dict[str, np.ndarray],
                logs: Dict[str, TrainingLog]) -> str:
    """Makes the page. Every text may hold any characters.

    Args:
        title (str): Heading of the page.
        facts (dict[str, str]): What was run, by name.
        figures (dict): Measured figures as for :func:`ssim_table`; empty if there are none.
        task (str | None): Whose figures of the paper to show, as for :func:`ssim_table`.
        samples (dict[str, dict[str, Tensor | Sequence[Tensor]]]): By direction, rows by name as
            :meth:`EGSCIT.rows` makes them: RGB in [-1, 1], N images (3, H, W).
        exemplar_grids (dict[str, np.ndarray]): By direction, from :func:`exemplar_grid`.
        logs (dict[str, TrainingLog]): By stage.

    Returns:
        str: HTML that needs no other file, no network and no script.
    """
    scale = enlargement(next(iter(next(iter(samples.values())).values())))
    strips = {
        direction: {
            row_label(name): picture_strip({name: row}, scale)
            for name, row in rows.items()
        }
        for direction, rows in samples.items()
    }
    masks = {
        direction: _masks(rows['content'][:NUM_MASKS], rows['mask'][:NUM_MASKS], scale)
        for direction, rows in samples.items() if 'mask' in rows
    }
    return page_template('report').render(
        title=title,
        facts=facts,
        measured=bool(figures),
        columns=[f'{direction}, {name}' for name in FIGURES.values() for direction in samples],
        groups=ssim_table(figures, task, list(samples)),
        ours=OURS,
        sources=[f'SSIM {FIGURES.get(figure, "of perfect translations")}: {source}'
                 for figure, source in paper.SOURCES.get(task, {}).items()],
        samples=strips,
        exemplar_grids={
            direction: _picture(grid, scale, grid.shape[1])
            for direction, grid in exemplar_grids.items()
        },
        masks=masks,
        charts={stage: _chart(log) for stage, log in logs.items()})


def _masks(contents: Row, masks: Row, scale: int) -> dict:
    """Contents above their masks, stretched from black to white, and the values of these two."""
    low, high = min(mask.min() for mask in masks), max(mask.max() for mask in masks)
    # Equal masks stay as they are: there is nothing to stretch.
    stretched = [(mask - low) / (high - low) * 2 - 1 if high > low else mask for mask in masks]
    return dict(picture=picture_strip({'content': contents, 'mask': stretched}, scale),
                black=f'{(low.item() + 1) / 2:.2f}', white=f'{(high.item() + 1) / 2:.2f}')


def picture_strip(rows: Dict[str, Row], scale: int) -> Picture:
    """Puts rows of images, as :func:`image_grid` takes them, into one picture of the page."""
    number = len(next(iter(rows.values())))
    return _picture(image_grid(rows, max_columns=number), scale, number)


def _picture(image: np.ndarray, scale: int, number: int) -> Picture:
    # Enlarged by the browser: the page stays small.
    return Picture(data_uri(png(image), 'image/png'), image.shape[1] * scale,
                   image.shape[0] * scale, number)


def total(losses: Dict[str, Dict[int, float]]) -> Dict[int, float]:
    """The :data:`TOTAL` by iteration, of losses that are not empty."""
    return next(losses[name] for name in TOTALS if name in losses)


def _chart(log: TrainingLog) -> Dict[str, str]:
    """Both versions of a chart as data URIs, or none, and a sentence on it."""
    if not log.losses:
        return dict(light='', dark='', text=(
            f'No losses to draw: {log.work_dir} holds no training log '
            '(<time>/vis_data/scalars.json) with at least one logged iteration.'))
    totals = sorted(total(log.losses).items())
    (first, first_value), (last, last_value) = totals[0], totals[-1]
    charts = {
        name: data_uri(loss_chart(log.losses, dark=name == 'dark'), 'image/svg+xml')
        for name in ('light', 'dark')
    }
    return dict(charts, text=(
        f'The total loss of the generators went from {first_value:.4g} at iteration {first} to '
        f'{last_value:.4g} at iteration {last}. Terms are summed over the domains.'))


def png(image: np.ndarray) -> bytes:
    """Encodes an image, RGB, uint8, (H, W, 3), as PNG."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, format='PNG', optimize=True)
    return file.getvalue()


def data_uri(content: bytes, mime_type: str) -> str:
    """Makes content part of a page."""
    return f'data:{mime_type};base64,{base64.b64encode(content).decode("ascii")}'
