# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Translation of films, frame by frame."""
import importlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor
from tqdm import tqdm

from ..evaluation.functional.flicker import Flicker, flicker
from ..models.layers import channel_statistics
from ..models.layers.styles import Style, check_mixture
from ..utils.errors import RunError, UserError, check_file
from ..utils.files import (
    alone_in,
    atomic_path,
    check_outputs,
    read_json,
    read_tensors,
    write_output,
)
from ..utils.image_sizes import fitted
from ..utils.listing import find_images
from ..utils.records import fingerprint, recipe
from .inferencer import EGSCITInferencer

CODECS = {'.avi': 'MJPG', '.mkv': 'FFV1', '.mp4': 'mp4v'}  # what pip's OpenCV can write
CHUNK = 32  # frames between two states that a run can go on from
_STATE, _MADE_OF = 'state.pt', 'made_of.json'
Statistics = Tuple[Tensor, Tensor]


class Film(NamedTuple):
    """What the header of a film says.

    Args:
        path (Path): The file.
        frames (int): How many; 0 where the header does not say.
        fps (float): Frames per second.
    """

    path: Path
    frames: int
    fps: float

    def is_damaged(self, read: int) -> bool:
        """Whether so few frames could be read that some are missing.

        Some formats have no number of frames, but a length, so that it may be slightly wrong.
        """
        return read < self.frames - 1 - self.frames // 100


