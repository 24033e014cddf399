"""The teachers of a plan, trained where the store lacks them."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ray

from dass_ray.actors import board, data_parallel, kd_worker
from dass_ray.actors.data_parallel import check_divides
from dass_ray.actors.nodes import NodeError, Nodes, cause
from dass_ray.actors.pool import WINDOW, Queue, bounded
from dass_ray.actors.session import room
from dass_ray.config import CollectConfig
from dass_ray.data.builtin import resolve
from dass_ray.kd.teachers import TeacherPlan, epochs_of, find_card
from dass_ray.records import TeacherCard
from dass_ray.store import open_store
from dass_ray.watch import Watcher


@dataclass(frozen=True)
class Taught:
    """The teachers, in the plan's order, and a line for each that could not be trained."""

    cards: list[TeacherCard]
    problems: list[str]


def plans(config: CollectConfig) -> list[TeacherPlan]:
    """The teachers that each data set gets."""
    seeds = dict.fromkeys(config.teacher_seeds)
    return [TeacherPlan(config.space, config.teacher, seed, config.network) for seed in seeds]


def train(config: CollectConfig, watcher: Watcher, nodes: Nodes | None = None) -> Taught:
    """Trains what is missing; near chance or not.

    nodes: is told those that cannot work. UserError for an unknown data set, or where no node can
    work.
    """
    store, demand = open_store(config.store), kd_worker.demand(config.resources)
    nodes, workers = nodes or Nodes(), config.resources.workers_per_run
    window = (WINDOW if workers == 1 else 1) * room(demand, workers)
    wanted, epochs = [], 0
    for name in dict.fromkeys(config.datasets):  # writes built-in sets, and fails before any work
        data = resolve(store, name)
        wanted += [(name, plan, find_card(store, plan.id(data))) for plan in plans(config)]
        epochs += sum(plan.epochs(data) for plan in plans(config))
        labelled = data.card.counts["train"] - data.card.unlabelled
        check_divides(config.teacher, labelled, workers)
    watcher.phase("training teachers (epochs)", epochs)
    shared, submit = board.start(), _submit(demand, workers, nodes)
    cards = {(name, plan): card for name, plan, card in wanted if card}
    before, problems = sum(map(epochs_of, cards.values())), []

    def idle() -> None:
        newest = ray.get(shared.read.remote())
        best = max((accuracy for _, _, accuracy in newest.values()), default=0.0)
        done = before + sum(done for done, _, _ in newest.values())
        watcher.step(done, f"best validation {best:.1%}" if newest else "")

    again = deque[tuple[str, TeacherPlan]]()
    queue = Queue(again, ((name, plan) for name, plan, card in wanted if not card))
    for (name, plan), result in bounded(
        queue, lambda item: submit(store.uri, *item, shared), window, idle
    ):
        if isinstance(error := cause(result), NodeError):
            nodes.leave_out(error, demand, workers)
            again.append((name, plan))
        elif isinstance(result, Exception):
            problems.append(f"the teacher of {name!r} could not be trained: {brief(result)}")
        else:
            cards[name, plan] = result
    idle()
    ray.kill(shared)
    found = [cards[name, plan] for name, plan, _ in wanted if (name, plan) in cards]
    return Taught(found, problems)


def _submit(demand: dict[str, float], workers: int, nodes: Nodes) -> Callable[..., Any]:
    if workers == 1:
        return kd_worker.remote(kd_worker.train_teacher, demand, nodes)
    return data_parallel.remote(data_parallel.teach_together, demand, workers, nodes)


def brief(error: Exception) -> str:
    """The last line of a remote error, which names the cause."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
