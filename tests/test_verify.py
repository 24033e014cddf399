import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dass_ray import ledger, limits, verify
from dass_ray.config import SearchConfig
from dass_ray.cost import Cost
from dass_ray.explore.archive import Candidates
from dass_ray.explore.front import is_front
from dass_ray.limits import Costs, Limits, sample_within
from dass_ray.searches import Choice, Round, SearchCard
from dass_ray.space import MICRO, Spec

from .make import CLASSES, KD, TINY, Memory, few, row, specs, teacher_card

COSTS = Costs(TINY, len(CLASSES))


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(limits, "_WALKS", 200)


def candidates(texts, predicted, uncertainty=0.1, cost=None, space=TINY):
    """Students by their texts with made-up scores; costs are the true ones, or given."""
    packed = space.pack([Spec.parse(text) for text in texts])
    doubt = np.broadcast_to(np.asarray(uncertainty, float), len(texts))
    return Candidates(packed, np.array(predicted, float), doubt, cost or Costs(space, 3)(packed))


def choose(how, some, n, objectives=("accuracy", "flops"), reached=None, space=TINY):
    found = verify.choose(how, space, some, objectives, n, reached)
    assert len(set(found.tolist())) == len(found)
    return [str(spec) for spec in space.unpack(some.specs[found])]


HOW = ("top", "diverse", "front", "improvement")
TEXTS = ("4/8", "3/8", "2/8", "4-4/8", "2-2/8")


def test_the_highest_predictions():
    some = candidates(TEXTS, [0.5, 0.9, 0.6, 0.8, 0.7])
    assert choose("top", some, 3) == ["3/8", "4-4/8", "2-2/8"]
    assert choose("top", some, 9) == ["3/8", "4-4/8", "2-2/8", "2/8", "4/8"]


def test_of_equal_predictions_the_smaller_student():
    some = candidates(TEXTS, [0.5, 0.5, 0.5, 0.9, 0.5])
    expected = ["4-4/8", "2/8", "2-2/8", "3/8", "4/8"]
    params = dict(zip(TEXTS, some.cost.params, strict=True))
    assert sorted(expected[1:], key=params.get) == expected[1:]
    assert choose("top", some, 5) == expected
    assert choose("top", some.at(np.array([4, 2, 0, 3, 1])), 5) == expected


def test_diverse_ones_by_hand():
    """Relative widths of stage 1: 1, 0.75, 0.5, 1 1, 0.5 0.5; whether blocks exist counts too."""
    some = candidates(TEXTS, [0.9, 0.8, 0.7, 0.6, 0.5])
    # from 4/8: to 3/8 0.25, 2/8 0.5, 4-4/8 sqrt(1 + 1), 2-2/8 sqrt(1 + 0.25 + 0.25)
    # then 4-4/8; nearest: 3/8 0.25, 2/8 0.5, 2-2/8 sqrt(0.5) from 4-4/8; then 2/8 before 3/8
    assert choose("diverse", some, 5) == ["4/8", "4-4/8", "2-2/8", "2/8", "3/8"]
    assert choose("diverse", some, 3) == ["4/8", "4-4/8", "2-2/8"]


def test_diverse_ones_are_among_the_highest(monkeypatch):
    monkeypatch.setattr(verify, "DIVERSE_AMONG", 2)
    some = candidates(TEXTS, [0.9, 0.8, 0.7, 0.6, 0.1])
    assert choose("diverse", some, 2) == ["4/8", "4-4/8"]
    assert choose("diverse", some.at(np.array([0, 1, 2, 4])), 1) == ["4/8"]


