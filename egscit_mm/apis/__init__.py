# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
from .inferencer import EGSCITInferencer
from .train import train

__all__ = ['EGSCITInferencer', 'train']
