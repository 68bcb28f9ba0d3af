# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Translation of files by tools/translate.py."""
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image
from tiny_data import picture

from egscit_mm.apis import EGSCITInferencer
from egscit_mm.apis import translate as translate_module
from egscit_mm.apis.translate import encoded, pair_images
from egscit_mm.utils.errors import UserError
from egscit_mm.utils.listing import FoundImage


@pytest.fixture
def translate(checkpoints, monkeypatch):
    path = Path(__file__).parents[2] / 'tools' / 'translate.py'
    spec = importlib.util.spec_from_file_location('translate_tool', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(*args, model=(checkpoints / 'egscit_quickstart.py', checkpoints / 'egscit.pth')):
        monkeypatch.setattr(sys, 'argv', ['translate.py', *map(str, (*model, *args))])
        return module.main()

    return run


def save(path, *args, **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(*args, **kwargs)).save(path)
    return path


def pictures_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*')
                  if path.is_file() and path.name not in ('translation.json', '.translation.lock'))


def test_settings_of_the_config_can_be_overridden(translate, checkpoints, tmp_path):
    images = save(tmp_path / 'content.png', 12, 12, 0), save(tmp_path / 'exemplar.png', 12, 12, 1)
    arguments = ['--content', images[0], '--exemplar', images[1], '--out', tmp_path / 'out']
    translate(*arguments)
    masked = (tmp_path / 'out' / 'content.png').read_bytes()
    translate(*arguments, '--cfg-options', 'model.generator.eta=1.')  # no mask; made anew
    assert (tmp_path / 'out' / 'content.png').read_bytes() != masked
    with pytest.raises(UserError, match='model.generator.etta is no setting: did you mean eta'):
        translate(*arguments, '--cfg-options', 'model.generator.etta=1.')


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
    (folder / 'gone.png').symlink_to('nothing.png')
    (folder / 'gone').symlink_to('nothing')  # a folder, perhaps
    (folder / 'named.png').mkdir()
    out = tmp_path / 'out'
    assert translate('--content', folder, '--exemplar', folder / 'good.png', '--out', out) == 1
    assert re.search('3 not translated:\n.*broken.png is not a readable image.*\n'
                     '.*gone is not a readable image: it is a link that leads nowhere\n'
                     '.*gone.png is not a readable image: it is a link that leads nowhere\n',
                     capsys.readouterr().err)
    assert pictures_in(out) == ['good.png']


def test_an_unreadable_exemplar_is_named_once(translate, tmp_path, capsys):
    for seed in range(2):
        good = save(tmp_path / 'content' / f'{seed}.png', 8, 8, seed)
    (tmp_path / 'broken.png').write_bytes(good.read_bytes()[:60])
    assert translate('--content', tmp_path / 'content', '--exemplar', tmp_path / 'broken.png',
                     '--out', tmp_path / 'out') == 1
    printed = capsys.readouterr().err
    assert '2 not translated:' in printed
    assert printed.count('broken.png is not a readable image') == 1


def test_a_matrix_goes_on_past_unreadable_files(translate, tmp_path, capsys):
    paths = {side: [save(tmp_path / side / f'{name}.png', 8, 8, seed) for seed, name in
                    enumerate('ab')] for side in ('content', 'exemplar')}
    for side in paths:
        (tmp_path / side / 'broken.png').write_bytes(paths[side][0].read_bytes()[:60])

    def matrix(*exemplars, out, contents=(tmp_path / 'content', )):
        code = translate('--content', *contents, '--exemplar', *exemplars, '--out', tmp_path / out,
                         '--pairing', 'matrix')
        return code, capsys.readouterr()

    for _ in range(2):  # also where the picture is there already
        code, printed = matrix(tmp_path / 'exemplar', out='out')
        assert code == 1 and '2 contents after 2 exemplars' in printed.out
        assert re.search('2 not translated:\n.*content.broken.png is not a readable image.*\n'
                         '.*exemplar.broken.png is not a readable image', printed.err)
    assert matrix(*paths['exemplar'], out='whole', contents=paths['content'])[0] == 0
    assert len({(tmp_path / name / 'matrix.png').read_bytes() for name in ('out', 'whole')}) == 1
    code, printed = matrix(tmp_path / 'exemplar' / 'broken.png', out='none')
    assert code == 1 and 'exemplar/broken.png' in printed.err and not printed.out
    assert pictures_in(tmp_path / 'none') == []


