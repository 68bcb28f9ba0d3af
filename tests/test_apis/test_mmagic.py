# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""A trained model inside MMagic: its init_model, its tools/test.py, its inferencers."""
import sys
from pathlib import Path
from types import SimpleNamespace

import mmagic
import numpy as np
import pytest
import torch
from mmagic.apis import init_model
from mmagic.apis.inferencers.translation_inferencer import TranslationInferencer
from mmengine.config import Config
from mmengine.fileio import load
from PIL import Image
from tiny_data import picture, tiny_options, write_tiny_digits
from tiny_models import tiny_vaegan

from egscit_mm import run
from egscit_mm.engine import TranslationGridHook


@pytest.fixture
def files(checkpoints):
    return str(checkpoints / 'egscit_quickstart.py'), str(checkpoints / 'egscit.pth')


def test_init_model(files, inferencer, monkeypatch):
    """It needs neither the stage-1 file nor VGG weights, which are not here."""
    model = init_model(*files, device='cpu')
    assert not model.training
    content, exemplar = picture(16, 16, 1), picture(16, 16, 2)
    tensors = [torch.tensor(image).permute(2, 0, 1)[None].float() / 127.5 - 1
               for image in (content, exemplar)]
    with torch.no_grad():
        result = model.translation(tensors[0], 'B', tensors[1])[0]
    result = ((result.clamp(-1, 1).permute(1, 2, 0) + 1) * 127.5).round().byte().numpy()
    assert np.array_equal(result, inferencer(content, exemplar))


def test_mmagics_test_script(files, tmp_path, monkeypatch):
    script = Path(mmagic.__file__).parent / '.mim' / 'tools' / 'test.py'
    if not script.is_file():
        pytest.skip('MMagic was installed without its tools')
    write_tiny_digits(tmp_path / 'data')
    cfg = Config.fromfile(files[0])
    cfg.merge_from_dict(tiny_options(tmp_path / 'data'))
    cfg.dump(tmp_path / 'config.py')
    monkeypatch.setattr(sys, 'argv', sys.argv)
    monkeypatch.setattr(sys, 'path', list(sys.path))
    run.main([str(script), str(tmp_path / 'config.py'), files[1], '--work-dir',
              str(tmp_path / 'work')])
    (figures, ) = (tmp_path / 'work').glob('*/*.json')
    assert 'ssim_ground_truth/A2B_mean' in load(figures)


def test_inferencer_without_exemplar_names_ours(files, tmp_path):
    inferencer = TranslationInferencer(config=files[0], ckpt=files[1], device='cpu')
    Image.fromarray(picture(28, 28)).save(tmp_path / 'a.png')
    with pytest.raises(ValueError, match='use egscit_mm.apis.EGSCITInferencer'):
        inferencer(img=str(tmp_path / 'a.png'))


def test_pictures_of_a_model_of_mmagic_are_refused_at_the_start():
    """Not with an AttributeError at the first picture, a thousand iterations later."""
    hook = TranslationGridHook()
    hook.before_train(SimpleNamespace(model=tiny_vaegan()))
    with pytest.raises(ValueError, match='TranslationGridHook .* Linear is none: .*custom_hooks'):
        hook.before_train(SimpleNamespace(model=torch.nn.Linear(1, 1)))
