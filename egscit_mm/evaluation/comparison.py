# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Measured figures of several methods beside the paper's and the best possible ones."""
from typing import Any, Dict, List, NamedTuple

import numpy as np

from ..utils.tables import markdown_table
from .paper import SEGMENTATION_MIOU, SOURCES, SSIM

DIRECTIONS = ('A2B', 'B2A')
CEILING = 'perfect translation'


class Section(NamedTuple):
    """One table of a comparison.

    Args:
        title (str): Its heading.
        note (str): What it shows.
        columns (list[str]): Headings of the columns after the first, which names the method.
        rows (dict[str, list[str]]): Cells by method.
    """

    title: str
    note: str
    columns: List[str]
    rows: Dict[str, List[str]]


def compare(measured: Dict[str, Dict[int, Dict[str, Any]]], task: str) -> Dict[str, Any]:
    """Gathers all figures of a table of SSIMs.

    Args:
        measured (dict[str, dict[int, dict]]): By method, as :data:`egscit_mm.evaluation.paper.SSIM`
            names it, and seed, what ``tools/test.py --out`` writes:
            ``{'ssim_exemplar/A2B': {'mean': 0.4, 'std': 0.1}, ...}``. No seeds yet: ``{}``.
        task (str): A key of :data:`egscit_mm.evaluation.paper.SSIM`.

    Returns:
        dict: ``task``, ``std_over`` ('images' or 'seeds': what the standard deviations of ``ours``
        are over) and ``rows``. Each row, by method and :data:`CEILING`, has ``ours`` and ``paper``,
        mean and std by ``<figure>/<direction>``, and ``seeds``, all that was measured by seed.
    """
    published = dict(SSIM[task])
    ceiling = published.pop('ceiling_exemplar', {})
    several = any(len(seeds) > 1 for seeds in measured.values())
    rows = {
        method: dict(
            ours=_summary(list(seeds.values()), several),
            paper=by_name({figure: values.get(method, {})
                            for figure, values in published.items()}),
            seeds={str(seed): figures for seed, figures in seeds.items()})
        for method, seeds in measured.items()
    }
    # The test images are the same for all methods and seeds.
    figures = next((figures for seeds in measured.values() for figures in seeds.values()), {})
    perfect = {
        figure: dict.fromkeys(DIRECTIONS, {'mean': 1.})
        for figure in ('ssim_ground_truth', 'style_accuracy', 'content_accuracy')
    }
    perfect['ssim_exemplar'] = {
        direction: figures[f'ceiling_exemplar/{direction}']
        for direction in DIRECTIONS if f'ceiling_exemplar/{direction}' in figures
    }
    rows[CEILING] = dict(
        ours=by_name(perfect), paper=by_name({'ssim_exemplar': ceiling}), seeds={})
    return dict(task=task, std_over='seeds' if several else 'images', rows=rows)


def by_name(figures: Dict[str, dict]) -> Dict[str, dict]:
    """Values by ``<figure>/<direction>`` of those by figure and direction."""
    return {
        f'{figure}/{direction}': value
        for figure, values in figures.items() for direction, value in values.items()
    }


def _summary(seeds: List[Dict[str, Any]], over_seeds: bool) -> Dict[str, Dict[str, float]]:
    """Mean and spread by figure: over the test images of the one seed, or over the seeds."""
    names = [name for name, value in seeds[0].items() if isinstance(value, dict)] if seeds else []
    if not over_seeds:
        return {name: seeds[0][name] for name in names}
    summary = {}
    for name in names:
        means = [figures[name]['mean'] for figures in seeds]
        summary[name] = dict(mean=float(np.mean(means)))
        if len(means) > 1:
            summary[name]['std'] = float(np.std(means, ddof=1))
    return summary


def sections(comparison: Dict[str, Any]) -> List[Section]:
    """The tables to show.

    Returns:
        list[Section]: SSIM to the exemplar, SSIM to the ground truth, accuracy and cost.
    """
    sources = SOURCES[comparison['task']]
    return [
        _beside(comparison, 'SSIM to the exemplar', 'ssim_exemplar', 'paper',
                f'The paper\'s figure. {sources["ssim_exemplar"]}'),
        _beside(comparison, 'SSIM to the ground truth', 'ssim_ground_truth', 'authors\' pictures',
                f'1 is the best possible. {sources["ssim_ground_truth"]}'),
        _accuracy(comparison),
    ]


def _beside(comparison: dict, title: str, figure: str, published: str, note: str) -> Section:
    columns = [column for direction in DIRECTIONS for column in (_arrow(direction), published)]
    rows = {
        method: [
            mean_std(row[origin].get(f'{figure}/{direction}'))
            for direction in DIRECTIONS for origin in ('ours', 'paper')
        ] for method, row in comparison['rows'].items()
    }
    return Section(title, note, columns, rows)


def _accuracy(comparison: dict) -> Section:
    names = [
        f'{figure}/{direction}' for figure in ('style_accuracy', 'content_accuracy')
        for direction in DIRECTIONS
    ]
    rows = {}
    for method, row in comparison['rows'].items():
        rows[method] = [_mean(row['ours'].get(name)) for name in names]
        seconds = [figures['train_seconds'] for figures in row['seeds'].values()
                   if 'train_seconds' in figures]
        rows[method].append(f'{np.mean(seconds) / 60:.1f}' if seconds else '–')
    note = ('Shares of the translations in the right colours, and in the right shape; minutes of '
            'training, all stages.')
    columns = [f'{name.partition("_")[0]} {_arrow(name.partition("/")[2])}' for name in names]
    return Section('Style, content and cost', note, [*columns, 'minutes'], rows)


def segmentation_sections(figures: Dict[str, Any]) -> List[Section]:
    """The table of segmenters.

    Args:
        figures (dict): By row, as :data:`egscit_mm.evaluation.paper.SEGMENTATION_MIOU` names it,
            what ``tools/test.py --out`` writes of its segmenter: mIoU in percent; None: not yet.
    """
    rows = {
        row: ['–' if values is None else f'{values["mIoU"] / 100:.3f}',
              f'{SEGMENTATION_MIOU[row]:.3f}'] for row, values in figures.items()
    }
    note = ('mIoU on real BDD of a segmenter trained on the images of the row: GTA5 as it is '
            '(source), GTA5 as a method translates it, and BDD itself (oracle). Ours is DeepLabV3, '
            'the paper\'s DeepLab v2.')
    return [Section('mIoU', note, ['ours', 'paper'], rows)]


def markdown(title: str, note: str, tables: List[Section]) -> str:
    """Tables as Markdown, below a title and a note."""
    lines = [f'# {title}', '', note]
    for table in tables:
        rows = [[method, *cells] for method, cells in table.rows.items()]
        lines += ['', f'## {table.title}', '', table.note, '',
                  markdown_table(['method', *table.columns], rows).rstrip()]
    return '\n'.join(lines) + '\n'


def what_std_is(comparison: Dict[str, Any]) -> str:
    """A sentence on what is behind the means and the plus-minus signs."""
    if comparison['std_over'] == 'seeds':
        return ('Mean ± standard deviation: of our methods over the trainings with different '
                'seeds, of all others over the test images.')
    return 'Mean ± standard deviation over the test images; one training per method.'


def _arrow(direction: str) -> str:
    return direction.replace('2', '→')


def _mean(value: Any) -> str:
    return '–' if value is None else f'{value["mean"]:.3f}'


def mean_std(value: Any) -> str:
    """The cell of a figure: a dash where there is none."""
    return _mean(value) + (f' ± {value["std"]:.3f}' if value and 'std' in value else '')
