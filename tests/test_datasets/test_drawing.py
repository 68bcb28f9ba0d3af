# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Which images of the domains a training sees, and how often."""
import pytest
from torch.utils.data import DataLoader

from egscit_mm.datasets import ExemplarImageDataset, SeededInfiniteSampler


def make_files(root, **counts):
    """Folders with so many files, which nobody reads."""
    for folder, number in counts.items():
        (root / folder).mkdir()
        for index in range(number):
            (root / folder / f'{index:03d}.png').write_bytes(b'not read')


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('resumed_at', [0, 3])
def test_each_domain_is_a_permutation_in_every_pass(tmp_path, workers, resumed_at):
    make_files(tmp_path, trainA=12, trainB=12, trainC=4)
    pipeline = [dict(type='PackInputs', keys=[], meta_keys=[
        f'img_{domain}_path' for domain in 'ABC'])]
    dataset = ExemplarImageDataset(tmp_path, pipeline, domains='A B C'.split())
    sampler = SeededInfiniteSampler(dataset, seed=3)
    sampler.start_at(3, resumed_at)
    loader = DataLoader(dataset, batch_size=3, sampler=sampler, num_workers=workers,
                        collate_fn=lambda samples: samples)
    drawn = {domain: [] for domain in 'ABC'}
    for _, samples in zip(range(8), loader):
        for sample in samples:
            for domain, paths in drawn.items():
                paths.append(sample['data_samples'].get(f'img_{domain}_path'))
    if not resumed_at:
        for domain, size in (('A', 12), ('B', 12), ('C', 4)):
            passes = [drawn[domain][i:i + size] for i in range(0, 24, size)]
            assert all(len(set(images)) == size for images in passes)
            assert passes[0] != passes[1]
        assert drawn['A'] != [path.replace('trainB', 'trainA') for path in drawn['B']]
    else:  # the same as without the stop
        whole = iter(SeededInfiniteSampler(dataset, seed=3))
        expected = [dataset[next(whole)] for _ in range(24 + resumed_at)][resumed_at:]
        for domain in 'ABC':
            assert drawn[domain] == [
                sample['data_samples'].get(f'img_{domain}_path') for sample in expected]


def test_every_image_is_seen_with_other_samplers_too(tmp_path):
    make_files(tmp_path, trainA=9, trainB=9, trainC=3)
    dataset = ExemplarImageDataset(tmp_path, [], domains=['A', 'B', 'C'])
    for _ in range(2):
        samples = [dataset[index] for index in range(9)]
        assert len({sample['img_B_path'] for sample in samples}) == 9
        counts = [sum(sample['img_C_path'] == path for sample in samples)
                  for path in {sample['img_C_path'] for sample in samples}]
        assert counts == [3, 3, 3]


def test_directions_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="'A2B' would be the name of .* a direction and a domain"):
        ExemplarImageDataset(tmp_path, [], domains=['A', 'A2B', 'B'])
