# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The paper's figures, as plain data to put beside measured ones.

L. Ma, X. Jia, S. Georgoulis, T. Tuytelaars, L. Van Gool, "Exemplar Guided Unsupervised
Image-to-Image Translation with Semantic Consistency", ICLR 2019,
<https://arxiv.org/abs/1805.11145>.
"""


def _means(a2b: float, b2a: float) -> dict[str, dict[str, float]]:
    return {'A2B': {'mean': a2b}, 'B2A': {'mean': b2a}}


def _means_stds(a2b: tuple[float, float], b2a: tuple[float, float]) -> dict[str, dict[str, float]]:
    return {
        direction: {'mean': mean, 'std': std}
        for direction, (mean, std) in (('A2B', a2b), ('B2A', b2a))
    }


# By task, figure (as the metrics of this package name it), method and direction: mean and, where it
# is published, standard deviation over the test images.
SSIM = {
    'MNIST-Single': {
        # Tables 2 and 4.
        'ssim_exemplar': {
            'AdaIN': _means_stds((0.282, 0.103), (0.188, 0.118)),
            'WCT': _means_stds((0.061, 0.064), (0.063, 0.084)),
            'CycleGAN': _means_stds((0.214, 0.168), (0.089, 0.166)),
            'UNIT': _means_stds((0.178, 0.160), (0.074, 0.158)),
            'MUNIT': _means_stds((0.463, 0.094), (0.227, 0.128)),
            'EGSC-IT without mask': _means_stds((0.395, 0.137), (0.133, 0.171)),
            'EGSC-IT without AdaIN': _means_stds((0.208, 0.166), (0.080, 0.167)),
            'EGSC-IT without perceptual loss': _means_stds((0.286, 0.183), (0.093, 0.169)),
            'EGSC-IT': _means_stds((0.478, 0.090), (0.232, 0.131)),
        },
        'ssim_ground_truth': {
            'CycleGAN': _means(0.315, 0.232),
            'UNIT': _means(0.346, 0.414),
            'MUNIT': _means(0.701, 0.751),
            'EGSC-IT without mask': _means(0.552, 0.384),
            'EGSC-IT without AdaIN': _means(0.305, 0.085),
            'EGSC-IT without perceptual loss': _means(0.484, 0.364),
            'EGSC-IT': _means(0.806, 0.783),
        },
        # Not from the paper: perfect translations of 1000 images made from MNIST's test set.
        'ceiling_exemplar': _means_stds((0.484, 0.082), (0.225, 0.124)),
    },
    'MNIST-Multiple': {
        # Table 5.
        'ssim_exemplar': {
            'CycleGAN': _means(0.145, 0.130),
            'UNIT': _means(0.239, 0.234),
            'MUNIT': _means(0.500, 0.501),
            'EGSC-IT': _means(0.503, 0.495),
        },
        'ssim_ground_truth': {
            'CycleGAN': _means(0.298, 0.272),
            'UNIT': _means(0.381, 0.342),
            'MUNIT': _means(0.916, 0.945),
            'EGSC-IT without mask': _means(0.952, 0.974),
            'EGSC-IT without AdaIN': _means(0.472, 0.460),
            'EGSC-IT without perceptual loss': _means(0.839, 0.852),
            'EGSC-IT': _means(0.910, 0.924),
        },
    },
}

# Table 3: mIoU on BDD (19 classes, 256x512) of a DeepLab v2, by the labelled images it was given:
# GTA5 as it is, GTA5 as a method translates it, and BDD itself.
SEGMENTATION_MIOU = {
    'source': 0.329,
    'UNIT': 0.297,
    'MUNIT': 0.331,
    'EGSC-IT': 0.343,
    'oracle': 0.448,
}

# Where the figures of a task come from, as sentences.
SOURCES = {
    'MNIST-Single': {
        'ssim_exemplar':
            'Tables 2 and 4 of the paper (1000 test images). The evaluation script in the history '
            'of the authors\' release (eval/embed_mnist.py, commit c38b2c8) computes it between '
            'each translation and its exemplar, not its ground truth.',
        'ssim_ground_truth':
            'Not in the paper: the outputs that the authors published in their figures (16 rows of '
            'their choice), scored against the ground truth with this package\'s SSIM.',
        'ceiling_exemplar':
            'Not in the paper: ground truths of 1000 images made from MNIST\'s test set, scored '
            'against their exemplars.',
    },
    'MNIST-Multiple': {
        'ssim_exemplar':
            'Table 5 of the paper; computed to the exemplar, as for MNIST-Single.',
        'ssim_ground_truth':
            'Not in the paper: the outputs that the authors published in their figures (10 rows of '
            'their choice), scored against the ground truth with this package\'s SSIM.',
    },
}