@pytest.mark.parametrize('missing', ['--content', '--exemplar'])
def test_translate_names_what_is_missing(translate, tmp_path, missing):
    Image.fromarray(picture(8, 8)).save(tmp_path / 'a.png')
    (tmp_path / 'empty').mkdir()
    paths = {'--content': tmp_path / 'a.png', '--exemplar': tmp_path / 'a.png'}
    for path, message in ((tmp_path / 'none', 'does not exist'),
                          (tmp_path / 'empty', 'holds no images')):
        paths[missing] = path
        with pytest.raises(UserError, match=message):
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
        assert np.array_equal(cell(m, 0), np.array(Image.open(content)))
        for n, exemplar in enumerate(exemplars, 1):
            assert np.array_equal(cell(0, n), np.array(Image.open(exemplar)))
            assert np.abs(cell(m, n) - inferencer(content, exemplar)).max() <= 1
    assert (cell(0, 0) == 128).all() and (matrix[:2] == 128).all() and (matrix[:, -2:] == 128).all()


def test_a_matrix_of_photographs_fits_into_memory():
    """In a process of its own, whose peak is not that of other tests: bytes, and no numbers."""
    script = (
        'import egscit_mm, resource\n'
        'from PIL import Image\n'
        'from egscit_mm.apis.translate import translation_matrix\n'
        'images = [Image.new("RGB", (1024, 1024))] * 2\n'
        'peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n'
        'before = peak()\n'
        'picture = translation_matrix(lambda *args, **kwargs: [images], images, images)\n'
        'print((peak() - before) / (picture.size / 3))\n')
    result = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert float(result.stdout) < 24  # bytes for each pixel


def test_exemplars_without_a_content_are_told(translate, tmp_path, capsys):
    content = save(tmp_path / 'content.png', 8, 8)
    for seed in range(3):
        save(tmp_path / 'exemplar' / f'{seed}.png', 8, 8, seed)

    def printed(*options):
        translate('--content', content, '--exemplar', tmp_path / 'exemplar', '--out',
                  tmp_path / 'out', *options)
        return capsys.readouterr().out

    assert (f'2 of 3 exemplars, such as {tmp_path / "exemplar" / "1.png"}, are not used, for there '
            'are fewer contents: --pairing all and --pairing matrix use all') in printed()
    for options in (['--pairing', 'all'], ['--pairing', 'random'],
                    ['--exemplar-weights', 1, 1, 1]):
        assert 'not used' not in printed(*options)


def test_files_that_are_left_out_are_told(translate, tmp_path, capsys):
    for name in ('a.png', 'b.GIF', 'c.gif', 'notes', '.hidden.gif'):
        save(tmp_path / 'content' / 'x.png', 8, 8).rename(tmp_path / 'content' / name)
    exemplar = save(tmp_path / 'exemplar.png', 8, 8)
    translate('--content', tmp_path / 'content', '--exemplar', exemplar, '--out', tmp_path / 'out')
    printed = capsys.readouterr().out
    assert f'Left out of {tmp_path / "content"}, no images by their names: 2 .gif, ' in printed
    assert '1 without suffix' in printed and printed.count('Left out') == 1


