# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import io
import logging
import os
import pickle
from collections import Counter

import numpy as np
import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.fileio import LocalBackend
from mmengine.hooks import EMAHook
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.model import BaseModel, MMDistributedDataParallel
from mmengine.runner import Runner, checkpoint, load_checkpoint
from safetensors.torch import save_file
from torch import nn

from egscit_mm import compat
from egscit_mm.compat import checkpoints


def safe_copy(value):
    """What is left of ``value`` after saving and loading it with weights_only=True."""
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.fixture
def hub():
    hub = MessageHub('test_compat')
    for value in (1., 2.5):
        hub.update_scalar('train/loss', value)
    hub.update_scalar('train/iters', 3)
    hub.update_scalar('passing', 1., resumed=False)
    hub.update_info('iter', np.int64(7))
    hub.update_info('best', {'SSIM': np.float32(0.5), 'path': 'best.pth'})
    hub.update_info('palette', [np.array([[1, 2], [3, 4]], dtype=np.uint8)])
    hub.update_info('name', np.str_('x'))
    hub.update_info('tensor', torch.tensor([1.]))
    return hub


def test_message_hub_survives_a_safe_load(hub):
    state = safe_copy(hub.state_dict())
    copy = MessageHub('copy')
    copy.load_state_dict(state)
    assert list(copy.log_scalars) == ['train/loss', 'train/iters']
    loss = copy.get_scalar('train/loss')
    assert isinstance(loss, HistoryBuffer)
    assert loss.data[0].tolist() == [1, 2.5] and loss.data[1].tolist() == [1, 1]
    assert loss.mean() == 1.75
    assert copy.get_scalar('train/iters').data[0].dtype == np.int64
    copy.update_scalar('train/loss', 3.)  # goes on like any history
    assert loss.current() == 3
    info = copy.runtime_info
    assert info['iter'] == 7 and type(info['iter']) is int
    assert info['best'] == {'SSIM': 0.5, 'path': 'best.pth'}
    assert info['palette'] == [[[1, 2], [3, 4]]] and info['name'] == 'x'
    assert info['tensor'].tolist() == [1]


def test_message_hub_still_loads_history_buffers_and_hubs(hub):
    state = hub.state_dict()
    buffer = HistoryBuffer([4.], [2])
    state['log_scalars'] = {'train/loss': buffer}
    copy = MessageHub('copy')
    copy.load_state_dict(state)
    assert copy.get_scalar('train/loss') is buffer
    assert state['log_scalars'] == {'train/loss': buffer}
    copy.load_state_dict(hub)
    assert copy.get_scalar('train/loss').mean() == 1.75
    with pytest.raises(AssertionError, match='log_scalars'):
        copy.load_state_dict({})


def test_message_hub_leaves_out_what_cannot_be_loaded_safely(hub, monkeypatch):
    warned = []
    monkeypatch.setattr('mmengine.logging.print_log',
                        lambda message, logger, level: warned.append((message, level)))
    hub.update_info('hook', test_message_hub_survives_a_safe_load)
    hub.update_info('nested', {'kept': 1, 'lost': [object()]})
    state = safe_copy(hub.state_dict())
    assert 'hook' not in state['runtime_info'] and 'hook' not in state['resumed_keys']
    assert state['runtime_info']['nested'] == {'kept': 1}
    assert state['resumed_keys']['passing'] is False
    assert [level for _, level in warned] == [logging.WARNING] * 2
    assert warned[0][0].startswith("'hook' is left out of the checkpoint: it holds a builtins.func")
    assert warned[1][0].startswith("'lost' is left out of the checkpoint: it holds a builtins.obj")


def test_message_hub_that_is_safe_stays(monkeypatch):

    def state_dict(self):
        return {}

    monkeypatch.setattr(MessageHub, 'state_dict', state_dict)
    before = MessageHub.load_state_dict
    checkpoints.store_plain_message_hub()
    assert MessageHub.state_dict is state_dict and MessageHub.load_state_dict is before


def test_applying_twice_changes_nothing():
    places = [(MessageHub, 'state_dict'), (MessageHub, 'load_state_dict'), (LocalBackend, 'put'),
              (LocalBackend, 'put_text'), (MMDistributedDataParallel, '__init__'),
              (MMDistributedDataParallel, 'state_dict')]
    before = [getattr(*place) for place in places]
    compat.apply()
    assert [getattr(*place) for place in places] == before


