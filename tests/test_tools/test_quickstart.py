# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Parts of the quickstart that no other test runs."""
import contextlib
import io
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from tiny_data import write_tiny_digits
from tool import Tool

from egscit_mm.models.networks.vgg import VGGFeatures

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def digit_features():
    return Tool('train_digit_features.py')


def test_digit_features_fit_the_perceptual_loss(digit_features, tmp_path):
    data = write_tiny_digits(tmp_path / 'data')
    out = tmp_path / 'out' / 'features.pth'
    digit_features('--data', data, '--out', out, '--iters', 2)
    assert [path.name for path in out.parent.iterdir()] == ['features.pth']

    loss_cfg = Config.fromfile(REPOSITORY / 'configs/egscit/egscit_quickstart.py')
    loss_cfg = loss_cfg.model.perceptual_loss
    layers = {*loss_cfg.content_layers, *loss_cfg.style_layers}
    vgg = VGGFeatures(layers, pretrained=str(out), base_channels=loss_cfg.base_channels)
    vgg.load_weights()
    untrained = VGGFeatures(layers, pretrained=None, base_channels=loss_cfg.base_channels)
    untrained.load_weights()
    assert vgg(torch.zeros(1, 3, 28, 28))['relu3_4'].shape == (1, 64, 7, 7)
    for name, weights in vgg.layers.named_buffers():
        assert not torch.equal(weights, dict(untrained.layers.named_buffers())[name])


def test_strokes_do_not_depend_on_the_style(digit_features, tmp_path):
    """White on black and black on white show the same strokes; names need not tell a label."""
    data = write_tiny_digits(tmp_path / 'data')
    for file in (data / 'trainA').iterdir():
        file.rename(file.with_stem(f'picture{file.stem[:5]}'))
    strokes = digit_features.module.load_strokes(data / 'trainA')
    assert strokes.shape == (12, 1, 28, 28) and strokes.dtype == torch.bool
    # write_tiny_digits draws bars of 9 x 4 pixels.
    assert np.array_equal(strokes.sum((1, 2, 3)), [36] * 12)


def test_colours_are_in_range_and_mostly_pure(digit_features):
    colours = digit_features.module.random_colours(1000)
    assert colours.shape == (2, 1000, 3, 1, 1)
    assert colours.abs().max() <= 1
    pure = (colours.abs() == 1).all(0).all(1).float().mean()
    assert 0.6 < pure < 0.8


def test_spoilt_strokes(digit_features):
    bars = torch.zeros(2000, 1, 28, 28)
    bars[:, :, 8:17, 10:14] = 1  # 9 x 4 pixels
    strokes = digit_features.module.spoilt(bars)
    # Whole; without its inner 7 x 2; the ring around it, 11 x 6 without itself; with that ring.
    pixels, counts = strokes.sum((1, 2, 3)).unique(return_counts=True)
    assert pixels.tolist() == [36 - 14, 66 - 36, 36, 66]
    assert (counts / 2000).tolist() == pytest.approx([0.15, 0.15, 0.6, 0.1], abs=0.03)
    rows = strokes[strokes.sum((1, 2, 3)) == 36].amax((1, 3))
    assert rows.sum(1).eq(9).all() and 6 <= rows[0].argmax() <= 10  # moved by two pixels at most


def test_stroke_map_keeps_every_pixel(digit_features):
    strokes = (torch.rand(2, 1, 28, 28) > 0.5).float()
    maps = digit_features.module.stroke_map(strokes)
    assert maps.shape == (2, 64, 7, 7) and maps.min() >= 0 and maps.max() <= 1
    sharp, inverse, blurred, _ = maps.chunk(4, 1)
    assert torch.equal(torch.nn.functional.pixel_shuffle(sharp, 4), strokes)
    assert torch.equal(inverse, 1 - sharp)
    # Cell (1, 1), pixel (1, 2): row 5, column 6.
    torch.testing.assert_close(blurred[:, 4 + 2, 1, 1], strokes[:, 0, 4:7, 5:8].mean((1, 2)))


def test_folded_weights_compute_the_same(digit_features):
    layers = ['relu1_1', 'relu3_4', 'relu5_1']
    trained, plain = (VGGFeatures(layers, pretrained=None, base_channels=4) for _ in range(2))
    for vgg in (trained, plain):
        vgg.load_weights()
    digit_features.module.make_trainable(trained)
    trained.train()
    for _ in range(3):  # statistics that are not 0 and 1
        trained(torch.rand(4, 3, 28, 28) * 2 - 1)
    state = digit_features.module.folded_state(trained)
    for name, buffer in plain.layers.named_buffers():
        buffer.copy_(state[name])
    images = torch.rand(2, 3, 28, 28) * 2 - 1
    expected = trained(images)
    for layer, features in plain(images).items():
        torch.testing.assert_close(features, expected[layer], rtol=1e-4, atol=1e-4)


def test_no_digits(digit_features, tmp_path):
    with pytest.raises(SystemExit, match='holds no images'):
        digit_features('--data', tmp_path, '--out', tmp_path / 'x.pth')


