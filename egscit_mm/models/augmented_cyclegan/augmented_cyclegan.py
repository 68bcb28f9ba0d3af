# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Augmented CycleGAN, a baseline.

A. Almahairi, S. Rajeswar, A. Sordoni, P. Bachman, A. Courville, "Augmented CycleGAN: Learning
Many-to-Many Mappings from Unpaired Data", ICML 2018, <https://arxiv.org/abs/1802.10151>.
"""
from typing import Dict

import torch
from mmagic.registry import MODELS
from torch import Tensor

from ..base.alternating_gan import Images, Losses
from ..base.exemplar_translation import ExemplarTranslationModel
from ..losses import reconstruction_loss
from .networks import code_key


@MODELS.register_module()
class AugmentedCycleGAN(ExemplarTranslationModel):
    """A CycleGAN whose images of either domain come with a code for what the other one lacks.

    In training codes are drawn from N(0, I); evaluation and inference are guided by an exemplar,
    whose code the latent encoder makes of it and its own translation.

    Args:
        *args, **kwargs: Arguments of :class:`ExemplarTranslationModel`: ``generator`` is the config
            of an :class:`AugmentedTranslator`, ``discriminator`` that of
            :class:`AugmentedDiscriminators`, ``loss_weights`` overrides ``gan`` 1, ``cycle`` 1 and
            ``style_code`` 0.025, the weight of the cycle of the codes.
    """

    own_part = 'latent_encoders'
    default_loss_weights = dict(gan=1., cycle=1., style_code=0.025)

    def discriminator_losses(self, images: Images) -> Losses:
        """Tells real images from translations, and codes of N(0, I) from the encoders'."""
        with torch.no_grad():
            outputs = self._generators(images, flows=['source_style'])
        fakes = self._all_fakes(outputs)
        real = {key: torch.randn_like(fake) if fake.ndim == 2 else images[key]
                for key, fake in fakes.items()}
        return self.losses_against(fakes, real)

    def generator_losses(self, images: Images) -> Losses:
        """GAN of images and codes, cycles of images and codes (its Sec. 3.2-3.3)."""
        outputs = self.generators(images)
        terms = self.gan_terms(self._all_fakes(outputs))
        for s, t in outputs['translation']:
            terms['cycle', f'{s}2{t}'] = reconstruction_loss(outputs['cycle'][s, t], images[s])
            terms['style_code', f'{s}2{t}'] = reconstruction_loss(
                outputs['recovered_style'][s, t], outputs['translation_style'][s, t])
        return self.weighted(terms)

    def _all_fakes(self, outputs: dict) -> Dict[str, Tensor]:
        """Translations by domain, and by :func:`code_key` the encoders' codes."""
        codes = self._fakes({(t, s): code for (s, t), code in outputs['source_style'].items()})
        return {**self._fakes(outputs['translation']),
                **{code_key(domain): code for domain, code in codes.items()}}
