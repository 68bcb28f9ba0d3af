# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import pickle
from collections import Counter
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmagic.models import DataPreprocessor
from mmagic.registry import DATASETS
from mmengine.dataset import pseudo_collate, worker_init_fn
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from egscit_mm.datasets import ExemplarImageDataset

RED_BGR = (0, 0, 255)


@pytest.fixture(autouse=True)
def mmagic_scope():
    # MMEngine looks up the transforms of a pipeline in the default scope, as a Runner sets it.
    with DefaultScope.overwrite_default_scope('mmagic'):
        yield


def make_images(root: Path, **counts: int) -> Path:
    """Folders with so many images; the red channel of an image is its number."""
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True)
        for i in range(count):
            image = np.zeros((8, 10, 3), np.uint8)
            image[..., 2] = i
            cv2.imwrite(str(root / folder / f'{i:03d}.png'), image)
    return root


def load(*keys: str) -> list[dict]:
    return [dict(type='LoadImageFromFile', key=key) for key in keys]


def name(path: str) -> str:
    return '/'.join(Path(path).parts[-2:])


def names(sample: dict) -> dict:
    return {key: name(value) for key, value in sample.items() if key.endswith('_path')}


# Test mode


def test_test_pairs_are_fixed_and_a_smaller_domain_starts_again(tmp_path):
    make_images(tmp_path, testA=2, testB=3)
    dataset = ExemplarImageDataset(tmp_path, [], test_mode=True)
    expected = [('testA/000.png', 'testB/000.png'), ('testA/001.png', 'testB/001.png'),
                ('testA/000.png', 'testB/002.png')]
    assert len(dataset) == 3
    for _ in range(2):
        assert [tuple(names(dataset[i]).values()) for i in range(3)] == expected
    assert [dataset[i]['sample_idx'] for i in range(3)] == [0, 1, 2]


def test_ground_truths_belong_to_their_content_image(tmp_path):
    make_images(tmp_path, testA=3, testB=3, testA2B=3, testB2A=3)
    dataset = ExemplarImageDataset(tmp_path, [], test_mode=True)
    assert names(dataset[2]) == dict(
        img_A_path='testA/002.png',
        img_B_path='testB/002.png',
        gt_A2B_path='testA2B/002.png',
        gt_B2A_path='testB2A/002.png')


def test_one_ground_truth_folder_is_enough(tmp_path):
    make_images(tmp_path, testA=2, testB=2, testB2A=2)
    sample = ExemplarImageDataset(tmp_path, [], test_mode=True)[0]
    assert 'gt_B2A_path' in sample and 'gt_A2B_path' not in sample


def test_training_ignores_ground_truths(tmp_path):
    make_images(tmp_path, trainA=2, trainB=2, testA2B=5)
    assert set(names(ExemplarImageDataset(tmp_path, [])[0])) == {'img_A_path', 'img_B_path'}


@pytest.mark.parametrize('counts', [
    dict(testA=3, testB=3, testA2B=2),
    dict(testA=2, testB=3, testA2B=2),  # A is repeated, with exemplars the truths do not show
])
def test_ground_truths_of_another_number_are_refused(tmp_path, counts):
    make_images(tmp_path, **counts)
    with pytest.raises(ValueError, match='ground truths') as caught:
        ExemplarImageDataset(tmp_path, [], test_mode=True)
    message = str(caught.value)
    assert f'{tmp_path / "testA2B"} holds 2 ground truths' in message
    assert f'{tmp_path / "testA"} holds {counts["testA"]} images' in message


@pytest.mark.parametrize('phase, options', [('test', dict(test_mode=True)),
                                            ('train', dict(pairs=True))])
def test_translations_that_are_one_image_off_are_refused(tmp_path, phase, options):
    make_images(tmp_path, **{phase + name: 4 for name in ('A', 'B', 'A2B')})
    for name in (f'{phase}A/000.png', f'{phase}B/000.png', f'{phase}A2B/003.png'):
        (tmp_path / name).unlink()
    with pytest.raises(ValueError, match='Complete the folders') as caught:
        ExemplarImageDataset(tmp_path, [], **options)
    folder = f'{tmp_path}/{phase}A'
    assert str(caught.value).startswith(
        f'{folder}2B/000.png would be the true translation of {folder}/001.png')
    for place in (tmp_path / f'{phase}A2B').iterdir():
        place.rename(place.with_name(f'fake_{place.name}'))  # the order alone says what belongs
    assert len(ExemplarImageDataset(tmp_path, [], **options)) == 3


