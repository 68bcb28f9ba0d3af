# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import json
import multiprocessing
import os
import runpy
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from forked import fork_scripts
from html_page import Page
from mmengine.config import Config
from mmengine.fileio import dump
from tiny_data import tiny_model_options, tiny_options, write_tiny_digits
from tiny_models import SEGMENTER
from tool import Tool

from egscit_mm.apis import experiment, training_sets
from egscit_mm.utils import commands
from egscit_mm.utils.errors import UserError
from egscit_mm.utils.images import read_image

REPOSITORY = Path(__file__).parents[2]
CONFIGS = REPOSITORY / 'configs' / 'egscit'


@pytest.fixture
def reproduce():
    return Tool('reproduce.py')


def write_tiny_config(source, out, data_root, iters):
    """A flat copy of a config with a tiny model."""
    cfg = Config.fromfile(CONFIGS / source)
    options = {**tiny_model_options(out.name.split('_')[0]), **tiny_options(data_root, iters)}
    if cfg.model.get('perceptual_loss') is None:
        options = {key: value for key, value in options.items() if 'perceptual' not in key}
    if cfg.get('test_dataloader') is None:
        options = {key: value for key, value in options.items() if not key.startswith('test')}
    cfg.merge_from_dict(options)
    out.parent.mkdir(parents=True, exist_ok=True)
    cfg.dump(out)


def run_here(command):
    """Runs a tool in this process, which need not import torch again."""
    argv, sys.argv = sys.argv, command[1:]
    try:
        runpy.run_path(str(command[1]), run_name='__main__')
    except SystemExit as exit_:
        assert not exit_.code, exit_.code
    finally:
        sys.argv = argv


def wait_until(happens, seconds=100):
    end = time.time() + seconds
    while not happens():
        assert time.time() < end, 'nothing happened'
        time.sleep(0.02)


def is_running(pid):
    """Whether a process exists and is not only waiting for its parent to look at its end."""
    status = Path(f'/proc/{pid}/stat')
    try:
        return status.read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_two_rows_end_to_end(reproduce, tmp_path, monkeypatch, capsys):
    """Killed in the middle of a training, the tool goes on there; what is done stays."""
    work_dir, configs = tmp_path / 'work', tmp_path / 'configs'
    data = write_tiny_digits(work_dir / 'data')
    # The data are there.
    monkeypatch.setattr(reproduce.module.Reproduction, 'prepare', lambda self: None)
    for name in ('unit_mnist_single', 'egscit_mnist_single_wo_perceptual'):
        # Enough iterations to be killed among them.
        iters = 60 if name == 'unit_mnist_single' else 2
        write_tiny_config(f'{name}_reduced.py', configs / f'{name}_reduced.py', data, iters)
    write_tiny_config('vaegan_quickstart.py', configs / 'vaegan_quickstart.py', data, 2)
    arguments = ['--table', 2, '--budget', 'quick', '--configs', configs, '--work-dir', work_dir]

    run_logged = commands.run_logged
    fork_scripts(monkeypatch, commands)
    monkeypatch.setattr(
        commands, 'run_logged', lambda command, *args:
        run_logged(command, *args) if 'train.py' in command[1] else run_here(command))
    tool = multiprocessing.get_context('fork').Process(
        target=reproduce, args=(*arguments, '--rows', 'unit'))
    tool.start()
    unit = work_dir / 'seed0' / 'unit'
    wait_until(lambda: (unit / 'last_checkpoint').is_file())
    children = Path(f'/proc/{tool.pid}/task/{tool.pid}/children').read_text().split()
    tool.kill()
    tool.join()
    assert len(children) == 1 and not (unit / 'iter_60.pth').exists()
    wait_until(lambda: not is_running(children[0]))  # else it would train on beside the next one

    reproduce(*arguments, '--rows', 'unit')
    log = (unit / 'train.log').read_text()
    assert log.count('tools/train.py') == 2 and 'resumed epoch: 0, iter: ' in log
    assert 'Iter(train) [60/60]' in log
    figures = json.loads((unit / 'metrics.json').read_text())
    page = Page((work_dir / 'table2.html').read_text(encoding='utf-8'))
    assert len(page.all('img')) == 2 * 4  # content, exemplar, UNIT, ground truth

    ran = []

    def run_and_note(command, *args):
        ran.append(command)
        run_here(command)

    monkeypatch.setattr(commands, 'run_logged', run_and_note)
    capsys.readouterr()
    reproduce(*arguments, '--rows', 'unit', 'egscit_wo_perceptual')
    assert [(Path(command[1]).name, Path(command[2]).stem) for command in ran] == [
        ('train.py', 'vaegan_quickstart'),
        ('train.py', 'egscit_mnist_single_wo_perceptual_reduced'),
        ('test.py', 'egscit_mnist_single_wo_perceptual_reduced')]

    result = json.loads((work_dir / 'table2.json').read_text())
    assert (result['table'], result['budget'], result['std_over']) == (2, 'quick', 'images')
    assert len(result['rows']) == 8 + 3  # the perfect translation, and the yardsticks
    assert result['rows']['copy the exemplar']['ours']['ssim_exemplar/A2B']['mean'] == 1
    assert result['rows']['UNIT']['seeds'] == {'0': figures}
    egscit = result['rows']['EGSC-IT without perceptual loss']
    assert egscit['ours']['ssim_exemplar/A2B'] == json.loads(
        (work_dir / 'seed0/egscit_wo_perceptual/metrics.json').read_text())['ssim_exemplar/A2B']
    assert result['rows']['EGSC-IT']['ours'] == {}
    markdown = (work_dir / 'table2.md').read_text(encoding='utf-8')
    mean, std = figures['ssim_exemplar/A2B'].values()
    assert f'| UNIT | {mean:.3f} ± {std:.3f} | 0.178 ± 0.160 |' in markdown
    assert markdown in capsys.readouterr().out
    page = Page((work_dir / 'table2.html').read_text(encoding='utf-8'))
    assert len(page.all('img')) == 2 * 5
    # Stage 1 in its own folder, for all rows of the seed.
    assert (work_dir / 'seed0' / 'stage1' / 'iter_2.pth').is_file()


