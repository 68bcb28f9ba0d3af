# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""MUNIT, a baseline: multimodal unsupervised image-to-image translation.

X. Huang, M.-Y. Liu, S. Belongie, J. Kautz, "Multimodal Unsupervised Image-to-Image Translation",
ECCV 2018, <https://arxiv.org/abs/1804.04732>.
"""
from mmagic.registry import MODELS

from ..base.alternating_gan import Images, Losses
from ..base.exemplar_translation import ExemplarTranslationModel
from ..losses import reconstruction_loss


@MODELS.register_module()
class MUNIT(ExemplarTranslationModel):
    """Recombines the content code of an image with a style code of the other domain.

    In training style codes are drawn from N(0, I); evaluation and inference are guided by an
    exemplar, whose style code the style encoder makes.

    Departures from MUNIT's paper, to compare with EGSC-IT on equal terms: the discriminators
    are EGSC-IT's (one scale, instance norm; 28x28 pixels leave no room for three scales), and each
    update draws its own minibatch.

    Args:
        *args, **kwargs: Arguments of :class:`ExemplarTranslationModel`: ``generator`` is the config
            of a :class:`MUNITTranslator`, ``loss_weights`` overrides ``gan`` 1, ``reconstruction``
            10, ``content_code`` 1, ``style_code`` 1 (Eq. 5 of MUNIT's paper) and ``cycle`` 0 (the
            explicit style-augmented cycle of that paper, an option; 10 is usual).
    """

    own_part = 'style_encoders'
    default_loss_weights = dict(
        gan=1., reconstruction=10., content_code=1., style_code=1., cycle=0.)

    def generator_losses(self, images: Images) -> Losses:
        """GAN, reconstruction of images and of codes, cycle if wanted (MUNIT's Eq. 1-5)."""
        flows = ['reconstruction', 'translation', 'codes']
        if self.loss_weights['cycle']:
            flows.append('cycle')
        outputs = self.generators(images, flows=flows)
        terms = self.gan_terms(self._fakes(outputs['translation']))
        for s, x_s in images.items():
            terms['reconstruction', s] = reconstruction_loss(outputs['reconstruction'][s], x_s)
        for s, t in outputs['translation']:
            terms['content_code', f'{s}2{t}'] = reconstruction_loss(
                outputs['recovered_content'][s, t], outputs['content'][s])
            terms['style_code', f'{s}2{t}'] = reconstruction_loss(
                outputs['recovered_style'][s, t], outputs['translation_style'][s, t])
            if 'cycle' in outputs:
                terms['cycle', f'{s}2{t}'] = reconstruction_loss(
                    outputs['cycle'][s, t], images[s])
        return self.weighted(terms)
