# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""All knowledge about the versions of the host libraries (MMagic, MMEngine, MMCV, PyTorch).

MMagic 1.2.0 is the last release and is no longer maintained, while the libraries below it moved
on. Every cure mends one incompatibility. Its docstring starts with the symptom; it looks
for the symptom itself rather than for version numbers where that is possible, does nothing where
there is nothing to cure, and may be called again.

:func:`apply` has to run before anything of MMagic is imported, :func:`apply_after_import` after
``mmagic.models`` has been imported. ``import egscit_mm`` does both. This package imports nothing
but the standard library until one of its functions is called.
"""
from .checkpoints import (
    explaining_load_errors,
    load_checkpoints_safely,
    store_plain_checkpoints,
    store_plain_message_hub,
    weights_only_loading,
)
from .distributed import (
    ignore_device_ids_on_cpu,
    init_cpu_distributed,
    store_plain_parameter_names,
)
from .files import write_files_atomically
from .host_defects import (
    cap_history_buffers,
    cyclegan_by_size,
    define_torchvision_operators,
    fix_generation_init_weights,
    format_configs_once,
    import_mmagic_beside_newer_mmcv,
    provide_mmcv_ext,
    restore_numpy_bool8,
)
from .lazy_imports import defer_imports, offer_deferred_models
from .own_configs import offer_own_configs
from .versions import check_versions

__all__ = [
    'apply', 'apply_after_import', 'check_versions', 'explaining_load_errors',
    'init_cpu_distributed', 'weights_only_loading'
]


def apply() -> None:
    """Apply everything that must be in place before MMagic is imported. Idempotent."""
    defer_imports()
    restore_numpy_bool8()
    define_torchvision_operators()
    provide_mmcv_ext()
    import_mmagic_beside_newer_mmcv()
    cap_history_buffers()
    format_configs_once()
    store_plain_message_hub()
    store_plain_checkpoints()
    load_checkpoints_safely()
    write_files_atomically()
    ignore_device_ids_on_cpu()
    store_plain_parameter_names()
    offer_own_configs()


def apply_after_import() -> None:
    """Apply what needs ``mmagic.models``, which this imports. Call after :func:`apply`."""
    fix_generation_init_weights()
    cyclegan_by_size()
    offer_deferred_models()
