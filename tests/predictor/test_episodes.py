import dataclasses

import pytest
import torch

from dass_ray.predictor.episodes import Episodes
from dass_ray.predictor.model import log_odds
from dass_ray.predictor.network import Network

from . import make

TRAIN = 4


@pytest.fixture(scope="module")
def train():
    return [make.runs(f"task {seed}", seed) for seed in range(TRAIN)]


def episodes(train, **changed):
    config = make.config(**changed)
    return Episodes(train, config, Network.like(config.encodings, train[0].task, config.hidden))


def drawn(found, episode=1):
    (part,) = found.draw(episode, 100)
    return part


def task_of(part, t, train):
    """Which training task is at place t, told from its teacher's map."""
    maps = part.support.tasks.maps[t].movedim(-1, 1)
    return next(r for r in train if torch.equal(r.task.teacher.maps, maps))


def place(vectors, runs):
    return [int((runs.students.vectors - v).abs().sum(dim=1).argmin()) for v in vectors]


def test_queries_are_students_with_their_own_targets(train):
    part = drawn(episodes(train, queries=1000))
    assert part.targets.shape == (TRAIN, 24)  # no more than there are
    for t in range(TRAIN):
        runs = task_of(part, t, train)
        odds = log_odds(runs.accuracy)
        expected = (odds - odds.mean()) / odds.std()
        order = torch.tensor(place(part.queries.vectors[t], runs))
        assert torch.allclose(part.targets[t], expected[order], atol=1e-5)
        assert torch.equal(part.queries.maps[t].movedim(-1, 1), runs.students.maps[order])


def test_relative_to_the_teacher(train):
    found = episodes(train, normalise="teacher")
    scale = sum(float(log_odds(r.accuracy).std()) for r in train) / TRAIN
    assert found.units.scale == pytest.approx(scale)
    assert found.units.offset == 0
    part = drawn(found)
    runs = task_of(part, 0, train)
    order = place(part.queries.vectors[0], runs)
    expected = (log_odds(runs.accuracy[order]) - log_odds(torch.tensor(0.9))) / scale
    assert torch.allclose(part.targets[0], expected, atol=1e-5)


def test_what_units_mean_on_a_new_task(train):
    """The teacher's output is its mean place among the standardised students."""
    units = episodes(train).units
    odds = [log_odds(r.accuracy) for r in train]
    teacher = float(log_odds(torch.tensor(0.9)))
    places = [(teacher - float(o.mean())) / float(o.std()) for o in odds]
    assert units.offset == pytest.approx(sum(places) / TRAIN)
    assert units.scale == pytest.approx(sum(float(o.std()) for o in odds) / TRAIN)


def test_tasks_of_one_accuracy_are_no_reason_to_fail(train):
    flat = dataclasses.replace(train[0], accuracy=torch.full((24,), 0.5))
    assert drawn(episodes([flat])).targets.abs().max() < 1e-3


def test_the_episode_and_the_seed_decide(train):
    found = episodes(train)
    first, again, other = drawn(found, 3), drawn(found, 3), drawn(found, 4)
    assert torch.equal(first.queries.vectors, again.queries.vectors)
    assert not torch.equal(first.queries.vectors, other.queries.vectors)
    seeded = drawn(episodes(train, seed=1), 3)
    assert not torch.equal(first.queries.vectors, seeded.queries.vectors)


def test_a_task_with_fewer_students_shows_some_of_them_again(train):
    few = make.runs("few", seed=9, students=5)
    part = drawn(episodes([*train, few], queries=12))
    assert part.targets.shape == (TRAIN + 1, 12)
    counts = sorted(len(targets.unique()) for targets in part.targets)
    assert counts[0] == len(few.accuracy.unique())


def test_some_of_many_tasks(train):
    found = episodes(train, tasks=3)
    seen = [drawn(found, n) for n in range(1, 9)]
    assert all(len(part.targets) == 3 for part in seen)
    names = [{task_of(part, t, train).name for t in range(3)} for part in seen]
    assert all(len(one) == 3 for one in names)
    assert len(set.union(*names)) == TRAIN


def test_chunks_are_parts_of_the_episode(train):
    found = episodes(train)
    whole, parts = drawn(found, 2), found.draw(2, 3)
    assert [len(part.targets) for part in parts] == [3, 1]
    assert torch.equal(torch.cat([part.targets for part in parts]), whole.targets)


def test_the_teacher_is_the_support(train):
    part = drawn(episodes(train))
    assert part.support.targets.shape == part.support.weights.shape == (TRAIN, 1)
    runs = task_of(part, 1, train)
    assert torch.equal(part.support.students.vectors[1], runs.task.teacher.vectors)
    assert (part.support.weights == 1).all()
    assert part.support.targets[1].item() == pytest.approx(episodes(train).units.offset)


def test_support_students_are_no_queries(train):
    found = episodes(train, support=6, queries=100)
    sizes = set()
    for n in range(1, 40):
        part = drawn(found, n)
        given = part.support.targets.shape[1] - 1
        sizes.add(given)
        assert torch.allclose(part.support.weights.sum(dim=1), torch.ones(TRAIN))
        runs = task_of(part, 0, train)
        support = set(place(part.support.students.vectors[0, 1:], runs))
        queries = set(place(part.queries.vectors[0], runs))
        same = {tuple(runs.students.vectors[i].tolist()) for i in support} & {
            tuple(runs.students.vectors[i].tolist()) for i in queries
        }
        doubles = 24 - len(runs.students.vectors.unique(dim=0))
        assert len(same) <= doubles
    assert min(sizes) == 0
    assert max(sizes) == 6


def test_support_without_maps():
    """The teacher has a map where only it is looked at, its students have none."""
    encodings = make.PAPER.model_copy(update={"student": False})
    train = [make.runs(seed=seed, encodings=encodings) for seed in range(2)]
    part = drawn(episodes(train, encodings=encodings, support=3), 2)
    assert part.support.students.maps.shape[-1] == 0
    assert part.support.tasks.maps.shape == (2, 1, 4, 4, 8)
