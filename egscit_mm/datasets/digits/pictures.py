# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Which pictures the digit tasks have: MNIST-Single, with letters too, and MNIST-Multiple."""
from collections import Counter
from pathlib import Path
from typing import NamedTuple, Union

import cv2
import numpy as np

from ..conversion.errors import ConversionError
from .characters import Characters
from .multiple import NUM_DIGITS, Palette, draw_cells, draw_palette, paint_multiple
from .single import STYLES, Style, binarize, draw_style, paint

PNG_COMPRESSION = 1  # 0..9; the pictures are tiny, so speed counts for more than size
# Characters by source and split.
Sources = dict[str, dict[str, Characters]]


class SinglePicture(NamedTuple):
    """A character in two colours.

    Args:
        name (str): File name.
        source (str): Where the character is from, a key of :data:`Sources`.
        split (str): 'train' or 'test'.
        character (int): Its index in this split of the source.
        style (str): Name of its style.
    """

    name: str
    source: str
    split: str
    character: int
    style: str

    def paint(self, sources: Sources) -> np.ndarray:
        """RGB image, uint8 (28, 28, 3)."""
        image = sources[self.source][self.split].images[self.character]
        return paint(binarize(image), _STYLES[self.style])

    def origin(self) -> dict:
        """What the manifest tells."""
        return dict(digit=self.character, style=self.style)


class MultiplePicture(NamedTuple):
    """The ten digits in the cells of a grid.

    Args:
        name (str): File name.
        source (str): Where the digits are from, a key of :data:`Sources`.
        split (str): 'train' or 'test'.
        characters (tuple[int, ...]): Index of digit k in this split of the source, at place k.
        cells (tuple[int, ...]): The cell of digit k, at place k.
        style (Palette): The colours.
    """

    name: str
    source: str
    split: str
    characters: tuple[int, ...]
    cells: tuple[int, ...]
    style: Palette

    def paint(self, sources: Sources) -> np.ndarray:
        """RGB image, uint8 (112, 112, 3)."""
        images = sources[self.source][self.split].images
        return paint_multiple([binarize(images[index]) for index in self.characters], self.cells,
                              self.style)

    def origin(self) -> dict:
        """What the manifest tells."""
        return dict(digits=self.characters, cells=self.cells, background=_hex(
            self.style.background), colours=[_hex(colour) for colour in self.style.digits])


Picture = Union[SinglePicture, MultiplePicture]
# Pictures by folder.
Plan = dict[str, list[Picture]]

_STYLES: dict[str, Style] = {name: style for named in STYLES.values()
                             for name, style in named.items()}


def plan_single(sources: Sources, source_of: dict[str, str], counts: dict[str, int],
                rng: np.random.RandomState) -> Plan:
    """Decide the pictures of MNIST-Single.

    Args:
        sources (Sources): The characters.
        source_of (dict[str, str]): Source by domain.
        counts (dict[str, int]): Pictures per domain by split.
        rng (np.random.RandomState): Chooses characters and styles.

    Returns:
        Plan: The pictures of every folder, in the order of their names.

    Raises:
        ConversionError: If a split has too few characters to give every picture its own.
    """
    plan = {}
    users = Counter(source_of.values())
    for split, count in counts.items():
        for source, num_domains in users.items():
            available = len(sources[source][split].labels)
            if count * num_domains > available:
                raise ConversionError(
                    f'--num-{split} {count} needs {count * num_domains} of {source} (every domain '
                    f'has its own), which has {available} for {split}: ask for at most '
                    f'{available // num_domains}')
        for domain, chosen in _deal(sources, source_of, split, dict.fromkeys(users, count),
                                    rng).items():
            labels = sources[source_of[domain]][split].labels
            plan[split + domain] = [
                SinglePicture(f'{i:05d}_{labels[index]}.png', source_of[domain], split, index,
                              draw_style(domain, labels[index], split, rng))
                for i, index in enumerate(chosen.tolist())
            ]
    return plan | _ground_truths(plan)


