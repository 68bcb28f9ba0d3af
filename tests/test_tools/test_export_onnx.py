# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""ONNX files: what they compute, what they say about themselves, what is refused."""
import importlib.util
import json
import os

import numpy as np
import pytest
import torch
from inference_fixtures import folder
from mmengine.config import Config
from tool import Tool

from egscit_mm.apis import export
from egscit_mm.apis.export import export_onnx, onnx_files
from egscit_mm.apis.model import load_model
from egscit_mm.utils.errors import UserError

onnx = pytest.importorskip('onnx')
onnxruntime = pytest.importorskip('onnxruntime')
if not importlib.util.find_spec('onnxscript'):  # whose import takes a second
    pytest.skip('needs onnxscript', allow_module_level=True)

__all__ = ['folder']


@pytest.fixture(scope='module')
def tool():
    return Tool('export_onnx.py')


@pytest.fixture(scope='module')
def exported(folder, tool):
    path = folder / 'egscit.onnx'
    tool(folder / 'egscit.py', folder / 'egscit.pth', '--out', path)
    return path


def check_equals(path, folder, stage, domain):
    """The file against the model at sizes that the export did not use."""
    model = load_model(Config.fromfile(folder / f'{stage}.py'), folder / f'{stage}.pth', 'cpu')
    session = onnxruntime.InferenceSession(path)
    for number, size, exemplar_size in ((1, (28, 28), (28, 28)), (5, (30, 8), (46, 52))):
        content = torch.rand(number, 3, *size) * 2 - 1
        exemplar = torch.rand(number, 3, *exemplar_size) * 2 - 1
        with torch.no_grad():
            wanted = model.translation(content, domain, exemplar)
        found, = session.run(
            ['translation'], dict(content=content.numpy(), exemplar=exemplar.numpy()))
        assert wanted.std() > 0.05
        np.testing.assert_allclose(found, wanted.numpy(), atol=1e-4, rtol=0)


def test_file_computes_what_the_model_computes(exported, folder):
    check_equals(exported, folder, 'egscit', 'B')


@pytest.fixture
def captures(monkeypatch):
    """How PyTorch's exporter has traced a network: where that fails, it tries again otherwise."""
    found = []
    trace = torch.export.export
    monkeypatch.setattr(torch.export, 'export', lambda *args, strict=False, **kwargs: (
        found.append('strict' if strict else 'plain')
        or trace(*args, strict=strict, **kwargs)))
    return found


@pytest.mark.parametrize('stage', ['munit', 'augmented', 'cddit'])
def test_other_methods_to_the_other_domain(folder, tmp_path, stage, captures):
    path = tmp_path / 'new' / 'model.onnx'
    differences = export_onnx(
        folder / f'{stage}.py', folder / f'{stage}.pth', path, target_domain='A', opset=18)
    assert len(differences) == 2 and max(differences.values()) < 1e-4
    assert captures == ['plain']
    check_equals(path, folder, stage, 'A')
    assert [x.version for x in onnx.load(path).opset_import if not x.domain] == [18]


def test_file_says_what_to_feed(exported):
    model = onnx.load(exported)
    onnx.checker.check_model(model, full_check=True)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata['model'] == 'EGSCIT' and metadata['stride'] == '2'
    assert json.loads(metadata['domains']) == ['A', 'B']
    assert (metadata['source_domain'], metadata['target_domain']) == ('A', 'B')
    assert (metadata['value_range'], metadata['channel_order']) == ('[-1, 1]', 'RGB')
    axes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert axes == dict(
        content=['batch', 3, 'height', 'width'],
        exemplar=['batch', 3, 'exemplar_height', 'exemplar_width'],
        translation=['batch', 3, 'height', 'width'])
    assert not list(exported.parent.glob('*.data'))


@pytest.mark.parametrize('out', ['net', 'net.onnx'])
def test_names_of_two_files(out):
    assert [path.name for path in onnx_files(out, styles=True)] == [
        'net_style.onnx', 'net_translation.onnx']


