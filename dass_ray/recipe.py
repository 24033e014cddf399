"""Recipes: all settings of one training, as data that enters a run's key.

Source of the `paper` values: the recipe of Lee et al., ICLR 2023, as read from the authors' code.
"""

from typing import Literal

from pydantic import Field

from dass_ray.frozen import Frozen


class TrainRecipe(Frozen):
    """SGD with momentum, a linear warm-up and a cosine per step, on randomly cropped images."""

    epochs: int = Field(ge=1)
    """Passes over the training set, at the least."""
    min_steps: int = Field(default=0, ge=0)
    """Epochs are added until the optimiser takes this many steps: small data sets need them."""
    batch_size: int = Field(default=64, ge=2)
    """Images of a step."""
    lr: float = Field(gt=0)
    """Largest learning rate."""
    warmup: float = Field(default=0.0, ge=0, lt=1)
    """Share of the steps in which the learning rate rises linearly to `lr`."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Nesterov's momentum."""
    weight_decay: float = Field(default=3e-5, ge=0)
    """Weight decay of SGD."""
    clip_norm: float | None = Field(default=None, gt=0)
    """Gradients are scaled down to this norm; None leaves them."""
    crop_padding: int = Field(ge=0)
    """Pixels of zeros around an image before its random crop, at the space's image size."""
    flip: bool = True
    """Whether images are mirrored at random."""

    def epochs_for(self, images: int) -> int:
        """Epochs that a training set of so many images gets."""
        steps = max(1, images // self.batch_size)
        return max(self.epochs, -(-self.min_steps // steps))


class TeacherRecipe(TrainRecipe):
    """How a teacher is trained from scratch."""

    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    """Share of the target that is spread over all classes."""


class KDRecipe(TrainRecipe):
    """How a student is distilled; the loss is `kd.losses.distillation`."""

    alpha: float = Field(default=0.5, ge=0, le=1)
    """Weight of the labels in the loss; the teacher's classes have the rest."""
    temperature: float = Field(default=6.0, gt=0)
    """Logits of both networks are divided by it."""
    views: int = Field(ge=1)
    """Fixed augmented views of the training set; epoch e shows view e mod `views`."""
    start: Literal["first", "last", "uniform", "random"] = "first"
    """The student's first weights: remapped from the teacher (see models.remap) or fresh."""


TEACHERS = {
    "micro": TeacherRecipe(
        epochs=20, min_steps=800, lr=0.05, warmup=0.1, clip_norm=1.0, crop_padding=2,
        weight_decay=5e-4,
    ),
    "paper": TeacherRecipe(epochs=180, lr=0.05, crop_padding=8),
}  # fmt: skip
DISTILL = {
    "micro": KDRecipe(
        epochs=6, min_steps=200, lr=0.05, warmup=0.1, clip_norm=1.0, crop_padding=2,
        weight_decay=5e-4, views=8,
    ),
    "paper": KDRecipe(epochs=50, lr=0.05, crop_padding=8, views=50),
}  # fmt: skip
