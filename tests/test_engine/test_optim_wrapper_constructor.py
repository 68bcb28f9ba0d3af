# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import MessageHub
from mmengine.model import (
    BaseModel,
    MMDistributedDataParallel,
    MMSeparateDistributedDataParallel,
)
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

from egscit_mm.engine import AlternatingOptimWrapperConstructor, AutocastOptimWrapper


class TwoSides(BaseModel):
    """Generators with a frozen part, discriminators, and a frozen network of no side."""

    def __init__(self):
        super().__init__()
        self.generators = nn.ModuleDict(dict(frozen=nn.Linear(3, 2), trained=nn.Linear(2, 2)))
        self.generators['frozen'].requires_grad_(False)
        self.discriminators = nn.Linear(2, 1)
        self.generators_ema = nn.Linear(2, 2).requires_grad_(False)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return self.discriminators(self.generators['trained'](self.generators['frozen'](inputs)))


def sides(**generators):
    return dict(
        generators=dict(optimizer=dict(type='Adam', lr=1e-4, betas=(0.5, 0.999)), **generators),
        discriminators=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1)))


def trained(optim_wrapper):
    return [param for group in optim_wrapper.param_groups for param in group['params']]


def check_wrappers(wrappers, model):
    """Each side has its own optimiser over its own trainable parameters."""
    assert list(wrappers.keys()) == ['generators', 'discriminators']
    generators, discriminators = wrappers['generators'], wrappers['discriminators']
    assert type(generators) is OptimWrapper
    assert isinstance(generators.optimizer, torch.optim.Adam)
    assert generators.optimizer.defaults['betas'] == (0.5, 0.999)
    assert isinstance(discriminators.optimizer, torch.optim.SGD)
    layers = dict(generators=model.generators['trained'], discriminators=model.discriminators)
    for side, layer in layers.items():
        assert [id(p) for p in trained(wrappers[side])] == [id(layer.weight), id(layer.bias)]


@pytest.fixture
def process_group(tmp_path):
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize('scope', ['mmagic', 'mmengine'])
def test_found_by_mmengine(scope):
    # MMEngine finds the constructor in MMagic's scope, and by its full name in any other.
    model = TwoSides()
    name = 'AlternatingOptimWrapperConstructor'
    cfg = ConfigDict(sides(), constructor=name if scope == 'mmagic' else f'mmagic.{name}')
    before = copy.deepcopy(cfg)
    with DefaultScope.overwrite_default_scope(scope):
        check_wrappers(build_optim_wrapper(model, cfg), model)
    assert cfg == before


@pytest.mark.parametrize('wrapper', [MMDistributedDataParallel, MMSeparateDistributedDataParallel])
def test_distributed_wrappers(wrapper, process_group):
    model = TwoSides()
    bare = copy.copy(model)  # MMSeparateDistributedDataParallel replaces the submodules in place
    bare._modules = dict(model._modules)
    check_wrappers(AlternatingOptimWrapperConstructor(sides())(wrapper(model)), bare)


def test_sides_do_not_touch_each_other():
    model = TwoSides()
    wrappers = AlternatingOptimWrapperConstructor(sides())(model)
    for side in ('generators', 'discriminators'):
        before = copy.deepcopy(model.state_dict())
        wrappers[side].update_params(model(torch.ones(1, 3)).square().sum())
        wrappers.zero_grad()
        changed = {name for name, value in model.state_dict().items()
                   if not torch.equal(value, before[name])}
        prefix = dict(generators='generators.trained', discriminators='discriminators')[side]
        assert changed == {f'{prefix}.weight', f'{prefix}.bias'}


def test_clip_grad_logs_each_side():
    hub = MessageHub.get_instance('test_clip_grad_logs_each_side')
    model = TwoSides()
    cfg = sides(clip_grad=dict(type='norm', max_norm=0.5))
    cfg['discriminators']['clip_grad'] = dict(max_norm=1e9)
    before = copy.deepcopy(cfg)
    wrappers = AlternatingOptimWrapperConstructor(cfg)(model)
    assert cfg == before
    assert isinstance(wrappers['generators'], OptimWrapper)
    for side, gradient in dict(generators=3., discriminators=4.).items():
        for param in trained(wrappers[side]):
            param.grad = torch.zeros_like(param)
        trained(wrappers[side])[0].grad[0, 0] = gradient
        wrappers[side].step()
    scalars = {name: buffer.current() for name, buffer in hub.log_scalars.items()}
    assert scalars == {
        'train/grad_norm_generators': 3., 'train/grad_norm_discriminators': 4.}
    assert trained(wrappers['generators'])[0].grad[0, 0] == pytest.approx(0.5, rel=1e-4)


