# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Grids of images."""
from typing import Dict

import numpy as np
import torch
from torch import Tensor
from torchvision.utils import make_grid


def image_grid(rows: Dict[str, Tensor], max_columns: int = 16) -> np.ndarray:
    """Puts rows of images into one picture.

    Args:
        rows (dict[str, Tensor]): By name, top to bottom: RGB in [-1, 1], (N, 3, H, W), all equal.
        max_columns (int): At most so many images of each row are shown. Defaults to 16.

    Returns:
        np.ndarray: RGB, uint8, (H', W', 3).
    """
    images = torch.cat([row[:max_columns].float().cpu() for row in rows.values()])
    columns = len(images) // len(rows)
    grid = make_grid(images, nrow=columns, padding=2, normalize=True, value_range=(-1, 1),
                     pad_value=0.5)
    return (grid * 255).round().byte().permute(1, 2, 0).numpy()
