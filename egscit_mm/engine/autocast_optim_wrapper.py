# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Mixed precision that also runs on the CPU."""
from contextlib import contextmanager
from typing import Iterator

import torch
from mmagic.registry import OPTIM_WRAPPERS
from mmengine.optim import OptimWrapper
from mmengine.runner.amp import autocast
from torch import nn

from ..utils.errors import UserError


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Optimiser wrapper whose ``optim_context`` autocasts to bfloat16, on whatever device there is.

    MMEngine's AmpOptimWrapper refuses to run without an accelerator, because of its loss scaler.
    bfloat16 has the exponent range of float32 and needs no scaler.

    Args:
        dtype (str): 'bfloat16', the one type that is safe without a loss scaler; an argument so
            that configs of AmpOptimWrapper with ``dtype='bfloat16'`` fit. Defaults to 'bfloat16'.
        **kwargs: Arguments of MMEngine's OptimWrapper.

    Raises:
        ValueError: If `dtype` is another type.
    """

    def __init__(self, dtype: str = 'bfloat16', **kwargs) -> None:
        super().__init__(**kwargs)
        if dtype != 'bfloat16':
            raise UserError(
                f"AutocastOptimWrapper has no loss scaler and casts to 'bfloat16' only, but got "
                f'dtype={dtype!r}. For float16 on a GPU use AmpOptimWrapper.')

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Run the forward pass in bfloat16 where that is safe; parameters stay float32.

        Args:
            model (nn.Module): The module whose gradients are not synchronised between processes
                while this wrapper accumulates them, as in OptimWrapper.
        """
        with super().optim_context(model), autocast(dtype=torch.bfloat16):
            yield