@few
@given(st.integers(1, 40), st.integers(1, 8), st.integers(0, 999))
def test_each_diverse_one_is_the_farthest_from_those_before(n, wanted, seed):
    rng = np.random.default_rng(seed)
    drawn = np.unique(MICRO.sample(n, rng), axis=0)
    some = Candidates(drawn, rng.random(len(drawn)), np.zeros(len(drawn)), Costs(MICRO, 3)(drawn))
    found = verify.diverse(MICRO, some, wanted).tolist()
    assert len(found) == len(set(found)) == min(wanted, len(drawn))
    among = np.argsort(-some.predicted)[: verify.DIVERSE_AMONG * wanted].tolist()
    places = MICRO.vectors(drawn)
    assert found[0] == among[0]
    for k in range(1, len(found)):

        def apart(i, before=tuple(found[:k])):
            return min(np.linalg.norm(places[i] - places[j]) for j in before)

        rest = [i for i in among if i not in found[:k]]
        assert found[k] in rest
        assert apart(found[k]) == pytest.approx(max(map(apart, rest)))


def points(values):
    """Candidates of accuracies and parameters [N, 2]."""
    texts = [str(spec) for spec in specs(MICRO, len(values))]
    accuracy, params = np.array(values, float).T
    cost = Cost(params.astype(np.int64), np.zeros(len(values), np.int64))
    return candidates(texts, accuracy, cost=cost, space=MICRO)


def test_a_front_that_is_small_comes_whole_and_then_what_is_behind():
    some = points([(0.9, 900), (0.5, 500), (0.8, 700), (0.4, 600), (0.3, 700)])
    found = verify.front(some, ("accuracy", "params"), 4).tolist()
    assert set(found[:3]) == {0, 1, 2}
    assert found[3] == 3
    assert set(verify.front(some, ("accuracy", "params"), 9).tolist()) == {0, 1, 2, 3, 4}


def test_a_front_that_is_large_is_spread_over():
    """From one end to the other in equal steps, along the first objective."""
    some = points([(0.1 * i, 100 * i) for i in (3, 1, 7, 9, 5, 2, 8, 4, 6)] + [(0.05, 2000)])
    found = some.predicted[verify.front(some, ("accuracy", "params"), 3)]
    assert found.tolist() == pytest.approx([0.9, 0.5, 0.1])
    found = some.predicted[verify.front(some, ("accuracy", "params"), 5)]
    assert found.tolist() == pytest.approx([0.9, 0.7, 0.5, 0.3, 0.1])
    (alone,) = verify.front(some, ("accuracy", "params"), 1)
    assert some.predicted[alone] == pytest.approx(0.9)


@few
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 999))
def test_what_is_chosen_of_a_front_is_in_it(n, wanted, seed):
    rng = np.random.default_rng(seed)
    some = points(rng.integers(1, 9, (n, 2)))
    first = is_front(some.minimised(("accuracy", "params")))
    found = verify.front(some, ("accuracy", "params"), wanted)
    assert len(set(found.tolist())) == len(found) == min(wanted, n)
    assert first[found].sum() == min(wanted, first.sum())


def test_improvement_by_the_integral():
    """The mean of what is gained, over a normal distribution."""
    some = candidates(TEXTS, [0.7, 0.8, 0.8, 0.9, 0.5], [0.1, 0.1, 0.01, 0.02, 0.2])
    found = verify.improvement(some, 0.8)
    z = np.linspace(-9, 9, 200_001)
    weight = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) * (z[1] - z[0])
    for i in range(5):
        gains = np.maximum(some.predicted[i] + some.uncertainty[i] * z - 0.8, 0)
        assert found[i] == pytest.approx((gains * weight).sum(), rel=1e-4, abs=1e-8)


def test_improvement_weighs_doubt():
    """Beyond the best, what is sure; below it, what is in doubt."""
    some = candidates(TEXTS, [0.80, 0.79, 0.70, 0.60, 0.5], [0.001, 0.05, 0.2, 0.001, 0.001])
    assert choose("improvement", some, 2, reached=0.8) == ["2/8", "3/8"]
    assert choose("improvement", some, 2, reached=0.5) == ["4/8", "3/8"]


def test_improvement_without_a_verified_student_is_on_the_best_prediction():
    some = candidates(TEXTS, [0.80, 0.79, 0.70, 0.60, 0.5], [0.001, 0.05, 0.2, 0.001, 0.001])
    assert choose("improvement", some, 5) == choose("improvement", some, 5, reached=0.8)