# ---------------------------------------------------------------------- all rows, nothing trained
@pytest.fixture
def pretend(reproduce, monkeypatch, tmp_path):
    """Runs the tool, but its commands only leave the files of a finished one; returns them."""
    monkeypatch.setattr(experiment, 'is_intact', Path.is_file)  # checkpoints have no weights

    def run(*args):
        ran = []

        def finish(command, log, title):
            ran.append(command)
            options = {key: value for key, _, value in (word.partition('=') for word in command)}
            if 'train.py' in command[1]:
                iters = Config.fromfile(command[2]).train_cfg.max_iters
                (log.parent / f'iter_{iters}.pth').touch()
            elif 'yardsticks.py' in command[1]:
                dump({}, command[command.index('--out') + 1])
            elif 'test.py' in command[1]:
                seed = int(options['randomness.seed'])
                names = [f'{name}/{direction}'
                         for name in ('ssim_exemplar', 'ceiling_exemplar', 'ssim_ground_truth',
                                      'style_accuracy', 'content_accuracy')
                         for direction in ('A2B', 'B2A')]
                figures = {name: dict(mean=0.1 + seed / 10, std=0.02) for name in names}
                dump(dict(figures, mIoU=31.4), command[command.index('--out') + 1])
            else:  # translate.py copies
                out = Path(command[command.index('--out') + 1])
                contents = Path(command[command.index('--content') + 1])
                out.mkdir(parents=True, exist_ok=True)
                for path in contents.iterdir():
                    (out / path.name).write_bytes(path.read_bytes())

        def prepared(command):
            ran.append(command)
            if 'streets.py' in command[1]:
                data = Path(command[command.index('--out') + 1])
                if not data.exists():
                    write_tiny_digits(data)
            return type('Finished', (), dict(returncode=0))

        grid = {name: torch.zeros(1, 3, 28, 28) for name in ('content', 'translation')}
        module = reproduce.module
        monkeypatch.setattr(commands, 'run_logged', finish)
        monkeypatch.setattr(module.subprocess, 'run', prepared)
        monkeypatch.setattr(module, 'check_vgg16', lambda path: None)  # its bytes are no weights
        monkeypatch.setattr(experiment, 'load_model', lambda cfg, checkpoint: None)
        monkeypatch.setattr(experiment, 'first_test_samples', lambda cfg, number: [])
        monkeypatch.setattr(experiment, 'translated_rows', lambda model, samples: {'A2B': grid})
        reproduce('--configs', CONFIGS, '--work-dir', tmp_path / 'work', *args)
        return ran

    run.module = reproduce.module
    return run


