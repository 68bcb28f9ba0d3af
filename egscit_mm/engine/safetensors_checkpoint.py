# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Published models: ``.safetensors`` files, which MMEngine cannot read by itself."""
import json
import os.path as osp

import torch
from mmengine.runner.checkpoint import CheckpointLoader

from ..utils.errors import UserError

# The one entry of the file's metadata, JSON: safetensors does not keep the order of several, and
# equal models should be equal files.
METADATA_KEY = 'egscit_mm'


# MMEngine matches this "prefix" as a regular expression.
@CheckpointLoader.register_scheme(prefixes=r'(?!https?://).*\.safetensors$', force=True)
def load_from_safetensors(filename: str, map_location=None) -> dict:
    """Reads a model that tools/model_converters/publish_model.py wrote, on the CPU.

    Args:
        filename (str): The file.
        map_location: Ignored; models copy the weights to where they are.

    Returns:
        dict: ``meta``, what the publisher wrote about the model, and ``state_dict``, in which
        half precision has become float32.

    Raises:
        ValueError: If its metadata are not those of the publisher.
    """
    from safetensors import safe_open

    with safe_open(osp.expanduser(filename), framework='pt') as file:
        meta = json.loads((file.metadata() or {}).get(METADATA_KEY, '{}'))
        if not isinstance(meta, dict):
            raise UserError(f'its metadata {METADATA_KEY} is no dict but {meta!r}')
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return dict(meta=meta, state_dict={
        name: tensor.float() if tensor.dtype == torch.float16 else tensor
        for name, tensor in state.items()
    })
