# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Translation of films by tools/translate_video.py."""
import subprocess

import numpy as np
import pytest
import torch
from filelock import FileLock
from inference_fixtures import folder
from PIL import Image
from tiny_data import picture
from tool import Tool

from egscit_mm.apis import EGSCITInferencer, video
from egscit_mm.models.layers import channel_statistics
from egscit_mm.utils.cli import exit_with
from egscit_mm.utils.errors import UserError

__all__ = ['folder']
EXEMPLAR = picture(16, 16, 9)


@pytest.fixture(scope='module')
def egscit(folder):
    return EGSCITInferencer(folder / 'egscit.py', folder / 'egscit.pth')


def frames_of(path):
    return list(video.read_frames(path))


@pytest.fixture
def frames():
    return [picture(16, 24, seed) for seed in range(7)]


@pytest.fixture
def translate(folder, frames, tmp_path):
    tool = Tool('translate_video.py')
    video.write_film(tmp_path / 'film.mkv', frames, 12)
    Image.fromarray(EXEMPLAR).save(tmp_path / 'exemplar.png')

    def run(*args, out='out.mkv', model='egscit', film='film.mkv', exemplar=('exemplar.png', )):
        tool(folder / f'{model}.py', folder / f'{model}.pth', '--content', tmp_path / film,
             '--exemplar', *(tmp_path / name for name in exemplar), '--out', tmp_path / out, *args)
        return frames_of(tmp_path / out)

    return run


def near(results, wanted):
    return len(results) == len(wanted) and all(
        np.abs(one.astype(int) - other).max() <= 1 for one, other in zip(results, wanted))


@pytest.mark.parametrize('model', ['egscit', 'munit'])
def test_without_smoothing_every_frame_is_translated_alone(translate, folder, frames, model,
                                                           tmp_path, capsys):
    results = translate(model=model)
    inferencer = EGSCITInferencer(folder / f'{model}.py', folder / f'{model}.pth')
    assert near(results, inferencer(frames, EXEMPLAR))
    film = video.open_film(tmp_path / 'out.mkv')
    assert (film.frames, film.fps) == (7, 12)
    assert not (tmp_path / 'out.mkv.parts').exists()
    assert '7 frames, with' in capsys.readouterr().out


@pytest.mark.parametrize('option, amp', [((), True), (('--no-amp', ), False)])
def test_films_are_computed_in_bfloat16_where_images_are(translate, monkeypatch, option, amp):
    monkeypatch.setattr('egscit_mm.utils.cpu.computes_in_amx', lambda: True)
    used = []
    plain = video.translate_frames
    monkeypatch.setattr(video, 'translate_frames', lambda inferencer, *args: (
        used.append(inferencer.amp), plain(inferencer, *args))[1])
    translate(*option)
    assert set(used) == {amp}


