# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import pytest
import torch
from mmagic.registry import OPTIM_WRAPPERS
from mmengine.device import get_device
from torch import nn

from egscit_mm.engine import AutocastOptimWrapper


def build(layer, **kwargs):
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    return OPTIM_WRAPPERS.build(dict(type='AutocastOptimWrapper', optimizer=optimizer, **kwargs))


def test_update():
    # Powers of two, so that bfloat16 is exact: y = wx = 2, d(y^2)/dw = 2yx = 8, w = 1 - 0.8.
    layer = nn.Linear(1, 1, bias=False).to(get_device())
    layer.weight.data.fill_(1.)
    wrapper = build(layer)
    with wrapper.optim_context(layer):
        output = layer(torch.full((1, 1), 2., device=get_device()))
        assert torch.is_autocast_enabled(get_device())
    assert not torch.is_autocast_enabled(get_device())
    assert output.dtype == torch.bfloat16
    wrapper.update_params(output.float().square().sum())
    assert layer.weight.dtype == torch.float32
    assert layer.weight.item() == pytest.approx(0.2, abs=1e-6)
    assert layer.weight.grad is None


def test_accumulation_skips_synchronisation():

    class Synchronised(nn.Linear):
        skipped = 0

        def no_sync(self):
            self.skipped += 1
            return torch.no_grad()

    layer = Synchronised(1, 1)
    wrapper = build(layer, accumulative_counts=2, dtype='bfloat16')
    with wrapper.optim_context(layer):
        assert layer.skipped == 1
    wrapper._inner_count = 1
    with wrapper.optim_context(layer):
        assert layer.skipped == 1


def test_other_dtype():
    with pytest.raises(ValueError, match="no loss scaler.*dtype='float16'.*AmpOptimWrapper"):
        AutocastOptimWrapper(
            optimizer=torch.optim.SGD(nn.Linear(1, 1).parameters()), dtype='float16')
