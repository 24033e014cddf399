"""Scorer actors with a made-up predictor, on a Ray of one CPU."""

import os
import signal
import time
from types import SimpleNamespace

import numpy as np
import pytest
import ray

from dass_ray.actors import kd_worker, scorer
from dass_ray.actors.scorer import Scorer
from dass_ray.config import Resources
from dass_ray.errors import UserError
from dass_ray.space import Spec

from ..make import TINY, specs, teacher_card


def work():
    return "done"


SOME = TINY.pack(specs(TINY, 3))
SUPPORT = ((Spec.parse("4/8"), 0.75), (Spec.parse("3/8"), 0.5))
NONE = (), ()  # of two teachers


class Task:
    """In place of a TaskScorer: it only knows what it was adapted to."""

    def __init__(self):
        self.known, self.readapted = None, 0

    def readapt(self, packed, accuracy):
        assert accuracy.dtype == np.float64
        assert packed.shape == (len(accuracy), *SOME.shape[1:])
        self.readapted += 1
        self.known = [(str(spec), a) for spec, a in zip(TINY.unpack(packed), accuracy, strict=True)]

    def score(self, packed):
        return SimpleNamespace(
            count=len(packed), known=self.known, readapted=self.readapted, process=os.getpid()
        )


class Small(Scorer):
    def __init__(self, *_):
        self.space, self.seconds = TINY, 0.0
        self.scorers, self.supports = [Task(), Task()], [(), ()]


@pytest.fixture(scope="module")
def one_cpu():
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture
def started(one_cpu, monkeypatch):
    monkeypatch.setattr(scorer, "Scorer", Small)
    return lambda: scorer.started("", "", None, "float32", Resources(), 1)


def known(support):
    return [(str(spec), reached) for spec, reached in support]


def test_the_teacher_alone_needs_no_second_adaptation():
    for found in Small().score(SOME, NONE):
        assert (found.count, found.known, found.readapted) == (3, None, 0)


def test_adapts_where_the_support_is_another_one():
    actor, more = Small(), (*SUPPORT, (Spec.parse("2/8"), 0.25))
    seen = [actor.score(SOME, (support, more)) for support in (SUPPORT, SUPPORT, more, ())]
    assert [first.readapted for first, _ in seen] == [1, 1, 2, 3]
    assert [first.known for first, _ in seen] == [known(SUPPORT)] * 2 + [known(more), []]
    assert {(second.readapted, *second.known) for _, second in seen} == {(1, *known(more))}


def test_an_adaptation_that_failed_is_made_again(monkeypatch):
    actor, readapt = Small(), Task.readapt
    monkeypatch.setattr(Task, "readapt", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        actor.score(SOME, ((), SUPPORT))
    monkeypatch.setattr(Task, "readapt", readapt)
    assert actor.score(SOME, ((), SUPPORT))[1].known == known(SUPPORT)


def test_a_restarted_actor_adapts_again(started):
    with started() as (actor,):
        before, _ = ray.get(actor.score.remote(SOME, (SUPPORT, ())))
        os.kill(before.process, signal.SIGKILL)
        after, _ = ray.get(actor.score.remote(SOME, (SUPPORT, ())))
    assert after.process != before.process
    assert before.known == after.known == known(SUPPORT)


def test_one_cpu_is_enough_for_scorers_and_distillation_in_turn(started):
    """A scorer that outlived its block would keep the task waiting for ever."""
    submit = kd_worker.remote(work, {"num_cpus": 1})
    for support in ((), SUPPORT):
        with started() as (actor,):
            assert ray.get(actor.score.remote(SOME, (support, ())))[0].count == 3
        assert ray.get(submit(), timeout=60) == "done"


def fail_inside(started, kept):
    with started() as actors:
        kept += actors
        ray.get(actors[0].score.remote(SOME, NONE))
        raise ZeroDivisionError


def score_again_and_again(actor):
    """For half a minute: Ray ends an actor a moment after it was told to."""
    for _ in range(600):
        ray.get(actor.score.remote(SOME, NONE))
        time.sleep(0.05)


def test_scorers_end_with_an_error_too(started):
    kept = []
    with pytest.raises(ZeroDivisionError):
        fail_inside(started, kept)
    with pytest.raises(ray.exceptions.RayActorError):
        score_again_and_again(kept[0])


def test_what_cannot_be_loaded_is_told_at_the_first_score(tmp_path):
    """Of a constructor that fails, Ray makes an actor that died, which looks like a lost node."""
    actor = Scorer(str(tmp_path / "none"), "shipped", [teacher_card(TINY)], "float32")
    with pytest.raises(UserError, match="none"):
        actor.score(SOME, ((),))
