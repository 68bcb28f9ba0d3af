# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""EGSC-IT's updates written out one flow after the other, for tools/benchmark.py and the tests.

The same losses as :class:`egscit_mm.models.EGSCIT`, as a script written from the paper has them:
every flow encodes its images and their features anew and decodes alone, every update runs all flows
with their graphs, discriminators see real and generated images in turn, and VGG sees each image of
each direction by itself.
"""
import torch
import torch.nn.functional as F

from egscit_mm.models.losses import kl_loss
from egscit_mm.models.losses.perceptual import gram_matrix, normalize_channels
from egscit_mm.utils.wrappers import unwrapped


def flow(generators, content, mask_source, exemplar, encoder, source, target):
    """Image and latent mean of one flow.

    Args:
        generators (ExemplarTranslator): The networks.
        content (Tensor): What is encoded, by the encoder of domain ``encoder``.
        mask_source (Tensor): Image of domain ``source`` whose features make the mask.
        exemplar (Tensor): Image of domain ``target`` whose features make the style.
        encoder (str): Domain of the content.
        source (str): Domain of the mask.
        target (str): Domain of the style and of the decoder.
    """
    mean = generators.shared_encoder_block(generators.encoders[encoder](content))
    latent = mean
    if generators.training and generators.latent_noise:
        latent = mean + generators.latent_noise * torch.randn_like(mean)
    features = generators.feature_networks
    mask = style = None
    if features is not None:
        mask = generators.mask(features[source](mask_source))
        style = generators.style(features[target](exemplar))
    styled = generators.styled(generators.shared_decoder_block(latent), mask, style)
    return generators.decoders[target](styled), mean


def all_flows(generators, images):
    """Images and latent means of all flows, by (flow, source, target)."""
    results = {}
    for domain, image in images.items():
        results['reconstruction', domain, domain] = flow(
            generators, image, image, image, domain, domain, domain)
    for source, target in generators.directions:
        content, exemplar = images[source], images[target]
        translation = flow(generators, content, content, exemplar, source, source, target)
        results['translation', source, target] = translation
        results['cycle', source, target] = flow(
            generators, translation[0], content, content, target, source, source)
    return results


def generator_losses(model, images):
    """All terms of a generator update, as :meth:`EGSCIT.generator_losses` names them."""
    weights = model.loss_weights
    discriminators = unwrapped(model.discriminators).networks
    losses = {}
    for (name, source, target), (image, mean) in all_flows(
            unwrapped(model.generators), images).items():
        direction = f'{source}2{target}'
        if name == 'reconstruction':
            losses[f'loss_reconstruction_{source}'] = weights['reconstruction'] * F.l1_loss(
                image, images[source])
            losses[f'loss_kl_{source}'] = weights['kl'] * kl_loss(mean)
        elif name == 'cycle':
            losses[f'loss_cycle_{direction}'] = weights['cycle'] * F.l1_loss(image, images[source])
            losses[f'loss_cycle_kl_{direction}'] = weights['cycle_kl'] * kl_loss(mean)
        else:
            scores = discriminators[target](image)
            losses[f'loss_gan_g_{target}'] = weights['gan'] * (scores - 1).square().mean()
            if model.perceptual_loss is not None:
                losses[f'loss_content_{direction}'], losses[f'loss_style_{direction}'] = (
                    perceptual_losses(model.perceptual_loss, image, images[source],
                                      images[target]))
    return losses


def perceptual_losses(loss, image, content, exemplar):
    """Content and style loss of one direction; VGG sees three images, one after the other."""
    maps = [{layer: normalize_channels(x) for layer, x in loss.vgg(each).items()}
            for each in (image, content, exemplar)]
    content_loss = sum(weight * F.l1_loss(maps[0][layer], maps[1][layer])
                       for layer, weight in loss.content_layers.items())
    style_loss = sum(
        weight * F.l1_loss(gram_matrix(maps[0][layer]), gram_matrix(maps[2][layer]))
        for layer, weight in loss.style_layers.items())
    return loss.content_weight * content_loss, loss.style_weight * style_loss


def discriminator_losses(model, images):
    """The terms of a discriminator update, after all flows."""
    discriminators = unwrapped(model.discriminators).networks
    losses = {}
    for (name, _, target), (image, _) in all_flows(unwrapped(model.generators), images).items():
        if name == 'translation':
            real, fake = discriminators[target](images[target]), discriminators[target](
                image.detach())
            losses[f'loss_gan_d_{target}'] = model.loss_weights['gan'] * 0.5 * (
                (real - 1).square().mean() + fake.square().mean())
    return losses


def train_step(model, data, optim_wrapper):
    """One iteration: the discriminator updates, then those of the generators."""
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
