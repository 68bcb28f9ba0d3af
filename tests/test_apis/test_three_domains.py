# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Three domains from the first iteration to the exported file."""
import importlib.util
import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from three_domains import DIRECTIONS, DOMAINS, config, write_images
from tiny_data import picture
from tool import Tool

from egscit_mm.apis import EGSCITInferencer, train
from egscit_mm.apis.export import export_onnx
from egscit_mm.apis.model import load_model
from egscit_mm.apis.publish import publish
from egscit_mm.visualization.translations import first_test_samples, translated_rows

NAMES = [f'{source}2{target}' for source, target in DIRECTIONS]


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Folder with configs and the work directory of both stages."""
    folder = tmp_path_factory.mktemp('three')
    root = write_images(folder / 'data')
    config('vaegan', root, folder)
    config('munit', root, folder)
    train(Config.fromfile(config('egscit', root, folder)), work_dir=str(folder / 'work'))
    return folder


@pytest.fixture(scope='module')
def files(trained):
    return trained / 'egscit_three.py', str(trained / 'work' / 'iter_2.pth')


@pytest.fixture(scope='module')
def inferencer(files):
    return EGSCITInferencer(*files, device='cpu')


def test_both_stages_train_every_direction(trained):
    log, = trained.glob('work/*/vis_data/scalars.json')
    names = set(json.loads(log.read_text().splitlines()[0]))
    assert {f'loss_cycle_{name}' for name in NAMES} <= names
    assert {f'loss_gan_d_{domain}' for domain in DOMAINS} <= names
    pictures = {path.name for path in trained.glob('work/*/vis_data/vis_image/*')}
    assert {f'translation_{name}_2.png' for name in NAMES} <= pictures


def test_every_direction_has_its_own_figures(trained, files, inferencer):
    Tool('test.py')(*files, '--out', trained / 'metrics.json', '--work-dir', trained / 'test')
    figures = json.loads((trained / 'metrics.json').read_text())
    for figure in ('ssim_exemplar', 'ceiling_exemplar', 'ssim_ground_truth'):
        assert {name for name in figures if name.startswith(f'{figure}/')} == {
            f'{figure}/{name}' for name in NAMES}
    # By hand, from translations of the files.
    from egscit_mm.evaluation.functional import ssim
    for source, target in DIRECTIONS:
        contents, exemplars = (sorted((trained / 'data' / f'test{domain}').iterdir())
                               for domain in (source, target))
        results = inferencer(contents, exemplars, target, source_domain=source)
        expected = np.mean([ssim(image, np.array(Image.open(path)))
                            for image, path in zip(results, exemplars)])
        assert figures[f'ssim_exemplar/{source}2{target}']['mean'] == pytest.approx(
            expected, abs=2e-3)
    assert len({round(figures[f'ssim_exemplar/{name}']['mean'], 5) for name in NAMES}) == 6


def test_rows_of_every_direction(files, inferencer):
    cfg = Config.fromfile(files[0])
    rows = translated_rows(load_model(cfg, files[1], 'cpu'), first_test_samples(cfg, 2))
    assert list(rows) == NAMES
    assert not torch.equal(rows['A2B']['translation'], rows['C2B']['translation'])


def test_inferencer_needs_and_names_domains(inferencer):
    image = picture(16, 16)
    for match, source, target in (
            ("source_domain is needed, one of \\['A', 'B'\\]", None, None),
            ("source_domain is needed, one of \\['B', 'C'\\]", None, 'A'),
            ("target_domain is needed, one of \\['A', 'B'\\]", 'C', None),
            ("Unknown domain 'D'; this model has \\['A', 'B', 'C'\\]", 'D', 'A'),
            ("Unknown domain 'D'", 'A', 'D'), ("are both 'A'", 'A', 'A')):
        with pytest.raises(ValueError, match=match):
            inferencer(image, image, target, source_domain=source)
    to_b = [inferencer(image, image, 'B', source_domain=source, return_masks=True)
            for source in 'AC']
    assert not np.array_equal(to_b[0][0], to_b[1][0])
    assert not np.array_equal(to_b[0][1], to_b[1][1])
    assert np.array_equal(inferencer(image, image, source_domain='A'),
                          inferencer(image, image, 'C', source_domain='A'))


def test_translate_command(trained, files, inferencer, tmp_path):
    def run(*options):
        return Tool('translate.py')(*files, '--content', trained / 'data' / 'testC', '--exemplar',
                                    trained / 'data' / 'testB', '--device', 'cpu', *options)

    with pytest.raises(ValueError, match='source_domain is needed'):
        run('--target-domain', 'B', '--out', tmp_path / 'none')
    run('--source-domain', 'C', '--target-domain', 'B', '--out', tmp_path / 'out', '--html')
    content, exemplar = (trained / 'data' / f'test{domain}' / '000.png' for domain in 'CB')
    expected = inferencer(content, exemplar, 'B', source_domain='C')
    found = np.array(Image.open(tmp_path / 'out' / '000.png'))
    assert np.abs(found.astype(int) - expected).max() <= 1
    # Another domain of the contents makes the same file anew.
    run('--source-domain', 'A', '--target-domain', 'B', '--out', tmp_path / 'out')
    expected = inferencer(content, exemplar, 'B', source_domain='A')
    found = np.array(Image.open(tmp_path / 'out' / '000.png'))
    assert np.abs(found.astype(int) - expected).max() <= 1
    run('--source-domain', 'A', '--target-domain', 'B', '--out', tmp_path / 'matrix', '--pairing',
        'matrix')
    assert (tmp_path / 'matrix' / 'matrix.png').is_file()


def test_report(trained, files, tmp_path):
    Tool('report.py')(*files, '--work-dir', trained / 'work', '--stage1-dir',
                      trained / 'work' / 'vaegan_three', '--out', tmp_path, '--num-images', 2)
    page = (tmp_path / 'report.html').read_text()
    assert all(f'samples-{name}' in page for name in NAMES)


def test_published_model_translates(trained, files, inferencer, tmp_path):
    path = publish(files[1], tmp_path / 'model.safetensors')
    image = picture(16, 16)
    again = EGSCITInferencer(files[0], path, device='cpu')
    assert np.array_equal(again(image, image, 'B', source_domain='C'),
                          inferencer(image, image, 'B', source_domain='C'))


def test_web_page(inferencer, tmp_path):
    pytest.importorskip('gradio')
    from tool import TOOLS
    spec = importlib.util.spec_from_file_location('app', TOOLS.parent / 'demo' / 'gradio_app.py')
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    translator = app.Translator(inferencer, 10_000)
    assert list(translator.directions) == [f'{s} → {t}' for s, t in DIRECTIONS]
    path = str(tmp_path / 'a.png')
    Image.fromarray(picture(16, 16)).save(path)
    translation, _ = translator.translate(path, path, 'C → B')
    assert np.array_equal(translation,
                          inferencer(picture(16, 16), picture(16, 16), 'B', source_domain='C'))
    with pytest.raises(app.gr.Error, match='Choose one of the directions A → B'):
        translator.translate(path, path, 'A → D')


def test_export(files, tmp_path):
    for library in ('onnx', 'onnxruntime', 'onnxscript'):
        pytest.importorskip(library)
    import onnx
    with pytest.raises(ValueError, match='source_domain is needed'):
        export_onnx(*files, tmp_path / 'none.onnx', 'B')
    differences = export_onnx(*files, tmp_path / 'c2b.onnx', 'B', source_domain='C')
    assert max(differences.values()) < 1e-3
    metadata = {entry.key: entry.value
                for entry in onnx.load(tmp_path / 'c2b.onnx').metadata_props}
    assert (metadata['source_domain'], metadata['target_domain']) == ('C', 'B')


def test_munit(trained):
    path = trained / 'munit_three.py'
    train(Config.fromfile(path), work_dir=str(trained / 'munit'))
    Tool('test.py')(path, trained / 'munit' / 'iter_2.pth', '--out', trained / 'munit.json',
                    '--work-dir', trained / 'test_munit')
    figures = json.loads((trained / 'munit.json').read_text())
    assert {f'ssim_exemplar/{name}' for name in NAMES} <= set(figures)


@pytest.mark.parametrize('domains', [('A', 'A2B', 'B'), ('A', 'A2', '2A')])
def test_directions_of_one_name_are_refused(domains, files):
    cfg = Config.fromfile(files[0])
    from mmagic.registry import MODELS
    with pytest.raises(ValueError, match='name of two of their directions|direction and a domain'):
        MODELS.build(dict(cfg.model, domains=domains))