def test_indices_take_the_first_pairs(tmp_path):
    make_images(tmp_path, testA=4, testB=4)
    dataset = ExemplarImageDataset(tmp_path, [], test_mode=True, indices=2)
    assert [names(dataset[i])['img_B_path'] for i in range(len(dataset))] == [
        'testB/000.png', 'testB/001.png']


# Training


@pytest.mark.parametrize('counts', [dict(trainA=3, trainB=5), dict(trainA=5, trainB=3)])
def test_epoch_holds_each_image_of_the_largest_domain_once(tmp_path, counts):
    make_images(tmp_path, **counts)
    dataset = ExemplarImageDataset(tmp_path, [])
    largest = max(counts, key=counts.get)
    key = f'img_{largest[-1]}_path'
    assert len(dataset) == 5
    assert [names(dataset[i])[key] for i in range(5)] == [f'{largest}/{i:03d}.png'
                                                          for i in range(5)]


@pytest.mark.parametrize('num_a', [3, 5])
def test_training_partners_are_drawn_uniformly_and_anew(tmp_path, num_a):
    make_images(tmp_path, trainA=num_a, trainB=5)
    dataset = ExemplarImageDataset(tmp_path, [])
    drawn_key = 'img_A_path' if num_a < 5 else 'img_B_path'
    np.random.seed(0)
    draws = 1500
    counts = Counter(names(dataset[i % 5])[drawn_key] for i in range(draws))
    share = 1 / num_a
    assert len(counts) == num_a
    assert all(abs(count / draws - share) < 4 * np.sqrt(share * (1 - share) / draws)
               for count in counts.values())


@pytest.mark.parametrize('persistent', [False, True])
def test_workers_that_count_epochs_show_all_images(tmp_path, persistent):
    """MMEngine seeds the workers of every epoch alike; they must not draw alike."""
    make_images(tmp_path, trainA=12, trainB=12)
    dataset = ExemplarImageDataset(tmp_path, [lambda sample: dict(path=sample['img_B_path'])])
    loader = Runner.build_dataloader(
        dict(dataset=dataset, batch_size=2, num_workers=2, persistent_workers=persistent,
             sampler=dict(type='DefaultSampler', shuffle=True)), seed=0)
    epochs = [[path for batch in loader for path in batch['path']] for _ in range(6)]
    assert len({path for epoch in epochs for path in epoch}) == 12
    assert len({tuple(sorted(epoch)) for epoch in epochs}) > 1


def test_training_pairs_differ_between_epochs_and_repeat_with_the_seed(tmp_path):
    make_images(tmp_path, trainA=20, trainB=20)
    dataset = ExemplarImageDataset(tmp_path, [])

    def epoch():
        return [names(dataset[i])['img_B_path'] for i in range(20)]

    np.random.seed(4)
    first, second = epoch(), epoch()
    np.random.seed(4)
    assert first != second and epoch() == first


def test_other_domain_names_and_more_than_two_domains(tmp_path):
    make_images(tmp_path, trainday=2, traindusk=3, trainnight=4)
    dataset = ExemplarImageDataset(tmp_path, [], domains=['day', 'dusk', 'night'])
    assert len(dataset) == 4
    assert set(names(dataset[3])) == {'img_day_path', 'img_dusk_path', 'img_night_path'}
    assert name(dataset[3]['img_night_path']) == 'trainnight/003.png'


def test_images_are_found_recursively_in_any_case_and_sorted(tmp_path):
    make_images(tmp_path, testA=1, testB=4)
    for target in ('b/001.png', 'a.PNG', 'c.JpEg'):
        path = tmp_path / 'testA' / target
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((tmp_path / 'testA' / '000.png').read_bytes())
    for ignored in ('notes.txt', '.hidden.png'):
        (tmp_path / 'testA' / ignored).touch()
    dataset = ExemplarImageDataset(tmp_path, [], test_mode=True)
    found = [str(Path(dataset[i]['img_A_path']).relative_to(tmp_path / 'testA')) for i in range(4)]
    assert found == ['000.png', 'a.PNG', 'b/001.png', 'c.JpEg']


