# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Samples to batches."""
from collections.abc import Sequence

from mmengine.dataset import default_collate
from mmengine.registry import FUNCTIONS

from ..utils.image_sizes import check_training_sizes


@FUNCTIONS.register_module()
def stack_collate(samples: Sequence[dict]) -> dict:
    """Stack the images of a batch, for the training.

    A worker sends every tensor to the training process as a file descriptor of its own. MMEngine's
    default, pseudo_collate, leaves the images apart, and on small images this costs more than
    loading them (docs/performance.md).

    Args:
        samples (Sequence[dict]): From PackInputs: ``inputs``, a dict of images (C, H, W), and
            ``data_samples``.

    Returns:
        dict: ``inputs``, a dict of tensors (N, C, H, W) of the same type, and ``data_samples``, a
        list.

    Raises:
        ValueError: If the images of a key differ in size.
    """
    images = {key: [sample['inputs'][key] for sample in samples] for key in samples[0]['inputs']}
    check_training_sizes(images, [sample['data_samples'] for sample in samples], across_keys=False)
    return default_collate(samples)
