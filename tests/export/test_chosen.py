import pytest

from dass_ray import ledger, searches
from dass_ray.errors import UserError
from dass_ray.export.chosen import choose
from dass_ray.export.config import ExportConfig

from ..make import row
from .make import FIRST, SECOND, WILD, with_two_teachers, without_latencies


def chosen(store, spec=None, latency_ms=None, teacher=None):
    config = ExportConfig(spec=spec and str(spec), latency_ms=latency_ms, teacher=teacher)
    found = choose(store, searches.card(store, "mine"), config)
    assert found.run.spec == found.student.choice.spec
    return found.run.spec, found.run.validation


def test_the_best_on_average_and_its_best_run(store):
    assert chosen(store) == (str(SECOND), 0.85)
    assert chosen(store, FIRST) == (str(FIRST), 0.9)


def test_a_student_whose_other_run_failed_comes_after_those_that_did_not(store):
    choice = next(c for c in searches.choices(store, "mine") if c.spec == str(SECOND))
    rows = ledger.rows_of(store, choice.keys)
    worse = min(rows.values(), key=lambda row: row.validation)
    ledger_path = next(p for p in store.list("runs") if worse.key in p)
    store.delete(ledger_path)
    ledger.commit(store, [row(worse.key, spec=str(SECOND), status="failed", validation=None)])
    assert chosen(store) == (str(FIRST), 0.9)
    assert chosen(store, SECOND) == (str(SECOND), 0.85)


@pytest.mark.parametrize(("limit", "spec"), [(2.5, SECOND), (2.4, FIRST), (1.5, FIRST)])
def test_the_best_within_a_latency(store, limit, spec):
    assert chosen(store, latency_ms=limit)[0] == str(spec)


@pytest.mark.parametrize(
    ("spec", "limit", "message"),
    [
        (None, 1.4, "no verified student of 'mine' takes 1.4 ms or less, the fastest takes 1.5 ms"),
        (SECOND, 2, "takes 2 ms or less, the fastest takes 2.5 ms: search with `-s limits.latency"),
        (WILD, 9, "no such verified student in 'mine'; verified: 4-4/8, 4/6-8"),
        ("nonsense", None, "no such verified student"),
    ],
)
def test_what_there_is_not(store, spec, limit, message):
    with pytest.raises(UserError, match=message):
        chosen(store, spec, limit)


def test_the_best_of_one_of_several_teachers(store):
    """FIRST is of the second teacher, everything else of the first."""
    with_two_teachers(store)
    first, second = (card.id for card in searches.card(store, "mine").teachers)
    assert chosen(store) == chosen(store, teacher=first) == (str(SECOND), 0.85)
    assert chosen(store, teacher=second) == (str(FIRST), 0.9)
    with pytest.raises(UserError, match=f"verified: {FIRST}$"):
        chosen(store, SECOND, teacher=second)
    with pytest.raises(UserError, match=f"no teacher 't9'; it has {first}, {second}"):
        chosen(store, teacher="t9")


def test_a_search_without_latencies(store):
    without_latencies(store)
    assert chosen(store) == (str(SECOND), 0.85)
    with pytest.raises(UserError, match="'mine' knows no latencies: measure a table with"):
        chosen(store, latency_ms=2)


def test_before_any_student_is_verified(store):
    for folder in ("runs", "searches/mine/rounds"):
        for path in store.list(folder):
            store.delete(path)
        with pytest.raises(UserError, match="verified: none yet"):
            chosen(store)
