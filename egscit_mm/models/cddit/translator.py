# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Generator side of CDD-IT: what domains share, what is exclusive to each, recombined."""
from typing import Dict, Iterable

from mmagic.registry import MODELS
from mmengine.model import ModuleDict
from torch import Tensor

from ..layers import reverse_gradient
from ..networks.generator_side import CodeTranslator, check_codes_fit
from .networks import pair_key

FLOWS = ('translation', 'autoencoding', 'exclusive', 'codes')


@MODELS.register_module()
class CDDITTranslator(CodeTranslator):
    """Encoder and decoder of every domain, exclusive decoder of every direction (its Fig. 2).

    ::

        S_s, E_s = encoder_s (x_s)
        x_st = decoder_t (S_s, z),  z ~ N(0, I)         translation in training
        x_t' = decoder_t (S_s, E_t)                     swapped autoencoder, for x_s and x_t a pair
        x_st^ex = exclusive decoder_st (reverse (E_s))  what E_s should not be able to make
        x_st = decoder_t (S_s, E_t)                     translation after x_t, in eval mode

    Args:
        encoder (dict): Config of the :class:`CDDITEncoder`.
        decoder (dict): Config of the :class:`CDDITDecoder`, for the exclusive ones, too.
        **kwargs: Arguments of :class:`GeneratorSide`.

    Raises:
        ValueError: If there are fewer than two domains, or the networks do not fit together.
    """

    def __init__(self, encoder: dict, decoder: dict, **kwargs):
        super().__init__(**kwargs)
        self.encoders = self.by_domain(encoder)
        self.decoders = self.by_domain(decoder)
        self.exclusive_decoders = ModuleDict({
            pair_key(*direction): MODELS.build(dict(decoder, takes_shared=False))
            for direction in self.directions})
        encoder, decoder = (group[self.domains[0]] for group in (self.encoders, self.decoders))
        check_codes_fit(encoder, encoder, decoder)
        self.style_dim = encoder.style_dim

    def forward(self, images: Dict[str, Tensor], flows: Iterable[str] = ('translation', )) -> dict:
        """Computes the flows of one minibatch.

        Args:
            images (dict[str, Tensor]): RGB in [-1, 1] by domain, each (N, 3, H, W). In training
                image i of a domain is the true translation of image i of the others, in eval mode
                its exemplar.
            flows (Iterable[str]): Which of ``translation``, ``autoencoding``, ``exclusive`` and
                ``codes`` (those of the translation, encoded again, which needs it) to compute.

        Returns:
            dict: ``shared`` {d: (N, C, h, w)}, ``style`` {d: (N, style_dim)}, and of the flows
            asked for: ``translation`` {(s, t): x_st} with ``translation_style``, ``autoencoding``
            {(s, t): x_t'}, ``exclusive`` {(s, t): x_st^ex}, ``recovered_shared`` and
            ``recovered_style`` {(s, t): codes of x_st}; images in [-1, 1].
        """
        flows = set(flows)
        shared, own_styles = {}, {}
        for s, x_s in images.items():
            shared[s], own_styles[s] = self.run(self.encoders[s], x_s)
        outputs = dict(shared=shared, style=own_styles)
        if 'translation' in flows:
            outputs.update(self.translated(self.decoders, images, shared, own_styles))
            x_st = outputs['translation']
        if 'autoencoding' in flows:
            outputs['autoencoding'] = {
                (s, t): self.run(self.decoders[t], shared[s], own_styles[t])
                for s, t in self.directions}
        if 'exclusive' in flows:
            outputs['exclusive'] = {
                (s, t): self.run(self.exclusive_decoders[pair_key(s, t)], shared[s],
                                 reverse_gradient(own_styles[s]))
                for s, t in self.directions}
        if 'codes' in flows:
            outputs['recovered_shared'], outputs['recovered_style'] = {}, {}
            for s, t in self.directions:
                (outputs['recovered_shared'][s, t],
                 outputs['recovered_style'][s, t]) = self.run(self.encoders[t], x_st[s, t])
        return outputs

    def encode_style(self, exemplar: Tensor, target: str) -> Tensor:
        """Exclusive codes (N, style_dim) of exemplars (N, 3, H', W') of domain ``target``."""
        return self.encoders[target](exemplar)[1]

    def translate_to_style(self, content: Tensor, style: Tensor, source: str,
                           target: str) -> Tensor:
        """Translates content images to exclusive codes.

        Args:
            content (Tensor): RGB in [-1, 1] of domain ``source``, (N, 3, H, W).
            style (Tensor): Exclusive codes, (N or 1, style_dim).
            source (str): Domain of the content.
            target (str): Domain of the code and the result.

        Returns:
            Tensor: RGB in [-1, 1], (N, 3, H, W).
        """
        return self.decoders[target](self.encoders[source](content)[0], style)
