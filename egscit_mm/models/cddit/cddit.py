# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""CDD-IT, a baseline that is trained on pairs.

A. Gonzalez-Garcia, J. van de Weijer, Y. Bengio, "Image-to-image translation for cross-domain
disentanglement", NeurIPS 2018, <https://arxiv.org/abs/1805.09730>.
"""
from itertools import combinations
from typing import List

import torch
from mmagic.registry import MODELS
from torch import nn

from ...utils.checks import check_not_negative
from ...utils.wrappers import unwrapped
from ..base.alternating_gan import Images, Losses
from ..base.exemplar_translation import ExemplarTranslationModel
from ..losses import gradient_penalty, interpolated, reconstruction_loss, wasserstein_loss
from .networks import exclusive_key, pair_key
from .translator import FLOWS


@MODELS.register_module()
class CDDIT(ExemplarTranslationModel):
    """Parts an image into what domains share and what is exclusive to its own.

    Trained on **pairs**: image i of a domain is the true translation of image i of the others
    (``pairs=True`` of :class:`ExemplarImageDataset`). In training exclusive codes are drawn from
    N(0, I); evaluation and inference take that of an exemplar.

    Args:
        *args, **kwargs: Arguments of :class:`ExemplarTranslationModel`: ``generator`` is the config
            of a :class:`CDDITTranslator`, ``discriminator`` that of :class:`PairCritics`,
            ``loss_weights`` overrides ``gan`` 1, ``penalty`` 10, ``exclusive`` 0.1,
            ``autoencoding`` 100, ``shared`` 100 and ``code`` 100.
        smooth_l1_beta (float): Differences below it between autoencoded and real images, in images
            of [-1, 1], are squared (``torch.nn.functional.smooth_l1_loss``). On flat colours L1 is
            content with the colour of most pixels, the ground. Defaults to 0, the paper's L1.

    Raises:
        ValueError: If ``smooth_l1_beta`` is negative, or as the base class says.
    """

    own_part = 'exclusive_decoders'
    default_loss_weights = dict(
        gan=1., penalty=10., exclusive=0.1, autoencoding=100., shared=100., code=100.)

    def __init__(self, *args, smooth_l1_beta: float = 0., **kwargs):
        super().__init__(*args, **kwargs)
        check_not_negative(self, smooth_l1_beta=smooth_l1_beta)
        self.smooth_l1_beta = float(smooth_l1_beta)

    def discriminator_losses(self, images: Images) -> Losses:
        """WGAN-GP of both critics of each direction (its Eq. 1-4)."""
        with torch.no_grad():
            outputs = self._generators(images, flows=['translation', 'exclusive'])
        between, pairs = {}, {}
        for key, (s, t), fake in self._judged(outputs):
            between[key] = interpolated(images[t], fake)
            pairs[key] = torch.cat([  # (3 * N, 2 * 3, H, W)
                torch.cat([images[s], x_t], 1) for x_t in (images[t], fake, between[key])])
        terms = {}
        for key, scores in self.discriminators(pairs).items():
            on_real, on_fake, on_between = scores.chunk(3)
            terms['gan_d', key] = wasserstein_loss(on_real, on_fake)
            terms['penalty', key] = gradient_penalty(on_between, between[key])
        return self.weighted(terms)

    def generator_losses(self, images: Images) -> Losses:
        """Both GANs, swapped autoencoders, shared parts and codes (its Eq. 1-8)."""
        outputs = self.generators(images, flows=FLOWS)
        # Frozen during the generator update, so past the wrapper: no gradients to reduce.
        scores = unwrapped(self.discriminators)({
            key: torch.cat([images[s], fake.to(images[s].dtype)], 1)
            for key, (s, _), fake in self._judged(outputs)})
        terms = {}
        for s, t in outputs['translation']:
            of = f'{s}2{t}'
            terms['gan_g', of] = -scores[pair_key(s, t)].mean()
            terms['exclusive', of] = -scores[exclusive_key(s, t)].mean()
            terms['autoencoding', of] = reconstruction_loss(
                outputs['autoencoding'][s, t], images[t], self.smooth_l1_beta)
            terms['code', of] = reconstruction_loss(
                outputs['recovered_shared'][s, t], outputs['shared'][s]) + reconstruction_loss(
                    outputs['recovered_style'][s, t], outputs['translation_style'][s, t])
        for one, other in combinations(self.domains, 2):
            terms['shared', f'{one}-{other}'] = reconstruction_loss(
                outputs['shared'][one], outputs['shared'][other])
        return self.weighted(terms)

    @staticmethod
    def _judged(outputs: dict) -> List[tuple]:
        """What critics see: their keys, directions and generated images."""
        kinds = ((pair_key, 'translation'), (exclusive_key, 'exclusive'))
        return [(key(s, t), (s, t), fake) for key, flow in kinds
                for (s, t), fake in outputs[flow].items()]

    def networks_to_compile(self) -> List[nn.Module]:
        """Not the critics: ``torch.compile`` has no second derivatives, which the penalty needs."""
        return [network for group in unwrapped(self.generators).children()
                if isinstance(group, nn.ModuleDict) for network in group.values()]
