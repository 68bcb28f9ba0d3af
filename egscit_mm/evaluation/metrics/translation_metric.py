# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""What all metrics on translations share."""
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from mmagic.utils import tensor2img
from mmengine.evaluator import BaseMetric
from torch import nn
from torch.utils.data import DataLoader

from ...utils.checks import check_domains
from ...utils.errors import UserError


@dataclass(frozen=True)
class TranslatedImage:
    """One translation and what it can be compared to. All images are HxWx3, uint8, RGB.

    Args:
        source (str): Domain of the content.
        target (str): Domain of the exemplar and of the translation.
        name (str): Direction and, where the samples carry them, files; for error messages.
        translation (np.ndarray): What the model made, rounded as in a saved PNG file.
        exemplar (np.ndarray): The image of the target domain that gave the style.
        ground_truth (np.ndarray, optional): The perfect translation, where the data set has one.
        sample (dict): All that the sample carries: tensors, paths, labels.
        content_shape (tuple, optional): Height and width of the content, where the batch has it.
    """

    source: str
    target: str
    name: str
    translation: np.ndarray
    exemplar: np.ndarray
    ground_truth: Optional[np.ndarray]
    sample: dict
    content_shape: Optional[Tuple[int, int]] = None

    @property
    def direction(self) -> str:
        """Source and target domain, such as 'A2B'."""
        return f'{self.source}2{self.target}'

    def needed_ground_truth(self) -> np.ndarray:
        """The ground truth, of the size of the translation.

        Raises:
            ValueError: If the sample carries none, or one of another size.
        """
        if self.ground_truth is None:
            raise UserError(
                f'{self.name} has no ground truth. Load `gt_{self.direction}` (folder '
                f'test{self.direction} of the data set) and list it in `data_keys` of PackInputs, '
                'or leave the metrics away that need one; ExemplarSSIM needs none.')
        if self.ground_truth.shape != self.translation.shape:
            raise UserError(
                f'{self.name}: the translation has the shape {self.translation.shape}, its ground '
                f'truth {self.ground_truth.shape}. Resize both alike in the test pipeline.')
        return self.ground_truth