def test_improvement_without_doubt():
    some = candidates(TEXTS, [0.7, 0.8, 0.9, 0.6, 0.5], 0)
    assert verify.improvement(some, 0.75).tolist() == pytest.approx([0, 0.05, 0.15, 0, 0], abs=1e-8)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("n", [1, 3, 5, 9])
def test_as_many_different_ones_as_there_are(how, n):
    some = candidates(TEXTS, [0.5, 0.9, 0.6, 0.8, 0.7])
    found = choose(how, some, n)
    assert len(found) == min(n, 5)
    assert found == choose(how, some, n)


@pytest.mark.parametrize("how", HOW)
def test_none_of_none(how):
    """As where a search that goes on has distilled all of its best."""
    some = candidates(TEXTS, [0.5] * 5).at(np.array([], np.int64))
    for objectives in (("accuracy",), ("accuracy", "flops"), ("accuracy", "flops", "params")):
        assert choose(how, some, 3, objectives) == []


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_score_that_is_no_number_is_an_error(how, bad):
    with pytest.raises(ValueError, match="a score that is not a number"):
        choose(how, candidates(TEXTS, [0.5, bad, 0.6, 0.8, 0.7]), 2)


def config(**changed):
    facts = {"dataset": "tinges", "space": TINY, "kd": KD, "verify": {"seeds": (3, 5)}}
    return SearchConfig(**facts | changed)


def drawn(taken=(), **changed):
    return verify.drawn_at_random(config(**changed), COSTS, taken)


def test_random_students_are_within_the_limits_and_new():
    limits = Limits(params=1500)
    taken = drawn(limits=limits, verify={"random": 3})
    found = drawn(taken, limits=limits, verify={"random": 3})
    assert len(set(found)) == len(found) == 3
    assert not set(found) & set(taken)
    assert limits.met(COSTS(TINY.pack(found))).all()


def test_random_students_are_those_of_the_seed():
    assert drawn() == drawn()
    assert drawn(seed=1) != drawn()
    assert drawn(verify={"random": 0}) == []


def test_random_students_are_not_what_the_search_started_from():
    starts = sample_within(COSTS, Limits(), 4, np.random.default_rng(0))
    assert drawn() != starts


def test_where_few_students_are_left_there_are_fewer():
    some = list(dict.fromkeys(specs(TINY, 2000)))
    assert len(some) == 72
    assert set(drawn(some[2:], verify={"random": 4})) == set(some[:2])
    assert drawn(some, verify={"random": 4}) == []


@pytest.fixture
def card():
    return SearchCard(
        id="mine", config=config(), teacher=teacher_card(), predictor="p", started_at=0.0,
        code_version="0.1.0",
    )  # fmt: skip


def test_one_run_for_each_seed(card):
    runs = verify.runs(card, "4/8")
    assert [run.seed for run in runs] == [3, 5]
    for run in runs:
        assert (run.spec, run.teacher, run.recipe) == ("4/8", card.teacher, KD)
    assert len({run.key for run in runs}) == 2


@pytest.mark.parametrize("timed", [True, False])
def test_choices_keep_their_columns(card, timed):
    latency = np.array([0.5, 0.25]) if timed else None
    cost = Cost(np.array([10, 20]), np.array([100, 200]), latency)
    some = candidates(["4/8", "3/8"], [0.9, 0.8], [0.01, 0.02], cost)
    found = verify.choices(card, 2, "random", some, np.zeros(2, int))
    rows = [(c.spec, c.predicted, c.uncertainty, c.params, c.flops, c.latency) for c in found]
    assert rows == [
        ("4/8", 0.9, 0.01, 10, 100, 0.5 if timed else None),
        ("3/8", 0.8, 0.02, 20, 200, 0.25 if timed else None),
    ]
    for choice in found:
        assert (choice.round, choice.role) == (2, "random")
        assert choice.keys == tuple(run.key for run in verify.runs(card, choice.spec))
    kept = Round(students=tuple(found), candidates=7)
    assert Round.model_validate_json(kept.model_dump_json()) == kept


