# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""DRIT, a baseline: diverse image-to-image translation via disentangled representations.

H.-Y. Lee, H.-Y. Tseng, J.-B. Huang, M. K. Singh, M.-H. Yang, "Diverse Image-to-Image Translation
via Disentangled Representations", ECCV 2018, <https://arxiv.org/abs/1808.00948>.
"""
from typing import Dict, List, Optional

import torch
from mmagic.registry import MODELS
from torch import Tensor, nn

from ...utils.checks import check_integers
from ...utils.wrappers import unwrapped
from ..base.alternating_gan import Images, Losses, Terms
from ..base.exemplar_translation import ExemplarTranslationModel
from ..base.updates import Update
from ..losses import (
    bce_loss,
    domain_confusion_loss,
    domain_loss,
    gaussian_kl_loss,
    kl_loss,
    lsgan_accuracies,
    reconstruction_loss,
)


@MODELS.register_module()
class DRIT(ExemplarTranslationModel):
    """Recombines the content of an image with the attributes of another, or with random ones.

    A third side, the content discriminator, learns to tell the domain from the content; the
    encoders aim at contents that leave it guessing. An iteration is, in this order, the updates of
    the content discriminator, the discriminators, the generator side, and the generator side
    without the attribute encoders, with random attributes. Each has a minibatch of its own. DRIT's
    own three iterations, two of which update the content discriminator alone, are one here.

    Args:
        generator (dict): Config of a :class:`DRITTranslator`.
        discriminator (dict | None): Config of :class:`DRITDiscriminators`; None for inference.
        content_discriminator (dict | None): Config of a :class:`ContentDiscriminator`; None for
            inference.
        content_discriminator_steps (int): Its updates per iteration. Defaults to 3.
        generator_steps (int): Updates with exemplars per iteration. Defaults to 1.
        random_generator_steps (int): Updates with random attributes per iteration. Defaults to 1.
        **kwargs: Arguments of :class:`ExemplarTranslationModel`: ``loss_weights`` overrides ``gan``
            1, ``random_gan`` 1, ``content_gan`` 1, ``reconstruction`` 10, ``cross_cycle`` 10,
            ``attribute_kl`` 0.01, ``content_l2`` 0.01, ``latent_regression`` 10.

    Raises:
        ValueError: If an argument is outside its range.
    """

    own_part = 'attribute_encoders'
    default_loss_weights = dict(
        gan=1., random_gan=1., content_gan=1., reconstruction=10., cross_cycle=10.,
        attribute_kl=0.01, content_l2=0.01, latent_regression=10.)
    training_parts = (*ExemplarTranslationModel.training_parts, 'content_discriminator')

    def __init__(self,
                 generator: dict,
                 discriminator: Optional[dict] = None,
                 content_discriminator: Optional[dict] = None,
                 content_discriminator_steps: int = 3,
                 generator_steps: int = 1,
                 random_generator_steps: int = 1,
                 **kwargs):
        super().__init__(generator, discriminator, generator_steps=generator_steps, **kwargs)
        check_integers(self, 0, content_discriminator_steps=content_discriminator_steps,
                       random_generator_steps=random_generator_steps)
        self.content_discriminator_steps = content_discriminator_steps
        self.random_generator_steps = random_generator_steps
        self.content_discriminator = None
        if content_discriminator is not None:
            self.content_discriminator = MODELS.build(dict(
                content_discriminator, in_channels=self._generators.encoders[
                    self.domains[0]].out_channels, domains=self.domains))
            self.content_discriminator.to(memory_format=self.memory_format)

    def sides(self) -> Dict[str, Optional[nn.Module]]:
        """Adds the content discriminator."""
        return dict(super().sides(), content_discriminator=self.content_discriminator)

    def init_weights(self) -> None:
        """Initialises all sides, also inside distributed wrappers, and the average."""
        super().init_weights()
        if self.content_discriminator is not None:
            unwrapped(self.content_discriminator).init_weights()

    def networks_to_compile(self) -> List[nn.Module]:
        """Adds the content discriminator."""
        return [*super().networks_to_compile(), unwrapped(self.content_discriminator)]

    def updates(self) -> List[Update]:
        """The updates of an iteration, in order; see the class."""
        discriminators = (self.discriminators, self.content_discriminator)
        return [
            Update('content_discriminator_steps', 'content_discriminator',
                   self.content_discriminator_losses, 'loss_content_d'),
            Update('discriminator_steps', 'discriminators', self.discriminator_losses, 'loss_d'),
            Update('generator_steps', 'generators', self.generator_losses, 'loss_g',
                   frozen=discriminators),
            Update('random_generator_steps', 'generators', self.random_generator_losses,
                   'loss_random_g',
                   frozen=(*discriminators, self._generators.attribute_encoders)),
        ]

    # ----------------------------------------------------------------- losses

    def content_discriminator_losses(self, images: Images) -> Losses:
        """Tells the domains of contents, which have no graph; with the share that it gets right."""
        with torch.no_grad():
            contents = self._generators(images, flows=[])['content']
        scores = self.content_discriminator(contents)
        terms, right = {}, []
        for place, (domain, logits) in enumerate(scores.items()):
            terms['content_gan_d', domain] = domain_loss(logits, place)
            right.append((logits.argmax(1) == place).float().mean())
        return dict(self.weighted(terms), accuracy_content=torch.stack(right).mean())

    def discriminator_losses(self, images: Images) -> Losses:
        """Tells real images from translations of both kinds, which have no graph."""
        with torch.no_grad():
            outputs = self._generators(images, flows=['translation', 'random'])
        fakes = self._fakes(outputs['translation']), self._fakes(outputs['random'])
        # Real and generated images pass each discriminator in one call.
        scores = self.discriminators(*(
            {domain: torch.cat([images[domain], fake[domain]]) for domain in fake}
            for fake in fakes))
        terms, told = {}, {domain: ([], []) for domain in self.domains}
        for term, by_domain in zip(('gan_d', 'random_gan_d'), scores):
            for domain, scales in by_domain.items():
                number = len(images[domain])
                on_real, on_fake = zip(*((of[:number], of[number:]) for of in scales))
                terms[term, domain] = sum(
                    bce_loss(real, 1.) + bce_loss(fake, 0.) for real, fake in zip(on_real, on_fake))
                for all_scores, some in zip(told[domain], (on_real, on_fake)):
                    all_scores.extend(logits.sigmoid().flatten() for logits in some)
        losses = self.weighted(terms)
        for domain, (on_real, on_fake) in told.items():
            losses[f'accuracy_real_{domain}'], losses[f'accuracy_fake_{domain}'] = (
                lsgan_accuracies(torch.cat(on_real), torch.cat(on_fake)))
        return losses

    def generator_losses(self, images: Images) -> Losses:
        """The first step: exemplars' attributes (all losses but latent regression)."""
        outputs = self.generators(images, flows=['reconstruction', 'translation', 'cycle'])
        fakes = self._fakes(outputs['translation'])
        # Frozen during the generator update, so past the wrapper.
        terms = self._against('gan_g', unwrapped(self.discriminators)(fakes, {})[0])
        for s, logits in unwrapped(self.content_discriminator)(outputs['content']).items():
            terms['content_gan_g', s] = domain_confusion_loss(logits)
        for s, x_s in images.items():
            terms['reconstruction', s] = reconstruction_loss(outputs['reconstruction'][s], x_s)
            terms['content_l2', s] = kl_loss(outputs['content_mean'][s])
            mean, log_variance = outputs['attributes'][s]
            terms['attribute_kl', s] = gaussian_kl_loss(mean, log_variance)
        for (s, t), image in outputs['cycle'].items():
            terms['cross_cycle', f'{s}2{t}'] = reconstruction_loss(image, images[s])
        return self.weighted(terms)

    def random_generator_losses(self, images: Images) -> Losses:
        """The second step: random attributes, which the frozen attribute encoders should find."""
        outputs = self.generators(images, flows=['random', 'recovered_attributes'])
        fakes = self._fakes(outputs['random'])
        terms = self._against('random_gan_g', unwrapped(self.discriminators)({}, fakes)[1])
        for (s, t), recovered in outputs['recovered_attributes'].items():
            terms['latent_regression', f'{s}2{t}'] = reconstruction_loss(
                recovered, outputs['random_attributes'][s, t])
        return self.weighted(terms)

    @staticmethod
    def _against(term: str, scores: Dict[str, List[Tensor]]) -> Terms:
        """GAN of the generators by domain, summed over the scales."""
        return {(term, domain): sum(bce_loss(logits, 1.) for logits in scales)
                for domain, scales in scores.items()}
