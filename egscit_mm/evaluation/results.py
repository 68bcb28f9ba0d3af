# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Figures of an evaluation as a file."""
import os
from typing import Any, Union

from mmengine.fileio import dump

_STATISTICS = ('mean', 'std')


def nested(metrics: dict[str, Any]) -> dict[str, Any]:
    """Groups the statistics of a figure, which the evaluator names one by one.

    Args:
        metrics (dict): As the Runner returns it: ``{'ssim_exemplar/A2B_mean': 0.4,
            'ssim_exemplar/A2B_std': 0.1}``.

    Returns:
        dict: ``{'ssim_exemplar/A2B': {'mean': 0.4, 'std': 0.1}}``. Names that end in neither
        ``_mean`` nor ``_std`` stay as they are.
    """
    results = {}
    for name, value in metrics.items():
        figure, _, statistic = name.rpartition('_')
        if figure and statistic in _STATISTICS:
            results.setdefault(figure, {})[statistic] = value
        else:
            results[name] = value
    return results


def write_json(data: Any, path: Union[str, os.PathLike]) -> None:
    """Writes a JSON file, all or nothing; missing folders are made.

    MMEngine's local files are written atomically (:func:`egscit_mm.compat.write_files_atomically`).

    Args:
        data (Any): What JSON can hold, and NumPy numbers and arrays.
        path (str | PathLike): The file; an older one is replaced.

    Raises:
        TypeError: If ``data`` holds something else.
    """
    dump(data, os.fspath(path), file_format='json', indent=2)
