import pytest
import torch

from dass_ray import __version__
from dass_ray.errors import UserError
from dass_ray.kd.teacher import train_teacher
from dass_ray.kd.teachers import (
    TeacherPlan,
    advice,
    find_card,
    import_into,
    known_card,
    list_teachers,
    load_net,
    train_into,
)
from dass_ray.kd.train import accuracy
from dass_ray.models.weights import fingerprint, to_bytes
from dass_ray.recipe import TeacherRecipe
from dass_ray.records import teacher_id
from dass_ray.space import Space

from .. import make_task
from ..make import CLASSES, TEACH, TINY, Fragile, Memory, teacher_card

PLAN = TeacherPlan(TINY, TEACH, 3)


@pytest.fixture(scope="module")
def trained(dataset):
    """A store with one teacher, and its card."""
    store = Memory()
    return store, train_into(store, PLAN, dataset)


def test_the_card_tells_all(trained, dataset):
    store, card = trained
    teacher = train_teacher(TINY, dataset, TEACH, 3)
    assert card.id == PLAN.id(dataset) == teacher_id(dataset.card.fingerprint, TINY, TEACH, 3)
    assert (card.dataset, card.dataset_fingerprint) == ("tinges", dataset.card.fingerprint)
    assert (card.classes, card.space, card.recipe, card.seed) == (CLASSES, TINY, TEACH, 3)
    assert (card.validation, card.test) == (teacher.validation, teacher.test)
    assert card.curve == tuple(teacher.trained.curve)
    assert card.fingerprint == fingerprint(teacher.net.state_dict())
    assert card.near_chance is False
    assert card.code_version == __version__
    assert set(store.list("")) == {
        f"teachers/{card.id}/card.json", f"teachers/{card.id}/weights.safetensors",
    }  # fmt: skip


def test_card_and_network_come_back(trained, dataset):
    store, card = trained
    assert find_card(store, card.id) == known_card(store, card.id) == card
    assert find_card(store, "none") is None
    net = load_net(store, card)
    assert not net.training
    assert fingerprint(net.state_dict()) == card.fingerprint
    assert accuracy(net, dataset, dataset.test) == card.test


def test_an_unknown_teacher_lists_the_known_ones(trained):
    store, card = trained
    with pytest.raises(UserError, match=f"no teacher 't9' in memory://; known: {card.id}"):
        known_card(store, "t9")
    with pytest.raises(UserError, match="known: none yet"):
        known_card(Memory(), "t9")


def test_a_plan_is_known_before_it_is_trained(dataset):
    other = make_task.dataset(seed=1)
    plans = [PLAN, TeacherPlan(TINY, TEACH, 4), TeacherPlan(TINY, TEACH, 3)]
    assert [plan.id(dataset) == PLAN.id(dataset) for plan in plans] == [True, False, True]
    assert PLAN.id(other) != PLAN.id(dataset)


def test_the_list_is_by_data_set():
    store = Memory()
    for name, data in (("t2", "a"), ("t1", "b"), ("t3", "a")):
        card = teacher_card(id=name, dataset=data)
        store.put(f"teachers/{name}/card.json", card.model_dump_json().encode())
    store.put("teachers/half/weights.safetensors", b"its card is missing")
    assert [card.id for card in list_teachers(store)] == ["t2", "t3", "t1"]
    assert list_teachers(Memory()) == []


def test_a_crash_before_the_card_leaves_no_teacher(dataset, trained):
    store = Fragile(fail_at=2)
    with pytest.raises(ConnectionError):
        train_into(store, PLAN, dataset)
    assert list_teachers(store) == []
    card = train_into(store, PLAN, dataset)
    assert card.fingerprint == trained[1].fingerprint
    assert load_net(store, card).space == TINY


def test_weights_of_a_faster_writer_count(dataset):
    """On another machine the same plan may give others: the card is for those in the store."""
    store, net = Memory(), make_task.teacher()
    path = f"teachers/{PLAN.id(dataset)}/weights.safetensors"
    store.put(path, to_bytes(net.state_dict()))
    card = train_into(store, PLAN, dataset)
    assert card.fingerprint == fingerprint(net.state_dict())
    assert card.validation == accuracy(net, dataset, dataset.validation)
    assert card.test == accuracy(net, dataset, dataset.test)
    assert card.near_chance is True
    assert fingerprint(load_net(store, card).state_dict()) == card.fingerprint


