# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import io
import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import torch
from html_page import Page, decoded
from mmengine.config import Config
from PIL import Image
from tiny_data import tiny_model_options, tiny_options, write_tiny_digits
from tool import Tool

from egscit_mm.apis import train
from egscit_mm.visualization import contact_sheet, exemplar_grid, image_grid
from egscit_mm.visualization.grid import PADDING
from egscit_mm.visualization.report import (
    TrainingLog,
    data_uri,
    loss_chart,
    loss_terms,
    png,
    read_losses,
    report_html,
    ssim_table,
)

REPOSITORY = Path(__file__).parents[2]
ROWS = ('content', 'exemplar', 'mask', 'translation', 'ground_truth', 'reconstruction', 'cycle')
ATTACK = '<script src="https://evil.example/x.js">alert("1")</script> & \'co\''
FIGURES = {
    'ssim_ground_truth/A2B': {'mean': 0.5814, 'std': 0.1012},
    'ssim_exemplar/B2A': {'mean': 0.1234, 'std': 0.0567},
    'ceiling_exemplar/B2A': {'mean': 0.2222, 'std': 0.0333},
}


def images(number, seed, size=28):
    """Random colours whose pixels are whole numbers of 255ths."""
    rng = np.random.RandomState(seed)
    return torch.from_numpy(rng.randint(0, 256, (number, 3, size, size))).float() / 127.5 - 1