def test_a_matrix_of_several_shapes_is_on_grey(translate, tmp_path):
    content = save(tmp_path / 'content.png', 8, 8)
    exemplar = save(tmp_path / 'exemplar.png', 8, 4)
    translate('--content', content, '--exemplar', exemplar, '--out', tmp_path / 'out',
              '--pairing', 'matrix')
    matrix = np.array(Image.open(tmp_path / 'out' / 'matrix.png')).astype(int)
    beside = np.concatenate([matrix[2:10, 12:14], matrix[2:10, 18:20]])
    assert np.abs(beside - 128).max() <= 1
    assert np.ptp(matrix[2:10, 14:18]) > 1


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


def test_what_has_changed_is_made_anew(translate, checkpoints, inferencer, tmp_path, capsys):
    """As make does: contents, exemplars, checkpoint, config and options count by what they are."""
    for seed, name in enumerate('ab'):
        save(tmp_path / 'content' / f'{name}.png', 8, 8, seed=seed)
        save(tmp_path / 'exemplar' / f'{name}.png', 8, 8, seed=8 + seed)
    out = tmp_path / 'out'
    model = [tmp_path / 'config.py', tmp_path / 'model.pth']
    shutil.copy(checkpoints / 'egscit_quickstart.py', model[0])
    shutil.copy(checkpoints / 'egscit.pth', model[1])

    def made(*args):
        """Names of the files that a run makes."""
        old = {path: path.stat().st_mtime_ns for path in out.rglob('*') if path.suffix == '.png'}
        assert translate('--content', tmp_path / 'content', '--exemplar', tmp_path / 'exemplar',
                         '--out', out, *args, model=model) == 0
        return {path.relative_to(out).as_posix() for path in out.rglob('*')
                if path.suffix == '.png' and old.get(path) != path.stat().st_mtime_ns}

    assert made('--masks') == {'a.png', 'b.png', 'masks/a.png', 'masks/b.png'}
    assert made('--masks') == set()
    # The time of a file does not count, only its content; that counts even at the same time.
    os.utime(tmp_path / 'content' / 'a.png')
    assert made('--masks') == set()
    exemplar = tmp_path / 'exemplar' / 'b.png'
    before = exemplar.stat()
    save(exemplar, 8, 8, seed=20)
    os.utime(exemplar, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert made('--masks') == {'b.png', 'masks/b.png'}
    assert 'made anew' in capsys.readouterr().out
    wanted = inferencer(tmp_path / 'content' / 'b.png', exemplar)
    assert np.abs(np.array(Image.open(out / 'b.png')).astype(int) - wanted).max() <= 1
    save(tmp_path / 'content' / 'a.png', 8, 8, seed=21)
    assert made('--masks') == {'a.png', 'masks/a.png'}
    # Options, exemplars and contents that come and go.
    assert made() == set()
    assert made('--target-domain', 'A') == {'a.png', 'b.png'}
    assert made() == {'a.png', 'b.png'}
    assert made('--amp') == {'a.png', 'b.png'}
    assert made('--amp', '--pairing', 'random', '--seed', 3) <= {'a.png', 'b.png'}
    assert made() == {'a.png', 'b.png'}
    save(tmp_path / 'exemplar' / 'aa.png', 8, 8, seed=22)  # now the second one
    assert made() == {'b.png'}
    (tmp_path / 'content' / 'b.png').unlink()
    assert made() == set() and (out / 'b.png').exists()
    assert 'files in' in capsys.readouterr().out
    # The model.
    changed = torch.load(model[1], weights_only=True)
    changed['state_dict'] = {key: value + 0.01 if value.is_floating_point() else value
                             for key, value in changed['state_dict'].items()}
    torch.save(changed, model[1])
    assert made() == {'a.png'}
    model[0].write_text(model[0].read_text() + "\nmodel['generator']['eta'] = 0.25\n")
    assert made() == {'a.png'}
    assert made() == set()


def test_a_matrix_is_made_anew_where_it_has_changed(translate, tmp_path):
    content, exemplar = (save(tmp_path / name, 8, 8, seed=seed)
                         for seed, name in enumerate(['c.png', 'e.png']))
    out = tmp_path / 'out'

    def matrix():
        translate('--content', content, '--exemplar', exemplar, '--out', out, '--pairing', 'matrix')
        return (out / 'matrix.png').read_bytes()

    first = matrix()
    assert matrix() == first
    save(exemplar, 8, 8, seed=5)
    assert matrix() != first


def test_a_file_that_no_run_made_is_not_replaced(translate, tmp_path):
    content = save(tmp_path / 'a.png', 8, 8)
    mine = save(tmp_path / 'out' / 'a.png', 4, 4)
    before = mine.read_bytes()
    with pytest.raises(UserError, match='does not say what it was made of'):
        translate('--content', content, '--exemplar', content, '--out', tmp_path / 'out')
    assert mine.read_bytes() == before


def test_a_second_run_in_the_same_folder_at_once(translate, tmp_path):
    """Each would drop the other's names from the record."""
    content, out = save(tmp_path / 'a.png', 8, 8), tmp_path / 'out'
    command = ['--content', content, '--exemplar', content, '--out', out]
    out.mkdir()
    with FileLock(out / '.translation.lock'):
        with pytest.raises(UserError, match=f'another translation writes to {out} at this moment'):
            translate(*command)
    assert pictures_in(out) == []
    for _ in range(2):
        assert translate(*command) == 0


CLASHES = {
    # Contents, exemplars (of the output folder where they begin with out/), options, message.
    'masks of two formats': (['in/x.png', 'in/x.jpg'], ['e.png'], ['--masks'],
                             'the mask of .*x.jpg and the mask of .*x.png: rename'),
    'mask and translation': (['in/a.png', 'in/masks/a.png'], ['e.png'], ['--masks'],
                             'the translation of .*masks/a.png and the mask of .*in/a.png'),
    'letters of two cases': (['in/a.png', 'in/A.png'], ['e.png'], [],
                             'one file, would be both the translation of .*A.png and'),
    'folders of two cases': (['in/s/a.png', 'in/S/a.png'], ['e.png'], [], 'one file'),
    'accents of two codes': (['in/\u00e9.png', 'in/e\u0301.png'], ['e.png'], [], 'one file'),
    'an exemplar': (['in/a.png'], ['out/a.png'], [], 'would replace .*out/a.png, which this run'),
    'an exemplar of a mask': (['in/a.png'], ['out/masks/a.png'], ['--masks'], 'would replace'),
    'an exemplar as matrix': (['in/a.png'], ['out/matrix.png'], ['--pairing', 'matrix'],
                              'matrix.png, the matrix, would replace'),
    'page and folder': (['in/index.html/a.png'], ['e.png'], ['--html'],
                        'both the results page and the folder of the translation of'),
    'masks of an exemplar called masks': (
        ['in/a.png', 'in/e/a.png'], ['masks.png', 'e.png'], ['--masks', '--pairing', 'all'],
        'would be both'),
}


@pytest.mark.parametrize('name', CLASHES)
def test_no_file_replaces_another(name, translate, tmp_path):
    contents, exemplars, options, message = CLASHES[name]
    for seed, path in enumerate([*contents, *exemplars]):
        save(tmp_path / path, 8, 8, seed=seed)
    before = {path: path.read_bytes() for path in tmp_path.rglob('*') if path.is_file()}
    with pytest.raises(UserError, match=message):
        translate('--content', tmp_path / 'in', '--exemplar',
                  *[tmp_path / path for path in exemplars], '--out', tmp_path / 'out', *options)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob('*') if path.is_file()}


