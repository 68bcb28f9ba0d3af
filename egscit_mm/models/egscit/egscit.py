# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""EGSC-IT: exemplar-guided, semantically consistent, unpaired image translation.

L. Ma, X. Jia, S. Georgoulis, T. Tuytelaars, L. Van Gool, "Exemplar Guided Unsupervised
Image-to-Image Translation with Semantic Consistency", ICLR 2019,
<https://arxiv.org/abs/1805.11145>.
"""
import os
from typing import Dict, List, Optional

import torch.nn.functional as F
from mmagic.registry import MODELS
from mmengine.logging import print_log
from mmengine.runner.checkpoint import _load_checkpoint
from torch import Tensor, nn

from ...utils.checks import check_not_negative
from ...utils.errors import RunError, UserError
from ...utils.image_sizes import fitted
from ...utils.wrappers import unwrapped
from ..base.alternating_gan import Images, Losses
from ..base.exemplar_translation import ExemplarTranslationModel
from ..losses import as_shown, kl_loss, reconstruction_loss
from ..networks.state import first_misfit


@MODELS.register_module()
class EGSCIT(ExemplarTranslationModel):
    """Stage 2: translation with feature masks, AdaIN and perceptual losses (paper Sec. 3).

    Args:
        *args, **kwargs: Arguments of :class:`ExemplarTranslationModel`: ``generator`` is the config
            of an :class:`ExemplarTranslator`, ``loss_weights`` overrides ``gan`` 10,
            ``reconstruction`` 100, ``kl`` 0.1, ``cycle`` 100, ``cycle_kl`` 0.1.
        perceptual_loss (dict | None): Config of :class:`VGGPerceptualLoss`; None is the paper's
            ablation "w/o L_P".
        feature_checkpoint (str | None): Checkpoint of stage 1 (:class:`VAEGAN`) with the feature
            networks. Needed to start a training only: a checkpoint of this model contains them.
        smooth_l1_beta (float): Differences of reconstructions and cycles below it, in images of
            [-1, 1], are squared (``torch.nn.functional.smooth_l1_loss``): the many pixels that are
            nearly right then leave the gradient to those that are not. Defaults to 0, which is the
            paper's L1.

    Raises:
        ValueError: If ``smooth_l1_beta`` is negative, or as the base class says.
    """

    own_part = 'shared_encoder_block'
    training_parts = (*ExemplarTranslationModel.training_parts, 'perceptual_loss')
    default_loss_weights = dict(gan=10., reconstruction=100., kl=0.1, cycle=100., cycle_kl=0.1)

    def __init__(self,
                 *args,
                 perceptual_loss: Optional[dict] = None,
                 feature_checkpoint: Optional[str] = None,
                 smooth_l1_beta: float = 0.,
                 **kwargs):
        super().__init__(*args, **kwargs)
        check_not_negative(self, smooth_l1_beta=smooth_l1_beta)
        self.smooth_l1_beta = float(smooth_l1_beta)
        self.perceptual_loss = None
        if perceptual_loss is not None:
            self.perceptual_loss = MODELS.build(perceptual_loss).to(
                memory_format=self.memory_format)
        self.feature_checkpoint = feature_checkpoint
        self._features_known = False

    # ---------------------------------------------------------------- weights

    def init_weights(self) -> None:
        """Initialises the networks, then loads the frozen ones (F from stage 1, VGG).

        The Runner calls this before it loads or resumes a checkpoint; inference never does, so it
        needs neither file. A stage-1 file that is missing is no error yet: the checkpoint that is
        about to be resumed may hold F, and :meth:`train_step` insists on it.
        """
        super().init_weights()
        if self.perceptual_loss is not None:
            unwrapped(self.perceptual_loss).init_weights()
        if self.feature_checkpoint is not None and self._generators.feature_networks is not None:
            if os.path.isfile(self.feature_checkpoint):
                self.load_feature_networks(self.feature_checkpoint)
            else:
                print_log(f'feature_checkpoint {self.feature_checkpoint!r} does not exist.',
                          'current', level=30)
        self.restart_average()

    def load_feature_networks(self, checkpoint: str) -> None:
        """Takes the encoders of a stage-1 checkpoint as feature networks.

        Args:
            checkpoint (str): File of a trained :class:`VAEGAN`.

        Raises:
            ValueError: If the file is not a stage-1 checkpoint of this architecture and domains.
        """
        state = _load_checkpoint(checkpoint, map_location='cpu')
        encoders = self.check_feature_networks(state.get('state_dict', state),
                                               f'feature_checkpoint {checkpoint}')
        self._generators.feature_networks.load_state_dict(encoders)
        self._generators.features_loaded.fill_(True)
        print_log(f'Feature networks loaded from {checkpoint}', 'current')

    def check_feature_networks(self, state: Dict[str, Tensor], origin: str) -> Dict[str, Tensor]:
        """Picks the encoders out of the state of a stage 1, if they fit this model.

        Args:
            state (dict[str, Tensor]): State dict of a :class:`VAEGAN`.
            origin (str): Where it comes from, for the error.

        Returns:
            dict[str, Tensor]: State dict of the feature networks.

        Raises:
            ValueError: If it is not of a stage 1 of this architecture and domains.
        """
        prefix = 'generators.encoders.'
        encoders = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        wanted = self._generators.feature_networks.state_dict()
        if not encoders or any('shared_encoder_block' in key for key in state):
            raise UserError(f'{origin} is not a stage-1 (VAEGAN) checkpoint; give the one '
                            'that configs/egscit/vaegan_<task>.py writes.')
        if misfit := first_misfit(wanted, encoders, sorted(wanted.keys() | encoders.keys())):
            raise UserError(
                f'{origin} has another architecture or other domains: feature network '
                f'{misfit[0]!r} should be {misfit[1]}, is {misfit[2]} there. '
                'Train stage 1 with the same encoder and domains.')
        return encoders

    # --------------------------------------------------------------- training

    def train_step(self, data: dict, optim_wrapper) -> Dict[str, float]:
        """One iteration; see :meth:`AlternatingGAN.train_step`.

        Raises:
            RuntimeError: If the feature networks are not those of a trained stage 1.
        """
        # Asked once: reading a tensor waits for the device.
        if not self._features_known and self._generators.features_missing:
            raise RunError(
                'The feature networks F of stage 1 are not loaded (feature_checkpoint='
                f'{self.feature_checkpoint!r}). Train both stages with "python tools/train.py '
                'CONFIG" of this stage, or train stage 1 first with "python tools/train.py '
                'configs/egscit/vaegan_<task>.py" and give its checkpoint with "--cfg-options '
                'model.feature_checkpoint=work_dirs/vaegan_<task>/iter_N.pth".')
        self._features_known = True
        return super().train_step(data, optim_wrapper)

    def _load_from_state_dict(self, *args, **kwargs) -> None:
        """Asks for the feature networks again, as others are loaded."""
        self._features_known = False
        super()._load_from_state_dict(*args, **kwargs)

    def generator_losses(self, images: Images) -> Losses:
        """The paper's Sec. 3.3, for every domain and every direction s -> t.

        | paper | in the log, ``loss_...`` | what it asks for |
        | --- | --- | --- |
        | L_GAN | ``gan_g`` | D_t takes the translation x_st for a real image |
        | L_VAE | ``reconstruction``, ``kl`` | x_ss = x_s; the latent, of mean mu_s, is N(0, 1) |
        | L_CC | ``cycle``, ``cycle_kl`` | x_sts = x_s; that of x_st, of mean mu_st, is N(0, 1) |
        | lambda_c L_c + lambda_s L_s | ``content``, ``style`` | x_st shows x_s, in x_t's style |
        """
        flows = self.generators(images)
        x, x_ss, mu_s = images, flows['reconstruction'], flows['latent_mean']
        x_st, x_sts, mu_st = flows['translation'], flows['cycle'], flows['cycle_latent_mean']

        terms = self.gan_terms(self._fakes(x_st))
        for s in self.domains:
            terms['reconstruction', s] = self._difference(x_ss[s], x[s])
            terms['kl', s] = kl_loss(mu_s[s])
        for s, t in x_sts:
            terms['cycle', f'{s}2{t}'] = self._difference(x_sts[s, t], x[s])
            terms['cycle_kl', f'{s}2{t}'] = kl_loss(mu_st[s, t])
        losses = self.weighted(terms)
        if self.perceptual_loss is not None:
            # lambda_c and lambda_s are arguments of the perceptual loss.
            content, style = self.perceptual_loss(x, x_st)
            for s, t in x_st:
                losses[f'loss_content_{s}2{t}'] = content[s, t]
                losses[f'loss_style_{s}2{t}'] = style[s, t]
        return losses

    def _difference(self, image: Tensor, real: Tensor) -> Tensor:
        return reconstruction_loss(as_shown(image, real), real, self.smooth_l1_beta)

    def networks_to_compile(self) -> List[nn.Module]:
        """VGG with the others."""
        perceptual = [] if self.perceptual_loss is None else [self.perceptual_loss]
        return perceptual + super().networks_to_compile()

    # -------------------------------------------------------------- inference

    def inner_rows(self, content: Tensor, source: str) -> Dict[str, Tensor]:
        """The feature mask, where there is one."""
        generators = self.inference_generators
        if not generators.makes_masks:
            return {}
        height, width = content.shape[-2:]
        mask = mask_image(generators, fitted(content, self.stride), source)
        return dict(mask=mask[..., :height, :width])


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