def pixels(tensor):
    """(3, H, W) in [-1, 1] to (H, W, 3) in 0..255."""
    return ((tensor + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()


def sample_rows(number=3):
    return {
        direction: {name: images(number, 10 * i + j) for j, name in enumerate(ROWS)}
        for i, direction in enumerate(('A2B', 'B2A'))
    }


def sample_losses():
    names = ('loss_g', 'loss_d', 'loss_kl_A', 'loss_kl_B', 'loss_style_A2B', 'loss_style_B2A')
    return {name: {50: 2. + i, 100: 1. + i} for i, name in enumerate(names)}


def make_page(**changes):
    samples = sample_rows()
    grids = {
        direction: exemplar_grid(rows['content'][:1], rows['exemplar'],
                                 rows['translation'][None])
        for direction, rows in samples.items()
    }
    arguments = dict(
        title='quickstart', facts={'Peak memory': '1,234 MB'}, figures=FIGURES,
        task='MNIST-Single', samples=samples, exemplar_grids=grids,
        logs={'Stage 2': TrainingLog('work_dirs/x', sample_losses())})
    arguments.update(changes)
    html = report_html(**arguments)
    return html, Page(html)


class TestContactSheet:

    @pytest.mark.parametrize('scale', [1, 2])
    def test_every_image_is_at_its_place(self, scale):
        number, cell = 3, 28 + PADDING
        samples = sample_rows(number)
        sheet = contact_sheet(samples, scale)
        width = (number * cell + PADDING) * scale
        height = (len(ROWS) * cell + PADDING) * scale
        left = sheet.shape[1] - width
        title = sheet.shape[0] // 2 - height
        assert sheet.dtype == np.uint8 and sheet.shape[2] == 3
        assert title > 0 and sheet.shape[0] == 2 * (title + height)
        for k, rows in enumerate(samples.values()):
            grid = sheet[k * (title + height) + title:(k + 1) * (title + height), left:]
            for i, row in enumerate(rows.values()):
                for j, image in enumerate(row):
                    y, x = ((PADDING + n * cell) * scale for n in (i, j))
                    shown = grid[y:y + 28 * scale, x:x + 28 * scale]
                    expected = np.repeat(np.repeat(pixels(image), scale, 0), scale, 1)
                    np.testing.assert_array_equal(shown, expected)

    def test_labels_stand_beside_their_rows(self):
        samples = sample_rows()
        sheet = contact_sheet(samples, 2)
        left = sheet.shape[1] - (3 * 30 + PADDING) * 2
        title = sheet.shape[0] // 2 - (7 * 30 + PADDING) * 2
        ink = (sheet[title:sheet.shape[0] // 2, :left] < 128).all(2)
        for i in range(len(ROWS)):
            band = ink[i * 60:(i + 1) * 60]
            assert band[20:44].any() and not band[:12].any() and not band[50:].any()
        assert not ink[:, :4].any() and not ink[:, -4:].any()  # nothing is cut off
        assert (sheet[:title, left:left + 60] < 128).any()  # the title

    def test_takes_all_images_of_long_rows(self):
        sheet = contact_sheet({'A2B': {'content': images(24, 0), 'exemplar': images(24, 1)}}, 2)
        assert sheet.shape[1] > 24 * 60


def test_exemplar_grid_combines_rows_and_columns():
    contents, exemplars = images(2, 0), images(3, 1)
    translations = torch.stack([images(3, 2), images(3, 3)])
    grid = exemplar_grid(contents, exemplars, translations)
    assert grid.shape == (3 * 30 + 2, 4 * 30 + 2, 3)

    def cell(row, column):
        return grid[2 + 30 * row:30 * (row + 1), 2 + 30 * column:30 * (column + 1)]

    for n in range(3):
        np.testing.assert_array_equal(cell(0, n + 1), pixels(exemplars[n]))
        for m in range(2):
            np.testing.assert_array_equal(cell(m + 1, n + 1), pixels(translations[m, n]))
    np.testing.assert_array_equal(cell(2, 0), pixels(contents[1]))
    assert (cell(0, 0) == grid[0, 0]).all()


class TestReadLosses:

    @staticmethod
    def write(folder, *records, end=''):
        path = folder / 'vis_data' / 'scalars.json'
        path.parent.mkdir(parents=True)
        path.write_text(''.join(json.dumps(record) + '\n' for record in records) + end)
        return path

    def test_later_runs_replace_what_they_repeat(self, tmp_path):
        first = [dict(loss_g=float(step), lr=1., step=step) for step in (50, 100, 150, 200)]
        self.write(tmp_path / '20260101_000000', *first, end='{"loss_g": 9')
        # Resumed at 100, after validation, with another log interval.
        self.write(tmp_path / '20260101_000100', {'ssim/A2B_mean': 0.5, 'step': 0},
                   dict(loss_g=-125., loss_d=1., step=125), dict(loss_g=-175., step=175))
        self.write(tmp_path / '20260101_000200', {'ssim/A2B_mean': 0.5, 'step': 0})
        self.write(tmp_path / 'vaegan_x' / '20260101_000300', dict(loss_g=5., step=1))
        (tmp_path / '20260101_000400').mkdir()
        assert read_losses(str(tmp_path)) == {
            'loss_g': {50: 50., 100: 100., 125: -125., 175: -175.},
            'loss_d': {125: 1.}
        }

    def test_a_method_without_discriminators(self, tmp_path):
        self.write(tmp_path / '20260101_000000', dict(loss=3., loss_style_A2B=1., step=7))
        losses = read_losses(str(tmp_path))
        assert loss_terms(losses) == {'generators, total': {7: 3.}, 'style': {7: 1.}}
        _, page = make_page(logs={'Training': TrainingLog(str(tmp_path), losses)})
        assert 'went from 3 at iteration 7' in page.text

    def test_nothing_there(self, tmp_path):
        assert read_losses(str(tmp_path)) == read_losses(str(tmp_path / 'missing')) == {}

    def test_damage_is_named(self, tmp_path):
        path = self.write(tmp_path / '20260101_000000', dict(loss_g=1., step=1), end='{"lo\n')
        with pytest.raises(ValueError, match=re.escape(f'{path}, line 2 is not JSON')):
            read_losses(str(tmp_path))


class TestLossChart:

    def test_terms_are_sums_over_domains_and_directions(self):
        assert loss_terms(sample_losses()) == {
            'generators, total': {50: 2., 100: 1.},
            'kl': {50: 4. + 5., 100: 3. + 4.},
            'style': {50: 6. + 7., 100: 5. + 6.},
        }

    def test_sums_of_other_updates_are_no_terms(self):
        """As DRIT logs them: each is the sum of terms that are there."""
        sums = {name: {50: 9.} for name in ('loss_d', 'loss_content_d', 'loss_random_g')}
        assert loss_terms({**sample_losses(), **sums}) == loss_terms(sample_losses())

    def test_values_below_zero_are_shown(self):
        assert b'mathdefault{-' in loss_chart({'loss_g': {1: -50., 2: 20.}})
        assert b'mathdefault{-' not in loss_chart({'loss_g': {1: 50., 2: 20.}})

    def test_is_svg_of_one_curve_per_term(self):
        light, dark = (loss_chart(sample_losses(), dark) for dark in (False, True))
        assert light != dark and light == loss_chart(sample_losses())
        assert ElementTree.fromstring(light).tag.endswith('svg')
        for term in loss_terms(sample_losses()):
            assert f'<!-- {term} -->'.encode() in light

    def test_diverged_training(self):
        losses = {'loss_g': {1: 1., 2: float('nan'), 3: float('inf')}, 'loss_kl_A': {1: 0.}}
        assert ElementTree.fromstring(loss_chart(losses)).tag.endswith('svg')


class TestSsimTable:

    def test_rows(self):
        table = ssim_table(FIGURES, 'MNIST-Single')
        assert table['This run'] == {
            'this model': ['0.581 ± 0.101', '–', '–', '0.123 ± 0.057'],
            'perfect translation': ['1.000', '1.000', '–', '0.222 ± 0.033'],
        }
        paper = table['Paper, MNIST-Single']
        assert paper['EGSC-IT'] == ['0.806', '0.783', '0.478 ± 0.090', '0.232 ± 0.131']
        assert paper['perfect translation, MNIST'][2:] == ['0.484 ± 0.082', '0.225 ± 0.124']
        assert {'MUNIT', 'UNIT', 'CycleGAN', 'EGSC-IT without mask'} <= paper.keys()

    def test_a_task_that_the_paper_does_not_have(self):
        assert ssim_table(FIGURES, None) == {
            'This run': ssim_table(FIGURES, 'MNIST-Single')['This run']}

    def test_table_5_has_no_ablations(self):
        paper = ssim_table({}, 'MNIST-Multiple')['Paper, MNIST-Multiple']
        assert paper['EGSC-IT'] == ['0.910', '0.924', '0.503', '0.495']
        assert paper['EGSC-IT without mask'] == ['0.952', '0.974', '–', '–']


class TestPage:

    def test_needs_nothing_but_itself(self):
        html, page = make_page()
        assert not page.all('script') and not page.all('link') and not page.all('a')
        assert 'http' not in html.replace('http-equiv', '') and '@import' not in html
        assert 'url(' not in html
        for attributes in page.all('img') + page.all('source'):
            decoded(attributes.get('src') or attributes['srcset'])

    def test_is_accessible(self):
        _, page = make_page()
        assert page.all('html') == [{'lang': 'en'}]
        assert any(meta.get('name') == 'viewport' for meta in page.all('meta'))
        assert all(attributes['alt'] for attributes in page.all('img'))
        assert all(attributes['scope'] in ('col', 'row', 'rowgroup')
                   for attributes in page.all('th'))
        identifiers = [a['id'] for _, a in page.elements if 'id' in a]
        labels = {a['aria-labelledby'] for _, a in page.elements if 'aria-labelledby' in a}
        assert len(identifiers) == len(set(identifiers)) and labels <= set(identifiers)
        assert 'prefers-color-scheme: dark' in page.text  # in the style sheet

    def test_shows_facts_and_figures(self):
        _, page = make_page()
        for text in ('Peak memory', '1,234 MB', '0.581 ± 0.101', '0.222 ± 0.033', '0.478 ± 0.090',
                     'Tables 2 and 4', 'went from 2 at iteration 50 to 1 at iteration 100'):
            assert text in page.text

    def test_shows_the_rows_pixel_by_pixel(self):
        samples = sample_rows()
        _, page = make_page(samples=samples)
        strips = {a['alt']: a for a in page.all('img')}
        strip = strips['B2A, ground truth: 3 images']
        shown = np.array(Image.open(io.BytesIO(decoded(strip['src']))))
        np.testing.assert_array_equal(
            shown, image_grid({'ground_truth': samples['B2A']['ground_truth']}))
        assert (strip['width'], strip['height']) == ('184', '64')  # twice 92 x 32
        assert 'A2B: content images above their feature masks' in strips

    def test_stretches_the_masks(self):
        samples = sample_rows()
        samples['A2B']['mask'] = torch.full((3, 3, 28, 28), -0.5)  # 0.25 of the way from eta to 1
        samples['A2B']['mask'][1, :, 4, 5] = 0.5
        samples['B2A']['mask'] = torch.zeros(3, 3, 28, 28)
        _, page = make_page(samples=samples)
        assert 'A2B: black is 0.25, white is 0.75' in page.text
        assert 'B2A: black is 0.50, white is 0.50' in page.text
        pictures = {a['alt'][:3]: a for a in page.all('img') if 'above their' in a['alt']}
        shown = {direction: np.array(Image.open(io.BytesIO(decoded(picture['src']))))
                 for direction, picture in pictures.items()}
        lower = shown['A2B'][PADDING + 30:, PADDING + 30:][:28, :28]
        assert (lower[4, 5] == 255).all() and lower.sum() == 3 * 255
        assert (shown['B2A'][PADDING + 30:] == 128).all()

    def test_escapes_everything(self):
        _, page = make_page(
            title=ATTACK, facts={ATTACK: ATTACK}, logs={ATTACK: TrainingLog(ATTACK, {})})
        assert not page.all('script')
        assert page.text.count(ATTACK) == 6  # title twice, fact twice, stage, folder
        assert f'No losses to draw: {ATTACK} holds no training log' in page.text

    def test_says_what_is_missing(self):
        samples = sample_rows()
        for rows in samples.values():
            del rows['mask'], rows['ground_truth'], rows['reconstruction']
        _, page = make_page(figures={}, samples=samples, logs={
            'Stage 1': TrainingLog('work_dirs/none', {})})
        assert 'This run was not measured' in page.text
        assert 'work_dirs/none holds no training log' in page.text
        assert 'Feature masks' not in page.text and not page.all('picture')
        assert 'Reconstruction' not in page.text and 'Cycle, translated there' in page.text


def test_png_and_data_uri():
    image = pixels(images(1, 0)[0])
    uri = data_uri(png(image), 'image/png')
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(decoded(uri)))), image)


# ------------------------------------------------------------------------------------ the tools
@pytest.fixture
def run_tool():
    return lambda name, *arguments: Tool(f'{name}.py')(*arguments)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Folder with a tiny quickstart: data, both configs, and both stages trained in work."""
    folder = tmp_path_factory.mktemp('quickstart')
    for stage in ('vaegan', 'egscit'):
        cfg = Config.fromfile(REPOSITORY / 'configs' / 'egscit' / f'{stage}_quickstart.py')
        options = tiny_options(write_tiny_digits(folder / 'data'))
        if stage == 'vaegan':  # it has no test set
            options = {key: value for key, value in options.items() if key.startswith('train')}
        cfg.merge_from_dict({
            **options, **tiny_model_options(stage), 'default_hooks.logger.interval': 1
        })
        cfg.dump(folder / f'{stage}_quickstart.py')
    train(Config.fromfile(folder / 'egscit_quickstart.py'), work_dir=str(folder / 'work'))
    return folder


def test_tools_test_and_report(trained, tmp_path, run_tool):
    config, work_dir = trained / 'egscit_quickstart.py', trained / 'work'
    checkpoint, metrics, out = work_dir / 'iter_4.pth', tmp_path / 'metrics.json', tmp_path / 'out'
    run_tool('test', config, checkpoint, '--work-dir', tmp_path / 'log', '--out', metrics)
    figures = json.loads(metrics.read_text())
    cost = json.loads((work_dir / 'training.json').read_text())
    assert figures.keys() == {
        f'{name}/{direction}'
        for name in ('ssim_ground_truth', 'ssim_exemplar', 'ceiling_exemplar', 'style_accuracy',
                     'colour_accuracy', 'content_accuracy', 'content_iou', 'pixel_accuracy_8',
                     'pixel_accuracy_16', 'pixel_accuracy_32', 'pixel_accuracy_64')
        for direction in ('A2B', 'B2A')
    } | {'hue_correlation/A2B', 'train_seconds', 'peak_rss_mb', 'checkpoint'}
    assert figures['train_seconds'] == cost['train_seconds'] > 0
    assert figures['peak_rss_mb'] == cost['peak_rss_mb'] > 0

    run_tool('report', config, checkpoint, '--metrics', metrics, '--work-dir', work_dir, '--out',
             out, '--num-images', 2)
    page = Page((out / 'report.html').read_text(encoding='utf-8'))
    for text in (f'{figures["ssim_exemplar/A2B"]["mean"]:.3f} ± ', 'egscit_quickstart',
                 'iter_4.pth', f'{cost["peak_rss_mb"]:,.0f} MB', torch.__version__):
        assert text in page.text
    # Both stages have a curve to the last iteration, and a light and a dark one.
    assert page.text.count('at iteration 4.') == len(page.all('picture')) == 2
    assert sorted(path.name for path in out.iterdir()) == ['report.html', 'samples.png']
    sheet = np.array(Image.open(out / 'samples.png'))
    # The fifth of the seven rows of B2A is the ground truth, in RGB; here its second image.
    bottom, right = sheet.shape[0] - 2 * PADDING, sheet.shape[1] - 2 * PADDING
    shown = sheet[bottom - 3 * 60 + 2 * PADDING:bottom - 2 * 60, right - 56:right]
    truth = np.array(Image.open(trained / 'data' / 'testB2A' / '00001_0.png'))
    np.testing.assert_array_equal(shown, truth.repeat(2, 0).repeat(2, 1))
    content = sheet[bottom - 7 * 60 + 2 * PADDING:bottom - 6 * 60, right - 56:right]
    truth = np.array(Image.open(trained / 'data' / 'testB' / '00001_0.png'))
    np.testing.assert_array_equal(content, truth.repeat(2, 0).repeat(2, 1))


def test_report_without_logs_and_metrics(trained, tmp_path, run_tool):
    nowhere = tmp_path / 'nowhere'
    run_tool('report', trained / 'egscit_quickstart.py', trained / 'work' / 'iter_4.pth',
             '--work-dir', nowhere, '--out', tmp_path, '--num-images', 99)
    page = Page((tmp_path / 'report.html').read_text(encoding='utf-8'))
    for text in (f'{nowhere} holds no training log', f'{nowhere}/vaegan_quickstart holds no',
                 'This run was not measured', 'not recorded'):
        assert text in page.text
    assert {a['alt'] for a in page.all('img')} >= {'A2B, translation: 4 images'}  # all there are


@pytest.mark.parametrize('content, found', [
    ({'ssim_exemplar/A2B_mean': 0.4}, 'ssim_exemplar/A2B_mean'),
    ({'ssim_exemplar/A2B': {'std': 0.4}}, 'ssim_exemplar/A2B'),
    ({'ssim_exemplar/A2B': 0.4}, 'ssim_exemplar/A2B'),
])
def test_report_refuses_other_metrics_files(trained, tmp_path, run_tool, content, found):
    metrics = tmp_path / 'metrics.json'
    metrics.write_text(json.dumps(content))
    with pytest.raises(SystemExit, match=f"metrics.json is not .* found .*'{found}'"):
        run_tool('report', trained / 'egscit_quickstart.py', trained / 'work' / 'iter_4.pth',
                 '--metrics', metrics, '--out', tmp_path / 'out')


def test_report_refuses_figures_of_another_checkpoint(trained, tmp_path, run_tool):
    metrics = tmp_path / 'metrics.json'
    metrics.write_text(json.dumps({'ssim_exemplar/A2B': {'mean': 0.4}, 'checkpoint': 'abc'}))
    with pytest.raises(SystemExit, match='metrics.json has the figures of another checkpoint'):
        run_tool('report', trained / 'egscit_quickstart.py', trained / 'work' / 'iter_4.pth',
                 '--metrics', metrics, '--out', tmp_path / 'out')


@pytest.mark.parametrize('names, message', [
    (('nowhere.py', 'nothing.pth'), "Config 'nowhere.py' does not exist"),
    (('configs/egscit/egscit_quickstart.py', 'nothing.pth'), "Checkpoint 'nothing.pth' does not"),
])
def test_report_names_missing_files(tmp_path, run_tool, names, message):
    with pytest.raises(ValueError, match=message):
        run_tool('report', *names, '--out', tmp_path)
