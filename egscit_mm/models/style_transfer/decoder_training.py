# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What the models of style transfer share, and how those are trained that have a decoder."""
from abc import abstractmethod
from typing import Dict, Optional, Sequence

import torch.nn.functional as F
from mmagic.registry import MODELS
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from ...utils.checks import check_domains, check_same_shape
from ...utils.wrappers import unwrapped
from ..base.checks import check_finite, check_preprocessor, check_state
from ..base.exemplar_guided import ExemplarGuidedModel
from ..base.image_model import Images
from ..base.updates import means, weight_norm
from ..layers import at_least_float32


class StyleTransfer(ExemplarGuidedModel):
    """Gives any image the style of any other, by the features of a frozen VGG.

    Args:
        generator (dict): Config of the networks, a :class:`VGGTranslator`.
        domains (Sequence[str]): Names of the domains. Defaults to ('A', 'B').
        default_domain (str | None): Target domain where none is given; the last one by default.
        data_preprocessor (dict | None): MMagic's ``DataPreprocessor`` to RGB in [-1, 1].

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(self,
                 generator: dict,
                 domains: Sequence[str] = ('A', 'B'),
                 default_domain: Optional[str] = None,
                 data_preprocessor: Optional[dict] = None):
        super().__init__(data_preprocessor)
        check_domains(self, domains, 2)
        self.domains = tuple(domains)
        self._default_domain = default_domain or self.domains[-1]
        self._check_domain(self._default_domain)
        self.generators = MODELS.build(dict(generator, domains=self.domains))
        network = self.generators.image_network
        self.in_channels = network.in_channels
        check_preprocessor(self.data_preprocessor, self.in_channels)
        self.stride = network.stride

    @property
    def inference_generators(self) -> nn.Module:
        """The networks."""
        return unwrapped(self.generators)

    def init_weights(self) -> None:
        """Initialises the networks, also inside a distributed wrapper."""
        self.inference_generators.init_weights()


class DecoderTraining(StyleTransfer):
    """Base of the methods that train a decoder of the VGG's features, and no discriminators.

    Checkpoints hold the weights of the VGG, too: a decoder fits no other one.

    A subclass sets ``default_loss_weights`` and implements :meth:`losses`.

    Args:
        loss_weights (dict[str, float] | None): Overrides of ``default_loss_weights``.
        **kwargs: Arguments of :class:`StyleTransfer`.

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(self, loss_weights: Optional[Dict[str, float]] = None, **kwargs):
        super().__init__(**kwargs)
        self.loss_weights = self._filled_in(loss_weights or {})

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args, **kwargs) -> None:
        """Refuses a checkpoint of another model, see :func:`check_state`."""
        check_state(type(self).__name__, dict(generators=self.generators), state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    @abstractmethod
    def losses(self, images: Images) -> Dict[str, Tensor]:
        """Weighted loss terms of a batch, by name."""

    def train_step(self, data: dict, optim_wrapper: OptimWrapper) -> Dict[str, float]:
        """One update of the decoders by a batch.

        Args:
            data (dict): Batch of the dataloader: ``inputs`` with ``img_<domain>``, and
                ``data_samples``.
            optim_wrapper (OptimWrapper): Of the decoders.

        Returns:
            dict[str, float]: Every weighted loss term under its name, and ``loss``, their sum.

        Raises:
            ValueError: If the networks cannot take the images.
            FloatingPointError: If a loss or, after the update, a weight is not finite.
        """
        self.check_batch(data)
        images = self.images_by_domain(self.data_preprocessor(data, True)['inputs'])
        with optim_wrapper.optim_context(self.generators):
            losses = self.losses(images)
            losses['loss'] = sum(losses.values())
        optim_wrapper.update_params(losses['loss'])
        logs = {name: [value.detach()] for name, value in losses.items()}
        floats = means({**logs, 'weights of the decoder': weight_norm(self.generators)})
        check_finite(floats, logs, self._files(data))
        return {name: floats[name] for name in logs}


def squared_error(x: Tensor, y: Tensor) -> Tensor:
    """Mean squared difference of equal shapes, scalar, in float32 or wider."""
    check_same_shape('squared_error', x=x, y=y)
    return F.mse_loss(at_least_float32(x), at_least_float32(y))
