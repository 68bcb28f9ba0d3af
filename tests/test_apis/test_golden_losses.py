# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The losses of the first iterations of a tiny training of both stages, against recorded ones.

A change of the mathematics, the sampling or the random numbers shows here. If it is meant:

    python -m pytest tests/test_apis/test_golden_losses.py --renew-golden

writes the losses of this machine to golden_losses.json; say in the commit why they change.
"""
import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from tiny_data import tiny_model_options, tiny_options, write_tiny_digits

from egscit_mm.apis.train import train
from egscit_mm.datasets import ExemplarImageDataset

CONFIGS = Path(__file__).parents[2] / 'configs' / 'egscit'
# As the package is, and as it was: the two differ by what the fixture `era` changes, and no more.
GOLDEN = {
    era: Path(__file__).with_name(f'golden_losses{suffix}.json')
    for era, suffix in (('today', ''), ('before', '_before'))
}
ITERATIONS = 20
# Processors and thread counts round differently, and Adam's first steps magnify it.
TOLERANCE = 1e-3
# Wider than the release's: after twenty iterations from std 0.02 the images would still be grey.
INIT_CFG = dict(
    type='TruncNormal', layer=['Conv2d', 'ConvTranspose2d'], std=0.15, a=-0.3, b=0.3)
MINIBATCH = 2


def losses_of(work_dir):
    """Loss terms per iteration, from the log."""
    file, = work_dir.glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    return [{name: float(f'{value:.6g}') for name, value in row.items() if name.startswith('loss')}
            for row in rows]


@pytest.fixture(scope='module', params=GOLDEN)
def era(request):
    """Which file: today's, or that of the time when two things were otherwise.

    Partners of domain A's images were drawn with replacement, and the way back of the cycle was
    masked with the original's features.
    """
    with pytest.MonkeyPatch.context() as patch:
        if request.param == 'before':
            patch.setattr(ExemplarImageDataset, '_partner',
                          lambda self, domain, num_images, idx: np.random.randint(num_images))
        yield request.param


@pytest.fixture(scope='module')
def losses(era, tmp_path_factory):
    folder = tmp_path_factory.mktemp('golden')
    data_root = write_tiny_digits(folder / 'data')
    options = {key: value for key, value in tiny_options(data_root, ITERATIONS).items()
               if not key.startswith('test')}
    options['log_processor.window_size'] = 1
    for stage in ('vaegan', 'egscit'):
        cfg = Config.fromfile(CONFIGS / f'{stage}_mnist_single.py')
        cfg.merge_from_dict({
            **tiny_model_options(stage), **options,
            'default_hooks.checkpoint.interval': ITERATIONS,
            'model.generator.encoder.init_cfg': INIT_CFG,
            'model.generator.decoder.init_cfg': INIT_CFG,
            'optim_wrapper.generators.optimizer.lr': 2e-4,
            'optim_wrapper.discriminators.optimizer.lr': 2e-4,
            'train_dataloader.batch_size': MINIBATCH * dict(vaegan=2, egscit=6)[stage]
        })
        if stage == 'egscit' and era == 'before':
            cfg.model.generator.cycle_mask = 'original'
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.test_cfg = cfg.test_dataloader = cfg.test_evaluator = None
        cfg.dump(folder / f'{stage}_mnist_single.py')
    train(Config.fromfile(folder / 'egscit_mnist_single.py'), work_dir=str(folder / 'work'))
    return {
        'stage 1': losses_of(folder / 'work' / 'vaegan_mnist_single'),
        'stage 2': losses_of(folder / 'work'),
    }


@pytest.mark.parametrize('stage', ['stage 1', 'stage 2'])
def test_losses_are_the_recorded_ones(losses, era, stage, request):
    assert len(losses[stage]) == ITERATIONS
    if request.config.getoption('--renew-golden'):
        GOLDEN[era].write_text(json.dumps(losses, indent=1) + '\n')
    for iteration, (found, expected) in enumerate(
            zip(losses[stage], json.loads(GOLDEN[era].read_text())[stage]), 1):
        assert found == pytest.approx(expected, rel=TOLERANCE, abs=1e-4), f'iteration {iteration}'
