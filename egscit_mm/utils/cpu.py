# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What the CPU can do."""
import torch


def computes_in_bfloat16() -> bool:
    """Whether the CPU has instructions for it; True also where an older PyTorch cannot tell."""
    return any(_capability(name, True) for name in ('avx512_bf16', 'amx_bf16', 'bf16'))


def computes_in_amx() -> bool:
    """Whether it has those that make it faster than float32; False where PyTorch cannot tell."""
    return _capability('amx_bf16', False)


def _capability(name: str, unknown: bool) -> bool:
    if not hasattr(torch.cpu, 'get_capabilities'):
        return unknown
    return bool(torch.cpu.get_capabilities().get(name))
