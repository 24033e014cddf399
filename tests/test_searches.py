import pyarrow as pa
import pytest

from dass_ray import searches
from dass_ray.config import SearchConfig
from dass_ray.errors import UserError
from dass_ray.searches import (
    BATCH_SCHEMA,
    Budget,
    Choice,
    Finished,
    Learned,
    Round,
    SearchCard,
)

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


def batch(number, latency=None):
    columns = {
        "spec": [f"{number}/8", "4/8"], "predicted": [0.5, 0.6], "uncertainty": [0.1, 0.2],
        "params": [number, 2], "flops": [3, 4], "latency": [latency, latency],
        "feasible": [True, False], "round": [1, 1],
    }  # fmt: skip
    return pa.table(columns, schema=BATCH_SCHEMA)


def test_card_round_trip(store):
    assert write(store, card()) == card()
    assert searches.card(store, "mine") == card()


def test_records_of_one_teacher_say_nothing_of_others():
    """So that they are the bytes that older versions wrote and read."""
    for record in (card(), choice(1), Learned(students=(("4/8", 0.5),))):
        assert not {"others", "teachers"} & set(record.model_dump())
    assert "teacher" not in choice(1).model_dump()
    assert card().named(choice(1).teacher) == card().teacher


def test_several_teachers_round_trip(store):
    other = teacher_card(id="t2", fingerprint="e" * 64)
    mine = card(others=(other,))
    write(store, mine)
    found = searches.card(store, "mine")
    assert found == mine
    assert found.names == ("t1", "t2")
    assert found.named("t2") == other
    both = choice(1).model_copy(update={"teacher": "t2"})
    assert Choice.model_validate_json(both.model_dump_json()) == both


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


END = Finished(finished_at=2.5, seconds={"explore": 1.0})


def test_the_end(store):
    write(store, card())
    assert searches.finished(store, "mine") is None
    searches.write_finished(store, card(), END)
    assert searches.finished(store, "mine") == END
    searches.write_finished(store, card(), Finished(finished_at=9.0, seconds={}))
    assert searches.finished(store, "mine") == END
    assert searches.finished(store, "other") is None


def rounds(*students, candidates=100):
    return Round(students=students, candidates=candidates)


def test_rounds_come_in_their_order(store):
    assert searches.choices(store, "mine") == ()
    assert searches.read_rounds(store, "mine") == []
    for number in (10, 2, 1):
        chosen = rounds(choice(number), choice(number, "3/8"), candidates=100 * number)
        assert searches.write_round(store, "mine", number, chosen) == chosen
        assert searches.read_round(store, "mine", number) == chosen
    assert [one.candidates for one in searches.read_rounds(store, "mine")] == [100, 200, 1000]
    found = searches.choices(store, "mine")
    assert [(c.round, c.spec) for c in found] == [
        (n, spec) for n in (1, 2, 10) for spec in ("4/8", "3/8")
    ]
    assert searches.read_round(store, "mine", 3) is None
    assert searches.choices(store, "other") == ()


def test_a_round_is_written_once(store):
    first = searches.write_round(store, "mine", 1, rounds(choice(1)))
    assert searches.write_round(store, "mine", 1, rounds()) == first
    assert searches.read_round(store, "mine", 1) == first


def test_a_choice_may_have_a_latency(store):
    timed = choice(1).model_copy(update={"latency": 0.25})
    searches.write_round(store, "mine", 1, rounds(timed, choice(1, "3/8")))
    found = searches.read_round(store, "mine", 1).students
    assert [one.latency for one in found] == [0.25, None]


def test_what_a_round_learned_from_is_written_once(store):
    assert searches.read_learned(store, "mine", 1) is None
    learned = Learned(students=(("4/8", 0.75), ("3/8", 0.5)))
    assert searches.write_learned(store, "mine", 1, learned) == learned
    assert searches.write_learned(store, "mine", 1, Learned(students=())) == learned
    assert searches.read_learned(store, "mine", 1) == learned
    none = searches.write_learned(store, "mine", 2, Learned(students=()))
    assert searches.read_learned(store, "mine", 2) == none
    assert searches.read_learned(store, "mine", 3) is None
    assert searches.read_learned(store, "other", 1) is None


def budget(candidates=2048, top=4, rounds=1):
    return Budget(candidates=candidates, top=top, rounds=rounds)


def test_a_budget_is_that_of_a_config():
    config = card().config
    assert Budget.of(config) == budget()
    changed = budget(9, 3, 2).within(config)
    assert Budget.of(changed) == budget(9, 3, 2)
    rest = {"candidates", "verify"}
    assert changed.model_dump(exclude=rest) == config.model_dump(exclude=rest)
    same = changed.verify.model_dump(exclude={"top", "rounds"})
    assert same == config.verify.model_dump(exclude={"top", "rounds"})
    assert Budget.of(config) == budget()  # the old one is as it was


def test_the_larger_of_two_budgets():
    one, other = budget(10, 8, 1), budget(20, 2, 2)
    assert one.raised(other) == other.raised(one) == budget(20, 8, 2)
    assert one.raised(one) == one


def test_a_search_is_extended(store):
    write(store, card())
    found = searches.extend(store, card(), budget(5000, 4, 1))
    assert Budget.of(found.config) == budget(5000, 4, 1)
    assert searches.card(store, "mine") == found
    more = searches.extend(store, found, budget(100, 9, 3))  # smaller in one thing
    assert Budget.of(more.config) == budget(5000, 9, 3)
    assert searches.card(store, "mine") == more
    rest = {"candidates", "verify"}
    assert more.config.model_dump(exclude=rest) == card().config.model_dump(exclude=rest)
    assert more.teacher == card().teacher


