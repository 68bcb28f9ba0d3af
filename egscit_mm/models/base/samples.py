# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Model outputs as MMagic DataSamples."""
from typing import Dict, List, Sequence, Tuple

from mmagic.structures import DataSample
from torch import Tensor


def fake_key(domains: Sequence[str], source: str, target: str) -> str:
    """Name of the field of a data sample that holds a translation.

    Returns:
        str: ``fake_<target>``, as MMagic's CycleGAN has it, with two domains;
        ``fake_<source>2<target>`` with more, where a target is reached from several sources.
    """
    return f'fake_{target}' if len(domains) == 2 else f'fake_{source}2{target}'


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
