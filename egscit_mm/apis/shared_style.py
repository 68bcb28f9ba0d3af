# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""One style of several exemplars for all contents of a folder."""
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Sequence

import numpy as np
from PIL import Image

from ..models.layers.styles import check_mixture
from ..utils.checks import check_not_negative
from ..utils.errors import UserError
from ..utils.records import fingerprint
from .inferencer import EGSCITInferencer
from .regions import found_labels, label_map


@dataclass
class SharedStyle:
    """A mixture of exemplars for whole contents, or an exemplar for each of their regions.

    Args:
        weights (Sequence[float] | None): Of the exemplars, for a mixture.
        regions (Path | None): Folder with the label maps, which have the names of the contents and
            the suffix .png.
        labels (Sequence[int] | None): Of the exemplars, in their order; 0, 1, ... if None.
        blend (float): Width of the borders of regions, in pixels.
        statistics (str): See :meth:`EGSCITInferencer.translate_to_style`.
    """

    weights: Optional[Sequence[float]] = None
    regions: Optional[Path] = None
    labels: Optional[Sequence[int]] = None
    blend: float = 8.
    statistics: str = 'image'

    def check(self, names: Iterable[Path], exemplars: List[Path]) -> None:
        """Refuses weights, labels and label maps that do not fit the exemplars and contents.

        Raises:
            UserError: If there are not as many as exemplars, or a content has no label map.
        """
        if self.regions is None:
            check_mixture(len(exemplars), self.weights)
            return
        if not self.regions.is_dir():
            raise UserError(f'--regions: {self.regions} is no folder of label maps')
        check_not_negative('--regions', blend=self.blend)
        if self.labels is None:
            self.labels = range(len(exemplars))
        if len(self.labels) != len(exemplars) or len(set(self.labels)) < len(self.labels):
            raise UserError(f'Give one label for each exemplar, all different: got '
                            f'{list(self.labels)} for {len(exemplars)} exemplars')
        for name in names:
            if not self.path_of(name).is_file():
                raise UserError(f'{self.path_of(name)} does not exist, the label map of the '
                                f'content {name}: label maps have the names of the contents and '
                                'the suffix .png')

    def path_of(self, name: Path) -> Path:
        """The label map of a content of this name."""
        return self.regions / name.with_suffix('.png')

    def made_of(self, name: Path) -> tuple:
        """What a translation depends on besides content, exemplars and model."""
        if self.regions is None:
            return (list(self.weights), )
        return list(self.labels), self.blend, self.statistics, fingerprint(self.path_of(name))

    def read_labels(self, name: Path, content: Image.Image) -> Optional[np.ndarray]:
        """The label map of a content, (H, W); None for a mixture.

        Raises:
            UserError: If it cannot be read, has another size, or a label without an exemplar.
        """
        if self.regions is None:
            return None
        path = self.path_of(name)
        labels = label_map(path, content.size[::-1])
        try:
            found_labels(labels, self.labels)
        except UserError as error:
            raise UserError(f'{path}: {error}') from error
        return labels

    def style(self, inferencer: EGSCITInferencer, exemplars: List[Path], strength: float,
              target: str):
        """What :meth:`EGSCITInferencer.translate_to_style` takes: a style, or one by label."""
        if self.regions is None:
            return inferencer.style(exemplars, self.weights, strength, target)
        return {label: inferencer.style(exemplar, None, strength, target)
                for label, exemplar in zip(self.labels, exemplars)}

    def options(self, labels: Sequence[Optional[np.ndarray]]) -> Dict:
        """The arguments of :meth:`EGSCITInferencer.translate_to_style` for label maps."""
        if self.regions is None:
            return {}
        return dict(regions=labels, blend=self.blend, region_statistics=self.statistics)
