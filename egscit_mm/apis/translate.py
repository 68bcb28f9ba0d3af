# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Translation of folders of images into files."""
import io
import os
import random
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence

import numpy as np
from mmengine.config import Config
from PIL import Image, ImageOps
from tqdm import tqdm

from ..utils.ahead import Bounded, ahead, worker_threads
from ..utils.errors import UserError
from ..utils.files import alone_in, check_folder, check_outputs, write_output
from ..utils.images import DECODED_FORMATS
from ..utils.listing import FoundImage, find_images, left_out, why_unusable
from ..utils.records import RECORD, fingerprint, keep_record, recipe
from ..visualization.grid import PADDING
from ..visualization.translation_page import write_translation_page
from .inferencer import WHOLE_PIXELS, EGSCITInferencer, load_image
from .shared_style import SharedStyle

PAIRINGS = ('each', 'random', 'all', 'matrix')
MATRIX, PAGE = 'matrix.png', 'index.html'
GREY = '#808080'  # between the images of a matrix, as in all grids
MAX_MATRIX = 1024  # translations in one picture, which lies in memory
MAX_THREADS = 8
PIXELS_AHEAD, IMAGES_AHEAD = 2**23, 64  # that are read before, or wait to be written, at most
EXEMPLARS_KEPT = 32  # decoded images; where all contents share a few, they are read once
SMALL = 64  # pixels: narrower images are enlarged by the browser without smoothing


