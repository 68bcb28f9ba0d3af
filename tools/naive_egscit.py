# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""EGSC-IT's updates written out one flow after the other, for tools/benchmark.py and the tests.

The same losses as :class:`egscit_mm.models.EGSCIT`, as a script written from the paper has them:
every flow encodes its images and their features anew and decodes alone, every update runs all flows
with their graphs, discriminators see real and generated images in turn, and VGG sees each image of
each direction by itself. It follows every option of the model that changes its losses;
:func:`refuse_options` names those that it has not.
"""
from collections import defaultdict

import torch
import torch.nn.functional as F

from egscit_mm.models.losses.perceptual import gram_matrix, normalize_channels
from egscit_mm.utils.wrappers import unwrapped


def refuse_options(model, optim_wrapper):
    """Names options that change how an update is computed, and that these updates have not.

    Args:
        model (EGSCIT): The model.
        optim_wrapper (OptimWrapperDict): Its wrappers.

    Raises:
        ValueError: If one is set.
    """
    checkpointing = [('generator', unwrapped(model.generators)),
                     ('perceptual_loss', model.perceptual_loss)]
    given = [
        *(name for name, is_set in (('compile', model.compile_options is not None),
                                    ('skip_non_finite', model.skip_non_finite)) if is_set),
        *(f'{name}.activation_checkpointing' for name, part in checkpointing
          if part is not None and part.activation_checkpointing),
        *(f'optim_wrapper.{side}.accumulative_counts' for side, wrapper in optim_wrapper.items()
          if wrapper._accumulative_counts > 1)
    ]
    if given:
        raise ValueError(f'The naive updates have no {", ".join(given)}: leave it at its default '
                         'to compare with them.')


def flow(generators, content, source, exemplar, target, mask_image=None, mask_domain=None):
    """Image and latent mean of one flow.

    Args:
        generators (ExemplarTranslator): The networks.
        content (Tensor): What is encoded.
        source (str): Domain of the content.
        exemplar (Tensor): Image whose features make the style.
        target (str): Domain of the exemplar and of the decoder.
        mask_image (Tensor | None): Image whose features make the mask; None is the content.
        mask_domain (str | None): Its domain.
    """
    if mask_image is None:
        mask_image, mask_domain = content, source
    mean = generators.shared_encoder_block(generators.encoders[source](content))
    latent = mean
    if generators.training and generators.latent_noise:
        latent = mean + generators.latent_noise * torch.randn_like(mean)
    features = generators.feature_networks
    mask = style = None
    if features is not None:
        mask = generators.mask(features[mask_domain](mask_image))
        style = generators.style(features[target](exemplar))
    styled = generators.styled(generators.shared_decoder_block(latent), mask, style)
    return generators.decoders[target](styled), mean


def all_flows(generators, images):
    """Images and latent means of all flows, by (flow, source, target)."""
    results = {}
    for domain, image in images.items():
        results['reconstruction', domain, domain] = flow(
            generators, image, domain, image, domain)
    for source, target in generators.directions:
        content, exemplar = images[source], images[target]
        translation = flow(generators, content, source, exemplar, target)
        results['translation', source, target] = translation
        start = translation[0].detach() if generators.detach_cycle else translation[0]
        mask = (content, source) if generators.cycle_mask == 'original' else (None, None)
        results['cycle', source, target] = flow(generators, start, target, content, source, *mask)
    return results


def generator_losses(model, images):
    """All terms of a generator update, as :meth:`EGSCIT.generator_losses` names them."""
    weights, beta = model.loss_weights, model.smooth_l1_beta
    discriminators = unwrapped(model.discriminators).networks
    losses, scores = {}, defaultdict(list)
    for (name, source, target), (image, mean) in all_flows(
            unwrapped(model.generators), images).items():
        direction = f'{source}2{target}'
        if name == 'reconstruction':
            losses[f'loss_reconstruction_{source}'] = weights['reconstruction'] * difference(
                image, images[source], beta)
            losses[f'loss_kl_{source}'] = weights['kl'] * mean.square().mean()
        elif name == 'cycle':
            losses[f'loss_cycle_{direction}'] = weights['cycle'] * difference(
                image, images[source], beta)
            losses[f'loss_cycle_kl_{direction}'] = weights['cycle_kl'] * mean.square().mean()
        else:
            scores[target].append(discriminators[target](image))
            if model.perceptual_loss is not None:
                losses[f'loss_content_{direction}'], losses[f'loss_style_{direction}'] = (
                    perceptual_losses(model.perceptual_loss, image, images[source],
                                      images[target]))
    for target, of_sources in scores.items():
        losses[f'loss_gan_g_{target}'] = weights['gan'] * squared_distance(of_sources, 1)
    return losses


def difference(image, real, beta):
    """Smooth L1; brighter than white and darker than black are shown as white and black."""
    shown = torch.where((real == 1) & (image > 1) | (real == -1) & (image < -1), real, image)
    return F.smooth_l1_loss(shown, real, beta=beta)


def squared_distance(scores, wanted):
    """Mean over several batches of scores of what they miss the wanted one by, squared."""
    return sum((batch - wanted).square().mean() for batch in scores) / len(scores)


def perceptual_losses(loss, image, content, exemplar):
    """Content and style loss of one direction; VGG sees three images, one after the other."""
    maps = [{layer: normalize_channels(x) for layer, x in loss.vgg(each).items()}
            for each in (image, content, exemplar)]
    content_loss = style_loss = image.new_zeros(())
    for layer, weight in loss.content_layers.items():
        content_loss = content_loss + weight * F.l1_loss(maps[0][layer], maps[1][layer])
    for layer, weight in loss.style_layers.items():
        style_loss = style_loss + weight * F.l1_loss(
            gram_matrix(maps[0][layer]), gram_matrix(maps[2][layer]))
    return loss.content_weight * content_loss, loss.style_weight * style_loss


def discriminator_losses(model, images):
    """The terms of a discriminator update, after all flows."""
    discriminators = unwrapped(model.discriminators).networks
    scores = defaultdict(list)
    for (name, _, target), (image, _) in all_flows(unwrapped(model.generators), images).items():
        if name == 'translation':
            scores[target].append(discriminators[target](image.detach()))
    return {
        f'loss_gan_d_{target}': model.loss_weights['gan'] * 0.5 * (
            squared_distance([discriminators[target](images[target])], 1) +
            squared_distance(of_sources, 0))
        for target, of_sources in scores.items()
    }


def train_step(model, data, optim_wrapper):
    """One iteration: the discriminator updates, then those of the generators."""
    refuse_options(model, optim_wrapper)
    images = model.images_by_domain(model.data_preprocessor(data, True)['inputs'])
    minibatches = model.minibatches(images)
    for side, steps, losses_of in (
            ('discriminators', model.discriminator_steps, discriminator_losses),
            ('generators', model.generator_steps, generator_losses)):
        for _ in range(steps):
            with optim_wrapper[side].optim_context(getattr(model, side)):
                loss = sum(losses_of(model, next(minibatches)).values())
            model.zero_grad()  # the generators' loss has left gradients in the discriminators
            optim_wrapper[side].update_params(loss)
    model.after_updates()
