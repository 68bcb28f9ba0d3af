# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Translation of files by tools/translate.py."""
import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_data import picture

from egscit_mm.apis.translation_files import pair_images
from egscit_mm.datasets.conversion import ConversionError


@pytest.fixture
def translate(checkpoints, monkeypatch):
    path = Path(__file__).parents[2] / 'tools' / 'translate.py'
    spec = importlib.util.spec_from_file_location('translate_tool', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(*args):
        monkeypatch.setattr(sys, 'argv', [
            'translate.py', str(checkpoints / 'egscit_quickstart.py'),
            str(checkpoints / 'egscit.pth'), *map(str, args)
        ])
        return module.main()

    return run


def save(path, *args, **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(*args, **kwargs)).save(path)
    return path


def pictures_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*')
                  if path.is_file() and path.name != 'translation.json')


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
    assert pictures_in(out) == names
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


def test_translate_goes_on_past_unreadable_files(translate, tmp_path, capsys):
    folder = tmp_path / 'content'
    folder.mkdir()
    Image.fromarray(picture(8, 8)).save(folder / 'good.png')
    (folder / 'broken.png').write_bytes((folder / 'good.png').read_bytes()[:60])
    (folder / 'named.png').mkdir()
    out = tmp_path / 'out'
    assert translate('--content', folder, '--exemplar', folder / 'good.png', '--out', out) == 1
    assert re.search('1 not translated:\n.*broken.png is not a readable image',
                     capsys.readouterr().err)
    assert pictures_in(out) == ['good.png']


@pytest.mark.parametrize('missing', ['--content', '--exemplar'])
def test_translate_names_what_is_missing(translate, tmp_path, missing):
    Image.fromarray(picture(8, 8)).save(tmp_path / 'a.png')
    (tmp_path / 'empty').mkdir()
    paths = {'--content': tmp_path / 'a.png', '--exemplar': tmp_path / 'a.png'}
    for path, message in ((tmp_path / 'none', 'does not exist'),
                          (tmp_path / 'empty', 'holds no images')):
        paths[missing] = path
        with pytest.raises(ConversionError, match=message):
            translate(*[x for pair in paths.items() for x in pair], '--out', tmp_path / 'out')


def test_translate_every_content_after_every_exemplar(translate, inferencer, tmp_path):
    contents = [save(tmp_path / 'content' / name, 8, 9, seed=seed)
                for seed, name in enumerate(['a.png', 'b/c.jpg'])]
    exemplars = [save(tmp_path / f'{name}.png', 8, 8, seed=10 + seed)
                 for seed, name in enumerate('xy')]
    out = tmp_path / 'out'
    assert translate('--content', tmp_path / 'content', '--exemplar', *exemplars, '--out', out,
                     '--pairing', 'all', '--masks', '--html') == 0
    assert pictures_in(out) == sorted([
        'index.html', *(f'{folder}{name}/{file}' for name in 'xy' for folder, file in (
            ('', 'a.png'), ('', 'b/c.jpg'), ('masks/', 'a.png'), ('masks/', 'b/c.png')))])
    for name, exemplar in zip('xy', exemplars):
        wanted, mask = inferencer(contents[0], exemplar, return_masks=True)
        for file, image in ((out / name / 'a.png', wanted), (out / f'masks/{name}/a.png', mask)):
            assert np.abs(np.array(Image.open(file)).astype(int) - image).max() <= 1
    # JPEG loses some of these random pixels, but not all.
    wanted = inferencer(contents[1], exemplars[0])
    with Image.open(out / 'x/b/c.jpg') as written:
        assert written.format == 'JPEG'
        assert np.abs(np.array(written).astype(int) - wanted).mean() < 20
    page = (out / 'index.html').read_text()
    links = re.findall('src="(.*?)"', page)
    assert len(links) == 2 * 2 * 4
    assert all((out / link).is_file() for link in links)


def test_page_escapes_names(translate, tmp_path):
    content = save(tmp_path / 'content' / '<b>50% "ü".png', 8, 8)
    translate('--content', content, '--exemplar', content, '--out', tmp_path / 'out', '--html')
    page = (tmp_path / 'out' / 'index.html').read_text(encoding='utf-8')
    assert '<b>' not in page and '&lt;b&gt;50% &#34;ü&#34;.png' in page
    assert 'src="%3Cb%3E50%25%20%22%C3%BC%22.png"' in page


