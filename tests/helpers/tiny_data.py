# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""A painted MNIST-Single of a few random strokes, and settings that train it in seconds."""
import cv2
import numpy as np

from egscit_mm.datasets.digits import STYLES, paint

FOLDERS = ('trainA', 'trainB', 'testA', 'testB', 'testA2B', 'testB2A')


def write_tiny_digits(root, train=12, test=4, size=28):
    """Writes the folders of the digit tasks with ground truths and pairs; strokes are bars."""
    rng = np.random.RandomState(0)
    styles = {domain: list(styles.values()) for domain, styles in STYLES.items()}

    def bar():
        mask = np.zeros((size, size), bool)
        top, left = rng.randint(2, size // 2, 2)
        mask[top:top + size // 3, left:left + 4] = True
        return mask

    def write(folder, index, mask, style):
        path = root / folder / f'{index:05d}_0.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), paint(mask, style)[..., ::-1])

    def style_of(domain):
        return styles[domain][rng.randint(len(styles[domain]))]

    training = dict(A=[], B=[])
    for domain in 'AB':
        for index in range(train):
            write(f'train{domain}', index, mask := bar(), style_of(domain))
            training[domain].append(mask)
    for index in range(test):
        masks = {domain: bar() for domain in 'AB'}
        chosen = {domain: style_of(domain) for domain in 'AB'}
        for source, target in ('AB', 'BA'):
            write(f'test{source}', index, masks[source], chosen[source])
            write(f'test{source}2{target}', index, masks[source], chosen[target])
    for source, target in ('AB', 'BA'):  # last, so that all else is drawn as before
        for index, mask in enumerate(training[source]):
            write(f'train{source}2{target}', index, mask, style_of(target))
    return root


def tiny_options(data_root, iters=4, validate=False):
    """Overrides that make a digit config train in a second, except for its model.

    Args:
        data_root (Path): Folder of :func:`write_tiny_digits`.
        iters (int): Iterations of each stage.
        validate (bool): Whether the config validates; the quickstart does not.
    """
    loaders = ('train_dataloader', 'test_dataloader') + ('val_dataloader', ) * validate
    options = {f'{loader}.dataset.data_root': str(data_root) for loader in loaders}
    options.update({f'{loader}.num_workers': 0 for loader in loaders})
    options.update({f'{loader}.persistent_workers': False for loader in loaders})
    options.update({
        'train_dataloader.batch_size': 12,  # for the two updates of stage 1, and the six of stage 2
        'train_cfg.max_iters': iters,
        'default_hooks.checkpoint.interval': 2,
        'default_hooks.logger.interval': 1,
    })
    return options


TINY_NETWORK = dict(base_channels=4, num_downsamples=1, num_blocks=1)


def tiny_model_options(stage):
    """Overrides of the model's width, by the config's first word ('vaegan', 'egscit', ...)."""
    if stage == 'cyclegan':
        return {'model.generator.base_channels': 4, 'model.generator.num_blocks': 1,
                'model.discriminator.base_channels': 4}
    if stage == 'augmented':
        return {'model.generator.image_generator.base_channels': 4,
                'model.generator.image_generator.num_blocks': 1,
                'model.generator.latent_encoder.base_channels': 4,
                'model.discriminator.base_channels': 4}
    if stage == 'cddit':
        return {'model.discriminator.base_channels': 4, **{
            f'model.generator.{part}.{key}': value for part in ('encoder', 'decoder')
            for key, value in dict(base_channels=4, num_downsamples=1).items()}}
    if stage in ('neural', 'adain', 'wct'):
        options = {'size': 32, 'arch': 'vgg16', 'pretrained': None, 'base_channels': 2}
        return {f'model.generator.{key}': value for key, value in options.items()}
    options = {
        f'model.generator.{part}.{key}': value
        for part in ('encoder', 'decoder') for key, value in TINY_NETWORK.items()
    }
    options['model.discriminator.base_channels'] = 4
    if stage == 'egscit':
        options['model.perceptual_loss.pretrained'] = None
        options['model.perceptual_loss.base_channels'] = 2
    if stage == 'drit':
        options['model.generator.attribute_encoder.base_channels'] = 4
        # One step less than MNIST-Single's paper config, as TINY_NETWORK has one more.
        options['model.content_discriminator.num_downsamples'] = 1
    if stage == 'munit':
        options['model.generator.style_encoder.base_channels'] = 4
        options['model.generator.decoder.mlp_channels'] = 8
    return options


def picture(height, width, seed=0):
    """Random RGB pixels, uint8 (height, width, 3)."""
    return np.random.RandomState(seed).randint(0, 256, (height, width, 3), np.uint8)