def summary(commands):
    """Tool and first argument, without folders."""
    return [f'{Path(command[1]).stem} {Path(command[2]).stem}' for command in commands]


@pytest.mark.parametrize('budget, suffix, stage1', [('quick', '_reduced', 'vaegan_quickstart'),
                                                    ('paper', '', 'vaegan_mnist_single')])
def test_all_rows_of_table_2_share_data_features_and_stage_1(pretend, tmp_path, budget, suffix,
                                                             stage1):
    commands = pretend('--table', 2, '--budget', budget, '--mnist', tmp_path, '--amp')
    rows = ['cyclegan_mnist_single', 'unit_mnist_single', 'munit_mnist_single',
            'egscit_mnist_single_wo_mask', 'egscit_mnist_single_wo_adain',
            'egscit_mnist_single_wo_perceptual', 'egscit_mnist_single']
    expected = [f'{name} {row}{suffix}' for row in rows for name in ('train', 'test')]
    expected.insert(6, f'train {stage1}')
    preparation = ['mnist --task', 'train_digit_features --data'][:2 if budget == 'quick' else 1]
    preparation.append(f'yardsticks cyclegan_mnist_single{suffix}')
    assert summary(commands) == preparation + expected
    trainings = [command for command in commands if command[1].endswith('train.py')]
    for command in trainings:
        assert {'--resume', '--amp', 'randomness.seed=0',
                f'train_dataloader.dataset.data_root={tmp_path}/work/data'} <= set(command)
    shared = f'model.feature_checkpoint={tmp_path}/work/seed0/stage1/iter_'
    features = f'model.perceptual_loss.pretrained={tmp_path}/work/digit_features.pth'
    for command in trainings:
        name = Path(command[2]).stem
        assert any(word.startswith(shared) for word in command) == name.startswith('egscit')
        assert (features in command) == (budget == 'quick' and name.startswith('egscit')
                                         and 'wo_perceptual' not in name)
    assert commands[0][-6:-2] == ['--root', str(tmp_path), '--num-train', '8000'] or (
        budget == 'paper' and '--num-train' not in commands[0])


def test_table_5_learns_its_features_from_single_digits(pretend, tmp_path):
    commands = pretend('--table', 5, '--budget', 'quick', '--rows', 'egscit', 'munit')
    assert summary(commands) == [
        'mnist --task', 'mnist --task', 'train_digit_features --data',
        'yardsticks munit_mnist_multi_reduced',
        'train munit_mnist_multi_reduced', 'test munit_mnist_multi_reduced',
        'train vaegan_mnist_multi_reduced', 'train egscit_mnist_multi_reduced',
        'test egscit_mnist_multi_reduced']
    assert [command[3] for command in commands[:2]] == ['multiple', 'single']
    assert commands[2][3] == commands[1][-1] == f'{tmp_path}/work/single_digits'
    assert commands[0][4:6] == ['--source', 'digits']


def test_table_1_measures_what_the_paper_says_in_words(pretend, tmp_path):
    rows = ['cyclegan', 'unit', 'munit', 'drit', 'augmented_cyclegan', 'cddit', 'egscit']
    configs = tmp_path / 'configs'
    configs.mkdir()
    for name in ('vaegan_quickstart', *(f'{row}_mnist_single_reduced' for row in rows)):
        path = CONFIGS / f'{name}.py'
        Config.fromfile(path if path.is_file() else CONFIGS / 'munit_mnist_single_reduced.py').dump(
            configs / f'{name}.py')
    commands = pretend('--table', 1, '--budget', 'quick', '--configs', configs)
    assert '--pairs' in commands[0]
    expected = [f'{tool} {row}_mnist_single_reduced' for row in rows for tool in ('train', 'test')]
    expected.insert(-2, 'train vaegan_quickstart')
    assert summary(commands)[-len(expected):] == expected
    for command in (command for command in commands if command[1].endswith('/test.py')):
        metrics = [metric.type for metric in Config.fromfile(command[2]).test_evaluator.metrics]
        assert metrics[-1] == 'ExemplarDiversity' and metrics.count('ExemplarDiversity') == 1
    assert list(json.loads((tmp_path / 'work' / 'table1.json').read_text())['rows'])[:7] == [
        'CycleGAN', 'UNIT', 'MUNIT', 'DRIT', 'Augmented CycleGAN', 'CDD-IT (trained on pairs)',
        'EGSC-IT']
    markdown = (tmp_path / 'work' / 'table1.md').read_text('utf-8')
    assert '| method | diversity A→B |' in markdown and '| DRIT | – | – | 0.100 |' in markdown


