# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import pytest
import torch
from mmengine.model import MMDistributedDataParallel, MMSeparateDistributedDataParallel
from mmengine.runner import load_checkpoint
from torch import nn

from egscit_mm import compat

cpu_only = pytest.mark.skipif(torch.cuda.is_available(), reason='what happens without CUDA')


@cpu_only
def test_gloo_is_initialised_and_models_can_be_wrapped(torchrun_environment):
    compat.init_cpu_distributed('pytorch')
    compat.init_cpu_distributed('pytorch')
    assert torch.distributed.get_backend() == 'gloo'
    model = MMDistributedDataParallel(module=nn.Linear(1, 1), device_ids=[0])
    model(torch.ones(2, 1)).sum().backward()
    assert model.module.weight.grad.item() == 2


def test_device_ids_stay_for_models_elsewhere(monkeypatch):
    seen = {}
    monkeypatch.setattr(nn.parallel.DistributedDataParallel, '__init__',
                        lambda self, **kwargs: seen.update(kwargs))
    MMDistributedDataParallel(module=nn.Linear(1, 1, device='meta'), device_ids=[3])
    assert seen['device_ids'] == [3]
    seen.clear()
    MMDistributedDataParallel(module=nn.Linear(1, 1), device_ids=[3], bucket_cap_mb=1)
    assert 'device_ids' not in seen and seen['bucket_cap_mb'] == 1


def test_no_launcher_and_an_accelerator_initialise_nothing(torchrun_environment, monkeypatch):
    compat.init_cpu_distributed('none')
    assert not torch.distributed.is_initialized()
    monkeypatch.setattr('mmengine.device.get_device', lambda: 'cuda')
    compat.init_cpu_distributed('pytorch')
    assert not torch.distributed.is_initialized()


class TwoPartModel(nn.Module):
    """A model whose parts are wrapped one by one, as MMagic's translation models are."""

    def __init__(self):
        super().__init__()
        self.generators = nn.ModuleDict(
            {domain: nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)) for domain in 'AB'})
        self.frozen = nn.Linear(1, 1).requires_grad_(False)


@cpu_only
def test_separately_wrapped_models_store_plain_names(torchrun_environment, tmp_path):
    compat.init_cpu_distributed('pytorch')
    plain, path = TwoPartModel(), str(tmp_path / 'a.pth')
    names, metadata = list(plain.state_dict()), plain.state_dict()._metadata
    wrapped = MMSeparateDistributedDataParallel(TwoPartModel())
    assert isinstance(wrapped.module.generators, MMDistributedDataParallel)
    state = wrapped.module.state_dict()
    assert list(state) == names and state._metadata == metadata
    torch.save({'state_dict': state}, path)

    again = MMSeparateDistributedDataParallel(TwoPartModel())
    by_torch = MMSeparateDistributedDataParallel(TwoPartModel())
    load_checkpoint(plain, path, strict=True)
    load_checkpoint(again, path, strict=True)
    by_torch.module.load_state_dict(state, strict=True)
    for model in (plain, again.module, by_torch.module):
        for name, value in model.state_dict().items():
            assert value.equal(state[name]), name


@cpu_only
def test_wrapper_around_a_whole_model_names_as_before(torchrun_environment):
    compat.init_cpu_distributed('pytorch')
    wrapped = MMDistributedDataParallel(module=nn.Linear(1, 1))
    state = wrapped.state_dict()
    assert list(state) == ['module.weight', 'module.bias']
    wrapped.load_state_dict({name: value + 1 for name, value in state.items()})
    assert list(wrapped.module.state_dict()) == ['weight', 'bias']


@cpu_only
def test_launcher_errors_say_what_to_type(monkeypatch):
    with pytest.raises(ValueError, match='--launcher slurm needs an accelerator'):
        compat.init_cpu_distributed('slurm')
    monkeypatch.setenv('RANK', '0')
    monkeypatch.delenv('WORLD_SIZE', raising=False)
    with pytest.raises(RuntimeError, match='lacks .*WORLD_SIZE.* torchrun --nproc_per_node'):
        compat.init_cpu_distributed('pytorch')
