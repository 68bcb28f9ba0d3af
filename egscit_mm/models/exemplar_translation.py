# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What the models share that translate an image after an exemplar."""
from typing import Callable, Dict, List, Optional, Sequence, Tuple, Union

import torch
from mmagic.models.base_models import BaseTranslationModel
from mmagic.registry import MODELS
from mmengine.model import BaseModel
from torch import Tensor, nn

from ..engine.wrappers import unwrapped
from ..image_sizes import by_size, fitted
from ..utils.checks import check_domains
from .alternating import AlternatingUpdates, Images, Losses
from .samples import fake_key, packed_samples


class ExemplarTranslationModel(AlternatingUpdates, BaseTranslationModel):
    """Base of EGSCIT and MUNIT: networks, average of the weights, inference, evaluation.

    The generator side is one module for all domains. Its forward ``(images, flows)`` returns at
    least ``translation`` {(source, target): image}, its ``translate(content, exemplar, source,
    target)`` one image, and it has ``domains``, ``directions`` and ``encoders`` with a ``stride``.
    A subclass sets ``default_loss_weights`` and implements :meth:`generator_losses`.

    Args:
        generator (dict): Config of the generator side.
        discriminator (dict | None): Config of :class:`DomainDiscriminators`; None for inference.
        domains (Sequence[str]): Names of the domains. Defaults to ('A', 'B').
        default_domain (str | None): Target domain where none is given; the last one by default.
        loss_weights (dict[str, float] | None): Overrides of ``default_loss_weights``.
        discriminator_steps (int): Discriminator updates per iteration. Defaults to 1.
        generator_steps (int): Generator updates per iteration. Defaults to 5.
        split_batch (bool): Whether every update gets its own part of the batch. Defaults to True.
        skip_non_finite (bool): Whether an update whose gradient is not finite is left out and
            counted instead of ending the training. Defaults to False.
        channels_last (bool): Whether networks and images are laid out channels last in memory.
            Defaults to False.
        compile (bool | dict): Whether ``torch.compile`` compiles the networks and the perceptual
            loss in the first iteration of a training, or its arguments. Defaults to False.
        frozen_modules (Sequence[str]): Names of modules that keep their weights, such as
            ``'generators.encoders.A'``; those of ``load_from`` where it is given. Defaults to ().
        ema_config (dict | None): Config of one of MMEngine's averaged models, e.g.
            ``dict(type='mmengine.ExponentialMovingAverage', momentum=1e-3)``; validation, testing
            and inference then use the averaged generator side.
        data_preprocessor (dict | None): MMagic's ``DataPreprocessor`` to RGB in [-1, 1].

    Raises:
        ValueError: If an argument is outside its range.
    """

    default_loss_weights: Dict[str, float]
    one_size_for_all_domains = True  # a discriminator sees real and translated images together

    def __init__(self,
                 generator: dict,
                 discriminator: Optional[dict] = None,
                 domains: Sequence[str] = ('A', 'B'),
                 default_domain: Optional[str] = None,
                 loss_weights: Optional[Dict[str, float]] = None,
                 discriminator_steps: int = 1,
                 generator_steps: int = 5,
                 split_batch: bool = True,
                 skip_non_finite: bool = False,
                 channels_last: bool = False,
                 compile: Union[bool, dict] = False,
                 frozen_modules: Sequence[str] = (),
                 ema_config: Optional[dict] = None,
                 data_preprocessor: Optional[dict] = None):
        # Not BaseTranslationModel.__init__: it builds one generator per domain, while here one
        # module holds all domains, so that an update is one forward of it.
        BaseModel.__init__(self, data_preprocessor)
        check_domains(self, domains, 2)
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
        self.set_updates(loss_weights, self.default_loss_weights, discriminator_steps,
                         generator_steps, split_batch, skip_non_finite, channels_last, compile,
                         frozen_modules)

    # ---------------------------------------------------------------- weights

    def init_weights(self) -> None:
        """Initialises both sides, also inside distributed wrappers, and the average."""
        for module in (self.generators, self.discriminators):
            if module is not None:
                unwrapped(module).init_weights()
        self.restart_average()

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
        return self.lsgan_discriminator_losses(images, self._fakes(outputs))

    def after_updates(self) -> None:
        """Averages the weights of the generator side."""
        if self.generators_ema is not None:
            # Counted on the CPU: MMEngine looks at the number in every update, which would wait for
            # the device.
            self.generators_ema.steps = self.generators_ema.steps.cpu()
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
            image (Tensor): Content, RGB in [-1, 1], (N, 3, H, W), H and W divisible by ``stride``.
            target_domain (str | None): Domain of the result; the default domain if None.
            exemplar (Tensor): Images of the target domain, RGB in [-1, 1], (N or 1, 3, H', W'),
                perhaps of another size.
            source_domain (str | None): Domain of the content; with two domains it is the other one.

        Returns:
            Tensor: RGB in [-1, 1], (N, 3, H, W).

        Raises:
            ValueError: If a domain is unknown, both are the same, or one cannot do without.
        """
        source_domain, target_domain = self.direction(source_domain, target_domain)
        if exemplar is None:
            raise ValueError(
                f'{type(self).__name__} translates after an exemplar: give "exemplar", images of '
                f'domain {target_domain!r}, (N or 1, 3, H, W), RGB in [-1, 1], or use '
                'egscit_mm.apis.EGSCITInferencer.')
        return self.inference_generators.translate(image, exemplar, source_domain, target_domain)

    def translation_at_any_size(self, image: Tensor, target_domain: str, exemplar: Tensor,
                                source_domain: str, translation: Optional[Callable] = None):
        """:meth:`translation` of images whose sides the stride need not divide.

        Content and exemplar are continued by reflection, the result is cut to the content's size.

        Args:
            image (Tensor): As for :meth:`translation`, and so are the next three.
            target_domain (str): Domain of the result.
            exemplar (Tensor): Images of the target domain.
            source_domain (str): Domain of the content.
            translation (callable | None): A compiled :meth:`translation` to call in its place.
        """
        height, width = image.shape[-2:]
        result = (translation or self.translation)(
            fitted(image, self.stride), target_domain, fitted(exemplar, self.stride), source_domain)
        return result[..., :height, :width]

    def direction(self, source_domain: Optional[str] = None,
                  target_domain: Optional[str] = None) -> Tuple[str, str]:
        """Domains of content and exemplar, where not both are given.

        Args:
            source_domain (str | None): With two domains the other one if None.
            target_domain (str | None): The default domain if None; with two domains, the one that
                is not the source.

        Raises:
            ValueError: If a domain is unknown, both are the same, or one cannot do without.
        """
        for domain in (source_domain, target_domain):
            if domain is not None:
                self._check_domain(domain)
        if target_domain is None:
            others = [domain for domain in self.domains if domain != source_domain]
            target_domain = self._default_domain if self._default_domain in others else others[0]
            if len(others) > 1 and target_domain != self._default_domain:
                raise ValueError(f'Content of domain {source_domain!r}: target_domain is needed, '
                                 f'one of {others}')
        if source_domain is None:
            others = [domain for domain in self.domains if domain != target_domain]
            if len(others) > 1:
                raise ValueError(f'Translation to domain {target_domain!r}: source_domain is '
                                 f'needed, one of {others}')
            source_domain = others[0]
        if source_domain == target_domain:
            raise ValueError(f'Source and target domain are both {target_domain!r}; this model '
                             f'translates between {list(self.domains)}')
        return source_domain, target_domain

    def _check_domain(self, domain: str) -> None:
        if domain not in self.domains:
            raise ValueError(f'Unknown domain {domain!r}; this model has {list(self.domains)}')

    def _get_target_generator(self, domain: str) -> nn.Module:
        self._check_domain(domain)
        return self.inference_generators

    def _get_target_discriminator(self, domain: str) -> nn.Module:
        self._check_domain(domain)
        return unwrapped(self.discriminators).networks[domain]

    @by_size
    @torch.no_grad()
    def test_step(self, data: dict) -> list:
        """Translates in every direction, image i of one domain after image i of the other.

        The images may have any sizes: each is translated as if it were alone.

        Returns:
            list[DataSample]: BGR 0..255, (3, H, W), with the content's size, under the names of
            :func:`~.samples.fake_key`.
        """
        self.check_test_batch(data)
        data = self.data_preprocessor(data)
        images = self.images_by_domain(data['inputs'])
        outputs = {}
        for source, target in self._generators.directions:
            fake = self.translation_at_any_size(images[source], target, images[target], source)
            outputs[fake_key(self.domains, source, target)] = (fake, f'img_{target}')
        return packed_samples(self.data_preprocessor, data['data_samples'], outputs)

    val_step = test_step

    @torch.no_grad()
    def rows(self, images: Images) -> Dict[str, Dict[str, Tensor]]:
        """Pictures to look at during training, one grid per direction. Call it in eval mode.

        Args:
            images (dict[str, Tensor]): RGB in [-1, 1] by domain, (N, 3, H, W), of any sizes.

        Returns:
            dict[str, dict[str, Tensor]]: By direction (``A2B``), rows by name (content, exemplar,
            those of :meth:`inner_rows`, translation, reconstruction, cycle), each (N, 3, H, W) in
            [-1, 1], with the exemplar's size for the exemplar and the content's for the others.
        """
        generators = self.inference_generators
        outputs = generators({d: fitted(batch, self.stride) for d, batch in images.items()})
        grids = {}
        for source, target in generators.directions:
            height, width = images[source].shape[-2:]
            made = dict(
                translation=outputs['translation'][source, target],
                reconstruction=outputs['reconstruction'][source],
                cycle=outputs['cycle'][source, target])
            grids[f'{source}2{target}'] = dict(
                content=images[source],
                exemplar=images[target],
                **self.inner_rows(images[source], source),
                **{name: row[..., :height, :width] for name, row in made.items()})
        return grids

    def inner_rows(self, content: Tensor, source: str) -> Dict[str, Tensor]:
        """Rows by name that show how the model sees the content; none here."""
        return {}
