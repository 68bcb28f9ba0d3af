# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Tools outside a checkout find the package's own configs by their documented names."""
import pytest
from tool import Tool

from egscit_mm.apis import EGSCITInferencer
from egscit_mm.config import read_config

NAMES = ['configs/egscit/egscit_quickstart.py', 'egscit_mm::egscit/egscit_quickstart.py']


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize('name', NAMES)
class TestNames:

    @pytest.mark.parametrize('tool, out', [('report.py', 'out'), ('analysis/tsne.py', 'out.png')])
    def test_tools_go_on_to_the_checkpoint(self, name, tool, out):
        with pytest.raises(FileNotFoundError, match='nothing.pth'):
            Tool(tool)(name, 'nothing.pth', '--out', out)

    def test_the_loader_goes_on_to_the_data(self, name):
        with pytest.raises(SystemExit, match='trainA does not exist'):
            Tool('analysis/benchmark_dataloader.py')(name)

    def test_the_inferencer(self, name):
        with pytest.raises(FileNotFoundError, match='nothing.pth'):
            EGSCITInferencer(name, 'nothing.pth')


def test_what_there_is_not():
    with pytest.raises(FileNotFoundError, match='there is no file .*configs/egscit/nowhere.py'):
        read_config('egscit_mm::egscit/nowhere.py')
    with pytest.raises(ValueError, match='exist; the package has configs/egscit/egscit_celeba.py'):
        read_config('egscit_celeba.py')
    with pytest.raises(ValueError, match='exist; give a config file, see configs/egscit/'):
        read_config('nowhere.py')