@dataclass
class FolderTranslation:
    """Contents, exemplars and options of a translation into a folder.

    Args:
        config (Config): Of the model, as :func:`egscit_mm.config.read_config` reads it.
        checkpoint (str): Its checkpoint, or a published file.
        content (Sequence[str]): Files, folders and patterns, as
            :func:`egscit_mm.utils.listing.find_images` takes them.
        exemplar (Sequence[str]): The same.
        out (Path): Folder for the translations.
        pairing (str): One of :data:`PAIRINGS`; ``'matrix'``: all with all, as one picture.
        seed (int): Of the random pairing.
        source_domain (str | None): Domain of the contents; with two domains the other one if None.
        target_domain (str | None): Domain of the exemplars; the model's default if None.
        batch_size (int): So many are translated together.
        masks (bool): Whether to write the feature masks of the contents, too.
        html (bool): Whether to write a page of all.
        device (str | None): A GPU where there is one if None.
        amp (bool | None): Whether to compute in bfloat16; None: as :class:`EGSCITInferencer` does.
        tile (int | None): Side of the tiles that larger images are cut into, in pixels; 0: none;
            None: as :class:`EGSCITInferencer` does.
        strength (float): Of the styles, see :class:`EGSCITInferencer`.
        mean_of (Sequence[str]): Images whose mean style is that of strength 0, as for ``content``;
            the one that the model holds if empty.
        shared (SharedStyle | None): What all exemplars are together, in place of a pairing.
    """

    config: Config
    checkpoint: str
    content: Sequence[str]
    exemplar: Sequence[str]
    out: Path
    pairing: str = 'each'
    seed: int = 0
    source_domain: Optional[str] = None
    target_domain: Optional[str] = None
    batch_size: int = 8
    masks: bool = False
    html: bool = False
    device: Optional[str] = None
    amp: Optional[bool] = None
    tile: Optional[int] = None
    strength: float = 1.
    mean_of: Sequence[str] = ()
    shared: Optional[SharedStyle] = None

    def run(self) -> List[str]:
        """Translates what is not there yet, and prints what was done.

        Returns:
            list[str]: Which images could not be read, and why.

        Raises:
            UserError: If contents, exemplars, options and model do not go together, a file would
                replace another one, another run writes to the folder, or nothing can be written.
        """
        contents, exemplars = find_images(self.content), find_images(self.exemplar)
        for folders in (self.content, self.exemplar):
            if others := left_out(folders):
                kinds = ', '.join(f'{count} {kind or "without suffix"}'
                                  for kind, count in others.items())
                print(f'Left out of {", ".join(map(str, folders))}, no images by their names: '
                      f'{kinds}')
        is_matrix = self.pairing == 'matrix'
        pairs = [] if is_matrix else pair_images(contents, exemplars, self.pairing, self.seed)
        sides = [image.path for image in contents], [image.path for image in exemplars]
        mean_of = [image.path for image in find_images(self.mean_of)]
        if self.shared is not None:
            self.shared.check([image.name for image in contents], sides[1])
        elif self.pairing == 'each' and (unused := sides[1][len(contents):]):
            print(f'{len(unused)} of {len(exemplars)} exemplars, such as {unused[0]}, are not '
                  'used, for there are fewer contents: --pairing all and --pairing matrix use all.')
        self._check_places(pairs, *sides)
        inferencer = EGSCITInferencer(
            self.config, self.checkpoint, self.device, self.amp, tile=self.tile)
        self.amp = inferencer.amp
        source, target = inferencer.model.direction(self.source_domain, self.target_domain)
        if len(inferencer.model.domains) > 2:  # else the target says it, also in older folders
            self.source_domain, self.target_domain = source, target
        if self.masks and not inferencer.has_masks:
            raise UserError(f'{self.config.filename} has a model without feature masks: leave '
                            '--masks out.')
        if is_matrix and len(contents) * len(exemplars) > MAX_MATRIX:
            raise UserError(f'A matrix of {len(contents)} contents and {len(exemplars)} exemplars '
                            f'is too large for one picture (at most {MAX_MATRIX} translations); '
                            'give fewer, or use --pairing all.')
        if not mean_of:
            inferencer.model.inference_generators.check_strength(target, self.strength)
        self.out.mkdir(parents=True, exist_ok=True)
        with alone_in(self.out, 'translation', '--out'):
            keep_record(self.out, self._recipes(pairs, *sides, mean_of))
            if mean_of:
                inferencer.keep_mean_style(tqdm(mean_of, 'mean style', leave=False), target)
            if is_matrix:
                return self._write_matrix(inferencer, *sides)
            style = None if self.shared is None else self.shared.style(
                inferencer, sides[1], self.strength, target)
            unreadable = self._translate(inferencer, pairs, style)
            if self.html:
                self._write_page(pairs)
            if not unreadable:
                print(f'{len(pairs)} translations in {self.out}')
            return unreadable

    def _check_places(self, pairs: list, contents: list, exemplars: list) -> None:
        """Refuses a run that would replace what it reads, or one result by another."""
        check_folder(self.out, f'--out {self.out}')
        out = os.path.realpath(self.out)  # Path.resolve() raises where links lead in circles
        inside = [path for path in contents if Path(out) in Path(os.path.realpath(path)).parents]
        if inside and self.pairing != 'matrix':
            raise UserError(f'The content {inside[0]} lies in --out {self.out}, where its '
                            'translation could replace it: choose another folder.')
        if self.pairing == 'matrix':
            files = [(self.out / MATRIX, 'the matrix')]
        else:
            files = [(self.out / pair.name, f'the translation of {pair.content}') for pair in pairs]
        if self.masks:
            files += [(self._mask_path(pair), f'the mask of {pair.content}') for pair in pairs]
        if self.html:
            files.append((self.out / PAGE, 'the results page'))
        files.append((self.out / RECORD, 'the record of what is there'))
        check_outputs(files, [*contents, *exemplars, self.config.filename, self.checkpoint])

    def _mask_path(self, pair: 'Pair') -> Path:
        return self.out / 'masks' / pair.name.with_suffix('.png')

    def _is_done(self, pair: 'Pair') -> bool:
        return (self.out / pair.name).is_file() and (
            not self.masks or self._mask_path(pair).is_file())

    def _recipes(self, pairs: list, contents: list, exemplars: list,
                 mean_of: list) -> Dict[str, str]:
        """What each picture of this run is made of, by its name in the output folder."""
        model = (fingerprint(self.checkpoint), self.config.model, self.source_domain,
                 self.target_domain, self.amp)
        paths = dict.fromkeys([*contents, *exemplars, *mean_of])
        known = {path: fingerprint(path) for path in tqdm(paths, 'fingerprints', leave=False)}
        if self.strength != 1:
            model += self.strength, [known[path] for path in mean_of]
        if self.pairing == 'matrix':
            return {MATRIX: recipe(model, *[[known[path] for path in side]
                                            for side in (contents, exemplars)])}
        if self.shared is not None:
            model = recipe(model, [known[path] for path in exemplars])
            return {pair.name.as_posix(): recipe(
                model, known[pair.content], self.shared.made_of(pair.name)) for pair in pairs}
        model = recipe(model)  # once, not for each of many thousand pairs
        made_of = {pair.name.as_posix(): recipe(model, known[pair.content], known[pair.exemplar])
                   for pair in pairs}
        if self.masks:
            made_of.update({self._mask_path(pair).relative_to(self.out).as_posix():
                            recipe(model, known[pair.content]) for pair in pairs})
        return made_of

    def _translate(self, inferencer: EGSCITInferencer, pairs: list, style) -> List[str]:
        """Translates pairs into files; returns what could not be read.

        Threads read the next images and write those that are done, beside the network.
        """
        formats = Image.registered_extensions()
        exemplar_image = lru_cache(EXEMPLARS_KEPT)(load_image)

        def read(pair: 'Pair') -> tuple:
            try:
                content = load_image(pair.content)
                images = content, (exemplar_image(pair.exemplar) if self.shared is None
                                   else self.shared.read_labels(pair.name, content))
                if formats.get(pair.name.suffix.lower()) not in Image.SAVE:
                    raise UserError(f'{pair.content}: unknown image format {pair.name.suffix!r}; '
                                    'rename it, to .png for example')
                return pair, images, None
            except UserError as error:
                return pair, None, str(error)

        unreadable = []
        todo = [pair for pair in pairs if not self._is_done(pair)]
        with tqdm(total=len(pairs), initial=len(pairs) - len(todo), unit='image') as progress, \
                worker_threads(min(os.cpu_count() or 1, MAX_THREADS)) as threads:
            writing = Bounded(threads, PIXELS_AHEAD)
            images = ahead(threads, read, todo, lambda pair: _weight(_pixels(pair.content)),
                           PIXELS_AHEAD)
            for batch in self._batches(images):
                unreadable += [error for _, _, error in batch if error]
                translated = [(pair, *images) for pair, images, error in batch if not error]
                if translated:
                    for result in self._results(inferencer, style, *zip(*translated)):
                        weight = _weight(result[1].size // 3)
                        while not writing.fits(weight):
                            writing.next()
                        writing.submit(weight, self._write, *result)
                progress.update(len(batch))
            while writing.tasks:
                writing.next()
        return unreadable

    def _batches(self, images: Iterable[tuple]) -> Iterator[List[tuple]]:
        """What is translated together: so many images, or a large one."""
        batch, pixels = [], 0
        for image in images:
            batch.append(image)
            pixels += image[1][0].width * image[1][0].height if image[1] else 0
            if len(batch) == self.batch_size or pixels > WHOLE_PIXELS:
                yield batch
                batch, pixels = [], 0
        if batch:
            yield batch

    def _results(self, inferencer: EGSCITInferencer, style, pairs: tuple, contents: tuple,
                 exemplars: tuple) -> Iterator[tuple]:
        """Pairs, their translations and their masks, if any."""
        domains = dict(target_domain=self.target_domain, source_domain=self.source_domain)
        if self.shared is not None:
            results = inferencer.translate_to_style(
                contents, style, batch_size=self.batch_size, **domains,
                **self.shared.options(exemplars))
        else:
            results = inferencer(contents, exemplars, return_masks=self.masks,
                                 batch_size=self.batch_size, strength=self.strength, **domains)
        results, masks = results if self.masks else (results, [None] * len(pairs))
        return zip(pairs, results, masks)

    def _write(self, pair: 'Pair', image: np.ndarray, mask: Optional[np.ndarray]) -> None:
        # The mask first: a translation that is there has its mask.
        if mask is not None:
            write_output(self._mask_path(pair), encoded(mask, '.png'))
        write_output(self.out / pair.name, encoded(image, pair.name.suffix))

    def _write_matrix(self, inferencer: EGSCITInferencer, contents: list,
                      exemplars: list) -> List[str]:
        """Writes the matrix of all images that can be read; returns which cannot."""
        sides, unreadable = [], []
        for paths in (contents, exemplars):
            sides.append([])
            for path in paths:
                try:
                    sides[-1].append(load_image(path))
                except UserError as error:
                    unreadable.append(str(error))
        if all(sides):
            if not (self.out / MATRIX).exists():
                picture = translation_matrix(inferencer, *sides, self.target_domain,
                                             self.batch_size, self.source_domain, self.strength)
                write_output(self.out / MATRIX, encoded(picture, '.png'))
            print(f'{self.out / MATRIX}: {len(sides[0])} contents after {len(sides[1])} exemplars')
        return unreadable

    def _write_page(self, pairs: list) -> None:
        rows = [(pair.content, pair.exemplar, *([self._mask_path(pair)] if self.masks else []),
                 self.out / pair.name) for pair in pairs if self._is_done(pair)]
        if rows:
            columns = ['content', 'exemplar', *(['feature mask'] if self.masks else []),
                       'translation']
            with Image.open(rows[0][0]) as first:
                small = first.width < SMALL
            write_translation_page(self.out / PAGE, f'Translations in {self.out.name}', columns,
                                   rows, small)
            print(f'Page: {self.out / PAGE}')


class Pair(NamedTuple):
    """One translation.

    Args:
        content (Path): Image to translate.
        exemplar (Path): Image whose style it takes.
        name (Path): Of the result, inside the output folder.
    """

    content: Path
    exemplar: Path
    name: Path


def pair_images(contents: Sequence[FoundImage], exemplars: Sequence[FoundImage], pairing: str,
                seed: int) -> List[Pair]:
    """Which content is translated after which exemplar, and into which file.

    Args:
        contents (Sequence[FoundImage]): From :func:`find_images`.
        exemplars (Sequence[FoundImage]): The same.
        pairing (str): ``'each'``: content i after exemplar i, in turn where there are fewer;
            ``'random'``: after one drawn by the seed and the content's name, whatever other
            contents there are; ``'all'``: after every exemplar, into a folder for each of them.
        seed (int): Of ``'random'``.

    Returns:
        list[Pair]: In the order of the contents; of ``'all'`` the exemplars', then the contents'.

    Raises:
        UserError: If two contents have the same name, or two exemplars would have the same folder.
    """
    known: Dict[Path, Path] = {}
    for name, path in contents:
        if name not in known:
            known[name] = path
        elif known[name] == path:
            raise UserError(f'The content {path} is given twice, and its translation would '
                            'overwrite the other one: give it once; --pairing all and --pairing '
                            'matrix translate it after every exemplar.')
        else:
            raise UserError(
                f'The contents {known[name]} and {path} have the same name {name}: the translation '
                'of one would overwrite that of the other. Translate the folders one by one, or '
                'give the folder that holds both.')
    styles = [path for _, path in exemplars]
    if pairing == 'all':
        folders: Dict[Path, Path] = {}
        for name, path in exemplars:
            folder = name.with_suffix('')
            if folder in folders:
                raise UserError(f'The exemplars {folders[folder]} and {path} would share the '
                                f'folder {folder}: rename one of them, or give it once.')
            folders[folder] = path
        return [
            Pair(content, exemplar, folder / name) for folder, exemplar in folders.items()
            for name, content in contents
        ]
    pairs = []
    for index, (name, content) in enumerate(contents):
        if pairing == 'random':
            # A seed of its own for each: a content that is added changes no other's exemplar.
            exemplar = random.Random(f'{seed}:{name.as_posix()}').choice(styles)
        else:
            exemplar = styles[index % len(styles)]
        pairs.append(Pair(content, exemplar, name))
    return pairs


def translation_matrix(inferencer: EGSCITInferencer,
                       contents: Sequence[Image.Image],
                       exemplars: Sequence[Image.Image],
                       target_domain: Optional[str] = None,
                       batch_size: int = 8,
                       source_domain: Optional[str] = None,
                       strength: float = 1.) -> np.ndarray:
    """Translates all contents after all exemplars and puts the results into one picture.

    Args:
        inferencer (EGSCITInferencer): Translates them.
        contents (Sequence[Image]): The first column, RGB. All cells have the size of the first
            one; images of another shape are fitted into it, on grey.
        exemplars (Sequence[Image]): The first row, RGB.
        target_domain (str | None): Domain of the exemplars; the model's default if None.
        batch_size (int): So many are translated together. Defaults to 8.
        source_domain (str | None): Domain of the contents; with two domains the other one if None.
        strength (float): Of the styles. Defaults to 1.

    Returns:
        np.ndarray: RGB, uint8, (H', W', 3).
    """
    size = contents[0].size
    cells = len(exemplars) + 1, len(contents) + 1
    # In bytes from the start: as numbers, a picture of photographs would not fit into memory.
    picture = Image.new('RGB', [
        number * (side + PADDING) + PADDING for number, side in zip(cells, size)], GREY)

    def place(image, column, row):
        picture.paste(ImageOps.pad(image, size, color=GREY), tuple(
            number * (side + PADDING) + PADDING for number, side in zip((column, row), size)))

    for column, exemplar in enumerate(exemplars, 1):
        place(exemplar, column, 0)
    for row, content in enumerate(tqdm(contents, unit='row'), 1):
        place(content, 0, row)
        (translations, ) = inferencer(
            [content], exemplars, target_domain, pairing='matrix', output='pil',
            batch_size=batch_size, source_domain=source_domain, strength=strength)
        for column, translation in enumerate(translations, 1):
            place(translation, column, row)
    return np.array(picture)


def _pixels(path: Path) -> int:
    """Of an image file, by its header; 0 where it cannot be read, which its reader tells."""
    try:
        if why_unusable(path):
            return 0
        with Image.open(path, formats=DECODED_FORMATS) as image:
            return image.width * image.height
    except Exception:  # each format of Pillow fails in its own way
        return 0


def _weight(pixels: int) -> int:
    """Of an image under way: so that neither large ones nor many small ones fill the memory."""
    return max(pixels, PIXELS_AHEAD // IMAGES_AHEAD)


def encoded(image: np.ndarray, suffix: str) -> bytes:
    """Content of an image file of the format that the suffix names."""
    kind = Image.registered_extensions()[suffix.lower()]
    options = dict(JPEG=dict(quality=95, subsampling=0), WEBP=dict(lossless=True)).get(kind, {})
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format=kind, **options)
    return buffer.getvalue()
