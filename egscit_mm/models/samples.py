# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Model outputs as MMagic DataSamples."""
from typing import Dict, List, Tuple

from mmagic.structures import DataSample
from torch import Tensor


def packed_samples(preprocessor, data_samples: DataSample,
                   outputs: Dict[str, Tuple[Tensor, str]]) -> List[DataSample]:
    """Adds generated images to the data samples, as MMagic's CycleGAN does.

    Args:
        preprocessor (DataPreprocessor): Undoes its normalisation and channel order.
        data_samples (DataSample): Stacked samples of the batch.
        outputs (dict): By the name of the new field: the images, RGB in [-1, 1], (N, 3, H, W), and
            the input key whose channel order they share.

    Returns:
        list[DataSample]: One per image, the new fields BGR in 0..255, (3, H, W), float.
    """
    samples = data_samples.split()
    for name, (images, key) in outputs.items():
        for sample, image in zip(samples, images):
            image = preprocessor.destruct(image.float(), sample, key)
            sample.set_tensor_data({name: image})
    return samples
