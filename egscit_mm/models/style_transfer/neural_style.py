# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Neural style transfer: pixels are optimised, nothing is trained.

L. A. Gatys, A. S. Ecker, M. Bethge, "Image Style Transfer Using Convolutional Neural Networks",
CVPR 2016.
"""
from typing import Dict, Optional, Sequence, Tuple

import torch
from mmagic.registry import MODELS
from torch import Tensor

from ...utils.checks import check_integers, check_weights
from ...utils.errors import NonFiniteError, UserError
from ..layers import at_least_float32
from ..losses.perceptual import gram_matrix
from .decoder_training import StyleTransfer, squared_error
from .networks import VGGTranslator

CONTENT_LAYER = 'relu4_2'
# The release's 1e3 at each layer is for activations of a VGG for pixels of 0..255, whose size falls
# from layer to layer: about 26, 23, 12, 6.5 and 1.1 times that of the normalised network, and 4.4
# times at the content's layer. To the fourth power, and by 4.4^2, that makes:
STYLE_WEIGHTS = dict(relu1_1=2e7, relu2_1=1e7, relu3_1=1e6, relu4_1=1e5, relu5_1=1e2)


@MODELS.register_module()
class PixelOptimisation(VGGTranslator):
    """Changes the pixels of a content image until their VGG features are as wanted.

    L-BFGS, from the content image on. The loss is the squared error of relu4_2 to the content's
    plus, for each of ``style_layers``, its weight / C^2 times the squared error of the Gram matrix
    ``F F^T / (H W)`` of its C channels to the exemplar's.

    Args:
        style_layers (dict[str, float] | None): Weight per layer; :data:`STYLE_WEIGHTS` if None.
        evaluations (int): Of the loss, at most, for each image. Defaults to 500.
        **kwargs: Arguments of :class:`VGGTranslator`.

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(self,
                 style_layers: Optional[Dict[str, float]] = None,
                 evaluations: int = 500,
                 **kwargs):
        style_layers = dict(STYLE_WEIGHTS if style_layers is None else style_layers)
        check_weights(self, 'style_layers', style_layers)
        check_integers(self, 1, evaluations=evaluations)
        if not style_layers:
            raise UserError('PixelOptimisation: style_layers is empty; name a layer')
        super().__init__({CONTENT_LAYER, *style_layers}, list(style_layers), False, **kwargs)
        self.style_layers = style_layers
        self.evaluations = evaluations

    def features(self, images: Tensor) -> Dict[str, Tensor]:
        """Activations by layer; the first call loads the VGG's weights, for no checkpoint does."""
        if not self.vgg.loaded:
            self.load_vgg()
        return self.vgg(images)

    def style_of(self, images: Tensor) -> Tuple[Tensor, ...]:
        """Gram matrices by layer, each (N, C, C)."""
        return self._grams(self.features(images))

    def _grams(self, features: Dict[str, Tensor]) -> Tuple[Tensor, ...]:
        return tuple(gram_matrix(at_least_float32(features[layer]).flatten(2))
                     for layer in self.style_layers)

    def loss(self, images: Tensor, content: Tensor, grams: Sequence[Tensor]) -> Tensor:
        """What is minimised.

        Args:
            images (Tensor): RGB in [-1, 1], (N, 3, H, W).
            content (Tensor): relu4_2 of the content, (N, C, h, w).
            grams (Sequence[Tensor]): Of the exemplar, by layer, (N or 1, C, C).

        Returns:
            Tensor: Scalar.
        """
        features = self.features(images)
        total = squared_error(features[CONTENT_LAYER], content)
        for weight, own, wanted in zip(self.style_layers.values(), self._grams(features), grams):
            error = squared_error(own, wanted.expand_as(own))
            total = total + weight / own.shape[-1]**2 * error
        return total

    def stylised(self, images: Tensor, style: Tuple[Tensor, ...]) -> Tensor:
        """Optimises the images one by one: a line search over several would couple them.

        Raises:
            FloatingPointError: If the loss is not finite.
        """
        # Translation runs without gradients, which are needed here, and perhaps in bfloat16, too
        # coarse for a line search.
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast(
                images.device.type, enabled=False):
            results = [
                # Contiguous, as L-BFGS wants it; clones, for those of inference have no gradients.
                self._optimised(image[None].clone(memory_format=torch.contiguous_format), [
                    part[min(index, len(part) - 1)][None].clone() for part in style])
                for index, image in enumerate(images)
            ]
        return torch.cat(results)

    def _optimised(self, image: Tensor, grams: Sequence[Tensor]) -> Tensor:
        with torch.no_grad():
            content = self.features(image)[CONTENT_LAYER]
        pixels = image.requires_grad_()
        optimiser = torch.optim.LBFGS(
            [pixels], max_iter=self.evaluations, max_eval=self.evaluations,
            line_search_fn='strong_wolfe')

        def evaluation() -> Tensor:
            optimiser.zero_grad()
            loss = self.loss(pixels, content, grams)
            if not loss.isfinite():
                raise NonFiniteError(f'PixelOptimisation: the loss is {loss.item()}: take smaller '
                                     f'style_layers than {self.style_layers}')
            loss.backward()
            return loss

        optimiser.step(evaluation)
        return pixels.detach()


@MODELS.register_module()
class NeuralStyle(StyleTransfer):
    """Translates by :class:`PixelOptimisation`. It has no weights of its own, and no checkpoint.

    Args:
        *args, **kwargs: Arguments of :class:`StyleTransfer`: ``generator`` is the config of a
            :class:`PixelOptimisation`.
    """

    has_weights = False
