# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Content and style losses on VGG features (paper Sec. 3.3, L_c and L_s)."""
from typing import Dict, Optional, Tuple

import torch
import torch.nn.functional as F
from mmagic.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ...utils.checks import check_integers, check_not_negative, check_same_shape, check_weights
from ...utils.errors import UserError
from ..layers import at_least_float32
from ..networks.vgg import VGGFeatures

PAPER_LAYERS = ('relu1_1', 'relu2_1', 'relu3_1', 'relu4_1', 'relu5_1')


def normalize_channels(features: Tensor) -> Tensor:
    """Scales every channel to unit L2 norm over its positions.

    Not in the paper, but in the release: lambda_c and lambda_s have their size only with it.

    Args:
        features (Tensor): Feature maps, (N, C, H, W).

    Returns:
        Tensor: (N, C, H * W) in float32 or wider; a channel that is zero everywhere stays zero.

    Examples:
        >>> normalize_channels(torch.tensor([3., 4.]).view(1, 1, 1, 2))
        tensor([[[0.6000, 0.8000]]])
    """
    return F.normalize(at_least_float32(features.flatten(2)), dim=2, eps=1e-6)


def gram_matrix(features: Tensor) -> Tensor:
    """Correlations between channels, ``F F^T / (H * W)``: what is where does not matter.

    Args:
        features (Tensor): Flattened feature maps, (N, C, H * W).

    Returns:
        Tensor: (N, C, C).

    Examples:
        >>> gram_matrix(torch.tensor([[[1., 1.], [0., 2.]]])).round(decimals=4)
        tensor([[[1., 1.],
                 [1., 2.]]])
    """
    # Divided before the product: C x (H * W) numbers are fewer than C x C in the deep layers.
    features = features / features.shape[2]**0.5
    # Autocast would run the product in half precision, where entries of 1 / (H * W) vanish.
    with torch.autocast(features.device.type, enabled=False):
        return features @ features.mT


def mean_difference(x: Tensor, y: Tensor) -> Tensor:
    """Mean absolute difference, scalar.

    As ``F.l1_loss(x, y)``, whose backward spends one more pass over x, which may be 512 x 512
    correlations of each image, on dividing its gradient by their number.

    Examples:
        >>> mean_difference(torch.tensor([0., 1.]), torch.tensor([2., 1.]))
        tensor(1.)
    """
    return F.l1_loss(x, y, reduction='sum') / x.numel()


