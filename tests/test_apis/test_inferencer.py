# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Translation of single images by the inferencer and by tools/translate.py."""
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmagic.registry import MODELS
from mmengine.config import Config
from PIL import Image
from tiny_data import tiny_model_options

from egscit_mm.apis import EGSCITInferencer
from egscit_mm.apis.inferencer import load_image

REPOSITORY = Path(__file__).parents[2]
CONFIGS = REPOSITORY / 'configs' / 'egscit'


def tiny_config(stage):
    cfg = Config.fromfile(CONFIGS / f'{stage}_quickstart.py')
    cfg.merge_from_dict(tiny_model_options(stage))
    return cfg


@pytest.fixture(scope='module')
def checkpoints(tmp_path_factory):
    """Config and checkpoint of each stage with random weights."""
    folder = tmp_path_factory.mktemp('model')
    torch.manual_seed(0)
    for stage in ('vaegan', 'egscit'):
        cfg = tiny_config(stage)
        cfg.dump(folder / f'{stage}_quickstart.py')
        model = MODELS.build(cfg.model)
        if stage == 'egscit':
            # Larger than the initial weights, so that translations differ visibly.
            for parameter in model.generators.parameters():
                torch.nn.init.normal_(parameter, std=0.2)
            model.generators_ema.module.load_state_dict(model.generators.state_dict())
        torch.save(dict(state_dict=model.state_dict()), folder / f'{stage}.pth')
    return folder


@pytest.fixture(scope='module')
def inferencer(checkpoints):
    return EGSCITInferencer(checkpoints / 'egscit_quickstart.py', str(checkpoints / 'egscit.pth'))


def picture(height, width, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (height, width, 3), np.uint8)


def test_same_result_alone_and_in_a_batch(inferencer):
    contents = [picture(16, 20, seed) for seed in range(3)] + [picture(9, 31)]
    exemplars = [picture(16, 16, seed) for seed in range(3, 7)]
    together = inferencer(contents, exemplars)
    alone = [inferencer([c], [e])[0] for c, e in zip(contents, exemplars)]
    for one, other, content in zip(together, alone, contents):
        assert one.shape == content.shape and one.dtype == np.uint8
        # Rounding to integers may differ by one where batched convolutions sum in another order.
        assert np.abs(one.astype(int) - other).max() <= 1
    assert not np.array_equal(together[0], together[1])


def test_one_exemplar_for_all(inferencer):
    contents, exemplar = [picture(16, 16, 1), picture(16, 16, 2)], picture(20, 24)
    results = inferencer(contents, [exemplar])
    for content, result in zip(contents, results):
        assert np.abs(inferencer([content], [exemplar])[0].astype(int) - result).max() <= 1


def test_exemplar_and_direction_matter(inferencer):
    content = [picture(16, 16)]
    results = [
        inferencer(content, [picture(16, 16, 1)])[0],
        inferencer(content, [picture(16, 16, 2)])[0],
        inferencer(content, [picture(16, 16, 1)], target_domain='A')[0]
    ]
    assert not np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_equals_the_model(inferencer):
    content, exemplar = picture(16, 16, 1), picture(16, 16, 2)

    def tensor(image):
        return torch.tensor(image).permute(2, 0, 1)[None].float() / 127.5 - 1

    with torch.no_grad():
        wanted = inferencer.model(
            tensor(content), test_mode=True, target_domain='B', exemplar=tensor(exemplar))
    wanted = ((wanted['target'][0].permute(1, 2, 0) + 1) * 127.5).round().byte().numpy()
    assert np.array_equal(inferencer([content], [exemplar])[0], wanted)


def test_needs_neither_stage1_nor_vgg(inferencer):
    assert inferencer.model.perceptual_loss is None and inferencer.model.discriminators is None


def test_errors(inferencer, checkpoints, tmp_path):
    with pytest.raises(ValueError, match='got 2 exemplars for 3 contents'):
        inferencer([picture(8, 8)] * 3, [picture(8, 8)] * 2)
    with pytest.raises(ValueError, match='RGB, uint8'):
        inferencer([picture(8, 8).astype(float)], [picture(8, 8)])
    with pytest.raises(ValueError, match="Unknown domain 'C'"):
        inferencer([picture(8, 8)], [picture(8, 8)], target_domain='C')
    (tmp_path / 'a.png').write_bytes(b'')
    with pytest.raises(ValueError, match='a.png is not a readable image'):
        inferencer([tmp_path / 'a.png'], [picture(8, 8)])
    config, checkpoint = checkpoints / 'egscit_quickstart.py', str(checkpoints / 'egscit.pth')
    with pytest.raises(FileNotFoundError, match='none.pth'):
        EGSCITInferencer(config, 'none.pth')
    with pytest.raises(ValueError, match='needs a config with an EGSCIT model'):
        EGSCITInferencer(checkpoints / 'vaegan_quickstart.py', checkpoint)
    with pytest.raises(ValueError, match='not one of this EGSCIT'):
        EGSCITInferencer(config, str(checkpoints / 'vaegan.pth'))


