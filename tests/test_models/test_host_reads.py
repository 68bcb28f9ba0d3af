# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""A training step does not wait for the device, but for its logs, once at its end.

``.item()``, ``bool(tensor)`` and their like wait until the device has computed all that was asked
of it. On a CPU they cost nothing, but they can be counted there.
"""
import traceback
import warnings

import pytest
import torch
from tiny_models import (
    PERCEPTUAL_LOSS,
    optim_wrappers,
    random_batch,
    tiny_augmented,
    tiny_cddit,
    tiny_drit,
    tiny_egscit,
    tiny_munit,
    tiny_vaegan,
)
from torch.utils._python_dispatch import TorchDispatchMode

from egscit_mm.models.base import alternating_gan

# What these read is on the CPU whatever the device: the sizes of images, Adam's and the average's
# counts of updates (test_batches.py).
ON_THE_CPU = ('data_preprocessors/data_preprocessor.py', 'torch/optim/optimizer.py',
              'mmengine/model/averaged_model.py')
READS = ('aten::_local_scalar_dense', 'aten::is_nonzero', 'aten::item', 'aten::equal',
         'aten::nonzero', 'aten::masked_select')
EMA = dict(type='mmengine.ExponentialMovingAverage', momentum=0.25)
BUILDERS = pytest.mark.parametrize('build', [
    lambda: tiny_egscit(ema_config=EMA),
    lambda: tiny_egscit(generator=dict(adain='std', cycle_mask='original'), perceptual_loss=None),
    tiny_vaegan,
    lambda: tiny_munit(ema_config=EMA),
    lambda: tiny_drit(ema_config=EMA),
    lambda: tiny_augmented(ema_config=EMA),
    lambda: tiny_cddit(ema_config=EMA),
], ids=['egscit', 'without perceptual loss', 'vaegan', 'munit', 'drit', 'augmented', 'cddit'])


class HostReads(TorchDispatchMode):
    """Counts where numbers are taken out of tensors."""

    def __init__(self):
        super().__init__()
        self.places = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function._overloadpacket._qualified_op_name in READS:
            frames = [f'{frame.filename}:{frame.lineno}' for frame in traceback.extract_stack()
                      if __file__ not in frame.filename]
            # The innermost one that is not PyTorch's way of calling this.
            place = next(frame for frame in reversed(frames)
                         if not any(name in frame for name in ('eval_frame.py', '_compile.py')))
            if not any(name in place for name in ON_THE_CPU):
                self.places.append(place)
        return function(*args, **(kwargs or {}))


@pytest.fixture
def transfers(monkeypatch):
    """How often tensors become lists, arrays or CPU tensors, which the mode does not see."""
    calls = []

    def count(name):
        released = getattr(torch.Tensor, name)
        monkeypatch.setattr(torch.Tensor, name,
                            lambda tensor, *args: [released(tensor, *args), calls.append(name)][0])

    for name in ('tolist', 'numpy', '__array__'):
        count(name)
    return calls


@BUILDERS
def test_only_the_logs_are_read_once(build, transfers):
    model = build()
    wrappers = optim_wrappers(model)
    model.train_step(random_batch(6), wrappers)  # looks whether F is loaded
    transfers.clear()
    with HostReads() as reads:
        logs = model.train_step(random_batch(6), wrappers)
    assert reads.places == []
    assert transfers == ['tolist'] and logs['loss_g'] != 0


@pytest.mark.parametrize('read', [
    lambda loss: loss.item(), lambda loss: bool(loss > 0), float, lambda loss: loss[loss > 0],
    lambda loss: loss.equal(loss)])
def test_reads_are_found(monkeypatch, read):
    """The test above would fail."""
    released = alternating_gan.lsgan_generator_loss
    monkeypatch.setattr(alternating_gan, 'lsgan_generator_loss',
                        lambda scores: [released(scores), read(released(scores))][0])
    model = tiny_vaegan()
    with HostReads() as reads:
        model.train_step(random_batch(2), optim_wrappers(model))
    assert len(reads.places) >= 2  # one for each domain


@pytest.mark.gpu
@BUILDERS
def test_waits_on_the_gpu(build):
    model = build().cuda()
    wrappers = optim_wrappers(model)
    model.train_step(random_batch(6), wrappers)
    torch.cuda.set_sync_debug_mode('warn')
    try:
        with warnings.catch_warnings(record=True) as waits:
            warnings.simplefilter('always')
            model.train_step(random_batch(6), wrappers)
    finally:
        torch.cuda.set_sync_debug_mode('default')
    # The images of each domain, one by one as pseudo_collate leaves them; mean and standard
    # deviation are there already; the logs.
    found = [str(wait.message) for wait in waits if 'synchronizing' in str(wait.message)]
    assert len(found) <= 2 * 6 + 1, found


def test_logs_outlive_the_memory_of_cuda_graphs(monkeypatch):
    """What a compiled network puts out is overwritten by the next update's, if these are graphs."""
    model = tiny_egscit(compile=dict(backend='eager'),
                        perceptual_loss=dict(PERCEPTUAL_LOSS, content_layers=dict(relu1_1=1.),
                                             style_layers=dict(relu1_1=1.)))
    put_out, starts = [], []
    model.perceptual_loss.register_forward_hook(
        lambda module, args, outputs: put_out.extend(
            value for by_direction in outputs for value in by_direction.values()))

    def start():
        starts.append(len(put_out))
        for value in put_out:
            value.detach().fill_(float('nan'))

    monkeypatch.setattr(torch.compiler, 'cudagraph_mark_step_begin', start)
    logs = model.train_step(random_batch(6), optim_wrappers(model))
    assert len(starts) == 6 and starts[-1] > starts[1] == 0
    assert logs['loss_style_A2B'] > 0 and logs['loss_g'] > 0


def test_without_compilation_no_graph_is_begun(monkeypatch):
    monkeypatch.setattr(torch.compiler, 'cudagraph_mark_step_begin',
                        lambda: pytest.fail('nothing is compiled'))
    model = tiny_vaegan()
    model.train_step(random_batch(2), optim_wrappers(model))
