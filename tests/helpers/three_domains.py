# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Tiny images of three domains, and configs of both stages for them."""
from itertools import permutations
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config
from tiny_data import tiny_model_options

CONFIGS = Path(__file__).parents[2] / 'configs' / 'egscit'
DOMAINS = ('A', 'B', 'C')
DIRECTIONS = tuple(permutations(DOMAINS, 2))
SIZES = dict.fromkeys(DOMAINS, [(20, 20)])


def write_images(root, train=6, test=3, sizes=SIZES, truths=True):
    """Random pictures in the folders of the domains; those of a domain have its sizes in turn."""
    rng = np.random.RandomState(0)

    def write(folder, index, size):
        path = root / folder / f'{index:03d}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        low = rng.randint(0, 256, (4, 4, 3), np.uint8)
        cv2.imwrite(str(path), cv2.resize(low, size[::-1]))

    for domain, of_domain in sizes.items():
        for phase, number in (('train', train), ('test', test)):
            for index in range(number):
                write(f'{phase}{domain}', index, of_domain[index % len(of_domain)])
    if truths:
        for source, target in permutations(sizes, 2):
            for index in range(test):
                write(f'test{source}2{target}', index, sizes[source][index % len(sizes[source])])
    return root


def dataset(root, domains, test_mode, truths=False):
    inputs = [f'img_{domain}' for domain in domains]
    gts = [f'gt_{s}2{t}' for s, t in permutations(domains, 2)] if truths else []
    meta = [f'{key}_{field}' for key in inputs + gts
            for field in ('path', 'channel_order', 'color_type')]
    pipeline = [dict(type='LoadImageFromFile', key=key, color_type='color', channel_order='bgr')
                for key in inputs + gts]
    pack = dict(type='PackInputs', keys=inputs, meta_keys=meta)
    if gts:
        pack['data_keys'] = gts
    return dict(type='ExemplarImageDataset', data_root=str(root), domains=list(domains),
                test_mode=test_mode, pipeline=[*pipeline, pack])


def config(name, root, folder, domains=DOMAINS, iters=2, truths=True, metrics=None):
    """A tiny config of these domains, written to a file, as a user would have it."""
    cfg = Config.fromfile(CONFIGS / f'{name}_mnist_single.py')
    cfg.merge_from_dict(tiny_model_options(name))
    cfg.model.domains = list(domains)
    loader = dict(num_workers=0, persistent_workers=False)
    cfg.train_dataloader.update(batch_size=12, dataset=dataset(root, domains, False), **loader)
    cfg.train_cfg.max_iters = iters
    cfg.default_hooks.checkpoint.interval = iters
    cfg.default_hooks.logger.interval = 1
    for part in ('val_cfg', 'val_dataloader', 'val_evaluator', 'test_cfg', 'test_dataloader',
                 'test_evaluator'):
        cfg[part] = None
    if name != 'vaegan':
        cfg.test_cfg = dict(type='MultiTestLoop')
        cfg.test_dataloader = dict(
            batch_size=2, dataset=dataset(root, domains, True, truths),
            sampler=dict(type='DefaultSampler', shuffle=False), **loader)
        cfg.test_evaluator = dict(type='Evaluator', metrics=metrics or [
            dict(type='ExemplarSSIM'), *[dict(type='TranslationSSIM')] * truths])
    cfg.custom_hooks = [dict(type='TranslationGridHook', interval=iters)]
    if cfg.get('stage1_config'):
        cfg.stage1_config = 'vaegan_three.py'
    path = folder / f'{name}_three.py'
    cfg.dump(path)
    return path