def test_an_added_content_keeps_the_random_exemplars(tmp_path):
    exemplars = [FoundImage(Path(f'{n}.png'), Path(f'exemplar/{n}.png')) for n in range(5)]

    def drawn(names):
        contents = [FoundImage(Path(name), Path('content') / name) for name in names]
        return {pair.name.name: pair.exemplar for pair in pair_images(
            contents, exemplars, 'random', 3)}

    few, many = drawn('bdf'), drawn('abcdefghijkl')
    assert few == {name: many[name] for name in 'bdf'}
    assert len(set(many.values())) > 2


def test_exemplars_keep_their_order_and_repetitions(translate, inferencer, tmp_path):
    """Also those of one name in two folders: only contents give their names to results."""
    contents = [save(tmp_path / f'c{n}.png', 8, 8, n) for n in range(3)]
    first, second = (save(tmp_path / folder / 'e.png', 8, 8, 9 + seed)
                     for seed, folder in enumerate('ab'))
    exemplars = [first, first, second]
    command = ['--content', *contents, '--exemplar', *exemplars, '--out', tmp_path / 'out']
    translate(*command)
    translate(*command, '--pairing', 'matrix')
    matrix = np.array(Image.open(tmp_path / 'out' / 'matrix.png')).astype(int)
    assert matrix.shape == (4 * 10 + 2, 4 * 10 + 2, 3)
    for row, content in enumerate(contents):
        wanted = inferencer([content] * 3, exemplars)
        result = np.array(Image.open(tmp_path / 'out' / content.name)).astype(int)
        assert np.abs(result - wanted[row]).max() <= 1
        for column, image in enumerate(wanted):
            cell = matrix[12 + 10 * row:20 + 10 * row, 12 + 10 * column:20 + 10 * column]
            assert np.abs(cell - image).max() <= 1


