# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Tiny models and batches that the tests of egscit_mm.models share.

The networks keep PyTorch's own initialisation: with the release's (std 0.02) a network of four
channels puts out almost nothing, and a comparison of almost nothing proves nothing.
"""
# isort: off
import egscit_mm  # noqa: F401  (first: processes that a test starts do not read conftest.py)
# isort: on
import torch
from mmagic.registry import MODELS
from mmagic.structures import DataSample
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict

DOMAINS = ('A', 'B')
SIZE = 16
PREPROCESSOR = dict(
    type='mmagic.DataPreprocessor',  # MMEngine builds it; configs have default_scope = 'mmagic'
    mean=[127.5] * 3,
    std=[127.5] * 3,
    output_channel_order='RGB',
    data_keys=None)
# Options of a segmentation config, for a segmenter that trains in seconds.
SEGMENTER = {
    'model.backbone.depth': 18,
    'model.backbone.base_channels': 8,
    'model.backbone.stem_channels': 8,
    'model.backbone.init_cfg': None,
    'model.decode_head.in_channels': 64,
    'model.decode_head.channels': 16,
}
DISCRIMINATOR = dict(type='DomainDiscriminators', base_channels=4, num_convs=2)
PERCEPTUAL_LOSS = dict(
    type='VGGPerceptualLoss', pretrained=None, base_channels=2, content_weight=10.,
    style_weight=100.)


def networks(width=4, num_downsamples=1, num_blocks=1):
    """Configs of encoder and decoder."""
    sizes = dict(base_channels=width, num_downsamples=num_downsamples, num_blocks=num_blocks)
    return dict(encoder=dict(type='ContentEncoder', **sizes),
                decoder=dict(type='ImageDecoder', **sizes))


def translator_cfg(width=4, **kwargs):
    return {**dict(type='ExemplarTranslator', **networks(width)), **kwargs}


def tiny_translator(seed=0, **kwargs):
    torch.manual_seed(seed)
    return MODELS.build(translator_cfg(**kwargs))


def egscit_cfg(generator=None, **kwargs):
    return {
        **dict(type='EGSCIT', generator=translator_cfg(**(generator or {})),
               discriminator=DISCRIMINATOR, perceptual_loss=PERCEPTUAL_LOSS,
               data_preprocessor=PREPROCESSOR), **kwargs
    }


def tiny_egscit(seed=0, generator=None, **kwargs):
    """Stage 2 that is ready to train: its feature networks pass for trained ones.

    Args:
        seed (int): Of the weights.
        generator (dict | None): Arguments of ExemplarTranslator.
        **kwargs: Arguments of EGSCIT.
    """
    torch.manual_seed(seed)
    model = MODELS.build(egscit_cfg(generator, **kwargs))
    if model.perceptual_loss is not None:
        model.perceptual_loss.init_weights()
    if model.generators.feature_networks is not None:
        model.generators.features_loaded.fill_(True)
    return model


def vaegan_cfg(width=4, latent_noise=1., activation_checkpointing=False, **kwargs):
    return {
        **dict(
            type='VAEGAN',
            generator=dict(
                type='DomainAutoencoders', **networks(width), latent_noise=latent_noise,
                activation_checkpointing=activation_checkpointing),
            discriminator=DISCRIMINATOR, data_preprocessor=PREPROCESSOR), **kwargs
    }


def tiny_vaegan(seed=0, **kwargs):
    torch.manual_seed(seed)
    return MODELS.build(vaegan_cfg(**kwargs))


def munit_networks(width=4, num_downsamples=1, num_blocks=1, style_dim=3):
    """Configs of the encoders and the decoder of MUNIT."""
    sizes = dict(base_channels=width, num_downsamples=num_downsamples)
    return dict(
        encoder=dict(type='MUNITContentEncoder', num_blocks=num_blocks, **sizes),
        style_encoder=dict(type='MUNITStyleEncoder', style_dim=style_dim, **sizes),
        decoder=dict(type='MUNITDecoder', num_blocks=num_blocks, style_dim=style_dim,
                     mlp_channels=8, **sizes))


def munit_cfg(width=4, activation_checkpointing=False, **kwargs):
    return {
        **dict(type='MUNIT',
               generator=dict(type='MUNITTranslator', **munit_networks(width),
                              activation_checkpointing=activation_checkpointing),
               discriminator=DISCRIMINATOR, data_preprocessor=PREPROCESSOR), **kwargs
    }


def tiny_munit(seed=0, **kwargs):
    torch.manual_seed(seed)
    return MODELS.build(munit_cfg(**kwargs))


def drit_cfg(width=4, generator=None, **kwargs):
    """One scale, so that images of 16x16 fit."""
    sizes = dict(base_channels=width, num_downsamples=1)
    decoder = dict(type='DRITDecoder', num_blocks=1, style_dim=3, **sizes)
    attribute_encoder = dict(
        type='DRITAttributeEncoder', base_channels=width, num_blocks=1, style_dim=3)
    return {
        **dict(type='DRIT',
               generator=dict(
                   type='DRITTranslator', attribute_encoder=attribute_encoder, decoder=decoder,
                   encoder=dict(type='DRITContentEncoder', num_blocks=1, **sizes),
                   **(generator or {})),
               discriminator=dict(
                   type='DRITDiscriminators', base_channels=4, num_convs=2, num_scales=2),
               content_discriminator=dict(type='ContentDiscriminator', num_downsamples=0),
               data_preprocessor=PREPROCESSOR), **kwargs
    }


def tiny_drit(seed=0, **kwargs):
    torch.manual_seed(seed)
    return MODELS.build(drit_cfg(**kwargs))


def augmented_cfg(width=4, activation_checkpointing=False, **kwargs):
    return {
        **dict(type='AugmentedCycleGAN',
               generator=dict(
                   type='AugmentedTranslator',
                   image_generator=dict(type='ConditionalResnet', base_channels=width,
                                        num_blocks=1, style_dim=3),
                   latent_encoder=dict(type='LatentEncoder', base_channels=width,
                                       num_downsamples=2, style_dim=3),
                   activation_checkpointing=activation_checkpointing),
               discriminator=dict(DISCRIMINATOR, type='AugmentedDiscriminators', style_dim=3,
                                  mlp_channels=8),
               data_preprocessor=PREPROCESSOR), **kwargs
    }


def tiny_augmented(seed=0, **kwargs):
    torch.manual_seed(seed)
    return MODELS.build(augmented_cfg(**kwargs))


def cddit_cfg(width=4, activation_checkpointing=False, **kwargs):
    sizes = dict(base_channels=width, num_convs=3, num_downsamples=2, style_dim=3)
    return {
        **dict(type='CDDIT',
               generator=dict(type='CDDITTranslator', encoder=dict(type='CDDITEncoder', **sizes),
                              decoder=dict(type='CDDITDecoder', **sizes),
                              activation_checkpointing=activation_checkpointing),
               discriminator=dict(type='PairCritics', base_channels=width, num_convs=2),
               data_preprocessor=PREPROCESSOR), **kwargs
    }


def tiny_cddit(seed=0, **kwargs):
    torch.manual_seed(seed)
    return MODELS.build(cddit_cfg(**kwargs))


def random_images(number=2, size=SIZE, seed=0, dtype=torch.float32, domains=DOMAINS):
    """RGB in [-1, 1] by domain, as the networks see them."""
    generator = torch.Generator().manual_seed(seed)
    return {
        domain: torch.rand(number, 3, size, size, generator=generator, dtype=dtype) * 2 - 1
        for domain in domains
    }


def random_batch(number, size=SIZE, seed=0, domains=DOMAINS):
    """What the dataloader delivers: lists of uint8 BGR images, and their DataSamples."""
    generator = torch.Generator().manual_seed(seed)
    inputs = {
        f'img_{domain}': list(
            torch.randint(0, 256, (number, 3, size, size), generator=generator,
                          dtype=torch.uint8))
        for domain in domains
    }
    samples = [
        DataSample(metainfo={f'img_{d}_path': f'test{d}/{i}.png' for d in domains})
        for i in range(number)
    ]
    return dict(inputs=inputs, data_samples=samples)


def coarse_batch(number):
    """A batch with coarse noise: structure that a tiny network can learn."""
    batch = random_batch(number, size=4)
    for key, images in batch['inputs'].items():
        batch['inputs'][key] = [image.repeat_interleave(4, 1).repeat_interleave(4, 2)
                                for image in images]
    return batch


def merged_batch(batches):
    """One batch with the images of several, in order."""
    return dict(
        inputs={
            key: [image for batch in batches for image in batch['inputs'][key]]
            for key in batches[0]['inputs']
        },
        data_samples=[sample for batch in batches for sample in batch['data_samples']])


def batch_part(batch, start, stop):
    """Images ``start`` to ``stop`` of a batch."""
    return dict(
        inputs={key: images[start:stop] for key, images in batch['inputs'].items()},
        data_samples=batch['data_samples'][start:stop])


def optim_wrappers(model, lr=1e-3, accumulative_counts=1, optimizer=torch.optim.Adam):
    """One wrapper per side, over its trainable parameters."""
    wrappers = {}
    for side in dict.fromkeys(update.side for update in model.updates()):
        module = getattr(model, side)
        module = module.module if is_model_wrapper(module) else module
        parameters = [p for p in module.parameters() if p.requires_grad]
        wrappers[side] = OptimWrapper(
            optimizer(parameters, lr=lr), accumulative_counts=accumulative_counts)
    return OptimWrapperDict(**wrappers)


def snapshot(module):
    """Copy of everything that a module holds, non-persistent buffers included."""
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def changed(before, after):
    """Names of the tensors that differ in any bit."""
    assert before.keys() == after.keys()
    return [name for name in before if not torch.equal(before[name], after[name])]


def assert_init_weights_reaches_all(model):
    """Every convolution gets other weights, those of the generators the release's small ones."""
    for parameter in (p for p in model.parameters() if p.ndim == 4):
        torch.nn.init.constant_(parameter, 9.)
    model.init_weights()
    for name, parameter in model.named_parameters():
        assert not (parameter == 9).any(), name
        if name.startswith('generators'):
            assert parameter.abs().max() <= 0.04, name
