# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Generator side of stage 1: one variational autoencoder per domain."""
from typing import Dict

from mmagic.registry import MODELS
from mmengine.model import ModuleDict
from torch import Tensor

from ...utils.checks import check_not_negative
from ..layers import ResidualBlock, add_latent_noise
from ..networks.encoder import check_fit
from ..networks.generator_side import GeneratorSide


@MODELS.register_module()
class DomainAutoencoders(GeneratorSide):
    """Encoder, latent and decoder of every domain, nothing shared (stage 1 of the paper).

    Only ``encoders`` is kept after training: it becomes the frozen feature network F.

    Args:
        encoder (dict): Config of the :class:`ContentEncoder`.
        decoder (dict): Config of the :class:`ImageDecoder`.
        latent_noise (float): Standard deviation of the noise added to the latent in training.
            Defaults to 1.
        **kwargs: Arguments of :class:`GeneratorSide`.

    Raises:
        ValueError: If the domains are no different names, the noise is negative or the networks do
            not fit together.
    """

    def __init__(self, encoder: dict, decoder: dict, latent_noise: float = 1., **kwargs):
        super().__init__(1, **kwargs)
        check_not_negative(self, latent_noise=latent_noise)
        self.latent_noise = latent_noise
        self.encoders = self.by_domain(encoder)
        self.decoders = self.by_domain(decoder)
        channels = self.encoders[self.domains[0]].out_channels
        check_fit(channels, self.decoders[self.domains[0]].in_channels)
        self.encoder_blocks, self.decoder_blocks = (
            ModuleDict({domain: ResidualBlock(channels) for domain in self.domains})
            for _ in range(2))

    def forward(self, images: Dict[str, Tensor]) -> Dict[str, Dict[str, Tensor]]:
        """Encodes and reconstructs the images of each domain.

        Args:
            images (dict[str, Tensor]): RGB in [-1, 1] by domain, each (N, 3, H, W).

        Returns:
            dict: ``latent_mean``, by domain (N, C, h, w), and ``reconstruction``, by domain
            (N, 3, H, W) in [-1, 1].
        """
        latent_means, reconstructions = {}, {}
        for domain, batch in images.items():
            mean = self.run(self.encoder_blocks[domain], self.run(self.encoders[domain], batch))
            latent = mean
            if self.training:
                latent = add_latent_noise(mean, self.latent_noise)
            latent_means[domain] = mean
            hidden = self.run(self.decoder_blocks[domain], latent)
            reconstructions[domain] = self.run(self.decoders[domain], hidden)
        return dict(latent_mean=latent_means, reconstruction=reconstructions)
