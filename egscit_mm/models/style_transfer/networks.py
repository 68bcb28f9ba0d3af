# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What the networks of all methods of style transfer share: VGG features, and their inversion."""
from typing import Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...utils.checks import check_integers
from ..layers import at_least_float32
from ..layers.styles import Style
from ..networks.generator_side import Translator
from ..networks.vgg import NUM_CONVS, WIDTHS, VGGFeatures
from .whitening import mean_and_root


class VGGDecoder(BaseModule):
    """Inverts a VGG from its first layer of a stage, such as relu4_1, to the image.

    The mirror image of the VGG up to there: convolutions 3x3 with ReLU, none behind the last, and
    nearest-neighbour up-sampling where the VGG pools. Reflection padding, no normalisation.

    A fixed linear map whitens the features first, see :meth:`whiten`: the decoder learns faster. A
    few directions have most of the variance of deep features, and colour is in the others. Only
    directions that noise does not reach are lost.

    Args:
        stage (int): 1 to 5: of relu<stage>_1.
        vgg (VGGFeatures): What it inverts.
    """

    def __init__(self, stage: int, vgg: VGGFeatures):
        super().__init__()
        counts = (*NUM_CONVS[vgg.arch][:stage - 1], 1)
        widths = [3, *(vgg.base_channels * width for width in WIDTHS)]
        layers = []
        for index in range(stage, 0, -1):
            for _ in range(counts[index - 1] - 1):
                layers += [self._conv(widths[index], widths[index]), nn.ReLU(inplace=True)]
            layers.append(self._conv(widths[index], widths[index - 1]))
            if index > 1:
                layers += [nn.ReLU(inplace=True), nn.Upsample(scale_factor=2)]
        self.layers = nn.Sequential(*layers)
        self.layer = f'relu{stage}_1'
        self.register_buffer('mean', torch.zeros(1, widths[stage], 1, 1))
        self.register_buffer('whitening', torch.eye(widths[stage])[..., None, None])

    @torch.no_grad()
    def whiten(self, vgg: VGGFeatures) -> None:
        """Finds the map that whitens what a VGG makes of :func:`noise_images`."""
        features = vgg(noise_images().to(self.mean), self.layer)[self.layer]
        # Positions of all images are positions of one.
        mean, whitening = mean_and_root(features.transpose(0, 1).flatten(2)[None], -0.5)
        self.mean.copy_(mean.view_as(self.mean))
        self.whitening.copy_(whitening.view_as(self.whitening))

    @staticmethod
    def _conv(inputs: int, outputs: int) -> nn.Conv2d:
        return nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode='reflect')

    def forward(self, features: Tensor, size: Sequence[int]) -> Tensor:
        """Decodes.

        Args:
            features (Tensor): (N, C, h, w).
            size (Sequence[int]): H and W of the image that they are of.

        Returns:
            Tensor: RGB, about in [-1, 1], (N, 3, H, W).
        """
        # In bfloat16 the small directions, which whitening enlarges, would be noise.
        with torch.autocast(features.device.type, enabled=False):
            centred = at_least_float32(features) - self.mean
            whitened = F.conv2d(centred, self.whitening.to(centred.dtype)).to(features.dtype)
        # Where a side was odd, the VGG's pooling has counted a pixel more at the end.
        return at_least_float32(self.layers(whitened)[..., :size[0], :size[1]])


