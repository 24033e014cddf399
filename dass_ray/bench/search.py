"""Candidates a second through Tune and Optuna: batches of alike students, against one a trial."""

import resource
import tempfile
import time

import ray

from dass_ray import __version__
from dass_ray.actors import scorer
from dass_ray.actors.kd_worker import train_teacher
from dass_ray.actors.session import ray_session
from dass_ray.config import SearchConfig
from dass_ray.data.builtin import resolve
from dass_ray.kd.teachers import TeacherPlan
from dass_ray.limits import Costs
from dass_ray.recipe import TEACHERS
from dass_ray.records import TeacherCard
from dass_ray.search import Stage, explore
from dass_ray.searches import SearchCard
from dass_ray.space import MICRO
from dass_ray.store import open_store
from dass_ray.store.base import Store

DATASET = "textures:0"


def search(candidates: int, plain: int, batch: int, scorers: int | None) -> dict[str, float]:
    """Candidates/s of a search on a made-up task at micro scale, with the shipped predictor.

    candidates: in batches of `batch` by our sampler; plain: one Tune trial each, by NSGA-II, on as
    many scorers. Actors are up before either clock starts. Shares of wall time: of the scorers in
    scoring, of the driver in Optuna (proposing and telling) and in all else, which is Tune, while
    scorers work. Peaks in GiB: of the driver, and of a scorer.
    """
    with tempfile.TemporaryDirectory(prefix="dass-ray-bench-") as folder, ray_session():
        store = open_store(folder)
        teacher = _teacher(store)
        ours = _measure(store, _card("ours", teacher, candidates, batch, "guided", scorers))
        one = _measure(store, _card("plain", teacher, plain, 1, "nsga2", scorers))
    return {
        **ours,
        "plain_candidates_per_s": one["candidates_per_s"],
        "ratio": ours["candidates_per_s"] / one["candidates_per_s"],
    }


def _teacher(store: Store) -> TeacherCard:
    """A teacher that was trained for a moment, whose students cost as much to score as any."""
    recipe = TEACHERS["micro"].model_copy(update={"epochs": 2, "min_steps": 0})
    resolve(store, DATASET)
    return train_teacher(store.uri, DATASET, TeacherPlan(MICRO, recipe, 0))


def _card(
    name: str, teacher: TeacherCard, candidates: int, batch: int, sampler: str, scorers: int | None
) -> SearchCard:
    raw = {
        "dataset": DATASET, "candidates": candidates, "batch": batch, "sampler": sampler,
        "resources": {"scorers": scorers},
    }  # fmt: skip
    return SearchCard(
        id=name, config=SearchConfig.parse(raw, "the bench's settings"), teacher=teacher,
        predictor="shipped", started_at=time.time(), code_version=__version__,
    )  # fmt: skip


def _measure(store: Store, card: SearchCard) -> dict[str, float]:
    config = card.config
    batches = -(-config.candidates // config.batch)
    with scorer.started(
        store.uri, config.predictor, card.teachers, config.precision, config.resources, batches
    ) as scorers:
        first = MICRO.pack([MICRO.smallest])
        ray.get([actor.score.remote(first, ((),)) for actor in scorers])  # they are up, and warm
        before = sum(seconds for seconds, _ in ray.get([a.spent.remote() for a in scorers]))
        started = time.monotonic()
        costs = Costs(config.space, len(card.teacher.classes))
        stage = Stage(1, config.candidates, ((),))
        optuna = explore(store, card, costs, scorers, stage, lambda _done, _best: None)
        wall = time.monotonic() - started
        spent = ray.get([actor.spent.remote() for actor in scorers])
    scoring = sum(seconds for seconds, _ in spent) - before
    return {
        "candidates_per_s": config.candidates / wall,
        "scorers": len(scorers),
        "scoring_share": scoring / wall / len(scorers),
        "optuna_share": sum(optuna.values()) / wall,
        "tune_share": 1 - min(1.0, sum(optuna.values()) / wall + scoring / wall / len(scorers)),
        "scorer_candidates_per_s": config.candidates / scoring,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "scorer_peak_gib": max(peak for _, peak in spent),
    }