def test_rest_of_a_checkpoint_is_stored_plain(tmp_path):
    path = str(tmp_path / 'a.pth')
    content = dict(
        meta=dict(seed=np.int64(3), dataset_meta=dict(classes=('a', ), colors=np.eye(2))),
        state_dict=nn.Linear(1, 1).state_dict(),
        optimizer=dict(param_groups=[dict(lr=np.float64(0.1), betas=(0.5, 0.9))]),
        param_schedulers=[
            dict(milestones=Counter([2, 2]), anneal_func=np.cos, best=np.float32(0.5))])
    checkpoint.save_checkpoint(content, path)
    loaded = torch.load(path, weights_only=True)
    assert loaded['meta'] == dict(
        seed=3, dataset_meta=dict(classes=('a', ), colors=[[1., 0.], [0., 1.]]))
    assert loaded['optimizer'] == dict(param_groups=[dict(lr=0.1, betas=(0.5, 0.9))])
    assert loaded['param_schedulers'] == [dict(milestones=Counter([2, 2]), best=0.5)]
    assert loaded['state_dict']._metadata == content['state_dict']._metadata
    assert content['param_schedulers'][0]['anneal_func'] is np.cos  # the caller's is kept


def test_bare_state_dict_is_stored_as_it_is(tmp_path):
    path = str(tmp_path / 'a.pth')
    state_dict = nn.Linear(1, 1).state_dict()
    checkpoint.save_checkpoint(state_dict, path)
    assert torch.load(path, weights_only=True)._metadata == state_dict._metadata


class Dataset(torch.utils.data.Dataset):
    metainfo = dict(palette=np.zeros((2, 3), dtype=np.uint8))

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return torch.tensor([float(index)])


class Model(BaseModel):

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 1)

    def forward(self, *inputs, mode='tensor'):
        out = self.linear(torch.stack(inputs))
        return dict(loss=out.square().mean()) if mode == 'loss' else list(out)


class NumpyMetric(BaseMetric):

    def process(self, data_batch, data_samples):
        self.results.append(len(data_samples))

    def compute_metrics(self, results):
        return dict(score=np.float32(len(results)))


def make_runner(work_dir, name, max_iters, **kwargs):
    dataloader = dict(
        dataset=Dataset(), batch_size=2, num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False))
    return Runner(
        Model(), str(work_dir), experiment_name=name, train_dataloader=dataloader,
        val_dataloader=dataloader, val_cfg=dict(),
        val_evaluator=Evaluator(NumpyMetric(prefix='toy')),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=2),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.1)),
        param_scheduler=[
            dict(type='MultiStepLR', milestones=[3], by_epoch=False),
            dict(type='OneCycleLR', eta_max=0.1, total_steps=9, by_epoch=False)],
        default_hooks=dict(checkpoint=dict(
            type='CheckpointHook', interval=2, by_epoch=False, save_best='toy/score',
            rule='greater')),
        custom_hooks=[EMAHook()], log_level='WARNING', **kwargs)


def test_runner_saves_safe_checkpoints_and_resumes(tmp_path):
    runner = make_runner(tmp_path, 'compat_first', max_iters=4)
    runner.train()
    saved = torch.load(tmp_path / 'iter_4.pth', weights_only=True)
    assert set(saved) == {'meta', 'state_dict', 'message_hub', 'optimizer', 'param_schedulers',
                          'ema_state_dict'}
    assert saved['meta']['dataset_meta'] == {'palette': [[0, 0, 0]] * 2}
    assert saved['message_hub']['runtime_info']['best_score'] == 2
    assert list(tmp_path.glob('best_toy_score_iter_*.pth'))
    assert not list(tmp_path.glob('*.tmp'))

    again = make_runner(tmp_path, 'compat_again', max_iters=6, resume=True)
    again.train()
    assert again.iter == 6
    losses = again.message_hub.get_scalar('train/loss').data[0]
    assert len(losses) == 6
    assert losses[:4].tolist() == runner.message_hub.get_scalar('train/loss').data[0].tolist()
    assert again.message_hub.get_info('best_score') == 2


@pytest.fixture
def no_safe_loading_by_default(monkeypatch):
    """The switch that users set to be rid of weights_only errors: it must not reach us."""
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')


class Malicious:

    def __reduce__(self):
        return os.putenv, ('COMPAT_TEST', 'executed')


@pytest.mark.parametrize('content, name', [
    (HistoryBuffer([1.], [1]), "'getattr'"),
    (np.float64(1), 'numpy'),
    (Malicious(), "'posix.putenv'"),
])
def test_objects_in_a_checkpoint_are_refused_with_a_way_out(
        tmp_path, no_safe_loading_by_default, content, name):
    path = str(tmp_path / 'foreign.pth')
    torch.save({'state_dict': nn.Linear(1, 1).state_dict(), 'message_hub': content}, path)
    with pytest.raises(RuntimeError) as error:
        load_checkpoint(nn.Linear(1, 1), path)
    message = str(error.value)
    assert path in message and "torch.save({'state_dict': ck['state_dict']}" in message
    assert name in message or type(content).__name__ in message
    assert 'weights_only' not in message and error.value.__suppress_context__


