# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Files that are no checkpoint, or not the one wanted, through every way in that loads one.

None runs code, none leaves a file, and every refusal names the file.
"""
import importlib.util
import json
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from bad_input import assert_no_rests, files_below, sentence_of
from mmagic.registry import MODELS
from mmengine.config import Config
from mmengine.runner import Runner
from tiny_data import tiny_options, write_tiny_digits

from egscit_mm.apis import EGSCITInferencer
from egscit_mm.apis.publish import publish
from egscit_mm.config import naming_the_setting
from egscit_mm.evaluation.networks import LPIPSDistance
from egscit_mm.models.networks.vgg import VGGFeatures


class Payload:
    """Touches a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path), )


@pytest.fixture(scope='module')
def mark(tmp_path_factory):
    """The file that exists if a payload ran."""
    return tmp_path_factory.mktemp('mark') / 'executed'


def safetensors_bytes(header, length=None, data=b''):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack('<Q', len(header) if length is None else length) + header + data


def tensor_entry(start, end, shape):
    return {'generators.x': dict(dtype='F32', shape=shape, data_offsets=[start, end])}


@pytest.fixture(scope='module')
def files(checkpoints, mark, tmp_path_factory):
    """Bad files by name; 'folder' is a folder, 'missing' is not there."""
    folder = tmp_path_factory.mktemp('bad')
    good = (checkpoints / 'egscit.pth').read_bytes()
    state = torch.load(checkpoints / 'egscit.pth', weights_only=True)['state_dict']
    paths = {name: folder / f'{name}.pth' for name in ('folder', 'missing')}
    paths['folder'].mkdir()

    def write(name, content, suffix='.pth'):
        paths[name] = folder / f'{name}{suffix}'
        paths[name].write_bytes(content)

    def save(name, content, **kwargs):
        paths[name] = folder / f'{name}.pth'
        torch.save(content, paths[name], **kwargs)

    write('empty', b'')
    write('text', b'model = dict(type="EGSCIT")\n' * 9)
    write('image', b'\x89PNG\r\n\x1a\n' + bytes(200))
    write('start', good[:40])
    write('half', good[:len(good) // 2])
    write('without_end', good[:-50])
    write('zeros', bytes(5000))
    write('pickled_payload', pickle.dumps(Payload(mark), protocol=2))
    save('payload', dict(state_dict=state, other=Payload(mark)))
    save('payload_in_weights', {**state, 'generators.x': Payload(mark)})
    save('payload_legacy', dict(state_dict=state, other=Payload(mark)),
         _use_new_zipfile_serialization=False)
    write('payload_as_safetensors', pickle.dumps(Payload(mark), protocol=2), '.safetensors')
    save('number', 5)
    save('list', [1, 2])
    save('no_state', dict(state_dict=3))
    save('strings', dict(state_dict={key: 'x' for key in state}))
    save('other_keys', dict(state_dict=dict(weight=torch.zeros(3))))
    save('number_keys', dict(state_dict={1: torch.zeros(3)}))
    save('half_the_keys', dict(state_dict=dict([*state.items()][:len(state) // 2])))
    save('one_shape', dict(state_dict={
        key: torch.zeros(7) if number == 3 else value
        for number, (key, value) in enumerate(state.items())}))
    for name, changes in (('other_width', dict(base_channels=6)), ('other_depth', dict(
            num_downsamples=2)), ('other_domains', None)):
        cfg = Config.fromfile(checkpoints / 'egscit_quickstart.py')
        if changes is None:
            cfg.model.domains = ['day', 'night']
        else:
            cfg.model.generator.encoder.update(changes)
            cfg.model.generator.decoder.update(changes)
        save(name, dict(state_dict=MODELS.build(cfg.model).state_dict()))
    write('other_stage', (checkpoints / 'vaegan.pth').read_bytes())
    with zipfile.ZipFile(folder / 'zip.pth', 'w') as archive:
        archive.writestr('readme.txt', 'an archive of something else')
    paths['zip'] = folder / 'zip.pth'
    entry = tensor_entry(0, 4, [1])
    for name, content in dict(
            st_empty=b'', st_short=b'\1\2\3', st_cut_header=safetensors_bytes(entry)[:-9],
            st_huge=safetensors_bytes(entry, length=2**60), st_max=b'\xff' * 8 + b'{}',
            st_zero=safetensors_bytes(b''), st_no_json=safetensors_bytes(b'{no json'),
            st_no_data=safetensors_bytes(entry),
            st_offsets=safetensors_bytes(tensor_entry(0, 2**40, [2**38]), data=bytes(4)),
            st_shape=safetensors_bytes(tensor_entry(0, 4, [5]), data=bytes(4)),
            st_metadata=safetensors_bytes(
                {'__metadata__': dict(egscit_mm='[1]'), **entry}, data=bytes(4)),
            st_metadata_text=safetensors_bytes(
                {'__metadata__': dict(egscit_mm='{'), **entry}, data=bytes(4)),
            st_other=safetensors_bytes(entry, data=bytes(4))).items():
        write(name, content, '.safetensors')
    return paths


NAMES = [
    'folder', 'missing', 'empty', 'text', 'image', 'start', 'half', 'without_end', 'zeros',
    'pickled_payload', 'payload', 'payload_in_weights', 'payload_legacy', 'payload_as_safetensors',
    'number', 'list', 'no_state', 'strings', 'other_keys', 'number_keys', 'half_the_keys',
    'one_shape', 'other_width', 'other_depth', 'other_domains', 'other_stage', 'zip', 'st_empty',
    'st_short', 'st_cut_header', 'st_huge', 'st_max', 'st_zero', 'st_no_json', 'st_no_data',
    'st_offsets', 'st_shape', 'st_metadata', 'st_metadata_text', 'st_other'
]
BROKEN = ['folder', 'missing', 'empty', 'half', 'payload', 'pickled_payload', 'list', 'no_state',
          'other_keys', 'number_keys', 'st_huge']


def test_all_files_are_tried(files):
    assert set(files) == set(NAMES)


@pytest.fixture
def refused(files, mark, tmp_path, monkeypatch):
    """Checks that a function of a path refuses the file of a name by its path."""
    monkeypatch.chdir(tmp_path)

    def check(function, name):
        before = files_below(tmp_path)
        sentence = sentence_of(function, str(files[name]))
        assert sentence is not None, f'{name} was taken'
        assert str(files[name]) in sentence, sentence
        assert not mark.exists(), 'the file ran code'
        assert files_below(tmp_path) == before
        assert_no_rests(files[name].parent)

    return check


def test_the_payload_works(mark, tmp_path):
    """Else the tests would prove nothing."""
    torch.save(Payload(mark), tmp_path / 'x.pth')
    torch.load(tmp_path / 'x.pth', weights_only=False)
    assert mark.exists()
    mark.unlink()


@pytest.mark.parametrize('name', NAMES)
def test_inferencer(name, refused, checkpoints):
    config = checkpoints / 'egscit_quickstart.py'
    refused(lambda path: EGSCITInferencer(config, path, 'cpu'), name)


# Publishing knows no config to hold a stage-2 checkpoint against.
UNKNOWN = ('half_the_keys', 'one_shape', 'other_width', 'other_depth', 'other_domains')


@pytest.mark.parametrize('name', [name for name in NAMES if name not in UNKNOWN])
def test_publish(name, refused, tmp_path):
    refused(lambda path: publish(path, tmp_path / 'model.safetensors'), name)


@pytest.mark.parametrize('name', NAMES)
def test_feature_checkpoint(name, refused, checkpoints, files, request):
    model = request.getfixturevalue('stage2')
    if name in ('folder', 'missing'):
        # No error yet: a checkpoint that is about to be resumed may hold F.
        model.feature_checkpoint = str(files[name])
        model.init_weights()
        model.generators.features_loaded.fill_(False)
        refused(lambda path: model.train_step({}, None), name)
    elif name == 'other_stage':
        assert sentence_of(model.load_feature_networks, str(files[name])) is None
    else:
        refused(model.load_feature_networks, name)


@pytest.fixture(scope='module')
def stage2(checkpoints):
    return MODELS.build(Config.fromfile(checkpoints / 'egscit_quickstart.py').model)


@pytest.fixture(scope='module')
def runner(checkpoints, tmp_path_factory):
    """A Runner of stage 2 whose training is built."""
    folder = tmp_path_factory.mktemp('runner')
    data = write_tiny_digits(folder / 'data', train=2, test=1)
    cfg = Config.fromfile(checkpoints / 'egscit_quickstart.py')
    cfg.merge_from_dict(tiny_options(data, iters=1))
    cfg.work_dir = str(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Config, 'pretty_text', property(lambda self: repr(dict(self))))
        runner = Runner.from_cfg(cfg)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    return runner


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('method', ['load_checkpoint', 'resume'])
def test_runner(method, name, refused, runner):

    def load(path):
        with naming_the_setting(runner.cfg):
            getattr(runner, method)(path)

    refused(load, name)


@pytest.mark.parametrize('method', ['load_checkpoint', 'resume'])
def test_runner_names_a_damaged_file_once_and_first(method, files, runner):

    def load():
        with naming_the_setting(runner.cfg):
            getattr(runner, method)(str(files['half']))

    sentence = sentence_of(load)
    assert sentence.startswith(str(files['half'])) and sentence.count('half.pth') == 1


def test_resume_from_weights_alone(runner, checkpoints):

    def resume():
        with naming_the_setting(runner.cfg):
            runner.resume(str(checkpoints / 'egscit.pth'))

    sentence = sentence_of(resume)
    assert 'egscit.pth cannot be resumed' in sentence and 'load_from' in sentence


@pytest.mark.parametrize('name', [name for name in NAMES if not name.startswith('st_')])
def test_perceptual_loss_pretrained(name, refused):
    refused(lambda path: VGGFeatures(['relu1_1'], path, 2).load_weights(), name)


@pytest.mark.parametrize('name', BROKEN)
def test_lpips_weights(name, refused):
    refused(lambda path: LPIPSDistance(weights=path), name)


@pytest.mark.parametrize('name', ['folder', 'missing', 'half', 'payload', 'list', 'other_keys'])
def test_inception_weights(name, refused):
    pytest.importorskip('torch_fidelity')
    pytest.importorskip('torchmetrics')
    from egscit_mm.evaluation.networks import InceptionFeatures
    refused(lambda path: InceptionFeatures(path), name)


@pytest.mark.parametrize('name', [*BROKEN, 'other_stage', 'other_width'])
def test_export(name, refused, checkpoints, tmp_path):
    for library in ('onnx', 'onnxruntime', 'onnxscript'):
        if importlib.util.find_spec(library) is None:
            pytest.skip('the export needs the extra "export"')
    from egscit_mm.apis.export import export_onnx
    refused(lambda path: export_onnx(checkpoints / 'egscit_quickstart.py', path,
                                     tmp_path / 'model.onnx'), name)


@pytest.mark.parametrize('seed', range(30))
def test_flipped_bytes(seed, checkpoints, mark, tmp_path):
    """What of the structure is damaged is refused; a flipped bit of a weight cannot be seen."""
    rng = np.random.RandomState(seed)
    content = bytearray((checkpoints / 'egscit.pth').read_bytes())
    # Half of them where the structure is: at the start (the pickle) and at the end (the directory).
    places = rng.randint(len(content), size=4) if seed % 2 else [
        rng.randint(2000), len(content) - 1 - rng.randint(2000)]
    for place in places:
        content[place] ^= 1 << rng.randint(8)
    path = tmp_path / 'flipped.pth'
    path.write_bytes(content)
    sentence = sentence_of(EGSCITInferencer, checkpoints / 'egscit_quickstart.py', path, 'cpu')
    assert sentence is None or str(path) in sentence
    assert [*files_below(tmp_path)] == ['flipped.pth']