def test_table_4_trains_the_methods_of_style_transfer_that_can_be(pretend, tmp_path):
    vgg = tmp_path / 'vgg.pth'
    vgg.touch()
    commands = pretend('--table', 4, '--budget', 'quick', '--vgg16', vgg, '--seeds', 0, 1)
    style = ['adain_style', 'wct']
    others = ['cyclegan', 'unit', 'munit', 'egscit']
    expected = []
    for seed in (0, 1):
        expected += ['test neural_style_mnist_single_reduced'] * (seed == 0)  # nothing is random
        expected += [f'{tool} {name}_mnist_single_reduced' for name in style + others
                     for tool in ('train', 'test')]
        expected.insert(-2, 'train vaegan_quickstart')
    assert summary(commands) == [
        'mnist --task', 'train_digit_features --data',
        'yardsticks neural_style_mnist_single_reduced', *expected]
    option = f'model.generator.pretrained={vgg}'
    for command in commands[3:]:
        name = Path(command[2]).stem
        assert (option in command) == name.startswith(('neural', 'adain', 'wct')), name
        assert ('none' in command) == name.startswith('neural')
    rows = json.loads((tmp_path / 'work' / 'table4.json').read_text())['rows']
    assert list(rows)[:7] == ['neural style transfer', 'AdaIN', 'WCT', 'CycleGAN', 'UNIT', 'MUNIT',
                              'EGSC-IT']
    assert rows['AdaIN']['paper']['ssim_exemplar/A2B'] == dict(mean=0.282, std=0.103)
    assert list(rows['neural style transfer']['seeds']) == ['0']
    # In the folder of table 2 nothing is trained again that is there.
    again = summary(pretend('--table', 2, '--budget', 'quick', '--rows', 'unit'))
    assert not [word for word in again if word.startswith(('train', 'test'))]
    # Other weights of the VGG: what they made is made anew.
    vgg.write_bytes(b'others')
    assert 'test neural_style_mnist_single_reduced' in summary(pretend(
        '--table', 4, '--budget', 'quick', '--vgg16', vgg, '--rows', 'neural_style'))


def test_rows_that_need_no_vgg_are_made_without_one(pretend, tmp_path):
    commands = pretend('--table', 4, '--budget', 'quick', '--vgg16', tmp_path / 'nowhere',
                       '--rows', 'unit')
    assert summary(commands)[-2:] == [
        'train unit_mnist_single_reduced', 'test unit_mnist_single_reduced']


def test_seeds(pretend, tmp_path):
    commands = pretend('--table', 2, '--budget', 'quick', '--rows', 'unit', '--seeds', 1, 3)
    assert summary(commands[-4:]) == [
        'train unit_mnist_single_reduced', 'test unit_mnist_single_reduced'] * 2
    row = json.loads((tmp_path / 'work' / 'table2.json').read_text())['rows']['UNIT']
    assert list(row['seeds']) == ['1', '3']
    # 0.2 and 0.4: sample standard deviation 0.2 / sqrt(2).
    assert row['ours']['ssim_exemplar/A2B'] == pytest.approx(dict(mean=0.3, std=0.141421), abs=1e-6)
    assert '| UNIT | 0.300 ± 0.141 |' in (tmp_path / 'work' / 'table2.md').read_text('utf-8')
    assert pretend('--table', 2, '--budget', 'quick', '--rows', 'unit', '--seeds', 1,
                   3) == commands[:1]  # only the data are looked at


def test_table_3_follows_the_guide(pretend, tmp_path):
    data = write_tiny_digits(tmp_path / 'gta2bdd')
    commands = pretend('--table', 3, '--budget', 'paper', '--data', data)
    methods = [[f'train {name}_gta2bdd', f'translate {name}_gta2bdd'] for name in
               ('unit', 'munit', 'egscit')]
    methods[2].insert(0, 'train vaegan_gta2bdd')
    segmenters = [[f'train deeplab_{row}', f'test deeplab_{row}'] for row in
                  ('source', 'unit', 'munit', 'egscit', 'oracle')]
    expected = (segmenters[0] + methods[0] + segmenters[1] + methods[1] + segmenters[2]
                + methods[2] + segmenters[3] + segmenters[4])
    assert summary(commands) == expected
    assert '| EGSC-IT | 0.314 | 0.343 |' in (tmp_path / 'work' / 'table3.md').read_text('utf-8')
    page = Page((tmp_path / 'work' / 'table3.html').read_text(encoding='utf-8'))
    assert {a['alt'].split(':')[0] for a in page.all('img')} == {
        'A2B, content', 'A2B, UNIT', 'A2B, MUNIT', 'A2B, EGSC-IT'}
    assert pretend('--table', 3, '--budget', 'paper', '--data', data) == []


