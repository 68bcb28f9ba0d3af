# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Image folders of two or more domains, their augmentation, and the painted digits."""
from .collate import stack_collate
from .exemplar_image_dataset import ExemplarImageDataset
from .seeded_sampler import SeededInfiniteSampler
from .transforms import LoadImage, RandomZoomCrop

__all__ = [
    'ExemplarImageDataset', 'LoadImage', 'RandomZoomCrop', 'SeededInfiniteSampler', 'stack_collate'
]
