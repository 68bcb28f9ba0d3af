# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Translation of large images in tiles, without seams."""
import math
from typing import Callable, Iterable, Iterator, List, Optional, Sequence, Tuple

from torch import Tensor, nn
from tqdm import tqdm

from ...utils.image_sizes import fitted
from ..layers import RunningStatistics
from ..networks.tiles import Tile, needed_inputs, tiles
from .egscit import mask_image
from .translator import ExemplarTranslator, Style

# Of features that are kept between the two passes; larger ones are computed twice.
KEPT_BYTES = 2**29


class TiledTranslation:
    """Translates images in tiles; the result is that of the whole image, up to rounding.

    Tiles overlap by what the networks look at, and the borders of the image are padded as ever. The
    one thing of the whole image that a tile needs is the mean and variance that AdaIN takes from
    the content. They are gathered in a first pass over the tiles, a second one decodes. Besides the
    image and the result, only one tile is in memory, and features of up to :data:`KEPT_BYTES`.

    Args:
        generators (ExemplarTranslator): In eval mode, where the latent has no noise.
        side (int): Of a tile without its overlap, in pixels; rounded up to the stride.
        read (callable | None): Makes RGB in [-1, 1] of a piece of an image, where images are kept
            otherwise, in bytes for example.
        write (callable | None): Makes what is kept of a piece of the result.
        progress (bool): Whether to show a bar. Defaults to False.

    Examples:
        >>> import torch
        >>> from mmagic.registry import MODELS
        >>> sizes = dict(base_channels=4, num_downsamples=1, num_blocks=1)
        >>> net = MODELS.build(dict(
        ...     type='ExemplarTranslator', encoder=dict(type='ContentEncoder', **sizes),
        ...     decoder=dict(type='ImageDecoder', **sizes))).eval()
        >>> content, exemplar = torch.rand(1, 3, 50, 90), torch.rand(1, 3, 40, 20)
        >>> tiled = TiledTranslation(net, side=32)
        >>> with torch.no_grad():
        ...     result = tiled.translate(content, tiled.style(exemplar, 'B'), 'A', 'B')
        ...     whole = net.translate(content, exemplar, 'A', 'B')
        >>> torch.allclose(result, whole, atol=1e-4)
        True
    """

    def __init__(self,
                 generators: ExemplarTranslator,
                 side: int,
                 read: Optional[Callable[[Tensor], Tensor]] = None,
                 write: Optional[Callable[[Tensor], Tensor]] = None,
                 progress: bool = False):
        self.generators = generators
        self.stride = generators.encoders[generators.domains[0]].stride
        self.side = -(-side // self.stride)
        self.read = read or nn.Identity()
        self.write = write or nn.Identity()
        self.progress = progress

    def style(self, exemplar: Tensor, target: str) -> Style:
        """As :meth:`ExemplarTranslator.encode_style`, of one exemplar (1, 3, H, W) of any size."""
        if self.generators.adain is None:
            return None
        exemplar = fitted(exemplar, self.stride)
        statistics = RunningStatistics()
        for tile in self._tiles(exemplar, [self.generators.feature_networks[target]],
                                'statistics of the exemplar'):
            features = self.generators.features({target: self._window(tile, exemplar)})[target]
            statistics.add(tile.inner(features))
        return self.generators.adain.style_of(*statistics.mean_and_variance())

    def translate(self, content: Tensor, style: Style, source: str, target: str) -> Tensor:
        """As :meth:`ExemplarTranslator.translate_to_style`, of one content image.

        Args:
            content (Tensor): Of domain ``source``, (1, 3, H, W), of any size, as ``read`` takes it.
            style (tuple[Tensor, Tensor] | None): (gamma, beta), each (1, C, 1, 1).
            source (str): Domain of the content.
            target (str): Domain of the style and the result.

        Returns:
            Tensor: (1, 3, H, W), as ``write`` makes it.
        """
        net = self.generators
        encoding = [net.encoders[source], net.shared_encoder_block, net.shared_decoder_block]
        decoding = [net.decoders[target]]
        fit = fitted(content, self.stride)
        features = statistics = None
        if style is not None:
            features, statistics = self._content(fit, encoding, source)
        if features is None:
            places = self._tiles(fit, encoding + decoding, 'translation', outputs=self.stride)
        else:
            places = self._tiles(fit, decoding, 'translation', inputs=1, outputs=self.stride)

        def image(tile: Tile) -> Tensor:
            maps = tile.window(features) if features is not None else (
                net.masked_content(self._window(tile, fit), source))
            return net.decode(maps, style, target, statistics)

        return self._assembled(places, image, fit)[..., :content.shape[-2], :content.shape[-1]]

    def mask(self, content: Tensor, source: str) -> Tensor:
        """As :func:`mask_image`, of one content image: (1, 3, H, W), as ``write`` makes it."""
        fit = fitted(content, self.stride)
        places = self._tiles(fit, [self.generators.feature_networks[source]], 'mask')
        mask = self._assembled(
            places, lambda tile: mask_image(self.generators, self._window(tile, fit), source), fit)
        return mask[..., :content.shape[-2], :content.shape[-1]]

    def _content(self, content: Tensor, networks: List[nn.Module], source: str
                 ) -> Tuple[Optional[Tensor], Tuple[Tensor, Tensor]]:
        """What AdaIN gets of a content, (1, C, h, w), unless it is large; and its statistics."""
        cells = [side // self.stride for side in content.shape[-2:]]
        kept, statistics = None, RunningStatistics()
        # The feature network looks no further than the encoder, which has the same layers.
        for tile in self._tiles(content, networks, 'statistics of the content'):
            part = tile.inner(self.generators.masked_content(self._window(tile, content), source))
            statistics.add(part)
            if part.shape[1] * math.prod(cells) * part.element_size() <= KEPT_BYTES:
                if kept is None:
                    kept = part.new_empty((*part.shape[:2], *cells))
                tile.place(kept).copy_(part)
        return kept, statistics.mean_and_variance()

    def _tiles(self, image: Tensor, networks: Sequence[nn.Module], what: str,
               inputs: Optional[int] = None, outputs: int = 1) -> Iterator[Tile]:
        """Tiles for networks with so many positions for a cell at their ends; shows a bar.

        Args:
            image (Tensor): Whose sides the stride divides.
            networks (Sequence[nn.Module]): Run one after the other.
            what (str): Name of the bar.
            inputs (int | None): Positions for a cell of what goes in; the stride if None.
            outputs (int): Of what comes out.
        """
        inputs = inputs or self.stride

        def needed(start: int, stop: int) -> Tuple[int, int]:
            first, last = needed_inputs(networks, start * outputs, stop * outputs)
            return first // inputs, -(-last // inputs)

        cells = [side // self.stride for side in image.shape[-2:]]
        places = tiles(cells, self.side, needed)
        return iter(tqdm(places, what, unit='tile', leave=False,
                         disable=not self.progress or len(places) == 1))

    def _window(self, tile: Tile, image: Tensor) -> Tensor:
        return self.read(tile.window(image, self.stride))

    def _assembled(self, places: Iterable[Tile], image_of: Callable[[Tile], Tensor],
                   content: Tensor) -> Tensor:
        """One image of the content's size, of the images of the tiles' windows."""
        result = None
        for tile in places:
            piece = self.write(tile.inner(image_of(tile), self.stride))
            if result is None:
                result = piece.new_empty((*piece.shape[:2], *content.shape[2:]))
            tile.place(result, self.stride).copy_(piece)
        return result
