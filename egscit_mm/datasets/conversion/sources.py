# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Reading from zip archives and folders."""
import hashlib
import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Optional

from tqdm import tqdm

from ...utils.errors import BadInputError
from ...utils.listing import is_hidden, is_image_name, walk_files
from .errors import ConversionError


class Files:
    """The files of zip archives, folders and single files, as one read-only collection.

    Names are relative to the archive or folder, with ``/``. Which files of a folder are found says
    :func:`egscit_mm.utils.listing.walk_files`; hidden files of archives are none either. Safe to
    use in forked worker processes: each opens the archives itself.

    Args:
        paths (Iterable[Path]): Zip archives (by their suffix ``.zip``), folders (searched
            recursively) and files.
        suffixes (Iterable[str]): Lower-case suffixes of the files wanted.

    Attributes:
        paths (list[Path]): As given.
        names (list[str]): The names, sorted.
        ignored (Counter[str]): Number of files with other suffixes, by suffix.

    Raises:
        ConversionError: If a path does not exist, an archive is damaged or encrypted, a name
            appears twice, or there is no file with such a suffix at all.
    """

    def __init__(self, paths: Iterable[Path], suffixes: Iterable[str]) -> None:
        self._place = {}  # path by name
        self._crc = {}  # of the files in archives
        self._archives = {}  # opened ones by process and path
        self.ignored = Counter()
        suffixes = tuple(suffixes)
        self.paths = list(paths)
        for path in self.paths:
            for name, crc in _listing(path):
                parts = PurePosixPath(name).parts
                if any(is_hidden(part) for part in parts if part != '..'):
                    continue
                suffix = PurePosixPath(name).suffix.lower()
                if suffix not in suffixes and not is_image_name(path, name, suffixes):
                    self.ignored[suffix] += 1
                    continue
                if parts[0] == '/' or '..' in parts:
                    raise ConversionError(f'{path} holds a file named {name!r}, which points out '
                                          'of it: such an archive is not to be trusted')
                if self._place.get(name) == path:
                    raise ConversionError(f'{name} is twice in {path}: pack it again with one')
                if name in self._place:
                    raise ConversionError(f'{name} is in {self._place[name]} and in {path}: give '
                                          'only one of them')
                self._place[name] = path
                if crc is not None:
                    self._crc[name] = crc
        if not self._place:
            found = ', '.join(f'{count} {suffix or "without suffix"}'
                              for suffix, count in sorted(self.ignored.items())) or 'nothing'
            hint = ('; give these archives themselves, not what holds them'
                    if '.zip' in self.ignored else '')
            raise ConversionError(f"no {'/'.join(suffixes)} files in "
                                  f"{', '.join(map(str, self.paths))}, found {found}{hint}")
        self.names = sorted(self._place)

    def read(self, name: str) -> bytes:
        """Content of a file.

        Raises:
            BadInputError: If it cannot be read, or an archive's checksum does not fit.
        """
        path = self._place[name]
        try:
            if name in self._crc:
                return self._archive(path).read(name)
            file = self._place_of(name)
            if file.exists() and not file.is_file():  # reading a pipe would wait for ever
                raise OSError('not a regular file')
            return file.read_bytes()
        # Whatever a damaged archive makes zipfile raise (NotImplementedError, RuntimeError, ...).
        except (OSError, EOFError, RuntimeError, ValueError, zipfile.BadZipFile,
                zlib.error) as error:
            raise BadInputError(f'{name} cannot be read from {path}: {error}') from error

    def time(self, name: str) -> int:
        """When a file, or the archive that it lies in, was last written; nanoseconds."""
        try:
            return os.stat(self._place_of(name)).st_mtime_ns
        except OSError:  # reading it will say why
            return 0

    def _place_of(self, name: str) -> Path:
        path = self._place[name]
        return path / name if name not in self._crc and path.is_dir() else path

    def summary(self, names: Iterable[str], known: Mapping[str, int] = {}) -> dict:
        """What identifies the content of some files, wherever they lie.

        Args:
            names (Iterable[str]): Some of ``names``.
            known (Mapping[str, int]): CRC-32 of those that were read already, by name.

        Returns:
            dict: ``files`` (number) and ``md5`` of the lines ``<CRC-32 as 8 hex digits> <name>`` of
            the sorted names. An archive has the CRC-32 in its directory; other files are read.
        """
        crcs = {**known, **self._crc}
        names = sorted(names)
        unread = [name for name in names if name not in crcs]
        for name in tqdm(unread, desc='checksums', unit='file', disable=not unread):
            crcs[name] = zlib.crc32(self.read(name))
        lines = hashlib.md5(usedforsecurity=False)
        for name in names:
            lines.update(f'{crcs[name]:08x} {name}\n'.encode(errors='surrogateescape'))
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
        try:
            for name in walk_files(path):
                yield name, None
        except BadInputError as error:
            raise ConversionError(str(error)) from error
    elif path.suffix.lower() == '.zip' and path.is_file():
        try:
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
        except OSError as error:
            raise ConversionError(f'cannot read {path}: {error.strerror}') from error
        except zipfile.BadZipFile as error:
            raise ConversionError(
                f'{path} is damaged or truncated ({error}): get this archive again. Nothing was '
                'written; run the same command when it is there') from error
        for entry in entries:
            if entry.flag_bits & 1:
                raise ConversionError(f'{path} is encrypted ({entry.filename}): unpack it and give '
                                      'the folder')
            if not entry.is_dir():
                yield entry.filename, entry.CRC
    elif path.is_file():
        yield path.name, None
    else:
        raise ConversionError(f'{path} does not exist: expected a zip archive, a folder or a file')
