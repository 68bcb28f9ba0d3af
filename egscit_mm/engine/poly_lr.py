# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The paper's learning-rate schedule (A.2)."""
from typing import List, Union

from mmagic.registry import PARAM_SCHEDULERS
from mmengine.optim import BaseOptimWrapper, PolyLR
from torch.optim import Optimizer

from ..utils.checks import check_integers, check_not_negative
from ..utils.errors import UserError

_SETTINGS = ('base_values', 'begin', 'end', 'eta_min', 'hold', 'power')


@PARAM_SCHEDULERS.register_module()
class PolyDecayLR(PolyLR):
    """Polynomial decay over T iterations: update t = 0 ... T - 1 runs at lr * (1 - t / T) ** power.

    Like MMEngine's schedules it multiplies the present rate, so that a warm-up may act at the same
    time, and others before and after. It differs from MMEngine's PolyLR, with which T updates and
    ``end=T`` give the last update the rate 0, in three ways:

    - The rate reaches 0 only after the last update, when iteration T would begin.
    - All settings are the config's, also when a run is resumed: with another ``max_iters``, rate or
      power it goes on along the new curve (PolyLR takes the checkpoint's, and leaves the rate at 0
      after the old length).
    - Leave `end` out of the config and MMEngine's Runner fills in ``max_iters``, so
      ``--cfg-options train_cfg.max_iters=N`` is enough to change the length. For this the config
      must say ``by_epoch=False``; without it the Runner would fill in the epochs, so it is refused.

    Args:
        optimizer (Optimizer or OptimWrapper): What to schedule.
        end (int): T, the iteration at which the rate reaches its minimum.
        by_epoch (bool): Must be False. Defaults to True, which is what MMEngine's Runner assumes
            of every scheduler.
        power (float): Exponent of the decay. Defaults to 0.9, as in the paper.
        hold (float): Share of T at the full rate, 0 <= hold < 1: the decay takes the rest. 0.5
            with ``power=1`` is the linear decay from half time of CycleGAN and DRIT. Defaults to 0.
        **kwargs: Other arguments of PolyLR, such as `begin` and `eta_min`.

    Raises:
        ValueError: If `by_epoch` is not False, or an argument is outside its range.

    Examples:
        >>> param_scheduler = dict(type='PolyDecayLR', by_epoch=False)
    """

    def __init__(self,
                 optimizer: Union[Optimizer, BaseOptimWrapper],
                 end: int,
                 by_epoch: bool = True,
                 power: float = 0.9,
                 hold: float = 0.,
                 **kwargs) -> None:
        if by_epoch:
            raise UserError(
                'PolyDecayLR decays at every iteration: write by_epoch=False in its config. '
                '(Without it MMEngine\'s Runner would take max_epochs for its length.)')
        end = int(end)  # it may be 1e4
        check_integers(self, kwargs.get('begin', 0) + 1, end=end)
        check_not_negative(self, power=power, hold=hold)
        if hold >= 1:
            raise UserError(f'PolyDecayLR: hold must be a share below 1, got {hold}')
        self.hold = hold
        # PolyLR divides by end - begin - 1.
        super().__init__(optimizer, end=end + 1, by_epoch=False, power=power, **kwargs)

    def load_state_dict(self, state_dict: dict) -> None:
        """Go on at the checkpoint's iteration, on the curve of this run's config.

        The optimiser has the rate that the checkpoint's settings gave. Where the config has others,
        it is moved from that curve to this one; what other schedules did to it stays.
        """
        own = {name: getattr(self, name) for name in _SETTINGS}
        saved = {name: state_dict.get(name, value) for name, value in own.items()}
        super().load_state_dict(
            {name: state_dict[name] for name in ('last_step', '_global_step', '_last_value')})
        if saved == own:
            return
        self.last_step = max(-1, min(self._global_step, self.end - 1) - self.begin)
        rates = zip(self.optimizer.param_groups, _rates(own, self._global_step),
                    _rates(saved, self._global_step), saved['base_values'])
        for group, here, there, base in rates:
            # ConfiguredSettingsHook may have changed where the optimiser's rate starts.
            there *= group[f'initial_{self.param_name}'] / base if base else 0
            group[self.param_name] = here * (group[self.param_name] / there if there else 1)

    def _get_value(self) -> List[float]:
        """The present rate times what the decay is now, relative to what it was before."""
        rates = [group[self.param_name] for group in self.optimizer.param_groups]
        if self.last_step == 0:
            return rates
        now, before = (_decay(step, self.total_iters, self.hold, self.power)
                       for step in (self.last_step, self.last_step - 1))
        factor = now / before if now else 0.
        return [self.eta_min + (rate - self.eta_min) * factor for rate in rates]


def _decay(step: int, length: int, hold: float, power: float) -> float:
    """The share of the rate after so many steps."""
    elapsed = max(0., step - hold * length) / (length - hold * length)
    return max(0., 1 - elapsed)**power


def _rates(settings: dict, step: int) -> List[float]:
    """What the rates are at a step of the training where no other schedule acts."""
    begin, length = settings['begin'], settings['end'] - settings['begin'] - 1
    decay = _decay(step - begin, length, settings['hold'], settings['power'])
    return [settings['eta_min'] + (base - settings['eta_min']) * decay
            for base in settings['base_values']]
