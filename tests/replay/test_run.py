import numpy as np
import pytest

from dass_ray.errors import UserError
from dass_ray.replay.run import replay, summaries
from dass_ray.watch import Silent

from .conftest import N


def in_order(task, _seed):
    return len


def the_first_again(_task, _seed):
    return lambda _seen: 0


ORDER = f"{__name__}:in_order"


def test_regret_after_each_run_is_the_distance_of_the_best_so_far(recorded):
    [task] = recorded.chosen(["old"])
    [found] = replay([task], [ORDER], runs=N, repeats=2, watcher=Silent())
    wanted = task.mean.max() - np.maximum.accumulate(task.mean)
    assert found.regret == pytest.approx(np.stack([wanted, wanted]))
    assert found.spearman is None


def test_a_perfect_score_has_no_regret(recorded):
    [found] = replay(recorded.chosen(), ["predictor"], runs=1, repeats=3, watcher=Silent())
    assert found.regret == pytest.approx(0)
    assert found.spearman == pytest.approx(1)


def test_what_looks_best_by_one_seed_is_judged_by_all(recorded):
    """Two students change places between the seeds; whoever sees one seed is sometimes wrong."""
    [task] = recorded.chosen()
    task.validation[:, :] = 0.1
    task.validation[:, 0], task.validation[:, 1] = [0.5, 0.9], [0.8, 0.8]
    task.__dict__.pop("mean", None)
    [found] = replay([task], [ORDER], runs=2, repeats=40, watcher=Silent())
    assert set(np.round(found.regret[:, 1], 3)) == {0.0, 0.1}


def test_tasks_weigh_alike_and_repeats_give_the_interval(recorded):
    tasks = recorded.chosen(["old", "new"])
    found = replay(tasks, ["random", ORDER], runs=3, repeats=8, watcher=Silent())
    assert [(one.method, one.task) for one in found] == [
        ("random", "new/teacher-"), (ORDER, "new/teacher-"),
        ("random", "old/teacher-"), (ORDER, "old/teacher-"),
    ]  # fmt: skip
    by_chance, by_order = summaries(found)
    both = np.mean([found[0].regret, found[2].regret], axis=0)
    assert by_chance.regret == pytest.approx(both.mean(axis=0))
    assert by_chance.low[-1] < by_chance.regret[-1] < by_chance.high[-1]
    assert by_order.low == pytest.approx(by_order.high)


def test_a_task_with_too_few_students_is_said(recorded):
    with pytest.raises(UserError, match=r"new/teacher- has 12 students: ask for no more runs"):
        replay(recorded.chosen(), [ORDER], runs=13, repeats=1, watcher=Silent())


def test_a_strategy_that_repeats_itself_is_refused(recorded):
    with pytest.raises(UserError, match="chose student 0, which is known or does not exist"):
        replay(
            recorded.chosen(), [f"{__name__}:the_first_again"], runs=2, repeats=1, watcher=Silent()
        )
