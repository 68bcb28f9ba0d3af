# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Unpaired images of several domains, and their test ground truths."""
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Callable, Optional, Union

import numpy as np
from mmagic.registry import DATASETS
from mmengine.dataset import BaseDataset, force_full_init
from torch.utils.data import get_worker_info

from ..utils.checks import check_domains
from ..utils.errors import MissingFileError, UserError
from ..utils.images import read_image
from ..utils.listing import IMAGE_SUFFIXES, list_images, why_unusable
from .seeded_sampler import SeededIndex

NUM_NAMED = 5  # files in an error


@DATASETS.register_module()
class ExemplarImageDataset(BaseDataset):
    """Unpaired images of two or more domains in CycleGAN's folder layout.

    ::

        data_root
        |-- trainA, trainB      images of each domain, searched recursively
        |-- trainA2B, trainB2A  optional: true translations for methods that train on pairs
        |-- testA, testB
        `-- testA2B, testB2A    optional: ground truths of the test translations

    Files with one of :data:`egscit_mm.utils.listing.IMAGE_SUFFIXES` count, in any case, and are
    taken in sorted order; hidden files and links in circles are left out
    (:func:`egscit_mm.utils.listing.walk_files`).

    In training the dataset has as many samples as its largest domain has images. Sample i holds
    image i of that domain; the images of every other domain come in an order of their own, a new
    permutation after each pass, so that all are seen equally often and each epoch pairs
    differently. An index of :class:`SeededInfiniteSampler` decides on the place in these orders and
    seeds the generators for its sample: partners and augmentation do not depend on the process that
    loads it, nor on what was loaded before. With other samplers every process draws its orders for
    itself: from NumPy's global generator or, in a worker, from the seed that PyTorch gave it.

    With ``pairs`` the training is on pairs, and so no longer unsupervised: every sample holds an
    image of ``train<source>`` and, for the other domains, the image of the same place in
    ``train<source>2<target>``, its true translation. All sources that have such folders are used,
    one after the other.

    In test mode the pairs are fixed: sample i holds image i of each domain, and a smaller
    domain starts again after its last image. ``testA2B`` holds, in sorted order, the image i of
    testA in the style of image i of testB.

    A sample has the keys ``img_<domain>_path`` and, in test mode for every ground-truth folder
    that exists, ``gt_<source>2<target>_path``.

    Unlike MMagic's UnpairedImageDataset this one takes domains as data, keeps the paths in one
    block of memory that workers share, finds ground truths and names the image that cannot be
    read.

    Args:
        data_root (str | Path): Local folder that holds the domain folders.
        pipeline (Sequence[dict | Callable]): Transforms, at least one LoadImage per key.
        test_mode (bool): Whether to read the test folders instead of the training folders.
        domains (Sequence[str]): Names of the domains, the endings of the folder names.
        pairs (bool): Whether the training images of a sample are true translations of each other;
            the test images are those without it. Defaults to False.
        indices (int | Sequence[int], optional): Take only these samples, an int N for the
            first N. Meant for a quick validation on part of the test set.

    Raises:
        ValueError: If there are fewer than two domains, one is named twice or two directions would
            have the same name, if a file is empty or a link leads nowhere, or if the ground truths
            or true translations do not match the images in number or, where both share some, in
            their names.
        FileNotFoundError: If a folder is missing or has no images, or there are no pairs.
    """

    def __init__(self,
                 data_root: Union[str, Path],
                 pipeline: Sequence[Union[dict, Callable]],
                 test_mode: bool = False,
                 domains: Sequence[str] = ('A', 'B'),
                 pairs: bool = False,
                 indices: Optional[Union[int, Sequence[int]]] = None) -> None:
        check_domains(self, domains, 2)
        self.domains = tuple(domains)
        self.pairs = pairs and not test_mode
        self._orders: dict[str, tuple] = {}  # by domain, the pass and its permutation
        self._rest: dict[str, list[int]] = {}  # what a process has still to draw of one of its own
        self._generator: Optional[np.random.Generator] = None  # of a worker
        super().__init__(
            data_root=str(data_root),
            pipeline=list(pipeline),
            test_mode=test_mode,
            indices=indices,
            # A transform that returns None must not make MMEngine take another sample in silence.
            max_refetch=0)

    def load_data_list(self) -> list[dict]:
        """Find the images."""
        if self.pairs:
            return self._training_pairs()
        phase = 'test' if self.test_mode else 'train'
        images = {domain: self._find_images(phase + domain) for domain in self.domains}
        self._num_images = {domain: len(paths) for domain, paths in images.items()}
        self._largest_domain = max(self.domains, key=self._num_images.get)
        length = self._num_images[self._largest_domain]

        columns = {f'img_{domain}_path': paths for domain, paths in images.items()}
        if self.test_mode:
            for source, target in permutations(self.domains, 2):
                folder = f'test{source}2{target}'
                if Path(self.data_root, folder).is_dir():
                    truths = self._find_images(folder)
                    # A smaller source domain would be repeated with exemplars that its ground
                    # truths do not show.
                    if not len(truths) == len(images[source]) == length:
                        raise UserError(
                            f'{Path(self.data_root, folder)} holds {len(truths)} ground truths, '
                            f'but {Path(self.data_root, "test" + source)} holds '
                            f'{len(images[source])} images and the test set has {length} pairs '
                            f'({self._num_images}): file i of test{source}2{target} must be image '
                            f'i of test{source} in the style of image i of test{target}. Complete '
                            'the folders or remove the ground truths')
                    self._check_names(folder, truths, f'test{source}', images[source])
                    columns[f'gt_{source}2{target}_path'] = truths
        return [{key: paths[i % len(paths)] for key, paths in columns.items()}
                for i in range(length)]

    def _training_pairs(self) -> list[dict]:
        """Training images with their true translations."""
        folders = {source: {target: f'train{source}2{target}' for target in self.domains
                            if target != source} for source in self.domains}
        sources = [source for source, translations in folders.items() if any(
            Path(self.data_root, folder).is_dir() for folder in translations.values())]
        if not sources:
            expected = ', '.join(folder for translations in folders.values()
                                 for folder in translations.values())
            raise MissingFileError(
                f'{self.data_root} has no pairs to train on: pairs=True needs one of the folders '
                f'{expected}, whose images are the true translations of those in '
                f'train{self.domains[0]} and so on. For digits, '
                'tools/dataset_converters/mnist.py --pairs paints them')
        pairs = []
        for source in sources:
            found = {domain: self._find_images(folders[source].get(domain, f'train{source}'))
                     for domain in self.domains}
            counts = {folders[source].get(domain, f'train{source}'): len(images)
                      for domain, images in found.items()}
            if len(set(counts.values())) > 1:
                raise UserError(
                    f'{self.data_root}: the folders of a pair must hold as many images, got '
                    f'{counts}: file i of train{source}2... must be the true translation of file i '
                    f'of train{source}')
            for domain, translations in found.items():
                self._check_names(folders[source].get(domain, f'train{source}'), translations,
                                  f'train{source}', found[source])
            # Keys in one order for all sources: MMagic compares sets of keys by their order.
            keys = [f'img_{domain}_path' for domain in self.domains]
            pairs += [dict(zip(keys, pair)) for pair in zip(*found.values())]
        return pairs

    def _check_names(self, folder: str, translations: list[str], source: str,
                     images: list[str]) -> None:
        """Refuses translations that are one image off; names without a common one are free."""
        names, own = ([str(Path(path).relative_to(Path(self.data_root, place)).with_suffix(''))
                       for path in paths] for place, paths in ((folder, translations),
                                                               (source, images)))
        if names != own and set(names) & set(own):
            first = next(i for i, pair in enumerate(zip(names, own)) if len(set(pair)) > 1)
            raise UserError(
                f'{translations[first]} would be the true translation of {images[first]}: file i '
                f'of {folder} belongs to file i of {source}, and some have the same names. '
                'Complete the folders, or give each translation the name of its image')

    def _find_images(self, folder: str) -> list[str]:
        path = Path(self.data_root, folder)
        if not path.is_dir():
            found = 'does not exist'
        else:
            files = [str(path / name) for name in list_images(path)]
            _refuse_unusable(files)
            if files:
                return files
            found = f"holds no images ({', '.join(IMAGE_SUFFIXES)})"
        expected = ', '.join(phase + domain for phase in ('train', 'test')
                             for domain in self.domains)
        raise MissingFileError(
            f'data_root={self.data_root!r}: {path} {found}. ExemplarImageDataset expects it to '
            f'hold the folders {expected} with images in each. Set it, or make the folders with '
            'the script for your data in tools/dataset_converters (mnist.py, streets.py, gta5.py, '
            'folders.py, ...); docs/datasets.md has the command of each data set')

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """The paths of a sample; in training, drawn anew at each call (see the class).

        Returns:
            dict: ``img_<domain>_path`` per domain, ``sample_idx``, and in test mode
            ``gt_<source>2<target>_path`` where there are ground truths.
        """
        data_info = super().get_data_info(idx)
        if not self.test_mode and not self.pairs:
            for domain, num_images in self._num_images.items():
                if domain != self._largest_domain:
                    # Each image of a domain stands in exactly one of the first num_images samples.
                    partner = self._partner(domain, min(num_images, len(self)), idx)
                    key = f'img_{domain}_path'
                    data_info[key] = super().get_data_info(partner)[key]
        return data_info

    def _partner(self, domain: str, num_images: int, idx: int) -> int:
        """Which image of a smaller domain a training sample gets."""
        if isinstance(idx, SeededIndex):
            seed, number = idx.place
            current = seed, number // num_images
            if self._orders.get(domain, (None, ))[0] != current:
                # The sampler's own order has two numbers as its seed.
                place = (*current, 1 + self.domains.index(domain))
                self._orders[domain] = current, np.random.default_rng(place).permutation(num_images)
            return int(self._orders[domain][1][number % num_images])
        if not self._rest.get(domain):
            self._rest[domain] = self._random().permutation(num_images).tolist()
        return self._rest[domain].pop()

    def _random(self):
        """NumPy's global generator; in a worker one of its own.

        MMEngine seeds NumPy's alike in the workers of every epoch: each would show the first part
        of the same orders, and some images would never be seen. PyTorch's seeds differ.
        """
        worker = get_worker_info()
        if worker is None:
            return np.random
        if self._generator is None:
            self._generator = np.random.default_rng(worker.seed)
        return self._generator

    def prepare_data(self, idx: int) -> dict:
        """Run the pipeline on a sample; a :class:`SeededIndex` brings its random numbers.

        Raises:
            ValueError: If an image of the sample cannot be read, whatever transform reads it:
                MMagic's LoadImageFromFile fails with errors that name no file.
        """
        if isinstance(idx, SeededIndex):
            idx.seed_generators()
        data_info = self.get_data_info(idx)
        paths = [value for key, value in data_info.items() if key.endswith('_path')]
        try:
            return self.pipeline(data_info)
        except Exception as error:
            unreadable = [reason for reason in map(_why_unreadable, paths) if reason]
            if isinstance(error, KeyError) and not unreadable:
                wanted = str(error.args[0]) if error.args else ''
                if wanted.startswith('gt_') and wanted.endswith('_path'):
                    key = wanted.removesuffix('_path')
                    folder = Path(self.data_root, f'test{key.removeprefix("gt_")}')
                    raise UserError(
                        f'the pipeline loads ground truths, {key}, which there are only in '
                        f'test_mode and with a folder {folder}. Make it, or leave {key} out of the '
                        'LoadImage and PackInputs of the pipeline, and metrics that need ground '
                        'truths out of the evaluator (docs/own_folders.md)') from error
                raise UserError(
                    f'a transform of the pipeline asks for {error}, which the sample does not '
                    f'have: it starts with {", ".join(data_info)}. Correct the keys, or the '
                    'domains, of the pipeline or the dataset (docs/own_folders.md)') from error
            if not unreadable:
                raise
            raise UserError(
                f"cannot read {', '.join(unreadable)}. Replace or delete it") from error


def _refuse_unusable(paths: Sequence[str]) -> None:
    """Refuses what shows without reading it, before any training has begun."""
    unusable = [f'{path} {why}' for path, why in zip(paths, map(why_unusable, paths)) if why]
    if unusable:
        more = f' and {len(unusable) - NUM_NAMED} more' if len(unusable) > NUM_NAMED else ''
        raise UserError(f'cannot read {len(unusable)} of {len(paths)} images: '
                        f'{", ".join(unusable[:NUM_NAMED])}{more}. Replace or delete them')


def _why_unreadable(path: str) -> Optional[str]:
    try:
        read_image(path)
    except ValueError as error:
        return str(error).replace(' is not a readable image: ', ' as an image: ', 1)
    return None
