# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The translation network as an ONNX file, checked against PyTorch."""
import importlib.util
import json
import logging
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Optional, Tuple, Union

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor, nn

from ..utils.errors import MissingPackageError, RunError, UserError
from ..utils.files import check_outputs, write_atomically
from ..version import __version__
from .model import load_model, read_translation_config

LIBRARIES = ('onnx', 'onnxruntime', 'onnxscript')
OLDEST_OPSET = 18  # PyTorch's exporter writes no older one
TOLERANCE = 1e-3  # of values in [-1, 1]
# Batch, then height and width of content and exemplar, in units of 8 strides: traced, and checked.
# They differ in everything, so that no number of the trace can hide in the file.
_TRACED = (2, (4, 5), (6, 3))
_CHECKED = ((1, (3, 4), (4, 4)), (3, (5, 2), (3, 6)))
_AXES = dict(content=('batch', 'height', 'width'),
             exemplar=('batch', 'exemplar_height', 'exemplar_width'),
             translation=('batch', 'height', 'width'))


class Translation(nn.Module):
    """One direction of the generator side: (content, exemplar) -> translation."""

    def __init__(self, generators: nn.Module, source: str, target: str):
        super().__init__()
        self.generators = generators
        self.source, self.target = source, target

    def forward(self, content: Tensor, exemplar: Tensor) -> Tensor:
        """RGB in [-1, 1], (N, 3, H, W) and (N, 3, H', W') -> (N, 3, H, W)."""
        return self.generators.translate(content, exemplar, self.source, self.target)


def export_onnx(config: Union[str, os.PathLike, Config],
                checkpoint: Union[str, os.PathLike],
                out: Union[str, os.PathLike],
                target_domain: Optional[str] = None,
                opset: Optional[int] = None,
                source_domain: Optional[str] = None) -> Dict[str, float]:
    """Writes the translation network of a trained EGSCIT or MUNIT as one ONNX file.

    Inputs ``content`` (N, 3, H, W) and ``exemplar`` (N, 3, H', W'), output ``translation``
    (N, 3, H, W): float32, RGB in [-1, 1]; batch and sizes are free, H and W divisible by the stride
    that the file's metadata names. The averaged weights are taken where there are any. The file
    comes to its place only after onnxruntime has computed the same as PyTorch with it.

    Args:
        config (str | PathLike | Config): Config of the model, for EGSCIT that of stage 2.
        checkpoint (str | PathLike): Its checkpoint, or a published model.
        out (str | PathLike): The file; an older one is replaced.
        target_domain (str | None): Domain of the exemplars; the model's default if None.
        opset (int | None): ONNX operator set; what PyTorch's exporter prefers if None.
        source_domain (str | None): Domain of the contents; with two domains the other one if None.

    Returns:
        dict[str, float]: Largest absolute difference to PyTorch, by the shapes compared.

    Raises:
        FileNotFoundError: If there is no such config or checkpoint.
        ModuleNotFoundError: If the packages of the extra ``export`` are not installed.
        RuntimeError: If the checkpoint cannot be read, PyTorch cannot export to this operator set,
            or onnxruntime computes something else.
        ValueError: If the config has no such model, or the checkpoint, the domain or the operator
            set does not fit.
    """
    _check_libraries()
    _check_opset(opset)
    if Path(out).is_dir():
        raise UserError(f'{os.fspath(out)} is a folder; give the name of a file.')
    check_outputs([(Path(out), 'the exported network')], [path for path in (config, checkpoint)
                                                        if isinstance(path, (str, os.PathLike))])
    cfg = read_translation_config(config, 'export')
    model = load_model(cfg, checkpoint, 'cpu')
    source, target = model.direction(source_domain, target_domain)
    translation = Translation(model.inference_generators, source, target).eval()
    stride = translation.generators.encoders[translation.source].stride
    proto = _proto(translation, stride, opset)
    metadata = dict(
        model=cfg.model.type, egscit_mm_version=__version__, domains=json.dumps(model.domains),
        source_domain=translation.source, target_domain=translation.target, stride=str(stride),
        value_range='[-1, 1]', channel_order='RGB', layout='NCHW')
    for key, value in metadata.items():
        proto.metadata_props.add(key=key, value=value)
    data = proto.SerializeToString()
    differences = compare(translation, data, stride)
    for shapes, difference in differences.items():
        if not difference <= TOLERANCE:
            raise RunError(
                f'onnxruntime and PyTorch differ by {difference:.2g} (at most {TOLERANCE:g} is '
                f'allowed) for {shapes}; nothing was written, try another --opset.')
    write_atomically(out, data)
    return differences


