import pytest

from dass_ray import ledger
from dass_ray.errors import UserError
from dass_ray.ledger.conditions import parse

from ..make import row


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("params<=100000", ("params", "<=", 100000)),
        (" params > 5 ", ("params", ">", 5)),
        ("validation>=0.4", ("validation", ">=", 0.4)),
        ("dataset=cifar10", ("dataset", "==", "cifar10")),
        ("status!=ok", ("status", "!=", "ok")),
        ("seed=0, 1", ("seed", "in", [0, 1])),
        ("spec=4-4/8,4/8", ("spec", "in", ["4-4/8", "4/8"])),
        ("error==too large, stopped", ("error", "==", "too large, stopped")),
        ("recipe=={\"a\": 1}", ("recipe", "==", '{"a": 1}')),
    ],
)  # fmt: skip
def test_forms(text, condition):
    assert parse(text) == condition


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("params", "'params' is no condition: write it as params<=100000"),
        ("<5", "'<5' is no condition"),
        ("speed=5", "no column 'speed' to ask for; there are key, status"),
        ("curve=5", "no column 'curve' to ask for"),
        ("params=many", "params is a number, not 'many'"),
        ("params=1.5", "params is a number, not '1.5'"),
        ("seed=0,", "seed is a number, not ''"),
    ],
)
def test_what_is_no_condition(text, message):
    with pytest.raises(UserError, match=message):
        parse(text)


def test_the_ledger_understands_them(store):
    ledger.commit(store, [row(key, seed=i, params=10 * i) for i, key in enumerate("abcd")])
    where = [parse(text) for text in ("seed=0,1,3", "params<=10", "dataset=tinges", "test>0.5")]
    assert ledger.read(store, ["key"], where)["key"].to_pylist() == ["a", "b"]
