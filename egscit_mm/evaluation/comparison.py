# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Measured figures of several methods beside the paper's and the best possible ones."""
from typing import Any, Dict, List, NamedTuple

import numpy as np

from ..datasets.streets.labels import CATEGORIES
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


def compare(measured: Dict[str, Dict[int, Dict[str, Any]]], task: str,
            yardsticks: Dict[str, Dict[str, Any]]) -> Dict[str, Any]:
    """Gathers all figures of a table of SSIMs.

    Args:
        measured (dict[str, dict[int, dict]]): By method, as :data:`egscit_mm.evaluation.paper.SSIM`
            names it, and seed, what ``tools/test.py --out`` writes:
            ``{'ssim_exemplar/A2B': {'mean': 0.4, 'std': 0.1}, ...}``. No seeds yet: ``{}``.
        task (str): A key of :data:`egscit_mm.evaluation.paper.SSIM`, or a task that the paper does
            not have.
        yardsticks (dict[str, dict]): What
            :func:`egscit_mm.evaluation.yardsticks.measure_yardsticks` gives.

    Returns:
        dict: ``task``, ``std_over`` ('images' or 'seeds': what the standard deviations of ``ours``
        are over) and ``rows``. Each row, by method, yardstick and :data:`CEILING`, has ``ours`` and
        ``paper``, mean and std by ``<figure>/<direction>``, and ``seeds``, all that was measured by
        seed.
    """
    published = dict(SSIM.get(task, {}))
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
    rows.update({name: dict(ours=figures, paper={}, seeds={})
                 for name, figures in yardsticks.items() if name != CEILING})
    rows[CEILING] = dict(ours=yardsticks.get(CEILING, {}),
                         paper=by_name({'ssim_exemplar': ceiling}), seeds={})
    return dict(task=task, std_over='seeds' if several else 'images', rows=rows)


def by_name(figures: Dict[str, dict]) -> Dict[str, dict]:
    """Values by ``<figure>/<direction>`` of those by figure and direction."""
    return {
        f'{figure}/{direction}': value
        for figure, values in figures.items() for direction, value in values.items()
    }


def _summary(seeds: List[Dict[str, Any]], over_seeds: bool) -> Dict[str, Dict[str, float]]:
    """Mean and spread by figure: over the test images of the one seed, or over the seeds."""
    # Beside the figures of a direction, such as 'ssim_exemplar/A2B', there are costs and hashes. Of
    # a whole set of images there is one number.
    seeds = [{name: value if isinstance(value, dict) else dict(mean=value)
              for name, value in figures.items() if '/' in name} for figures in seeds]
    names = list(seeds[0]) if seeds else []
    if not over_seeds:
        return {name: seeds[0][name] for name in names}
    return {name: _spread([figures[name]['mean'] for figures in seeds]) for name in names}


def _spread(values: List[float]) -> Dict[str, float]:
    """Mean and, of several values, sample standard deviation; of none nothing."""
    if not values:
        return {}
    spread = dict(mean=float(np.mean(values)))
    if len(values) > 1:
        spread['std'] = float(np.std(values, ddof=1))
    return spread


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


def property_sections(comparison: Dict[str, Any]) -> List[Section]:
    """The table of the properties that the paper's Table 1 tells in words."""
    return [_figures(
        comparison, 'Multimodal, disentangled, semantically consistent',
        'Multimodal: the mean difference (0..255) between translations of one content after '
        'different exemplars; 0 where the exemplar has no effect. Disentangled: the share of the '
        'translations in the exemplar\'s colours (style), and the intersection over union of their '
        'strokes with the content\'s (shape). Consistent: the share with the content\'s shape '
        '(shape is right), and the SSIM to the ground truth. A method that is diverse in the wrong '
        'places is high in the first and low in the others.',
        {'diversity': 'diversity', 'style': 'style_accuracy', 'shape': 'content_iou',
         'shape is right': 'content_accuracy', 'SSIM': 'ssim_ground_truth'})]