@dataclass
class FilmTranslation:
    """A film, exemplars and options of a translation into another film.

    Frames are translated in order and kept, without loss, in the folder OUT.parts until the film is
    written: an interrupted run goes on there, and memory does not grow with the film.

    Args:
        config (Config): Of the model, as :func:`egscit_mm.config.read_config` reads it.
        checkpoint (str): Its checkpoint, or a published file.
        content (Path): The film to translate.
        exemplar (Sequence[str]): Files, folders and patterns; several are mixed to one style.
        out (Path): The film to write; its suffix, one of :data:`CODECS`, chooses the format.
        weights (Sequence[float] | None): Of the exemplars; equal ones if None.
        strength (float): Of the style, see :class:`EGSCITInferencer`.
        mean_of (Sequence[str]): Images whose mean style is that of strength 0.
        smooth (float): Share of the frames before in the content statistics of AdaIN, 0 to below 1:
            s_t = smooth s_{t-1} + (1 - smooth) own_t. 0 is no smoothing.
        flicker (bool): Whether to measure the flicker of both films in the end.
        source_domain (str | None): Domain of the film; with two domains the other one if None.
        target_domain (str | None): Domain of the exemplars; the model's default if None.
        batch_size (int): So many frames are translated together.
        device (str | None): A GPU where there is one if None.
        amp (bool | None): As for :class:`EGSCITInferencer`.
    """

    config: Config
    checkpoint: str
    content: Path
    exemplar: Sequence[str]
    out: Path
    weights: Optional[Sequence[float]] = None
    strength: float = 1.
    mean_of: Sequence[str] = ()
    smooth: float = 0.
    flicker: bool = False
    source_domain: Optional[str] = None
    target_domain: Optional[str] = None
    batch_size: int = 4
    device: Optional[str] = None
    amp: Optional[bool] = None

    def run(self) -> Optional[Flicker]:
        """Translates the film, or what is missing of it, and says what was done.

        Returns:
            Flicker | None: Of the translation, if it was asked for.

        Raises:
            UserError: If the film cannot be read, or options, exemplars and model do not go
                together: before the first frame is translated. After the last one, if the film
                is damaged.
        """
        parts = self.out.with_name(f'{self.out.name}.parts')
        exemplars, mean_of = ([image.path for image in find_images(paths)]
                              for paths in (self.exemplar, self.mean_of))
        self._check(parts, exemplars, mean_of)
        film = open_film(self.content)
        inferencer = EGSCITInferencer(self.config, self.checkpoint, self.device, self.amp)
        self.amp = inferencer.amp
        source, target = inferencer.model.direction(self.source_domain, self.target_domain)
        generators = inferencer.model.inference_generators
        if self.smooth and not generators.takes_statistics:
            raise UserError(f'{self.config.filename}: smoothing needs EGSCIT with AdaIN, which '
                            'takes one mean and variance of a content; leave --smooth out.')
        if not mean_of:
            generators.check_strength(target, self.strength)
        parts.mkdir(parents=True, exist_ok=True)
        with alone_in(parts, 'translation', '--out'):
            self._keep_what_fits(parts, exemplars, mean_of, source, target)
            if mean_of:
                inferencer.keep_mean_style(tqdm(mean_of, 'mean style', leave=False), target)
            style = inferencer.style(exemplars, self.weights, self.strength, target)
            number = self._translate(inferencer, film, parts, style, source, target)
            if number < film.frames:
                print(f'{film.path}: {number} frames could be read, {film.frames} is what its '
                      'header promises.')
            measured = self._measure(film, parts, number) if self.flicker else None
            audio = write_film(self.out, kept_frames(parts, number), film.fps, number, film.path)
        print(f'{self.out}: {number} frames, {audio}')
        shutil.rmtree(parts)
        if film.is_damaged(number):
            raise RunError(f'{film.path} is damaged: {self.out} is the translation of the {number} '
                           f'frames that can be read, of {film.frames} that its header promises.')
        return measured

    def _check(self, parts: Path, exemplars: List[Path], mean_of: List[Path]) -> None:
        check_file(self.content, 'Film')
        check_film_name(self.out)
        if not 0 <= self.smooth < 1:
            raise UserError(f'--smooth must be at least 0 and below 1, got {self.smooth}')
        check_mixture(len(exemplars), self.weights or [1.] * len(exemplars))
        check_outputs([(self.out, 'the translated film'), (parts / _STATE, 'the state of the run')],
                      [self.config.filename, self.checkpoint, self.content, *exemplars, *mean_of])
        if os.path.lexists(self.out):
            raise UserError(f'{self.out} is there already: choose another name, or move it away.')
        if not (parts / _MADE_OF).is_file() and any(parts.glob('[!.]*')):
            raise UserError(f'{parts}, where the frames would be kept, holds something else: move '
                            'it away.')

    def _keep_what_fits(self, parts: Path, exemplars: List[Path], mean_of: List[Path], source: str,
                        target: str) -> None:
        """Removes the frames of an earlier run that was another translation."""
        made_of = recipe(
            *(fingerprint(path) for path in (self.content, self.checkpoint, *exemplars)),
            self.config.model, source, target, self.weights, self.strength,
            *(fingerprint(path) for path in mean_of), self.smooth, self.amp)
        record = parts / _MADE_OF
        if record.is_file() and read_json(record) != made_of:
            print(f'{parts}: the film, an exemplar, the model or an option has changed; the frames '
                  'that are there are made anew.')
            for part in parts.glob('[!.]*'):  # not the lock, which is held
                part.unlink()
        write_output(record, json.dumps(made_of).encode())

    def _translate(self, inferencer: EGSCITInferencer, film: Film, parts: Path, style: Style,
                   source: str, target: str) -> int:
        """Translates the frames that are missing; returns how many there are in all."""
        state = _read_state(parts / _STATE)
        done, statistics = state['frames'], state['statistics']
        if statistics is not None:
            statistics = tuple(part.to(inferencer.device) for part in statistics)
        frames = read_frames(film.path, done)
        with tqdm(total=film.frames or None, initial=done, unit='frame') as progress:
            while chunk := list(islice(frames, CHUNK)):
                for start in range(0, len(chunk), self.batch_size):
                    images, statistics = translate_frames(
                        inferencer, chunk[start:start + self.batch_size], style, source, target,
                        self.smooth, statistics)
                    for image in images:
                        # Not by Pillow, whose PNG takes longer than a small network.
                        _, data = cv2.imencode('.png', cv2.cvtColor(image, cv2.COLOR_RGB2BGR),
                                               [cv2.IMWRITE_PNG_COMPRESSION, 1])
                        write_output(_frame_path(parts, done), data.tobytes())
                        done += 1
                    progress.update(len(images))
                kept = statistics and tuple(part.cpu() for part in statistics)
                with atomic_path(parts / _STATE, sync=False) as path:
                    torch.save(dict(frames=done, statistics=kept), path)
        if not done:
            raise UserError(f'{film.path} holds no frame that can be read.')
        return done

    def _measure(self, film: Film, parts: Path, number: int) -> Flicker:
        measured = {}
        for name, frames in (('the film itself', read_frames(film.path)),
                             ('its translation', kept_frames(parts, number))):
            frames = tqdm(frames, f'flicker of {name}', number, leave=False, unit='frame')
            measured[name] = flicker(read_frames(film.path), frames)
            print(f'Flicker of {name}: {measured[name].error:.3f} of 255, over '
                  f'{measured[name].share:.1%} of the pixels')
        return measured['its translation']


