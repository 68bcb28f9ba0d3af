# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What the generator sides of all models share."""
from itertools import permutations
from typing import Sequence

import torch
from mmagic.registry import MODELS
from mmengine.model import BaseModule, ModuleDict
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ...utils.checks import check_domains
from ...utils.errors import UserError
from ..layers.styles import MeanStyle, Style, check_strength, strengthen


class GeneratorSide(BaseModule):
    """Networks of all domains in one module, so that an update is one forward of it.

    Args:
        domains (Sequence[str]): Names of the domains.
        min_domains (int): How many are needed.
        activation_checkpointing (bool): Whether training keeps only what goes into the networks and
            computes what is inside of them again for the gradient: the same numbers, less memory,
            more time.
        equal_start (bool): Whether the networks of all domains start from the same weights.
            Otherwise chance decides at the start which colours of one domain become which of the
            other, and a cycle is content with any exchange. Defaults to False.

    Raises:
        ValueError: If the domains are no different names or too few.
    """

    def __init__(self,
                 domains: Sequence[str],
                 min_domains: int,
                 activation_checkpointing: bool,
                 equal_start: bool = False):
        super().__init__()
        check_domains(self, domains, min_domains)
        self.domains = tuple(domains)
        self.directions = tuple(permutations(self.domains, 2))  # (source, target)
        self.activation_checkpointing = activation_checkpointing
        self.equal_start = equal_start

    @property
    def image_network(self) -> nn.Module:
        """The network that images pass; all have its ``in_channels`` and ``stride``."""
        return self.encoders[self.domains[0]]

    def init_weights(self) -> None:
        """Initialises all networks; with ``equal_start`` those of all domains alike."""
        super().init_weights()
        if self.equal_start:
            for networks in self.children():
                if isinstance(networks, ModuleDict):
                    first, *others = networks.values()
                    for network in others:
                        network.load_state_dict(first.state_dict())

    def by_domain(self, cfg: dict) -> ModuleDict:
        """One network for each domain."""
        return ModuleDict({domain: MODELS.build(cfg) for domain in self.domains})

    def run(self, network: nn.Module, *inputs: Tensor) -> Tensor:
        """A network's output. Random numbers are drawn outside of the networks, and so once."""
        if self.activation_checkpointing and self.training:
            return checkpoint(network, *inputs, use_reentrant=False)
        return network(*inputs)


class Translator(GeneratorSide):
    """A generator side that translates images to the style of exemplars.

    A style is encoded apart from any content, so that it can be kept, mixed and used again.

    Args:
        domains (Sequence[str]): As for :class:`GeneratorSide`, and so is the next.
        activation_checkpointing (bool): Whether training computes inner values again.
        style_parts (Sequence[str]): Names of the tensors that make a style.
        equal_start (bool): As for :class:`GeneratorSide`.
    """

    works_in_tiles = False  # whether TiledTranslation can cut its images
    styles_regions = False  # whether a style may differ from place to place of the features

    def __init__(self,
                 domains: Sequence[str],
                 activation_checkpointing: bool,
                 style_parts: Sequence[str],
                 equal_start: bool = False):
        super().__init__(domains, 2, activation_checkpointing, equal_start)
        self.mean_styles = ModuleDict(
            {domain: MeanStyle(*style_parts) for domain in self.domains})

    def mean_style(self, target: str) -> Style:
        """The mean style of domain ``target``; None where the model does not know it."""
        return self.mean_styles[target].get()

    def check_strength(self, target: str, strength: float) -> None:
        """Refuses a strength that :meth:`strengthened` cannot give.

        Raises:
            UserError: If it is none of 0..1.5, or is not 1 and the mean style is not known.
        """
        check_strength(strength)
        if strength != 1 and self.mean_style(target) is None:
            raise UserError(
                f'A strength other than 1 needs the mean style of domain {target!r}, which this '
                'checkpoint does not hold: name images of this domain, such as those of its '
                'training or the exemplars, with --mean-of DIR (EGSCITInferencer: '
                'keep_mean_style). To have it in a file, publish the checkpoint of the training, '
                'not a published file, with tools/model_converters/publish_model.py --mean-of '
                f'{target}=DIR.')

    def strengthened(self, style: Style, target: str, strength: float) -> Style:
        """A style of a strength between 0, the mean style of its domain, and 1, itself; up to 1.5.

        Raises:
            UserError: See :meth:`check_strength`.
        """
        self.check_strength(target, strength)
        return style if strength == 1 else strengthen(style, self.mean_style(target), strength)

    def encode_style(self, exemplar: Tensor, target: str) -> Style:
        """Style of exemplars of domain ``target``: all that a translation takes of them."""
        raise NotImplementedError

    def translate_to_style(self, content: Tensor, style: Style, source: str,
                           target: str) -> Tensor:
        """Translates content images to a style of :meth:`encode_style`."""
        raise NotImplementedError

    def translate(self, content: Tensor, exemplar: Tensor, source: str, target: str) -> Tensor:
        """Translates content images to the exemplars' domain and style.

        Args:
            content (Tensor): RGB in [-1, 1] of domain ``source``, (N, 3, H, W).
            exemplar (Tensor): RGB in [-1, 1] of domain ``target``, (N or 1, 3, H', W'); its size
                may differ, for a style has none.
            source (str): Domain of the content.
            target (str): Domain of the exemplar and the result.

        Returns:
            Tensor: RGB in [-1, 1], (N, 3, H, W).
        """
        return self.translate_to_style(
            content, self.encode_style(exemplar, target), source, target)


class CodeTranslator(Translator):
    """A translator whose style is a code, of which training draws from N(0, I).

    A subclass has ``style_dim``, the length of the code.

    Args:
        domains (Sequence[str]): As for :class:`GeneratorSide`, and so are the next two.
        activation_checkpointing (bool): Whether training computes inner values again.
        equal_start (bool): Whether the networks of all domains start from the same weights.
    """

    style_dim: int

    def __init__(self,
                 domains: Sequence[str],
                 activation_checkpointing: bool,
                 equal_start: bool = False):
        super().__init__(domains, activation_checkpointing, ('code', ), equal_start)

    def prior_style(self, images: Tensor) -> Tensor:
        """Style codes drawn from N(0, I), one per image: (N, style_dim)."""
        return torch.randn(len(images), self.style_dim, device=images.device, dtype=images.dtype)

    def mean_style(self, target: str) -> Tensor:
        """That of the prior N(0, I), unless another one was kept: (1, style_dim)."""
        kept = super().mean_style(target)
        return next(self.parameters()).new_zeros(1, self.style_dim) if kept is None else kept


def check_codes_fit(encoder: nn.Module, style_encoder: nn.Module, decoder: nn.Module) -> None:
    """Refuses encoders of content and style and a decoder that do not fit together.

    Raises:
        ValueError: If they differ in the channels of the content or the length of the code.
    """
    ends = encoder.out_channels, style_encoder.style_dim
    starts = decoder.in_channels, decoder.style_dim
    if ends != starts:
        raise UserError(
            f'The encoders end with {ends[0]} channels and a code of {ends[1]} numbers, the '
            f'decoder starts with {starts[0]} and {starts[1]}; give them the same base_channels, '
            'numbers of layers and style_dim.')
