# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Training machinery: optimiser wrappers, their constructor, schedule, loop and hooks."""
from .autocast_optim_wrapper import AutocastOptimWrapper
from .configured_settings_hook import ConfiguredSettingsHook
from .optim_wrapper_constructor import AlternatingOptimWrapperConstructor
from .poly_lr import PolyDecayLR
from .resumable_train_loop import ResumableTrainLoop
from .safetensors_checkpoint import load_from_safetensors
from .translation_grid_hook import TranslationGridHook

__all__ = ['AlternatingOptimWrapperConstructor', 'AutocastOptimWrapper', 'ConfiguredSettingsHook',
           'PolyDecayLR', 'ResumableTrainLoop', 'TranslationGridHook', 'load_from_safetensors']
