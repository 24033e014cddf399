"""What a student is told in every step of its distillation. Letters: B images, K classes."""

import torch
from torch import Tensor, nn

from dass_ray.data.dataset import Dataset
from dass_ray.kd import group
from dass_ray.kd.losses import hints
from dass_ray.kd.losses.combined import combined
from dass_ray.kd.losses.stages import middle, pairs
from dass_ray.kd.train import Shown
from dass_ray.kd.views import SoftLabels, batch, view
from dass_ray.models.network import StagedNetwork
from dass_ray.models.staged import Outputs, Staged
from dass_ray.recipe import KDRecipe


class Learner(nn.Module):
    """A student with what is trained along with it: the regressor of hints."""

    def __init__(self, student: StagedNetwork, regressor: nn.Module) -> None:
        super().__init__()
        self.student, self.regressor = student, regressor

    def forward(self, x: Tensor) -> Tensor:
        """The student's logits: [B, 3, H, W] -> [B, K]."""
        out: Tensor = self.student(x)
        return out


class Lesson:
    """The loss of one student.

    The teacher's logits on the fixed views are given. Its stages' ends are computed in every step
    that needs them: those of all views would be hundreds of times as large as the logits.
    """

    def __init__(
        self, student: StagedNetwork, teacher: Staged, labels: SoftLabels, dataset: Dataset,
        recipe: KDRecipe, seed: int,
    ) -> None:  # fmt: skip
        self.student, self.teacher, self.recipe = student, teacher.eval(), recipe
        self.device = dataset.device
        self._logits = labels.on(self.device)
        self.regressor = self._regressor(dataset, seed) if recipe.losses.hints else None

    @property
    def learner(self) -> nn.Module:
        """What is trained: the student, alone where the loss has no weights of its own."""
        return self.student if self.regressor is None else Learner(self.student, self.regressor)

    def loss(self, _learner: nn.Module, shown: Shown) -> Tensor:
        """The recipe's loss in one step, a scalar."""
        ours, theirs, labels = (
            self._outputs(self.student, shown.images), self._theirs(shown), shown.labels
        )  # fmt: skip
        if self.recipe.losses.of_batch:
            ours, theirs, labels = _gathered(ours), _gathered(theirs), group.gathered(labels)
        return combined(ours, theirs, labels, self.recipe, self.regressor)

    @torch.no_grad()
    def _theirs(self, shown: Shown) -> Outputs:
        stages = self.recipe.losses.of_stages
        ends = self._outputs(self.teacher, shown.images).stages if stages else ()
        return Outputs(self._logits(shown.view, shown.chosen), ends)

    def _outputs(self, net: Staged, images: Tensor) -> Outputs:
        """In the recipe's precision; what comes out is float32."""
        low = self.recipe.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=low):
            logits, ends = net.outputs(images)
        return Outputs(logits.float(), tuple(end.float() for end in ends))

    @torch.no_grad()
    def _regressor(self, dataset: Dataset, seed: int) -> nn.Conv2d:
        images = batch(dataset, view(dataset, self.recipe, 0), torch.zeros(1, dtype=torch.long))
        ours, theirs = (net.eval().outputs(images) for net in (self.student, self.teacher))
        return hints.regressor(middle(pairs(ours.stages, theirs.stages)), seed)


def _gathered(outputs: Outputs) -> Outputs:
    """Those of all processes that train the student, for losses that compare a batch's images."""
    stages = tuple(group.gathered(end) for end in outputs.stages)
    return Outputs(group.gathered(outputs.logits), stages)
