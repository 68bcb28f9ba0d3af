# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Mixed, weaker and regional styles of files by tools/translate.py."""
import numpy as np
import pytest
from inference_fixtures import checkpoints, inferencer
from PIL import Image
from tiny_data import picture
from tool import TOOLS, Tool

from egscit_mm.apis import EGSCITInferencer
from egscit_mm.utils.errors import UserError

__all__ = ['checkpoints', 'inferencer']


@pytest.fixture
def files(tmp_path):
    """Two contents and two exemplars."""
    for folder, seeds in (('content', (1, 2)), ('exemplar', (3, 4))):
        (tmp_path / folder).mkdir()
        for seed in seeds:
            Image.fromarray(picture(12, 20, seed)).save(tmp_path / folder / f'{seed}.png')
    return tmp_path


@pytest.fixture
def translate(checkpoints, files):
    tool = Tool('translate.py')
    model = checkpoints / 'egscit_quickstart.py', checkpoints / 'egscit.pth'

    def run(*args, out='out', exemplar='exemplar'):
        assert tool.module.__file__ == str(TOOLS / 'translate.py')
        tool(*model, '--content', files / 'content', '--exemplar', files / exemplar, '--out',
             files / out, *args)
        return [np.array(Image.open(files / out / f'{seed}.png')).astype(int) for seed in (1, 2)]

    return run


def near(results, wanted):
    return all(np.abs(one - other).max() <= 1 for one, other in zip(results, wanted, strict=True))


def test_mixture(translate, inferencer, files):
    contents = [picture(12, 20, seed) for seed in (1, 2)]
    style = inferencer.style([picture(12, 20, 3), picture(12, 20, 4)], [3, 1])
    assert near(translate('--exemplar-weights', 3, 1),
                inferencer.translate_to_style(contents, style))
    # Other weights in the same folder: made anew.
    assert near(translate('--exemplar-weights', 0, 1), inferencer(contents, picture(12, 20, 4)))
    with pytest.raises(UserError, match='3 weights for 2 exemplars'):
        translate('--exemplar-weights', 1, 1, 1)


def test_strength(translate, inferencer, checkpoints, files, capsys):
    plain = translate()
    with pytest.raises(UserError, match='--mean-of DIR'):
        translate('--strength', 0.5, out='weak')
    assert not (files / 'weak').exists()
    weak = translate('--strength', 0.5, '--mean-of', files / 'exemplar', out='weak')
    assert not near(weak, plain)
    model = EGSCITInferencer(checkpoints / 'egscit_quickstart.py', checkpoints / 'egscit.pth')
    model.keep_mean_style([picture(12, 20, 3), picture(12, 20, 4)])
    contents = [picture(12, 20, seed) for seed in (1, 2)]
    assert near(weak, model(contents, [picture(12, 20, 3), picture(12, 20, 4)], strength=0.5))
    capsys.readouterr()
    # Another strength is another picture.
    assert near(translate('--strength', 0, '--mean-of', files / 'exemplar', out='weak'),
                model(contents, picture(12, 20, 3), strength=0))
    assert 'are made anew' in capsys.readouterr().out
    translate('--strength', 0.5, '--mean-of', files / 'exemplar', '--pairing', 'each',
              '--exemplar-weights', 1, 0, out='both')


def save_labels(folder, *names, size=(12, 20), right=1):
    folder.mkdir(exist_ok=True)
    labels = np.zeros(size, np.uint8)
    labels[:, size[1] // 2:] = right
    for name in names:
        Image.fromarray(labels).save(folder / name)
    return labels


def test_regions(translate, inferencer, files):
    labels = save_labels(files / 'labels', '1.png', '2.png', right=9)
    styles = {0: inferencer.style(picture(12, 20, 3)), 9: inferencer.style(picture(12, 20, 4))}
    contents = [picture(12, 20, seed) for seed in (1, 2)]
    wanted = inferencer.translate_to_style(contents, styles, regions=[labels] * 2, blend=2)
    results = translate('--regions', files / 'labels', '--region-labels', 0, 9, '--blend', 2)
    assert near(results, wanted)
    # Other label maps are another picture.
    save_labels(files / 'labels', '1.png', '2.png', right=0)
    results = translate('--regions', files / 'labels', '--region-labels', 0, 9, '--blend', 2)
    assert near(results, inferencer(contents, picture(12, 20, 3)))


def test_label_maps_that_do_not_fit(translate, files, capsys):
    save_labels(files / 'labels', '1.png', right=9)
    with pytest.raises(UserError, match='nowhere is no folder of label maps'):
        translate('--regions', files / 'nowhere')
    with pytest.raises(UserError, match='2.png does not exist, the label map of the content 2.png'):
        translate('--regions', files / 'labels')
    with pytest.raises(UserError, match=r'got \[1, 1\] for 2 exemplars'):
        translate('--regions', files / 'labels', '--region-labels', 1, 1)
    assert not (files / 'out').exists()
    # Of the maps themselves, one by one: the other content is translated.
    save_labels(files / 'labels', '2.png')
    with pytest.raises(FileNotFoundError):
        translate('--regions', files / 'labels')
    message = capsys.readouterr().err
    assert '1 not translated' in message and r'1.png: a label map has the labels [9]' in message
    assert (files / 'out' / '2.png').exists()
    save_labels(files / 'labels', '1.png', size=(12, 21))
    with pytest.raises(FileNotFoundError):
        translate('--regions', files / 'labels')
    assert 'has 21 x 12 pixels, its content 20 x 12' in capsys.readouterr().err


@pytest.mark.parametrize('args, message', [
    (('--mean-of', 'x'), 'needs a --strength'),
    (('--regions', 'x', '--exemplar-weights', '1'), 'not allowed with'),
    (('--regions', 'x', '--html'), 'do not go with'),
    (('--exemplar-weights', '1', '--pairing', 'all'), 'do not go with'),
    (('--blend', '3'), 'need --regions'),
    (('--seed', '0'), 'needs --pairing random'),
    (('--seed', '3', '--pairing', 'all'), 'needs --pairing random'),
])
def test_options_that_do_not_go_together(translate, args, message, capsys):
    with pytest.raises(SystemExit):
        translate(*args)
    assert message in capsys.readouterr().err
