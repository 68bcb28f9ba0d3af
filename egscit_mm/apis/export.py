# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The translation network as ONNX files, checked against PyTorch."""
import json
import logging
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor, nn

from ..models.style_transfer.decoder_training import StyleTransfer
from ..utils.errors import RunError, UserError, check_packages
from ..utils.files import check_outputs, write_atomically
from ..version import __version__
from .model import has_weights, load_model, model_name, read_translation_config

LIBRARIES = ('onnx', 'onnxruntime', 'onnxscript')
OLDEST_OPSET = 18  # PyTorch's exporter writes no older one
TOLERANCE = 1e-3  # of values in [-1, 1]
# Batch, then height and width of content and exemplar, in units of 8 strides: traced, and checked.
# They differ in everything, so that no number of the trace can hide in the file.
_TRACED = (2, (4, 5), (6, 3))
_CHECKED = ((1, (3, 4), (4, 4)), (3, (5, 2), (3, 6)))
_AXES = dict(content=('batch', 'height', 'width'),
             exemplar=('batch', 'exemplar_height', 'exemplar_width'),
             style=('batch', ),
             translation=('batch', 'height', 'width'))
_PLACES = 0, 2, 3  # of the axes above in a tensor


class Graph(nn.Module):
    """What one file computes, in one direction of the generator side.

    Args:
        generators (Translator): In eval mode.
        source (str): Domain of the contents.
        target (str): Domain of the exemplars.
    """

    inputs: Tuple[str, ...]
    output: str

    def __init__(self, generators: nn.Module, source: str, target: str):
        super().__init__()
        self.generators = generators
        self.source, self.target = source, target


class Translation(Graph):
    """(content, exemplar) -> translation."""

    inputs, output = ('content', 'exemplar'), 'translation'

    def forward(self, content: Tensor, exemplar: Tensor) -> Tensor:
        """RGB in [-1, 1], (N, 3, H, W) and (N, 3, H', W') -> (N, 3, H, W)."""
        return self.generators.translate(content, exemplar, self.source, self.target)


class StyleEncoding(Graph):
    """exemplar -> style."""

    inputs, output = ('exemplar', ), 'style'

    def forward(self, exemplar: Tensor) -> Tensor:
        """RGB in [-1, 1], (N, 3, H', W') -> gamma and beta, (N, 2, C, 1, 1); of MUNIT (N, S)."""
        style = self.generators.encode_style(exemplar, self.target)
        return torch.stack(style, 1) if isinstance(style, tuple) else style


class StyledTranslation(Graph):
    """(content, style) -> translation."""

    inputs, output = ('content', 'style'), 'translation'

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """RGB in [-1, 1], (N, 3, H, W), and a style of :class:`StyleEncoding` -> (N, 3, H, W)."""
        if style.ndim > 2:
            style = style.unbind(1)
        return self.generators.translate_to_style(content, style, self.source, self.target)


def onnx_files(out: Union[str, os.PathLike], styles: bool = False) -> List[Path]:
    """The files that an export writes to ``OUT`` or ``OUT.onnx``.

    Returns:
        list[Path]: OUT itself; with styles ``OUT_style.onnx`` and ``OUT_translation.onnx``.
    """
    out = Path(out)
    if not styles:
        return [out]
    stem = out.name.removesuffix('.onnx')
    return [out.with_name(f'{stem}_{part}.onnx') for part in ('style', 'translation')]


