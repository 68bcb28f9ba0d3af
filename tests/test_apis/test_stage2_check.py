# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What stage 2 cannot do is said before stage 1 is trained."""
import cv2
import pytest
import torch
from mmengine.config import Config
from tiny_data import FOLDERS, picture
from tiny_training import configs, data_root, run

from egscit_mm.apis.monitored import missing_files

__all__ = ['configs', 'data_root']


@pytest.fixture
def refuses(configs, tmp_path, monkeypatch):
    """Trains, which must fail with these words before anything is trained."""
    from egscit_mm.models import VAEGAN
    monkeypatch.setattr(VAEGAN, 'train_step', lambda *args: pytest.fail('stage 1 was started'))

    def check(data, words, options=None, **kwargs):
        with pytest.raises((ValueError, FileNotFoundError)) as caught:
            run(configs, tmp_path / 'work', data, options=options or {}, **kwargs)
        for word in words:
            assert word in str(caught.value)

    return check


@pytest.mark.parametrize('option, value, words', [
    ('model.generator.eta', 5, ['eta', '5']),
    ('model.smooth_l1_beta', -1, ['smooth_l1_beta', '-1']),
    ('model.loss_weights.cycle', -1, ["loss_weights['cycle']", '-1']),
    ('model.loss_weights.cicle', 1, ['cicle']),
    ('model.generator_steps', 4, ['batch of 12 cannot be split into 5 minibatches']),
    ('model.generator.encoder.base_channels', 8, ['base_channels']),
    ('model.domains', ('A', 'C'), ['domains']),
    ('model.perceptual_loss.pretrained', 'gone.pth', ['gone.pth']),
    ('model.perceptual_loss.content_layers', dict(relu9_9=1.), ['relu9_9']),
    ('optim_wrapper.generators.accumulative_counts', 3,
     ['accumulative_counts=3', 'minibatch of 2']),
    ('optim_wrapper.generators.optimizer.lr', -1,
     ['optim_wrapper.generators.optimizer: Invalid learning rate: -1']),
    ('optim_wrapper.generators.paramwise_cfg', dict(custom_keys=dict(none=dict(lr_mult=0))),
     ["'none'"]),
    ('val_dataloader.dataset.data_root', 'no_data', ['no_data']),
    ('train_dataloader.persistent_workers', True, ['train_dataloader', 'num_workers > 0']),
    ('val_dataloader.prefetch_factor', 4, ['val_dataloader', 'prefetch_factor']),
    ('train_dataloader.batch_size', 0, ['batch_size', '0']),
    ('model.ema_config.interval', 0, ['ema_config.interval', '0']),
    ('val_evaluator.metrics.0.domains', ['A', 'Q'], ['Q']),
    ('optim_wrapper.generators.clip_grad', dict(max_norm=10, normtype=2), ['normtype']),
    ('optim_wrapper.generators.clip_grad', dict(max_norm=-1), ['max_norm', '-1']),
    ('model.compile', dict(modee='x'), ['modee']),
    ('param_scheduler.0.power', -1, ['power']),
    ('load_from', 'nowhere.pth', ['nowhere.pth']),
    ('model.frozen_modules', 'generators', ['must be a list']),
    ('custom_hooks.0.interval', 0, ['interval']),
    ('val_evaluator.metrics', [dict(type='ExemplarDiversity', num_exemplars=9)],
     ['num_exemplars=9', 'only 4 samples']),
])
def test_settings(refuses, data_root, option, value, words):
    refuses(data_root, words, {option: value})


def test_the_last_batch_of_an_epoch(refuses, data_root):
    # 12 images, 10 of them in the first batch.
    options = {'train_dataloader.batch_size': 10, 'model.generator_steps': 4,
               'train_dataloader.sampler': dict(_delete_=True, type='DefaultSampler')}
    refuses(data_root, ['batch of 2 cannot be split into 5', 'drop_last=True'], dict(options))
    refuses(data_root, ['gone.pth'], {**options, 'train_dataloader.drop_last': True,
                                      'load_from': 'gone.pth'})


def test_a_stage1_that_counts_epochs(refuses, data_root):
    refuses(data_root, ['vaegan_mnist_single.py: stage 1 must count iterations'], {
        'train_dataloader.sampler': dict(_delete_=True, type='DefaultSampler'),
        'train_cfg': dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=1)})


