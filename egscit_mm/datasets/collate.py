# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Samples to batches."""
from collections.abc import Sequence

from mmengine.dataset import default_collate
from mmengine.registry import FUNCTIONS


@FUNCTIONS.register_module()
def stack_collate(samples: Sequence[dict]) -> dict:
    """Stack the images of a batch, for the training.

    A worker sends every tensor to the training process as a file descriptor of its own. MMEngine's
    default, pseudo_collate, leaves the images apart, and on small images this costs more than
    loading them (docs/performance.md). It also lets images of different sizes through, which
    MMagic's DataPreprocessor would pad with black.

    Args:
        samples (Sequence[dict]): From PackInputs: ``inputs``, a dict of images (C, H, W), and
            ``data_samples``.

    Returns:
        dict: ``inputs``, a dict of tensors (N, C, H, W) of the same type, and ``data_samples``, a
        list.

    Raises:
        ValueError: If the images of a key differ in size.
    """
    for key, first in samples[0]['inputs'].items():
        for sample in samples:
            image = sample['inputs'][key]
            if image.shape != first.shape:
                paths = [other['data_samples'].get(f'{key}_path') for other in (samples[0], sample)]
                raise ValueError(
                    f'the images of {key} differ in size: {paths[0]} is (C, H, W) = '
                    f'{tuple(first.shape)}, {paths[1]} is {tuple(image.shape)}. A training needs '
                    'images of one size per domain; make such a set with '
                    'tools/dataset_converters/folders.py --size H W')
    return default_collate(samples)