class VGGTranslator(Translator):
    """Base of the networks: one VGG for all domains, whose images are resized before it.

    Both directions are the same network: content and exemplar change places.

    A subclass implements :meth:`style_of` and :meth:`stylised`.

    Args:
        layers (Sequence[str]): Of the VGG of a subclass.
        style_parts (Sequence[str]): See :class:`Translator`.
        persistent (bool): See :class:`VGGFeatures`.
        domains (Sequence[str]): Names of the domains. Defaults to ('A', 'B').
        size (int | None): Shorter side, in pixels, of the images before the VGG; the results are
            resized back. None: images as they are. Defaults to 512, as in EGSC-IT's paper.
        arch (str): ``'vgg16'`` or ``'vgg19'``. Defaults to ``'vgg19'``.
        pretrained (str | None): Weights, see :class:`VGGFeatures`. Defaults to ``'torchvision'``.
        base_channels (int): Width of the VGG. Defaults to 64.

    Raises:
        ValueError: If ``size`` is below 16, or ``arch`` is unknown.
    """

    in_channels = 3
    stride = 1

    def __init__(self,
                 layers: Sequence[str],
                 style_parts: Sequence[str],
                 persistent: bool,
                 /,
                 domains: Sequence[str] = ('A', 'B'),
                 size: Optional[int] = 512,
                 arch: str = 'vgg19',
                 pretrained: Optional[str] = 'torchvision',
                 base_channels: int = 64):
        super().__init__(style_parts, domains=domains)
        check_integers(self, 1, base_channels=base_channels)
        if size is not None:
            check_integers(self, 16, size=size)
        self.size = size
        self.vgg = VGGFeatures(layers, pretrained, base_channels, arch, persistent)

    @property
    def image_network(self) -> nn.Module:
        """These networks themselves."""
        return self

    def init_weights(self) -> None:
        """Initialises what is trained and loads the VGG's weights (errors: VGGFeatures)."""
        super().init_weights()
        self.load_vgg()

    def load_vgg(self) -> None:
        """Loads the VGG's weights; afterwards activations have about the size 1."""
        self.vgg.load_weights('model.generator.pretrained')
        self.vgg.normalise()
        for module in self.modules():
            if isinstance(module, VGGDecoder):
                module.whiten(self.vgg)

    def resized(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) as the VGG gets them: the shorter side is ``size``."""
        if self.size is None:
            return images
        scale = self.size / min(images.shape[-2:])
        return resize(images, [round(side * scale) for side in images.shape[-2:]])

    def encode_style(self, exemplar: Tensor, target: str) -> Style:
        """Style of exemplars (N, 3, H', W'), of whichever domain."""
        return self.style_of(self.resized(exemplar))

    def translate_to_style(self, content: Tensor, style: Style, source: str,
                           target: str) -> Tensor:
        """Gives content images a style.

        Args:
            content (Tensor): RGB in [-1, 1], (N, 3, H, W).
            style: Of :meth:`encode_style`.
            source (str): Makes no difference.
            target (str): Makes no difference.

        Returns:
            Tensor: RGB in [-1, 1], (N, 3, H, W).
        """
        result = self.stylised(self.resized(content), style)
        return resize(at_least_float32(result), content.shape[-2:]).clamp(-1, 1)

    def style_of(self, images: Tensor) -> Style:
        """Style of images that have the size for the VGG."""
        raise NotImplementedError

    def stylised(self, images: Tensor, style: Style) -> Tensor:
        """Images that have the size for the VGG, in a style; not clipped."""
        raise NotImplementedError


def resize(images: Tensor, size: Sequence[int]) -> Tensor:
    """Images (N, C, H', W') in another size (H, W), bilinear; smaller ones are smoothed before."""
    if tuple(images.shape[-2:]) == tuple(size):
        return images
    # On a CPU there is no such resizing in half precision.
    return F.interpolate(at_least_float32(images), tuple(size), mode='bilinear',
                         antialias=True).to(images.dtype)


def noise_images() -> Tensor:
    """Seeded noise in [-1, 1] of seven scales, from plain colours to pixels, (56, 3, 64, 64)."""
    generator = torch.Generator().manual_seed(0)
    return torch.cat([
        F.interpolate(torch.rand(8, 3, side, side, generator=generator) * 2 - 1, (64, 64),
                      mode='bilinear') for side in (1, 2, 4, 8, 16, 32, 64)])


def first_layers(stages: int) -> Tuple[str, ...]:
    """The first layers of the first stages.

    Examples:
        >>> first_layers(2)
        ('relu1_1', 'relu2_1')
    """
    return tuple(f'relu{stage}_1' for stage in range(1, stages + 1))