def test_the_quick_table_3_is_on_painted_streets(pretend, tmp_path, monkeypatch):
    vgg16 = tmp_path / 'vgg16-397923af.pth'
    vgg16.write_bytes(b'weights')
    # MMagic's CycleGAN is no model of tools/translate.py.
    monkeypatch.setattr(
        training_sets, 'translate_without_exemplars', lambda cfg, checkpoint, contents, out:
        shutil.copytree(contents, out))
    # Its images cannot be read here.
    monkeypatch.setattr(training_sets, 'match_lab_statistics', lambda image, other: image)
    monkeypatch.setattr(training_sets, 'read_image', lambda path: np.zeros((2, 2, 3), np.uint8))
    arguments = ['--table', 3, '--budget', 'quick', '--vgg16', vgg16, '--seeds', 0, 5]
    commands = pretend(*arguments)
    assert summary(commands[:2]) == ['streets --size', 'yardsticks cyclegan_streets_reduced']
    methods = {'cyclegan': 'cyclegan_streets', 'unit': 'unit_streets', 'munit': 'munit_streets',
               **{f'egscit_{part}': f'egscit_streets_{part}'
                  for part in ('wo_mask', 'wo_adain', 'wo_perceptual')},
               'egscit': 'egscit_streets'}
    segmenter = ['train deeplab_streets_reduced', 'test deeplab_streets_reduced']
    expected = [*segmenter, *segmenter]  # source, and colour transfer
    for row, name in methods.items():
        expected += ['train vaegan_streets_reduced'] * (row == 'egscit_wo_mask')
        expected += [f'train {name}_reduced', f'test {name}_reduced']
        expected += [f'translate {name}_reduced'] * (row != 'cyclegan') + segmenter
    expected += segmenter
    assert summary(commands[2:]) == 2 * expected  # each seed has a stage 1 of its own

    prefix = 'train_dataloader.dataset.data_prefix'
    folders = []
    for command in commands:
        options = dict(word.split('=', 1) for word in command if '=' in word)
        if 'deeplab_streets' in command[2] and 'train.py' in command[1]:
            folders.append([options.get(f'{prefix}.{key}') for key in ('img_path', 'seg_map_path')])
            assert options['train_dataloader.dataset.data_root'] == str(tmp_path / 'work' / 'data')
        if 'test.py' in command[1] and 'deeplab' not in command[2]:
            assert options['test_evaluator.metrics.4.pretrained'] == str(vgg16)
        if Path(command[2]).stem == 'egscit_streets_reduced' and 'train.py' in command[1]:
            assert options['model.perceptual_loss.pretrained'] == str(vgg16)
    work = (tmp_path / 'work').resolve()
    assert folders == [
        folder for seed in (0, 5) for folder in
        [[None, None], *([f'{work}/seed{seed}/{row}/trainA', None]
                         for row in ('colour_transfer', *methods)),
         ['trainB', 'trainB_labels8']]]

    table = json.loads((tmp_path / 'work' / 'table3.json').read_text())
    assert table['segmenters']['EGSC-IT']['5']['mIoU'] == 31.4
    assert table['rows']['EGSC-IT']['ours']['ssim_ground_truth/A2B']['mean'] == pytest.approx(0.35)
    assert '| oracle | 0.314 ± 0.000 |' in (tmp_path / 'work' / 'table3.md').read_text('utf-8')
    assert summary(pretend(*arguments)) == ['streets --size']  # all is there
    vgg16.write_bytes(b'others')
    with pytest.raises(SystemExit, match=r'egscit_wo_mask was trained .* \(features differ'):
        pretend(*arguments)


def test_weights_of_a_vgg_are_read_before_anything_is_painted(reproduce, tmp_path):
    vgg16, work_dir = tmp_path / 'vgg16.pth', tmp_path / 'work'
    torch.save({'features.0.weight': torch.zeros(64, 3, 3, 3)}, vgg16)
    with pytest.raises(ValueError, match='^--vgg16=.*vgg16.pth: no VGG-16 weights.*') as error:
        reproduce('--table', 4, '--budget', 'quick', '--vgg16', vgg16, '--work-dir', work_dir)
    assert not work_dir.exists() and 'base_channels' not in str(error.value)