def plan_multiple(sources: Sources, source_of: dict[str, str], counts: dict[str, int],
                  rng: np.random.RandomState) -> Plan:
    """Decide the pictures of MNIST-Multiple.

    A domain draws from its own share of a split's digits, and may draw a digit again for another
    picture.

    Args:
        sources (Sources): The digits.
        source_of (dict[str, str]): Source by domain.
        counts (dict[str, int]): Pictures per domain by split.
        rng (np.random.RandomState): Chooses digits, cells and colours.

    Returns:
        Plan: The pictures of every folder, in the order of their names.

    Raises:
        ConversionError: If a domain's share of a split lacks one of the ten digits.
    """
    plan = {}
    users = Counter(source_of.values())
    for split, count in counts.items():
        width = max(5, len(str(count - 1)))  # names sort as their numbers do
        shares = {source: len(sources[source][split].labels) // num_domains
                  for source, num_domains in users.items()}
        for domain, chosen in _deal(sources, source_of, split, shares, rng).items():
            source = source_of[domain]
            labels = sources[source][split].labels[chosen]
            by_label = [chosen[labels == label] for label in range(NUM_DIGITS)]
            for label, indices in enumerate(by_label):
                if not len(indices):
                    raise ConversionError(f'domain {domain} has no {label} among its {len(chosen)} '
                                          f'{split} digits of {source}: give a larger source')
            plan[split + domain] = [
                MultiplePicture(
                    f'{i:0{width}d}.png', source, split,
                    tuple(int(indices[rng.randint(len(indices))]) for indices in by_label),
                    draw_cells(rng), draw_palette(domain, rng)) for i in range(count)
            ]
    return plan | _ground_truths(plan)


def plan_pairs(sources: Sources, plan: Plan, rng: np.random.RandomState) -> Plan:
    """Decide the true translations of the training pictures, for methods that train on pairs.

    Their styles are drawn as those of the other domain's training pictures are, with its bias: a
    pair shows no digit in a style that the unpaired training set would not.

    Args:
        sources (Sources): The characters.
        plan (Plan): Of MNIST-Single or MNIST-Multiple.
        rng (np.random.RandomState): Chooses styles; after all else, so that the other pictures are
            the same without pairs.

    Returns:
        Plan: The pictures of trainA2B and trainB2A, in the order of their names.
    """

    def style(picture: Picture, domain: str):
        if isinstance(picture, MultiplePicture):
            return draw_palette(domain, rng)
        label = sources[picture.source][picture.split].labels[picture.character]
        return draw_style(domain, label, picture.split, rng)

    first, second = STYLES
    return {
        f'train{source}2{target}': [
            picture._replace(style=style(picture, target)) for picture in plan[f'train{source}']
        ]
        for source, target in ((first, second), (second, first))
    }


def _deal(sources: Sources, source_of: dict[str, str], split: str, counts: dict[str, int],
          rng: np.random.RandomState) -> dict[str, np.ndarray]:
    """Indices for each domain, as many as ``counts`` says of its source, no index for two."""
    order = {source: rng.permutation(len(sources[source][split].labels)) for source in counts}
    dealt = {}
    for domain, source in source_of.items():
        dealt[domain], order[source] = np.split(order[source], [counts[source]])
    return dealt


def _ground_truths(plan: Plan) -> Plan:
    """The test pictures of each domain in the styles of the other one's."""
    first, second = STYLES
    return {
        f'test{content}2{exemplar}': [
            picture._replace(style=example.style) for picture, example in zip(
                plan[f'test{content}'], plan[f'test{exemplar}'], strict=True)
        ]
        for content, exemplar in ((first, second), (second, first))
    }


def _hex(colour: tuple[int, int, int]) -> str:
    return '#' + bytes(colour).hex()


def write_picture(sources: Sources, root: Path, task: tuple[str, Picture]) -> None:
    """Paint a picture and write it as PNG.

    Args:
        sources (Sources): The characters.
        root (Path): Folder with the folders of the data set.
        task (tuple[str, Picture]): The picture's folder there, and the picture.
    """
    folder, picture = task
    _, png = cv2.imencode('.png', cv2.cvtColor(picture.paint(sources), cv2.COLOR_RGB2BGR),
                          [cv2.IMWRITE_PNG_COMPRESSION, PNG_COMPRESSION])
    # Not cv2.imwrite, which tells neither why it failed nor that the disk is full.
    (root / folder / picture.name).write_bytes(png)
