# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Alternating discriminator and generator updates, shared by both stages."""
import math
from collections import defaultdict
from contextlib import contextmanager
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Union

import torch
import torch.nn.functional as F
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import get_total_norm

from ..engine.wrappers import unwrapped
from ..image_sizes import check_channels, check_training_sizes
from ..utils.checks import check_integers, check_weights
from .layers import at_least_float32

Images = Dict[str, Tensor]
Losses = Dict[str, Tensor]


class AlternatingUpdates:
    """Mixin of a BaseModel that owns ``generators`` and ``discriminators``.

    One iteration is ``discriminator_steps`` updates of the discriminators, then
    ``generator_steps`` updates of the generators, each on its own minibatch: the dataloader
    delivers them as one batch, which :meth:`train_step` cuts in order. With ``split_batch=False``
    every update uses the whole batch.

    With ``skip_non_finite=True`` an update whose gradient is not finite is left out and counted in
    the log, instead of ending the training; every update then waits for its gradient.

    The model implements :meth:`discriminator_losses` and :meth:`generator_losses`.
    """

    domains: tuple
    in_channels: int  # of the images
    stride: int  # what their sides must be divisible by
    discriminator_steps: int
    generator_steps: int
    split_batch: bool
    skip_non_finite: bool
    skipped_updates = 0  # of this run
    smooth_l1_beta = 0.  # L1, unless the model has it as an argument
    loss_weights: Dict[str, float]
    memory_format: torch.memory_format
    compile_options: Optional[dict]
    compiled = False
    one_size_for_all_domains = False  # whether an update mixes the images of several domains

    def set_updates(self, loss_weights: Optional[Dict[str, float]],
                    default_loss_weights: Dict[str, float], discriminator_steps: int,
                    generator_steps: int, split_batch: bool, skip_non_finite: bool,
                    channels_last: bool, compile: Union[bool, dict],
                    frozen_modules: Sequence[str]) -> None:
        """Takes the arguments of a model that its updates depend on; they are described there.

        Raises:
            ValueError: If one is outside its range.
        """
        check_integers(self, 0, discriminator_steps=discriminator_steps,
                       generator_steps=generator_steps)
        check_integers(self, 1, **{
            'discriminator_steps + generator_steps': discriminator_steps + generator_steps})
        self.loss_weights = check_loss_weights(loss_weights or {}, default_loss_weights)
        encoder = self.generators.encoders[self.domains[0]]
        self.in_channels, self.stride = encoder.in_channels, encoder.stride
        self.discriminator_steps = discriminator_steps
        self.generator_steps = generator_steps
        self.split_batch = split_batch
        self.skip_non_finite = skip_non_finite
        for name in frozen_modules:
            if self.discriminators is not None or not name.startswith('discriminators'):
                freeze(self, name)
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.to(memory_format=self.memory_format)
        if isinstance(compile, dict):
            self.compile_options = dict(compile)
        else:
            self.compile_options = {} if compile else None

    def _compile_networks(self) -> None:
        """Compiles what an update runs, network by network.

        In place and inside distributed wrappers, so that names in checkpoints stay; networks of one
        architecture share their code. The average of the weights stays as it is, and a model that
        does not train is never compiled.
        """
        networks = [self.perceptual_loss] if getattr(self, 'perceptual_loss', None) else []
        for side in (self.generators, self.discriminators):
            for child in unwrapped(side).children():
                networks += child.values() if isinstance(child, nn.ModuleDict) else [child]
        for network in networks:
            network.compile(**self.compile_options)
        self.compiled = True

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> Dict[str, float]:
        """One iteration of alternating updates.

        Args:
            data (dict): Batch of the dataloader: ``inputs`` with ``img_<domain>``, and
                ``data_samples``.
            optim_wrapper (OptimWrapperDict): With the keys ``generators`` and
                ``discriminators``.

        Returns:
            dict[str, float]: Every weighted loss term under its name, the mean over the updates of
            its side, the sums ``loss_d`` and ``loss_g``; the shares of real and of generated
            images that the discriminators tell, ``accuracy_real_<domain>`` and
            ``accuracy_fake_<domain>``; and the norm of the gradient, ``grad_norm_<side>``, unless
            the wrapper clips and logs it itself.

        Raises:
            ValueError: If the batch cannot be cut into as many minibatches as there are updates.
            FloatingPointError: If a loss or, after the updates, a weight is not finite, unless
                ``skip_non_finite``. No checkpoint of this iteration is written.
        """
        if self.compile_options is not None and not self.compiled:
            self._compile_networks()
        self.check_batch(data)
        inputs = self.data_preprocessor(data, True)['inputs']
        minibatches = self.minibatches(self.images_by_domain(inputs))
        logs = defaultdict(list)
        for _ in range(self.discriminator_steps):
            self._update('discriminators', next(minibatches), optim_wrapper['discriminators'],
                         self.discriminator_losses, 'loss_d', logs)
        with _frozen(self.discriminators):
            for _ in range(self.generator_steps):
                self._update('generators', next(minibatches), optim_wrapper['generators'],
                             self.generator_losses, 'loss_g', logs)
        self.after_updates()
        floats = _to_floats({**logs, **self._weight_norms()})
        self._check_finite(floats, logs, data)
        result = {name: floats[name] for name in logs}
        if self.skip_non_finite:
            result['skipped_updates'] = float(self.skipped_updates)
        return result

    def check_batch(self, data: dict) -> None:
        """Refuses training images that the preprocessor would pad or the networks cannot take.

        Args:
            data (dict): Batch of the dataloader.

        Raises:
            ValueError: Naming files, what they have and what to do.
        """
        images = self.check_test_batch(data)
        check_training_sizes(images, data.get('data_samples') or [], self.one_size_for_all_domains)

    def check_test_batch(self, data: dict) -> dict:
        """Refuses images with other channels than the networks'; returns those of the domains."""
        inputs = data['inputs']
        if not isinstance(inputs, dict):
            return {}  # images_by_domain refuses it
        images = {f'img_{domain}': inputs[f'img_{domain}'] for domain in self.domains
                  if f'img_{domain}' in inputs}
        check_channels(images, data.get('data_samples') or [], self.in_channels)
        return images

    def _weight_norms(self) -> Dict[str, List[Tensor]]:
        """A gradient that is not finite shows in the weights, in one number per side."""
        return {
            f'weights of the {side}': [get_total_norm([p.detach() for p in trained])]
            for side in ('discriminators', 'generators')
            if (trained := [p for p in getattr(self, side).parameters() if p.requires_grad])
        }

    def _check_finite(self, floats: Dict[str, float], logs: Dict[str, List[Tensor]],
                      data: dict) -> None:
        # Not the gradients: a scaler of losses (float16) meets infinite ones and skips their step.
        wrong = [name for name, value in floats.items()
                 if not math.isfinite(value) and not name.startswith('grad_norm')]
        if not wrong:
            return
        iteration = MessageHub.get_current_instance().runtime_info.get('iter', 0) + 1
        updates = ', '.join(
            f'{name} in {[f"{value:.4g}" for value in torch.stack(logs[name]).tolist()]}'
            if name in logs else name for name in wrong)
        finite = ', '.join(f'{name} {value:.4g}' for name, value in floats.items()
                           if name not in wrong)
        files = [
            sample.get(f'img_{domain}_path', f'img_{domain} without a path')
            for sample in data['data_samples'] for domain in self.domains
        ]
        raise FloatingPointError(
            f'Iteration {iteration}: not finite: {updates}. The other terms: {finite}. The batch: '
            f'{", ".join(map(str, files))}. Resume from the last checkpoint with a smaller '
            'learning rate or with clip_grad in optim_wrapper, or look at these images.')

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args, **kwargs) -> None:
        """Refuses a checkpoint of another model.

        MMEngine loads with strict=False: a checkpoint of the other stage or of another width
        would leave random weights behind a warning.
        """
        for side in ('generators', 'generators_ema', 'discriminators'):
            module = getattr(self, side, None)
            own = {} if module is None else unwrapped(module).state_dict(prefix=f'{prefix}{side}.')
            if side == 'discriminators' and not own.keys() & state_dict.keys():
                continue  # a checkpoint made for inference comes without
            for key, value in own.items():
                found = state_dict.get(key)
                if not isinstance(found, Tensor) or found.shape != value.shape:
                    found = tuple(found.shape) if isinstance(found, Tensor) else 'nothing'
                    raise ValueError(
                        f'The checkpoint is not one of this {type(self).__name__}: {key!r} should '
                        f'have the shape {tuple(value.shape)}, found {found}. Give a checkpoint of '
                        'the same stage, architecture, domains and ema_config as the config.')
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def after_updates(self) -> None:
        """Called at the end of every iteration."""

    def discriminator_losses(self, images: Images) -> Losses:
        """Weighted loss terms of one discriminator update."""
        raise NotImplementedError

    def generator_losses(self, images: Images) -> Losses:
        """Weighted loss terms of one generator update."""
        raise NotImplementedError

    def images_by_domain(self, inputs: Dict[str, Tensor]) -> Images:
        """Picks ``img_<domain>`` of every domain, each (N, 3, H, W)."""
        missing = [f'img_{d}' for d in self.domains if f'img_{d}' not in inputs]
        if missing:
            raise ValueError(
                f'The batch has no {missing}, only {sorted(inputs)}: the domains of the model '
                f'{self.domains}, of the dataset and the keys of PackInputs must agree.')
        if not all(isinstance(inputs[f'img_{d}'], Tensor) and inputs[f'img_{d}'].is_floating_point()
                   for d in self.domains):
            raise ValueError('The images of the batch are as the files have them, not RGB in '
                             "[-1, 1]: set model.data_preprocessor to MMagic's DataPreprocessor, "
                             'as configs/egscit/_base_/models does.')
        return {
            domain: inputs[f'img_{domain}'].contiguous(memory_format=self.memory_format)
            for domain in self.domains
        }

    def minibatches(self, images: Images) -> Iterator[Images]:
        """Cuts the batch into one minibatch per update, in order."""
        updates = self.discriminator_steps + self.generator_steps
        if not self.split_batch:
            return iter([images] * updates)
        size = len(images[self.domains[0]])
        if size % updates:
            raise ValueError(
                f'A batch of {size} cannot be split into {updates} minibatches (one per update: '
                f'discriminator_steps={self.discriminator_steps} + generator_steps='
                f'{self.generator_steps}); set train_dataloader.batch_size to a multiple of '
                f'{updates}, or split_batch=False to use the whole batch in every update.')
        return _chunks(images, updates)

    def _update(self, side: str, images: Images, optim_wrapper: OptimWrapper,
                losses_of: Callable[[Images], Losses], total: str,
                logs: Dict[str, List[Tensor]]) -> None:
        """One update of one side; gradient accumulation cuts its minibatch further."""
        parts = optim_wrapper._accumulative_counts
        size = len(images[self.domains[0]])
        if size % parts:
            raise ValueError(f'A minibatch of {size} cannot be accumulated in {parts} parts '
                             f'(optim_wrapper.{side}.accumulative_counts)')
        terms = []
        for part in _chunks(images, parts):
            with optim_wrapper.optim_context(getattr(self, side)):
                losses = losses_of(part)
                losses[total] = sum(
                    value for name, value in losses.items() if name.startswith('loss'))
            optim_wrapper.backward(optim_wrapper.scale_loss(losses[total]))
            terms += losses.items()
        _check_all_used(side, getattr(self, side))
        # A scaler of losses leaves the step out by itself, and has to be told of it.
        scaler = getattr(optim_wrapper, 'loss_scaler', None)
        norm = get_total_norm(
            [p.grad for p in getattr(self, side).parameters() if p.grad is not None])
        skip = self.skip_non_finite and not norm.isfinite()
        if scaler is not None:
            # Not get_scale(), which waits for the device.
            norm = norm / scaler.scale(torch.ones_like(norm))
        if not skip or scaler is not None:
            optim_wrapper.step()
        optim_wrapper.zero_grad()
        if skip:
            self.skipped_updates += 1
            return
        if optim_wrapper.clip_grad_kwargs is None:
            terms.append((f'grad_norm_{side}', norm))
        for name, value in terms:
            logs[name].append(value.detach())

    def lsgan_discriminator_losses(self, real: Images, fake: Images) -> Losses:
        """LSGAN: ``w * 0.5 * [(D(real) - 1)^2 + D(fake)^2]`` per domain.

        Real and generated images pass each discriminator in one call. Beside the losses, the shares
        of logits that are on the right side of 0.5: near 1 for both, the discriminator has won.
        """
        logits = self.discriminators(
            {domain: torch.cat([real[domain], fake[domain].detach()]) for domain in fake})
        losses = {}
        for domain, scores in logits.items():
            sizes = len(real[domain]), len(fake[domain])
            on_real, on_fake = at_least_float32(scores).split(sizes)
            losses[f'loss_gan_d_{domain}'] = self.loss_weights['gan'] * 0.5 * (
                (on_real - 1).square().mean() + on_fake.square().mean())
            losses[f'accuracy_real_{domain}'] = (on_real > 0.5).float().mean()
            losses[f'accuracy_fake_{domain}'] = (on_fake < 0.5).float().mean()
        return losses

    def lsgan_generator_losses(self, fake: Images) -> Losses:
        """LSGAN: ``w * (D(fake) - 1)^2`` per domain."""
        # Frozen during the generator update, so past the wrapper: it has no gradients to reduce.
        logits = unwrapped(self.discriminators)(fake)
        weight = self.loss_weights['gan']
        return {
            f'loss_gan_g_{domain}': weight * (at_least_float32(scores) - 1).square().mean()
            for domain, scores in logits.items()
        }

    def reconstruction_loss(self, weight: str, image: Tensor, real: Tensor) -> Tensor:
        """Weighted mean absolute difference; ``weight`` is a key of ``loss_weights``.

        Differences below ``smooth_l1_beta`` count ``d^2 / (2 beta)``, larger ones ``d - beta / 2``.
        """
        difference = F.smooth_l1_loss(
            at_least_float32(image), at_least_float32(real), beta=self.smooth_l1_beta)
        return self.loss_weights[weight] * difference


