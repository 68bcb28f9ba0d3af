# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What inference needs of a checkpoint, as a small file to pass on."""
import hashlib
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Dict, Optional, Sequence, Union

import torch
from mmagic.registry import MODELS
from mmengine.config import Config
from mmengine.runner.checkpoint import _load_checkpoint
from torch import Tensor
from tqdm import tqdm

from ..config.of_checkpoint import config_of_text
from ..engine.safetensors_checkpoint import METADATA_KEY
from ..models import ExemplarGuidedModel
from ..utils.errors import UserError, check_file
from ..utils.files import check_outputs, write_atomically
from ..utils.listing import find_images
from ..version import __version__

WEIGHTS = dict(ema='generators_ema.module.', plain='generators.')  # where a checkpoint has them
DTYPES = dict(float32=torch.float32, float16=torch.float16)
# How settings of the config's model end that only its training uses; they may name files of the
# author.
_TRAINING_ONLY = ('discriminator', 'perceptual_loss', 'feature_checkpoint', 'loss_weights',
                  'steps', 'split_batch', 'skip_non_finite', 'ema_config')


def publish(checkpoint: Union[str, os.PathLike],
            out: Union[str, os.PathLike],
            weights: Optional[str] = None,
            dtype: str = 'float32',
            mean_of: Optional[Dict[str, Sequence[str]]] = None) -> Path:
    """Writes the generators of a trained model, and nothing else, as safetensors.

    The frozen feature networks are part of the generators. The file's metadata holds, as JSON,
    ``model``, ``egscit_mm_version``, ``weights``, ``dtype`` and, from a checkpoint that the Runner
    wrote, ``config``: what inference needs of the config.

    Args:
        checkpoint (str | PathLike): Its checkpoint, as the training wrote it.
        out (str | PathLike): ``NAME.safetensors`` becomes ``NAME-<first 8 of its
            SHA-256>.safetensors``.
        weights (str | None): ``ema``, the averaged weights, or ``plain``; by default the average
            where the checkpoint has one, as in inference.
        dtype (str): ``float32`` or ``float16``, which is read as float32 again.
        mean_of (dict[str, Sequence[str]] | None): By domain, images (files, folders, patterns) of
            which the file is to hold the mean style, which a strength other than 1 needs.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        RuntimeError: If the file cannot be read as a checkpoint.
        ValueError: If it holds no such model or no such weights, or is published already, or
            ``out`` is a folder or does not end with ``.safetensors``.
    """
    checkpoint, out = os.fspath(checkpoint), Path(out)
    check_file(checkpoint, 'Checkpoint')
    check_outputs([(out, 'the published file')])
    if out.suffix != '.safetensors':
        raise UserError(f'{out}: the published file is one of safetensors; give a name such as '
                        f'{out.with_suffix(".safetensors")}.')
    if checkpoint.endswith('.safetensors'):
        raise UserError(f'{checkpoint} is published already; give the checkpoint (.pth) of the '
                        'training, which holds all that can be published.')
    content = _load_checkpoint(checkpoint, map_location='cpu', logger='silent')
    state = content.get('state_dict', content)
    weights = weights or ('ema' if _part(state, WEIGHTS['ema']) else 'plain')
    model = _model_of(state, checkpoint)
    metadata = dict(model=model, egscit_mm_version=__version__, weights=weights, dtype=dtype)
    meta = content.get('meta')
    config = meta.get('cfg') if isinstance(meta, dict) else None
    if config is not None:
        metadata['config'] = _inference_config(config, checkpoint)
    published = _published(state, weights, DTYPES[dtype], checkpoint)
    if mean_of:
        published.update(_mean_styles(published, metadata, mean_of, checkpoint))
    return _write(published, metadata, out)


def _part(state: Dict[str, Tensor], prefix: str) -> Dict[str, Tensor]:
    return {
        key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)
    }


def _model_of(state: Dict[str, Tensor], checkpoint: str) -> str:
    parts = {key.split('.')[0] for key in _part(state, 'generators.')}
    models = {name: model for name, model in MODELS.module_dict.items()
              if isinstance(model, type) and issubclass(model, ExemplarGuidedModel)
              and model.own_part}
    for name, model in models.items():
        if model.own_part in parts:
            return name
    raise UserError(f'{checkpoint} is not a checkpoint of a model that takes exemplars '
                    f'({", ".join(models)}): give one that the training of such a model wrote, for '
                    'EGSCIT that of stage 2.')


def _published(state: Dict[str, Tensor], weights: str, dtype: torch.dtype,
               checkpoint: str) -> Dict[str, Tensor]:
    prefix = WEIGHTS[weights]
    generators = _part(state, prefix)
    if not generators:
        raise UserError(f'{checkpoint} has no averaged weights (its config has no ema_config); '
                        'publish the plain ones (--weights plain).')
    published = {}
    for name, tensor in generators.items():
        if not isinstance(tensor, Tensor):
            raise UserError(f'{checkpoint}: {prefix}{name} should be a tensor, but is a '
                            f'{type(tensor).__name__}; it cannot be published.')
        if tensor.is_floating_point():
            tensor = tensor.to(dtype)
            if not tensor.isfinite().all():
                raise UserError(f'{checkpoint}: {prefix}{name} has values that are not finite in '
                                f'{str(dtype).removeprefix("torch.")}; it cannot be published.')
        # safetensors refuses tensors that share memory or have gaps.
        published[f'generators.{name}'] = tensor.clone(memory_format=torch.contiguous_format)
    return published


def _mean_styles(published: Dict[str, Tensor], metadata: Dict[str, Any],
                 mean_of: Dict[str, Sequence[str]], checkpoint: str) -> Dict[str, Tensor]:
    """The mean styles of images, as the published weights encode them."""
    from .inferencer import EGSCITInferencer

    if 'config' not in metadata:
        raise UserError(f'{checkpoint} holds no config, which mean styles need: give a checkpoint '
                        'that a training wrote.')
    images = {domain: [image.path for image in find_images(paths)]
              for domain, paths in mean_of.items()}
    with TemporaryDirectory() as folder:
        inferencer = EGSCITInferencer(
            Config(metadata['config']), _write(published, metadata, Path(folder, 'model')))
    for domain, paths in images.items():
        inferencer.keep_mean_style(tqdm(paths, f'mean style of {domain}'), domain)
    means = inferencer.model.inference_generators.mean_styles.state_dict()
    return {f'generators.mean_styles.{name}': value.cpu() for name, value in means.items()}


def _write(state: Dict[str, Tensor], metadata: Dict[str, Any], out: Path) -> Path:
    from safetensors.torch import save

    data = save(state, {METADATA_KEY: json.dumps(metadata, sort_keys=True)})
    path = out.with_name(f'{out.stem}-{hashlib.sha256(data).hexdigest()[:8]}.safetensors')
    write_atomically(path, data)
    return path


def _inference_config(text: str, checkpoint: str) -> Dict[str, Any]:
    """The part of a config's text that builds the model."""
    try:
        config = config_of_text(text)
        settings = {key: config[key] for key in ('custom_imports', 'default_scope', 'model')
                    if key in config}
        settings['model'] = {
            key: value for key, value in settings['model'].items()
            if not key.endswith(_TRAINING_ONLY)
        }
        # A VGG of the generators is in the checkpoint.
        settings['model'].get('generator', {}).pop('pretrained', None)
    except (SyntaxError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise UserError(f'{checkpoint}: the config in its meta is not as MMEngine writes it '
                        f'({error!r}); remove meta["cfg"] from the checkpoint.') from error
    return settings