def test_load_image_modes(tmp_path):
    grey = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    rgba = Image.new('RGBA', (5, 7), (10, 20, 30, 128))
    upright = Image.fromarray(picture(6, 9))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    grey.save(tmp_path / 'grey.png')
    rgba.save(tmp_path / 'rgba.png')
    upright.save(tmp_path / 'turned.png', exif=exif)
    assert np.array_equal(np.array(load_image(tmp_path / 'grey.png'))[..., 1], np.array(grey))
    assert load_image(tmp_path / 'rgba.png').getpixel((0, 0)) == (10, 20, 30)
    assert load_image(tmp_path / 'turned.png').size == (6, 9)


@pytest.fixture
def translate(checkpoints, monkeypatch):
    path = REPOSITORY / 'tools' / 'translate.py'
    spec = importlib.util.spec_from_file_location('translate_tool', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(*args):
        monkeypatch.setattr(sys, 'argv', [
            'translate.py', str(checkpoints / 'egscit_quickstart.py'),
            str(checkpoints / 'egscit.pth'), *map(str, args)
        ])
        module.main()

    return run


def test_translate_folders(translate, inferencer, tmp_path):
    names = ['a.png', 'sub/b.png', 'sub/c.png']
    contents = {name: picture(12, 14, seed) for seed, name in enumerate(names)}
    exemplars = {name: picture(12, 12, 10 + seed) for seed, name in enumerate(['x.png', 'y.png'])}
    for folder, images in (('content', contents), ('exemplar', exemplars)):
        for name, image in images.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    out = tmp_path / 'out'
    translate('--content', tmp_path / 'content', '--exemplar', tmp_path / 'exemplar', '--out', out,
              '--batch-size', 2)
    assert sorted(str(p.relative_to(out)) for p in out.rglob('*') if p.is_file()) == names
    for name, exemplar in zip(names, ['x.png', 'y.png', 'x.png']):
        wanted = inferencer([contents[name]], [exemplars[exemplar]])[0]
        assert np.abs(np.array(Image.open(out / name)).astype(int) - wanted).max() <= 1


def test_translate_draws_exemplars_at_random(translate, inferencer, tmp_path):
    """Reproducibly, by the seed, and into files of the contents' names."""
    for folder, count in (('content', 6), ('exemplar', 3)):
        (tmp_path / folder).mkdir()
        for index in range(count):
            Image.fromarray(picture(8, 8, seed=index)).save(tmp_path / folder / f'{index}.png')
    exemplars = [picture(8, 8, seed=index) for index in range(3)]
    drawn = {}
    for name, seed in (('first', 1), ('again', 1), ('other', 2)):
        translate('--content', tmp_path / 'content', '--exemplar', tmp_path / 'exemplar', '--out',
                  tmp_path / name, '--pairing', 'random', '--seed', seed)
        drawn[name] = []
        for index in range(6):
            result = np.array(Image.open(tmp_path / name / f'{index}.png')).astype(int)
            wanted = inferencer([picture(8, 8, seed=index)] * 3, exemplars)
            # Batches differ from single images by a rounding; exemplars by far more.
            distances = [np.abs(result - image).max() for image in wanted]
            assert min(distances) <= 1 < sorted(distances)[1]
            drawn[name].append(int(np.argmin(distances)))
    assert drawn['first'] == drawn['again'] != drawn['other']
    assert drawn['first'] != [0, 1, 2, 0, 1, 2] and len(set(drawn['first'])) > 1


def test_translate_goes_on_past_unreadable_files(translate, tmp_path):
    folder = tmp_path / 'content'
    folder.mkdir()
    Image.fromarray(picture(8, 8)).save(folder / 'good.png')
    (folder / 'broken.png').write_bytes((folder / 'good.png').read_bytes()[:60])
    with pytest.raises(SystemExit, match=r'1 not translated:\n.*broken.png'):
        translate('--content', folder, '--exemplar', folder / 'good.png', '--out', tmp_path / 'out')
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['good.png']


@pytest.mark.parametrize('missing', ['--content', '--exemplar'])
def test_translate_names_what_is_missing(translate, tmp_path, missing):
    Image.fromarray(picture(8, 8)).save(tmp_path / 'a.png')
    (tmp_path / 'empty').mkdir()
    paths = {'--content': tmp_path / 'a.png', '--exemplar': tmp_path / 'a.png'}
    for path, message in ((tmp_path / 'none', 'does not exist'),
                          (tmp_path / 'empty', 'holds no images')):
        paths[missing] = path
        with pytest.raises(SystemExit, match=message):
            translate(*[x for pair in paths.items() for x in pair], '--out', tmp_path / 'out')