def test_a_segmenter_of_other_translations_is_refused(pretend, tmp_path):
    vgg16 = tmp_path / 'vgg16.pth'
    vgg16.touch()
    arguments = ['--table', 3, '--budget', 'quick', '--vgg16', vgg16, '--rows', 'unit']
    pretend(*arguments)
    checkpoint, = (tmp_path / 'work' / 'seed0' / 'unit').glob('iter_*.pth')
    checkpoint.write_bytes(b'another')
    with pytest.raises(SystemExit, match=r'segmenter_unit was trained .* \(images differ'):
        pretend(*arguments)


@pytest.mark.slow
def test_streets_in_miniature(reproduce, tmp_path, monkeypatch):
    """Every tool runs, on painted streets; the second seed and a repetition use what is there."""
    pytest.importorskip('mmseg')
    work_dir, configs = tmp_path / 'work', tmp_path / 'configs'
    vgg16 = tmp_path / 'vgg16.pth'
    vgg16.touch()
    data = work_dir / 'data'
    for name in ('vaegan_streets', 'egscit_streets', 'cyclegan_streets'):
        write_tiny_config(f'{name}_reduced.py', configs / f'{name}_reduced.py', data, 2)
    for name in ('egscit_streets', 'cyclegan_streets'):
        path = configs / f'{name}_reduced.py'
        cfg = Config.fromfile(path)
        cfg.test_evaluator.metrics[-1].update(pretrained=None, base_channels=2, num_others=1)
        cfg.dump(path)
    segmenter = Config.fromfile(CONFIGS / 'segmentation' / 'deeplab_streets_reduced.py')
    segmenter.merge_from_dict({
        **SEGMENTER, 'train_dataloader.num_workers': 0, 'test_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False, 'train_dataloader.batch_size': 2,
        'train_cfg.max_iters': 2})
    (configs / 'segmentation').mkdir()
    segmenter.dump(configs / 'segmentation' / 'deeplab_streets_reduced.py')

    ran = []

    def run_and_note(command, *args):
        ran.append(command)
        run_here(command)

    monkeypatch.setattr(commands, 'run_logged', run_and_note)
    monkeypatch.setattr(reproduce.module, 'check_vgg16', lambda path: None)
    monkeypatch.setattr(reproduce.module, 'call', lambda *command: run_here(
        commands.tool(*command, '--workers', 0)))
    monkeypatch.setattr(reproduce.module, 'STREETS', (
        '--size', 64, 128, '--num-train', 4, '--num-test', 2))
    arguments = ['--table', 3, '--budget', 'quick', '--configs', configs, '--work-dir', work_dir,
                 '--vgg16', vgg16,
                 '--rows', 'source', 'colour_transfer', 'cyclegan', 'egscit', 'oracle']
    reproduce(*arguments)
    for row in ('colour_transfer', 'cyclegan', 'egscit'):
        folder = work_dir / 'seed0' / row / 'trainA'
        assert sorted(path.name for path in folder.glob('*.png')) == [
            f'{index:05d}.png' for index in range(4)]
        assert read_image(folder / '00000.png').shape == (64, 128, 3)
    result = json.loads((work_dir / 'table3.json').read_text())
    for row in ('source', 'mean and std in Lab', 'CycleGAN', 'EGSC-IT', 'oracle'):
        assert 0 <= result['segmenters'][row]['0']['mIoU'] <= 100
    assert result['segmenters']['UNIT'] == {}
    rows = result['rows']
    assert rows['perfect translation']['ours']['colour_error_sky/A2B']['mean'] == 0
    for row in ('EGSC-IT', 'CycleGAN', 'copy the content'):
        assert rows[row]['ours']['colour_error_sky/A2B']['mean'] > 1
    page = Page((work_dir / 'table3.html').read_text(encoding='utf-8'))
    assert len(page.all('img')) == 2 * 5  # content, exemplar, CycleGAN, EGSC-IT, ground truth

    ran.clear()
    reproduce(*arguments)
    assert ran == []


