"""Recipes: all settings of one training, as data that enters a run's key.

A setting that came later than the first runs is left out of a recipe's JSON while it has its
default, so that runs keep their keys.

Source of the `paper` values: the recipe of Lee et al., ICLR 2023, as read from the authors' code.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

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


Weight = Annotated[float, Field(ge=0, exclude_if=lambda weight: weight == 0)]


class Losses(Frozen):
    """Weights of the KD losses, which are summed. A loss that is not named has none.

    See docs/DISTILLATION.md.
    """

    logits: Weight = 0.0
    """The teacher's softened probabilities (Hinton et al., 2015)."""
    decoupled: Weight = 0.0
    """The same, apart for the true class and the others (DKD, Zhao et al., 2022)."""
    dist: Weight = 0.0
    """Correlation of probabilities, of classes and of images (DIST, Huang et al., 2022)."""
    attention: Weight = 0.0
    """Where the maps at the stages' ends are strong (Zagoruyko & Komodakis, 2017)."""
    hints: Weight = 0.0
    """The middle stage's end, through a 1x1 convolution (FitNets, Romero et al., 2015)."""
    relational: Weight = 0.0
    """Distances and angles among the images of a batch (RKD, Park et al., 2019)."""

    @property
    def of_stages(self) -> bool:
        """Whether a loss compares the maps at the stages' ends, beside the logits."""
        return self.attention > 0 or self.hints > 0 or self.relational > 0

    @property
    def of_batch(self) -> bool:
        """Whether a loss compares the images of a batch, so that it needs them all at once."""
        return self.dist > 0 or self.relational > 0

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if not self.model_dump():
            raise ValueError("no loss has a weight: use {logits: 1} with alpha=1 for labels alone")
        return self


HINTON = Losses(logits=1.0)


class KDRecipe(TrainRecipe):
    """How a student is distilled; the loss is `kd.losses.combined`."""

    alpha: float = Field(default=0.5, ge=0, le=1)
    """Share of the true labels in the loss; the KD losses have the rest."""
    temperature: float = Field(default=6.0, gt=0)
    """Logits of both networks are divided by it, in `logits`, `decoupled` and `dist`."""
    losses: Losses = Field(default=HINTON, exclude_if=lambda losses: losses == HINTON)
    """Weights of the KD losses, by default {logits: 1}."""
    views: int = Field(ge=1)
    """Fixed augmented views of the training set; epoch e shows view e mod `views`."""
    start: Literal["first", "last", "uniform", "random"] = "first"
    """The student's first weights: remapped from the teacher (see models.remap) or fresh."""
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", exclude_if=lambda precision: precision == "float32"
    )
    """Of convolutions and matrix products; weights, losses and validation stay float32."""


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
