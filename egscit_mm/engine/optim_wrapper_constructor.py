# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""One optimiser per side of the alternating updates (paper, A.2)."""
import copy
import inspect
from numbers import Real
from typing import Dict, List, Optional

from mmagic.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS
from mmengine.logging import print_log
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper, OptimWrapperDict
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from ..utils.errors import UserError
from ..utils.wrappers import unwrapped

# What MMEngine's DefaultOptimWrapperConstructor reads; it takes other keys in silence.
_PARAMWISE = {'custom_keys', 'bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult',
              'dwconv_decay_mult', 'flat_decay_mult', 'dcn_offset_lr_mult', 'bypass_duplicate'}


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class AlternatingOptimWrapperConstructor:
    """Build one optimiser wrapper per side of a model that is trained in alternating updates.

    A side is a direct submodule of the model and is trained by its own wrapper: type
    (OptimWrapper, AmpOptimWrapper, AutocastOptimWrapper), optimiser, ``clip_grad``,
    ``accumulative_counts`` and ``paramwise_cfg``, as MMEngine's DefaultOptimWrapperConstructor
    knows it; names begin with the side: ``generators.encoders.A``. Only parameters with
    ``requires_grad`` reach the optimiser, so frozen parts cost it neither time nor memory. Unlike
    MMagic's MultiOptimWrapperConstructor it insists that every trainable parameter belongs to
    exactly one side.

    With ``clip_grad`` each side logs under its own name, such as ``grad_norm_generators``.

    Args:
        optim_wrapper_cfg (dict): Wrapper config by side, each with at least an `optimizer`.
        paramwise_cfg (dict, optional): Must be None; the argument is part of MMEngine's contract.

    Raises:
        ValueError: If an entry is not the config of a side, or `paramwise_cfg` is given outside of
            the sides.

    Examples:
        >>> optim_wrapper = dict(
        ...     constructor='AlternatingOptimWrapperConstructor',
        ...     generators=dict(
        ...         type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4, betas=(0.5, 0.999))),
        ...     discriminators=dict(
        ...         type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4, betas=(0.5, 0.999))))
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: Optional[dict] = None) -> None:
        if paramwise_cfg is not None:
            raise UserError(
                f'optim_wrapper.paramwise_cfg={paramwise_cfg!r} belongs inside a side, such as '
                f'optim_wrapper.{next(iter(optim_wrapper_cfg), "generators")}.paramwise_cfg.')
        for side, cfg in optim_wrapper_cfg.items():
            if not isinstance(cfg, dict) or 'optimizer' not in cfg:
                raise UserError(
                    f'optim_wrapper.{side} must be the config of one side, such as dict('
                    "type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4)), but is "
                    f'{cfg!r}. Settings of a wrapper belong inside a side.')
        self.sides = optim_wrapper_cfg

    def __call__(self, model: nn.Module) -> OptimWrapperDict:
        """Build the wrappers.

        Args:
            model (nn.Module): The model, bare or wrapped for distributed training as a whole
                (MMDistributedDataParallel) or side by side (MMSeparateDistributedDataParallel).

        Returns:
            OptimWrapperDict: The wrappers by side, in the order of the config.

        Raises:
            ValueError: If a side is not a module of the model or has nothing to train, if a
                trainable parameter belongs to no side or to two, or if an entry of
                ``paramwise_cfg`` is for no parameter.
        """
        model = unwrapped(model)
        params = self._params_by_side(model)
        wrappers = {}
        for side, cfg in self.sides.items():
            # OptimWrapper pops from clip_grad: keep the config as it was.
            wrapper_cfg = copy.deepcopy(cfg)
            optimizer_cfg = wrapper_cfg.pop('optimizer')
            groups = params[side]
            if (paramwise_cfg := wrapper_cfg.pop('paramwise_cfg', None)) is not None:
                groups = _paramwise_groups(side, getattr(model, side), cfg, paramwise_cfg)
            optimizer = OPTIMIZERS.build(dict(optimizer_cfg, params=groups))
            wrapper_cfg.setdefault('type', 'OptimWrapper')
            if wrapper_cfg.get('clip_grad') is not None:
                _check_clip_grad(f'optim_wrapper.{side}.clip_grad', wrapper_cfg['clip_grad'])
            wrapper: OptimWrapper = OPTIM_WRAPPERS.build(
                wrapper_cfg, default_args=dict(optimizer=optimizer))
            if wrapper.clip_grad_kwargs is not None:
                # MMEngine logs under this name; both sides would share one key.
                wrapper.grad_name = f'{wrapper.grad_name}_{side}'
            wrappers[side] = wrapper
            print_log(
                f'{side}: {type(wrapper).__name__} with {type(optimizer).__name__} trains '
                f'{sum(param.numel() for param in params[side]):,} parameters.', 'current')
        return OptimWrapperDict(**wrappers)

    def _params_by_side(self, model: nn.Module) -> Dict[str, List[nn.Parameter]]:
        """Trainable parameters of each side, after checking that each has exactly one owner."""
        children = dict(model.named_children())
        params: Dict[str, List[nn.Parameter]] = {}
        owners: Dict[nn.Parameter, str] = {}
        for side in self.sides:
            if side not in children:
                raise UserError(
                    f'optim_wrapper.{side}: {type(model).__name__} has no module {side!r}; its '
                    f'modules are {sorted(children)}.')
            params[side] = []
            for name, param in unwrapped(children[side]).named_parameters():
                if not param.requires_grad:
                    continue
                name = f'{side}.{name}'
                if param in owners:
                    raise UserError(
                        f'The parameter {name} is the same as {owners[param]}: two optimisers '
                        'would train it. Share it within one side, or freeze it.')
                owners[param] = name
                params[side].append(param)
            if not params[side]:
                raise UserError(
                    f'optim_wrapper.{side}: no parameter of this module has requires_grad=True, '
                    'so there is nothing to optimise. Remove the side, or unfreeze the module.')
        orphans = [
            name for name, param in model.named_parameters()
            if param.requires_grad and param not in owners
        ]
        if orphans:
            raise UserError(
                f'No optimiser trains {orphans[0]} ({len(orphans)} such parameters in all): it is '
                f'in none of the sides {list(self.sides)}. Freeze it (requires_grad=False), or '
                'give its module a side in optim_wrapper.')
        return params


def _check_clip_grad(place: str, settings: dict) -> None:
    """Refuses what PyTorch's functions would refuse at the first update, or take in silence."""
    kinds = dict(norm=(clip_grad_norm_, 'max_norm'), value=(clip_grad_value_, 'clip_value'))
    kind = settings.get('type', 'norm')
    if kind not in kinds:
        raise UserError(f"{place}.type must be 'norm' or 'value', got {kind!r}.")
    function, limit = kinds[kind]
    known = set(inspect.signature(function).parameters) - {'parameters'}
    unknown = settings.keys() - known - {'type'}
    if unknown:
        raise UserError(f'{place} has unknown settings {sorted(unknown)}; known are '
                        f'{sorted(known)}.')
    value = settings.get(limit)
    if not isinstance(value, Real) or not value > 0:
        raise UserError(f'{place}.{limit} must be a number above 0, got {value!r}.')