# ----------------------------------------------------------------------------------------- errors
@pytest.mark.parametrize('arguments, message', [
    (['--table', 6, '--budget', 'quick'], 'invalid choice: 6'),
    (['--table', 2, '--budget', 'small'], "invalid choice: 'small'"),
    (['--table', 2, '--budget', 'quick', '--rows', 'dcgan'], "invalid choice: 'dcgan'"),
    (['--table', 5, '--budget', 'quick', '--rows', 'unit', 'egscit_wo_mask'],
     'table 5 has no row egscit_wo_mask; it has cyclegan, unit, munit, egscit'),
    (['--table', 2, '--budget', 'quick', '--mnist', 'nowhere'], '--mnist: nowhere is not a folder'),
    (['--table', 2, '--budget', 'paper'], '--budget paper needs --mnist'),
    (['--table', 1, '--budget', 'quick', '--seeds', -1], '--seeds: '),
    (['--table', 3, '--budget', 'quick', '--vgg16', 'nowhere'], '--vgg16: nowhere is not a file'),
    (['--table', 4, '--budget', 'quick', '--vgg16', 'nowhere'], '--vgg16: nowhere is not a file'),
    (['--table', 4, '--budget', 'quick', '--vgg16', 'nowhere', '--rows', 'unit', 'wct'],
     'in its layout, for wct'),
    (['--table', 4, '--budget', 'paper'], '--budget paper needs --mnist'),
    (['--table', 3, '--budget', 'paper', '--seeds', 0, 1], 'has one seed in the paper budget'),
    (['--table', 3, '--budget', 'paper', '--data', 'nowhere'], 'nowhere has no trainA'),
])
def test_bad_arguments(reproduce, capsys, arguments, message):
    with pytest.raises(SystemExit):
        reproduce(*arguments)
    assert message in capsys.readouterr().err


def test_no_configs(reproduce, pretend, tmp_path):
    with pytest.raises(SystemExit, match='cyclegan_mnist_single_reduced.py does not exist'):
        reproduce('--table', 2, '--budget', 'quick', '--configs', tmp_path, '--work-dir', tmp_path)
    # A row without a method needs the config of one, too: its metrics measure the yardsticks.
    pytest.importorskip('mmseg')
    vgg16 = tmp_path / 'vgg16.pth'
    vgg16.touch()
    segmenters = tmp_path / 'segmentation'
    segmenters.mkdir()
    Config.fromfile(CONFIGS / 'segmentation' / 'deeplab_streets_reduced.py').dump(
        segmenters / 'deeplab_streets_reduced.py')
    with pytest.raises(SystemExit, match=f'{tmp_path} has no config of table 3: --configs must'):
        pretend('--table', 3, '--budget', 'quick', '--configs', tmp_path, '--vgg16', vgg16,
                '--rows', 'source')
    assert not (tmp_path / 'work').exists()  # nothing was painted


def test_other_settings_are_refused(pretend, tmp_path):
    arguments = ['--table', 2, '--budget', 'quick', '--rows', 'unit']
    pretend(*arguments)
    with pytest.raises(SystemExit, match=r'seed0/unit was trained with other settings \(amp'):
        pretend(*arguments, '--amp')


def test_what_has_changed_is_evaluated_anew(pretend, tmp_path):
    arguments = ['--table', 2, '--budget', 'quick', '--rows', 'unit']
    pretend(*arguments)
    checkpoint, = (tmp_path / 'work' / 'seed0' / 'unit').glob('iter_*.pth')
    time_of_results = checkpoint.with_name('metrics.json').stat().st_mtime_ns
    checkpoint.write_bytes(b'another')
    os.utime(checkpoint, ns=(0, time_of_results - 10**9))  # though it is older
    assert summary(pretend(*arguments)) == [
        'mnist --task', 'test unit_mnist_single_reduced']
    assert summary(pretend(*arguments)) == ['mnist --task']
    # A training on other data must not go on.
    (tmp_path / 'work' / 'data').mkdir()
    (tmp_path / 'work' / 'data' / 'manifest.json').write_text('{}')
    with pytest.raises(SystemExit, match=r'was trained with other settings \(data differ'):
        pretend(*arguments)


def figures_of(work_dir, table):
    """What a table shows of each method."""
    rows = json.loads((work_dir / f'table{table}.json').read_text())['rows']
    return {name: bool(row['ours']) for name, row in rows.items() if name in (
        'WCT', 'AdaIN', 'UNIT', 'MUNIT', 'EGSC-IT')}