@MODELS.register_module()
class VGGPerceptualLoss(BaseModule):
    """Keeps the content image's semantics and takes the exemplar's style.

    ``L_c = sum_i w_i * mean |phi_i(x_st) - phi_i(x_s)|`` and
    ``L_s = sum_i w_i * mean |Gram_i(x_st) - Gram_i(x_t)|`` with phi the channel-normalised VGG
    activations at relu1_1 ... relu5_1.

    Args:
        content_weight (float): lambda_c.
        style_weight (float): lambda_s.
        pretrained (str | None): Weights, see :class:`VGGFeatures`. Defaults to
            ``'torchvision'``.
        base_channels (int): Width of the VGG, see :class:`VGGFeatures`. Defaults to 64.
        content_layers (dict[str, float] | None): Weight per layer; None means the release's
            i / 5 for the paper's five layers, i = 1..5.
        style_layers (dict[str, float] | None): Weight per layer; None means 1 for each of the five.
        activation_checkpointing (bool): Whether the activations of translations are computed again
            for the gradient instead of being kept: less memory, more time. Defaults to False.
        arch (str): ``'vgg19'``, the paper's, or ``'vgg16'``. Defaults to ``'vgg19'``.

    Raises:
        ValueError: If a weight is negative, ``arch`` or a layer unknown or no layer is named.

    Examples:
        >>> loss = VGGPerceptualLoss(1., 1., pretrained=None, base_channels=2)
        >>> loss.init_weights()
        >>> images = dict(A=torch.zeros(1, 3, 28, 28), B=torch.ones(1, 3, 28, 28))
        >>> content, style = loss(images, {('A', 'B'): images['A']})
        >>> round(content['A', 'B'].item(), 4)
        0.0
        >>> style['A', 'B'].item() > 0
        True
    """

    def __init__(self,
                 content_weight: float,
                 style_weight: float,
                 pretrained: Optional[str] = 'torchvision',
                 base_channels: int = 64,
                 content_layers: Optional[Dict[str, float]] = None,
                 style_layers: Optional[Dict[str, float]] = None,
                 activation_checkpointing: bool = False,
                 arch: str = 'vgg19'):
        super().__init__()
        if content_layers is None:
            content_layers = {layer: i / 5 for i, layer in enumerate(PAPER_LAYERS, 1)}
        if style_layers is None:
            style_layers = dict.fromkeys(PAPER_LAYERS, 1.)
        check_not_negative(self, content_weight=content_weight, style_weight=style_weight)
        check_weights(self, 'content_layers', content_layers)
        check_weights(self, 'style_layers', style_layers)
        check_integers(self, 1, base_channels=base_channels)
        if not content_layers and not style_layers:
            raise UserError('VGGPerceptualLoss: content_layers and style_layers are both empty; '
                            'name a layer, or set perceptual_loss=None')
        self.content_layers = content_layers
        self.style_layers = style_layers
        self.content_weight = content_weight
        self.style_weight = style_weight
        self.activation_checkpointing = activation_checkpointing
        self.vgg = VGGFeatures({*self.content_layers, *self.style_layers}, pretrained,
                               base_channels, arch)

    def init_weights(self) -> None:
        """Loads the VGG weights (see :meth:`VGGFeatures.load_weights` for the errors)."""
        self.vgg.load_weights()

    def describe(self, images: Tensor) -> Tuple[Dict[str, Tensor], Dict[str, Tensor]]:
        """Content and style of images.

        Args:
            images (Tensor): RGB in [-1, 1], (N, 3, H, W).

        Returns:
            tuple[dict, dict]: By layer the normalised features, (N, C, H * W), and the Gram
            matrices, (N, C, C).
        """
        maps = {layer: normalize_channels(x) for layer, x in self.vgg(images).items()}
        return ({layer: maps[layer] for layer in self.content_layers},
                {layer: gram_matrix(maps[layer]) for layer in self.style_layers})

    def forward(self, images: Dict[str, Tensor],
                translations: Dict[Tuple[str, str], Tensor]) -> Tuple[dict, dict]:
        """Weighted content and style losses of every translation.

        Args:
            images (dict[str, Tensor]): Real images by domain, RGB in [-1, 1], (N, 3, H, W): each
                is the content of the translations from its domain and the exemplar of those to it.
            translations (dict[tuple[str, str], Tensor]): x_st by (source, target), (N, 3, H, W).

        Returns:
            tuple[dict, dict]: Content and style loss by (source, target), scalars.

        Raises:
            ValueError: If the shapes differ.
        """
        check_same_shape(self, **{f'images[{domain!r}]': x for domain, x in images.items()},
                         **{f'translations[{way!r}]': x for way, x in translations.items()})
        # Every real image passes the VGG once, without graph, for all translations that need it.
        with torch.no_grad():  # (domains * N, 3, H, W)
            real_maps, real_grams = self.describe(torch.cat(list(images.values())))
        fakes = torch.cat(list(translations.values()))  # (directions * N, 3, H, W)
        if self.activation_checkpointing:
            maps, grams = checkpoint(self.describe, fakes, use_reentrant=False)
        else:
            maps, grams = self.describe(fakes)
        losses = []
        for factor, layers, made, real, place in (
                (self.content_weight, self.content_layers, maps, real_maps, 0),  # x_st with x_s
                (self.style_weight, self.style_layers, grams, real_grams, 1)):  # x_st with x_t
            sums = {way: images[way[0]].new_zeros(()) for way in translations}
            for layer, weight in layers.items():
                by_domain = dict(zip(images, real[layer].chunk(len(images))))
                for way, x in zip(translations, made[layer].chunk(len(translations))):
                    sums[way] += factor * weight * mean_difference(x, by_domain[way[place]])
            losses.append(sums)
        return tuple(losses)
