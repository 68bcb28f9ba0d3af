# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Generators and discriminators that are updated in turn."""
import inspect
from abc import abstractmethod
from collections import defaultdict
from typing import Dict, Iterator, List, Optional, Sequence, Tuple, Union

import torch
from mmagic.registry import MODELS
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn

from ...utils.checks import check_domains, check_integers
from ...utils.errors import UserError
from ...utils.wrappers import unwrapped
from ..losses import lsgan_accuracies, lsgan_discriminator_loss, lsgan_generator_loss
from .checks import check_all_used, check_finite, check_preprocessor, check_sides, check_state
from .image_model import ImageModel, Images
from .updates import Update, chunks, freeze, frozen, gradient_norm, means, weight_norm

Terms = Dict[Tuple[str, str], Tensor]  # scalars by name and by domain or direction, not weighted
Losses = Dict[str, Tensor]  # scalars as they are logged, weighted


class AlternatingGAN(ImageModel):
    """A model of ``generators`` and ``discriminators``, each one module for all domains.

    One iteration is ``discriminator_steps`` updates of the discriminators, then
    ``generator_steps`` updates of the generators, each on its own minibatch: the dataloader
    delivers them as one batch, which :meth:`train_step` cuts in order.

    A subclass sets ``default_loss_weights`` and implements :meth:`discriminator_losses`,
    :meth:`generator_losses` and :meth:`test_images`. It may extend :meth:`after_updates`,
    :meth:`networks_to_compile` and :meth:`sides`, and have other :meth:`updates`.

    Args:
        generator (dict): Config of the generator side.
        discriminator (dict | None): Config of :class:`DomainDiscriminators`; None for inference.
        domains (Sequence[str]): Names of the domains. Defaults to ('A', 'B').
        loss_weights (dict[str, float] | None): Overrides of ``default_loss_weights``.
        discriminator_steps (int): Discriminator updates per iteration. Defaults to 1.
        generator_steps (int): Generator updates per iteration. Defaults to 1.
        split_batch (bool): Whether every update gets its own part of the batch, or else all of it.
            Defaults to True.
        skip_non_finite (bool): Whether an update whose gradient is not finite is left out and
            counted instead of ending the training; every update then waits for its gradient.
            Defaults to False.
        channels_last (bool): Whether networks and images are laid out channels last in memory.
            Defaults to False.
        compile (bool | dict): Whether ``torch.compile`` compiles what an update runs in the first
            iteration of a training, or its arguments. Defaults to False.
        frozen_modules (Sequence[str]): Names of modules that keep their weights, such as
            ``'generators.encoders.A'``; those of ``load_from`` where it is given. Defaults to ().
        data_preprocessor (dict | None): MMagic's ``DataPreprocessor`` to RGB in [-1, 1].

    Raises:
        ValueError: If an argument is outside its range.
    """

    training_parts = ('discriminator', )  # arguments that inference does without

    def __init__(self,
                 generator: dict,
                 discriminator: Optional[dict],
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
        check_integers(self, 0, discriminator_steps=discriminator_steps,
                       generator_steps=generator_steps)
        check_integers(self, 1, **{
            'discriminator_steps + generator_steps': discriminator_steps + generator_steps})
        self.domains = tuple(domains)
        self.loss_weights = self._filled_in(loss_weights or {})
        self.discriminator_steps = discriminator_steps
        self.generator_steps = generator_steps
        self.split_batch = split_batch
        self.skip_non_finite = skip_non_finite
        self.skipped_updates = 0  # of this run
        self.generators = MODELS.build(dict(generator, domains=self.domains))
        self.discriminators = None
        if discriminator is not None:
            self.discriminators = MODELS.build(dict(discriminator, domains=self.domains))
        network = self.generators.image_network
        self.in_channels = network.in_channels  # of the images
        check_preprocessor(self.data_preprocessor, self.in_channels)
        self.stride = network.stride  # what their sides must be divisible by
        if isinstance(frozen_modules, str):
            raise UserError(f'{type(self).__name__}: frozen_modules must be a list of names, got '
                            f'{frozen_modules!r}.')
        for name in frozen_modules:
            if self.discriminators is not None or not name.startswith('discriminators'):
                freeze(self, name)
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.to(memory_format=self.memory_format)
        if isinstance(compile, dict):
            unknown = compile.keys() - inspect.signature(torch.compile).parameters.keys() | (
                compile.keys() & {'model'})
            if unknown:
                raise UserError(f'{type(self).__name__}: compile has unknown options '
                                f'{sorted(unknown)}; known are those of torch.compile.')
        self.compile_options = compile if isinstance(compile, dict) else {} if compile else None
        self.compiled = False

    # ---------------------------------------------------------------- weights

    def init_weights(self) -> None:
        """Initialises both sides, also inside distributed wrappers."""
        for side in (self.generators, self.discriminators):
            if side is not None:
                unwrapped(side).init_weights()

    def sides(self) -> Dict[str, Optional[nn.Module]]:
        """By name, what a checkpoint of this model holds whole, or not at all where it is None."""
        return dict(generators=self.generators, discriminators=self.discriminators)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args, **kwargs) -> None:
        """Refuses a checkpoint of another model, see :func:`check_state`.

        Discriminators stay as they are where a checkpoint made for inference has none.
        """
        check_state(type(self).__name__, self.sides(), state_dict, prefix)
        for side, module in self.sides().items():
            own = {} if module is None else unwrapped(module).state_dict(prefix=f'{prefix}{side}.')
            if own and not own.keys() & state_dict.keys():
                print_log(f'The checkpoint is made for inference, without {side}: a training would '
                          'begin these anew.', 'current')
                state_dict.update(own)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    # ----------------------------------------------------------------- losses

    @abstractmethod
    def discriminator_losses(self, images: Images) -> Losses:
        """Weighted loss terms of one discriminator update; what is no loss is only logged."""

    @abstractmethod
    def generator_losses(self, images: Images) -> Losses:
        """Weighted loss terms of one generator update."""

    def weighted(self, terms: Terms) -> Losses:
        """Every loss term times its weight, as ``loss_<term>_<domain or direction>``."""
        return {
            # gan_d and gan_g, of discriminators and generators, have the weight of gan.
            f'loss_{term}_{of}': self.loss_weights[
                term.removesuffix('_d').removesuffix('_g')] * value
            for (term, of), value in terms.items()
        }

    def losses_against(self, fake: Images, real: Images) -> Losses:
        """LSGAN of the discriminators, and the shares of images that they tell.

        Args:
            fake (dict[str, Tensor]): Generated images by domain, (N', 3, H, W).
            real (dict[str, Tensor]): Real images by domain, (N, 3, H, W).
        """
        # Real and generated images pass each discriminator in one call: (N + N', 1, h, w).
        scores = self.discriminators({
            domain: torch.cat([real[domain], fake[domain].detach()]) for domain in fake})
        losses = {}
        for domain in fake:
            on_real, on_fake = scores[domain].split([len(real[domain]), len(fake[domain])])
            losses.update(self.weighted({
                ('gan_d', domain): lsgan_discriminator_loss(on_real, on_fake)}))
            losses[f'accuracy_real_{domain}'], losses[f'accuracy_fake_{domain}'] = (
                lsgan_accuracies(on_real, on_fake))
        return losses

    def gan_terms(self, fake: Images) -> Terms:
        """LSGAN of the generators: ``gan_g`` by domain."""
        # Frozen during the generator update, so past the wrapper: it has no gradients to reduce.
        scores = unwrapped(self.discriminators)(fake)
        return {('gan_g', domain): lsgan_generator_loss(on_fake)
                for domain, on_fake in scores.items()}

    # ----------------------------------------------------------------- updates

    def updates(self) -> List[Update]:
        """The updates of an iteration, in order."""
        return [
            Update('discriminator_steps', 'discriminators', self.discriminator_losses, 'loss_d'),
            Update('generator_steps', 'generators', self.generator_losses, 'loss_g',
                   frozen=(self.discriminators, )),
        ]

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> Dict[str, float]:
        """One iteration of alternating updates.

        Args:
            data (dict): Batch of the dataloader: ``inputs`` with ``img_<domain>``, and, where
                errors shall name files, ``data_samples``.
            optim_wrapper (OptimWrapperDict): With a key for each side, such as ``generators``.

        Returns:
            dict[str, float]: Every weighted loss term under its name, the mean over the updates of
            its side, the sums ``loss_d`` and ``loss_g``; the shares of real and of generated
            images that the discriminators tell, ``accuracy_real_<domain>`` and
            ``accuracy_fake_<domain>``; and the norm of the gradient, ``grad_norm_<side>``, unless
            the wrapper clips and logs it itself.

        Raises:
            ValueError: If the batch cannot be cut into as many minibatches as there are updates, or
                a side has no optimiser wrapper.
            FloatingPointError: If a loss or, after the updates, a weight is not finite, unless
                ``skip_non_finite``. No checkpoint of this iteration is written.
        """
        if self.compile_options is not None and not self.compiled:
            self._compile_networks()
        updates = [update for update in self.updates() if getattr(self, update.steps)]
        sides = list(dict.fromkeys(update.side for update in updates))
        check_sides(optim_wrapper, sides)
        self.check_batch(data)
        inputs = self.data_preprocessor(data, True)['inputs']
        minibatches = self.minibatches(self.images_by_domain(inputs))
        logs = defaultdict(list)
        for update in updates:
            with frozen(*update.frozen):
                for _ in range(getattr(self, update.steps)):
                    self.update(update, next(minibatches), optim_wrapper[update.side], logs)
        self.after_updates()
        # A gradient that is not finite shows in the weights, in one number per side.
        norms = {f'weights of the {side}': weight_norm(getattr(self, side))
                 for side in sides}
        floats = means({**logs, **norms})
        check_finite(floats, logs, self._files(data))
        result = {name: floats[name] for name in logs}
        if self.skip_non_finite:
            result['skipped_updates'] = float(self.skipped_updates)
        return result

    def update(self, update: Update, images: Images, optim_wrapper: OptimWrapper,
               logs: Dict[str, List[Tensor]]) -> None:
        """One update of one side by one minibatch; ``logs`` gets its terms, if it is made."""
        if self.compiled:
            # With mode='reduce-overhead', networks put out what the next update's overwrite.
            torch.compiler.cudagraph_mark_step_begin()
        terms = self._backward(update, images, optim_wrapper)
        side, module = update.side, getattr(self, update.side)
        check_all_used(side, module)
        norm = gradient_norm(module, getattr(optim_wrapper, 'loss_scaler', None))
        if self._step(optim_wrapper, norm):
            if optim_wrapper.clip_grad_kwargs is None:  # else it logs the norm
                terms.append((f'grad_norm_{side}', norm))
            for name, value in terms:
                value = value.detach()
                logs[name].append(value.clone() if self.compiled else value)

    def _backward(self, update: Update, images: Images,
                  optim_wrapper: OptimWrapper) -> List[Tuple[str, Tensor]]:
        """Losses and gradients of a minibatch; gradient accumulation cuts it further.

        Returns:
            list[tuple[str, Tensor]]: The terms of all parts and their sums, by name.
        """
        parts = optim_wrapper._accumulative_counts
        size = len(images[self.domains[0]])
        if size % parts:
            raise UserError(f'A minibatch of {size} cannot be accumulated in {parts} parts '
                            f'(optim_wrapper.{update.side}.accumulative_counts)')
        terms = []
        for part in chunks(images, parts):
            with optim_wrapper.optim_context(getattr(self, update.side)):
                losses = update.losses(part)
                losses[update.total] = sum(
                    value for name, value in losses.items() if name.startswith('loss'))
            optim_wrapper.backward(optim_wrapper.scale_loss(losses[update.total]))
            terms += losses.items()
        return terms

    def _step(self, optim_wrapper: OptimWrapper, norm: Tensor) -> bool:
        """Clips and applies the gradients, unless their norm says that the update is left out."""
        skip = self.skip_non_finite and not norm.isfinite()
        # A scaler of losses leaves the step out by itself, and has to be told of it.
        if not skip or getattr(optim_wrapper, 'loss_scaler', None) is not None:
            optim_wrapper.step()
        optim_wrapper.zero_grad()
        self.skipped_updates += skip
        return not skip

    def after_updates(self) -> None:
        """Called at the end of every iteration, before the log is read: nothing here."""

    def networks_to_compile(self) -> List[nn.Module]:
        """What an update runs, network by network: those of one architecture share their code."""
        networks = []
        for side in (self.generators, self.discriminators):
            for child in unwrapped(side).children():
                networks += child.values() if isinstance(child, nn.ModuleDict) else [child]
        return networks

    def _compile_networks(self) -> None:
        """In place and inside distributed wrappers, so that names in checkpoints stay."""
        for network in self.networks_to_compile():
            network.compile(**self.compile_options)
        self.compiled = True

    def minibatches(self, images: Images) -> Iterator[Images]:
        """Cuts the batch into one minibatch per update, in order."""
        steps = {update.steps: getattr(self, update.steps) for update in self.updates()}
        updates = sum(steps.values())
        if not self.split_batch:
            return iter([images] * updates)
        size = len(images[self.domains[0]])
        if size % updates:
            counts = ' + '.join(f'{name}={number}' for name, number in steps.items())
            raise UserError(
                f'A batch of {size} cannot be split into {updates} minibatches (one per update: '
                f'{counts}); set train_dataloader.batch_size to a multiple of '
                f'{updates}, or split_batch=False to use the whole batch in every update.')
        return chunks(images, updates)
