# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Universal style transfer by whitening and colouring transforms.

Y. Li, C. Fang, J. Yang, Z. Wang, X. Lu, M.-H. Yang, "Universal Style Transfer via Feature
Transforms", NIPS 2017, <https://arxiv.org/abs/1705.08086>.
"""
from typing import Dict, Tuple

import torch
from mmagic.registry import MODELS
from mmengine.model import ModuleDict
from torch import Tensor

from ...utils.checks import check_shares
from ..base.image_model import Images
from .decoder_training import DecoderTraining, squared_error
from .networks import VGGDecoder, VGGTranslator, first_layers
from .whitening import mean_and_root, whitened_and_coloured

_LAYERS = first_layers(5)


@MODELS.register_module()
class WCTNetworks(VGGTranslator):
    """VGG up to relu5_1, and a decoder for the first layer of each of its five stages.

    Args:
        alpha (float): Share of the style in the features of each stage, in 0..1. Defaults to 0.6.
        **kwargs: Arguments of :class:`VGGTranslator`.

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(self, alpha: float = 0.6, **kwargs):
        parts = [f'{part}{stage}' for stage in range(1, 6) for part in ('mean', 'root')]
        super().__init__(_LAYERS, parts, True, **kwargs)
        check_shares(self, alpha=alpha)
        self.alpha = alpha
        self.stage_decoders = ModuleDict({
            layer: VGGDecoder(stage, self.vgg) for stage, layer in enumerate(_LAYERS, 1)
        })

    def forward(self, images: Tensor) -> Dict[str, Tensor]:
        """Reconstructions of images in the VGG's size, (N, 3, H, W), from each layer."""
        with torch.no_grad():
            features = self.vgg(images)
        return {layer: decoder(features[layer], images.shape[-2:])
                for layer, decoder in self.stage_decoders.items()}

    def style_of(self, images: Tensor) -> Tuple[Tensor, ...]:
        """By layer the mean of every channel, (N, C, 1), and the root of their covariance."""
        features = self.vgg(images)
        return tuple(part for layer in _LAYERS for part in mean_and_root(features[layer]))

    def stylised(self, images: Tensor, style: Tuple[Tensor, ...]) -> Tensor:
        """Whitens and colours the features from the deepest layer to the first."""
        size = images.shape[-2:]
        for stage in reversed(range(5)):
            layer = _LAYERS[stage]
            features = self.vgg(images, layer)[layer]
            styled = whitened_and_coloured(features, *style[2 * stage:2 * stage + 2])
            decoded = self.stage_decoders[layer](torch.lerp(features, styled, self.alpha), size)
            images = decoded.to(images.dtype)
        return images


@MODELS.register_module()
class WCT(DecoderTraining):
    """Trains decoders to invert a VGG; the style is put in without training.

    Args:
        *args, **kwargs: Arguments of :class:`DecoderTraining`: ``generator`` is the config of
            :class:`WCTNetworks`, ``loss_weights`` overrides ``pixel`` 1 and ``feature`` 1.
    """

    own_part = 'stage_decoders'
    default_loss_weights = dict(pixel=1., feature=1.)

    def losses(self, images: Images) -> Dict[str, Tensor]:
        """Squared errors of reconstructed pixels and of their features, by layer (WCT's Eq. 1)."""
        networks = self.inference_generators
        batch = torch.cat([networks.resized(batch) for batch in images.values()])
        reconstructions = self.generators(batch)
        with torch.no_grad():
            features = networks.vgg(batch)
        losses = {}
        for layer, image in reconstructions.items():
            losses[f'loss_pixel_{layer}'] = self.loss_weights['pixel'] * squared_error(image, batch)
            losses[f'loss_feature_{layer}'] = self.loss_weights['feature'] * squared_error(
                networks.vgg(image, layer)[layer], features[layer])
        return losses
