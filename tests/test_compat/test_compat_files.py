# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import multiprocessing
import os
import resource
import signal
from pathlib import Path

import pytest
from mmengine.fileio import LocalBackend


def test_written_files_are_as_before(tmp_path):
    backend = LocalBackend()
    backend.put(b'data', tmp_path / 'new' / 'a.pth')
    backend.put_text('täxt', str(tmp_path / 'a.txt'), encoding='latin-1')
    (tmp_path / 'plain').write_bytes(b'')
    assert (tmp_path / 'new' / 'a.pth').read_bytes() == b'data'
    assert (tmp_path / 'a.txt').read_bytes() == 'täxt'.encode('latin-1')
    assert (tmp_path / 'a.txt').stat().st_mode == (tmp_path / 'plain').stat().st_mode
    assert sorted(p.name for p in tmp_path.rglob('*')) == ['a.pth', 'a.txt', 'new', 'plain']


def test_links_and_devices_stay(tmp_path):
    (tmp_path / 'file').write_bytes(b'old')
    (tmp_path / 'link').symlink_to('file')
    LocalBackend().put(b'new', tmp_path / 'link')
    assert (tmp_path / 'link').is_symlink() and (tmp_path / 'file').read_bytes() == b'new'
    LocalBackend().put(b'x', '/dev/null')
    assert not Path('/dev/null').is_file()


def test_full_disk_keeps_the_old_file_and_leaves_no_rest(tmp_path):
    path = tmp_path / 'iter_1.pth'
    path.write_bytes(b'old')
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError):
            LocalBackend().put(bytes(100_000), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b'old' and list(tmp_path.iterdir()) == [path]


def test_ctrl_c_leaves_no_rest(tmp_path, monkeypatch):

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, 'replace', interrupt)
    with pytest.raises(KeyboardInterrupt):
        LocalBackend().put(b'new', tmp_path / 'iter_1.pth')
    assert not list(tmp_path.iterdir())


def die_while_saving(path):
    os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)
    LocalBackend().put(b'new', path)


def test_kill_keeps_the_old_file(tmp_path):
    path = tmp_path / 'iter_1.pth'
    path.write_bytes(b'old')
    process = multiprocessing.get_context('fork').Process(target=die_while_saving, args=(path, ))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert path.read_bytes() == b'old'
