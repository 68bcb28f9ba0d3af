# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What training, inference, converters and tools share: reading images, files."""
import time


def register_all_modules(init_default_scope: bool = True) -> None:
    """What ``mmengine.hub.get_model`` and others call before they build something.

    All parts are registered once ``egscit_mm`` is imported, in MMagic's registries.

    Args:
        init_default_scope (bool): Whether names are looked up there from now on. Defaults to True.
    """
    if init_default_scope:
        from mmengine.registry import DefaultScope  # compat has to be there before mmengine

        DefaultScope.get_instance(f'mmagic-{time.time_ns()}', scope_name='mmagic')