@pytest.mark.parametrize('args, message', [
    (['--mnist', 'nowhere'], 'nowhere is not a folder'),
    (['--mnist'], 'Usage: bash tools/quickstart.sh'),
    (['--cuda'], 'Usage: bash tools/quickstart.sh'),
    (['--task', 'letters'], 'the training has no perceptual loss'),  # the end of the usage
    (['--task', 'streets', '--vgg16', 'nowhere'], '--vgg16: nowhere is not a file'),
    (['--task', 'streets', '--mnist', 'tests'], '--mnist and --features are for --task digits'),
    (['--vgg16', 'setup.py'], '--vgg16 is for --task streets'),
])
def test_quickstart_names_bad_arguments(args, message):
    done = subprocess.run(['bash', 'tools/quickstart.sh', *args], cwd=REPOSITORY,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and message in done.stderr and 'pipefail' not in done.stderr


def answers(text):
    """What the quickstart's own lines of Python print, by config: run here, not three times."""
    code, = re.findall(r'-c "\n(.*?)"\)', text, re.DOTALL)
    answers = {}
    for config in re.findall(r'configs/egscit/\w+\.py', text):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code.replace('$config', config), {})
        answers[config] = printed.getvalue()
    return answers


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Links to the repository, with tools that only write down how they are called."""
    monkeypatch.chdir(REPOSITORY)
    root = tmp_path / 'repository'
    (root / 'tools').mkdir(parents=True)
    shutil.copy(REPOSITORY / 'tools' / 'quickstart.sh', root / 'tools')
    (root / 'tools' / 'install.sh').touch()
    (root / 'configs').symlink_to(REPOSITORY / 'configs')
    for config, answer in answers((root / 'tools' / 'quickstart.sh').read_text()).items():
        (root / f'{Path(config).stem}.answer').write_text(answer)
    python = root / '.venv' / 'bin' / 'python'
    python.parent.mkdir(parents=True)
    python.write_text('''#!/usr/bin/env bash
if [ "$1" = -c ]; then
  config=${2##*configs/egscit/}
  exec cat "${config%%.py*}.answer"
fi
echo "$@" >> commands
case "$1" in
  *test.py) while [ "$1" != --out ]; do shift; done; echo "{}" > "$2" ;;
  *streets.py|*mnist.py) while [ "$1" != --out ]; do shift; done; mkdir -p "$2" ;;
esac
''')
    python.chmod(0o755)
    return root


def quickstart(root, *args):
    """What the quickstart prints, and the commands that it calls."""
    done = subprocess.run(['bash', 'tools/quickstart.sh', *args], cwd=root, capture_output=True,
                          text=True, timeout=100, env={**os.environ, 'TORCH_HOME': str(root)})
    assert done.returncode == 0, done.stderr
    commands = (root / 'commands').read_text().splitlines()
    (root / 'commands').unlink()
    return done.stdout, commands


def test_quickstart_of_streets_without_weights_and_with(repository):
    said, commands = quickstart(repository, '--task', 'streets')
    assert "this is the paper's ablation, not its method" in said
    out = 'work_dirs/quickstart_streets'
    data = [f'{loader}_dataloader.dataset.data_root={out}/data' for loader in ('train', 'test')]
    config = 'configs/egscit/egscit_streets_quickstart.py'
    cfg = Config.fromfile(REPOSITORY / config)
    assert cfg.model.perceptual_loss is None
    assert 'ExemplarRetrieval' not in {metric.type for metric in cfg.test_evaluator.metrics}
    final = f'{out}/iter_{cfg.train_cfg.max_iters}.pth'
    data_of, train, test, report = (command.split() for command in commands)
    assert data_of == ['tools/dataset_converters/streets.py', '--size', '64', '128', '--num-train',
                       '1000', '--num-test', '200', '--out', f'{out}/data']
    assert train[:2] == ['tools/train.py', config] and train[-2:] == data
    assert test[:3] == ['tools/test.py', config, final] and test[-2:] == data
    assert report[:3] == ['tools/report.py', config, final]
    assert ' '.join(['--stage1-dir', f'{out}/vaegan_streets_reduced --paper-task none']) in (
        commands[-1])

    # Weights in a place where they are looked for.
    (repository / 'data').mkdir()
    (repository / 'data' / 'vgg16.pth').touch()
    _, [_, train, test, _] = quickstart(repository, '--task', 'streets')
    config = 'configs/egscit/egscit_streets_reduced.py'
    cfg = Config.fromfile(REPOSITORY / config)
    assert cfg.test_evaluator.metrics[4].type == 'ExemplarRetrieval'
    assert f'tools/train.py {config} --work-dir {out}_vgg16 ' in train
    assert ' model.perceptual_loss.pretrained=data/vgg16.pth ' in train
    # The training asks for what its evaluation will need, too.
    assert train.endswith(' test_evaluator.metrics.4.pretrained=data/vgg16.pth')
    assert test.endswith(' test_evaluator.metrics.4.pretrained=data/vgg16.pth')


def test_quickstart_from_another_folder(repository):
    """Its own name and what the user names are relative to where the command is typed."""
    place = repository.parent
    (place / 'digits').mkdir()
    command = ['bash', 'repository/tools/quickstart.sh']
    done = subprocess.run([*command, '--mnist', 'digits'], cwd=place, capture_output=True,
                          text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    first = (repository / 'commands').read_text().splitlines()[0]
    assert f'--source mnist --root {place}/digits ' in first
    done = subprocess.run([*command, '--help'], cwd=place, capture_output=True, text=True)
    assert done.stderr.startswith('Usage: bash tools/quickstart.sh')


def test_quickstart_of_digits(repository):
    _, commands = quickstart(repository)
    tools = [command.split()[0] for command in commands]
    assert tools == [f'tools/{name}.py' for name in (
        'dataset_converters/mnist', 'train_digit_features', 'train', 'test', 'report')]
    assert commands[2].endswith('pretrained=work_dirs/quickstart/digit_features.pth')
    assert '--paper-task MNIST-Single' in commands[-1]
