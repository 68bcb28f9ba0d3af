# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Style transfer by adaptive instance normalisation.

X. Huang, S. Belongie, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization",
ICCV 2017, <https://arxiv.org/abs/1703.06868>.
"""
from typing import Dict, Tuple

import torch
from mmagic.registry import MODELS
from torch import Tensor

from ...utils.checks import check_shares
from ..base.image_model import Images
from ..layers import AdaIN
from .decoder_training import DecoderTraining, squared_error
from .networks import VGGDecoder, VGGTranslator, first_layers

_LAYERS = first_layers(4)


@MODELS.register_module()
class AdaINNetworks(VGGTranslator):
    """VGG up to relu4_1, AdaIN with standard deviations, and a decoder.

    Args:
        alpha (float): Share of the style in the features, in 0..1. Defaults to 1.
        **kwargs: Arguments of :class:`VGGTranslator`.

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(self, alpha: float = 1., **kwargs):
        super().__init__(_LAYERS, ('std', 'mean'), True, **kwargs)
        check_shares(self, alpha=alpha)
        self.alpha = alpha
        self.adain = AdaIN('std')
        self.decoder = VGGDecoder(len(_LAYERS), self.vgg)

    def forward(self, images: Images, reconstruct: bool) -> Dict[str, dict]:
        """What the losses need of a batch: every image after one of each other domain.

        Args:
            images (dict[str, Tensor]): RGB in [-1, 1] by domain, (N, 3, H, W); image i of a domain
                is the exemplar of image i of the others.
            reconstruct (bool): Decodes the features of the real images, too.

        Returns:
            dict: ``translation`` and ``target`` {(s, t): the decoded image in the VGG's size, and
            the features that AdaIN made}; of the real images, by domain: ``image`` in the VGG's
            size, ``features`` by layer, and ``reconstruction``, if asked for.
        """
        features, targets, translations = {}, {}, {}
        resized = {domain: self.resized(batch) for domain, batch in images.items()}
        with torch.no_grad():
            for domain, batch in resized.items():
                features[domain] = self.vgg(batch)
            for s, t in self.directions:
                targets[s, t] = self.adain(
                    features[s][_LAYERS[-1]], self.adain.style(features[t][_LAYERS[-1]]))
        for (s, t), target in targets.items():
            translations[s, t] = self.decoder(target, resized[s].shape[-2:])
        reconstructions = {
            domain: self.decoder(features[domain][_LAYERS[-1]], batch.shape[-2:])
            for domain, batch in resized.items() if reconstruct}
        return dict(translation=translations, target=targets, image=resized, features=features,
                    reconstruction=reconstructions)

    def style_of(self, images: Tensor) -> Tuple[Tensor, Tensor]:
        """Standard deviation and mean of every channel of relu4_1, each (N, C, 1, 1)."""
        return self.adain.style(self.vgg(images)[_LAYERS[-1]])

    def stylised(self, images: Tensor, style: Tuple[Tensor, Tensor]) -> Tensor:
        """Decodes features that are normalised to a style."""
        features = self.vgg(images)[_LAYERS[-1]]
        styled = self.adain(features, self.adain.possible(style))
        return self.decoder(torch.lerp(features, styled, self.alpha), images.shape[-2:])


@MODELS.register_module()
class AdaINStyleTransfer(DecoderTraining):
    """Trains a decoder of features whose channel statistics are an exemplar's.

    Args:
        *args, **kwargs: Arguments of :class:`DecoderTraining`: ``generator`` is the config of
            :class:`AdaINNetworks`, ``loss_weights`` overrides ``content`` 1, ``style`` 10 (the
            released training's weights) and ``pixel`` 0, which AdaIN's paper does not have.
    """

    own_part = 'decoder'
    default_loss_weights = dict(content=1., style=10., pixel=0.)

    def losses(self, images: Images) -> Dict[str, Tensor]:
        """Squared errors of the translations' features to AdaIN's, and of their statistics.

        Content: of relu4_1 (Eq. 12 of AdaIN's paper). Style: of mean and standard deviation of
        every channel at relu1_1 to relu4_1 (Eq. 13). Pixel: of the real images, decoded from their
        own features.
        """
        outputs = self.generators(images, reconstruct=self.loss_weights['pixel'] > 0)
        networks = self.inference_generators
        losses = {}
        for (s, t), image in outputs['translation'].items():
            made = networks.vgg(image)
            content = squared_error(made[_LAYERS[-1]], outputs['target'][s, t])
            style = sum(squared_error(*statistics) for layer in _LAYERS for statistics in zip(
                networks.adain.style(made[layer]),
                networks.adain.style(outputs['features'][t][layer])))
            losses[f'loss_content_{s}2{t}'] = self.loss_weights['content'] * content
            losses[f'loss_style_{s}2{t}'] = self.loss_weights['style'] * style
        for domain, image in outputs['reconstruction'].items():
            losses[f'loss_pixel_{domain}'] = self.loss_weights['pixel'] * squared_error(
                image, outputs['image'][domain])
        return losses
