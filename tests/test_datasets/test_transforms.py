# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
import numpy as np
import pytest
from mmagic.registry import TRANSFORMS

from egscit_mm.datasets import RandomZoomCrop

HEIGHT, WIDTH = 100, 200


def coordinates() -> np.ndarray:
    """An image whose pixels tell where they were: channel 0 is y, channel 1 is x."""
    return np.stack(np.mgrid[:HEIGHT, :WIDTH], axis=-1).astype(np.float32)


def measured_crop(image: np.ndarray) -> dict:
    """Size and corner of the crop, read off the zoomed coordinates in the middle of the image."""
    y, x = HEIGHT // 2, WIDTH // 2
    size_y = (image[y + 1, x, 0] - image[y, x, 0]) * HEIGHT
    size_x = (image[y, x + 1, 1] - image[y, x, 1]) * WIDTH
    # Output pixel i lies at input position corner + (i + 0.5) * size / side - 0.5.
    return dict(
        height=size_y,
        width=size_x,
        top=image[y, x, 0] + 0.5 - (y + 0.5) * size_y / HEIGHT,
        left=image[y, x, 1] + 0.5 - (x + 0.5) * size_x / WIDTH)


@pytest.fixture
def crops():
    np.random.seed(0)
    transform = RandomZoomCrop('img', prob=1)
    return [measured_crop(transform(dict(img=coordinates()))['img']) for _ in range(400)]


def test_is_registered():
    transform = TRANSFORMS.build(dict(type='RandomZoomCrop', keys=['img_A', 'img_B']))
    assert isinstance(transform, RandomZoomCrop)
    assert transform.keys == ['img_A', 'img_B']
    assert (transform.scale, transform.prob) == ((0.8, 1.0), 0.5)


def test_scale_is_uniform_in_its_range_and_the_same_for_both_sides(crops):
    scales = np.array([crop['width'] / WIDTH for crop in crops])
    rounding = 0.5 / WIDTH + 1e-3
    assert 0.8 - rounding <= scales.min() < 0.81 and 0.99 < scales.max() <= 1 + rounding
    # The mean of 400 draws from U(0.8, 1) has a standard deviation of 0.2 / sqrt(12 * 400).
    assert abs(scales.mean() - 0.9) < 4 * 0.2 / np.sqrt(12 * 400)
    heights = np.array([crop['height'] / HEIGHT for crop in crops])
    assert np.abs(heights - scales).max() < 0.5 / HEIGHT + 0.5 / WIDTH + 1e-3


@pytest.mark.parametrize('corner, side, whole', [('top', 'height', HEIGHT),
                                                 ('left', 'width', WIDTH)])
def test_position_is_uniform_and_inside_the_image(crops, corner, side, whole):
    room = np.array([whole - crop[side] for crop in crops])
    position = np.array([crop[corner] for crop in crops])
    assert (position > -1e-2).all() and (position < room + 1e-2).all()
    relative = position[room > 5] / room[room > 5]
    assert relative.min() < 0.1 and relative.max() > 0.9
    assert abs(relative.mean() - 0.5) < 4 / np.sqrt(12 * len(relative))


def test_full_scale_is_the_identity():
    image = coordinates()
    zoomed = RandomZoomCrop('img', scale=(1, 1), prob=1)(dict(img=image.copy()))['img']
    np.testing.assert_array_equal(zoomed, image)


def test_prob_zero_changes_nothing():
    image = coordinates()
    assert RandomZoomCrop('img', prob=0)(dict(img=image))['img'] is image


def test_prob_and_independence_of_the_keys():
    np.random.seed(1)
    transform = RandomZoomCrop(['img_A', 'img_B'], scale=(0.8, 0.9), prob=0.5)
    image, draws = coordinates(), 400
    changed, both = np.zeros(2), 0
    for _ in range(draws):
        results = transform(dict(img_A=image, img_B=image))
        zoomed = [results[key] is not image for key in ('img_A', 'img_B')]
        changed += zoomed
        if all(zoomed):
            both += 1
            assert not np.array_equal(results['img_A'], results['img_B'])
    deviation = np.sqrt(0.5 * 0.5 / draws)
    assert (np.abs(changed / draws - 0.5) < 4 * deviation).all()
    assert abs(both / draws - 0.25) < 4 * deviation


def test_seed_decides():
    transform = RandomZoomCrop('img', prob=1)
    results = []
    for seed in (7, 7, 8):
        np.random.seed(seed)
        results.append(transform(dict(img=coordinates()))['img'])
    np.testing.assert_array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


@pytest.mark.parametrize('shape', [(28, 28, 3), (28, 28, 1), (28, 28), (1, 1, 3), (7, 50, 3)])
def test_shape_type_and_other_keys_are_kept(shape):
    np.random.seed(0)
    results = RandomZoomCrop('img', prob=1)(dict(img=np.full(shape, 9, np.uint8), other=3))
    assert results['img'].shape == shape and results['img'].dtype == np.uint8
    assert (results['img'] == 9).all() and results['other'] == 3


@pytest.mark.parametrize('argument, match', [
    (dict(scale=(0, 1)), r'scale must be .* got \(0, 1\)'),
    (dict(scale=(0.9, 0.8)), r'got \(0.9, 0.8\)'),
    (dict(scale=(0.8, 1.1)), r'got \(0.8, 1.1\)'),
    (dict(scale=(0.8, )), r'got \(0.8,\)'),
    (dict(prob=1.5), r'prob must lie in \[0, 1\], got 1.5'),
    (dict(prob=-0.1), r'got -0.1'),
    (dict(keys=[]), 'keys is empty'),
])
def test_bad_arguments_are_named(argument, match):
    with pytest.raises(ValueError, match=match):
        RandomZoomCrop(**{'keys': 'img', **argument})


def test_missing_key_is_named():
    with pytest.raises(KeyError, match='img_B'):
        RandomZoomCrop(['img_B'], prob=1)(dict(img_A=coordinates()))