def smoothed_by_hand(egscit, frames, smooth):
    """One frame after the other, with the statistics written out."""
    net, style, results, state = egscit.model.inference_generators, egscit.style(EXEMPLAR), [], None
    for frame in frames:
        image = torch.tensor(frame).permute(2, 0, 1)[None].float() / 127.5 - 1
        with torch.no_grad():
            features = net.masked_content(image, 'A')
            own = torch.stack(channel_statistics(features))
            state = own if state is None else smooth * state + (1 - smooth) * own
            result = net.decode(features, style, 'B', tuple(state))
        results.append(((result[0].clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0)
                       .numpy())
    return results


@pytest.mark.parametrize('batch_size', [1, 3])
def test_statistics_are_smoothed_over_time(translate, egscit, frames, batch_size):
    results = translate('--smooth', 0.8, '--batch-size', batch_size)
    assert near(results, smoothed_by_hand(egscit, frames, 0.8))
    assert not near(results, egscit(frames, EXEMPLAR))


def test_a_static_film_stays_static(translate, egscit, tmp_path):
    video.write_film(tmp_path / 'static.mkv', [picture(16, 24)] * 5, 12)
    results = translate('--smooth', 0.9, film='static.mkv')
    assert near(results, [egscit(picture(16, 24), EXEMPLAR)] * 5)


def test_an_interrupted_run_goes_on(translate, monkeypatch, tmp_path):
    monkeypatch.setattr(video, 'CHUNK', 2)
    wanted = translate('--smooth', 0.8)
    plain, seen = video.translate_frames, []

    def interrupted(inferencer, frames, *args):
        if len(seen) == 5:
            raise KeyboardInterrupt
        seen.extend(frames)
        return plain(inferencer, frames, *args)

    with monkeypatch.context() as patch:
        patch.setattr(video, 'translate_frames', interrupted)
        with pytest.raises(KeyboardInterrupt):
            translate('--smooth', 0.8, '--batch-size', 1, out='again.mkv')
    assert not (tmp_path / 'again.mkv').exists()
    translated = []

    def counted(inferencer, frames, *args):
        translated.extend(frames)
        return plain(inferencer, frames, *args)

    monkeypatch.setattr(video, 'translate_frames', counted)
    assert near(translate('--smooth', 0.8, '--batch-size', 1, out='again.mkv'), wanted)
    assert len(translated) == 3  # of 7; two chunks of 2 were whole


def test_other_options_begin_anew(translate, monkeypatch, egscit, frames, capsys):
    monkeypatch.setattr(video, 'write_film', lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        translate('--smooth', 0.8)
    monkeypatch.undo()
    assert near(translate(), egscit(frames, EXEMPLAR))
    assert 'are made anew' in capsys.readouterr().out


def test_a_second_run_of_the_same_film_at_once(translate, monkeypatch, tmp_path):
    parts = tmp_path / 'out.mkv.parts'
    parts.mkdir()
    with FileLock(parts / '.translation.lock'), monkeypatch.context() as patch:
        patch.setattr(video, 'translate_frames', lambda *args: pytest.fail('translated'))
        with pytest.raises(UserError, match=f'another translation writes to {parts} at this'):
            translate()
    assert len(translate()) == 7
    assert not parts.exists()


def test_mixture_and_strength(translate, folder, frames, tmp_path):
    other = picture(16, 16, 10)
    Image.fromarray(other).save(tmp_path / 'other.png')
    model = EGSCITInferencer(folder / 'egscit.py', folder / 'egscit.pth')
    model.keep_mean_style([EXEMPLAR, other])
    results = translate('--exemplar-weights', 3, 1, '--strength', 0.5, '--mean-of',
                        tmp_path / 'exemplar.png', tmp_path / 'other.png',
                        exemplar=('exemplar.png', 'other.png'))
    style = model.style([EXEMPLAR, other], [3, 1], 0.5)
    assert near(results, model.translate_to_style(frames, style))


@pytest.mark.parametrize('out', ['out.mp4', 'out.avi'])
def test_other_formats_and_odd_sizes(translate, tmp_path, out):
    video.write_film(tmp_path / 'plain.mkv', [np.full((34, 48, 3), 90, np.uint8)] * 3, 12)
    assert len(translate(film='plain.mkv', out=out)) == 3
    grey = np.linspace(0, 255, 47, dtype=np.uint8)[None, :, None].repeat(33, 0).repeat(3, 2)
    assert video.write_film(tmp_path / f'odd_{out}', [grey] * 3, 12) == ''
    results = frames_of(tmp_path / f'odd_{out}')
    assert [frame.shape for frame in results] == [(32, 46, 3)] * 3  # as their codecs ask for
    # These formats lose something.
    assert np.abs(results[1].astype(int) - grey[:32, :46]).mean() < 6
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([
        'exemplar.png', 'film.mkv', 'plain.mkv', out, f'odd_{out}'])


@pytest.mark.parametrize('suffix', ['.mkv', '.avi'])
def test_a_damaged_film_is_named_and_the_exit_code_is_1(translate, egscit, tmp_path, suffix):
    film = tmp_path / f'long{suffix}'
    video.write_film(film, [picture(16, 24, seed) for seed in range(40)], 12)
    film.write_bytes(film.read_bytes()[:film.stat().st_size * 3 // 5])
    whole = frames_of(film)
    assert 10 < len(whole) < 38
    with pytest.raises(SystemExit) as exit_:
        exit_with(lambda: translate(film=film.name))
    assert exit_.value.code == (
        f'Error: {film} is damaged: {tmp_path / "out.mkv"} is the translation of the {len(whole)} '
        'frames that can be read, of 40 that its header promises.')
    assert near(frames_of(tmp_path / 'out.mkv'), egscit(whole, EXEMPLAR))
    assert not (tmp_path / 'out.mkv.parts').exists()


@pytest.mark.parametrize('promised, read, damaged', [
    (0, 5, False), (40, 40, False), (40, 39, False), (40, 38, True), (1000, 990, False),
    (1000, 980, True), (40, 50, False)])
def test_headers_count_roughly(promised, read, damaged):
    assert video.Film(None, promised, 25.).is_damaged(read) == damaged


def test_flicker_is_measured(translate, tmp_path, capsys):
    video.write_film(tmp_path / 'static.mkv', [picture(16, 24)] * 4, 12)
    translate('--flicker', film='static.mkv')
    printed = capsys.readouterr().out
    assert 'Flicker of the film itself: 0.000 of 255' in printed
    assert 'Flicker of its translation: 0.000 of 255' in printed


def test_bad_input_ends_before_the_first_frame(translate, frames, tmp_path, monkeypatch):
    monkeypatch.setattr(video, 'translate_frames', lambda *args: pytest.fail('translated'))
    (tmp_path / 'text.mp4').write_text('no film')
    (tmp_path / 'empty.mp4').touch()
    (tmp_path / 'there.mkv').touch()
    for message, options in (
            ("Film '.*none.mkv' does not exist", dict(film='none.mkv')),
            ('text.mp4 is not a film that OpenCV can read', dict(film='text.mp4')),
            ('empty.mp4 is not a film', dict(film='empty.mp4')),
            ('out.gif: films are written as .avi, .mkv, .mp4', dict(out='out.gif')),
            ('there.mkv is there already', dict(out='there.mkv')),
            ('would replace', dict(out='film.mkv')),
            ('none.png does not exist', dict(exemplar=('none.png', )))):
        with pytest.raises(UserError, match=message):
            translate(**options)
    for message, args in (('must be at least 0 and below 1', ('--smooth', 1)),
                          ('2 weights for 1 exemplars', ('--exemplar-weights', 1, 2)),
                          ('--mean-of DIR', ('--strength', 0.5))):
        with pytest.raises(UserError, match=message):
            translate(*args)
    with pytest.raises(UserError, match='smoothing needs EGSCIT with AdaIN'):
        translate('--smooth', 0.5, model='munit')
    (tmp_path / 'out.mkv.parts').mkdir()
    (tmp_path / 'out.mkv.parts' / 'mine.txt').touch()
    with pytest.raises(UserError, match='holds something else'):
        translate()


def test_audio_is_kept_where_ffmpeg_is(translate, tmp_path, capsys):
    ffmpeg = video.find_ffmpeg()
    if ffmpeg is None:
        pytest.skip('ffmpeg is not here (pip install imageio-ffmpeg)')
    subprocess.run([ffmpeg, '-v', 'error', '-i', str(tmp_path / 'film.mkv'), '-f', 'lavfi', '-i',
                    'sine=duration=0.5', '-c:v', 'copy', str(tmp_path / 'loud.mkv')], check=True)
    assert len(translate(film='loud.mkv', out='loud.mp4')) == 7
    about = subprocess.run([ffmpeg, '-i', str(tmp_path / 'loud.mp4')], capture_output=True,
                           text=True).stderr
    assert 'Audio:' in about and 'Video: mpeg4' in about
    assert 'with the audio of the film' in capsys.readouterr().out


def test_without_ffmpeg_it_says_so(translate, monkeypatch, capsys):
    monkeypatch.setattr(video, 'find_ffmpeg', lambda: None)
    assert len(translate()) == 7
    assert 'without audio: ffmpeg is not here (pip install imageio-ffmpeg' in (
        capsys.readouterr().out)