def _paramwise_groups(side: str, module: nn.Module, wrapper_cfg: dict,
                      paramwise_cfg: dict) -> List[dict]:
    """A group for each trainable parameter, with its own settings (MMEngine's paramwise_cfg)."""
    place, module = f'optim_wrapper.{side}.paramwise_cfg', unwrapped(module)
    if not isinstance(paramwise_cfg, dict):
        raise UserError(f'{place} must be a dict, such as dict(custom_keys={{"{side}.encoders": '
                        f'dict(lr_mult=0)}}), got {paramwise_cfg!r}.')
    unknown = paramwise_cfg.keys() - _PARAMWISE
    if unknown:
        raise UserError(f'{place} has unknown keys {sorted(unknown)}; known are '
                        f'{sorted(_PARAMWISE)}.')
    optimizer = wrapper_cfg['optimizer']
    for base, use in (('lr', 'lr_mult'), ('weight_decay', 'decay_mult')):
        if optimizer.get(base) is None and use in str(paramwise_cfg):
            raise UserError(f'{place} has a {use} of a {base} that is not set: set '
                            f'optim_wrapper.{side}.optimizer.{base}.')
    names = [f'{side}.{name}' for name, param in module.named_parameters() if param.requires_grad]
    for key, settings in paramwise_cfg.get('custom_keys', {}).items():
        unknown = settings.keys() - {'lr_mult', 'decay_mult', *optimizer}
        if unknown:
            raise UserError(f'{place}.custom_keys[{key!r}] has unknown settings '
                            f'{sorted(unknown)}; known are lr_mult, decay_mult and those of '
                            'optimizer.')
        if not any(key in name for name in names):
            children = sorted({name.rsplit('.', 2)[0] for name in names})
            raise UserError(f'{place}.custom_keys: no trainable parameter has {key!r} in its '
                            f'name. Names begin with {", ".join(children[:8])}.')
    groups: List[dict] = []
    DefaultOptimWrapperConstructor(
        dict(wrapper_cfg, type='OptimWrapper'), dict(dict(bypass_duplicate=True), **paramwise_cfg)
    ).add_params(groups, module, prefix=side)
    return groups
