# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What the dataset converters share: reading, resizing, writing and keeping the books.

A converter plans one :class:`Job` per domain and hands them to :func:`convert`, which writes
CycleGAN's layout (``trainA``, ``testA``, ..., label maps beside them in ``trainA_labels19``,
``trainA_labels8``) with these promises:

- Every file appears complete or not at all, and a label map never without its image.
- An input that cannot be read stops nothing: it is named at the end, and the exit code is 1.
- The same command again skips what is done, and goes on after an interruption or a full disk.
- ``manifest.json`` says per domain what was made from what.
"""

import argparse
import hashlib
import io
import json
import os
import signal
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Callable, NamedTuple, Optional

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

MANIFEST = 'manifest.json'
IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp')
FORMATS = dict(
    png=dict(format='PNG', compress_level=3),
    jpg=dict(format='JPEG', quality=95, subsampling=0))  # 4:4:4, colours at full resolution
IGNORE = 255  # label of pixels that count in no score
NUM_NAMES_PRINTED = 50  # the manifest has them all

# Cityscapes' classes: train id, category and the colours that GTA5's label maps show them in.
# Colours shared by several classes stand at the class that has a train id: (153, 153, 153) is also
# pole group, (0, 0, 142) also licence plate.
CATEGORIES = ('void', 'flat', 'construction', 'object', 'nature', 'sky', 'human', 'vehicle')
CITYSCAPES = (
    ('unlabeled', IGNORE, 'void', (0, 0, 0)),
    ('static', IGNORE, 'void', (20, 20, 20)),
    ('dynamic', IGNORE, 'void', (111, 74, 0)),
    ('ground', IGNORE, 'void', (81, 0, 81)),
    ('road', 0, 'flat', (128, 64, 128)),
    ('sidewalk', 1, 'flat', (244, 35, 232)),
    ('parking', IGNORE, 'flat', (250, 170, 160)),
    ('rail track', IGNORE, 'flat', (230, 150, 140)),
    ('building', 2, 'construction', (70, 70, 70)),
    ('wall', 3, 'construction', (102, 102, 156)),
    ('fence', 4, 'construction', (190, 153, 153)),
    ('guard rail', IGNORE, 'construction', (180, 165, 180)),
    ('bridge', IGNORE, 'construction', (150, 100, 100)),
    ('tunnel', IGNORE, 'construction', (150, 120, 90)),
    ('pole', 5, 'object', (153, 153, 153)),
    ('traffic light', 6, 'object', (250, 170, 30)),
    ('traffic sign', 7, 'object', (220, 220, 0)),
    ('vegetation', 8, 'nature', (107, 142, 35)),
    ('terrain', 9, 'nature', (152, 251, 152)),
    ('sky', 10, 'sky', (70, 130, 180)),
    ('person', 11, 'human', (220, 20, 60)),
    ('rider', 12, 'human', (255, 0, 0)),
    ('car', 13, 'vehicle', (0, 0, 142)),
    ('truck', 14, 'vehicle', (0, 0, 70)),
    ('bus', 15, 'vehicle', (0, 60, 100)),
    ('caravan', IGNORE, 'vehicle', (0, 0, 90)),
    ('trailer', IGNORE, 'vehicle', (0, 0, 110)),
    ('train', 16, 'vehicle', (0, 80, 100)),
    ('motorcycle', 17, 'vehicle', (0, 0, 230)),
    ('bicycle', 18, 'vehicle', (119, 11, 32)),
)


class ConversionError(Exception):
    """Stops a conversion; the message is for the user."""


class BadInputError(Exception):
    """One input that cannot be used; the conversion goes on without it."""


class LeftOutError(Exception):
    """One input that is left out on purpose, such as a frame known to be inconsistent."""


class Files:
    """The files of zip archives, folders and single files, as one read-only collection.

    Names are relative to the archive or folder, with ``/``. Hidden files and macOS's resource
    forks are no files. Safe to use in forked worker processes: each opens the archives itself.

    Args:
        paths (Iterable[Path]): Zip archives (by their suffix ``.zip``), folders (searched
            recursively) and files.
        suffixes (Iterable[str]): Lower-case suffixes of the files wanted.

    Attributes:
        names (list[str]): The names, sorted.
        ignored (Counter[str]): Number of files with other suffixes, by suffix.

    Raises:
        ConversionError: If a path does not exist, an archive is damaged, a name appears twice, or
            there is no file with such a suffix at all.
    """

    def __init__(self, paths: Iterable[Path], suffixes: Iterable[str]) -> None:
        self._place = {}  # path by name
        self._crc = {}  # of the files in archives
        self._archives = {}  # opened ones by process and path
        self.ignored = Counter()
        suffixes = tuple(suffixes)
        paths = list(paths)
        for path in paths:
            for name, crc in _listing(path):
                parts = PurePosixPath(name).parts
                if parts[0] == '__MACOSX' or any(part.startswith('.') and part != '..'
                                                 for part in parts):
                    continue
                suffix = PurePosixPath(name).suffix.lower()
                if suffix not in suffixes:
                    self.ignored[suffix] += 1
                    continue
                if parts[0] == '/' or '..' in parts:
                    raise ConversionError(f'{path} holds a file named {name!r}, which points out '
                                          'of it: such an archive is not to be trusted')
                if name in self._place:
                    raise ConversionError(f'{name} is in {self._place[name]} and in {path}: give '
                                          'only one of them')
                self._place[name] = path
                if crc is not None:
                    self._crc[name] = crc
        if not self._place:
            found = ', '.join(f'{count} {suffix or "without suffix"}'
                              for suffix, count in sorted(self.ignored.items())) or 'nothing'
            hint = '; give the archives themselves, not their folder' if '.zip' in found else ''
            raise ConversionError(f"no {'/'.join(suffixes)} files in "
                                  f"{', '.join(map(str, paths))}, found {found}{hint}")
        self.names = sorted(self._place)

    def read(self, name: str) -> bytes:
        """Content of a file.

        Args:
            name (str): One of ``names``.

        Returns:
            bytes: The content.

        Raises:
            BadInputError: If it cannot be read, or an archive's checksum does not fit.
        """
        path = self._place[name]
        try:
            if name in self._crc:
                return self._archive(path).read(name)
            return _file_of(path, name).read_bytes()
        # Whatever a damaged archive makes zipfile raise (NotImplementedError, RuntimeError, ...).
        except (OSError, EOFError, RuntimeError, ValueError, zipfile.BadZipFile,
                zlib.error) as error:
            raise BadInputError(f'{name} cannot be read from {path}: {error}') from error

    def summary(self, names: Iterable[str]) -> dict:
        """What identifies the content of some files, wherever they lie.

        Args:
            names (Iterable[str]): Some of ``names``.

        Returns:
            dict: ``files`` (number) and ``md5`` of the lines ``<CRC-32 as 8 hex digits> <name>`` of
            the sorted names. An archive has the CRC-32 in its directory; files in folders are read.
        """
        names = sorted(names)
        lines = hashlib.md5(usedforsecurity=False)
        in_folders = any(name not in self._crc for name in names)
        for name in tqdm(names, desc='checksums', unit='file', disable=not in_folders):
            crc = self._crc[name] if name in self._crc else zlib.crc32(self.read(name))
            lines.update(f'{crc:08x} {name}\n'.encode())
        return dict(files=len(names), md5=lines.hexdigest())

    def _archive(self, path: Path) -> zipfile.ZipFile:
        # Per process: forked processes that share an open file move each other's position.
        key = os.getpid(), path
        if key not in self._archives:
            self._archives[key] = zipfile.ZipFile(path)
        return self._archives[key]


def _listing(path: Path) -> Iterator[tuple[str, Optional[int]]]:
    """Names in a path, with their CRC-32 in archives."""
    if path.is_dir():
        for folder, _, files in os.walk(path, onerror=_refuse_unreadable, followlinks=True):
            for file in files:
                yield Path(folder, file).relative_to(path).as_posix(), None
    elif path.suffix.lower() == '.zip' and path.is_file():
        try:
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
        except (zipfile.BadZipFile, OSError) as error:
            raise ConversionError(
                f'{path} is damaged or truncated ({error}): get this archive again. Nothing was '
                'written; run the same command when it is there') from error
        for entry in entries:
            if not entry.is_dir():
                yield entry.filename, entry.CRC
    elif path.is_file():
        yield path.name, None
    else:
        raise ConversionError(f'{path} does not exist; give a zip archive or a folder')


def _refuse_unreadable(error: OSError) -> None:
    raise ConversionError(f'cannot list {error.filename}: {error.strerror}') from error


def _file_of(path: Path, name: str) -> Path:
    return path / name if path.is_dir() else path


class Task(NamedTuple):
    """One image to convert.

    Args:
        name (str): What to call it in reports.
        inputs (dict[str, tuple[str, str]]): Source and file name by role, such as
            ``image=('images', 'images/00001.png')``.
        outputs (dict[str, str]): Paths relative to the output folder by what
            ``Job.render`` returns. The training image stands last: it is written when all others
            are there.
    """

    name: str
    inputs: dict[str, tuple[str, str]]
    outputs: dict[str, str]


@dataclass
class Job:
    """All that is to be made of one domain.

    Args:
        domain (str): Name of the domain, the ending of the folder names.
        tasks (list[Task]): The images.
        sources (dict[str, Files]): The sources that the tasks name.
        render (Callable): From the contents of a task's inputs by role to its output images by
            key. May raise BadInputError and LeftOutError.
        settings (dict): What decides the bytes of the output beside the sources; JSON values.
        failed (dict[str, str]): Reasons why inputs cannot be used, as far as known before any is
            opened, such as a missing label, by name.
        excluded (dict[str, int]): Number of inputs that were not asked for, by reason.
    """

    domain: str
    tasks: list[Task]
    sources: dict[str, Files]
    render: Callable[[dict[str, bytes]], dict[str, Image.Image]]
    settings: dict
    failed: dict[str, str] = field(default_factory=dict)
    excluded: dict[str, int] = field(default_factory=dict)


# Images


def decode(content: bytes, role: str = 'image') -> Image.Image:
    """Open an image and read it to its end.

    Args:
        content (bytes): Of an image file; the first picture of several counts.
        role (str): What to call it in the error.

    Returns:
        Image.Image: The image in its own mode, turned upright as its EXIF data say.

    Raises:
        BadInputError: If it is no image or is damaged.
    """
    try:
        image = Image.open(io.BytesIO(content))
        image.load()
        return ImageOps.exif_transpose(image)
    except Exception as error:  # each format of Pillow fails in its own way
        raise BadInputError(f'the {role} cannot be decoded: {error}') from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert any image to 8-bit RGB.

    Grey values are repeated, 16-bit ones scaled to 0..255, transparent pixels laid on white.

    Args:
        image (Image.Image): Of any mode but 32-bit float.

    Returns:
        Image.Image: The same picture in mode RGB.

    Raises:
        BadInputError: If the image holds floats or integers of more than 16 bits, whose range is
            unknown.
    """
    if image.mode.startswith('I'):  # Pillow's convert() would clip 16-bit values at 255
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise BadInputError(f'the image has values of {values.min()}..{values.max()}: save it '
                                'with 8 or 16 bits')
        image = Image.fromarray(np.round(values / 257).astype(np.uint8))
    if image.mode == 'F':
        raise BadInputError('the image has floating-point pixels: save it with 8 or 16 bits')
    if image.mode in ('RGBA', 'RGBa', 'LA', 'La', 'PA') or 'transparency' in image.info:
        image = image.convert('RGBA')
        image = Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image)
    return image.convert('RGB')


