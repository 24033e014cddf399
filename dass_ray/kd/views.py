"""Fixed augmented views of a training set, and a teacher's logits on them.

A view is one random crop and flip of every training image, drawn from a seed alone. All students
of a task see the same views, so the teacher runs once a view and not once a training step.
Letters: V views, N images, B batch, K classes.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dass_ray.data.augment import Draws, crop, draw, normalise
from dass_ray.data.dataset import Dataset
from dass_ray.data.mapped import is_large, zeros
from dass_ray.recipe import KDRecipe, TrainRecipe

EVAL_BATCH = 1024  # images; activations of the paper's teacher then stay under 4 GiB


def view(dataset: Dataset, recipe: TrainRecipe, index: int) -> Draws:
    """The crops and flips of view `index` for all N training images, on the data set's device."""
    generator = torch.Generator().manual_seed(index)
    drawn = draw(len(dataset.train), recipe.crop_padding, recipe.flip, generator)
    return drawn.to(dataset.device)


def batch(dataset: Dataset, draws: Draws, chosen: Tensor) -> Tensor:
    """Normalised float32 images [B, 3, H, W] of a view, on the data set's device.

    chosen: indices [B], there as the draws are.
    """
    stored = dataset.train.images
    pixels = stored[chosen.to(stored.device)].to(dataset.device)
    images = crop(pixels, draws[chosen])
    return normalise(images, dataset.mean, dataset.std)


@dataclass(frozen=True)
class SoftLabels:
    """A teacher's logits on the fixed views of one data set: float16 [V, N, K], on the host."""

    logits: Tensor

    def on(self, device: torch.device) -> Callable[[int, Tensor], Tensor]:
        """(view, indices [B] on the device) -> logits [B, K] there, float32.

        The view that is shown is there as a whole; of a large set only what is asked for.
        """

        @functools.lru_cache(maxsize=1)
        def whole(view: int) -> Tensor:
            return self.logits[view].to(device)

        if is_large(self.logits.nbytes):
            return lambda view, chosen: self.logits[view][chosen.cpu()].to(device).float()
        return lambda view, chosen: whole(view)[chosen].float()


@torch.no_grad()
def soft_labels(
    teacher: nn.Module, dataset: Dataset, recipe: KDRecipe, image_size: int | None = None
) -> SoftLabels:
    """Runs the teacher, in eval mode, once over every view that the recipe will show.

    The data set and the teacher must be on the same device. image_size: of the students in px,
    where the teacher sees the same views in another size.
    """
    teacher.eval()
    side = dataset.image_size
    n = len(dataset.train)
    shown = min(recipe.views, recipe.epochs_for(n))
    out: Tensor | None = None
    for v in range(shown):
        draws = view(dataset, recipe, v).scaled(side, image_size or side)
        for part in torch.arange(n, device=dataset.device).split(EVAL_BATCH):
            logits = teacher(batch(dataset, draws, part)).half().cpu()
            if out is None:
                out = zeros((shown, n, logits.shape[1]), torch.float16)
            out[v, part.cpu()] = logits
    assert out is not None, "a training set has images"
    return SoftLabels(out)