def translate_frames(inferencer: EGSCITInferencer,
                     frames: Sequence[np.ndarray],
                     style: Style,
                     source: str,
                     target: str,
                     smooth: float = 0.,
                     statistics: Optional[Statistics] = None
                     ) -> Tuple[List[np.ndarray], Optional[Statistics]]:
    """Translates neighbouring frames of a film.

    Args:
        inferencer (EGSCITInferencer): Translates them.
        frames (Sequence[np.ndarray]): RGB, uint8, (H, W, 3).
        style: Of :meth:`EGSCITInferencer.style`.
        source (str): Domain of the film.
        target (str): Domain of the style.
        smooth (float): See :class:`FilmTranslation`.
        statistics (tuple[Tensor, Tensor] | None): What was returned for the frames before; None at
            the start of a film.

    Returns:
        tuple[list[np.ndarray], tuple | None]: The translations, RGB, uint8, (H, W, 3), and the
        smoothed mean and variance of the last frame, each (1, C, 1, 1); None without smoothing.
    """
    if not smooth:
        return inferencer.translate_to_style(
            list(frames), style, target, 'array', len(frames), source), None
    generators = inferencer.model.inference_generators

    def translation(images: Tensor) -> Tensor:
        nonlocal statistics
        height, width = images.shape[-2:]
        features = generators.masked_content(fitted(images, inferencer.model.stride), source)
        smoothed = []
        for own in zip(*(part.split(1) for part in channel_statistics(features))):
            if statistics is not None:
                own = tuple(smooth * before + (1 - smooth) * now
                            for before, now in zip(statistics, own))
            statistics = own
            smoothed.append(own)
        together = tuple(torch.cat(part) for part in zip(*smoothed))
        return generators.decode(features, style, target, together)[..., :height, :width]

    return inferencer.apply(translation, frames), statistics


# ----------------------------------------------------------------------------------------- files
def open_film(path: Path) -> Film:
    """Reads the header and the first frame of a film.

    Raises:
        UserError: If OpenCV can read neither.
    """
    next(read_frames(path))
    film = cv2.VideoCapture(os.fspath(path))
    try:
        fps = film.get(cv2.CAP_PROP_FPS)
        return Film(path, max(0, int(film.get(cv2.CAP_PROP_FRAME_COUNT))),
                    fps if 0 < fps < 1000 else 25.)
    finally:
        film.release()


def check_film_name(path: Path) -> None:
    """Refuses the name of a film of a format that is not written.

    Raises:
        UserError: If its suffix is none of :data:`CODECS`.
    """
    if path.suffix.lower() not in CODECS:
        raise UserError(f'{path}: films are written as {", ".join(CODECS)}; name it so.')


def read_frames(path: Path, start: int = 0) -> Iterator[np.ndarray]:
    """The frames of a film from number ``start`` on, RGB, uint8, (H, W, 3).

    Raises:
        UserError: If OpenCV cannot read the first one.
    """
    film = cv2.VideoCapture(os.fspath(path))
    try:
        # Decoded and thrown away: jumping goes to a wrong frame in many formats.
        there = all(film.grab() for _ in range(start)) and film.isOpened()
        read, frame = film.read() if there else (False, None)
        if not read and not start:
            raise UserError(f'{path} is not a film that OpenCV can read: its first frame cannot be '
                            'decoded. Convert it to MP4, for example.')
        while read:
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            read, frame = film.read()
    finally:
        film.release()


