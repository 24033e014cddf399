import pytest

from dass_ray import searches
from dass_ray.config import SearchConfig
from dass_ray.errors import UserError
from dass_ray.searches import BATCH_SCHEMA, Choice, Finished, Round, SearchCard

from .make import KD, TINY, Memory, teacher_card


def card(name="mine", **changed):
    facts = {
        "id": name, "config": SearchConfig(dataset="tinges", space=TINY, kd=KD),
        "teacher": teacher_card(), "predictor": "shipped abc", "started_at": 1.5,
        "code_version": "0.1.0",
    }  # fmt: skip
    return SearchCard(**facts | changed)


def write(store, record, name="card", search="mine"):
    return searches.write_object(store, record, f"searches/{search}/{name}.json")


def batch(number):
    return {
        "spec": [f"{number}/8", "4/8"], "predicted": [0.5, 0.6], "uncertainty": [0.1, 0.2],
        "params": [number, 2], "flops": [3, 4], "feasible": [True, False],
    }  # fmt: skip


def test_card_round_trip(store):
    assert write(store, card()) == card()
    assert searches.card(store, "mine") == card()


def test_the_first_writer_of_a_record_wins(store):
    write(store, card())
    assert write(store, card(started_at=9.0)) == card()
    assert searches.card(store, "mine").started_at == 1.5


def test_unknown_search_lists_the_known_ones(store):
    with pytest.raises(UserError, match=r"no search 'mine' in .*; known: none yet"):
        searches.card(store, "mine")
    for name in ("b", "a"):
        write(store, card(name), search=name)
    with pytest.raises(UserError, match=r"no search 'mine' in .*; known: a, b"):
        searches.card(store, "mine")


def test_ids_are_those_with_a_card(store):
    assert searches.ids(store) == []
    searches.write_batch(store, "half", 0, batch(0))
    for name in ("b", "a"):
        write(store, card(name), search=name)
    assert searches.ids(store) == ["a", "b"]


def choice(number, spec="4/8"):
    return Choice(
        spec=spec, role="top", round=number, predicted=0.9, uncertainty=0.1, params=1, flops=2,
        keys=("k",),
    )  # fmt: skip


def test_the_end(store):
    assert searches.finished(store, "mine") is None
    end = write(store, Finished(finished_at=2.5, seconds={"explore": 1.0}), "finished")
    assert searches.finished(store, "mine") == end


def test_choices_come_round_by_round(store):
    assert searches.choices(store, "mine") == ()
    for number in (10, 2, 1):
        chosen = Round(students=(choice(number), choice(number, "3/8")))
        assert searches.write_round(store, "mine", number, chosen) == chosen
        assert searches.read_round(store, "mine", number) == chosen
    found = searches.choices(store, "mine")
    assert [(c.round, c.spec) for c in found] == [
        (n, spec) for n in (1, 2, 10) for spec in ("4/8", "3/8")
    ]
    assert searches.read_round(store, "mine", 3) is None
    assert searches.choices(store, "other") == ()


def test_a_round_is_written_once(store):
    first = searches.write_round(store, "mine", 1, Round(students=(choice(1),)))
    assert searches.write_round(store, "mine", 1, Round(students=())) == first
    assert searches.read_round(store, "mine", 1) == first


def test_batches_come_in_their_order(store):
    assert searches.read_batches(store, "mine") == []
    for number in (11, 2, 0, 100):
        assert searches.write_batch(store, "mine", number, batch(number))
    found = searches.read_batches(store, "mine")
    assert [table["params"][0].as_py() for table in found] == [0, 2, 11, 100]
    assert found[0].schema == BATCH_SCHEMA
    assert found[0].to_pydict() == batch(0)
    assert searches.read_batches(store, "other") == []


def test_a_batch_is_written_once(store):
    searches.write_batch(store, "mine", 0, batch(0))
    assert searches.write_batch(store, "mine", 0, batch(7)) is False
    assert searches.read_batches(store, "mine")[0].to_pydict() == batch(0)


def test_the_next_batch_is_above_all_others():
    store = Memory()
    assert searches.next_batch(store, "mine") == 0
    for number, following in ((0, 1), (2, 3), (11, 12), (1, 12)):
        searches.write_batch(store, "mine", number, batch(number))
        assert searches.next_batch(store, "mine") == following


def test_a_search_does_not_see_those_whose_name_begins_like_its_own(store):
    searches.write_batch(store, "mine-2", 0, batch(0))
    assert searches.read_batches(store, "mine") == []
