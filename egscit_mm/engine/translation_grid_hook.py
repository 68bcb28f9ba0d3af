# Copyright (c) egscit_mm contributors. Licensed under Apache-2.0.
"""Pictures of what the model does, during training."""
from typing import Optional

import torch
from mmagic.registry import HOOKS
from mmengine.dataset import pseudo_collate
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..utils.checks import check_integers
from ..utils.errors import UserError
from ..utils.image_sizes import first_samples, in_order, same_size_parts
from ..utils.wrappers import unwrapped
from ..visualization import image_grid


@HOOKS.register_module()
class TranslationGridHook(Hook):
    """Draws grids of the model's ``rows`` to the backends of the visualizer.

    For EGSCIT one grid per direction (content, exemplar, mask, translation, reconstruction, cycle),
    for VAEGAN one per domain (image, reconstruction). The images are the first of the validation
    set, else of the first training batch, and stay the same.

    Args:
        interval (int): Iterations between two pictures. Defaults to 1000.
        num_images (int): Images per row. Defaults to 8.

    Raises:
        ValueError: If one is below 1.
    """

    priority = 'LOW'

    def __init__(self, interval: int = 1000, num_images: int = 8):
        check_integers(self, 1, interval=int(interval), num_images=num_images)  # it may be 1e3
        self.interval = interval
        self.num_images = num_images
        self.images = None

    def before_train(self, runner: Runner) -> None:
        """Refuses a model that it cannot draw, before it is trained."""
        model = unwrapped(runner.model)
        if not hasattr(model, 'rows'):
            raise UserError(
                f"TranslationGridHook draws models of this package, and {type(model).__name__} is "
                'none: leave it out of custom_hooks, or take MMagic\'s VisualizationHook as '
                'configs/egscit/_base_/cyclegan_runtime.py does.')

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Optional[dict] = None,
                         outputs: Optional[dict] = None) -> None:
        """Draws at the interval and after the last iteration."""
        if self.every_n_train_iters(runner, self.interval) or self.is_last_train_iter(runner):
            self.draw(runner, data_batch)

    @master_only
    def draw(self, runner: Runner, data_batch: dict) -> None:
        """Draws one picture per grid, named ``translation_<grid>``."""
        model = unwrapped(runner.model)
        if self.images is None:
            batch = self.first_batch(runner, data_batch)
            # By size, so that no image is padded; a part for each.
            self.images = {}
            for places, part in same_size_parts(first_samples(batch, self.num_images)):
                inputs = model.data_preprocessor(part)['inputs']
                self.images[tuple(places)] = {
                    domain: images.clone()
                    for domain, images in model.images_by_domain(inputs).items()
                }
        was_training = model.training
        # The latent noise of a picture must not change the random numbers of the training: eval
        # mode draws none.
        model.eval()
        with torch.no_grad():
            parts = {places: model.rows(images) for places, images in self.images.items()}
            for name, rows in in_order(parts).items():
                runner.visualizer.add_image(
                    f'translation_{name}', image_grid(rows, self.num_images), step=runner.iter + 1)
        model.train(was_training)

    def first_batch(self, runner: Runner, data_batch: dict) -> dict:
        """First images of the validation set; the training batch where there is none."""
        loop = runner.val_loop
        if loop is None:
            return data_batch
        # MMagic's MultiValLoop holds several dataloaders, MMEngine's ValLoop one.
        loader = loop.dataloaders[0] if hasattr(loop, 'dataloaders') else loop.dataloader
        count = min(self.num_images, len(loader.dataset))
        return pseudo_collate([loader.dataset[index] for index in range(count)])
