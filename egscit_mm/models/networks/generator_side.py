# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What the generator sides of all models share."""
from itertools import permutations
from typing import Dict, Sequence

import torch
from mmagic.registry import MODELS
from mmengine.model import BaseModule, ModuleDict
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ...utils.checks import check_domains
from ...utils.errors import UserError
from ..layers.styles import MeanStyle, Style, check_strength, strengthen


class GeneratorSide(BaseModule):
    """Networks of all domains in one module: a distributed wrapper needs one forward per backward.

    Args:
        min_domains (int): How many domains a subclass needs.
        domains (Sequence[str]): Names of the domains. Defaults to ('A', 'B').
        equal_start (bool): Whether the networks of all domains start from the same weights.
            Otherwise chance decides at the start which colours of one domain become which of the
            other, and a cycle is content with any exchange. Defaults to False.
        activation_checkpointing (bool): Whether training keeps only what goes into the networks and
            computes what is inside of them again for the gradient: the same numbers, less memory,
            more time. Defaults to False.

    Raises:
        ValueError: If the domains are no different names or too few.
    """

    def __init__(self,
                 min_domains: int,
                 /,
                 domains: Sequence[str] = ('A', 'B'),
                 equal_start: bool = False,
                 activation_checkpointing: bool = False):
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
        style_parts (Sequence[str]): Names of the tensors that make a style of a subclass.
        **kwargs: Arguments of :class:`GeneratorSide`.
    """

    works_in_tiles = False  # whether TiledTranslation can cut its images
    makes_masks = False  # whether feature masks weight the content
    takes_styles = True  # whether exemplars matter
    takes_statistics = False  # whether AdaIN may get styles of regions, statistics of other frames

    def __init__(self, style_parts: Sequence[str], /, **kwargs):
        super().__init__(2, **kwargs)
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
        **kwargs: Arguments of :class:`GeneratorSide`.
    """

    style_dim: int

    def __init__(self, **kwargs):
        super().__init__(('code', ), **kwargs)

    def prior_style(self, images: Tensor) -> Tensor:
        """Style codes drawn from N(0, I), one per image: (N, style_dim)."""
        return torch.randn(len(images), self.style_dim, device=images.device, dtype=images.dtype)

    def translated(self, decoders: ModuleDict, images: Dict[str, Tensor],
                   contents: Dict[str, Tensor], own_styles: Dict[str, Tensor]) -> Dict[str, dict]:
        """Translations in every direction: to codes of the prior, in eval mode to the exemplars'.

        Args:
            decoders (ModuleDict): By domain, of a content and a code.
            images (dict[str, Tensor]): By domain, (N, 3, H, W).
            contents (dict[str, Tensor]): By domain, what the decoders take of them.
            own_styles (dict[str, Tensor]): Their codes by domain, (N, style_dim), for eval mode.

        Returns:
            dict: ``translation`` {(s, t): x_st} and ``translation_style`` {(s, t): its code}.
        """
        styles = {(s, t): self.prior_style(images[s]) if self.training else own_styles[t]
                  for s, t in self.directions}
        return dict(translation={(s, t): self.run(decoders[t], contents[s], styles[s, t])
                                 for s, t in self.directions}, translation_style=styles)

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
