# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Stage 1: a VAE-GAN per domain, whose encoders become the feature networks of stage 2."""
from typing import Dict, Optional, Sequence, Union

import torch
from mmagic.registry import MODELS
from mmengine.model import BaseModel
from torch import Tensor

from ..image_sizes import by_size, fitted
from ..utils.checks import check_domains
from .alternating import AlternatingUpdates, Images, Losses, unwrapped
from .losses import kl_loss
from .samples import packed_samples

LOSS_WEIGHTS = dict(gan=10., reconstruction=100., kl=0.1)


@MODELS.register_module()
class VAEGAN(AlternatingUpdates, BaseModel):
    """Variational autoencoders with discriminators, all domains in one run (paper Sec. 3.3).

    Args:
        generator (dict): Config of :class:`DomainAutoencoders`.
        discriminator (dict): Config of :class:`DomainDiscriminators`.
        domains (Sequence[str]): Names of the domains. Defaults to ('A', 'B').
        loss_weights (dict[str, float] | None): Overrides of ``gan`` 10, ``reconstruction`` 100,
            ``kl`` 0.1.
        discriminator_steps (int): Discriminator updates per iteration. Defaults to 1.
        generator_steps (int): Generator updates per iteration. Defaults to 1.
        split_batch (bool): Whether every update gets its own part of the batch. Defaults to True.
        skip_non_finite (bool): Whether an update whose gradient is not finite is left out and
            counted instead of ending the training. Defaults to False.
        channels_last (bool): Whether networks and images are laid out channels last in memory.
            Defaults to False.
        compile (bool | dict): Whether ``torch.compile`` compiles the networks and the perceptual
            loss in the first iteration of a training, or its arguments. Defaults to False.
        frozen_modules (Sequence[str]): Names of modules that keep their weights, such as
            ``'generators.encoders.A'``; those of ``load_from`` where it is given. Defaults to ().
        data_preprocessor (dict | None): MMagic's ``DataPreprocessor`` to RGB in [-1, 1].

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(self,
                 generator: dict,
                 discriminator: dict,
                 domains: Sequence[str] = ('A', 'B'),
                 loss_weights: Optional[Dict[str, float]] = None,
                 discriminator_steps: int = 1,
                 generator_steps: int = 1,
                 split_batch: bool = True,
                 skip_non_finite: bool = False,
                 channels_last: bool = False,
                 compile: Union[bool, dict] = False,
                 frozen_modules: Sequence[str] = (),
                 data_preprocessor: Optional[dict] = None):
        super().__init__(data_preprocessor)
        check_domains(self, domains)
        self.domains = tuple(domains)
        self.generators = MODELS.build(dict(generator, domains=self.domains))
        self.discriminators = MODELS.build(dict(discriminator, domains=self.domains))
        self.set_updates(loss_weights, LOSS_WEIGHTS, discriminator_steps, generator_steps,
                         split_batch, skip_non_finite, channels_last, compile,
                         frozen_modules)

    def init_weights(self) -> None:
        """Initialises both sides, also inside distributed wrappers."""
        for module in (self.generators, self.discriminators):
            unwrapped(module).init_weights()

    def discriminator_losses(self, images: Images) -> Losses:
        """Tells real images from reconstructions."""
        with torch.no_grad():
            outputs = unwrapped(self.generators)(images)
        return self.lsgan_discriminator_losses(images, outputs['reconstruction'])

    def generator_losses(self, images: Images) -> Losses:
        """GAN + reconstruction + KL, per domain."""
        outputs = self.generators(images)
        losses = self.lsgan_generator_losses(outputs['reconstruction'])
        for domain, real in images.items():
            losses[f'loss_reconstruction_{domain}'] = self.reconstruction_loss(
                'reconstruction', outputs['reconstruction'][domain], real)
            losses[f'loss_kl_{domain}'] = self.loss_weights['kl'] * kl_loss(
                outputs['latent_mean'][domain])
        return losses

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
            raise ValueError(f"VAEGAN.forward has only mode='tensor', got {mode!r}; losses come "
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

    @by_size
    @torch.no_grad()
    def test_step(self, data: dict) -> list:
        """Reconstructs the images of all domains, each as if it were alone.

        Returns:
            list[DataSample]: With ``rec_<domain>``, BGR 0..255, (3, H, W).
        """
        self.check_test_batch(data)
        data = self.data_preprocessor(data)
        reconstructions = self(data['inputs'])
        return packed_samples(self.data_preprocessor, data['data_samples'], {
            f'rec_{domain}': (image, f'img_{domain}') for domain, image in reconstructions.items()
        })

    val_step = test_step

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