# Pairs


def test_pairs_are_the_training_images_with_their_true_translations(tmp_path):
    make_images(tmp_path, trainA=2, trainB=3, trainA2B=2, trainB2A=3, testA=1, testB=1)
    dataset = ExemplarImageDataset(tmp_path, [], pairs=True)
    assert [names(dataset[i]) for i in range(len(dataset))] == [
        *[dict(img_A_path=f'trainA/{i:03d}.png', img_B_path=f'trainA2B/{i:03d}.png')
          for i in range(2)],
        *[dict(img_B_path=f'trainB/{i:03d}.png', img_A_path=f'trainB2A/{i:03d}.png')
          for i in range(3)]]
    # Without it, they are not looked at, and a test is the same.
    assert len(ExemplarImageDataset(tmp_path, [])) == 3
    assert names(ExemplarImageDataset(tmp_path, [], test_mode=True, pairs=True)[0]) == dict(
        img_A_path='testA/000.png', img_B_path='testB/000.png')


def test_pairs_of_one_domain_and_of_three(tmp_path):
    make_images(tmp_path, trainday=2, traindusk=4, trainnight=5, trainday2dusk=2, trainday2night=2)
    dataset = ExemplarImageDataset(tmp_path, [], domains=['day', 'dusk', 'night'], pairs=True)
    assert len(dataset) == 2
    assert names(dataset[1]) == dict(
        img_day_path='trainday/001.png', img_dusk_path='trainday2dusk/001.png',
        img_night_path='trainday2night/001.png')


def test_missing_pairs_are_named(tmp_path):
    make_images(tmp_path, trainA=2, trainB=2)
    with pytest.raises(FileNotFoundError, match='trainA2B, trainB2A.*mnist.py --pairs'):
        ExemplarImageDataset(tmp_path, [], pairs=True)
    make_images(tmp_path, trainA2B=3)
    with pytest.raises(ValueError, match="'trainA': 2, 'trainA2B': 3"):
        ExemplarImageDataset(tmp_path, [], pairs=True)


def test_pairs_of_all_sources_have_their_keys_in_one_order(tmp_path):
    """MMagic's DataSample.stack compares them; another order ended trainings by chance."""
    make_images(tmp_path, trainA=1, trainA2B=1, trainB=1, trainB2A=1)
    dataset = ExemplarImageDataset(tmp_path, [], pairs=True)
    first, second = (names(dataset[index]) for index in range(2))
    assert first == {'img_A_path': 'trainA/000.png', 'img_B_path': 'trainA2B/000.png'}
    assert second == {'img_A_path': 'trainB2A/000.png', 'img_B_path': 'trainB/000.png'}
    assert list(first) == list(second)


def test_unequal_pairs_in_folders_of_one_name(tmp_path):
    make_images(tmp_path, **{'trainA/0': 2, 'trainA2B/0': 1})
    with pytest.raises(ValueError, match="'trainA': 2, 'trainA2B': 1"):
        ExemplarImageDataset(tmp_path, [], pairs=True)


# Workers


def batches(dataset, seed: int) -> list:
    torch.manual_seed(seed)  # as a Runner does at its start
    loader = DataLoader(
        dataset,
        batch_size=2,
        num_workers=2,
        collate_fn=pseudo_collate,
        worker_init_fn=partial(worker_init_fn, num_workers=2, rank=0, seed=seed))
    return [[name(path) for path in batch['img_B_path']] for batch in loader]


def test_survives_pickling_and_workers_draw_different_reproducible_pairs(tmp_path):
    make_images(tmp_path, trainA=40, trainB=40)
    dataset = pickle.loads(pickle.dumps(ExemplarImageDataset(tmp_path, load('img_A', 'img_B'))))
    assert len(dataset) == 40
    first = batches(dataset, seed=0)
    assert first == batches(dataset, seed=0) != batches(dataset, seed=5)
    # Batches alternate between the two workers, which must not draw the same numbers.
    assert first[0::2] != first[1::2]


