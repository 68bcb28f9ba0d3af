# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""The training images of A in the look of B, for models that are to work in B."""
from pathlib import Path

import torch
from mmengine.config import Config
from PIL import Image

from ..evaluation.functional import match_lab_statistics
from ..utils import commands
from ..utils.files import atomic_path, write_atomically
from ..utils.images import read_image
from ..utils.listing import find_images, list_images
from ..utils.records import fingerprint, made_of
from .experiment import Experiment
from .model import load_model
from .translate import encoded, pair_images


def translate_training_set(experiment: Experiment, out: Path, title: str) -> None:
    """Translates all of trainA, each after an image of trainB drawn at random.

    What an earlier call has translated stays as long as all that it was made of does.

    Args:
        experiment (Experiment): A trained one.
        out (Path): The folder of the translations, which keep their names.
        title (str): What is printed meanwhile.
    """
    cfg, checkpoint = experiment.cfg, experiment.checkpoint
    contents = experiment.data / 'trainA'
    with made_of(out, fingerprint(checkpoint), cfg.model,
                 *_training_images(experiment.data)) as is_current:
        if is_current and _is_complete(out, contents):
            return
        if cfg.model.type == 'CycleGAN':
            print(f'{title}: translation', flush=True)
            translate_without_exemplars(cfg, checkpoint, contents, out)
            return
        command = commands.tool(
            'translate.py', cfg.filename, checkpoint, '--content', contents, '--exemplar',
            experiment.data / 'trainB', '--pairing', 'random', '--seed', 0, '--out', out)
        commands.run_logged(command, experiment.work_dir / 'translate.log', f'{title}: translation')


def transfer_colours(data: Path, out: Path, title: str) -> None:
    """Gives all of trainA the colours of the exemplars that their translations have."""
    contents, exemplars = (find_images([str(data / f'train{domain}')]) for domain in 'AB')
    with made_of(out, *_training_images(data)) as is_current:
        if is_current and _is_complete(out, data / 'trainA'):
            return
        print(f'{title}: colours', flush=True)
        for content, exemplar, name in pair_images(contents, exemplars, 'random', seed=0):
            image = match_lab_statistics(read_image(content), read_image(exemplar))
            write_atomically(out / name, encoded(image, '.png'))


@torch.inference_mode()
def translate_without_exemplars(cfg: Config, checkpoint: Path, contents: Path, out: Path) -> None:
    """Translates A to B by MMagic's CycleGAN, which tools/translate.py does not take."""
    model = load_model(cfg, checkpoint)
    out.mkdir(parents=True, exist_ok=True)
    for name in list_images(contents):
        image = torch.from_numpy(read_image(contents / name)).permute(2, 0, 1)[None]
        image = image.to(next(model.parameters()).device) / 127.5 - 1
        translation = model.generators['B'](image)[0]
        pixels = ((translation.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0)
        with atomic_path(out / name) as temporary:
            Image.fromarray(pixels.cpu().numpy()).save(temporary, 'PNG')


def _is_complete(out: Path, contents: Path) -> bool:
    return all((out / name).is_file() for name in list_images(contents))


def _training_images(data: Path) -> list:
    """What tells whether the training images of A or B have changed."""
    folders = [data / f'train{domain}' for domain in 'AB']
    return [[(name, (folder / name).stat().st_size, (folder / name).stat().st_mtime_ns)
             for name in list_images(folder)] for folder in folders]
