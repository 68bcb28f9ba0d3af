# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Inception v3 with the weights that FID and KID are defined by."""
from typing import Optional

from mmagic.registry import MODELS
from torch import Tensor, nn

from ...models.networks.state import downloading, file_state
from ...utils.errors import UserError
from ..optional import import_optional


@MODELS.register_module()
class InceptionFeatures(nn.Module):
    """Pooled features of the Inception v3 of 2015, as the original FID uses it.

    torchmetrics' network (torch-fidelity's port of the TensorFlow weights); it resizes images to
    299x299, bilinear and with antialiasing.

    Args:
        weights (str, optional): File of torch-fidelity's weights,
            ``weights-inception-2015-12-05-6726825d.pth``. Defaults to None: torch-fidelity's own
            download, or its copy in the cache of ``torch.hub``.

    Raises:
        ModuleNotFoundError: If torchmetrics or torch-fidelity is not installed.
        FileNotFoundError: If the weights are not there and cannot be downloaded.
        RuntimeError: If the file cannot be read.
        ValueError: If it holds something else.
    """

    def __init__(self, weights: Optional[str] = None) -> None:
        super().__init__()
        fidelity = import_optional('torch_fidelity.feature_extractor_inceptionv3')
        network = import_optional('torchmetrics.image.fid').NoTrainInceptionV3
        url = fidelity.URL_INCEPTION_V3
        name = url.rsplit('/', 1)[-1]
        if weights is not None:
            file_state(weights, f'{name} of torch-fidelity, {url}', 'weights')  # for its errors
        try:
            # torch-fidelity would load with weights_only=False.
            with downloading('The weights of Inception v3', url, '`weights`'):
                self.network = network('inception-v3-compat', ['2048'], weights)
        except Exception as error:
            if weights is None:
                raise
            # PyTorch lists hundreds of keys, a line for each.
            reason = str(error).partition('\n\t')[0]
            raise UserError(f'{weights} does not hold the weights of torch-fidelity\'s Inception '
                            f'v3 ({name}): {reason}') from error

    def forward(self, images: Tensor) -> Tensor:
        """Features of images, uint8 RGB (N, 3, H, W), as (N, 2048)."""
        return self.network(images)