def test_refused(translate, tmp_path):
    one, other = (save(tmp_path / folder / 'a.png', 8, 8) for folder in ('one', 'other'))
    out = tmp_path / 'out'
    with pytest.raises(UserError, match='have the same name a.png'):
        translate('--content', one, other, '--exemplar', one, '--out', out)
    with pytest.raises(UserError, match='content .*a.png is given twice'):
        translate('--content', one, one, '--exemplar', one, other, '--out', out)
    with pytest.raises(UserError, match='would share the folder a: rename'):
        translate('--content', one, '--exemplar', other, other, '--out', out, '--pairing', 'all')
    save(tmp_path / 'one' / 'a.jpg', 8, 8)
    with pytest.raises(UserError, match='would share the folder a: rename'):
        translate('--content', other, '--exemplar', tmp_path / 'one', '--out', out, '--pairing',
                  'all')
    with pytest.raises(ValueError, match="Unknown domain 'C'"):
        translate('--content', one, '--exemplar', one, '--out', out, '--target-domain', 'C')
    with pytest.raises(UserError, match='lies in --out'):
        translate('--content', one, '--exemplar', other, '--out', tmp_path / 'one')
    assert not out.exists()


def test_file_of_an_unknown_format(translate, tmp_path, capsys):
    content = save(tmp_path / 'a.png', 8, 8).rename(tmp_path / 'a.picture')
    exemplar = save(tmp_path / 'b.png', 8, 8)
    assert translate('--content', content, exemplar, '--exemplar', exemplar, '--out',
                     tmp_path / 'out') == 1
    assert "a.picture: unknown image format '.picture'" in capsys.readouterr().err
    assert pictures_in(tmp_path / 'out') == ['b.png']


@pytest.mark.parametrize('suffix', ['.png', '.webp', '.bmp', '.tiff', '.ppm'])
def test_nothing_is_lost_in_the_file(suffix):
    image = picture(12, 14)
    written = Image.open(io.BytesIO(encoded(image, suffix)))
    assert np.array_equal(np.array(written.convert('RGB')), image)


# ---------------------------------------------------------------------- threads beside the network
@pytest.fixture
def many(tmp_path):
    """Twelve contents, two of which cannot be read, and a command for them."""
    for index in range(12):
        save(tmp_path / 'content' / f'{index:02d}.png', 8, 8, seed=index)
    for name in ('03.png', '07.png'):
        (tmp_path / 'content' / name).write_bytes(b'no image')
    exemplar = save(tmp_path / 'e.png', 8, 8)
    return ['--content', tmp_path / 'content', '--exemplar', exemplar, '--out', tmp_path / 'out',
            '--batch-size', 2]


