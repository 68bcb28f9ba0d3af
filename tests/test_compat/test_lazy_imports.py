# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What waits, that it waits, and that nothing is lost by it."""
import importlib.metadata
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from fresh_process import run_python, write_package

TESTS = Path(__file__).parents[1]
# What egscit_mm must neither need nor load.
FOREIGN = ('diffusers', 'transformers', 'huggingface_hub', 'albumentations', 'einops', 'click',
           'requests', 'sklearn', 'pandas', 'lpips', 'controlnet_aux', 'face_alignment', 'av')


def run_with_package(code, *arguments):
    """Run ``code`` in a fresh process that finds egscit_mm and the helpers of the tests."""
    path = os.pathsep.join(map(str, [TESTS.parent, TESTS, *sys.path]))
    result = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', textwrap.dedent(code), *map(str, arguments)],
        env={**os.environ, 'PYTHONPATH': path}, capture_output=True, text=True, timeout=300,
        cwd=TESTS.parent)
    assert result.returncode == 0, result.stderr
    return result.stdout


# ---------------------------------------------------------------------------------- the mechanism
HOST = '''
    import missing_module
    from json import loads, missing_name
    from missing_module import Thing as thing, other
    if 'json':
        from json import missing_too
        known = ['missing_too']
    try:
        import missing_again
        has_again = True
    except ImportError:
        has_again = False

    __all__ = ['use', 'thing', 'parse']

    def use() -> missing_module:
        return thing.value

    def parse(text: thing = None):
        thing_2 = other
        return loads(text), thing_2

    def flag():
        return has_again
'''
DEFER_HOST = '''
    compat.lazy_imports.DEFERRED = {
        'host.waiting': {'missing_module', 'thing', 'other', 'missing_again', 'has_again',
                         'missing_name', 'missing_too'}}
    compat.defer_imports()
    compat.defer_imports()
    assert [type(f).__name__ for f in sys.meta_path].count('_Finder') == 1
    import host.waiting
'''


def test_statements_wait_until_their_names_are_looked_up(tmp_path):
    write_package(tmp_path, 'host', waiting=HOST)
    lines = run_python(textwrap.dedent(DEFER_HOST) + textwrap.dedent('''
        from host.waiting import *
        print(host.waiting.__all__, 'thing' in globals(), sorted(host.waiting.__waiting__))
        for look_up in (use, lambda: host.waiting.missing_module, lambda: host.waiting.nothing,
                        lambda: host.waiting.missing_name, lambda: host.waiting.missing_too):
            try:
                look_up()
            except (AttributeError, ImportError) as error:
                print(error)
        print(host.waiting.flag(), hasattr(host.waiting, 'known'))
        import json, types
        json.missing_name, json.missing_too = 1, 2
        print(host.waiting.missing_name, host.waiting.missing_too, host.waiting.known)
        sys.modules['missing_module'] = types.ModuleType('missing_module')
        sys.modules['missing_module'].Thing = types.SimpleNamespace(value=7)
        sys.modules['missing_module'].other = 8
        from host.waiting import thing
        print(use(), thing.value, parse('[1]'), 'thing' in vars(host.waiting))
    '''), tmp_path).splitlines()
    assert lines == [
        "['use', 'parse'] False ['has_again', 'missing_again', 'missing_module', 'missing_name', "
        "'missing_too', 'other', 'thing']",
        "No module named 'missing_module'", "No module named 'missing_module'",
        "module 'host.waiting' has no attribute 'nothing'",
        *(f"cannot import name '{name}' from 'json' ({json.__file__})"
          for name in ('missing_name', 'missing_too')),
        'False False', "1 2 ['missing_too']", '7 7 ([1], 8) True'
    ]


def test_a_traceback_shows_the_line_of_the_released_file(tmp_path):
    write_package(tmp_path, 'host', waiting=HOST)
    out = run_python(textwrap.dedent(DEFER_HOST) + textwrap.dedent('''
        import traceback
        try:
            host.waiting.parse('no json')
        except ValueError:
            traceback.print_exc(file=sys.stdout)
    '''.replace('host.waiting.parse', 'vars(host.waiting).update(other=1) or host.waiting.parse')),
        tmp_path)
    assert 'return loads(text), thing_2' in out


# --------------------------------------------------------------------------- the installed MMagic
@pytest.fixture(scope='module')
def imported():
    """What a process has imported and deferred, after the package and after MMagic's tools, too."""
    return json.loads(run_with_package('''
        import importlib, json, sys
        import egscit_mm, egscit_mm.apis
        loaded = list(sys.modules)
        import mmagic.apis
        from egscit_mm.compat.lazy_imports import DEFERRED
        misfits = {name: sorted(names - importlib.import_module(name).__waiting__
                                | importlib.import_module(name).__waiting__ - names)
                   for name, names in DEFERRED.items()}
        print(json.dumps([loaded, {name: names for name, names in misfits.items() if names}]))
    '''))


def test_the_table_fits_the_installed_packages(imported):
    """Every name in it is bound by a top-level statement that can wait."""
    misfits = imported[1]
    misfits.pop('torchvision.ops.roi_align', None)  # torchvision before it had this import
    assert misfits == {}


