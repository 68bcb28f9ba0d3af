# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Figures of an evaluation as a file has them."""
from typing import Any

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
