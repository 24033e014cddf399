"""Meta-dataset generation: many real KD runs of many tasks, resumable at any moment.

The store is the truth: a call runs what the store has no row of, so the same call goes on where it
was stopped, however that was.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dass_ray import plan, tracking
from dass_ray.actors.data_parallel import check_divides
from dass_ray.actors.kd_worker import How
from dass_ray.actors.nodes import Nodes
from dass_ray.actors.session import ray_session
from dass_ray.collect import distilling, teaching
from dass_ray.collect.distilling import Rules
from dass_ray.collect.tally import Log
from dass_ray.config import CollectConfig, StoreConfig
from dass_ray.data.builtin import resolve
from dass_ray.errors import UserError
from dass_ray.kd.teachers import advice
from dass_ray.records import Run, TeacherCard
from dass_ray.store import open_store
from dass_ray.tracking.job import Job
from dass_ray.watch import Silent, Watcher


@dataclass(frozen=True)
class Collected:
    """The end of a collect: the runs of its plan, how many of them have failed or diverged.

    left_out: a line for each teacher whose students were not run, and for each node that could not
    work.
    """

    runs: int
    failed: int
    left_out: tuple[str, ...]


def collect(
    config: CollectConfig,
    watcher: Watcher | None = None,
    *,
    retry_failed: bool = False,
    log: Log | None = None,
) -> Collected:
    """Trains missing teachers, then distils all missing runs.

    retry_failed: runs with the status `failed` are missing, too. log: is told the progress about
    once a minute. UserError, at the end, where something could not be done.
    """
    watcher, nodes, track = watcher or Silent(), Nodes(), tracking.chosen(config.track)
    watcher.phase("starting Ray", 1)
    with ray_session(config.address), tracking.job(track, config.tracking, "collect", {}) as job:
        watcher.step(1, "")
        _check_shares(config)
        taught = teaching.train(config, watcher, nodes)
        chosen = [card for card in taught.cards if not _left_out(card, config)]
        left_out = tuple(advice(card) for card in taught.cards if _left_out(card, config))
        if left_out and not chosen:
            raise UserError(left_out[0])
        rules = Rules(
            How(max_seconds=config.max_seconds, retried=retry_failed),
            config.shard, config.shard_seconds, config.max_failed,
        )  # fmt: skip
        total = plan.size(config, len({card.id for card in chosen}))
        work = distilling.Work(total, lambda: plan.blocks(config, chosen))
        failed = distilling.distil(config, work, rules, watcher, log, nodes, job)
    if taught.problems:
        raise UserError(f"{taught.problems[0]}; everything else is done")
    return Collected(total, failed, (*left_out, *nodes.told()))


def _check_shares(config: CollectConfig) -> None:
    """UserError, before teachers are trained, where workers cannot share the students' batches."""
    if (workers := config.resources.workers_per_run) > 1:
        store = open_store(config.store)
        for name in config.datasets:
            images = resolve(store, name).card.counts["train"]
            for recipe in config.kd:
                check_divides(recipe, images, workers)


def _left_out(card: TeacherCard, config: CollectConfig) -> bool:
    return card.near_chance and config.near_chance == "leave out"


def train_teachers(config: CollectConfig, watcher: Watcher) -> list[TeacherCard]:
    """The teachers of all data sets and seeds, trained where the store lacks them.

    UserError for one that could not be trained or stayed near chance.
    """
    taught = teaching.train(config, watcher)
    problems = [*taught.problems, *(advice(card) for card in taught.cards if card.near_chance)]
    if problems:
        raise UserError(problems[0])
    return taught.cards


def distil_all(
    config: StoreConfig,
    runs: Sequence[Run],
    watcher: Watcher,
    *,
    shard: int,
    keep_weights: bool = False,
    job: Job | None = None,
) -> None:
    """Distils the runs that have no row yet, at most `shard` of them in one Ray task.

    Each task's rows are committed when it is done, and then told to the job's trackers.
    """
    total = len({run.key for run in runs})
    work = distilling.Work(total, lambda: plan.blocks_of(runs))
    rules = Rules(How(keep_weights=keep_weights), shard)
    distilling.distil(config, work, rules, watcher, job=job)