def test_nothing_slow_is_loaded_by_the_import(imported):
    """PyTorch loads _dynamo itself at the first step of an optimiser."""
    assert not {*FOREIGN, 'torch._dynamo', 'torch.distributed.fsdp', 'torch.distributed.optim',
                'sympy', 'scipy.ndimage', 'skimage.metrics', 'matplotlib.pyplot'} & {*imported[0]}


# As where they are not installed.
BLOCK = '''
    import sys
    from importlib.machinery import PathFinder
    find_spec = PathFinder.find_spec

    def find_others(name, path=None, target=None):
        if name.partition('.')[0] not in sys.argv[1].split():
            return find_spec(name, path, target)

    PathFinder.find_spec = find_others
'''
USE = '''
    from pathlib import Path
    import egscit_mm
    from mmagic.apis import MMagicInferencer, init_model
    from mmengine.config import Config
    from tiny_data import tiny_model_options, tiny_options, write_tiny_digits
    from egscit_mm.apis import train

    folder = Path(sys.argv[2])
    for stage in ('vaegan', 'egscit'):
        cfg = Config.fromfile(f'configs/egscit/{stage}_mnist_single.py')
        cfg.merge_from_dict(tiny_model_options(stage))
        cfg.dump(folder / f'{stage}_mnist_single.py')
    cfg = Config.fromfile(folder / 'egscit_mnist_single.py')
    init_model(cfg, device='cpu')
    options = tiny_options(write_tiny_digits(folder / 'data'), 1, validate=True)
    train(cfg, work_dir=str(folder / 'work'), options=options)
    assert (folder / 'work' / 'iter_1.pth').is_file()
'''


LOOK_UP = '''
    from mmagic.registry import DIFFUSION_SCHEDULERS, MODELS
    from mmengine.registry import OPTIMIZERS
    for registry, name in ((MODELS, 'ControlStableDiffusion'), (MODELS, 'mmagic.ViCo'),
                           (DIFFUSION_SCHEDULERS, 'DDPMScheduler'), (MODELS, 'EGSCITT')):
        try:
            registry.build(dict(type=name))
        except (ImportError, KeyError) as error:
            print(type(error).__name__, str(error).splitlines()[0])
    print(OPTIMIZERS.get('Adafactor'))
    try:
        from mmagic.models import ControlStableDiffusion
    except ImportError as error:
        print(error)
'''


@pytest.fixture(scope='module')
def without_foreign(tmp_path_factory):
    """What is printed, in the absence of :data:`FOREIGN`, by import, init_model and an iteration of
    both stages with validation, and by a look at what the diffusion models need.
    """
    loaded = f'print([name for name in {FOREIGN} if name in sys.modules])'
    return run_with_package(
        '\n'.join([*map(textwrap.dedent, (BLOCK, USE)), loaded, textwrap.dedent(LOOK_UP)]),
        ' '.join(FOREIGN), tmp_path_factory.mktemp('without')).splitlines()[-7:]


@pytest.mark.slow
def test_nothing_foreign_is_loaded_nor_needed(without_foreign):
    assert without_foreign[0] == '[]'


@pytest.mark.slow
def test_a_missing_diffusion_model_says_why_and_what_to_type(without_foreign):
    hint = ' of MMagic needs: pip install "egscit_mm[diffusion]"'
    missing = "MissingPackageError ModuleNotFoundError: No module named 'diffusers', which "
    lines = without_foreign[1:]
    assert lines[:3] == [f'{missing}{name}{hint}' for name in
                         ('ControlStableDiffusion', 'mmagic.ViCo', 'DDPMScheduler')]
    assert lines[3].startswith("KeyError 'EGSCITT is not in the mmagic::model registry.")
    assert lines[4] == 'None' and lines[5] == "No module named 'diffusers'"


REGISTRIES = '''
    import egscit_mm
    import mmagic.registry
    from mmengine import registry
    for module in (registry, mmagic.registry):
        for name, value in sorted(vars(module).items()):
            if isinstance(value, registry.Registry):
                value.get('a name that nothing has')
                print(module.__name__, name, sorted(value.module_dict))
'''
# Empties the table when it is loaded: everything is imported as released.
RELEASED = '''
    from importlib.machinery import SourceFileLoader
    run = SourceFileLoader.exec_module

    def exec_module(self, module):
        run(self, module)
        if module.__name__ == 'egscit_mm.compat.lazy_imports':
            module.DEFERRED.clear()

    SourceFileLoader.exec_module = exec_module
'''


def diffusers_fits():
    try:
        return importlib.metadata.version('diffusers').startswith('0.28.')
    except importlib.metadata.PackageNotFoundError:
        return False


@pytest.mark.skipif(not diffusers_fits(), reason='needs the extra "diffusion"')
def test_registries_hold_what_they_held():
    """With the packages that MMagic asks for, once as released and once deferred."""
    deferred = run_with_package(REGISTRIES)
    released = run_with_package(textwrap.dedent(RELEASED) + textwrap.dedent(REGISTRIES))
    assert 'StableDiffusionXLPipeline' in released
    assert deferred.splitlines() == released.splitlines()