def export_onnx(config: Union[str, os.PathLike, Config],
                checkpoint: Union[str, os.PathLike],
                out: Union[str, os.PathLike],
                target_domain: Optional[str] = None,
                opset: Optional[int] = None,
                source_domain: Optional[str] = None,
                styles: bool = False) -> Dict[str, float]:
    """Writes the translation network of a trained model as one or two ONNX files.

    Inputs ``content`` (N, 3, H, W) and ``exemplar`` (N, 3, H', W'), output ``translation``
    (N, 3, H, W): float32, RGB in [-1, 1]; batch and sizes are free, H and W divisible by the stride
    that the file's metadata names. With ``styles``, one file makes a ``style`` of an exemplar and
    the other one a translation of a content and a style, so that styles can be kept. The averaged
    weights are taken where there are any. The files come to their places only after onnxruntime has
    computed the same as PyTorch with them.

    Args:
        config (str | PathLike | Config): Config of the model, for EGSCIT that of stage 2.
        checkpoint (str | PathLike): Its checkpoint, or a published model.
        out (str | PathLike): The file, or what :func:`onnx_files` makes the names of; older files
            are replaced.
        target_domain (str | None): Domain of the exemplars; the model's default if None.
        opset (int | None): ONNX operator set; what PyTorch's exporter prefers if None.
        source_domain (str | None): Domain of the contents; with two domains the other one if None.
        styles (bool): Whether to write two files. Defaults to False.

    Returns:
        dict[str, float]: Largest absolute difference to PyTorch, by the shapes compared.

    Raises:
        FileNotFoundError: If there is no such config or checkpoint.
        ModuleNotFoundError: If the packages of the extra ``export`` are not installed.
        RuntimeError: If the checkpoint cannot be read, PyTorch cannot export to this operator set,
            or onnxruntime computes something else.
        ValueError: If the config has no such model, the checkpoint, the domain or the operator
            set does not fit, the model is one of style transfer, or styles are asked of a model
            without AdaIN.
    """
    check_packages('The export', LIBRARIES, 'export')
    _check_opset(opset)
    files = onnx_files(out, styles)
    check_outputs([(path, 'the exported network') for path in files],
                  [path for path in (config, checkpoint) if isinstance(path, (str, os.PathLike))])
    cfg = read_translation_config(config, 'export')
    if not has_weights(cfg):
        raise UserError(f'{model_name(cfg)} optimises the pixels of every image: there is no '
                        'network to export.')
    model = load_model(cfg, checkpoint, 'cpu')
    if isinstance(model, StyleTransfer):
        raise UserError(f'{model_name(cfg)} resizes images for its VGG by a rule that PyTorch '
                        'cannot export to ONNX: translate with tools/translate.py or '
                        'EGSCITInferencer.')
    generators = model.inference_generators
    source, target = model.direction(source_domain, target_domain)
    stride = generators.image_network.stride
    if styles and generators.encode_style(_images(stride, _TRACED)[1], target) is None:
        raise UserError(f'{cfg.filename}: this model has no AdaIN and ignores exemplars, so there '
                        'are no styles to write; leave --styles out.')
    kinds = (StyleEncoding, StyledTranslation) if styles else (Translation, )
    graphs = [kind(generators, source, target).eval() for kind in kinds]
    metadata = dict(
        model=model_name(cfg), egscit_mm_version=__version__, domains=json.dumps(model.domains),
        source_domain=source, target_domain=target, stride=str(stride),
        value_range='[-1, 1]', channel_order='RGB', layout='NCHW')
    datas = []
    for graph in graphs:
        proto = _proto(graph, stride, opset)
        for key, value in metadata.items():
            proto.metadata_props.add(key=key, value=value)
        datas.append(proto.SerializeToString())
    differences = compare(graphs, datas, stride)
    for shapes, difference in differences.items():
        if not difference <= TOLERANCE:
            raise RunError(
                f'onnxruntime and PyTorch differ by {difference:.2g} (at most {TOLERANCE:g} is '
                f'allowed) for {shapes}; nothing was written, try another --opset.')
    for path, data in zip(files, datas):
        write_atomically(path, data)
    return differences


def _check_opset(opset: Optional[int]) -> None:
    import onnx

    newest = onnx.defs.onnx_opset_version()
    if opset is not None and not OLDEST_OPSET <= opset <= newest:
        raise UserError(f'opset must be {OLDEST_OPSET} to {newest}, what PyTorch and this '
                        f'onnx know; got {opset}.')


def _proto(graph: Graph, stride: int, opset: Optional[int]):
    """The ONNX model, with named axes."""
    free = {
        name: {place: torch.export.Dim.DYNAMIC for place, _ in zip(_PLACES, _AXES[name])}
        for name in graph.inputs
    }
    with torch.no_grad(), _quiet():
        sample = _samples(graph, stride, _TRACED)
        try:
            program = torch.onnx.export(
                graph, sample, dynamo=True, opset_version=opset, input_names=list(graph.inputs),
                output_names=[graph.output], dynamic_shapes=free, verbose=False)
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
        for place, name in zip(_PLACES, _AXES[value.name]):
            value.type.tensor_type.shape.dim[place].dim_param = name
    return proto


def compare(graphs: Sequence[Graph], datas: Sequence[bytes], stride: int) -> Dict[str, float]:
    """Largest absolute differences between PyTorch and onnxruntime, by shapes.

    Args:
        graphs (Sequence[Graph]): What the files are to compute, one after the other.
        datas (Sequence[bytes]): The files.
        stride (int): Of the encoder.

    Returns:
        dict[str, float]: By batch and sizes, none of them those of the trace.

    Raises:
        RuntimeError: If onnxruntime cannot run a file.
    """
    import onnxruntime

    differences: Dict[str, float] = {}
    sessions: List[onnxruntime.InferenceSession] = []
    for shapes in _CHECKED:
        content, exemplar = _images(stride, shapes)
        whole = Translation(graphs[0].generators, graphs[0].source, graphs[0].target)
        with torch.no_grad():
            wanted = whole(content, exemplar).numpy()
        values = dict(content=content.numpy(), exemplar=exemplar.numpy())
        try:
            sessions = sessions or [onnxruntime.InferenceSession(
                data, providers=['CPUExecutionProvider']) for data in datas]
            for graph, session in zip(graphs, sessions):
                values[graph.output], = session.run(
                    None, {name: values[name] for name in graph.inputs})
        except Exception as error:  # its errors have no other base
            raise RunError(f'onnxruntime cannot run the exported model: {error}; nothing was '
                           'written, try another --opset.') from error
        found = values['translation']
        name = f'content {tuple(content.shape)}, exemplar {tuple(exemplar.shape)}'
        same_shape = found.shape == wanted.shape
        differences[name] = float(np.abs(found - wanted).max()) if same_shape else float('inf')
    return differences


def _samples(graph: Graph, stride: int, shapes: tuple) -> Tuple[Tensor, ...]:
    """Inputs of a graph."""
    values = dict(zip(('content', 'exemplar'), _images(stride, shapes)))
    if 'style' in graph.inputs:
        values['style'] = StyleEncoding(graph.generators, graph.source, graph.target)(
            values['exemplar'])
    return tuple(values[name] for name in graph.inputs)


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
