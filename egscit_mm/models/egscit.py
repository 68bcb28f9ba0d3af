# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""EGSC-IT: exemplar-guided, semantically consistent, unpaired image translation.

L. Ma, X. Jia, S. Georgoulis, T. Tuytelaars, L. Van Gool, "Exemplar Guided Unsupervised
Image-to-Image Translation with Semantic Consistency", ICLR 2019,
<https://arxiv.org/abs/1805.11145>.
"""
import os
from typing import Dict, List, Optional, Sequence

import torch
import torch.nn.functional as F
from mmagic.models.base_models import BaseTranslationModel
from mmagic.registry import MODELS
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.runner.checkpoint import _load_checkpoint
from torch import Tensor, nn

from .alternating import AlternatingUpdates, Images, Losses, check_loss_weights, unwrapped
from .losses import kl_loss
from .samples import packed_samples

LOSS_WEIGHTS = dict(gan=10., reconstruction=100., kl=0.1, cycle=100., cycle_kl=0.1)


@MODELS.register_module()
class EGSCIT(AlternatingUpdates, BaseTranslationModel):
    """Stage 2: translation with feature masks, AdaIN and perceptual losses (paper Sec. 3).

    Args:
        generator (dict): Config of :class:`ExemplarTranslator`.
        discriminator (dict | None): Config of :class:`DomainDiscriminators`; None for inference.
        perceptual_loss (dict | None): Config of :class:`VGGPerceptualLoss`; None is the paper's
            ablation "w/o L_P".
        domains (Sequence[str]): Names of the domains. Defaults to ('A', 'B').
        default_domain (str | None): Target domain where none is given; the last one by default.
        loss_weights (dict[str, float] | None): Overrides of ``gan`` 10, ``reconstruction`` 100,
            ``kl`` 0.1, ``cycle`` 100, ``cycle_kl`` 0.1.
        discriminator_steps (int): Discriminator updates per iteration. Defaults to 1.
        generator_steps (int): Generator updates per iteration. Defaults to 5.
        split_batch (bool): Whether every update gets its own part of the batch. Defaults to True.
        feature_checkpoint (str | None): Checkpoint of stage 1 (:class:`VAEGAN`) with the feature
            networks. Needed to start a training only: a checkpoint of this model contains them.
        ema_config (dict | None): Config of one of MMEngine's averaged models, e.g.
            ``dict(type='mmengine.ExponentialMovingAverage', momentum=1e-3)``; validation, testing
            and inference then use the averaged generator side.
        data_preprocessor (dict | None): MMagic's ``DataPreprocessor`` to RGB in [-1, 1].
    """

    def __init__(self,
                 generator: dict,
                 discriminator: Optional[dict] = None,
                 perceptual_loss: Optional[dict] = None,
                 domains: Sequence[str] = ('A', 'B'),
                 default_domain: Optional[str] = None,
                 loss_weights: Optional[Dict[str, float]] = None,
                 discriminator_steps: int = 1,
                 generator_steps: int = 5,
                 split_batch: bool = True,
                 feature_checkpoint: Optional[str] = None,
                 ema_config: Optional[dict] = None,
                 data_preprocessor: Optional[dict] = None):
        # Not BaseTranslationModel.__init__: it builds one generator per domain, while here one
        # module holds all domains, since their networks share blocks.
        BaseModel.__init__(self, data_preprocessor)
        self.domains = tuple(domains)
        self._default_domain = default_domain or self.domains[-1]
        self._reachable_domains = self._related_domains = list(self.domains)
        self._check_domain(self._default_domain)
        self.generators = MODELS.build(dict(generator, domains=self.domains))
        self.generators_ema = None
        if ema_config is not None:
            self.generators_ema = MODELS.build(ema_config, default_args=dict(model=self.generators))
        self.discriminators = None
        if discriminator is not None:
            self.discriminators = MODELS.build(dict(discriminator, domains=self.domains))
        self.perceptual_loss = None
        if perceptual_loss is not None:
            self.perceptual_loss = MODELS.build(perceptual_loss)
        self.loss_weights = check_loss_weights(loss_weights or {}, LOSS_WEIGHTS)
        self.discriminator_steps = discriminator_steps
        self.generator_steps = generator_steps
        self.split_batch = split_batch
        self.feature_checkpoint = feature_checkpoint

    # ---------------------------------------------------------------- weights

    def init_weights(self) -> None:
        """Initialises the networks, then loads the frozen ones (F from stage 1, VGG).

        The Runner calls this before it loads or resumes a checkpoint; inference never does, so it
        needs neither file. A stage-1 file that is missing is no error yet: the checkpoint that is
        about to be resumed may hold F, and :meth:`train_step` insists on it.
        """
        for module in (self.generators, self.discriminators, self.perceptual_loss):
            if module is not None:
                unwrapped(module).init_weights()
        if self.feature_checkpoint is not None and self._generators.feature_networks is not None:
            if os.path.isfile(self.feature_checkpoint):
                self.load_feature_networks(self.feature_checkpoint)
            else:
                print_log(f'feature_checkpoint {self.feature_checkpoint!r} does not exist.',
                          'current', level=30)
        if self.generators_ema is not None:
            self.generators_ema.module.load_state_dict(self._generators.state_dict())

    def load_feature_networks(self, checkpoint: str) -> None:
        """Takes the encoders of a stage-1 checkpoint as feature networks.

        Args:
            checkpoint (str): File of a trained :class:`VAEGAN`.

        Raises:
            ValueError: If the file is not a stage-1 checkpoint of this architecture and domains.
        """
        state = _load_checkpoint(checkpoint, map_location='cpu')
        state = state.get('state_dict', state)
        prefix = 'generators.encoders.'
        encoders = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        wanted = self._generators.feature_networks.state_dict()
        if not encoders or any('shared_encoder_block' in key for key in state):
            raise ValueError(f'{checkpoint} is not a stage-1 (VAEGAN) checkpoint; give the one '
                             'that configs/egscit/vaegan_<task>.py writes.')
        for key in sorted(wanted.keys() | encoders.keys()):
            shapes = [
                tuple(tensors[key].shape) if key in tensors else 'nothing'
                for tensors in (wanted, encoders)
            ]
            if shapes[0] != shapes[1]:
                raise ValueError(
                    f'{checkpoint} was trained with another architecture or other domains: '
                    f'feature network {key!r} should be {shapes[0]}, the file has {shapes[1]}. '
                    'Train stage 1 with the same encoder and domains.')
        self._generators.feature_networks.load_state_dict(encoders)
        self._generators.features_loaded.fill_(True)
        print_log(f'Feature networks loaded from {checkpoint}', 'current')

    @property
    def _generators(self) -> nn.Module:
        return unwrapped(self.generators)

    @property
    def inference_generators(self) -> nn.Module:
        """The averaged generator side where there is one, else the trained one."""
        return self._generators if self.generators_ema is None else self.generators_ema.module

    # --------------------------------------------------------------- training

    def train_step(self, data: dict, optim_wrapper) -> Dict[str, float]:
        """One iteration; see :meth:`AlternatingUpdates.train_step`.

        Raises:
            RuntimeError: If the feature networks are not those of a trained stage 1.
        """
        if self._generators.features_missing:
            raise RuntimeError(
                'The feature networks F of stage 1 are not loaded (feature_checkpoint='
                f'{self.feature_checkpoint!r}). Train both stages with "python tools/train.py '
                'CONFIG" of this stage, or train stage 1 first with "python tools/train.py '
                'configs/egscit/vaegan_<task>.py" and give its checkpoint with "--cfg-options '
                'model.feature_checkpoint=work_dirs/vaegan_<task>/iter_N.pth".')
        return super().train_step(data, optim_wrapper)

    def discriminator_losses(self, images: Images) -> Losses:
        """Tells real images from translations; only these are built, and without graph."""
        with torch.no_grad():
            outputs = self._generators(images, flows=['translation'])
        return self.lsgan_discriminator_losses(images, self._fakes(outputs))

    def generator_losses(self, images: Images) -> Losses:
        """All terms of the paper's Sec. 3.3: GAN, VAE, cycle and perceptual."""
        outputs = self.generators(images)
        losses = self.lsgan_generator_losses(self._fakes(outputs))
        for domain, real in images.items():
            losses[f'loss_reconstruction_{domain}'] = self.reconstruction_loss(
                'reconstruction', outputs['reconstruction'][domain], real)
            losses[f'loss_kl_{domain}'] = self.loss_weights['kl'] * kl_loss(
                outputs['latent_mean'][domain])
        for (source, target), cycle in outputs['cycle'].items():
            direction = f'{source}2{target}'
            losses[f'loss_cycle_{direction}'] = self.reconstruction_loss(
                'cycle', cycle, images[source])
            losses[f'loss_cycle_kl_{direction}'] = self.loss_weights['cycle_kl'] * kl_loss(
                outputs['cycle_latent_mean'][source, target])
        if self.perceptual_loss is not None:
            content, style = self.perceptual_loss(images, outputs['translation'])
            for (source, target) in outputs['translation']:
                losses[f'loss_content_{source}2{target}'] = content[source, target]
                losses[f'loss_style_{source}2{target}'] = style[source, target]
        return losses

    def after_updates(self) -> None:
        """Averages the weights of the generator side."""
        if self.generators_ema is not None:
            self.generators_ema.update_parameters(self._generators)

    @staticmethod
    def _fakes(outputs: dict) -> Images:
        """Translations by target domain, those of several sources concatenated."""
        fakes: Dict[str, List[Tensor]] = {}
        for (_, target), image in outputs['translation'].items():
            fakes.setdefault(target, []).append(image)
        return {target: torch.cat(images) for target, images in fakes.items()}

    # -------------------------------------------------------------- inference

    def translation(self,
                    image: Tensor,
                    target_domain: Optional[str] = None,
                    exemplar: Optional[Tensor] = None,
                    source_domain: Optional[str] = None) -> Tensor:
        """Translates images to the style of exemplars.

        Args:
            image (Tensor): Content, RGB in [-1, 1], (N, 3, H, W).
            target_domain (str | None): Domain of the result; the default domain if None.
            exemplar (Tensor): Images of the target domain, RGB in [-1, 1], (N or 1, 3, H', W').
            source_domain (str | None): Domain of the content; with two domains it is the other one.

        Returns:
            Tensor: RGB in [-1, 1], (N, 3, H, W).
        """
        target_domain = target_domain or self._default_domain
        self._check_domain(target_domain)
        if source_domain is None:
            others = [domain for domain in self.domains if domain != target_domain]
            if len(others) > 1:
                raise ValueError(f'source_domain is needed, one of {others}')
            source_domain = others[0]
        self._check_domain(source_domain)
        if exemplar is None:
            raise ValueError('EGSCIT translates after an exemplar: give "exemplar", images of '
                             f'domain {target_domain!r}, (N or 1, 3, H, W), RGB in [-1, 1].')
        return self.inference_generators.translate(image, exemplar, source_domain, target_domain)

    def _check_domain(self, domain: str) -> None:
        if domain not in self.domains:
            raise ValueError(f'Unknown domain {domain!r}; this model has {list(self.domains)}')

    def _get_target_generator(self, domain: str) -> nn.Module:
        self._check_domain(domain)
        return self.inference_generators

    def _get_target_discriminator(self, domain: str) -> nn.Module:
        self._check_domain(domain)
        return unwrapped(self.discriminators).networks[domain]

    @torch.no_grad()
    def test_step(self, data: dict) -> list:
        """Translates in every direction, image i of one domain after image i of the other.

        Returns:
            list[DataSample]: With ``fake_<domain>``, BGR 0..255, (3, H, W).
        """
        data = self.data_preprocessor(data)
        images = self.images_by_domain(data['inputs'])
        outputs = {}
        for source, target in self._generators.directions:
            fake = self.translation(images[source], target, images[target], source)
            outputs[f'fake_{target}'] = (fake, f'img_{target}')
        return packed_samples(self.data_preprocessor, data['data_samples'], outputs)

    val_step = test_step

    @torch.no_grad()
    def rows(self, images: Images) -> Dict[str, Dict[str, Tensor]]:
        """Pictures to look at during training, one grid per direction.

        Args:
            images (dict[str, Tensor]): RGB in [-1, 1] by domain, (N, 3, H, W).

        Returns:
            dict[str, dict[str, Tensor]]: By direction (``A2B``), rows by name (content, exemplar,
            mask, translation, reconstruction, cycle), each (N, 3, H, W) in [-1, 1].
        """
        generators = self.inference_generators
        outputs = generators(images)
        grids = {}
        for source, target in generators.directions:
            content = images[source]
            rows = dict(content=content, exemplar=images[target])
            if generators.feature_networks is not None and generators.eta < 1:
                rows['mask'] = mask_image(generators, content, source)
            rows['translation'] = outputs['translation'][source, target]
            rows['reconstruction'] = outputs['reconstruction'][source]
            rows['cycle'] = outputs['cycle'][source, target]
            grids[f'{source}2{target}'] = rows
        return grids


def mask_image(generators: nn.Module, content: Tensor, source: str) -> Tensor:
    """Mean of the feature mask over its channels, as a grey image.

    Args:
        generators (ExemplarTranslator): With feature networks and eta < 1.
        content (Tensor): RGB in [-1, 1], (N, 3, H, W).
        source (str): Domain of the content.

    Returns:
        Tensor: (N, 3, H, W), -1 where the mask is eta, 1 where it is 1.
    """
    mask = generators.mask(generators.features({source: content})[source])
    mask = (mask.mean(1, keepdim=True) - generators.eta) / (1 - generators.eta)
    mask = F.interpolate(mask.float(), size=content.shape[-2:])
    return mask.expand_as(content) * 2 - 1
