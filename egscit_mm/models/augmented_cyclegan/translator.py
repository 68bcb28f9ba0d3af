# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Generator side of Augmented CycleGAN: images with codes of every domain, in cycles."""
from typing import Dict, Iterable

import torch
from mmagic.registry import MODELS
from torch import Tensor, nn

from ...utils.errors import UserError
from ..networks.generator_side import CodeTranslator

FLOWS = ('translation', 'source_style', 'recovered_style', 'cycle')


@MODELS.register_module()
class AugmentedTranslator(CodeTranslator):
    """Generator and latent encoder of every domain (the paper's Sec. 3.1, Fig. 3).

    ::

        x_st = G_t (x_s, z_t),  z_t ~ N(0, I)    translation in training
        z_s = E_s (x_st, x_s)                    what of x_s is not in x_st
        x_sts = G_s (x_st, z_s)                  cycle
        x_st = G_t (x_s, z),  z = E_t (x_ts, x_t),  x_ts = G_s (x_t, 0)
                                                 translation after an exemplar x_t, in eval mode

    Both domains are augmented, as in the paper; its release does so with one of them. So the way
    from the exemplar to the other domain needs a code, too: it takes 0, the mean of the prior.

    Args:
        image_generator (dict): Config of the :class:`ConditionalResnet`.
        latent_encoder (dict): Config of the :class:`LatentEncoder`.
        **kwargs: Arguments of :class:`GeneratorSide`.

    Raises:
        ValueError: If there are fewer than two domains, or the networks do not fit together.
    """

    def __init__(self, image_generator: dict, latent_encoder: dict, **kwargs):
        super().__init__(**kwargs)
        self.image_generators = self.by_domain(image_generator)
        self.latent_encoders = self.by_domain(latent_encoder)
        generator, encoder = (group[self.domains[0]]
                              for group in (self.image_generators, self.latent_encoders))
        if generator.style_dim != encoder.style_dim:
            raise UserError(
                f'The latent encoder ends with {encoder.style_dim} numbers, the generator takes '
                f'{generator.style_dim}; give both the same style_dim.')
        self.style_dim = generator.style_dim

    @property
    def image_network(self) -> nn.Module:
        """A generator: the latent encoders take images of any size."""
        return self.image_generators[self.domains[0]]

    def forward(self, images: Dict[str, Tensor], flows: Iterable[str] = FLOWS) -> dict:
        """Computes the flows of one minibatch.

        Args:
            images (dict[str, Tensor]): RGB in [-1, 1] by domain, each (N, 3, H, W); one size for
                all. In eval mode image i of a domain is the exemplar of image i of the others.
            flows (Iterable[str]): Which of ``source_style``, ``recovered_style`` and ``cycle``
                to compute beside the translation, which all need. Defaults to all.

        Returns:
            dict: ``translation`` {(s, t): x_st} with ``translation_style`` {(s, t): z_t}, and of
            the flows asked for: ``source_style`` {(s, t): z_s}, ``recovered_style``
            {(s, t): E_t (x_s, x_st)} and ``cycle`` {(s, t): x_sts}, which brings
            ``source_style``; images in [-1, 1], codes (N, style_dim).
        """
        flows, own_styles = set(flows), {}
        if not self.training:
            own_styles = {t: self.encode_style(x_t, t) for t, x_t in images.items()}
        outputs = self.translated(self.image_generators, images, images, own_styles)
        x_st = outputs['translation']
        if flows & {'source_style', 'cycle'}:
            outputs['source_style'] = {
                (s, t): self.run(self.latent_encoders[s], x_st[s, t], images[s])
                for s, t in self.directions}
        if 'recovered_style' in flows:
            outputs['recovered_style'] = {
                (s, t): self.run(self.latent_encoders[t], images[s], x_st[s, t])
                for s, t in self.directions}
        if 'cycle' in flows:
            outputs['cycle'] = {
                (s, t): self.run(self.image_generators[s], x_st[s, t],
                                 outputs['source_style'][s, t])
                for s, t in self.directions}
        return outputs

    def encode_style(self, exemplar: Tensor, target: str) -> Tensor:
        """Codes (N, style_dim) of exemplars (N, 3, H', W') of domain ``target``.

        With more than two domains, the mean of the codes beside the translations to the others.
        """
        no_code = exemplar.new_zeros(1, self.style_dim)
        codes = [
            self.latent_encoders[target](
                self.image_generators[other](exemplar, no_code).to(exemplar.dtype), exemplar)
            for other in self.domains if other != target]
        return torch.stack(codes).mean(0)

    def translate_to_style(self, content: Tensor, style: Tensor, source: str,
                           target: str) -> Tensor:
        """Translates content images with codes.

        Args:
            content (Tensor): RGB in [-1, 1] of domain ``source``, (N, 3, H, W).
            style (Tensor): Codes, (N or 1, style_dim).
            source (str): Domain of the content; one generator is for all of them.
            target (str): Domain of the code and the result.

        Returns:
            Tensor: RGB in [-1, 1], (N, 3, H, W).
        """
        return self.image_generators[target](content, style)
