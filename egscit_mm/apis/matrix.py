# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Every content after every exemplar as one picture."""
from typing import Optional, Sequence

import numpy as np
import torch
from PIL import Image, ImageOps
from tqdm import tqdm

from ..visualization import exemplar_grid
from .inferencer import EGSCITInferencer


def translation_matrix(inferencer: EGSCITInferencer,
                       contents: Sequence[Image.Image],
                       exemplars: Sequence[Image.Image],
                       target_domain: Optional[str] = None,
                       batch_size: int = 8,
                       source_domain: Optional[str] = None) -> np.ndarray:
    """Translates all contents after all exemplars and puts the results into one picture.

    Args:
        inferencer (EGSCITInferencer): Translates them.
        contents (Sequence[Image]): The first column, RGB. All cells have the size of the first
            one; images of another shape are fitted into it, on black.
        exemplars (Sequence[Image]): The first row, RGB.
        target_domain (str | None): Domain of the exemplars; the model's default if None.
        batch_size (int): So many are translated together. Defaults to 8.
        source_domain (str | None): Domain of the contents; with two domains the other one if None.

    Returns:
        np.ndarray: RGB, uint8, (H', W', 3).
    """
    size = contents[0].size

    def tensor(image):
        return torch.tensor(np.array(ImageOps.pad(image, size))).permute(2, 0, 1) / 127.5 - 1

    def stack(images):
        return torch.stack([tensor(image) for image in images])

    rows = []
    for content in tqdm(contents, unit='row'):
        (row, ) = inferencer([content], exemplars, target_domain, pairing='matrix', output='pil',
                             batch_size=batch_size, source_domain=source_domain)
        rows.append(stack(row))
    return exemplar_grid(stack(contents), stack(exemplars), torch.stack(rows))
