# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
from inference_fixtures import checkpoints, inferencer

__all__ = ['checkpoints', 'inferencer']
