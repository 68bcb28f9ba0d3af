# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""MMSegmentation's models as plain networks."""
from mmagic.registry import MODELS
from mmengine.config import Config
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import DefaultScope
from mmengine.runner import load_checkpoint
from torch import Tensor, nn

from ...utils.errors import UserError


@MODELS.register_module()
class MMSegmenter(nn.Module):
    """A trained segmenter of MMSegmentation, such as those of ``configs/egscit/segmentation``.

    Args:
        config (str): Config file of the segmenter.
        checkpoint (str): Its checkpoint.

    Raises:
        ImportError: If MMSegmentation is not installed.
        ValueError: If the checkpoint does not fit the config.
    """

    def __init__(self, config: str, checkpoint: str) -> None:
        super().__init__()
        # Before the config's own custom_imports, which may name less.
        from ... import segmentation  # noqa: F401
        cfg = Config.fromfile(config)
        with DefaultScope.overwrite_default_scope('mmseg'):
            self.model = MMENGINE_MODELS.build(cfg.model)
        try:
            load_checkpoint(
                self.model, checkpoint, map_location='cpu', strict=True, logger='silent')
        except RuntimeError as error:
            raise UserError(f'{checkpoint} does not fit {config}: {error}') from error

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K, H, W) of images, RGB in [-1, 1] (N, 3, H, W)."""
        bgr = (images.flip(1) + 1) * 127.5  # what MMSegmentation's preprocessing starts from
        inputs = self.model.data_preprocessor(dict(inputs=list(bgr)))['inputs']
        metas = [dict(img_shape=images.shape[2:], ori_shape=images.shape[2:])] * len(images)
        return self.model.inference(inputs, metas)
