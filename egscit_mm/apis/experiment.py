# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""One config, trained, measured and drawn in a folder: what is done is not done again."""
import json
from copy import deepcopy
from pathlib import Path
from typing import Any, Dict, List, Optional

import torch
from mmengine.config import Config

from ..engine.resume import is_intact
from ..utils import commands
from ..utils.files import atomic_path, read_json, write_json
from ..utils.records import fingerprint, is_made_of, made_of
from ..visualization.translations import first_test_samples, translated_rows
from .model import NO_CHECKPOINT, load_model

# What decides the weights: a training must not go on with other settings.
RECIPE = ('model', 'train_dataloader', 'optim_wrapper', 'param_scheduler', 'train_cfg')
RECIPE_FILE = 'recipe.json'
METRICS = 'metrics.json'
PICTURES = 'pictures.pth'


class Experiment:
    """A config with a seed and a folder of its own.

    Trainings and tests run as ``tools/train.py`` and ``tools/test.py``. A training that was
    stopped goes on. Figures and pictures stay as long as all that they were made of does.

    Args:
        cfg (Config): The config. One with ``stage1_config`` has its stage 1 trained in the folder
            ``stage1`` beside this one's, which all experiments beside it share.
        work_dir (Path): The folder.
        data (Path): The dataset, with ``manifest.json``.
        seed (int): Of the training.
        weights (dict[str, Path]): Files of the weights of other networks, by the names of files
            that configs have as ``pretrained``.
        amp (bool): Whether to train with mixed precision. Defaults to False.
        options (dict): What else the training changes in the config. Defaults to None.
        inputs (dict[str, Path]): What else the training reads, by name. Defaults to None.

    Attributes:
        checkpoint (Path): Where the training leaves its result; of a method that is not trained, a
            file that never is there.
        metrics (Path): Where the figures are.
        pictures (Path): Where the first test images' translations are, as rows by direction.
    """

    def __init__(self, cfg: Config, work_dir: Path, data: Path, seed: int,
                 weights: Dict[str, Path], amp: bool = False,
                 options: Optional[Dict[str, Any]] = None,
                 inputs: Optional[Dict[str, Path]] = None):
        self.cfg = cfg
        self.work_dir = work_dir
        self.data = data
        self.seed = seed
        self.weights = weights
        self.amp = amp
        self.options = dict(options or {})
        self.inputs = dict(inputs or {}, data=data / 'manifest.json')
        for path in weight_files(cfg.model, weights).values():
            self.inputs['features'] = path
        self.is_trained = cfg.get('train_cfg') is not None
        self.checkpoint = work_dir / (
            f'iter_{cfg.train_cfg.max_iters}.pth' if self.is_trained else NO_CHECKPOINT)
        self.metrics = work_dir / METRICS
        self.pictures = work_dir / PICTURES
        self.stage1 = None
        if self.is_trained and cfg.get('stage1_config'):
            self.stage1 = Experiment(
                Config.fromfile(Path(cfg.filename).parent / cfg.stage1_config),
                work_dir.with_name('stage1'), data, seed, weights, amp)
            self.options['model.feature_checkpoint'] = self.stage1.checkpoint
            self.inputs['stage 1'] = self.stage1.checkpoint

    def train(self, title: str) -> None:
        """Trains, after stage 1, until the last checkpoint is there.

        Raises:
            SystemExit: If the folder's training was begun with other settings, or one fails.
        """
        if self.stage1:
            self.stage1.train(f'{title}, stage 1')
        if not self.is_trained:
            return
        path = self.work_dir / RECIPE_FILE
        changed = self._changed_settings()
        if changed:
            raise SystemExit(
                f'{self.work_dir} was trained with other settings ({", ".join(changed)} differ '
                f'from {path}). Remove it to train it anew, or choose another --work-dir.')
        if not path.is_file():
            write_json(self._recipe(), path)
        if not is_intact(self.checkpoint):  # of a damaged one, the last iterations are made again
            commands.run_logged(
                commands.tool('train.py', self.cfg.filename, '--work-dir', self.work_dir,
                              '--resume', *['--amp'] * self.amp,
                              options={**self.settings(), **self.options}),
                self.work_dir / 'train.log', title)

    def evaluate(self, title: str) -> None:
        """Measures the checkpoint.

        Raises:
            SystemExit: If the test fails.
        """
        with made_of(self.metrics, *self._result_inputs()) as is_current:
            if is_current:
                return
            config = self.work_dir / 'test' / Path(self.cfg.filename).name
            config.parent.mkdir(parents=True, exist_ok=True)
            self.cfg.dump(config)  # it may have more metrics than its file
            commands.run_logged(
                commands.tool('test.py', config,
                              self.checkpoint if self.is_trained else NO_CHECKPOINT,
                              '--work-dir', config.parent, '--out', self.metrics,
                              options=self.settings()),
                self.work_dir / 'test.log', f'{title}: evaluation')

    def draw(self, number: int) -> None:
        """Keeps what the checkpoint makes of the first ``number`` test images."""
        with made_of(self.pictures, *self._result_inputs()) as is_current:
            if is_current:
                return
            cfg = deepcopy(self.cfg)
            cfg.merge_from_dict({key: str(value) for key, value in self.settings().items()})
            model = load_model(cfg, self.checkpoint if self.is_trained else None)
            rows = translated_rows(model, first_test_samples(cfg, number))
            with atomic_path(self.pictures) as temporary:
                torch.save(rows, temporary)

    def is_outdated(self) -> bool:
        """Whether figures or pictures are there that would now be made otherwise."""
        results = [path for path in (self.metrics, self.pictures) if path.is_file()]
        if not results:
            return False
        if self._changed_settings() or self.stage1 and self.stage1._changed_settings():
            return True
        inputs = self._result_inputs()
        return not all(is_made_of(path, *inputs) for path in results)

    def settings(self) -> Dict[str, Any]:
        """What the data, the seed and the weights change in the config, for training and test."""
        options = {f'{loader}.dataset.data_root': self.data
                   for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader')
                   if self.cfg.get(loader) is not None}
        return {**options, 'randomness.seed': self.seed, **self._test_weights()}

    def _test_weights(self) -> Dict[str, Path]:
        """The files of weights that a test reads beside the checkpoint, by their places."""
        return weight_files({key: self.cfg[key] for key in ('model', 'test_evaluator')
                             if self.cfg.get(key) is not None}, self.weights)

    def _result_inputs(self) -> list:
        """What decides on the figures and the pictures."""
        files = [self.checkpoint, self.data / 'manifest.json', *self._test_weights().values()]
        return [*map(fingerprint, files), str(self.data.resolve()), self.seed,
                {key: self.cfg.get(key)
                 for key in ('model', 'test_dataloader', 'test_cfg', 'test_evaluator')}]

    def _recipe(self) -> Dict[str, Any]:
        """What the training is made with."""
        recipe = dict({key: self.cfg.get(key) for key in RECIPE}, seed=self.seed, amp=self.amp,
                      **{name: fingerprint(path) for name, path in self.inputs.items()})
        return json.loads(json.dumps(recipe))  # tuples become lists

    def _changed_settings(self) -> List[str]:
        """What an earlier training in the folder was made with otherwise."""
        path = self.work_dir / RECIPE_FILE
        if not path.is_file():
            return []
        before, wanted = read_json(path), self._recipe()
        return [key for key in {**wanted, **before} if wanted.get(key) != before.get(key)]


def weight_files(inside, files: Dict[str, Path], place: str = '') -> Dict[str, Path]:
    """Finds where a part of a config has weights of other networks.

    Args:
        inside (dict | list): The part of the config.
        files (dict[str, Path]): The files, by the names of files that configs have.
        place (str): Where the part is in the config, with a dot at its end. Defaults to ''.

    Returns:
        dict[str, Path]: The files by the places of their ``pretrained``.
    """
    found = {}
    for key, value in (enumerate(inside) if isinstance(inside, list) else inside.items()):
        if key == 'pretrained' and isinstance(value, str) and Path(value).name in files:
            found[f'{place}{key}'] = files[Path(value).name]
        elif isinstance(value, (dict, list)):
            found.update(weight_files(value, files, f'{place}{key}.'))
    return found