@pytest.mark.parametrize("wanted", [budget(), budget(1, 1, 1), budget(2048, 3, 1)])
def test_what_goes_far_enough_is_not_extended(store, wanted):
    write(store, card())
    assert searches.extend(store, card(), wanted) == card()
    assert store.list("searches/mine/budgets") == []


def test_a_search_that_is_extended_has_not_ended(store):
    write(store, card())
    searches.write_finished(store, card(), END)
    longer = searches.extend(store, card(), budget(5000))
    assert searches.finished(store, "mine") is None
    searches.write_finished(store, card(), END)  # by a process that does not know of it
    assert searches.finished(store, "mine") is None
    later = Finished(finished_at=7.5, seconds={})
    searches.write_finished(store, longer, later)
    assert searches.finished(store, "mine") == later
    assert searches.extend(store, longer, budget()) == longer  # the first command again
    assert searches.finished(store, "mine") == later


def test_of_two_that_extend_a_search_at_once_both_get_what_they_want(store):
    """Both saw it as it was; the second one extends what the first one wrote."""
    write(store, card())
    searches.extend(store, card(), budget(5000))

    class Late:
        """A store as it was when the other one had not written."""

        def __getattr__(self, name):
            return getattr(store, name)

        def list(self, prefix):
            found = store.list(prefix)
            self.list = store.list
            return [path for path in found if "budgets" not in path]

    assert Budget.of(searches.extend(Late(), card(), budget(9000)).config) == budget(9000)
    assert len(store.list("searches/mine/budgets")) == 2


def test_many_extensions_keep_their_order():
    store, found = Memory(), card()
    write(store, found)
    for n in range(1, 13):
        found = searches.extend(store, found, budget(2048 + n))
    assert searches.card(store, "mine").config.candidates == 2060
    assert len(store.list("searches/mine/budgets")) == 12


def test_batches_come_in_their_order(store):
    assert searches.read_batches(store, "mine") == []
    for number in (11, 2, 0, 100):
        assert searches.write_batch(store, "mine", number, batch(number))
    found = searches.read_batches(store, "mine")
    assert [table["params"][0].as_py() for table in found] == [0, 2, 11, 100]
    assert found[0].schema == BATCH_SCHEMA
    assert found[0] == batch(0)
    assert searches.read_batches(store, "other") == []


def test_a_batch_is_written_once(store):
    searches.write_batch(store, "mine", 0, batch(0))
    assert searches.write_batch(store, "mine", 0, batch(7)) is False
    assert searches.read_batches(store, "mine")[0] == batch(0)


def test_the_next_batch_is_above_all_others():
    store = Memory()
    assert searches.next_batch(store, "mine") == 0
    for number, following in ((0, 1), (2, 3), (11, 12), (1, 12)):
        searches.write_batch(store, "mine", number, batch(number))
        assert searches.next_batch(store, "mine") == following


def test_a_search_does_not_see_those_whose_name_begins_like_its_own(store):
    searches.write_batch(store, "mine-2", 0, batch(0))
    assert searches.read_batches(store, "mine") == []


def test_a_batch_with_latencies(store):
    searches.write_batch(store, "mine", 0, batch(0, latency=0.5))
    assert searches.read_batches(store, "mine")[0]["latency"].to_pylist() == [0.5, 0.5]


def test_what_a_round_scored_again_is_no_batch(store):
    assert searches.read_rescored(store, "mine", 2) is None
    assert searches.write_rescored(store, "mine", 2, batch(5)) == batch(5)
    assert searches.write_rescored(store, "mine", 2, batch(7)) == batch(5)
    assert searches.read_rescored(store, "mine", 2) == batch(5)
    assert searches.read_rescored(store, "mine", 3) is None
    assert searches.read_batches(store, "mine") == []
    assert searches.next_batch(store, "mine") == 0


def test_nothing_scored_again_is_something(store):
    """A round that had nothing to score again need not look twice."""
    none = batch(0).slice(0, 0)
    searches.write_rescored(store, "mine", 2, none)
    assert len(searches.read_rescored(store, "mine", 2)) == 0


def test_every_object_has_the_one_schema():
    """Whatever the columns' types were, so that all tables can be joined."""
    store, narrow = Memory(), batch(3)
    narrow = narrow.set_column(3, "params", narrow["params"].cast(pa.int32()))
    searches.write_batch(store, "mine", 0, narrow)
    assert searches.read_batches(store, "mine")[0] == batch(3)
    assert searches.write_rescored(store, "mine", 2, narrow) == batch(3)


def test_seconds_of_a_round_are_those_of_its_batches(store):
    assert searches.seconds_of(store, "mine", 1) == 0
    other = batch(2).set_column(7, "round", [[2, 2]])
    for number, (rows, seconds) in enumerate([(batch(0), 1.25), (batch(1), 0.5), (other, 8.0)]):
        assert searches.write_batch(store, "mine", number, rows, seconds)
    searches.write_batch(store, "mine", 9, batch(9))  # as older programs wrote them
    assert searches.seconds_of(store, "mine", 1) == 1.75
    assert searches.seconds_of(store, "mine", 2) == 8
    assert "seconds" not in rounds(choice(1)).model_dump()


def test_records_of_a_newer_program(store):
    store.put("searches/mine/card.json", b'{"schema_version": 9, "more": 1}')
    store.put("searches/mine/rounds/000001.json", b'{"more": 1}')
    for read in (searches.card, searches.read_rounds):
        with pytest.raises(
            UserError, match=r"cannot understand searches/mine/.*: upgrade dass-ray"
        ):
            read(store, "mine")