@pytest.mark.parametrize('stage, domain', [('egscit', 'B'), ('munit', 'A'), ('drit', 'A')])
def test_two_files_for_styles(folder, tool, tmp_path, stage, domain, capsys, captures):
    """A style that the first file made, kept and given to the second one with other contents."""
    tool(folder / f'{stage}.py', folder / f'{stage}.pth', '--out', tmp_path / 'net.onnx',
         '--styles', '--target-domain', domain)
    paths = [tmp_path / 'net_style.onnx', tmp_path / 'net_translation.onnx']
    assert sorted(tmp_path.iterdir()) == paths and captures == ['plain'] * 2
    assert all(str(path) in capsys.readouterr().out for path in paths[:1])
    model = load_model(Config.fromfile(folder / f'{stage}.py'), folder / f'{stage}.pth', 'cpu')
    encode, translate = (onnxruntime.InferenceSession(path) for path in paths)
    assert [value.name for value in encode.get_inputs()] == ['exemplar']
    assert [value.name for value in translate.get_inputs()] == ['content', 'style']
    exemplar = torch.rand(1, 3, 46, 52) * 2 - 1
    style, = encode.run(None, dict(exemplar=exemplar.numpy()))
    np.save(tmp_path / 'style.npy', style)
    for number, size in ((1, (28, 28)), (3, (30, 8))):
        content = torch.rand(number, 3, *size) * 2 - 1
        with torch.no_grad():
            wanted = model.translation(content, domain, exemplar)
        kept = np.load(tmp_path / 'style.npy').repeat(number, 0)
        found, = translate.run(None, dict(content=content.numpy(), style=kept))
        assert wanted.std() > 0.05
        np.testing.assert_allclose(found, wanted.numpy(), atol=1e-4, rtol=0)
    for path in paths:
        onnx_model = onnx.load(path)
        onnx.checker.check_model(onnx_model, full_check=True)
        metadata = {entry.key: entry.value for entry in onnx_model.metadata_props}
        assert metadata['target_domain'] == domain and metadata['stride'] == '2' or stage == 'munit'
        for value in (*onnx_model.graph.input, *onnx_model.graph.output):
            assert value.type.tensor_type.shape.dim[0].dim_param == 'batch', value.name


def test_no_styles_without_adain(folder, tool, tmp_path):
    cfg = Config.fromfile(folder / 'egscit.py')
    cfg.model.generator.adain = None
    cfg.dump(tmp_path / 'wo_adain.py')
    with pytest.raises(UserError, match='has no AdaIN and ignores exemplars, so there are no '
                       'styles to write'):
        tool(tmp_path / 'wo_adain.py', folder / 'egscit.pth', '--out', tmp_path / 'net.onnx',
             '--styles')
    assert [path.name for path in tmp_path.iterdir()] == ['wo_adain.py']


def fail_to_replace(*args):
    raise OSError(28, 'No space left on device')


@pytest.fixture
def known_proto(monkeypatch, exported):
    """The exporter's own seconds are spent once."""
    monkeypatch.setattr(export, '_proto', lambda *args: onnx.load(exported))


def test_a_difference_is_an_error_and_leaves_the_old_file(
        folder, tool, tmp_path, known_proto):
    """The file of a direction that the model was not asked for."""
    out = tmp_path / 'model.onnx'
    arguments = folder / 'egscit.py', folder / 'egscit.pth', '--out', out, '--target-domain', 'A'
    with pytest.raises(UserError, match='onnxruntime and PyTorch differ by .*nothing was written'):
        tool(*arguments)
    assert not list(tmp_path.iterdir())
    out.write_bytes(b'old')
    with pytest.raises(UserError, match='differ by'):
        tool(*arguments)
    assert out.read_bytes() == b'old' and list(tmp_path.iterdir()) == [out]


def test_a_file_that_onnxruntime_refuses_is_an_error(
        folder, tool, exported, tmp_path, monkeypatch):
    model = onnx.load(exported)
    model.graph.node[0].op_type = 'Nonsense'
    monkeypatch.setattr(export, '_proto', lambda *args: model)
    with pytest.raises(UserError, match='onnxruntime cannot run the exported model'):
        tool(folder / 'egscit.py', folder / 'egscit.pth', '--out', tmp_path / 'model.onnx')
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_no_file(folder, tool, tmp_path, known_proto, monkeypatch):
    monkeypatch.setattr(os, 'replace', fail_to_replace)
    with pytest.raises(OSError, match='No space left'):
        tool(folder / 'egscit.py', folder / 'egscit.pth', '--out', tmp_path / 'model.onnx')
    assert not list(tmp_path.iterdir())


def test_bad_input_is_named(folder, tool, tmp_path):
    config, checkpoint, out = folder / 'egscit.py', folder / 'egscit.pth', tmp_path / 'a.onnx'
    (folder / 'cut.pth').write_bytes(checkpoint.read_bytes()[:5000])
    for message, arguments in (
            ('needs a config whose model takes exemplars', (folder / 'vaegan.py', checkpoint)),
            ('not one of this EGSCIT', (config, folder / 'vaegan.pth')),
            ("none.pth' does not exist", (config, folder / 'none.pth')),
            ('none.py', (folder / 'none.py', checkpoint)),
            ('cut.pth .*cannot be read as a checkpoint', (config, folder / 'cut.pth')),
            ("Unknown domain 'C'", (config, checkpoint, '--target-domain', 'C')),
            ('opset must be 18 to .*; got 17', (config, checkpoint, '--opset', 17)),
    ):
        with pytest.raises(UserError, match=message):
            tool(*arguments, '--out', out)
        assert not list(tmp_path.iterdir())
    with pytest.raises(UserError, match='is a folder'):
        tool(config, checkpoint, '--out', tmp_path)


def test_missing_packages_are_named(folder, tool, tmp_path, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, 'find_spec',
                        lambda name: None if name == 'onnxscript' else find_spec(name))
    with pytest.raises(UserError, match=r'needs onnxscript, .*pip install "egscit_mm\[export\]"'):
        tool(folder / 'egscit.py', folder / 'egscit.pth', '--out', tmp_path / 'a.onnx')