def _check_libraries() -> None:
    missing = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingPackageError(
            f'The export needs {", ".join(missing)}, not installed here: type pip install '
            '"egscit_mm[export]" or, in a checkout, pip install -c requirements/constraints.txt -e '
            '".[export]"', name=missing[0])


def _check_opset(opset: Optional[int]) -> None:
    import onnx

    newest = onnx.defs.onnx_opset_version()
    if opset is not None and not OLDEST_OPSET <= opset <= newest:
        raise UserError(f'opset must be {OLDEST_OPSET} to {newest}, what PyTorch and this '
                        f'onnx know; got {opset}.')


def _proto(translation: Translation, stride: int, opset: Optional[int]):
    """The ONNX model, with named axes."""
    free = {axis: torch.export.Dim.DYNAMIC for axis in (0, 2, 3)}
    with torch.no_grad(), _quiet():
        try:
            program = torch.onnx.export(
                translation, _images(stride, _TRACED), dynamo=True, opset_version=opset,
                input_names=['content', 'exemplar'], output_names=['translation'],
                dynamic_shapes=dict(content=free, exemplar=free), verbose=False)
        except torch.onnx.errors.OnnxExporterError as error:
            raise RunError(f'PyTorch cannot export this model to ONNX: {error}') from error
    proto = program.model_proto
    found = next(entry.version for entry in proto.opset_import if entry.domain in ('', 'ai.onnx'))
    if opset is not None and found != opset:
        raise RunError(f'PyTorch cannot export this model to opset {opset}, only to {found}: '
                       f'give --opset {found} or leave it out.')
    # The exporter names axes s27, s37, ... and 2*(((s37 - 1)//2)) + 2.
    del proto.graph.value_info[:]
    for value in (*proto.graph.input, *proto.graph.output):
        for axis, name in zip((0, 2, 3), _AXES[value.name]):
            value.type.tensor_type.shape.dim[axis].dim_param = name
    return proto


def compare(translation: Translation, data: bytes, stride: int) -> Dict[str, float]:
    """Largest absolute differences between PyTorch and onnxruntime, by shapes.

    Returns:
        dict[str, float]: By batch and sizes, none of them those of the trace.

    Raises:
        RuntimeError: If onnxruntime cannot run the file.
    """
    import onnxruntime

    differences, session = {}, None
    for shapes in _CHECKED:
        content, exemplar = _images(stride, shapes)
        with torch.no_grad():
            wanted = translation(content, exemplar).numpy()
        try:
            session = session or onnxruntime.InferenceSession(
                data, providers=['CPUExecutionProvider'])
            found, = session.run(None, dict(content=content.numpy(), exemplar=exemplar.numpy()))
        except Exception as error:  # its errors have no other base
            raise RunError(f'onnxruntime cannot run the exported model: {error}; nothing was '
                           'written, try another --opset.') from error
        name = f'content {tuple(content.shape)}, exemplar {tuple(exemplar.shape)}'
        same_shape = found.shape == wanted.shape
        differences[name] = float(np.abs(found - wanted).max()) if same_shape else float('inf')
    return differences


def _images(stride: int, shapes: tuple) -> Tuple[Tensor, Tensor]:
    """Random content and exemplar in [-1, 1], equal ones for equal arguments."""
    number, *sizes = shapes
    generator = torch.Generator().manual_seed(0)
    return tuple(
        torch.rand(number, 3, *(8 * stride * side for side in size), generator=generator) * 2 - 1
        for size in sizes)


@contextmanager
def _quiet():
    """The exporter's own progress and notes say nothing to users of this file."""
    loggers = [logging.getLogger(name) for name in ('torch.onnx', 'onnxscript')]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