@pytest.mark.parametrize('evaluator', ['val_evaluator', 'test_evaluator'])
@pytest.mark.parametrize('metric, setting', [
    (dict(type='ExemplarRetrieval', arch='vgg16', pretrained='gone.pth'), 'pretrained'),
    (dict(type='LPIPSDiversity', distance=dict(type='LPIPSDistance', weights='gone.pth')),
     'distance.weights'),
    (dict(type='TranslationFID', extractor=dict(type='InceptionFeatures', weights='gone.pth')),
     'extractor.weights'),
    (dict(type='TranslationMIoU', segmenter=dict(
        type='MMSegmenter', config=__file__, checkpoint='gone.pth')), 'segmenter.checkpoint'),
])
def test_files_of_metrics(refuses, data_root, evaluator, metric, setting):
    refuses(data_root, [f"{evaluator}.metrics.0.{setting}='gone.pth' does not exist: "],
            {f'{evaluator}.metrics': [metric]})


@pytest.mark.parametrize('metric', [
    dict(type='ExemplarRetrieval'), dict(type='ExemplarRetrieval', pretrained=None),
    dict(type='ExemplarRetrieval', pretrained=__file__),
    dict(type='LPIPSDiversity', distance=dict(type='LPIPSDistance', weights='torchvision')),
    dict(type='TranslationMIoU', segmenter=dict(
        type='mmseg.X', pretrained='open-mmlab://resnet50_v1c', config=__file__))])
def test_metrics_whose_files_are_there(metric):
    cfg = Config(dict(test_evaluator=[metric], val_evaluator=None))
    assert list(missing_files(cfg)) == []


def test_an_encoder_of_another_width(refuses, data_root):
    refuses(data_root, ['vaegan_mnist_single.py', 'another architecture'], {
        'model.generator.encoder.base_channels': 8, 'model.generator.decoder.base_channels': 8})


def write(root, sizes):
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True)
        for index in range(2):
            path = str(root / folder / f'{index}.png')
            cv2.imwrite(path, picture(*sizes[folder[-1]], seed=index))
    return root


def test_domains_of_different_sizes(refuses, tmp_path):
    data = write(tmp_path / 'data', dict(A=(32, 32), B=(48, 64)))
    refuses(data, ['differ in size', '(3, 32, 32)', '(3, 48, 64)', str(data / 'trainA'),
                   str(data / 'trainB'), 'folders.py --size'])


def test_grey_images(refuses, data_root):
    refuses(data_root, ["color_type='color'", 'trainA'], {
        f'train_dataloader.dataset.pipeline.{index}.color_type': 'grayscale' for index in (0, 1)})


@pytest.mark.parametrize('size', [(2, 2), (1, 1), (3, 64)])
def test_images_that_are_too_small(refuses, tmp_path, size):
    data = write(tmp_path / 'data', dict(A=size, B=size))
    refuses(data, ['cannot train on these images', f'A {size[0]}x{size[1]}', str(data / 'trainA')])


def test_the_check_leaves_the_training_as_it_is(configs, data_root, tmp_path):
    """The same weights, whether stage 1 is trained in the same run or was there already."""
    both = run(configs, tmp_path / 'both', data_root, iters=2)
    stage1 = tmp_path / 'both' / 'vaegan_mnist_single' / 'iter_2.pth'
    alone = run(configs, tmp_path / 'alone', data_root, iters=2,
                options={'model.feature_checkpoint': str(stage1)})
    for one, other in zip(both.model.parameters(), alone.model.parameters()):
        assert torch.equal(one, other)


@pytest.mark.parametrize('options', [
    {'default_hooks.checkpoint': dict(_delete_=True, type='CheckpointHook', by_epoch=False,
                                      interval=3, save_last=False)},
    {'default_hooks.checkpoint.save_last': False, 'default_hooks.checkpoint.interval': 3},
])
def test_stage1_that_would_not_be_saved(refuses, data_root, options):
    refuses(data_root, ['save_last'], options)


@pytest.mark.parametrize('options', [
    {'train_cfg.max_iters': 2.},
    {'default_hooks.checkpoint.filename_tmpl': 'step{}.pth'},
    {'custom_hooks.0.priority': 'LOW'},
])
def test_stage1_is_found(configs, data_root, tmp_path, options):
    runner = run(configs, tmp_path / 'work', data_root, iters=2, options=options)
    assert runner.iter == 2 and not runner.model.generators.features_missing


def test_stage1_beside_the_folders(configs, data_root, tmp_path):
    runner = run(configs, tmp_path / 'work', data_root, iters=2, options={
        'default_hooks.checkpoint.out_dir': str(tmp_path / 'elsewhere')})
    assert (tmp_path / 'elsewhere' / 'vaegan_mnist_single' / 'iter_2.pth').is_file()
    assert runner.iter == 2
