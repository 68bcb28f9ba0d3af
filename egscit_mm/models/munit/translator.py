# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Generator side of MUNIT: content and style codes of every domain, recombined."""
from typing import Dict, Iterable

from mmagic.registry import MODELS
from torch import Tensor

from ..networks.generator_side import CodeTranslator, check_codes_fit

FLOWS = ('reconstruction', 'translation', 'codes', 'cycle')


@MODELS.register_module()
class MUNITTranslator(CodeTranslator):
    """Content encoder, style encoder and decoder of every domain (MUNIT's Fig. 2-3).

    ::

        c_s = content encoder_s (x_s),   s_t = style encoder_t (x_t)
        x_ss = decoder_s (c_s, s_s)              reconstruction
        x_st = decoder_t (c_s, s),  s ~ N(0, I)  translation in training
        x_st = decoder_t (c_s, s_t)              translation after an exemplar, in eval mode

    Args:
        encoder (dict): Config of the :class:`MUNITContentEncoder`.
        style_encoder (dict): Config of the :class:`MUNITStyleEncoder`.
        decoder (dict): Config of the :class:`MUNITDecoder`.
        **kwargs: Arguments of :class:`GeneratorSide`.

    Raises:
        ValueError: If there are fewer than two domains, or the networks do not fit together.
    """

    def __init__(self, encoder: dict, style_encoder: dict, decoder: dict, **kwargs):
        super().__init__(**kwargs)
        self.encoders = self.by_domain(encoder)
        self.style_encoders = self.by_domain(style_encoder)
        self.decoders = self.by_domain(decoder)
        networks = [group[self.domains[0]]
                    for group in (self.encoders, self.style_encoders, self.decoders)]
        check_codes_fit(*networks)
        self.style_dim = networks[1].style_dim

    def forward(self, images: Dict[str, Tensor], flows: Iterable[str] = FLOWS) -> dict:
        """Computes the flows of one minibatch.

        Args:
            images (dict[str, Tensor]): RGB in [-1, 1] by domain, each (N, 3, H, W); sizes may
                differ. In eval mode image i of a domain is the exemplar of image i of the others.
            flows (Iterable[str]): Which of ``reconstruction``, ``translation``, ``codes`` (those of
                the translation, encoded again) and ``cycle`` to compute; the last two need the
                translation. Defaults to all.

        Returns:
            dict: ``content`` {d: (N, C, h, w)}, and of the flows asked for: ``reconstruction``
            {d: x_dd}, ``translation`` {(s, t): x_st} with ``translation_style`` {(s, t): (N,
            style_dim)}, ``recovered_content`` and ``recovered_style`` {(s, t): codes of x_st},
            ``cycle`` {(s, t): x_sts}; images in [-1, 1].
        """
        flows = set(flows)
        contents = {s: self.run(self.encoders[s], x_s) for s, x_s in images.items()}
        own_styles = {}
        if not self.training or flows & {'reconstruction', 'cycle'}:
            own_styles = {s: self.run(self.style_encoders[s], x_s) for s, x_s in images.items()}
        outputs = dict(content=contents)
        if 'reconstruction' in flows:
            outputs['reconstruction'] = {
                s: self.run(self.decoders[s], contents[s], own_styles[s]) for s in self.domains}
        if 'translation' in flows:
            outputs.update(self.translated(self.decoders, images, contents, own_styles))
            x_st = outputs['translation']
        if flows & {'codes', 'cycle'}:
            recovered = {(s, t): self.run(self.encoders[t], x_st[s, t])
                         for s, t in self.directions}
        if 'codes' in flows:
            outputs['recovered_content'] = recovered
            outputs['recovered_style'] = {(s, t): self.run(self.style_encoders[t], x_st[s, t])
                                          for s, t in self.directions}
        if 'cycle' in flows:
            outputs['cycle'] = {(s, t): self.run(self.decoders[s], recovered[s, t], own_styles[s])
                                for s, t in self.directions}
        return outputs

    def encode_style(self, exemplar: Tensor, target: str) -> Tensor:
        """Style codes (N, style_dim) of exemplars (N, 3, H', W') of domain ``target``."""
        return self.style_encoders[target](exemplar)

    def translate_to_style(self, content: Tensor, style: Tensor, source: str,
                           target: str) -> Tensor:
        """Translates content images to style codes.

        Args:
            content (Tensor): RGB in [-1, 1] of domain ``source``, (N, 3, H, W).
            style (Tensor): Style codes, (N or 1, style_dim).
            source (str): Domain of the content.
            target (str): Domain of the style and the result.

        Returns:
            Tensor: RGB in [-1, 1], (N, 3, H, W).
        """
        return self.decoders[target](self.encoders[source](content), style)
