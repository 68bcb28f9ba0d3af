# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Generator side of DRIT: content and attributes of every domain, recombined."""
from typing import Dict, Iterable, Tuple

import torch
from mmagic.registry import MODELS
from torch import Tensor

from ...utils.checks import check_not_negative
from ..layers import InstanceNormResidualBlock, add_latent_noise
from ..networks.generator_side import CodeTranslator, check_codes_fit
from .networks import NORMAL

FLOWS = ('reconstruction', 'translation', 'cycle', 'random', 'recovered_attributes')


@MODELS.register_module()
class DRITTranslator(CodeTranslator):
    """Content encoder, attribute encoder and decoder of every domain (DRIT's Fig. 3).

    ::

        c_s = shared block (content encoder_s (x_s)) + noise,   a_t = attribute encoder_t (x_t)
        x_ss  = decoder_s (c_s, a_s)              self-reconstruction
        x_st  = decoder_t (c_s, a_t)              translation after an exemplar
        x_sts = decoder_s (c(x_st), a(x_ts))      cross-cycle reconstruction
        x_sz  = decoder_t (c_s, z),  z ~ N(0, I)  translation to random attributes

    In training noise is added to the contents, and attributes are drawn from what the variational
    encoder says; in eval mode they are its means.

    Args:
        encoder (dict): Config of the :class:`DRITContentEncoder`.
        attribute_encoder (dict): Config of the :class:`DRITAttributeEncoder`.
        decoder (dict): Config of the :class:`DRITDecoder`.
        content_noise (float): Standard deviation of the noise. Defaults to 1.
        **kwargs: Arguments of :class:`GeneratorSide`.

    Raises:
        ValueError: If there are fewer than two domains, or the networks do not fit together.
    """

    def __init__(self,
                 encoder: dict,
                 attribute_encoder: dict,
                 decoder: dict,
                 content_noise: float = 1.,
                 **kwargs):
        super().__init__(**kwargs)
        check_not_negative(self, content_noise=content_noise)
        self.content_noise = content_noise
        self.encoders = self.by_domain(encoder)
        self.attribute_encoders = self.by_domain(attribute_encoder)
        self.decoders = self.by_domain(decoder)
        networks = [group[self.domains[0]]
                    for group in (self.encoders, self.attribute_encoders, self.decoders)]
        check_codes_fit(*networks)
        self.style_dim = networks[1].style_dim
        self.shared_content_block = InstanceNormResidualBlock(networks[0].out_channels, NORMAL)
        self.shared_generator_block = InstanceNormResidualBlock(networks[0].out_channels, NORMAL)

    def forward(self, images: Dict[str, Tensor], flows: Iterable[str] = FLOWS) -> dict:
        """Computes the flows of one minibatch.

        Args:
            images (dict[str, Tensor]): RGB in [-1, 1] by domain, each (N, 3, H, W), of one size.
                Image i of a domain is the exemplar of image i of the others.
            flows (Iterable[str]): Which of ``reconstruction``, ``translation``, ``cycle`` (which
                needs the translation), ``random`` and ``recovered_attributes`` (of these) to
                compute. Defaults to all.

        Returns:
            dict: ``content`` {d: (N, C, h, w)} and ``content_mean``, the same before the noise; and
            of the flows asked for: ``reconstruction`` {d: x_dd}, ``translation`` {(s, t): x_st},
            ``cycle`` {(s, t): x_sts}, for these three ``attributes`` {d: (mean, log of variance),
            each (N, style_dim)}; ``random`` {(s, t): x_sz} with ``random_attributes``, and
            ``recovered_attributes``, both {(s, t): (N, style_dim)}; images in [-1, 1].
        """
        flows = set(flows)
        means = {s: self.content_mean(x_s, s) for s, x_s in images.items()}
        contents = {s: self.noisy(mean) for s, mean in means.items()}
        outputs = dict(content=contents, content_mean=means)
        if flows & {'reconstruction', 'translation', 'cycle'}:
            outputs['attributes'] = {s: self.attributes(x_s, s) for s, x_s in images.items()}
            own = {s: self.drawn(*attributes) for s, attributes in outputs['attributes'].items()}
        if 'reconstruction' in flows:
            outputs['reconstruction'] = {
                s: self.decode(contents[s], own[s], s) for s in self.domains}
        if 'translation' in flows:
            x_st = {(s, t): self.decode(contents[s], own[t], t) for s, t in self.directions}
            outputs['translation'] = x_st
        if 'cycle' in flows:
            outputs['cycle'] = {
                (s, t): self.decode(self.noisy(self.content_mean(x_st[s, t], t)),
                                    self.drawn(*self.attributes(x_st[t, s], s)), s)
                for s, t in self.directions
            }
        if 'random' in flows:
            drawn = {way: self.prior_style(images[way[0]]) for way in self.directions}
            x_sz = {(s, t): self.decode(contents[s], drawn[s, t], t) for s, t in self.directions}
            outputs.update(random=x_sz, random_attributes=drawn)
        if 'recovered_attributes' in flows:
            outputs['recovered_attributes'] = {
                (s, t): self.attributes(x_sz[s, t], t)[0] for s, t in self.directions}
        return outputs

    def content_mean(self, images: Tensor, source: str) -> Tensor:
        """Content of images (N, 3, H, W) of a domain, without noise: (N, C, h, w)."""
        return self.run(self.shared_content_block, self.run(self.encoders[source], images))

    def noisy(self, mean: Tensor) -> Tensor:
        """Adds the noise of the training to a content."""
        if self.training and self.content_noise:
            return add_latent_noise(mean, self.content_noise)
        return mean

    def attributes(self, images: Tensor, domain: str) -> Tuple[Tensor, Tensor]:
        """Mean and log of the variance: each (N, style_dim)."""
        mean, log_variance = self.run(self.attribute_encoders[domain], images).chunk(2, 1)
        return mean, log_variance

    def drawn(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        """Attributes of a distribution; its mean in eval mode."""
        if self.training:
            return mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        return mean

    def decode(self, content: Tensor, attributes: Tensor, target: str) -> Tensor:
        """(N, C, h, w) and (N or 1, style_dim) -> RGB in [-1, 1] of a domain, (N, 3, H, W)."""
        content = self.run(self.shared_generator_block, content)
        return self.run(self.decoders[target], content, attributes)

    def encode_style(self, exemplar: Tensor, target: str) -> Tensor:
        """Attributes (N, style_dim) of exemplars (N, 3, H', W') of domain ``target``."""
        return self.attributes(exemplar, target)[0]

    def translate_to_style(self, content: Tensor, style: Tensor, source: str,
                           target: str) -> Tensor:
        """Translates content images to attributes.

        Args:
            content (Tensor): RGB in [-1, 1] of domain ``source``, (N, 3, H, W).
            style (Tensor): Attributes, (N or 1, style_dim).
            source (str): Domain of the content.
            target (str): Domain of the attributes and the result.

        Returns:
            Tensor: RGB in [-1, 1], (N, 3, H, W).
        """
        return self.decode(self.content_mean(content, source), style, target)