# Errors


def test_missing_root_says_what_is_expected_and_what_to_do(tmp_path):
    root = tmp_path / 'nowhere'
    with pytest.raises(FileNotFoundError) as caught:
        ExemplarImageDataset(root, [])
    message = str(caught.value)
    assert f'{root / "trainA"} does not exist' in message
    assert 'trainA, trainB, testA, testB' in message
    assert 'tools/dataset_converters (mnist.py, streets.py' in message


def test_missing_and_empty_domain_folders_are_named(tmp_path):
    make_images(tmp_path, trainA=1)
    with pytest.raises(FileNotFoundError, match='trainB does not exist'):
        ExemplarImageDataset(tmp_path, [])
    (tmp_path / 'trainB').mkdir()
    (tmp_path / 'trainB' / 'notes.txt').touch()
    with pytest.raises(FileNotFoundError, match=r'trainB holds no images \(.*\.jpg.*\.png'):
        ExemplarImageDataset(tmp_path, [])


@pytest.mark.parametrize('domains', [('A', ), (), ('A', 'A'), 'AB'])
def test_fewer_than_two_different_domains_are_refused(tmp_path, domains):
    with pytest.raises(ValueError, match='at least 2 different names'):
        ExemplarImageDataset(tmp_path, [], domains=domains)


