# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""docs/own_folders.md can be followed: its configs and commands, on tiny pictures."""
import json
import re
import shlex
import shutil
from pathlib import Path

import cv2
import pytest
import torch
from mmagic.registry import DATASETS, MODELS
from mmengine.config import Config
from tiny_data import picture, tiny_model_options
from tool import Tool

from egscit_mm.config import check_config, read_config

REPOSITORY = Path(__file__).parents[1]
TEXT = (REPOSITORY / 'docs' / 'own_folders.md').read_text()
CONFIGS = dict(re.findall(r'^`(mine/\w+\.py)`[^\n]*\n\n```python\n(.*?)^```', TEXT,
                          flags=re.MULTILINE | re.DOTALL))
SECTIONS = dict(re.findall(r'^## (.+?)\n(.*?)(?=^## |\Z)', TEXT, flags=re.MULTILINE | re.DOTALL))


def write_configs(folder):
    for name, content in CONFIGS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)


def narrow(path):
    """Makes a config of the page train in seconds."""
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(tiny_model_options(path.stem.split('_')[0]))
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if cfg.get(name):
            cfg[name].update(num_workers=0, persistent_workers=False)
    cfg.train_dataloader.batch_size //= 4
    cfg.train_cfg.update(max_iters=2, val_interval=2)
    cfg.dump(path)


def run_commands(section):
    """Runs the commands of a section as they are written, but for size and number of iterations."""
    block = re.search(r'```bash\n(.*?)```', SECTIONS[section], flags=re.DOTALL)[1]
    for line in block.replace('\\\n', ' ').strip().splitlines():
        python, script, *arguments = shlex.split(
            line.replace('iter_30000', 'iter_2').replace('--size 128 128', '--size 24 32'))
        assert python == 'python'
        Tool(script.removeprefix('tools/'))(*arguments)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Where the commands of the page have been run, up to those that translate."""
    folder = tmp_path_factory.mktemp('own')
    for domain, season in enumerate(['summer', 'winter']):
        for index in range(40):
            path = folder / 'photos' / season / f'{index}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), picture(24, 32, index + 100 * domain))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_commands('1. Cut and resize')
        write_configs(folder)
        for name in CONFIGS:
            narrow(folder / name)
        run_commands('3. Train')
        run_commands('5. Measure')
        run_commands('6. Translate')
    return folder


def test_it_is_trained_in_two_stages(folder):
    assert (folder / 'work_dirs' / 'vaegan_mine' / 'iter_2.pth').is_file()
    pictures = {path.name for path in folder.glob('work_dirs/egscit_mine/*/vis_data/vis_image/*')}
    assert {'translation_A2B_2.png', 'translation_B2A_2.png'} <= pictures


def test_the_held_out_pictures_are_measured(folder):
    assert len(list(folder.glob('data/mine/testA/*'))) == 4  # the least that the page asks for
    figures = json.loads((folder / 'work_dirs' / 'egscit_mine' / 'metrics.json').read_text())
    named = re.findall(r'^\| `(\w+)` \|', SECTIONS['5. Measure'], flags=re.MULTILINE)
    assert len(named) == 3
    for name in [*named, 'diversity_of_exemplars']:
        for direction in ('A2B', 'B2A'):
            assert -1 <= figures[f'{name}/{direction}']['mean'] <= 255
    assert (folder / 'work_dirs' / 'egscit_mine' / 'report' / 'report.html').is_file()


def test_a_report_without_test_set_names_the_page(folder):
    with pytest.raises(SystemExit, match='vaegan_mine.py has no test set .*docs/own_folders.md'):
        Tool('report.py')(folder / 'mine' / 'vaegan_mine.py', 'none', '--out', folder / 'report')


def test_every_test_picture_is_translated(folder):
    for out, domain in (('translated', 'A'), ('translated_A', 'B')):
        names = {path.name for path in folder.glob(f'data/mine/test{domain}/*.png')}
        assert names and names == {path.name for path in folder.glob(f'{out}/*.png')}


def test_the_configs_as_they_are_pass_the_checks(tmp_path):
    write_configs(tmp_path)
    for name, purposes in (('vaegan', ['train']), ('egscit', ['train', 'test', 'inference'])):
        cfg = read_config(tmp_path / 'mine' / f'{name}_mine.py')
        for purpose in purposes:
            check_config(cfg, purpose)


def test_three_domains(tmp_path):
    section = SECTIONS['Three domains or more']
    source, line, base, local, own = (re.search(pattern, section)[1] for pattern in (
        r'Copy `(.+?)`', r'`(_domains = .+?)`', r"`'(egscit_mm::.+?)'`", r"`'(exemplar\.py)'`",
        r'(?s)```python\n(.*?)```'))
    write_configs(tmp_path)
    shutil.copy(REPOSITORY / source, tmp_path / 'mine' / local)
    content = (tmp_path / 'mine' / local).read_text()
    (tmp_path / 'mine' / local).write_text(content.replace("_domains = ['A', 'B']", line))
    for phase in ('train', 'test'):
        for index, domain in enumerate('ABC'):
            path = tmp_path / 'data' / f'{phase}{domain}' / '0.png'
            path.parent.mkdir(parents=True)
            cv2.imwrite(str(path), picture(32, 32, index))
    for path in (tmp_path / name for name in CONFIGS):
        text = path.read_text()
        dataset = "_dataset = dict(data_root='data/mine')\n"
        assert base in text and dataset in text
        path.write_text(text.replace(base, local).replace(dataset, own))
        cfg = read_config(path)
        check_config(cfg, 'train')
        cfg.merge_from_dict(tiny_model_options(path.stem.split('_')[0]))
        model = MODELS.build(cfg.model)
        for name in ('train_dataloader', 'test_dataloader'):
            if cfg.get(name):
                settings = cfg[name].dataset
                assert settings.data_root == 'data/mine'
                settings.data_root = str(tmp_path / 'data')
                images = DATASETS.build(settings)[0]['inputs']
                assert set(images) == {'img_A', 'img_B', 'img_C'}
        batch = {key: torch.stack([image]) for key, image in images.items()}
        inputs = model.data_preprocessor(dict(inputs=batch, data_samples=[]))['inputs']
        assert list(model.images_by_domain(inputs)) == ['A', 'B', 'C']