def stretch(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize an RGB image to (height, width), whatever its shape; Lanczos, without aliasing."""
    height, width = size
    return image.resize((width, height), Image.Resampling.LANCZOS)


def crop(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize to (height, width) the largest centred part of the image that has this shape."""
    height, width = size
    return ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)


def stretch_labels(labels: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize a label map of any mode to (height, width), nearest neighbour."""
    height, width = size
    return labels.resize((width, height), Image.Resampling.NEAREST)


def train_ids_of_colours(labels: Image.Image) -> dict[str, Image.Image]:
    """Turn a label map in Cityscapes' colours into class numbers.

    Args:
        labels (Image.Image): In colours, with a palette or RGB.

    Returns:
        dict[str, Image.Image]: ``labels19``: train ids 0..18, 255 for all else. ``labels8``: the
        number of the class's category in :data:`CATEGORIES`, 0 (void) to 7. Both of mode L.

    Raises:
        BadInputError: If a colour is none of Cityscapes'.
    """
    pixels = np.asarray(labels.convert('RGB')).astype(np.int32) @ _COLOUR_CODE
    places = np.minimum(np.searchsorted(_COLOURS, pixels), len(_COLOURS) - 1)
    unknown = np.unique(pixels[_COLOURS[places] != pixels]).tolist()
    if unknown:
        named = ', '.join(str((code >> 16, code >> 8 & 255, code & 255)) for code in unknown[:5])
        raise BadInputError(f"the label has {len(unknown)} colours that are not Cityscapes' (RGB "
                            f'{named}): is it a colour label map?')
    return {key: Image.fromarray(values[places]) for key, values in _IDS_OF_COLOURS.items()}


def categories_of_train_ids(labels: Image.Image) -> dict[str, Image.Image]:
    """Add the eight categories to a map of train ids.

    Args:
        labels (Image.Image): One channel, train ids 0..18 or 255.

    Returns:
        dict[str, Image.Image]: ``labels19``: the same. ``labels8``: numbers in
        :data:`CATEGORIES`; 255 becomes 0 (void), also where the class had a category.

    Raises:
        BadInputError: If the map has other values or several channels.
    """
    if labels.mode not in ('L', 'P'):
        raise BadInputError(f'the label is of mode {labels.mode}, not a one-channel map of train '
                            'ids')
    ids = np.asarray(labels)
    unknown = np.setdiff1d(ids, [*range(19), IGNORE]).tolist()
    if unknown:
        raise BadInputError(f'the label has the values {unknown[:5]}: expected train ids 0..18 and '
                            f'{IGNORE}')
    return dict(labels19=Image.fromarray(ids), labels8=Image.fromarray(_CATEGORY_OF_TRAIN_ID[ids]))


_COLOUR_CODE = np.array([1 << 16, 1 << 8, 1], np.int32)
_BY_COLOUR = sorted((int(np.array(colour) @ _COLOUR_CODE), train_id, CATEGORIES.index(category))
                    for _, train_id, category, colour in CITYSCAPES)
_COLOURS = np.array([code for code, _, _ in _BY_COLOUR], np.int32)
_IDS_OF_COLOURS = dict(
    labels19=np.array([train_id for _, train_id, _ in _BY_COLOUR], np.uint8),
    labels8=np.array([category for _, _, category in _BY_COLOUR], np.uint8))
_CATEGORY_OF_TRAIN_ID = np.zeros(256, np.uint8)
for _code, _train_id, _category in _BY_COLOUR:
    if _train_id != IGNORE:
        _CATEGORY_OF_TRAIN_ID[_train_id] = _category


# Plans


def output_paths(split: str, domain: str, name: str, image_format: str,
                 with_labels: bool = False) -> dict[str, str]:
    """Where the outputs of an image go.

    Args:
        split (str): 'train' or 'test'.
        domain (str): Name of the domain.
        name (str): Name of the image without suffix; may have folders.
        image_format (str): A key of :data:`FORMATS`.
        with_labels (bool): Whether there are label maps, too.

    Returns:
        dict[str, str]: Paths relative to the output folder for ``image`` (last) and, before it,
        ``labels19`` and ``labels8``.
    """
    folder = split + domain
    labels = ('labels19', 'labels8') if with_labels else ()
    return {**{key: f'{folder}_{key}/{name}.png' for key in labels},
            'image': f'{folder}/{name}.{image_format}'}


def draw_test_names(names: Iterable[str], fraction: float, seed: int) -> set[str]:
    """Draw a test set.

    Args:
        names (Iterable[str]): All names.
        fraction (float): Share of the test set, 0 < fraction < 1; at least one name is drawn.
        seed (int): Chooses the names; a name keeps its place when others come or go.

    Returns:
        set[str]: The names drawn.

    Raises:
        ConversionError: If there are fewer than two names.
    """
    names = sorted(names)
    if len(names) < 2:
        raise ConversionError(f'only {len(names)} image: too few for a training and a test set')
    count = min(max(round(fraction * len(names)), 1), len(names) - 1)
    rank = {name: hashlib.md5(f'{seed} {name}'.encode(), usedforsecurity=False).digest()
            for name in names}
    return set(sorted(names, key=rank.get)[:count])


def by_stem(names: Iterable[str], suffix: str = '') -> dict[str, str]:
    """Names by their last part without extension and without ``suffix``.

    Raises:
        ConversionError: If two names have the same stem.
    """
    found = {}
    for name in names:
        stem = PurePosixPath(name).stem.removesuffix(suffix)
        if stem in found:
            raise ConversionError(f'{found[stem]} and {name} have the same name: give only the '
                                  'archive or folder that is meant')
        found[stem] = name
    return found


# Command lines


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that all converters have."""
    parser.add_argument('--out', type=Path, required=True, help='folder to write')
    parser.add_argument(
        '--format', choices=list(FORMATS), default='png', help='of the images: png loses nothing, '
        'jpg (quality 95) is smaller and faster to read (default: %(default)s)')
    parser.add_argument(
        '--workers', type=int, default=os.cpu_count(), help='worker processes; 0 converts in this '
        'one (default: all %(default)s cores)')


def add_size_argument(parser: argparse.ArgumentParser, default: Optional[tuple[int, int]]) -> None:
    """Add ``--size``; without a default it is required."""
    parser.add_argument(
        '--size', nargs=2, type=positive, metavar=('H', 'W'), default=default,
        required=default is None, help='height and width of the images; the networks want '
        'multiples of 4' + (f' (default: {default[0]} {default[1]})' if default else ''))


def add_split_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of :func:`draw_test_names`."""
    parser.add_argument(
        '--test-fraction', type=fraction, default=0.1, metavar='F',
        help='share of the images that become the test set (default: %(default)s)')
    parser.add_argument(
        '--seed', type=int, default=0, help='chooses the test images (default: %(default)s)')


def positive(text: str) -> int:
    """An integer above 0, for argparse."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f'must be at least 1, got {text}')
    return int(text)


def fraction(text: str) -> float:
    """A number between 0 and 1, for argparse."""
    if not 0 < float(text) < 1:
        raise argparse.ArgumentTypeError(f'must be between 0 and 1, got {text}')
    return float(text)


def domain_name(text: str) -> str:
    """A domain name, for argparse: it becomes part of folder names."""
    if not (text.isascii() and text.isalnum()):
        raise argparse.ArgumentTypeError(f'must be letters and digits such as A, got {text!r}')
    return text


def exit_with(main: Callable[[], int]) -> None:
    """Run a converter's main function and leave with its exit code, or with a readable error."""
    try:
        sys.exit(main())
    except ConversionError as error:
        sys.exit(f'Error: {error}')
    except KeyboardInterrupt:
        sys.exit('Interrupted. What is done is kept: run the same command to go on')


# The work


def convert(jobs: list[Job], out: Path, workers: int) -> int:
    """Do the jobs of one output folder, showing progress and what is left to do.

    All jobs are checked against the folder before the first one starts.

    Args:
        jobs (list[Job]): One per domain.
        out (Path): The folder; other domains that it holds stay as they are.
        workers (int): Worker processes, 0 for none.

    Returns:
        int: Exit code: 0, or 1 if some inputs could not be used.

    Raises:
        ConversionError: If ``out`` holds something else for these domains, or cannot be written.
    """
    for job in jobs:
        _refuse_duplicates(job)
    pending = [_pending(job, out) for job in jobs]
    # A list: every job is done, whatever the exit codes of those before it.
    return max([_do(job, tasks, out, workers) for job, tasks in zip(jobs, pending)])


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that appears complete or not at all.

    Args:
        path (Path): The file; its folder is made if needed.
        content (bytes): All of it.

    Raises:
        ConversionError: If it cannot be written, such as on a full disk.
    """
    temporary = path.with_name(f'{path.name}.{os.getpid()}.tmp')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(content)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ConversionError(f'cannot write {path}: {error.strerror}. What is done is kept: cure '
                              'this and run the same command to go on') from error


def _refuse_duplicates(job: Job) -> None:
    """Move tasks that would write the same file as another one to the failed inputs."""
    owner = {}
    for task in job.tasks:
        path = task.outputs['image']
        if path in owner:
            job.failed[task.name] = f'would become {path}, as {owner[path]} does: rename one'
        else:
            owner[path] = task.name
    job.tasks = [task for task in job.tasks if owner[task.outputs['image']] == task.name]


def _read_manifest(out: Path) -> dict:
    path = out / MANIFEST
    if not path.exists():
        return dict(domains={})
    try:
        manifest = json.loads(path.read_text())
        return dict(domains=dict(manifest['domains']))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConversionError(f'{path} was not written by this converter ({error!r}): choose '
                              'another --out') from error


def _write_section(out: Path, domain: str, section: dict) -> None:
    # Read again: another domain may have been written since.
    manifest = _read_manifest(out)
    manifest['domains'][domain] = section
    write_atomically(out / MANIFEST, (json.dumps(manifest, indent=1) + '\n').encode())


def _pending(job: Job, out: Path) -> list[Task]:
    """Tasks not done yet; refuses a folder that holds other images for the domain."""
    if not job.tasks:
        raise ConversionError(f'no images for domain {job.domain}'
                              + ''.join(f'; {name} {why}' for name, why in
                                        list(job.failed.items())[:3])
                              + ''.join(f'; {count} excluded: {why}'
                                        for why, count in job.excluded.items()))
    previous = _read_manifest(out)['domains'].get(job.domain)
    settings = json.loads(json.dumps(job.settings))
    if previous is not None and previous.get('settings') != settings:
        old = previous.get('settings', {})
        differing = ', '.join(f'{key} was {old.get(key)!r}, now {settings.get(key)!r}'
                              for key in sorted({*old, *settings})
                              if old.get(key) != settings.get(key))
        raise ConversionError(f'{out} holds domain {job.domain} with other settings ({differing}): '
                              'choose another --out, or delete its folders and its manifest')
    planned = {path for task in job.tasks for path in task.outputs.values()}
    present = set()
    for folder in {path.split('/')[0] for path in planned} | {
            split + job.domain for split in ('train', 'test')}:
        for path in (out / folder).rglob('*'):
            if path.suffix == '.tmp':  # of a run that was killed
                path.unlink()
            elif path.suffix.lower() in IMAGE_SUFFIXES:
                present.add(path.relative_to(out).as_posix())
    unknown = sorted(present if previous is None else present - planned)
    if unknown:
        raise ConversionError(
            f'{out} holds {len(unknown)} images that this command does not make, such as '
            f'{unknown[0]}: the source or the split has changed, or they are of other origin. '
            'Choose another --out, or delete them')
    return [task for task in job.tasks if not present.issuperset(task.outputs.values())]


def _do(job: Job, pending: list[Task], out: Path, workers: int) -> int:
    section = _read_manifest(out)['domains'].get(job.domain, {})
    if not pending and not job.failed and section.get('complete'):
        print(f'{out}: domain {job.domain} is already complete, nothing to do')
        return 0
    _write_section(out, job.domain, dict(complete=False, settings=job.settings))
    failed, left_out = dict(job.failed), {}
    # Closed at once on an error, or the workers would go through all their tasks first.
    with closing(_outcomes(job, pending, out, workers)) as outcomes, \
            tqdm(total=len(pending), desc=f'domain {job.domain}', unit='img') as progress:
        for task, (kind, reason) in zip(pending, outcomes):
            if kind is BadInputError:
                failed[task.name] = reason
            elif kind is LeftOutError:
                left_out[task.name] = reason
            progress.update()

    done = [task for task in job.tasks if task.name not in failed and task.name not in left_out]
    names = {source: set() for source in job.sources}
    for task in done:
        for source, name in task.inputs.values():
            names[source].add(name)
    counts = Counter(path.split('/')[0] for task in done for path in task.outputs.values())
    _write_section(out, job.domain, dict(
        complete=True,
        settings=job.settings,
        counts=dict(sorted(counts.items())),
        sources={source: files.summary(names[source]) for source, files in job.sources.items()},
        excluded=job.excluded,
        left_out=left_out,
        failed=failed))
    _report(job, out, counts, left_out, failed)
    return 1 if failed else 0


def _report(job: Job, out: Path, counts: dict, left_out: dict, failed: dict) -> None:
    print(f'{out}: ' + (', '.join(f'{count} in {folder}' for folder, count in
                                  sorted(counts.items())) or 'nothing'))
    for reason, count in job.excluded.items():
        print(f'  not used: {count} ({reason})')
    for title, reasons, stream in (('left out', left_out, sys.stdout),
                                   ('could not be used', failed, sys.stderr)):
        if reasons:
            print(f'{len(reasons)} of domain {job.domain} {title}:', file=stream)
            for name in sorted(reasons)[:NUM_NAMES_PRINTED]:
                print(f'  {name}: {reasons[name]}', file=stream)
            if len(reasons) > NUM_NAMES_PRINTED:
                print(f'  ... and {len(reasons) - NUM_NAMES_PRINTED} more: {out / MANIFEST}',
                      file=stream)


def _outcomes(job: Job, tasks: list[Task], out: Path,
              workers: int) -> Iterator[tuple[Optional[type], str]]:
    """Convert tasks, in order; of each the exception that kept it from being done, and why."""
    convert_here = partial(_convert_task, job.sources, job.render, out)
    if workers == 0:
        yield from map(convert_here, tasks)
        return
    try:
        with ProcessPoolExecutor(
                workers, initializer=_start_worker, initargs=(convert_here, )) as pool:
            yield from pool.map(_convert_in_worker, tasks, chunksize=8)
    except BrokenProcessPool as error:
        raise ConversionError('a worker process was killed, perhaps for lack of memory. What is '
                              'done is kept: run the same command with fewer --workers') from error


def _start_worker(convert_here: Callable) -> None:
    global _convert_here
    _convert_here = convert_here
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it lets them finish


def _convert_in_worker(task: Task) -> tuple[Optional[type], str]:
    return _convert_here(task)


def _convert_task(sources: dict[str, Files], render: Callable, out: Path,
                  task: Task) -> tuple[Optional[type], str]:
    contents = {}
    try:
        for role, (source, name) in task.inputs.items():
            contents[role] = sources[source].read(name)
        images = render(contents)
    except (BadInputError, LeftOutError) as reason:
        return type(reason), str(reason)
    written = []
    try:
        for key, path in task.outputs.items():
            write_atomically(out / path, _encode(images[key], Path(path).suffix[1:]))
            written.append(out / path)
    except ConversionError:
        for path in written:
            path.unlink()
        raise
    return None, ''


def _encode(image: Image.Image, image_format: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, **FORMATS[image_format])
    return buffer.getvalue()
