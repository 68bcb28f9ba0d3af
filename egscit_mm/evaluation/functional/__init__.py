# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Numbers computed from arrays, without state and without configs."""
from .ssim import ssim

__all__ = ['ssim']