def test_rows_of_another_vgg_are_left_out_by_name(pretend, tmp_path, capsys):
    vggs = [tmp_path / 'vgg_a.pth', tmp_path / 'vgg_b.pth']
    for vgg in vggs:
        vgg.write_text(vgg.name)
    arguments = ['--table', 4, '--budget', 'quick', '--rows']
    pretend(*arguments, 'wct', 'unit', '--vgg16', vggs[0])
    assert 'Left out' not in capsys.readouterr().out
    pretend(*arguments, 'adain_style', '--vgg16', vggs[1])
    assert 'Left out of the table: wct (seed 0). ' in capsys.readouterr().out
    assert figures_of(tmp_path / 'work', 4) == {
        'AdaIN': True, 'WCT': False, 'UNIT': True, 'MUNIT': False, 'EGSC-IT': False}
    pictures = (tmp_path / 'work' / 'table4.html').read_text(encoding='utf-8')
    assert 'A2B, AdaIN' in pictures and 'A2B, WCT' not in pictures
    pretend(*arguments, 'unit', '--vgg16', vggs[0])
    assert 'Left out of the table: adain_style (seed 0). ' in capsys.readouterr().out
    assert figures_of(tmp_path / 'work', 4)['WCT']


def test_rows_of_another_training_are_left_out_by_name(pretend, tmp_path, capsys):
    arguments = ['--table', 2, '--budget', 'quick', '--rows']
    pretend(*arguments, 'egscit')
    pretend(*arguments, 'unit', '--amp')
    assert 'Left out of the table: egscit (seed 0). ' in capsys.readouterr().out
    assert figures_of(tmp_path / 'work', 2) == {'UNIT': True, 'MUNIT': False, 'EGSC-IT': False}


def test_figures_that_a_vgg_measures_are_measured_anew_with_another(pretend, tmp_path, capsys,
                                                                    monkeypatch):
    monkeypatch.setattr(
        training_sets, 'translate_without_exemplars', lambda cfg, checkpoint, contents, out:
        shutil.copytree(contents, out))
    vgg16 = tmp_path / 'vgg16.pth'
    vgg16.touch()
    arguments = ['--table', 3, '--budget', 'quick', '--vgg16', vgg16, '--rows']
    pretend(*arguments, 'cyclegan', 'unit')
    vgg16.write_bytes(b'others')
    commands = summary(pretend(*arguments, 'cyclegan'))
    assert commands == ['streets --size', 'yardsticks cyclegan_streets_reduced',
                        'test cyclegan_streets_reduced']
    assert 'Left out of the table: unit (seed 0). ' in capsys.readouterr().out
    table = json.loads((tmp_path / 'work' / 'table3.json').read_text())
    assert table['segmenters']['CycleGAN'] and not table['segmenters']['UNIT']


def test_damaged_results_are_named_before_anything_is_painted(pretend, tmp_path):
    arguments = ['--table', 2, '--budget', 'quick', '--rows']
    pretend(*arguments, 'unit')
    work = tmp_path / 'work'
    for name in ('yardsticks.json', *(f'seed0/unit/{name}' for name in (
            'metrics.json', 'recipe.json', 'pictures.pth'))):
        content = (work / name).read_bytes()
        (work / name).write_bytes(content[:len(content) // 2])
        with pytest.raises(UserError, match=f'^{work / name} is damaged: delete it and run again.'):
            pretend(*arguments, 'cyclegan')
        assert not (work / 'seed0' / 'cyclegan').exists()
        (work / name).write_bytes(content)
    assert summary(pretend(*arguments, 'unit')) == ['mnist --task']


def test_a_damaged_last_checkpoint_is_trained_again(pretend, tmp_path, monkeypatch):
    arguments = ['--table', 2, '--budget', 'quick', '--rows', 'unit']
    pretend(*arguments)
    monkeypatch.setattr(experiment, 'is_intact', lambda path: False)
    assert summary(pretend(*arguments)) == ['mnist --task', 'train unit_mnist_single_reduced']


def test_bad_mnist(reproduce, tmp_path, capfd):
    """The converter says what is missing."""
    (tmp_path / 'mnist').mkdir()
    with pytest.raises(SystemExit, match='tools/dataset_converters/mnist.py failed.*'
                       'By --out it means a folder in --work-dir, by --root --mnist'):
        reproduce('--table', 2, '--budget', 'quick', '--rows', 'unit', '--mnist',
                  tmp_path / 'mnist', '--work-dir', tmp_path / 'work', '--configs', CONFIGS)
    assert 'train-images-idx3-ubyte' in capfd.readouterr().err
