import numpy as np
import pyarrow as pa
import pytest

from dass_ray import cost as cost_module
from dass_ray import verify
from dass_ray.config import SearchConfig
from dass_ray.cost import Limits, cost, sample_within
from dass_ray.predictor.scorer import Scored
from dass_ray.searches import BATCH_SCHEMA, Choice, Round, SearchCard
from dass_ray.space import Spec

from .make import CLASSES, KD, TINY, row, specs, teacher_card


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(cost_module, "_WALKS", 200)


def batch(*rows):
    """Rows of (spec, predicted, feasible)."""
    texts, predicted, feasible = zip(*rows, strict=True)
    n = len(rows)
    columns = {
        "spec": texts, "predicted": predicted, "uncertainty": [0.1] * n, "params": [1] * n,
        "flops": [2] * n, "feasible": feasible,
    }  # fmt: skip
    return pa.table(columns, schema=BATCH_SCHEMA)


def texts(found):
    return [str(spec) for spec in found]


def test_best_predicted_over_all_batches():
    batches = [
        batch(("4/8", 0.5, True), ("3/8", 0.9, True)),
        batch(("2/8", 0.7, True), ("4-4/8", 0.6, True)),
    ]
    assert texts(verify.best_predicted(batches, 3)) == ["3/8", "2/8", "4-4/8"]
    assert len(verify.best_predicted(batches, 9)) == 4
    assert verify.best_predicted(batches, 1) == [Spec.parse("3/8")]


def test_best_predicted_are_within_the_limits():
    batches = [batch(("4/8", 0.9, False), ("3/8", 0.5, True), ("2/8", 0.8, False))]
    assert texts(verify.best_predicted(batches, 2)) == ["3/8"]
    assert verify.best_predicted([batch(("4/8", 0.9, False))], 2) == []


def test_a_student_is_chosen_once():
    batches = [batch(("4/8", 0.9, True), ("4/8", 0.9, True)), batch(("4/8", 0.9, True))]
    assert texts(verify.best_predicted(batches, 3)) == ["4/8"]


def test_equal_predictions_do_not_depend_on_their_order():
    rows = [("4/8", 0.5, True), ("3/8", 0.5, True), ("2/8", 0.5, True)]
    assert texts(verify.best_predicted([batch(*rows)], 2)) == ["2/8", "3/8"]
    assert texts(verify.best_predicted([batch(*rows[::-1])], 2)) == ["2/8", "3/8"]


def config(**changed):
    facts = {"dataset": "tinges", "space": TINY, "kd": KD, "verify": {"seeds": (3, 5)}}
    return SearchConfig(**facts | changed)


def drawn(taken=(), **changed):
    return verify.drawn_at_random(config(**changed), len(CLASSES), taken)


def test_random_students_are_within_the_limits_and_new():
    limits = Limits(params=1500)
    taken = drawn(limits=limits, verify={"random": 3})
    found = drawn(taken, limits=limits, verify={"random": 3})
    assert len(set(found)) == len(found) == 3
    assert not set(found) & set(taken)
    assert limits.met(cost(TINY, TINY.pack(found), 3)).all()


def test_random_students_are_those_of_the_seed():
    assert drawn() == drawn()
    assert drawn(seed=1) != drawn()
    assert drawn(verify={"random": 0}) == []


def test_random_students_are_not_what_the_search_started_from():
    starts = sample_within(TINY, Limits(), 3, 4, np.random.default_rng(0))
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


def test_choices_keep_their_columns(card):
    top, random = [Spec.parse("4/8"), Spec.parse("3/8")], [Spec.parse("2/8")]
    scored = Scored(
        np.array([0.9, 0.8, 0.7]), np.array([0.01, 0.02, 0.03]), np.array([10, 20, 30]),
        np.array([100, 200, 300]),
    )  # fmt: skip
    found = verify.choices(card, 2, top, random, scored)
    assert {choice.round for choice in found.students} == {2}
    rows = [(c.spec, c.role, c.predicted, c.uncertainty, c.params, c.flops) for c in found.students]
    assert rows == [
        ("4/8", "top", 0.9, 0.01, 10, 100),
        ("3/8", "top", 0.8, 0.02, 20, 200),
        ("2/8", "random", 0.7, 0.03, 30, 300),
    ]
    for choice in found.students:
        assert choice.keys == tuple(run.key for run in verify.runs(card, choice.spec))
    assert Round.model_validate_json(found.model_dump_json()) == found


def test_no_students_to_choose(card):
    empty = Scored(*(np.empty(0) for _ in range(4)))
    assert verify.choices(card, 1, [], [], empty) == Round(students=())


@pytest.mark.parametrize(
    ("top", "rounds", "expected"),
    [(4, 1, [4]), (4, 2, [2, 2]), (5, 2, [3, 2]), (8, 3, [3, 3, 2]), (3, 3, [1, 1, 1])],
)
def test_rounds_share_the_top_students(top, rounds, expected):
    assert verify.shares(top, rounds) == expected


def choice(spec, *keys):
    return Choice(
        spec=spec, role="top", round=1, predicted=0.9, uncertainty=0.1, params=1, flops=2, keys=keys
    )


def test_unverified_are_within_the_limits_and_new():
    batches = [
        batch(("4/8", 0.5, True), ("3/8", 0.9, False), ("2/8", 0.7, True)),
        batch(("2/8", 0.7, True), ("4-4/8", 0.6, True)),
    ]
    assert texts(verify.unverified(batches, [])) == ["4/8", "2/8", "4-4/8"]
    assert texts(verify.unverified(batches, [choice("2/8"), choice("8/8")])) == ["4/8", "4-4/8"]
    assert verify.unverified(batches[:1], [choice("4/8"), choice("2/8")]) == []


def test_support_is_of_runs_that_ended_well():
    bad = {"status": "diverged", "validation": None}
    rows = {
        "a": row("a", validation=0.7), "b": row("b", validation=0.8), "c": row("c", **bad),
        "d": row("d", validation=0.5), "e": row("e", **bad | {"status": "failed"}),
    }  # fmt: skip
    chosen = [choice("4/8", "a", "b"), choice("3/8", "c", "d"), choice("2/8", "c", "e")]
    assert verify.support(chosen, rows) == (
        (Spec.parse("4/8"), pytest.approx(0.75)),
        (Spec.parse("3/8"), 0.5),
    )
    assert verify.support([], rows) == ()


def columns(predicted):
    n = np.arange(len(predicted))
    return Scored(np.array(predicted), n / 10, n, 10 * n)


def test_the_best_of_new_scores_keep_their_columns():
    pool = [Spec.parse(text) for text in ("4/8", "3/8", "2/8", "4-4/8")]
    found, scored = verify.best(pool, columns([0.5, 0.9, 0.5, 0.1]), 3)
    assert texts(found) == ["3/8", "2/8", "4/8"]  # equal ones by their texts
    assert scored.predicted.tolist() == [0.9, 0.5, 0.5]
    assert scored.params.tolist() == [1, 2, 0]
    assert len(verify.best(pool, columns([0.5, 0.9, 0.5, 0.1]), 9)[0]) == 4


def test_a_new_score_that_is_no_number_is_an_error():
    with pytest.raises(ValueError, match="a score that is not a number"):
        verify.best([Spec.parse("4/8")], columns([np.nan]), 1)