def street_sections(comparison: Dict[str, Any], segmenters: Dict[str, Dict[int, Dict[str, Any]]]
                    ) -> List[Section]:
    """The tables of painted streets: segmenters, translations, and colours by class.

    Args:
        comparison (dict): What :func:`compare` gives, of the translations.
        segmenters (dict[str, dict[int, dict]]): By row and seed, what ``tools/test.py --out``
            writes of its segmenter: mIoU in percent. The rows 'source' and 'oracle' are no methods.

    Returns:
        list[Section]: The tables.
    """
    note = ('mIoU on test images of B, 8 categories, of a small segmenter trained on the images of '
            'the row with A\'s labels: A as it is (source), A as a method translates it, and B '
            'itself with its own labels (oracle). "gap closed" is 0 for source and 1 for oracle, '
            'the mean over the seeds that have both.')
    rows = {}
    for name, seeds in segmenters.items():
        shares = [_share(seeds[seed], *(segmenters[end][seed] for end in ('source', 'oracle')))
                  for seed in seeds
                  if all(seed in segmenters.get(end, {}) for end in ('source', 'oracle'))]
        rows[name] = [mean_std(_spread([seed['mIoU'] / 100 for seed in seeds.values()])),
                      mean_std(_spread(shares))]
    tables = [Section('Segmentation', note, ['mIoU', 'gap closed'], rows)]
    tables.append(_figures(
        comparison, 'Translations',
        'SSIM to the ground truth (1 is the best); the difference of every class\'s mean colour to '
        'that of the ground truth (0..255, 0 is the best); the share of the translations that are '
        'nearer to their own exemplar\'s style than to nine others (0.1 by chance); how much of '
        'the exemplar\'s layout shows (0 is the best).',
        dict(SSIM='ssim_ground_truth', colour='colour_error', exemplar='exemplar_retrieval',
             leak='content_leak')))
    classes = [name for name in CATEGORIES if name != 'void']
    tables.append(_figures(
        comparison, 'Colours by class',
        'The difference of the mean colour to that of the ground truth, 0..255.',
        {name: f'colour_error_{name}' for name in classes}))
    return tables


def _figures(comparison: dict, title: str, note: str, figures: Dict[str, str]) -> Section:
    """Some figures, in both directions; of the figures' short names."""
    columns = [f'{name} {_arrow(direction)}' for name in figures for direction in DIRECTIONS]
    rows = {
        method: _cells(row, [f'{figure}/{direction}' for figure in figures.values()
                             for direction in DIRECTIONS])
        for method, row in comparison['rows'].items()
    }
    return Section(title, note, columns, rows)


def _cells(row: dict, names: List[str]) -> List[str]:
    """Figures of a method: means and, of several seeds, the spread over these.

    A spread over images would say little of shares and differences.
    """
    cell = mean_std if len(row['seeds']) > 1 else _mean
    return [cell(row['ours'].get(name)) for name in names]


def _share(figures: dict, source: dict, oracle: dict) -> float:
    """How much of the way from one mIoU to another is gone."""
    return (figures['mIoU'] - source['mIoU']) / ((oracle['mIoU'] - source['mIoU']) or 1)


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
        rows[method] = _cells(row, names)
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


def what_std_is(comparison: Dict[str, Any], tables: List[Section]) -> str:
    """A sentence on what is behind the means and the plus-minus signs.

    Args:
        comparison (dict): What :func:`compare` gives.
        tables (list[Section]): What is shown of it.
    """
    if comparison['std_over'] == 'seeds':
        return ('Mean ± standard deviation: of our methods over the trainings with different '
                'seeds; of all others, where it is shown, over the test images.')
    is_shown = any('±' in cell for table in tables for cells in table.rows.values()
                   for cell in cells)
    return (f'{"Mean ± standard deviation" if is_shown else "Means"} over the test images; one '
            'training per method.')


def _arrow(direction: str) -> str:
    return direction.replace('2', '→')


def _mean(value: Any) -> str:
    if isinstance(value, float):  # one number of a whole set of images
        return f'{value:.3f}'
    return f'{value["mean"]:.3f}' if value else '–'


def mean_std(value: Any) -> str:
    """The cell of a figure: a dash where there is none."""
    spread = isinstance(value, dict) and 'std' in value
    return _mean(value) + (f' ± {value["std"]:.3f}' if spread else '')
