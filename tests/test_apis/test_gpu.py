# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Both stages on a GPU, with mixed precision, as they are meant to be trained."""
import pytest
import torch
from tiny_training import configs, data_root, run

__all__ = ['configs', 'data_root']


@pytest.mark.gpu
def test_both_stages_train_on_the_gpu(configs, tmp_path, data_root):
    runner = run(configs, tmp_path, data_root, amp=True)
    assert {type(wrapper).__name__ for wrapper in runner.optim_wrapper.values()} == {
        'AmpOptimWrapper'}
    assert {parameter.device.type for parameter in runner.model.parameters()} == {'cuda'}
    assert all(parameter.isfinite().all() for parameter in runner.model.parameters())
    assert torch.load(tmp_path / 'iter_4.pth', map_location='cpu', weights_only=True)['state_dict']
