# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Inference of the models that translate an image after an exemplar, however they are trained."""
from abc import abstractmethod
from typing import Callable, Dict, Optional, Tuple

import torch
from torch import Tensor, nn

from ...utils.errors import UserError
from ...utils.image_sizes import fitted
from .domain_queries import DomainQueries
from .image_model import ImageModel, Images
from .samples import fake_key


class ExemplarGuidedModel(ImageModel, DomainQueries):
    """What inferencer, evaluation and reports ask of a model.

    A subclass has a ``stride``, which image sides must be divisible by, and implements
    :attr:`inference_generators`.
    """

    stride: int
    own_part: Optional[str] = None  # of the generators, that tells the model's checkpoints
    has_weights = True  # whether there is something to train, and a checkpoint to load

    @property
    @abstractmethod
    def inference_generators(self) -> nn.Module:
        """A :class:`Translator`, whose ``translate`` makes one image after another."""

    def translation(self,
                    image: Tensor,
                    target_domain: Optional[str] = None,
                    exemplar: Optional[Tensor] = None,
                    source_domain: Optional[str] = None) -> Tensor:
        """Translates images to the style of exemplars.

        Args:
            image (Tensor): Content, RGB in [-1, 1], (N, 3, H, W), H and W divisible by ``stride``.
            target_domain (str | None): Domain of the result; the default domain if None.
            exemplar (Tensor): Images of the target domain, RGB in [-1, 1], (N or 1, 3, H', W'),
                perhaps of another size.
            source_domain (str | None): Domain of the content; with two domains it is the other one.

        Returns:
            Tensor: RGB in [-1, 1], (N, 3, H, W).

        Raises:
            ValueError: If a domain is unknown, both are the same, or one cannot do without.
        """
        source_domain, target_domain = self.direction(source_domain, target_domain)
        if exemplar is None:
            raise UserError(
                f'{type(self).__name__} translates after an exemplar: give "exemplar", images of '
                f'domain {target_domain!r}, (N or 1, 3, H, W), RGB in [-1, 1], or use '
                'egscit_mm.apis.EGSCITInferencer.')
        return self.inference_generators.translate(image, exemplar, source_domain, target_domain)

    def translation_at_any_size(self, image: Tensor, target_domain: str, exemplar: Tensor,
                                source_domain: str, translation: Optional[Callable] = None):
        """:meth:`translation` of images whose sides the stride need not divide.

        Content and exemplar are continued by reflection, the result is cut to the content's size.

        Args:
            image (Tensor): As for :meth:`translation`, and so are the next three.
            target_domain (str): Domain of the result.
            exemplar (Tensor): Images of the target domain.
            source_domain (str): Domain of the content.
            translation (callable | None): A compiled :meth:`translation` to call in its place.
        """
        height, width = image.shape[-2:]
        result = (translation or self.translation)(
            fitted(image, self.stride), target_domain, fitted(exemplar, self.stride), source_domain)
        return result[..., :height, :width]

    def test_images(self, images: Images) -> Dict[str, Tuple[Tensor, str]]:
        """Translations in every direction, image i of one domain after image i of the other.

        They have the content's size, and the names of :func:`~.samples.fake_key`.
        """
        return {
            fake_key(self.domains, s, t): (
                self.translation_at_any_size(images[s], t, images[t], s), f'img_{t}')
            for s, t in self.inference_generators.directions
        }

    @torch.no_grad()
    def rows(self, images: Images) -> Dict[str, Dict[str, Tensor]]:
        """Pictures to look at during training, one grid per direction. Call it in eval mode.

        Args:
            images (dict[str, Tensor]): RGB in [-1, 1] by domain, (N, 3, H, W), of any sizes.

        Returns:
            dict[str, dict[str, Tensor]]: By direction (``A2B``), rows by name (content, exemplar,
            those of :meth:`inner_rows`, translation), each (N, 3, H, W) in [-1, 1], with the
            exemplar's size for the exemplar and the content's for the others.
        """
        return {
            f'{source}2{target}': dict(
                content=images[source],
                exemplar=images[target],
                **self.inner_rows(images[source], source),
                translation=self.translation_at_any_size(
                    images[source], target, images[target], source))
            for source, target in self.inference_generators.directions
        }

    def inner_rows(self, content: Tensor, source: str) -> Dict[str, Tensor]:
        """Rows by name that show how the model sees the content; none here."""
        return {}