def damage(path: Path, how: str) -> None:
    if how == 'empty':
        path.write_bytes(b'')
    elif how == 'no image':
        path.write_bytes(b'<html>404</html>')
    elif how == 'truncated':
        content = path.read_bytes()
        path.write_bytes(content[:len(content) // 2])
    else:
        path.unlink()


@pytest.mark.parametrize('how', ['empty', 'no image', 'truncated', 'deleted'])
@pytest.mark.parametrize('test_mode', [False, True])
def test_unreadable_image_is_named_and_never_replaced(tmp_path, how, test_mode):
    phase = 'test' if test_mode else 'train'
    make_images(tmp_path, **{f'{phase}A': 3, f'{phase}B': 1})
    dataset = ExemplarImageDataset(tmp_path, load('img_A', 'img_B'), test_mode=test_mode)
    damage(tmp_path / f'{phase}A' / '001.png', how)
    dataset[0]
    with pytest.raises(ValueError, match='cannot read') as caught:
        dataset[1]
    message = str(caught.value)
    assert str(tmp_path / f'{phase}A' / '001.png') in message
    assert str(tmp_path / f'{phase}B') not in message  # the sound image of the pair


def test_truncated_jpeg_is_not_filled_with_grey(tmp_path):
    make_images(tmp_path, trainB=1)
    (tmp_path / 'trainA').mkdir()
    path = tmp_path / 'trainA' / '000.jpg'
    cv2.imwrite(str(path), np.random.RandomState(0).randint(0, 256, (64, 64, 3), np.uint8))
    damage(path, 'truncated')
    with pytest.raises(ValueError, match='cannot read .*trainA/000.jpg'):
        ExemplarImageDataset(tmp_path, load('img_A', 'img_B'))[0]


def test_key_that_a_transform_misses_is_named(tmp_path):
    make_images(tmp_path, trainA=1, trainB=1)
    with pytest.raises(ValueError, match="asks for 'img_C_path'.*starts with img_A_path"):
        ExemplarImageDataset(tmp_path, load('img_A', 'img_C'))[0]


def test_ground_truths_that_are_missing_are_named(tmp_path):
    make_images(tmp_path, testA=1, testB=1)
    with pytest.raises(ValueError, match=f'gt_A2B.*folder {tmp_path}/testA2B'):
        ExemplarImageDataset(tmp_path, load('img_A', 'img_B', 'gt_A2B'), test_mode=True)[0]


def test_sample_that_a_transform_rejects_is_not_replaced(tmp_path):
    make_images(tmp_path, trainA=9, trainB=9)
    dataset = ExemplarImageDataset(
        tmp_path, [lambda results: None if results['sample_idx'] == 0 else results])
    dataset[1]
    with pytest.raises(Exception, match='Cannot find valid image'):
        dataset[0]


# The whole pipeline


@pytest.fixture
def red_and_blue(tmp_path):
    for folder, colour in (('A', RED_BGR), ('B', (255, 0, 0)), ('A2B', RED_BGR), ('B2A', RED_BGR)):
        for phase in ('train', 'test'):
            (tmp_path / (phase + folder)).mkdir()
            for i in range(2):
                image = np.full((28, 20, 3), colour, np.uint8)
                cv2.imwrite(str(tmp_path / (phase + folder) / f'{i}.png'), image)
    return tmp_path


def preprocess(batch: dict) -> dict:
    preprocessor = DataPreprocessor(
        mean=[127.5] * 3, std=[127.5] * 3, output_channel_order='RGB', data_keys=None)
    return preprocessor(batch, training=True)


def test_training_pipeline_feeds_rgb_in_minus_one_to_one(red_and_blue):
    dataset = DATASETS.build(
        dict(
            type='ExemplarImageDataset',
            data_root=str(red_and_blue),
            pipeline=[
                *load('img_A', 'img_B'),
                dict(type='RandomZoomCrop', keys=['img_A', 'img_B']),
                dict(type='Flip', keys='img_A'),
                dict(type='Flip', keys='img_B'),
                dict(
                    type='PackInputs',
                    keys=['img_A', 'img_B'],
                    meta_keys=[f'img_{domain}_{what}' for domain in 'AB'
                               for what in ('path', 'channel_order')]),
            ]))
    batch = pseudo_collate([dataset[0], dataset[1]])
    assert set(batch) == {'inputs', 'data_samples'} and set(batch['inputs']) == {'img_A', 'img_B'}
    image = batch['inputs']['img_A'][1]
    assert image.dtype == torch.uint8 and image.shape == (3, 28, 20)
    assert image[:, 5, 5].tolist() == list(RED_BGR)
    assert Path(batch['data_samples'][1].img_A_path).name == '1.png'
    assert batch['data_samples'][1].img_B_channel_order == 'bgr'

    inputs = preprocess(batch)['inputs']
    for domain, rgb in dict(A=(1, -1, -1), B=(-1, -1, 1)).items():
        images = inputs[f'img_{domain}']
        assert images.shape == (2, 3, 28, 20) and images.dtype == torch.float32
        expected = torch.tensor(rgb, dtype=torch.float32).view(1, 3, 1, 1).expand_as(images)
        torch.testing.assert_close(images, expected)


def test_test_pipeline_carries_ground_truths_and_paths(red_and_blue):
    keys = ['img_A', 'img_B', 'gt_A2B', 'gt_B2A']
    dataset = ExemplarImageDataset(
        red_and_blue, [
            *load(*keys),
            dict(
                type='PackInputs',
                keys=keys[:2],
                data_keys=keys[2:],
                meta_keys=[f'{key}_{what}' for key in keys for what in ('path', 'channel_order')])
        ],
        test_mode=True)
    batch = pseudo_collate([dataset[0], dataset[1]])
    sample = batch['data_samples'][1]
    assert sample.gt_A2B.dtype == torch.uint8 and sample.gt_A2B.shape == (3, 28, 20)
    assert sample.gt_B2A[:, 0, 0].tolist() == list(RED_BGR)
    assert name(sample.gt_A2B_path) == 'testA2B/1.png'
    assert sample.to_dict()['gt_A2B'].shape == (3, 28, 20)
    stacked = preprocess(batch)['data_samples']
    assert stacked.split()[0].gt_A2B[:, 0, 0].tolist() == list(RED_BGR)


def test_flip_with_one_key_each_flips_the_domains_independently(tmp_path):
    for folder in ('trainA', 'trainB'):
        (tmp_path / folder).mkdir()
        ramp = np.zeros((4, 4, 3), np.uint8)
        ramp[:, 0] = 255
        cv2.imwrite(str(tmp_path / folder / '0.png'), ramp)
    dataset = ExemplarImageDataset(
        tmp_path, load('img_A', 'img_B') +
        [dict(type='Flip', keys='img_A'), dict(type='Flip', keys='img_B')])
    np.random.seed(0)
    seen = {tuple(bool(dataset[0][key][0, 3, 0]) for key in ('img_A', 'img_B')) for _ in range(40)}
    assert len(seen) == 4
