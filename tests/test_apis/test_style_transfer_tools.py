# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Style transfer through the tools: with a file of VGG weights, and without a checkpoint."""
import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from test_baselines import CONFIGS, tiny_config
from tiny_data import picture, tiny_model_options, tiny_options, write_tiny_digits
from tool import Tool

from egscit_mm.apis import EGSCITInferencer, train, video
from egscit_mm.apis.export import export_onnx
from egscit_mm.apis.publish import publish
from egscit_mm.engine import load_from_safetensors
from egscit_mm.models.networks.vgg import VGGFeatures
from egscit_mm.utils.errors import UserError


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    return write_tiny_digits(tmp_path_factory.mktemp('data'))


@pytest.fixture(scope='module')
def vgg_file(tmp_path_factory):
    """Random weights in the layout of torchvision's whole network."""
    vgg = VGGFeatures(['relu5_1'], None, 2, 'vgg16')
    vgg.load_weights()
    state = {f'features.{name}': value for name, value in vgg.layers.named_buffers()}
    path = tmp_path_factory.mktemp('vgg') / 'vgg16.pth'
    torch.save(state, path)
    return path


@pytest.fixture(scope='module')
def trained(data_root, vgg_file, tmp_path_factory):
    """Config and checkpoint of a method after two iterations."""
    folder, made = tmp_path_factory.mktemp('trained'), {}

    def of(name):
        if name not in made:
            cfg = Config.fromfile(CONFIGS / f'{name}_mnist_single_reduced.py')
            cfg.merge_from_dict({**tiny_model_options(name.split('_')[0]),
                                 **tiny_options(data_root, iters=2),
                                 'model.generator.pretrained': str(vgg_file)})
            cfg.dump(folder / f'{name}.py')
            train(Config.fromfile(folder / f'{name}.py'), work_dir=str(folder / name))
            made[name] = folder / f'{name}.py', folder / name / 'iter_2.pth'
        return made[name]

    return of


@pytest.fixture
def neural_style(data_root, vgg_file, tmp_path):
    cfg = Config.fromfile(CONFIGS / 'neural_style_mnist_single_reduced.py')
    options = {key: value for key, value in tiny_options(data_root).items()
               if key.startswith('test')}
    cfg.merge_from_dict({**tiny_model_options('neural'), **options,
                         'model.generator.pretrained': str(vgg_file),
                         'model.generator.evaluations': 2})
    cfg.dump(tmp_path / 'neural_style.py')
    return tmp_path / 'neural_style.py'


def save_pictures(folder, number=2):
    folder.mkdir()
    for index in range(number):
        Image.fromarray(picture(28, 30, index)).save(folder / f'{index}.png')
    return folder


def run_everything(config, checkpoint, folder):
    """Test, translation and report; returns the figures."""
    Tool('test.py')(config, checkpoint, '--work-dir', folder / 'test', '--out', folder / 'm.json')
    contents, exemplars = (save_pictures(folder / name) for name in ('contents', 'exemplars'))
    Tool('translate.py')(config, checkpoint, '--content', contents, '--exemplar', exemplars,
                         '--out', folder / 'out', '--html')
    results = [np.asarray(Image.open(folder / 'out' / f'{i}.png')) for i in range(2)]
    assert [image.shape for image in results] == [(28, 30, 3)] * 2
    Tool('report.py')(config, checkpoint, '--metrics', folder / 'm.json', '--out',
                      folder / 'report', '--work-dir', folder / 'none')
    return json.loads((folder / 'm.json').read_text())


@pytest.mark.parametrize('name', ['adain_style', 'wct'])
def test_trained_methods_in_all_tools(name, trained, vgg_file, tmp_path):
    config, checkpoint = trained(name)
    figures = run_everything(config, checkpoint, tmp_path)
    assert -1 <= figures['ssim_exemplar/A2B']['mean'] <= 1 and 'train_seconds' in figures


@pytest.mark.parametrize('name', ['adain_style', 'wct'])
def test_inference_needs_no_file_of_the_vgg(name, trained, tmp_path):
    config, checkpoint = trained(name)
    cfg = Config.fromfile(config)
    cfg.model.generator.pretrained = 'nowhere.pth'
    images = picture(28, 28, 1), picture(20, 31, 2)
    results = [EGSCITInferencer(c, str(checkpoint), 'cpu')(*images)
               for c in (cfg, config)]
    assert np.array_equal(*results)
    published = publish(checkpoint, tmp_path / 'model.safetensors')
    assert np.array_equal(EGSCITInferencer(cfg, str(published), 'cpu')(*images), results[0])
    # Nor does it tell where the author's lay.
    text = load_from_safetensors(str(published))['meta']['config']
    assert 'generator' in text['model'] and 'pretrained' not in str(text)


def test_a_validation_in_the_training(data_root, vgg_file, tmp_path):
    """It is tried first, for which the VGG's weights have to be there."""
    cfg = Config.fromfile(CONFIGS / 'adain_style_mnist_single.py')
    cfg.merge_from_dict({
        **tiny_model_options('adain'), **tiny_options(data_root, iters=1, validate=True),
        'model.generator.pretrained': str(vgg_file), 'train_cfg.val_interval': 1})
    train(cfg, work_dir=str(tmp_path))
    logged = next(tmp_path.glob('*/vis_data/scalars.json')).read_text()
    assert 'ssim_exemplar/A2B_mean' in logged