def check_loss_weights(weights: Dict[str, float], defaults: Dict[str, float]) -> Dict[str, float]:
    """Fills in the default weights and refuses unknown names and negative weights."""
    unknown = set(weights) - set(defaults)
    if unknown:
        raise ValueError(f'loss_weights has unknown keys {sorted(unknown)}; known are '
                         f'{sorted(defaults)}')
    check_weights('The model', 'loss_weights', weights)
    return {**defaults, **weights}


def freeze(model: nn.Module, name: str) -> None:
    """Keeps the parameters of a module as they are.

    Args:
        model (nn.Module): The model.
        name (str): Dotted name of one of its modules.

    Raises:
        ValueError: If there is none of this name, or nothing in it to train.
    """
    modules = dict(model.named_modules())
    parameters = [] if name not in modules else [
        parameter for parameter in modules[name].parameters() if parameter.requires_grad]
    if not parameters:
        why = 'has nothing to train' if name in modules else 'does not exist'
        known = [key for key, module in modules.items()
                 if key.count('.') in (1, 2) and any(p.requires_grad for p in module.parameters())]
        raise ValueError(f'{type(model).__name__}: frozen_modules names {name!r}, which {why}. '
                         f'Modules are {", ".join(known[:16])} and those inside of them.')
    for parameter in parameters:
        parameter.requires_grad_(False)


def _chunks(images: Images, number: int) -> Iterator[Images]:
    for parts in zip(*(batch.chunk(number) for batch in images.values())):
        yield dict(zip(images, parts))


@contextmanager
def _frozen(module: nn.Module):
    """No gradients for the parameters of the module: the other side is being updated."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def _check_all_used(side: str, module: nn.Module) -> None:
    """Names parameters without gradient, for whose ones the other ranks would wait."""
    if not isinstance(module, DistributedDataParallel) or module.find_unused_parameters:
        return
    unused = [name for name, parameter in module.module.named_parameters()
              if parameter.requires_grad and parameter.grad is None]
    if unused:
        raise RuntimeError(
            f'No loss depends on {side}.{unused[0]} ({len(unused)} such parameters in all), for '
            'whose gradients the ranks would wait. Freeze it (requires_grad=False), use it, or set '
            'model_wrapper_cfg.find_unused_parameters=True, which costs time.')


def _to_floats(logs: Dict[str, List[Tensor]]) -> Dict[str, float]:
    """Means of all terms in one transfer: one .item() per term would wait for the device each."""
    means = torch.stack([torch.stack(values).float().mean() for values in logs.values()])
    return dict(zip(logs, means.tolist()))
