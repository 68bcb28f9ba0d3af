# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What the models share that translate an image after an exemplar."""
from typing import Dict, List, Optional, Sequence, Tuple

import torch
from mmagic.registry import MODELS
from torch import Tensor, nn

from ...utils.checks import check_domains, check_integers
from ...utils.image_sizes import fitted
from ...utils.wrappers import unwrapped
from .alternating_gan import AlternatingGAN, Images, Losses
from .exemplar_guided import ExemplarGuidedModel


class ExemplarTranslationModel(AlternatingGAN, ExemplarGuidedModel):
    """Base of methods that are trained against discriminators: networks, average of the weights.

    The generator side is one module for all domains. Its forward ``(images, flows)`` returns at
    least ``translation`` {(source, target): image}, its ``translate(content, exemplar, source,
    target)`` one image, and it has ``domains``, ``directions`` and ``image_network``.
    A subclass sets ``default_loss_weights`` and ``own_part`` and implements
    :meth:`generator_losses`.

    Args:
        generator (dict): Config of the generator side.
        discriminator (dict | None): Config of :class:`DomainDiscriminators`; None for inference.
        domains (Sequence[str]): Names of the domains. Defaults to ('A', 'B').
        default_domain (str | None): Target domain where none is given; the last one by default.
        generator_steps (int): Generator updates per iteration. Defaults to 5.
        ema_config (dict | None): Config of one of MMEngine's averaged models, e.g.
            ``dict(type='mmengine.ExponentialMovingAverage', momentum=1e-3)``; validation, testing
            and inference then use the averaged generator side.
        **kwargs: Arguments of :class:`AlternatingGAN`.

    Raises:
        ValueError: If an argument is outside its range.
    """

    own_part: str  # of the generator side, that no other model has: it tells its checkpoints
    one_size_for_all_domains = True  # a discriminator sees real and translated images together

    def __init__(self,
                 generator: dict,
                 discriminator: Optional[dict] = None,
                 domains: Sequence[str] = ('A', 'B'),
                 default_domain: Optional[str] = None,
                 generator_steps: int = 5,
                 ema_config: Optional[dict] = None,
                 **kwargs):
        check_domains(self, domains, 2)
        super().__init__(generator, discriminator, domains, generator_steps=generator_steps,
                         **kwargs)
        self._default_domain = default_domain or self.domains[-1]
        self._check_domain(self._default_domain)
        self.generators_ema = None
        if ema_config is not None:
            check_integers(self, 1, **{'ema_config.interval': ema_config.get('interval', 1)})
            self.generators_ema = MODELS.build(ema_config, default_args=dict(model=self.generators))

    # ---------------------------------------------------------------- weights

    def init_weights(self) -> None:
        """Initialises both sides, also inside distributed wrappers, and the average."""
        super().init_weights()
        self.restart_average()

    def sides(self) -> Dict[str, Optional[nn.Module]]:
        """Adds the average to what a checkpoint holds."""
        return dict(generators=self.generators, generators_ema=self.generators_ema,
                    discriminators=self.discriminators)

    def restart_average(self) -> None:
        """Sets the averaged weights to the present ones."""
        if self.generators_ema is not None:
            self.generators_ema.module.load_state_dict(self._generators.state_dict())

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args, **kwargs) -> None:
        """Starts the average at the weights of a published model, which has no average.

        Such a file has no discriminators either; a training's checkpoint without average belongs
        to another ``ema_config`` and is refused as before.
        """
        sides = {key.removeprefix(prefix).split('.')[0] for key in state_dict}
        if self.generators_ema is not None and 'generators' in sides and not sides & {
                'generators_ema', 'discriminators'}:
            plain, average = f'{prefix}generators.', f'{prefix}generators_ema.'
            state_dict.update({
                f'{average}module.{key.removeprefix(plain)}': value
                for key, value in state_dict.items() if key.startswith(plain)
            })
            # At 0, the next update sets the average to the trained weights.
            state_dict[f'{average}steps'] = torch.zeros_like(self.generators_ema.steps)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    @property
    def _generators(self) -> nn.Module:
        return unwrapped(self.generators)

    @property
    def inference_generators(self) -> nn.Module:
        """The averaged generator side where there is one, else the trained one."""
        return self._generators if self.generators_ema is None else self.generators_ema.module

    # --------------------------------------------------------------- training

    def discriminator_losses(self, images: Images) -> Losses:
        """Tells real images from translations; only these are built, and without graph."""
        with torch.no_grad():
            outputs = self._generators(images, flows=['translation'])
        return self.losses_against(self._fakes(outputs['translation']), images)

    def after_updates(self) -> None:
        """Averages the weights of the generator side."""
        if self.generators_ema is not None:
            # Counted on the CPU: MMEngine looks at the number in every update, which would wait for
            # the device.
            self.generators_ema.steps = self.generators_ema.steps.cpu()
            self.generators_ema.update_parameters(self._generators)

    @staticmethod
    def _fakes(translations: Dict[Tuple[str, str], Tensor]) -> Images:
        """x_st by target domain t, those of all sources concatenated: (sources * N, 3, H, W)."""
        fakes: Dict[str, List[Tensor]] = {}
        for (_, target), image in translations.items():
            fakes.setdefault(target, []).append(image)
        return {target: torch.cat(images) for target, images in fakes.items()}

    @torch.no_grad()
    def rows(self, images: Images) -> Dict[str, Dict[str, Tensor]]:
        """Adds the reconstruction and the cycle, where there are any, all from one forward."""
        generators = self.inference_generators
        outputs = generators({d: fitted(batch, self.stride) for d, batch in images.items()})
        grids = {}
        for source, target in generators.directions:
            height, width = images[source].shape[-2:]
            made = dict(translation=outputs['translation'][source, target])
            if 'reconstruction' in outputs:
                made['reconstruction'] = outputs['reconstruction'][source]
            if 'cycle' in outputs:
                made['cycle'] = outputs['cycle'][source, target]
            grids[f'{source}2{target}'] = dict(
                content=images[source],
                exemplar=images[target],
                **self.inner_rows(images[source], source),
                **{name: row[..., :height, :width] for name, row in made.items()})
        return grids