class TranslationMetric(BaseMetric):
    """Base of the metrics on translations: one number per image, then mean and spread over images.

    Subclasses implement :meth:`measure`, or :meth:`measure_batch` if a network looks at several
    images at once. Metrics of whole sets of images (such as FID) override
    :meth:`compute_metrics` as well.

    The batch is as MMagic's pipelines and CycleGAN make it: the exemplar of ``fake_B`` is
    ``data_batch['inputs']['img_B']``, the translation ``fake_B`` (with more than two domains
    ``fake_A2B``) and the ground truth ``gt_A2B`` are fields of the data sample; 3xHxW in 0..255.
    Inputs and ground truths are BGR unless the sample's ``<key>_channel_order`` says 'rgb';
    translations are always BGR.

    It fits MMEngine's ``Evaluator`` (ValLoop, TestLoop) and MMagic's (MultiValLoop, MultiTestLoop).

    Args:
        domains (Sequence[str], optional): Names of the domains: all directions between them are
            measured. Defaults to None, all domains of the batch (its ``inputs``).
        prefix (str, optional): Put, with a slash, in front of the names that a metric gives to its
            results, to tell data sets apart: ``prefix='letters'`` makes
            ``letters/ssim_exemplar/A2B_mean`` of ``ssim_exemplar/A2B_mean``. Defaults to None.
        collect_device (str): 'cpu' or 'gpu': how processes gather results. Defaults to 'cpu'.
        collect_dir (str, optional): Directory, shared by all processes, through which they gather
            results on the CPU. Defaults to None (``.dist_test`` in the working directory).

    Raises:
        ValueError: If there are not two different domains or more.
    """

    # What MMagic's Evaluator asks for: run once over the data loader, with the model as it is.
    SAMPLER_MODE = 'normal'
    sample_model = 'orig'
    # The names are complete already. None would make BaseMetric warn.
    default_prefix = ''

    def __init__(self,
                 domains: Optional[Sequence[str]] = None,
                 prefix: Optional[str] = None,
                 collect_device: str = 'cpu',
                 collect_dir: Optional[str] = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        self.directions: List[Tuple[str, str]] = []
        if domains is not None:
            self.set_domains(domains)
        self.size: Optional[int] = None

    # What `measure` gives.
    figures: Tuple[str, ...] = ()

    @classmethod
    def figure_names(cls, domains: Sequence[str], arguments: dict) -> Optional[List[str]]:
        """Names of the results, without prefix, before anything is built.

        Returns:
            list[str] | None: The names; None where they are not known beforehand.
        """
        return [f'{figure}/{source}2{target}_{statistic}' for figure in cls.figures
                for source, target in permutations(domains, 2) for statistic in ('mean', 'std')
                ] or None

    def set_domains(self, domains: Sequence[str]) -> None:
        """Sets the directions to measure: all between these domains."""
        check_domains(self, domains, 2)
        self.directions = list(permutations(domains, 2))

    def find_domains(self, data_batch: dict) -> None:
        """Takes the domains of a batch, where none were given."""
        if not self.directions:
            inputs = data_batch['inputs'] if data_batch else {}
            domains = [key.removeprefix('img_') for key in inputs if key.startswith('img_')]
            # With a domain missing, the usual names lead to the error that says which.
            self.set_domains(domains if len(domains) > 1 else ('A', 'B'))

    def measure(self, image: TranslatedImage) -> Dict[str, Any]:
        """Measure one translation.

        Returns:
            dict[str, Any]: Value by name, the same names for every image of a direction. With
            :meth:`compute_metrics` of this class the values are floats.
        """
        raise NotImplementedError

    def measure_batch(self, images: List[TranslatedImage]) -> List[Dict[str, Any]]:
        """Measure the translations of one batch and direction."""
        return [self.measure(image) for image in images]

    def prepare(self, module: nn.Module, dataloader: DataLoader) -> None:
        """Take the number of samples, as MMagic's Evaluator does not hand it to `evaluate`."""
        self.size = len(dataloader.dataset)

    def get_metric_sampler(self, model: nn.Module, dataloader: DataLoader,
                           metrics: List[BaseMetric]) -> DataLoader:
        """Hand MMagic's loops the data loader itself: every sample once, in order."""
        return dataloader

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Measure the translations of one batch.

        Args:
            data_batch (dict): Batch of the data loader: ``inputs`` with ``img_<domain>``.
            data_samples (Sequence[dict]): The model's outputs, with ``fake_<domain>``.

        Raises:
            ValueError: If an image is missing, is not 3xHxW, or holds NaN or infinite values.
        """
        self.find_domains(data_batch)
        # One entry per sample, so that gathering can drop the samples that pad a batch.
        results = [{} for _ in data_samples]
        for source, target in self.directions:
            images = [
                self._translated_image(data_batch, sample, index, source, target)
                for index, sample in enumerate(data_samples)
            ]
            for result, values in zip(results, self.measure_batch(images)):
                for name, value in values.items():
                    result[f'{name}/{source}2{target}'] = value
        self.results += results

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Mean and population standard deviation (``np.std``, divided by n) over the images.

        Args:
            results (list[dict]): Per sample, float by ``<name>/<direction>``.

        Returns:
            dict[str, float]: ``<name>/<direction>_mean`` and ``<name>/<direction>_std``.

        Raises:
            ValueError: If only some samples have a value.
        """
        metrics = {}
        for name in sorted(set().union(*results)):
            values = [result[name] for result in results if name in result]
            if len(values) < len(results):
                raise UserError(
                    f'{type(self).__name__}: only {len(values)} of {len(results)} samples have a '
                    f'value of {name}, as only these carry a ground truth. Give every sample one, '
                    'or none.')
            metrics[f'{name}_mean'] = float(np.mean(values))
            metrics[f'{name}_std'] = float(np.std(values))
        return metrics

    def evaluate(self, size: Optional[int] = None) -> Dict[str, float]:
        """Gather the results of all processes, compute the metrics and forget the results.

        Args:
            size (int, optional): Number of samples of the data set; results beyond it come from
                samples that pad the last batch of a process and are dropped. Defaults to None: the
                number that :meth:`prepare` took.

        Returns:
            dict[str, float]: The metrics by name, the same in all processes.

        Raises:
            ValueError: If the size is neither given nor prepared, or nothing was processed.
        """
        if size is None:
            size = self.size
        if size is None:
            raise UserError(
                f'{type(self).__name__}.evaluate needs the number of samples: pass `size`, or call '
                '`prepare(model, dataloader)` first as MMagic\'s loops do.')
        if not self.results:
            raise UserError(
                f'{type(self).__name__} has nothing to evaluate: the data loader gave no sample.')
        return super().evaluate(size)

    def _translated_image(self, data_batch: dict, sample: dict, index: int, source: str,
                          target: str) -> TranslatedImage:
        """Collect the images of one direction of one sample."""
        direction, exemplar = f'{source}2{target}', f'img_{target}'
        # With more than two domains, a target is reached from several sources.
        fake = next((key for key in (f'fake_{direction}', f'fake_{target}') if key in sample), None)
        if fake is None:
            raise UserError(
                f'{type(self).__name__}: the sample has no translation `fake_{target}` or '
                f'`fake_{direction}`, only '
                f'{sorted(sample)}. The model\'s val_step and test_step must add it; `domains` of '
                'the metric must be those of the model.')
        if data_batch is None or exemplar not in data_batch['inputs']:
            raise UserError(
                f'{type(self).__name__}: the batch has no exemplar `inputs/{exemplar}`. List it in '
                "`keys` of the test pipeline's PackInputs.")

        name = f'translation {direction}'
        paths = [sample.get(f'img_{domain}_path') for domain in (source, target)]
        if None not in paths:
            name += f' of {paths[0]} with exemplar {paths[1]}'

        def to_rgb(key: str, tensor: torch.Tensor) -> np.ndarray:
            if tensor.ndim != 3 or tensor.shape[0] != 3:
                raise UserError(
                    f'{name}: `{key}` must have the shape (3, H, W), but '
                    f'has {tuple(tensor.shape)}.')
            if not torch.isfinite(tensor).all():
                raise UserError(
                    f'{name}: `{key}` holds NaN or infinite values; has '
                    'the training diverged?')
            if sample.get(f'{key}_channel_order', 'bgr').lower() == 'rgb':
                tensor = tensor.flip(0)
            # tensor2img turns BGR into RGB. It clamps in place; clamp() here makes it a copy.
            return tensor2img(tensor.clamp(0, 255), min_max=(0, 255))

        truth, content = f'gt_{direction}', data_batch['inputs'].get(f'img_{source}')
        return TranslatedImage(
            source=source,
            target=target,
            name=name,
            translation=to_rgb(fake, sample[fake]),
            exemplar=to_rgb(exemplar, data_batch['inputs'][exemplar][index]),
            ground_truth=to_rgb(truth, sample[truth]) if truth in sample else None,
            sample=sample,
            content_shape=tuple(content[index].shape[-2:]) if content is not None else None)