def test_accumulation():
    # Two micro-batches make one update, with the mean of their gradients.
    model = TwoSides()
    cfg = sides()
    cfg['discriminators']['accumulative_counts'] = 2
    wrapper = AlternatingOptimWrapperConstructor(cfg)(model)['discriminators']
    bias = model.discriminators.bias
    start = bias.item()
    for factor, expected in [(1., start), (3., start - 0.1 * (1 + 3) / 2)]:
        wrapper.update_params(factor * bias.sum())
        assert bias.item() == pytest.approx(expected, abs=1e-6)


def test_state_dict_round_trip():
    source, target = (AlternatingOptimWrapperConstructor(sides())(TwoSides()) for _ in range(2))
    source['generators'].param_groups[0]['lr'] = 7e-5
    target.load_state_dict(source.state_dict())
    assert target.get_lr() == {'generators.lr': [7e-5], 'discriminators.lr': [0.1]}


def test_wrapper_types():
    cfg = sides(type='AutocastOptimWrapper')
    wrappers = AlternatingOptimWrapperConstructor(cfg)(TwoSides())
    assert type(wrappers['generators']) is AutocastOptimWrapper
    assert type(wrappers['discriminators']) is OptimWrapper


@pytest.mark.parametrize('name', ['generators.trained.weight', 'trained.weight'])
def test_paramwise_cfg(name):
    model = TwoSides()
    cfg = sides(paramwise_cfg=dict(custom_keys={name: dict(lr_mult=0)}, bias_lr_mult=2))
    wrapper = AlternatingOptimWrapperConstructor(cfg)(model)['generators']

    layer = model.generators['trained']
    assert [id(p) for p in trained(wrapper.optimizer)] == [id(layer.weight), id(layer.bias)]
    assert [group['lr'] for group in wrapper.optimizer.param_groups] == [0, 2e-4]
    before = copy.deepcopy(layer)
    wrapper.update_params(model(torch.ones(1, 3)).sum())
    assert torch.equal(layer.weight, before.weight) and not torch.equal(layer.bias, before.bias)


class TestErrors:

    def build(self, model, cfg, **kwargs):
        return AlternatingOptimWrapperConstructor(cfg, **kwargs)(model)

    def test_paramwise_cfg(self):
        with pytest.raises(ValueError, match='belongs inside a side'):
            self.build(TwoSides(), sides(), paramwise_cfg=dict(bias_lr_mult=2))

    @pytest.mark.parametrize('paramwise_cfg, message', [
        (dict(custom_keys=dict(encoder=dict(lr_mult=0))), "no trainable parameter has 'encoder'"),
        (dict(custom_keys=dict(frozen=dict(lr_mult=0))), "no trainable parameter has 'frozen'"),
        (dict(custom_keys=dict(trained=dict(lr_mul=0))), "unknown settings .'lr_mul'"),
        (dict(bias_lr_multi=0), "unknown keys .'bias_lr_multi'"),
        (dict(norm_decay_mult=0), 'set optim_wrapper.generators.optimizer.weight_decay'),
        (5, 'must be a dict'),
    ])
    def test_paramwise_cfg_of_a_side(self, paramwise_cfg, message):
        with pytest.raises(ValueError, match=message):
            self.build(TwoSides(), sides(paramwise_cfg=paramwise_cfg))

    @pytest.mark.parametrize('key, value', [
        ('type', 'OptimWrapper'), ('generators', dict(type='OptimWrapper'))])
    def test_no_side(self, key, value):
        with pytest.raises(ValueError, match=rf'optim_wrapper\.{key} must be the config'):
            self.build(TwoSides(), {**sides(), key: value})

    def test_unknown_side(self):
        cfg = sides()
        cfg['generator'] = cfg.pop('generators')
        with pytest.raises(ValueError, match=(
                r"TwoSides has no module 'generator'; its modules are .*'discriminators', "
                r"'generators', 'generators_ema'")):
            self.build(TwoSides(), cfg)

    def test_parameter_of_no_side(self):
        model = TwoSides()
        model.extra = nn.Linear(1, 1)
        model.scale = nn.Parameter(torch.ones(1))
        with pytest.raises(ValueError, match=r'No optimiser trains scale \(3 such'):
            self.build(model, sides())
        model.scale.requires_grad_(False)
        with pytest.raises(ValueError, match=r'No optimiser trains extra\.weight \(2 such'):
            self.build(model, sides())

    def test_parameter_of_both_sides(self):
        model = TwoSides()
        model.discriminators.bias = model.generators['trained'].bias
        with pytest.raises(ValueError, match=(
                r'discriminators\.bias is the same as generators\.trained\.bias')):
            self.build(model, sides())

    def test_frozen_side(self):
        model = TwoSides()
        model.discriminators.requires_grad_(False)
        with pytest.raises(ValueError, match=r'optim_wrapper\.discriminators: no parameter'):
            self.build(model, sides())
