"""What a collect will run, as data: tasks x students x recipes x seeds, decided by the config.

Runs come in blocks, made when they are asked for: the memory of a plan is that of the students of
one task, however many tasks, recipes and seeds there are.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from dass_ray.config import CollectConfig
from dass_ray.cost import cost
from dass_ray.errors import UserError
from dass_ray.frozen import content_hash
from dass_ray.keys import KeySet
from dass_ray.recipe import KDRecipe
from dass_ray.records import Run, TeacherCard, run_keys
from dass_ray.sampling import first_over_cost, over_widths
from dass_ray.space import Spec

BLOCK = 1024  # students


@dataclass(frozen=True)
class Block:
    """Runs of N students of one task, recipe and seed: their specs, FLOPs [N] and keys."""

    teacher: TeacherCard
    recipe: KDRecipe
    seed: int
    specs: Sequence[str]
    flops: NDArray[np.int64]
    keys: Sequence[str]

    @property
    def material(self) -> tuple[str, KDRecipe]:
        """Runs alike in this share their data, teacher and soft labels."""
        return self.teacher.id, self.recipe

    def runs(self) -> Iterator[Run]:
        """The runs themselves."""
        for spec in self.specs:
            yield Run(teacher=self.teacher, spec=spec, recipe=self.recipe, seed=self.seed)

    def without(self, done: KeySet) -> "Block":
        """The block of the runs that are not in `done`."""
        left = np.flatnonzero(~done.holds(self.keys)).tolist()
        return replace(
            self,
            specs=[self.specs[i] for i in left],
            flops=self.flops[left],
            keys=[self.keys[i] for i in left],
        )


def students(config: CollectConfig, dataset: str) -> list[Spec]:
    """Different students of one data set: those that all tasks share first, then its own.

    UserError where the space has fewer.
    """
    shared = round(config.students * config.common)
    own = int(content_hash("students", dataset, config.seed)[:8], 16)
    if config.sampling == "widths":
        common = over_widths(config.space, config.seed, [], shared)
        found = over_widths(config.space, own, common, config.students)
    else:
        common = first_over_cost(config.space, config.seed, shared)
        found = common + first_over_cost(config.space, own, config.students - shared, common)
    if len(found) < config.students:
        raise UserError(
            f"{config.space.name!r} gave only {len(found)} different students, {config.students} "
            "were asked for: lower students"
        )
    return found


def size(config: CollectConfig, tasks: int) -> int:
    """How many runs the plan of so many tasks has."""
    return tasks * config.students * len(set(config.kd)) * len(set(config.kd_seeds))


def blocks(config: CollectConfig, teachers: Iterable[TeacherCard]) -> Iterator[Block]:
    """All runs, each once, in an order that keeps one task, then one recipe, together."""
    for card in {card.id: card for card in teachers}.values():
        specs = students(config, card.dataset)
        for recipe in dict.fromkeys(config.kd):
            for i in range(0, len(specs), BLOCK):
                some = specs[i : i + BLOCK]
                for seed in dict.fromkeys(config.kd_seeds):
                    yield block(card, recipe, seed, some)


def blocks_of(runs: Iterable[Run]) -> Iterator[Block]:
    """Given runs, each once, as blocks of their neighbours."""
    unique = {run.key: run for run in runs}.values()
    for _, group in groupby(unique, key=lambda run: (run.teacher.id, run.recipe, run.seed)):
        some = list(group)
        first = some[0]
        specs = [Spec.parse(run.spec) for run in some]
        yield block(first.teacher, first.recipe, first.seed, specs)


def block(teacher: TeacherCard, recipe: KDRecipe, seed: int, specs: Sequence[Spec]) -> Block:
    """The block of some students."""
    texts = [str(spec) for spec in specs]
    costs = cost(teacher.space, teacher.space.pack(specs), len(teacher.classes))
    keys = run_keys(teacher, recipe, seed, texts)
    return Block(teacher, recipe, seed, texts, costs.flops, keys)


def missing(blocks: Iterable[Block], done: KeySet) -> Iterator[Block]:
    """What is left of blocks once the runs in `done` are taken out; no block is empty."""
    for some in blocks:
        left = some.without(done)
        if left.specs:
            yield left


def heaviest(blocks: Iterable[Block], images: Callable[[str], int]) -> Run:
    """A run that takes as much memory as any of the blocks', which share a space.

    It has the data set with the most training images, the recipe with the largest batch and the
    largest student. images: of a data set.
    """
    teachers, recipes = dict[str, TeacherCard](), set[KDRecipe]()
    for some in blocks:
        teachers[some.teacher.dataset] = some.teacher
        recipes.add(some.recipe)
    card = max(teachers.values(), key=lambda teacher: images(teacher.dataset))
    recipe = max(recipes, key=lambda recipe: recipe.batch_size)
    return Run(teacher=card, spec=str(card.space.teacher), recipe=recipe, seed=0)
