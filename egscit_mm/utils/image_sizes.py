# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Images of several sizes: what to do with a batch of them.

MMagic's DataPreprocessor pads the smaller images of a batch with black, which every normalisation
of the networks sees: a result would depend on the images that happen to be beside it.
"""
import functools
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Union

import torch
from torch import Tensor

from .errors import UserError

# The reflecting convolutions of the deepest encoder (MUNIT's of the style: four strides) need it.
MIN_SIDE = 16


def fitted(images: Tensor, stride: int) -> Tensor:
    """Images continued at the bottom and on the right, by reflection, to sides an encoder can take.

    Args:
        images (Tensor): (N, C, H, W).
        stride (int): What the sides must be divisible by.

    Returns:
        Tensor: (N, C, H', W'), at least :data:`MIN_SIDE`; the images themselves where they fit.
    """
    for axis in (-2, -1):
        side = images.shape[axis]
        wanted = side + max(-side % stride, MIN_SIDE - side)
        if wanted > side:
            # As often as needed: 0 1 2 1 0 1 ...
            places = torch.arange(wanted, device=images.device) % max(2 * side - 2, 1)
            places = torch.minimum(places, (2 * side - 2 - places).abs())
            images = images.index_select(axis, places)
    return images


def stacked(images: Sequence[Tensor]) -> Union[Tensor, list[Tensor]]:
    """Images (C, H, W) as one tensor (N, C, H, W); as a list where they differ in size."""
    images = list(images)
    same = all(image.shape == images[0].shape for image in images)
    return torch.stack(images) if same else images


def groups(keys: Sequence[Hashable]) -> list[list[int]]:
    """The places of equal keys, in the order of the first of each."""
    places: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
        places.setdefault(key, []).append(index)
    return list(places.values())


def map_equal(function: Callable, items: Sequence, keys: Sequence[Hashable]) -> list:
    """Results for the items, in their order, of a function that takes those of equal keys at once.

    Args:
        function (callable): ``list of items -> iterable`` of one result per item.
        items (Sequence): The items.
        keys (Sequence): One for each of them.
    """
    results: list = [None] * len(items)
    for places in groups(keys):
        for place, result in zip(places, function([items[place] for place in places])):
            results[place] = result
    return results


def same_size_parts(batch: dict) -> Iterator[tuple[list[int], dict]]:
    """Cuts a batch into parts whose images have one size by key.

    Args:
        batch (dict): Of a dataloader: ``inputs``, by key a tensor (N, C, H, W) or a list of images
            (C, H, W), and ``data_samples``.

    Yields:
        tuple[list[int], dict]: Which samples of the batch they are, and a batch of them alone.

    Raises:
        ValueError: If one key has fewer images than another.
    """
    inputs, samples = batch['inputs'], batch['data_samples']
    check_numbers(inputs)
    for places in groups([_shapes(inputs, sample, index) for index, sample in enumerate(samples)]):
        if len(places) == len(samples):
            yield places, batch
        else:
            yield places, dict(
                batch,
                inputs={key: [images[i] for i in places] for key, images in inputs.items()},
                data_samples=[samples[i] for i in places])


def map_parts(function: Callable, batch: dict) -> list:
    """Results for the samples of a batch of a function that takes its :func:`same_size_parts`."""
    results: list = [None] * len(batch['data_samples'])
    for places, part in same_size_parts(batch):
        for place, result in zip(places, function(part)):
            results[place] = result
    return results


def first_samples(batch: dict, number: int) -> dict:
    """A batch of the first samples of a batch, at most so many."""
    return dict(
        batch,
        inputs={key: images[:number] for key, images in batch['inputs'].items()},
        data_samples=batch['data_samples'][:number])


def in_order(parts: dict[tuple, dict[str, dict[str, Tensor]]]) -> dict[str, dict[str, Any]]:
    """Puts the grids of :func:`same_size_parts` together again.

    Args:
        parts (dict): By the places of a part, grids by name, each with rows (N, 3, H, W) by name.

    Returns:
        dict[str, dict[str, Tensor | list[Tensor]]]: The same grids with the images of all parts in
        the order of their places, as from :func:`stacked`.
    """
    places = [place for part in parts for place in part]
    order = sorted(range(len(places)), key=places.__getitem__)
    first = next(iter(parts.values()))
    if len(parts) == 1:
        return first
    rows_of = {
        (grid, name): [image for part in parts.values() for image in part[grid][name]]
        for grid, rows in first.items() for name in rows
    }
    return {
        grid: {name: stacked([rows_of[grid, name][index] for index in order]) for name in rows}
        for grid, rows in first.items()
    }


def _shapes(inputs: dict, sample: Any, index: int) -> tuple:
    """Of all images of a sample, ground truths included."""
    own = [value.shape for _, value in sample.items() if isinstance(value, Tensor)]
    return (*(tuple(images[index].shape) for images in inputs.values()), *map(tuple, own))


def by_size(step: Callable) -> Callable:
    """Makes a model's ``test_step`` independent of what else is in the batch.

    Args:
        step (callable): ``(model, data) -> list`` of one result per sample.
    """

    @functools.wraps(step)
    def test_step(self, data: dict) -> list:
        if not isinstance(data, dict) or not isinstance(data.get('inputs'), dict) or not isinstance(
                data.get('data_samples'), (list, tuple)):
            return step(self, data)
        return map_parts(functools.partial(step, self), data)

    return test_step


def check_training_sizes(images_by_key: dict, samples: Sequence, across_keys: bool) -> None:
    """Refuses training images of several sizes.

    Args:
        images_by_key (dict): By key, a tensor (N, C, H, W) or images (C, H, W).
        samples (Sequence[DataSample]): With their paths.
        across_keys (bool): Whether the images of all keys must have one size; else, those of each.

    Raises:
        ValueError: Naming two files and their sizes.
    """
    first = None
    for key, images in images_by_key.items():
        if not across_keys:
            first = None
        for index, image in enumerate(images):
            here = key, index, tuple(image.shape)
            first = first or here
            if here[2] != first[2]:
                names = [_name(samples, *place[:2]) for place in (first, here)]
                what = f'the images of {key}' if key == first[0] else (
                    f'the images of {first[0]} and {key}')
                per = 'in all domains' if across_keys else 'per domain'
                raise UserError(
                    f'{what} differ in size: {names[0]} is (C, H, W) = {first[2]}, {names[1]} is '
                    f'{here[2]}. A training needs images of one size {per}; make such a set with '
                    'tools/dataset_converters/folders.py --size H W')
            if isinstance(images, Tensor):
                break  # all of them have its size


def check_numbers(images_by_key: dict) -> None:
    """Refuses a batch with fewer images of one domain than of another.

    Raises:
        ValueError: With their numbers.
    """
    numbers = {key: len(images) for key, images in images_by_key.items()}
    if len({*numbers.values()}) > 1:
        raise UserError(f'The batch has different numbers of images by domain, {numbers}: image i '
                        'of each goes with image i of the others.')


def check_channels(images_by_key: dict, samples: Sequence, channels: int) -> None:
    """Refuses images that have not the channels of the networks.

    Args:
        images_by_key (dict): By key, a tensor (N, C, H, W) or images (C, H, W).
        samples (Sequence[DataSample]): With their paths.
        channels (int): What the networks take.

    Raises:
        ValueError: Naming a file and the setting to change.
    """
    for key, images in images_by_key.items():
        for index, image in enumerate(images):
            if image.ndim != 3 or len(image) != channels:
                remedy = "set color_type='color' in every LoadImageFromFile of the pipelines, " \
                    'which reads grey files, too, as three equal channels'
                if channels != 3:
                    remedy += ', and in_channels and out_channels of all networks to 3'
                raise UserError(
                    f'{_name(samples, key, index)} was loaded as (C, H, W) = '
                    f'{tuple(image.shape)}, but the networks take {channels} channels: {remedy}')
            if isinstance(images, Tensor):
                break


def check_values(images_by_key: dict, samples: Sequence) -> None:
    """Refuses images that a pipeline has normalised, as the preprocessor will do it again.

    Args:
        images_by_key (dict): By key, a tensor (N, C, H, W) or images (C, H, W), in 0..255.
        samples (Sequence[DataSample]): With their paths.

    Raises:
        ValueError: Naming a file, if its values are those of [-1, 1] or of unit deviation.
    """
    for key, images in images_by_key.items():
        if not len(images) or not images[0].is_floating_point():
            continue
        low, high = images[0].min(), images[0].max()
        if high < 5 and (low < 0 or images[0].frac().any()):  # not just black
            raise UserError(
                f'{_name(samples, key, 0)} has values of {low:.3g} to {high:.3g} where 0 to 255 '
                'were expected: leave Normalize, RescaleToZeroOne and the like out of the '
                'pipelines; model.data_preprocessor does it.')


def _name(samples: Sequence, key: str, index: int) -> str:
    path = samples[index].get(f'{key}_path') if index < len(samples) else None
    return str(path) if path else f'image {index} of {key}'