class MakesFile:
    """Runs code when it is loaded unsafely."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path, )


def load_as_the_fork(filename, map_location):
    try:
        with torch.serialization.safe_globals([getattr]):
            return torch.load(filename, map_location, weights_only=True)
    except pickle.UnpicklingError:
        return torch.load(filename, map_location, weights_only=False)


@pytest.mark.parametrize('as_the_fork', [False, True])
def test_a_malicious_file_runs_no_code(tmp_path, monkeypatch, as_the_fork):
    """By the installed MMEngine's loader, and by one that tries again unsafely."""
    if as_the_fork:
        monkeypatch.setattr(checkpoint.CheckpointLoader, '_get_checkpoint_loader',
                            lambda path: load_as_the_fork)
    path, mark = str(tmp_path / 'malicious.pth'), tmp_path / 'executed'
    torch.save({'state_dict': MakesFile(mark)}, path)
    for load in (lambda: load_checkpoint(nn.Linear(1, 1), path),
                 lambda: checkpoint._load_checkpoint(path)):
        with pytest.raises(RuntimeError, match="malicious.pth holds .* object 'posix.mkdir'"):
            load()
        assert not mark.exists()
    torch.load(path, weights_only=False)  # it would
    assert mark.exists()


def test_conversion_that_the_error_recommends_works(tmp_path):
    model = nn.Linear(1, 1)
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'weights.pth')
    other = nn.Linear(1, 1)
    load_checkpoint(other, str(tmp_path / 'weights.pth'))
    assert other.weight.equal(model.weight)


def garbage(folder):
    """Bytes that are no whole checkpoint, by name."""
    torch.save({'state_dict': {'weight': torch.zeros(9999)}}, folder / 'whole.pth')
    whole = (folder / 'whole.pth').read_bytes()
    return {
        'cut.pth': whole[:20_000], 'start.pth': whole[:10], 'empty.pth': b'',
        'text.pth': b'model = dict(type="EGSCIT")', 'hello.pth': b'hello world',
        'image.png': b'\x89PNG\r\n\x1a\n' + bytes(100), 'pickle.pth': pickle.dumps({'a': 1}),
        'noise.pth': np.random.default_rng(0).bytes(5000),
    }


@pytest.mark.filterwarnings('ignore:Detected pickle protocol')
def test_files_that_are_no_checkpoint_are_named(tmp_path):
    for name, content in garbage(tmp_path).items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(RuntimeError) as error:
            load_checkpoint(nn.Linear(1, 1), str(path))
        assert str(error.value).startswith(
            f'{path} ({len(content)} bytes) cannot be read as a checkpoint'), name
    with pytest.raises(FileNotFoundError, match='missing.pth'):
        load_checkpoint(nn.Linear(1, 1), str(tmp_path / 'missing.pth'))


def test_safetensors_need_their_name(tmp_path):
    save_file({'weight': torch.ones(1, 1)}, tmp_path / 'named.pth')
    with pytest.raises(RuntimeError, match='named.pth looks like safetensors: its name must end'):
        load_checkpoint(nn.Linear(1, 1), str(tmp_path / 'named.pth'))


def test_http_checkpoints_load_safely_too(tmp_path, monkeypatch):
    """torch.hub asks for weights_only=False: served from its cache, so nothing is downloaded."""
    monkeypatch.setattr(torch.hub, '_hub_dir', str(tmp_path))
    (tmp_path / 'checkpoints').mkdir()
    url = 'http://localhost:9/{}.pth'
    torch.save({'state_dict': Malicious()}, tmp_path / 'checkpoints' / 'bad.pth')
    torch.save({'state_dict': {'weight': torch.ones(1, 1)}}, tmp_path / 'checkpoints' / 'good.pth')
    with pytest.raises(RuntimeError, match='http://localhost:9/bad.pth holds'):
        load_checkpoint(nn.Linear(1, 1), url.format('bad'))
    model = nn.Linear(1, 1)
    load_checkpoint(model, url.format('good'))
    assert model.weight.item() == 1


@pytest.mark.parametrize('error', [OSError('no network'), RuntimeError('CUDA error: busy')])
def test_other_loading_errors_pass_unchanged(monkeypatch, error):
    from mmengine.runner.checkpoint import CheckpointLoader

    def load(filename, map_location):
        raise error

    monkeypatch.setattr(CheckpointLoader, '_get_checkpoint_loader', lambda path: load)
    with pytest.raises(type(error)) as raised:
        load_checkpoint(nn.Linear(1, 1), __file__ if 'CUDA' in str(error) else 's3://a.pth')
    assert raised.value is error


def test_loading_leaves_the_environment_as_it_was(tmp_path, monkeypatch):
    switch, other = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD', 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'
    monkeypatch.setenv(other, '1')
    monkeypatch.delenv(switch, raising=False)
    with pytest.raises(FileNotFoundError):
        load_checkpoint(nn.Linear(1, 1), str(tmp_path / 'missing.pth'))
    assert switch not in os.environ and os.environ[other] == '1'