def _frame_path(parts: Path, number: int) -> Path:
    return parts / f'{number:08d}.png'


def kept_frames(parts: Path, number: int) -> Iterator[np.ndarray]:
    """The translated frames, RGB, uint8, (H, W, 3)."""
    for index in range(number):
        frame = cv2.imread(os.fspath(_frame_path(parts, index)))
        if frame is None:
            raise RunError(f'{_frame_path(parts, index)} cannot be read: remove {parts} and run '
                           'the command again.')
        yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)


def _read_state(path: Path) -> dict:
    if not path.is_file():
        return dict(frames=0, statistics=None)
    return read_tensors(path)


def write_film(out: Path, frames: Iterable[np.ndarray], fps: float, total: Optional[int] = None,
               audio_of: Optional[Path] = None) -> str:
    """Writes frames as a film.

    Args:
        out (Path): The film; a last odd row or column is cut off, as the codecs ask for.
        frames (Iterable[np.ndarray]): RGB, uint8, (H, W, 3), of one size.
        fps (float): Frames per second.
        total (int | None): How many frames there are, for the progress bar.
        audio_of (Path | None): A film whose audio to add, where ffmpeg is there.

    Returns:
        str: What became of the audio, as a phrase; empty where none was asked for.

    Raises:
        RunError: If OpenCV cannot write such a film.
    """
    suffix, codec, audio = out.suffix, CODECS[out.suffix.lower()], ''
    with atomic_path(out) as place:
        # Formats are known by the suffix, which the temporary file has not.
        silent, sounding = (place.with_name(f'{place.name}{kind}{suffix}') for kind in '01')
        writer = None
        try:
            for frame in tqdm(frames, f'writing {out.name}', total, leave=False, unit='frame'):
                height, width = (side // 2 * 2 for side in frame.shape[:2])
                if writer is None:
                    writer = cv2.VideoWriter(os.fspath(silent), cv2.VideoWriter_fourcc(*codec), fps,
                                             (width, height))
                    if not writer.isOpened():
                        raise RunError(f'OpenCV here cannot write {suffix} ({codec}) with frames '
                                       f'of {width} x {height}; try another of '
                                       f'{", ".join(CODECS)}.')
                writer.write(cv2.cvtColor(frame[:height, :width], cv2.COLOR_RGB2BGR))
            writer.release()
            if audio_of is not None:
                audio = add_audio(silent, audio_of, sounding)
            os.replace(sounding if sounding.exists() else silent, place)
        finally:
            for path in (silent, sounding):
                path.unlink(missing_ok=True)
    return audio


def add_audio(silent: Path, original: Path, out: Path) -> str:
    """Writes a film with the audio of another one, where ffmpeg can; returns what was done."""
    ffmpeg = find_ffmpeg()
    if ffmpeg is None:
        return ('without audio: ffmpeg is not here (pip install imageio-ffmpeg, or your '
                "system's package)")
    for codec in (['-c:a', 'copy'], []):  # where the format cannot hold the audio, encoded anew
        command = [ffmpeg, '-v', 'error', '-nostdin', '-y', '-i', os.fspath(silent), '-i',
                   os.fspath(original), '-map', '0:v:0', '-map', '1:a?', '-c:v', 'copy', *codec,
                   os.fspath(out)]
        done = subprocess.run(command, capture_output=True, text=True, errors='replace')
        if done.returncode == 0:
            return 'with the audio of the film, where it has any'
        out.unlink(missing_ok=True)
    return f'without audio: ffmpeg says {done.stderr.strip().splitlines()[-1:]}'


def find_ffmpeg() -> Optional[str]:
    """The program ffmpeg, of pip's imageio-ffmpeg or of the system; None where there is none."""
    try:
        return importlib.import_module('imageio_ffmpeg').get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        return shutil.which('ffmpeg')