def test_the_card_of_a_faster_writer_counts(dataset, trained):
    store = Memory()
    store.objects |= trained[0].objects
    assert train_into(store, PLAN, dataset) == trained[1]  # also its seconds


def test_near_chance_is_on_the_card(dataset):
    weak = TeacherRecipe(**TEACH.model_dump() | {"lr": 1e-9, "epochs": 1})
    card = train_into(Memory(), TeacherPlan(TINY, weak, 0), dataset)
    assert card.near_chance is True
    line = advice(card)
    assert f"'tinges' stayed near chance ({card.validation:.1%} of 3 classes)" in line
    assert "teacher.lr=2e-10" in line
    assert "\n" not in line
    assert "normalisation" in advice(card.model_copy(update={"recipe": None}))


def test_a_teacher_that_diverged_is_near_chance(dataset):
    wild = TeacherRecipe(**TEACH.model_dump() | {"lr": 1e30, "warmup": 0, "epochs": 5})
    card = train_into(Memory(), TeacherPlan(TINY, wild, 0), dataset)
    assert card.near_chance is True
    assert len(card.curve) < 5


def imported(store, dataset, state, space=TINY):
    return import_into(store, space, dataset, state, "my.safetensors")


def test_import(dataset, trained):
    state, store = load_net(*trained).state_dict(), Memory()
    card = imported(store, dataset, state)
    assert (card.recipe, card.seed, card.curve, card.seconds) == (None, None, (), 0)
    assert (card.validation, card.test) == (trained[1].validation, trained[1].test)
    assert card.fingerprint == trained[1].fingerprint
    assert fingerprint(load_net(store, card).state_dict()) == card.fingerprint
    assert imported(store, dataset, state) == card
    assert [c.id for c in list_teachers(store)] == [card.id]


def test_the_same_weights_for_another_task_are_another_teacher(dataset):
    state, store = make_task.teacher().state_dict(), Memory()
    larger = Space(**TINY.model_dump() | {"name": "larger", "image_size": 16})
    cards = [
        imported(store, dataset, state),
        imported(store, make_task.dataset(seed=1), state),
        imported(store, make_task.dataset(size=16), state, larger),
        imported(store, dataset, make_task.teacher(seed=1).state_dict()),
    ]
    assert len({card.id for card in cards}) == len(cards)
    assert [card.space for card in cards] == [TINY, TINY, larger, TINY]


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (
            lambda: make_task.teacher(classes=5).state_dict(),
            "my.safetensors was trained for 5 classes, the data set has 3: choose the data set",
        ),
        (
            lambda: {k: v for k, v in make_task.teacher().state_dict().items() if k != "head.bias"},
            "tensor 'head.bias' has shape none",
        ),
        (
            lambda: make_task.teacher().state_dict() | {"stem.weight": torch.zeros(5, 3, 3, 3)},
            r"tensor 'stem.weight' has shape \(5, 3, 3, 3\), needed is \(4, 3, 3, 3\)",
        ),
        (lambda: {"w": torch.zeros(3)}, "my.safetensors does not fit this network"),
        (lambda: {}, "my.safetensors does not fit this network"),
    ],
)
def test_weights_that_do_not_fit(dataset, state, message):
    store = Memory()
    with pytest.raises(UserError, match=message):
        imported(store, dataset, state())
    assert store.list("") == []


def test_checkpoints_and_epochs_reach_the_training(dataset):
    told = []

    class Kept:
        def load(self, *_state):
            told.append("load")

        def save(self, *_state):
            told.append("save")

    train_into(
        Memory(), PLAN, dataset, checkpoints=Kept(), on_epoch=lambda *facts: told.append(facts[:2])
    )
    assert told[:3] == ["load", (1, 4), "save"]


def test_cards_of_a_newer_program():
    store = Memory()
    store.put("teachers/t1/card.json", b'{"more": 1}')
    for read in (list_teachers, lambda store: find_card(store, "t1")):
        with pytest.raises(UserError, match=r"understand teachers/t1/card.json: upgrade dass-ray"):
            read(store)
