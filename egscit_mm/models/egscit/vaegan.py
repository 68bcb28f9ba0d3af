# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Stage 1: a VAE-GAN per domain, whose encoders become the feature networks of stage 2."""
from typing import Dict, Tuple

import torch
from mmagic.registry import MODELS
from torch import Tensor

from ...utils.errors import UserError
from ...utils.image_sizes import fitted
from ...utils.wrappers import unwrapped
from ..base.alternating_gan import AlternatingGAN, Images, Losses
from ..losses import as_shown, kl_loss, reconstruction_loss


@MODELS.register_module()
class VAEGAN(AlternatingGAN):
    """Variational autoencoders with discriminators, all domains in one run (paper Sec. 3.3).

    The arguments are those of :class:`AlternatingGAN`: ``generator`` is the config of
    :class:`DomainAutoencoders`, ``loss_weights`` overrides ``gan`` 10, ``reconstruction`` 100,
    ``kl`` 0.1.
    """

    default_loss_weights = dict(gan=10., reconstruction=100., kl=0.1)

    def discriminator_losses(self, images: Images) -> Losses:
        """Tells real images from reconstructions."""
        with torch.no_grad():
            outputs = unwrapped(self.generators)(images)
        return self.losses_against(outputs['reconstruction'], images)

    def generator_losses(self, images: Images) -> Losses:
        """L_VAE + L_GAN of every domain d; x_dd is the reconstruction, mu_d the latent mean."""
        outputs = self.generators(images)
        x_dd, mu = outputs['reconstruction'], outputs['latent_mean']
        terms = self.gan_terms(x_dd)
        for d, x_d in images.items():
            terms['reconstruction', d] = reconstruction_loss(as_shown(x_dd[d], x_d), x_d)
            terms['kl', d] = kl_loss(mu[d])
        return self.weighted(terms)

    def forward(self, inputs: Dict[str, Tensor], data_samples=None, mode: str = 'tensor') -> Images:
        """Reconstructions by domain.

        Args:
            inputs (dict[str, Tensor]): ``img_<domain>``, RGB in [-1, 1], (N, 3, H, W).
            data_samples: Not used; part of MMEngine's interface.
            mode (str): Only ``'tensor'``: training goes through :meth:`train_step`.

        Returns:
            dict[str, Tensor]: Reconstruction by domain, (N, 3, H, W) in [-1, 1].
        """
        if mode != 'tensor':
            raise UserError(f"VAEGAN.forward has only mode='tensor', got {mode!r}; losses come "
                            'from train_step, predictions from test_step.')
        return self._reconstructions(self.images_by_domain(inputs))

    def _reconstructions(self, images: Images) -> Images:
        outputs = unwrapped(self.generators)({
            domain: fitted(batch, self.stride) for domain, batch in images.items()
        })
        return {
            domain: outputs['reconstruction'][domain][..., :batch.shape[-2], :batch.shape[-1]]
            for domain, batch in images.items()
        }

    def test_images(self, images: Images) -> Dict[str, Tuple[Tensor, str]]:
        """``rec_<domain>``, the reconstructions."""
        return {f'rec_{d}': (x_dd, f'img_{d}') for d, x_dd in self._reconstructions(images).items()}

    @torch.no_grad()
    def rows(self, images: Images) -> Dict[str, Dict[str, Tensor]]:
        """Pictures to look at during training: images above their reconstructions.

        Args:
            images (dict[str, Tensor]): RGB in [-1, 1] by domain, (N, 3, H, W), of any sizes.

        Returns:
            dict[str, dict[str, Tensor]]: By domain, rows by name, each (N, 3, H, W) in [-1, 1].
        """
        reconstructions = self._reconstructions(images)
        return {
            domain: dict(image=real, reconstruction=reconstructions[domain])
            for domain, real in images.items()
        }