def test_files_are_read_and_written_beside_the_network(translate, many, monkeypatch, capsys):
    """In other threads; errors stay in order and name their files."""
    here, places = threading.get_ident(), {'read': set(), 'written': set()}

    def noting(kind, function):
        return lambda *args: (places[kind].add(threading.get_ident()), function(*args))[1]

    monkeypatch.setattr(translate_module, 'load_image',
                        noting('read', translate_module.load_image))
    monkeypatch.setattr(translate_module, 'write_output',
                        noting('written', translate_module.write_output))
    assert translate(*many) == 1
    assert places['read'] and places['written'] and here not in (
        places['read'] | places['written'])
    assert re.search('2 not translated:\n.*03.png is not .*\n.*07.png is not ',
                     capsys.readouterr().err)
    assert len(pictures_in(many[5])) == 10


def test_ctrl_c_while_the_network_runs(translate, many, monkeypatch):
    """What is there is whole, nothing else is, and the same command makes the rest."""
    calls = []

    def interrupted(self, *args, **kwargs):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return call(self, *args, **kwargs)

    call = EGSCITInferencer.__call__
    threads = threading.active_count()
    monkeypatch.setattr(EGSCITInferencer, '__call__', interrupted)
    with pytest.raises(KeyboardInterrupt):
        translate(*many)
    assert threading.active_count() <= threads
    there = pictures_in(many[5])
    assert set(there) <= {'00.png', '01.png', '02.png'}
    for name in there:
        Image.open(many[5] / name).load()
    assert translate(*many) == 1
    assert len(pictures_in(many[5])) == 10


def test_a_full_disk_stops_the_run(translate, many, monkeypatch):
    def full(path, content):
        if path.name == '02.png':
            raise UserError(f'cannot write {path}: No space left on device')
        write_output(path, content)

    write_output = translate_module.write_output
    monkeypatch.setattr(translate_module, 'write_output', full)
    with pytest.raises(UserError, match='cannot write .*02.png: No space left'):
        translate(*many)
    assert '02.png' not in pictures_in(many[5])


def test_large_images_are_alone_in_memory(translate, many, monkeypatch):
    """None is read before its turn, and each is a batch."""
    sizes, read = [], []
    monkeypatch.setattr(translate_module, 'PIXELS_AHEAD', 60)
    monkeypatch.setattr(translate_module, 'WHOLE_PIXELS', 60)
    load_image, call = translate_module.load_image, EGSCITInferencer.__call__
    monkeypatch.setattr(translate_module, 'load_image', lambda path: (
        read.append(path.name), load_image(path))[1])

    def counting(self, contents, *args, **kwargs):
        sizes.append(len(contents))
        assert len(set(read) - {'e.png', '03.png', '07.png'}) == len(sizes)
        return call(self, contents, *args, **kwargs)

    monkeypatch.setattr(EGSCITInferencer, '__call__', counting)
    translate(*many)
    assert sizes == [1] * 10


def test_tiles_on_the_command_line(translate, inferencer, tmp_path):
    content = save(tmp_path / 'content.png', 90, 70, seed=1)
    exemplar = save(tmp_path / 'exemplar.png', 80, 30, seed=2)
    assert translate('--content', content, '--exemplar', exemplar, '--out', tmp_path / 'out',
                     '--tile', 64, '--masks') == 0
    for file, wanted in zip(('content.png', 'masks/content.png'),
                            inferencer(content, exemplar, return_masks=True)):
        found = np.array(Image.open(tmp_path / 'out' / file)).astype(int)
        assert np.abs(found - wanted).max() <= 1
    # Tiles make the same picture: they are no reason to make it anew.
    before = (tmp_path / 'out' / 'content.png').stat().st_mtime_ns
    assert translate('--content', content, '--exemplar', exemplar, '--out', tmp_path / 'out',
                     '--tile', 0, '--masks') == 0
    assert (tmp_path / 'out' / 'content.png').stat().st_mtime_ns == before
