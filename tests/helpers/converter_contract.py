# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What every converter of archives keeps; its test class inherits the tests."""
import pytest
from tiny_sources import converter, fill_disk, run_converter, tree, truncate

from egscit_mm.datasets.conversion import ConversionError
from egscit_mm.utils.errors import UserError


class ConverterContract:
    """Tests that are the same for all converters.

    Attributes:
        name (str): The script, without suffix.
        words (tuple[str]): What its --help must say beside its docstring.
        disk_space (int): After how many written files the disk is full.
        files_left (int): How many of them belong to finished images.
    """

    name, words, disk_space, files_left = '', (), 0, 0

    @pytest.fixture
    def source(self):
        """A function that converts good sources, ``run(out, workers=0)``, and their archives."""
        raise NotImplementedError

    def test_help_says_where_the_data_comes_from(self, capsys):
        with pytest.raises(SystemExit):
            run_converter(self.name, '--help')
        text = capsys.readouterr().out
        assert converter(self.name).__doc__ in text
        assert all(word in text for word in self.words)

    def test_worker_processes_give_the_same_files(self, source, tmp_path):
        run, _ = source
        assert run(tmp_path / 'here') == run(tmp_path / 'there', workers=2) == 0
        assert tree(tmp_path / 'here') == tree(tmp_path / 'there')

    def test_a_truncated_archive_is_named_and_nothing_written(self, source, tmp_path):
        run, archives = source
        for archive in archives:
            whole = archive.read_bytes()
            truncate(archive)
            with pytest.raises(ConversionError, match=f'{archive.name} is damaged or truncated'):
                run(tmp_path / 'out')
            assert not (tmp_path / 'out').exists()  # all were looked at before
            archive.write_bytes(whole)

    def test_a_full_disk_leaves_whole_files_and_the_next_call_the_rest(
            self, source, tmp_path, monkeypatch):
        run, _ = source
        run(tmp_path / 'whole')
        with monkeypatch.context() as patched:
            fill_disk(patched, after=self.disk_space)
            with pytest.raises(UserError, match='No space left on device'):
                run(tmp_path / 'out')
        left, whole = tree(tmp_path / 'out'), tree(tmp_path / 'whole')
        del left['manifest.json']
        assert len(left) == self.files_left and left.items() < whole.items()
        assert run(tmp_path / 'out') == 0
        assert tree(tmp_path / 'out') == whole