@pytest.mark.parametrize('name', ['adain_style', 'wct'])
def test_resuming_goes_on(name, trained, tmp_path):
    config, checkpoint = trained(name)
    cfg = Config.fromfile(config)
    work_dir = str(tmp_path / 'work')
    train(cfg, work_dir=work_dir, options={'train_cfg.max_iters': 1}, amp=True)
    runner = train(Config.fromfile(config), work_dir=work_dir, resume=True, amp=True)
    assert runner.iter == 2
    states = [torch.load(path, weights_only=True)['state_dict']
              for path in (tmp_path / 'work' / 'iter_1.pth', tmp_path / 'work' / 'iter_2.pth')]
    for key in states[0]:
        is_fixed = '.vgg.' in key or key.endswith(('.mean', '.whitening'))
        assert torch.equal(states[0][key], states[1][key]) == is_fixed, key


def test_neural_style_in_all_tools_without_a_checkpoint(neural_style, tmp_path):
    figures = run_everything(neural_style, 'none', tmp_path)
    assert -1 <= figures['ssim_exemplar/A2B']['mean'] <= 1 and 'train_seconds' not in figures
    images = picture(28, 28, 1), picture(28, 28, 2)
    results = [EGSCITInferencer(neural_style, checkpoint, 'cpu')(*images)
               for checkpoint in (None, 'none')]
    assert np.array_equal(*results) and not np.array_equal(results[0], images[0])


@pytest.mark.parametrize('name', ['adain_style', 'wct'])
def test_regions_are_refused(name, trained):
    model = EGSCITInferencer(*trained(name), 'cpu')
    styles = {label: model.style(picture(28, 28, label)) for label in range(2)}
    labels = np.arange(28 * 28).reshape(28, 28) % 2
    with pytest.raises(UserError, match='This model cannot style regions'):
        model.translate_to_style(picture(28, 28, 2), styles, regions=labels)


def test_neural_style_has_no_network_to_export(neural_style, tmp_path):
    with pytest.raises(UserError, match='NeuralStyle optimises .* there is no network to export'):
        export_onnx(neural_style, 'none', tmp_path / 'net.onnx')
    assert not (tmp_path / 'net.onnx').exists()


@pytest.mark.parametrize('name', ['adain_style', 'wct'])
def test_what_pytorch_cannot_export_is_refused_before_it_is_tried(name, trained, tmp_path):
    with pytest.raises(UserError, match='resizes images .* cannot export to ONNX'):
        export_onnx(*trained(name), tmp_path / 'net.onnx')
    assert not (tmp_path / 'net.onnx').exists()


def test_neural_style_is_not_trained_and_takes_no_checkpoint(neural_style, tmp_path):
    with pytest.raises(UserError, match="NeuralStyle is not trained. Use it at once, with 'none'"):
        train(Config.fromfile(neural_style), work_dir=str(tmp_path / 'work'))
    torch.save({}, tmp_path / 'model.pth')
    with pytest.raises(UserError, match="loads no checkpoint: give 'none' in place of .*model.pth"):
        EGSCITInferencer(neural_style, str(tmp_path / 'model.pth'))


def test_models_with_weights_need_a_checkpoint(trained, data_root, tmp_path):
    config, _ = trained('wct')
    for given in (None, 'none'):
        with pytest.raises(UserError, match='WCT needs a checkpoint of its training'):
            EGSCITInferencer(config, given)
    with pytest.raises(UserError, match='WCT needs a checkpoint of its training'):
        Tool('test.py')(config, 'none')


def test_a_missing_file_of_the_vgg_is_named(neural_style, trained, tmp_path):
    for config in (neural_style, trained('adain_style')[0]):
        cfg = Config.fromfile(config)
        cfg.model.generator.pretrained = 'nowhere.pth'
        with pytest.raises(FileNotFoundError,
                           match="model.generator.pretrained='nowhere.pth' does not exist"):
            if cfg.model.type == 'NeuralStyle':
                EGSCITInferencer(cfg)(picture(28, 28), picture(28, 28))
            else:
                train(cfg, work_dir=str(tmp_path / 'work'))


def test_tiny_paper_configs_build(data_root, tmp_path):
    """The paper's configs differ from the reduced ones in settings alone."""
    for name in ('adain_style', 'wct'):
        paper = Config.fromfile(tiny_config(f'{name}_mnist_single', tmp_path, data_root))
        reduced = Config.fromfile(CONFIGS / f'{name}_mnist_single_reduced.py')
        assert paper.model.keys() == reduced.model.keys()
        assert paper.model.loss_weights.keys() <= reduced.model.loss_weights.keys()


def test_no_statistics_of_a_film_are_smoothed(trained, tmp_path):
    """AdaIN style transfer has AdaIN, too, but takes statistics of none but its own content."""
    video.write_film(tmp_path / 'film.mkv', [picture(16, 24)] * 2, 12)
    Image.fromarray(picture(16, 16)).save(tmp_path / 'exemplar.png')
    with pytest.raises(UserError, match='smoothing needs EGSCIT with AdaIN'):
        Tool('translate_video.py')(
            *trained('adain_style'), '--content', tmp_path / 'film.mkv', '--exemplar',
            tmp_path / 'exemplar.png', '--out', tmp_path / 'out.mkv', '--smooth', 0.5)
