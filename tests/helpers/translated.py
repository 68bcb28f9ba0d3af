# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Finished translations, handed to the metrics as a loop does, in one or two processes."""
import json

import torch
import torch.multiprocessing as mp

DIRECTIONS = ('A2B', 'B2A')


def to_bgr(image):
    """HxWx3 RGB to 3xHxW BGR."""
    return torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)


def make_batch(samples):
    """Batch of the data loader and outputs of the model.

    Args:
        samples (list[dict]): RGB uint8 images: exemplars and contents ``A`` and ``B``, translations
            ``A2B`` and ``B2A``, perhaps ground truths ``gt_A2B`` and ``gt_B2A``; perhaps paths
            ``img_A_path`` and ``img_B_path``.
    """
    inputs = {f'img_{domain}': [to_bgr(sample[domain]) for sample in samples] for domain in 'AB'}
    outputs = []
    for sample in samples:
        output = {f'fake_{name[-1]}': to_bgr(sample[name]).float() for name in DIRECTIONS}
        output.update({key: to_bgr(image) for key, image in sample.items() if key[:3] == 'gt_'})
        output.update({key: path for key, path in sample.items() if key.endswith('_path')})
        outputs.append(output)
    return dict(inputs=inputs), outputs


def same_both_ways(number, translation, ground_truth=None, exemplar=None):
    """Samples whose two directions are equal; each argument makes an image from an index."""
    samples = []
    for index in range(number):
        exemplar_image = (exemplar or translation)(index)
        sample = dict(A=exemplar_image, B=exemplar_image, A2B=translation(index),
                      B2A=translation(index))
        if ground_truth is not None:
            sample.update(gt_A2B=ground_truth(index), gt_B2A=ground_truth(index))
        samples.append(sample)
    return samples


def evaluate(metric, samples, batch_size=2):
    for start in range(0, len(samples), batch_size):
        metric.process(*make_batch(samples[start:start + batch_size]))
    return metric.evaluate(len(samples))


def _evaluate_on_rank(rank, folder, build_metric, samples):
    # Forked processes must not enter thread pools that the parent has started.
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    # As DefaultSampler does: every other sample, and the set padded from its start.
    padded = samples + samples[:len(samples) % 2]
    metric = build_metric(collect_dir=str(folder / 'collect'))
    metric.process(*make_batch(padded[rank::2]))
    (folder / f'{rank}.json').write_text(json.dumps(metric.evaluate(len(samples))))
    torch.distributed.destroy_process_group()


def evaluate_on_two_ranks(build_metric, samples, folder):
    """What each of two processes gets, which share the samples."""
    # Fork, as spawned processes would spend seconds on imports.
    mp.start_processes(
        _evaluate_on_rank, (folder, build_metric, samples), nprocs=2, start_method='fork')
    return [json.loads((folder / f'{rank}.json').read_text()) for rank in range(2)]
