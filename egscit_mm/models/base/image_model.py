# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What every model does with the batches of a dataloader, however it is trained."""
from abc import abstractmethod
from typing import Dict, List, Tuple

import torch
from mmagic.models.data_preprocessors import DataPreprocessor
from mmengine.model import BaseModel
from torch import Tensor

from ...utils.checks import check_weights
from ...utils.errors import UserError
from ...utils.image_sizes import (
    by_size,
    check_channels,
    check_numbers,
    check_training_sizes,
    check_values,
)
from .samples import packed_samples

Images = Dict[str, Tensor]  # by domain, RGB in [-1, 1], (N, 3, H, W)


class ImageModel(BaseModel):
    """A model of images by domain: checks of a batch, and tests.

    A subclass has ``domains`` and ``in_channels`` and implements :meth:`test_images`.
    """

    domains: Tuple[str, ...]
    in_channels: int  # of the images
    memory_format = torch.contiguous_format  # in which the networks get them
    one_size_for_all_domains = False  # whether an update mixes the images of several domains
    default_loss_weights: Dict[str, float]

    def _filled_in(self, weights: Dict[str, float]) -> Dict[str, float]:
        """The default weights with these in place of theirs."""
        unknown = set(weights) - set(self.default_loss_weights)
        if unknown:
            raise UserError(f'loss_weights has unknown keys {sorted(unknown)}; known are '
                            f'{sorted(self.default_loss_weights)}')
        check_weights('The model', 'loss_weights', weights)
        return {**self.default_loss_weights, **weights}

    # ----------------------------------------------------------------- tests

    @abstractmethod
    def test_images(self, images: Images) -> Dict[str, Tuple[Tensor, str]]:
        """What a test makes of real images, which have any size, but one per domain.

        Returns:
            dict: By the name of a data sample's field: images, RGB in [-1, 1], (N, 3, H, W), and
            the input key whose channel order they get.
        """

    @by_size
    @torch.no_grad()
    def test_step(self, data: dict) -> list:
        """Makes :meth:`test_images` of a batch of images of any sizes, each as if it were alone.

        Returns:
            list[DataSample]: With them, BGR 0..255, (3, H, W).
        """
        self.check_test_batch(data)
        data = self.data_preprocessor(data)
        outputs = self.test_images(self.images_by_domain(data['inputs']))
        return packed_samples(self.data_preprocessor, data['data_samples'], outputs)

    val_step = test_step

    # ----------------------------------------------------------------- batches

    def check_batch(self, data: dict) -> None:
        """Refuses training images that the preprocessor would pad or the networks cannot take.

        Raises:
            ValueError: Naming files, what they have and what to do.
        """
        images = self.check_test_batch(data)
        check_training_sizes(images, data.get('data_samples') or [], self.one_size_for_all_domains)

    def check_test_batch(self, data: dict) -> dict:
        """Refuses images that the networks cannot take; returns those of the domains.

        Raises:
            ValueError: If a domain has fewer than another, other channels than the networks, or
                values that are normalised already.
        """
        inputs = data['inputs']
        if not isinstance(inputs, dict):
            return {}  # images_by_domain refuses it
        images = {f'img_{domain}': inputs[f'img_{domain}'] for domain in self.domains
                  if f'img_{domain}' in inputs}
        check_numbers(images)
        samples = data.get('data_samples') or []
        check_channels(images, samples, self.in_channels)
        if isinstance(self.data_preprocessor, DataPreprocessor):
            check_values(images, samples)
        return images

    def images_by_domain(self, inputs: Dict[str, Tensor]) -> Images:
        """Picks ``img_<domain>`` of every domain, each (N, 3, H, W)."""
        missing = [f'img_{d}' for d in self.domains if f'img_{d}' not in inputs]
        if missing:
            raise UserError(
                f'The batch has no {missing}, only {sorted(inputs)}: the domains of the model '
                f'{self.domains}, of the dataset and the keys of PackInputs must agree.')
        if not all(isinstance(inputs[f'img_{d}'], Tensor) and inputs[f'img_{d}'].is_floating_point()
                   for d in self.domains):
            raise UserError('The images of the batch are as the files have them, not RGB in '
                            "[-1, 1]: set model.data_preprocessor to MMagic's DataPreprocessor, "
                            'as configs/egscit/_base_/models does.')
        return {
            domain: inputs[f'img_{domain}'].contiguous(memory_format=self.memory_format)
            for domain in self.domains
        }

    def _files(self, data: dict) -> List[str]:
        """Where the images of a batch come from."""
        return [str(sample.get(f'img_{domain}_path', f'img_{domain} without a path'))
                for sample in data.get('data_samples') or [{}] for domain in self.domains]
