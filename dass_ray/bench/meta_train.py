"""Meta-training: an ensemble over all tasks at once, against a loop over tasks for each member."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dass_ray.bench.timing import in_turn
from dass_ray.config import Encodings, MetaTrainConfig
from dass_ray.cost import Cost
from dass_ray.predictor.encode import Students, Task
from dass_ray.predictor.episodes import Episode
from dass_ray.predictor.layers import Params, taps
from dass_ray.predictor.learner import Learner
from dass_ray.predictor.memory import keep_freed_memory
from dass_ray.predictor.runs import TaskRuns
from dass_ray.space import Space

TASKS, QUERIES, STEP = 8, 50, 0.005
PAPER = Encodings(student=True, teacher=True, architecture=True, summary=False, signals=())


def meta_train(space: Space, members: int, rounds: int) -> dict[str, float]:
    """Episodes/s of one member by both ways on one thread: 8 tasks of 50 queries, second order.

    The network, the loss and the optimiser are the paper's in both; also the largest relative
    difference of the two ways' gradients.
    """
    torch.set_num_threads(1)
    keep_freed_memory()
    learner = Learner(_tasks(space), _config(space, members))
    plain = [_Plain(learner, member) for member in range(members)]
    difference = max(_difference(learner, one, m) for m, one in enumerate(plain))

    def one_by_one() -> None:
        for one in plain:
            one.step(learner.episodes.draw(1, 1))

    pair = in_turn(lambda: learner.step(1), one_by_one, rounds)
    return {
        "episodes_per_s": members / pair.ours,
        "plain_episodes_per_s": members / pair.plain,
        "ratio": pair.ratio,
        "relative_difference": difference,
    }


def _config(space: Space, members: int) -> MetaTrainConfig:
    return MetaTrainConfig(
        name="bench", space=space, train=("a",), validation=("b",), members=members,
        encodings=PAPER, adaptation="second", normalise="teacher", ranking="none",
        tasks=TASKS, queries=QUERIES, inner_lr=STEP,
    )  # fmt: skip


def _tasks(space: Space) -> list[TaskRuns]:
    """Made-up runs in the shapes of a space: what is in them does not change the time."""
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    side, channels = space.image_size // int(np.prod(space.strides)), space.widths[-1]

    def students(n: int) -> Students:
        maps = torch.randn(n, channels, side, side, generator=generator).relu()
        vectors = torch.from_numpy(space.vectors(space.sample(n, rng)))
        return Students(maps, vectors, torch.zeros(n, 0))

    def runs(number: int) -> TaskRuns:
        task = Task(students(1), torch.zeros(0, 1), 0.8)
        accuracy = torch.rand(QUERIES, generator=generator)
        none = np.zeros(QUERIES, np.int64)
        return TaskRuns(f"task {number}", task, students(QUERIES), accuracy, Cost(none, none))

    return [runs(number) for number in range(TASKS)]


class _Plain:
    """The authors' way: weights handed through functional layers, one task after the other."""

    def __init__(self, learner: Learner, member: int) -> None:
        layers = {name: value[member] for name, value in learner.params.items()}
        parts = [layers.pop(f"mix.{name}.weight") for name in learner.net.widths]
        layers["mix.weight"] = torch.cat(parts)
        channels, height, width = learner.net.map_size
        self.weights = {
            name: _kernel(value, channels, (height, width), name) if "conv" in name else
            value.mT.clone() if value.ndim == 2 else value.clone()
            for name, value in layers.items()
        }  # fmt: skip
        self.rates = {name: torch.full_like(v, STEP) for name, v in self.weights.items()}
        every = [*self.weights.values(), *self.rates.values()]
        for value in every:
            value.requires_grad_()
        self.optimizer = torch.optim.Adam(every, lr=5e-4)

    def step(self, episode: list[Episode]) -> None:
        """One episode, given as one part for each task."""
        self.optimizer.zero_grad()
        self.loss(episode).backward()
        self.optimizer.step()

    def loss(self, episode: list[Episode]) -> Tensor:
        """Mean over tasks of the squared error on queries, after an inner step on the teacher."""
        total = torch.zeros(())
        for part in episode:
            teacher = part.support.tasks.maps[0].movedim(-1, 1)
            own = self._forward(self.weights, teacher, part.support.students.vectors[0], teacher)
            inner = (own - part.support.targets[0]).square().mean()
            slopes = torch.autograd.grad(inner, list(self.weights.values()), create_graph=True)
            adapted = {
                name: value - self.rates[name] * slope
                for (name, value), slope in zip(self.weights.items(), slopes, strict=True)
            }
            maps = part.queries.maps[0].movedim(-1, 1)
            out = self._forward(adapted, maps, part.queries.vectors[0], teacher)
            total = total + (out - part.targets[0]).square().mean()
        return total / len(episode)

    @staticmethod
    def _forward(w: Params, maps: Tensor, vectors: Tensor, teacher: Tensor) -> Tensor:
        def layer(name: str, x: Tensor) -> Tensor:
            return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

        def encode(name: str, x: Tensor) -> Tensor:
            for conv in (f"{name}.conv1", f"{name}.conv2"):
                x = F.relu(F.conv2d(x, w[f"{conv}.weight"], w[f"{conv}.bias"], 2, 1))
            return x.mean(dim=(2, 3))

        s, a = encode("student", maps), layer("architecture", vectors)
        t = encode("teacher", teacher).expand(len(s), -1)
        return layer("out", torch.tanh(layer("mix", torch.cat([s, t, a], dim=1))))[:, 0]


def _kernel(value: Tensor, channels: int, size: tuple[int, int], name: str) -> Tensor:
    """The 3x3 kernel of a convolution that is kept as a linear layer; biases stay as they are."""
    if name.endswith("bias"):
        return value.clone()
    if "conv2" in name:
        channels, size = max(1, channels // 2), ((size[0] + 1) // 2, (size[1] + 1) // 2)
    rows, columns = taps(size[0]), taps(size[1])
    used = value.reshape(len(rows), len(columns), channels, -1).permute(3, 2, 0, 1)
    kernel = torch.zeros(*used.shape[:2], 3, 3)
    kernel[:, :, rows.start : rows.stop, columns.start : columns.stop] = used
    return kernel


def _difference(learner: Learner, plain: _Plain, member: int) -> float:
    """The largest difference of the gradients for the mixing layer, relative to the largest one."""
    (part,) = learner.episodes.draw(1, TASKS)
    found = learner.gradient(part)[1]
    ours = torch.cat([found[f"mix.{name}.weight"][member] for name in learner.net.widths]).mT
    loss = plain.loss(learner.episodes.draw(1, 1))
    (theirs,) = torch.autograd.grad(loss, [plain.weights["mix.weight"]])
    return float((ours - theirs).abs().max() / theirs.abs().max())
