# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Translation of single images, without Runner and dataset."""
import os
from functools import partial
from itertools import groupby
from typing import Callable, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmengine.config import Config
from PIL import Image

from ..models.egscit.tiling import TiledTranslation
from ..models.layers.styles import Style, mix_styles
from ..utils import cpu
from ..utils.checks import check_integers
from ..utils.errors import BadInputError, UserError
from ..utils.image_sizes import fitted
from ..utils.images import read_image, to_rgb, upright
from .model import checked_device, load_model, read_translation_config
from .regions import LabelMap, Regions, label_map

ImageLike = Union[str, os.PathLike, np.ndarray, Image.Image]
Images = Union[ImageLike, Sequence[ImageLike]]
PAIRINGS = ('each', 'matrix')
# Pixels that are translated at once, in one image or in a batch. docs/translate.md says what tiles
# cost and save.
WHOLE_PIXELS = 2**20
TILE = 512  # pixels: side of a tile where none is given
SMALLEST_TILE = 64  # of smaller ones most work is for their overlap


class EGSCITInferencer:
    """Translates images after exemplars with a trained :class:`EGSCIT`, :class:`MUNIT` or other.

    Needs neither the stage-1 checkpoint nor VGG weights (only :class:`NeuralStyle`, which is not
    trained, needs these).

    Args:
        config (str | Config): Config of the model, for EGSCIT that of stage 2.
        checkpoint (str | None): Its checkpoint; the config's ``load_from`` if None. ``'none'``
            or None for a model that is not trained.
        device (str | None): Device; a GPU where there is one by default.
        amp (bool | None): Whether to compute in bfloat16 where that is safe. None, the default:
            on CPUs with AMX, which are faster so.
        compile (bool): Whether ``torch.compile`` translates the model first: the first batch of
            each size then takes long, the others are faster. Tiles, and translations to styles or
            of another strength than 1, are not compiled. Defaults to False.
        tile (int | None): Side of the tiles, in pixels, that images with a longer side are cut
            into, at least 64; the result is the same, with less memory. 0 or False: never. None,
            the default: 512 for images of more than a megapixel (2**20), where the model can (MUNIT
            cannot).

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        RuntimeError: If it cannot be read.
        ValueError: If the config has no such model, the checkpoint does not fit it, or there is
            none (random weights translate nothing), the device is not there, or the model cannot
            work in tiles or does not take RGB.
    """

    def __init__(self,
                 config: Union[str, os.PathLike, Config],
                 checkpoint: Optional[Union[str, os.PathLike]] = None,
                 device: Optional[str] = None,
                 amp: Optional[bool] = None,
                 compile: bool = False,
                 tile: Optional[int] = None):
        if tile is not None:
            check_integers(self, 0, tile=str(tile) if tile is True else tile)
            if 0 < tile < SMALLEST_TILE:
                raise UserError(
                    f'tile must be 0, for none, or at least {SMALLEST_TILE} pixels, got {tile}: '
                    'smaller tiles are little more than their overlap and take far longer.')
        cfg = read_translation_config(config, 'translation')
        self.device = checked_device(device)
        self.model = load_model(cfg, checkpoint or cfg.get('load_from'), self.device)
        if self.model.in_channels != 3:
            raise UserError('Images are read as RGB, and this model takes '
                            f'{self.model.in_channels} channels: call its test_step with a '
                            'dataloader of your own.')
        self.amp = self.device.type == 'cpu' and cpu.computes_in_amx() if amp is None else amp
        self.tile = tile
        if tile and not self.model.inference_generators.works_in_tiles:
            raise UserError(f'{type(self.model).__name__} cannot work in tiles, for its networks '
                            'normalise by the whole image: leave the tile out, and make images '
                            'smaller that do not fit into memory.')
        self._translation = torch.compile(self.model.translation) if compile else (
            self.model.translation)

    @property
    def has_masks(self) -> bool:
        """Whether the model makes feature masks."""
        return self.model.inference_generators.makes_masks

    @torch.inference_mode()
    def __call__(self,
                 content: Images,
                 exemplar: Images,
                 target_domain: Optional[str] = None,
                 return_masks: bool = False,
                 pairing: str = 'each',
                 output: str = 'array',
                 batch_size: int = 8,
                 source_domain: Optional[str] = None,
                 strength: float = 1.):
        """Translates contents after exemplars.

        Images are paths, PIL images or uint8 arrays, grey (H, W), RGB (H, W, 3) or RGBA (H, W, 4),
        of any size, alone, in a list or stacked (N, H, W, 3). Transparent pixels are laid on white,
        files turned as their EXIF orientation says.

        Args:
            content (Images): What to translate.
            exemplar (Images): The style: with ``pairing='each'`` one for all contents, or as many.
            target_domain (str | None): Domain of the exemplars; the model's default if None.
            return_masks (bool): Whether to return the feature masks of the contents, too.
            pairing (str): ``'each'``: content i after exemplar i. ``'matrix'``: every content after
                every exemplar. Defaults to ``'each'``.
            output (str): ``'array'`` or ``'pil'``.
            batch_size (int): Neighbours of equal size are translated together, at most so many.
            source_domain (str | None): Domain of the contents; with two domains the other one if
                None.
            strength (float): Of the style: 0 is the mean style of the domain, 1 the exemplar's; up
                to 1.5, with a warning. Any but 1 needs the mean style, see
                :meth:`keep_mean_style`. Defaults to 1.

        Returns:
            The translations in the size of their contents, RGB: uint8 arrays (H, W, 3), or PIL
            images. One for a content that is no list, else a list; for a matrix, a list for each
            content with one for each exemplar. With ``return_masks`` a tuple of them and of the
            masks, one for each content, grey (H, W): 0 where the mask is eta, 255 where it is 1.

        Raises:
            ValueError: If the numbers do not fit, an image cannot be read, a domain is unknown or
                missing, or the model has no masks.
        """
        if pairing not in PAIRINGS:
            raise UserError(f'pairing must be one of {PAIRINGS}, got {pairing!r}')
        self._check_options(output, batch_size)
        source, target = self.model.direction(source_domain, target_domain)
        contents, exemplars = _listed(content), _listed(exemplar)
        if not exemplars:
            raise UserError('Give at least one exemplar, got an empty list')
        if pairing == 'each' and len(exemplars) not in (1, len(contents)):
            raise UserError(f'Give one exemplar, or as many as contents: got {len(exemplars)} '
                            f"exemplars for {len(contents)} contents (pairing='matrix' translates "
                            'every content after every exemplar)')
        if return_masks and not self.has_masks:
            raise UserError(f'{type(self.model).__name__} with this config has no feature masks '
                            '(EGSCIT with eta below 1 has)')
        contents = [_pixels(image) for image in contents]
        # Those that are one object stay one: a batch needs its style only once.
        distinct = {id(image): image for image in exemplars}
        distinct = {key: _pixels(image) for key, image in distinct.items()}
        exemplars = [distinct[id(image)] for image in exemplars]
        if pairing == 'each':
            exemplars = exemplars * (len(contents) if len(exemplars) == 1 else 1)
            pairs = list(zip(contents, exemplars))
        else:
            pairs = [(image, style) for image in contents for style in exemplars]
        generators = self.model.inference_generators

        def strengthened(image, target, exemplar, source):
            style = generators.strengthened(
                generators.encode_style(exemplar, target), target, strength)
            return generators.translate_to_style(image, style, source, target)

        translation = self._translation if strength == 1 else strengthened
        results = self._in_batches(
            lambda images, styles: self.model.translation_at_any_size(
                images, target, styles, source, translation),
            lambda tiled, image, style: tiled.translate(
                image, generators.strengthened(tiled.style(style, target), target, strength),
                source, target),
            pairs, batch_size)
        results = _as_asked(results, output)
        if pairing == 'matrix':
            columns = len(exemplars)
            results = [results[i * columns:(i + 1) * columns] for i in range(len(contents))]
        alone = not _is_list(content)
        if not return_masks:
            return results[0] if alone else results
        masks = self._in_batches(lambda images: self.model.inner_rows(images, source)['mask'],
                                 lambda tiled, image: tiled.mask(image, source),
                                 [(image, ) for image in contents], batch_size)
        masks = _as_asked([mask[..., 0] for mask in masks], output)
        return (results[0], masks[0]) if alone else (results, masks)

    @torch.no_grad()
    def style(self,
              exemplar: Images,
              weights: Optional[Sequence[float]] = None,
              strength: float = 1.,
              target_domain: Optional[str] = None) -> Style:
        """Style of an exemplar, or a mixture of those of several, to keep and to translate to.

        It is a tensor or a tuple of tensors, as :meth:`Translator.encode_style` gives them.

        Args:
            exemplar (Images): One or several, as in a call, of any sizes.
            weights (Sequence[float] | None): Of the exemplars, at least 0; they are divided by
                their sum. Equal ones if None: their mean style.
            strength (float): As in a call. Defaults to 1.
            target_domain (str | None): Domain of the exemplars; the model's default if None.

        Raises:
            ValueError: If there are no exemplars, an image cannot be read, the domain is unknown,
                or weights or strength are not as described.
        """
        target = self.model.target(target_domain)
        generators = self.model.inference_generators
        styles = []
        for image in exemplar if _is_list(exemplar) else [exemplar]:
            pixels = _pixels(image)
            side = self._tile_side([pixels.shape])
            pixels = _tensor([pixels])
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.amp):
                styles.append(
                    self._tiled(side).style(pixels, target) if side else generators.encode_style(
                        fitted(self._numbers(pixels), self.model.stride), target))
        # A model without AdaIN has no style to mix, but translates.
        style = styles[0] if len(styles) == 1 and weights is None else mix_styles(styles, weights)
        return generators.strengthened(style, target, strength)

    def keep_mean_style(self, images: Images, target_domain: Optional[str] = None) -> None:
        """Takes the mean style of these images for that of the domain, which strength needs.

        Args:
            images (Images): Of the domain, such as those of its training; any iterable, read once.
            target_domain (str | None): Their domain; the model's default if None.
        """
        target = self.model.target(target_domain)
        self.model.inference_generators.mean_styles[target].set(
            self.style(images, target_domain=target))

    @torch.inference_mode()
    def translate_to_style(self,
                           content: Images,
                           style: Union[Style, Dict[int, Style]],
                           target_domain: Optional[str] = None,
                           output: str = 'array',
                           batch_size: int = 8,
                           source_domain: Optional[str] = None,
                           regions: Union[LabelMap, Sequence[LabelMap], None] = None,
                           blend: float = 8.,
                           region_statistics: str = 'image'):
        """Translates contents to one style, or each of their regions to its own.

        Args:
            content (Images): As in a call.
            style: Of :meth:`style`; with ``regions`` a dict of them by label.
            target_domain (str | None): Domain of the style; the model's default if None.
            output (str): ``'array'`` or ``'pil'``.
            batch_size (int): As in a call.
            source_domain (str | None): As in a call.
            regions: Label maps, one for each content and of its size: paths of PNG files or arrays
                of integers (H, W).
            blend (float): Width in pixels of the borders between regions. Defaults to 8.
            region_statistics (str): Whether AdaIN normalises the content by the statistics of the
                whole ``'image'`` or of each ``'region'``; see docs/styles.md. Defaults to
                ``'image'``.

        Returns:
            As a call without masks.

        Raises:
            ValueError: If a style is none of :meth:`style` or has more rows than one, a dict of
                styles comes without ``regions`` or these without it, an image or a label map
                cannot be read, a map has another size than its content or a label without a style,
                or the model cannot style regions.
        """
        self._check_options(output, batch_size)
        source, target = self.model.direction(source_domain, target_domain)
        self._check_styles(style, regions is not None)
        contents = [_pixels(image) for image in _listed(content)]
        if regions is None:
            translation = partial(self.model.inference_generators.translate_to_style,
                                  style=style, source=source, target=target)
            results = self._in_batches(
                partial(self._at_any_size, translation),
                lambda tiled, image: tiled.translate(image, style, source, target),
                [(image, ) for image in contents], batch_size)
        else:
            regions = [regions] if not _is_list(content) else list(regions)
            if len(regions) != len(contents):
                raise UserError(f'Give one label map for each content: got {len(regions)} for '
                                f'{len(contents)} contents')
            maps = [label_map(labels, image.shape[:2]) for labels, image in zip(regions, contents)]
            results = []
            for image, labels in zip(contents, maps):
                translation = Regions(labels, style, blend, region_statistics).translation(
                    self.model.inference_generators, source, target)
                results += self.apply(partial(self._at_any_size, translation), [image])
        results = _as_asked(results, output)
        return results if _is_list(content) else results[0]

    @torch.inference_mode()
    def apply(self, function: Callable, images: Sequence[np.ndarray]) -> List[np.ndarray]:
        """What a function makes of images of one size, as one batch.

        Args:
            function (callable): (N, 3, H, W) to (N, 3, H', W'), RGB in [-1, 1], on the device.
            images (Sequence[np.ndarray]): RGB, uint8, (H, W, 3).

        Returns:
            list[np.ndarray]: RGB, uint8, (H', W', 3).
        """
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.amp):
            result = _bytes(function(self._numbers(_tensor(images))))
        return list(result.permute(0, 2, 3, 1).numpy())

    def _check_options(self, output: str, batch_size: int) -> None:
        if output not in ('array', 'pil'):
            raise UserError(f"output must be 'array' or 'pil', got {output!r}")
        check_integers(self, 1, batch_size=batch_size)

    def _check_styles(self, style: Union[Style, Dict[int, Style]], regions: bool) -> None:
        """Refuses what are no styles of :meth:`style`, of whole images or of regions."""
        styles = list(style.values()) if isinstance(style, dict) else [style]
        for one in styles:
            if not isinstance(one, (torch.Tensor, tuple, type(None))):
                raise UserError('style must be what style() gives, got '
                                f'{type(one).__name__}; an exemplar becomes one by '
                                'style([exemplar])')
        if isinstance(style, dict) != regions:
            raise UserError('A dict of styles by label needs regions, the label maps that say '
                            'where each goes' if isinstance(style, dict) else
                            'regions need a dict of styles by label, such as {0: style, 1: other}, '
                            f'got {type(style).__name__}')
        takes_styles = self.model.inference_generators.takes_styles
        for one in styles:
            if takes_styles == (one is None):
                raise UserError('style must be what style() of this model gives: got '
                                + ('None, which models without AdaIN alone take' if one is None
                                   else 'one, but its translations depend on no exemplar'))
            rows = 1 if one is None else len(one[0] if isinstance(one, tuple) else one)
            if rows != 1:
                raise UserError(f'style has {rows} rows: expected one for all contents, as '
                                'style([exemplar, ...]) mixes of exemplars')

    def _at_any_size(self, translation: Callable, images: torch.Tensor) -> torch.Tensor:
        """A translation of images whose sides the stride need not divide."""
        height, width = images.shape[-2:]
        return translation(fitted(images, self.model.stride))[..., :height, :width]

    def _in_batches(self, whole: Callable, in_tiles: Callable,
                    samples: List[Tuple[np.ndarray, ...]], batch_size: int) -> List[np.ndarray]:
        """Images (H, W, 3) that the functions make of tuples of images.

        Args:
            whole (callable): Takes batches, RGB in [-1, 1]; the first one of N images, the others
                of N, or of one for all.
            in_tiles (callable): Takes a :class:`TiledTranslation` and images as that takes them.
            samples (list[tuple[np.ndarray, ...]]): RGB, (H, W, 3).
            batch_size (int): At most so many at once.
        """
        results = []
        for shapes, group in groupby(samples, lambda sample: [image.shape for image in sample]):
            group = list(group)
            side, number = self._tile_side(shapes), batch_size
            if side:
                number = 1
                tiled = self._tiled(side)
            elif self.tile != 0:
                pixels = max(height * width for height, width, _ in shapes)
                number = max(min(batch_size, WHOLE_PIXELS // pixels), 1)
            for start in range(0, len(group), number):
                first, *others = zip(*group[start:start + number])
                others = [images[:1] if all(image is images[0] for image in images) else images
                          for images in others]
                batches = [_tensor(images) for images in (first, *others)]
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.amp):
                    if side:
                        result = in_tiles(tiled, *batches)
                    else:
                        result = _bytes(whole(*map(self._numbers, batches)))
                results.extend(result.permute(0, 2, 3, 1).numpy())
        return results

    def _tiled(self, side: int) -> TiledTranslation:
        return TiledTranslation(
            self.model.inference_generators, side, self._numbers, _bytes, progress=True)

    def _tile_side(self, shapes: Sequence[Tuple[int, int, int]]) -> int:
        """Side of the tiles that images of these shapes, (H, W, 3), are cut into; 0: none."""
        if self.tile is not None:
            return self.tile if max(max(shape[:2]) for shape in shapes) > self.tile else 0
        large = max(height * width for height, width, _ in shapes) > WHOLE_PIXELS
        return TILE if large and self.model.inference_generators.works_in_tiles else 0

    def _numbers(self, images: torch.Tensor) -> torch.Tensor:
        """Bytes as RGB in [-1, 1] on the model's device and of its type, (N, 3, H, W)."""
        numbers = images.to(self.device).float() / 127.5 - 1
        weight = next(self.model.inference_generators.parameters(), numbers)
        return numbers.to(weight.dtype)  # which a caller may have changed by model.half()


def _tensor(images: Sequence[np.ndarray]) -> torch.Tensor:
    """Bytes, (N, 3, H, W)."""
    images = np.stack(images) if len(images) > 1 else images[0][None]
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def _bytes(images: torch.Tensor) -> torch.Tensor:
    """RGB in [-1, 1] as bytes on the CPU, (N, 3, H, W)."""
    return ((images.float().clamp(-1, 1) + 1) * 127.5).round().byte().cpu()


def _as_asked(images: List[np.ndarray], output: str) -> list:
    return [Image.fromarray(image) for image in images] if output == 'pil' else images


def _is_list(images: Images) -> bool:
    if isinstance(images, np.ndarray):
        return images.ndim == 4
    return hasattr(images, '__iter__') and not isinstance(
        images, (str, bytes, os.PathLike, Image.Image))


def _listed(images: Images) -> List[ImageLike]:
    return list(images) if _is_list(images) else [images]


def _pixels(image: ImageLike) -> np.ndarray:
    """RGB uint8, (H, W, 3)."""
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or (
                image.ndim == 3 and image.shape[2] not in (3, 4)) or not image.size:
            raise UserError('An array must be uint8, (H, W), (H, W, 3) or (H, W, 4) in RGB order; '
                            f'got {image.dtype}, {image.shape}')
        image = Image.fromarray(image)
    return np.array(load_image(image))


def load_image(image: Union[str, os.PathLike, Image.Image]) -> Image.Image:
    """Opens an image upright and in RGB.

    Returns:
        Image: RGB, upright; files as :func:`egscit_mm.utils.images.read_image` reads them.

    Raises:
        ValueError: If it is no path or PIL image, or the file is no readable image.
    """
    if isinstance(image, Image.Image):
        try:
            if 0 in image.size:
                raise BadInputError('it has no pixels')
            return to_rgb(upright(image))
        except (BadInputError, OSError) as error:
            raise UserError(f'The {image.mode} image cannot be read: {error}') from error
    if not isinstance(image, (str, os.PathLike)):
        raise UserError('An image must be a path, a PIL image or a uint8 array, got '
                        f'{type(image).__name__}')
    return Image.fromarray(read_image(image))