def test_no_students_to_choose(card):
    none = candidates(TEXTS, [0.5] * 5).at(np.array([], np.int64))
    assert verify.choices(card, 1, "top", none, np.zeros(0, int)) == []


COLUMNS = [
    "teacher_fingerprint", "dataset_fingerprint", "recipe", "status", "spec", "validation",
]  # fmt: skip


def known(card, rows):
    """What the ledger of a store with these rows tells, as a search reads it."""
    store = Memory()
    for number, one in enumerate(rows):
        ledger.commit(store, [row(f"k{number}", **one)])
    return [
        (str(spec), v)
        for spec, v in verify.known(ledger.read(store, COLUMNS, verify.of_task(card.teacher, KD)))
    ]


def test_known_students_have_the_mean_of_their_runs(card):
    rows = [
        {"spec": "4/8", "validation": 0.7, "seed": 3},
        {"spec": "4/8", "validation": 0.8, "seed": 9},  # of whatever seed
        {"spec": "3/8", "validation": 0.5},
    ]
    assert known(card, rows) == [("3/8", 0.5), ("4/8", pytest.approx(0.75))]
    assert known(card, rows[::-1]) == [("3/8", 0.5), ("4/8", pytest.approx(0.75))]
    assert known(card, []) == []


@pytest.mark.parametrize(
    "other",
    [
        {"teacher_fingerprint": "e" * 64},
        {"dataset_fingerprint": "e" * 64},
        {"recipe": KD.model_copy(update={"epochs": 5}).model_dump_json()},
        {"status": "diverged"},
        {"status": "failed", "validation": None},
    ],
    ids="-".join,
)
def test_runs_of_another_task_or_recipe_tell_nothing(card, other):
    mine = {"spec": "4/8", "validation": 0.7}
    assert known(card, [mine | {"validation": 0.1} | other]) == []
    assert known(card, [mine, mine | {"validation": 0.1} | other]) == [("4/8", 0.7)]


def test_whoever_distilled_them(card):
    """The name of a teacher or a data set is no identity, nor is the space."""
    rows = [{"spec": "4/8", "validation": 0.7, "teacher": "t9", "dataset": "hues", "host": "far"}]
    assert known(card, rows) == [("4/8", 0.7)]


def test_the_best_that_was_reached():
    def one(*texts):
        return Round(
            students=tuple(
                Choice(
                    spec=text, role="top", round=1, predicted=0.9, uncertainty=0.1, params=1,
                    flops=2, keys=("k",),
                )
                for text in texts
            ),
            candidates=9,
        )  # fmt: skip

    support = tuple((Spec.parse(t), v) for t, v in (("4/8", 0.7), ("3/8", 0.8), ("2/8", 0.95)))
    rounds = [one("4/8", "4-4/8"), one("3/8")]

    def best(rounds, support=support):
        return verify.best_reached(rounds, (None,), (support,))

    assert best(rounds) == 0.8  # 2/8 is another search's
    assert best(rounds[:1]) == 0.7
    assert best([]) is None
    assert best([one("4-4/8")]) is None  # not distilled, or it failed
    assert best(rounds, ()) is None


def test_the_best_that_was_reached_from_the_teacher_that_was_chosen():
    pairs = [("4/8", "t1"), ("3/8", "t2")]
    students = [
        Choice(
            spec=spec, role="top", round=1, predicted=0.9, uncertainty=0.1, params=1, flops=2,
            keys=("k",), teacher=teacher,
        )
        for spec, teacher in pairs
    ]  # fmt: skip
    rounds = [Round(students=tuple(students), candidates=9)]
    small, large = Spec.parse("3/8"), Spec.parse("4/8")
    supports = ((large, 0.6), (small, 0.9)), ((large, 0.8), (small, 0.7))
    assert verify.best_reached(rounds, ("t1", "t2"), supports) == 0.7
    assert verify.best_reached(rounds, ("t2", "t1"), supports) == 0.9
