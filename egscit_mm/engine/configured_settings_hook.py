# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What a resumed training takes from its config, and what from its checkpoint."""
import inspect
import logging
from typing import Dict, Iterator, Optional, Tuple

from mmagic.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner

from ..config.of_checkpoint import note_other_settings
from ..utils.errors import UserError
from ..utils.wrappers import unwrapped
from .poly_lr import PolyDecayLR

# Attributes of a scheduler that follow from its settings.
_DERIVED = ('base_values', 'total_iters')
# Arguments of a scheduler that say where it stands, or that are no settings.
_STANDING = ('self', 'optimizer', 'param_name', 'last_step', 'verbose')


@HOOKS.register_module()
class ConfiguredSettingsHook(Hook):
    """Lets the config's settings of optimisers and schedules hold when a training is resumed.

    It also warns where a checkpoint that is loaded, for tests too, was trained with other settings
    of the networks.

    PyTorch and MMEngine take them (rate, betas, weight decay, ...) from the checkpoint, so that
    "resume with a smaller rate" would go on at the old one. Here a checkpoint gives the state:
    moments, steps, how far the schedule has come. A rate that a schedule moves keeps the share of
    its start that it had. Every setting that differs from the checkpoint's is logged.

    Raises:
        ValueError: If the checkpoint's optimisers are of another type or train other parameters,
            or if it holds an average of the weights and the model has none.
    """

    priority = 'VERY_LOW'

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Writes the config's settings into what is about to be loaded."""
        note_other_settings(runner.cfg.get('model') or {}, checkpoint.get('meta'))
        if not runner._resume:
            return
        model = unwrapped(runner.model)
        if getattr(model, 'generators_ema', 0) is None and any(
                key.startswith('generators_ema.') for key in checkpoint['state_dict']):
            raise UserError('it holds averaged weights, which would be lost, for model.ema_config '
                            'is None: resume with the ema_config that it was trained with, or '
                            'start from it by load_from, with another --work-dir.')
        if 'optimizer' not in checkpoint:
            print_log('The checkpoint holds no state of the optimisers (it was saved with '
                      'save_optimizer=False): their moments start anew.', 'current',
                      level=logging.WARNING)
            return
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        changed = {}  # each setting once, though groups and sides may share it
        types = checkpoint['meta'].get('optimizer_types', {})  # older checkpoints have none
        for name, wrapper, saved in _pairs(runner.optim_wrapper, checkpoint['optimizer']):
            own = type(wrapper.optimizer).__name__
            if types.get(name, own) != own:
                raise _other_type(name, own, f'is {types[name]}')
            changed.update(_configure_groups(name, wrapper, saved))
        if runner.param_schedulers is not None and 'param_schedulers' in checkpoint:
            runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
            changed.update(_configure_schedulers(
                runner.param_schedulers, checkpoint['param_schedulers']))
        for name, (here, there) in changed.items():
            print_log(f'{name}: {here!r} of the config holds; the checkpoint was trained with '
                      f'{there!r}.', 'current')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Notes the optimisers' types, of which their states do not tell all apart."""
        if isinstance(runner.optim_wrapper, OptimWrapper):  # else it is not built yet
            checkpoint['meta']['optimizer_types'] = {
                name: type(wrapper.optimizer).__name__
                for name, wrapper, _ in _pairs(runner.optim_wrapper)}


def _other_type(name: str, own: str, found: str) -> UserError:
    return UserError(
        f'{name}.optimizer.type is {own}, but the optimiser of the checkpoint {found}. Resume with '
        'the type it was trained with, or start a new training from the weights: load_from in '
        'place of --resume, with another --work-dir.')


def _pairs(wrapper, saved: Optional[dict] = None) -> Iterator[Tuple[str, OptimWrapper, dict]]:
    """Place in the config, wrapper and saved state of every optimiser."""
    if not isinstance(wrapper, OptimWrapperDict):
        yield 'optim_wrapper', wrapper, saved
        return
    for side, own in wrapper.items():
        if saved is not None and side not in saved:
            raise UserError(f'The checkpoint has no optimiser of optim_wrapper.{side}, but of '
                            f'{sorted(map(str, saved))}: it is one of another kind of training. '
                            'Give it as load_from, without resuming.')
        yield f'optim_wrapper.{side}', own, saved and saved[side]


def _configure_groups(name: str, wrapper: OptimWrapper, saved: dict) -> Dict[str, tuple]:
    """Settings of all parameter groups; returns those that differ: here and in the checkpoint."""
    groups, saved_groups = wrapper.optimizer.param_groups, saved['param_groups']
    sizes = [[len(group['params']) for group in several] for several in (groups, saved_groups)]
    if sizes[0] != sizes[1]:
        raise UserError(
            f'{name} trains {sum(sizes[0])} parameters in {len(groups)} group(s), that of the '
            f'checkpoint {sum(sizes[1])} in {len(saved_groups)}: its state cannot be continued. '
            'Freeze the same modules and keep paramwise_cfg, or start a new training from the '
            'weights: load_from in place of --resume, with another --work-dir.')
    changed = {}
    if saved.get('base_param_settings') is not None:  # with several groups, MMEngine logs its rate
        groups = [*groups, wrapper.base_param_settings]
        saved_groups = [*saved_groups, saved['base_param_settings']]
    for group, saved_group in zip(groups, saved_groups):
        only = [sorted(key for key in a.keys() - b.keys() if not key.startswith('initial_'))
                for a, b in ((group, saved_group), (saved_group, group))]
        own = type(wrapper.optimizer).__name__
        if all(only):
            raise _other_type(
                name, own, f'has {", ".join(only[1])} in place of {", ".join(only[0])}')
        decoupled = saved_group.get('decoupled_weight_decay')
        if group.get('decoupled_weight_decay', decoupled) != decoupled:  # Adam and AdamW
            raise _other_type(name, own, f'has decoupled_weight_decay={decoupled}')
        for key, value in group.items():
            start = f'initial_{key}'
            if key == 'params' or start in group and start in saved_group:
                continue  # the second is the schedule's, below
            if key.startswith('initial_') and saved_group.get(key, value) != value:
                key_of_rate = key.removeprefix('initial_')
                share = saved_group[key_of_rate] / saved_group[key] if saved_group[key] else 1
                saved_group[key_of_rate] = value * share
            value = tuple(value) if isinstance(value, list) else value  # betas of a command line
            if key in saved_group and saved_group[key] != value:
                setting = f'{name}.optimizer.{key.removeprefix("initial_")}'
                changed.setdefault(setting, (value, saved_group[key]))
            saved_group[key] = value
    return changed


def _configure_schedulers(schedulers, saved) -> Dict[str, tuple]:
    """Settings of all schedulers; returns those that differ."""
    changed = {}
    if isinstance(schedulers, dict):
        for name in schedulers.keys() & saved.keys():
            changed.update(_configure_schedulers(schedulers[name], saved[name]))
        return changed
    for scheduler, state in zip(schedulers, saved):
        names = [parameter for cls in type(scheduler).__mro__ if '__init__' in vars(cls)
                 for parameter in inspect.signature(cls.__init__).parameters]
        for name, value in vars(scheduler).items():
            if name not in (*names, *_DERIVED) or name in _STANDING:
                continue
            if name in state and state[name] != value and name not in _DERIVED:
                more = name == 'end' and isinstance(scheduler, PolyDecayLR)  # than the config says
                changed.setdefault(f'param_scheduler.{type(scheduler).__name__}.{name}',
                                   (value - more, state[name] - more) if more else
                                   (value, state[name]))
            state[name] = value
    return changed
