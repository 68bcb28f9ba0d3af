# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Cutting an image into tiles that overlap by exactly what the networks look at."""
from dataclasses import dataclass
from itertools import product
from typing import Callable, List, Sequence, Tuple

from torch import Tensor, nn

from ...utils.errors import UserError

_POINTWISE = (nn.Identity, nn.LeakyReLU, nn.ReLU)


def needed_inputs(networks: Sequence[nn.Module], start: int, stop: int) -> Tuple[int, int]:
    """Which inputs a range of outputs depends on, along one axis: the exact receptive field.

    Args:
        networks (Sequence[nn.Module]): Run one after the other; each runs its layers in the order
            in which it has them. Square convolutions, and layers that work on each position alone.
        start (int): The first output position.
        stop (int): The one after the last.

    Returns:
        tuple[int, int]: The first input position and the one after the last. They may lie outside
        of the image, where the networks pad.

    Raises:
        UserError: If a layer may look at the whole image, as an instance norm does.

    Examples:
        >>> needed_inputs([nn.Conv2d(3, 8, 7, padding=3)], 0, 10)
        (-3, 13)
        >>> needed_inputs([nn.Conv2d(3, 8, 3, stride=2, padding=1)], 0, 10)
        (-1, 20)
        >>> needed_inputs([nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1)], 0, 20)
        (0, 11)
    """
    layers = [layer for network in networks for layer in network.modules()
              if not any(True for _ in layer.children())]
    for layer in reversed(layers):
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            stride, padding = layer.stride[0], layer.padding[0]
            reach = layer.dilation[0] * (layer.kernel_size[0] - 1)
            if isinstance(layer, nn.ConvTranspose2d):
                # Output o gets input i through tap k where o = stride * i - padding + k.
                start = -((reach - padding - start) // stride)
                stop = (stop - 1 + padding) // stride + 1
            else:
                start, stop = start * stride - padding, (stop - 1) * stride - padding + reach + 1
        elif not isinstance(layer, _POINTWISE):
            raise UserError(f'{type(networks[0]).__name__} cannot work in tiles: its layer '
                            f'{type(layer).__name__} may look at the whole image.')
    return start, stop


@dataclass(frozen=True)
class Span:
    """A tile along one axis, in cells: a cell is what becomes one position of the features.

    Args:
        start (int): First cell of the tile.
        stop (int): The one after the last.
        window_start (int): First cell of the tile with its overlap.
        window_stop (int): The one after the last.
    """

    start: int
    stop: int
    window_start: int
    window_stop: int


class Tile:
    """A tile of an image. Where the image itself ends, its window ends, too, and is padded alike.

    Args:
        rows (Span): Its place along the height.
        columns (Span): Along the width.
    """

    def __init__(self, rows: Span, columns: Span):
        self.spans = rows, columns

    def window(self, image: Tensor, cell: int = 1) -> Tensor:
        """The tile with its overlap, of an image with so many positions for a cell."""
        return image[(..., *(slice(span.window_start * cell, span.window_stop * cell)
                             for span in self.spans))]

    def place(self, image: Tensor, cell: int = 1) -> Tensor:
        """The tile itself, of the same."""
        return image[(..., *(slice(span.start * cell, span.stop * cell)
                             for span in self.spans))]

    def inner(self, window: Tensor, cell: int = 1) -> Tensor:
        """The tile itself, of what was made of its window."""
        return window[(..., *(slice((span.start - span.window_start) * cell,
                                    (span.stop - span.window_start) * cell)
                              for span in self.spans))]


def tiles(size: Sequence[int], side: int,
          needed: Callable[[int, int], Tuple[int, int]]) -> List[Tile]:
    """Tiles that cover an image, of nearly equal size, none larger than asked for.

    Args:
        size (Sequence[int]): Height and width of the image, in cells.
        side (int): Of a tile without its overlap, in cells.
        needed (callable): ``(start, stop) -> (start, stop)``: which cells these need, along either
            axis.

    Returns:
        list[Tile]: Row by row.
    """
    return [Tile(*spans) for spans in product(*(_spans(cells, side, needed) for cells in size))]


def _spans(count: int, side: int, needed: Callable) -> List[Span]:
    number = -(-count // side)
    edges = [index * count // number for index in range(number + 1)]
    spans = []
    for start, stop in zip(edges, edges[1:]):
        first, last = needed(start, stop)
        spans.append(Span(start, stop, max(first, 0), min(last, count)))
    return spans