def test_matrix_picture(translate, inferencer, tmp_path):
    contents = [save(tmp_path / f'content{seed}.png', 8, 8, seed=seed) for seed in range(2)]
    exemplars = [save(tmp_path / f'exemplar{seed}.png', 8, 8, seed=9 + seed) for seed in range(3)]
    translate('--content', str(tmp_path / 'content*.png'), '--exemplar',
              str(tmp_path / 'exemplar*.png'), '--out', tmp_path / 'out', '--pairing', 'matrix')
    matrix = np.array(Image.open(tmp_path / 'out' / 'matrix.png')).astype(int)
    assert matrix.shape == (3 * 10 + 2, 4 * 10 + 2, 3)  # cells of 8 pixels, 2 between them

    def cell(row, column):
        return matrix[2 + 10 * row:10 + 10 * row, 2 + 10 * column:10 + 10 * column]

    for m, content in enumerate(contents, 1):
        assert np.abs(cell(m, 0) - np.array(Image.open(content))).max() <= 1
        for n, exemplar in enumerate(exemplars, 1):
            assert np.abs(cell(0, n) - np.array(Image.open(exemplar))).max() <= 1
            assert np.abs(cell(m, n) - inferencer(content, exemplar)).max() <= 1
    assert len(np.unique(cell(0, 0))) == 1


def test_a_second_run_does_what_is_missing(translate, tmp_path, monkeypatch):
    for name in 'abc':
        save(tmp_path / 'content' / f'{name}.png', 8, 8, seed=ord(name))
    exemplar = save(tmp_path / 'exemplar.png', 8, 8)
    out = tmp_path / 'out'

    def run(*args):
        return translate('--content', tmp_path / 'content', '--exemplar', exemplar, '--out', out,
                         '--batch-size', 2, *args)

    run()
    before = {name: (out / f'{name}.png').stat() for name in 'abc'}
    wanted = (out / 'b.png').read_bytes()
    (out / 'b.png').unlink()
    run('--html')
    assert (out / 'b.png').read_bytes() == wanted
    for name in 'ac':
        assert (out / f'{name}.png').stat().st_mtime_ns == before[name].st_mtime_ns
    assert (out / 'index.html').read_text().count('<img') == 9
    # What is there must be what this run would make.
    with pytest.raises(ConversionError, match='made with another target_domain, which'):
        run('--target-domain', 'A')
    exemplar = save(tmp_path / 'other.png', 8, 8)
    with pytest.raises(ConversionError, match='made with another exemplars, which'):
        run()


def test_an_added_content_keeps_the_random_exemplars(tmp_path):
    exemplars = {Path(f'{n}.png'): Path(f'exemplar/{n}.png') for n in range(5)}

    def drawn(names):
        contents = {Path(name): Path('content') / name for name in names}
        return {pair.name.name: pair.exemplar for pair in pair_images(
            contents, exemplars, 'random', 3)}

    few, many = drawn('bdf'), drawn('abcdefghijkl')
    assert few == {name: many[name] for name in 'bdf'}
    assert len(set(many.values())) > 2


def test_refused(translate, tmp_path):
    one, other = (save(tmp_path / folder / 'a.png', 8, 8) for folder in ('one', 'other'))
    out = tmp_path / 'out'
    with pytest.raises(ConversionError, match='have the same name a.png'):
        translate('--content', one, other, '--exemplar', one, '--out', out)
    save(tmp_path / 'one' / 'a.jpg', 8, 8)
    with pytest.raises(ConversionError, match='would share the folder a: rename'):
        translate('--content', other, '--exemplar', tmp_path / 'one', '--out', out, '--pairing',
                  'all')
    with pytest.raises(ValueError, match="Unknown domain 'C'"):
        translate('--content', one, '--exemplar', one, '--out', out, '--target-domain', 'C')
    with pytest.raises(ConversionError, match='lies in --out'):
        translate('--content', one, '--exemplar', other, '--out', tmp_path / 'one')
    assert not out.exists()


def test_file_of_an_unknown_format(translate, tmp_path, capsys):
    content = save(tmp_path / 'a.png', 8, 8).rename(tmp_path / 'a.picture')
    exemplar = save(tmp_path / 'b.png', 8, 8)
    assert translate('--content', content, exemplar, '--exemplar', exemplar, '--out',
                     tmp_path / 'out') == 1
    assert "a.picture: unknown image format '.picture'" in capsys.readouterr().err
    assert pictures_in(tmp_path / 'out') == ['b.png']
