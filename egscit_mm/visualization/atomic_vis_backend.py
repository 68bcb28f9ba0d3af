# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Training pictures that are there whole or not at all."""
import os.path as osp

import cv2
import numpy as np
from mmagic.registry import VISBACKENDS
from mmengine.visualization import LocalVisBackend
from mmengine.visualization.vis_backend import force_init_env

from ..utils.files import write_atomically


@VISBACKENDS.register_module()
class AtomicVisBackend(LocalVisBackend):
    """MMEngine's LocalVisBackend, whose pictures no kill and no full disk cuts off.

    OpenCV writes those of LocalVisBackend, and says nothing when it cannot.
    """

    @force_init_env
    def add_image(self, name: str, image: np.ndarray, step: int = 0, **kwargs) -> None:
        """Writes ``<name>_<step>.png``.

        Args:
            name (str): Name of the picture.
            image (np.ndarray): RGB, uint8, (H, W, 3).
            step (int): Iteration. Defaults to 0.
        """
        png = cv2.imencode('.png', image[..., ::-1])[1]
        write_atomically(osp.join(self._img_save_dir, f'{name}_{step}.png'), png.tobytes())
