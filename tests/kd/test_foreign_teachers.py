import pytest
import torch

from dass_ray.data.augment import Draws
from dass_ray.errors import UserError
from dass_ray.kd.foreign_teachers import (
    import_into,
    labels_of,
    load_foreign,
    logits_of,
    proxy_recipe,
    train_into,
)
from dass_ray.kd.teachers import TeacherPlan, epochs_of, find_card, load_net
from dass_ray.kd.train import accuracy
from dass_ray.models.weights import fingerprint
from dass_ray.records import Run

from .. import make_task
from ..make import KD, TEACH, TINY, Memory
from .make_foreign import NETWORK, learned

PLAN = TeacherPlan(TINY, TEACH, 3, NETWORK)


@pytest.fixture(scope="module")
def home():
    """A store with a data set of 16 px and a trained teacher from elsewhere; what was told."""
    store, told = Memory(), []
    data = make_task.stored(store, size=16)
    return (
        store,
        data,
        train_into(store, PLAN, data, on_epoch=lambda *facts: told.append(facts)),
        told,
    )


def test_the_card_tells_network_and_proxy(home):
    store, data, card, told = home
    assert find_card(store, PLAN.id(data)) == card
    assert PLAN.id(data) != TeacherPlan(TINY, TEACH, 3).id(data)
    assert card.foreign.network == NETWORK
    assert card.foreign.params == 3 * 27 + 3 + 6
    assert card.foreign.flops == 2 * 3 * 27
    proxy = card.foreign.proxy
    assert card.scored_as == proxy.validation
    small = data.resized(TINY.image_size)
    assert proxy.test == accuracy(load_net(store, card), small, small.test)
    assert fingerprint(load_net(store, card).state_dict()) == proxy.fingerprint
    assert fingerprint(load_foreign(store, card).module.state_dict()) == card.foreign.weights
    assert len({card.fingerprint, proxy.fingerprint, card.foreign.weights}) == 3
    assert [done for done, _, _ in told] == list(range(1, PLAN.epochs(data) + 1))
    assert {total for _, total, _ in told} == {PLAN.epochs(data)} == {epochs_of(card)}


def test_a_proxy_of_its_own_makes_other_runs(home):
    card = home[2]
    other = card.model_copy(update={"fingerprint": "e" * 64})
    keys = {Run(teacher=one, spec="4/8", recipe=KD, seed=0).key for one in (card, other)}
    assert len(keys) == 2


def test_soft_labels_are_the_network_s_on_the_same_views(home):
    """The teacher sees the crops that students do, in its own size."""
    store, data, card, _ = home
    labels = labels_of(store, card, KD.model_copy(update={"crop_padding": 0, "flip": False}), "cpu")
    net, seen = load_foreign(store, card), data.resized(12)
    images = (seen.train.images.float() / 255 - 0.5) / 0.25
    with torch.no_grad():
        assert torch.allclose(labels.logits[0].float(), net(images), atol=2e-3)
        chosen = torch.tensor([5, 0])
        assert torch.allclose(logits_of(store, card, chosen), net(images[chosen]), atol=1e-5)
    cropped = labels_of(store, card, KD, "cpu").logits
    assert not torch.allclose(cropped[0], cropped[1], atol=0.05)


@pytest.mark.parametrize(
    ("side", "of", "corner", "padding"), [(16, 8, 4, 4), (12, 8, 3, 3), (11, 8, 3, 3)]
)
def test_views_of_another_size(side, of, corner, padding):
    draws = Draws(torch.tensor([[2], [0]]), torch.tensor([True]), padding=2).scaled(side, of)
    assert (draws.corner.tolist(), draws.padding) == ([[corner], [0]], padding)


@pytest.mark.parametrize(("side", "of", "padding"), [(100, 64, 8), (96, 64, 1), (24, 16, 1)])
def test_a_view_in_the_middle_stays_there(side, of, padding):
    draws = Draws(torch.full((2, 1), padding), torch.tensor([False]), padding).scaled(side, of)
    assert draws.corner.tolist() == [[draws.padding]] * 2


def test_the_proxy_is_distilled_as_long_as_a_teacher_is_trained():
    recipe = proxy_recipe(TEACH)
    assert recipe.start == "random"
    same = ("epochs", "lr", "batch_size", "crop_padding", "flip", "min_steps")
    assert all(getattr(recipe, name) == getattr(TEACH, name) for name in same)


def test_import(home):
    store = Memory()
    data = make_task.stored(store, size=16)
    state = learned(data).state_dict()
    card = import_into(store, TINY, data, NETWORK, state, "w.safetensors", TEACH)
    assert (card.recipe, card.seed, card.curve) == (None, None, ())
    assert card.validation > 0.8
    assert card.near_chance is False
    assert card.foreign.weights == fingerprint(state)
    before = dict(store.objects)
    assert import_into(store, TINY, data, NETWORK, state, "w.safetensors", TEACH) == card
    assert store.objects == before


def short(state):
    return state | {"head.bias": torch.zeros(4)}


def of_other_classes(state):
    return state | {name: state[name].roll(1, 0) for name in ("head.weight", "head.bias")}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (short, "'head.bias' has shape .4,., needed is .3,"),
        (of_other_classes, "stayed near chance .*: check that its classes, in their order"),
    ],
)
def test_weights_that_do_not_fit(spoil, message):
    store = Memory()
    data = make_task.stored(store, size=16)
    before = dict(store.objects)
    with pytest.raises(UserError, match=message):
        import_into(
            store, TINY, data, NETWORK, spoil(learned(data).state_dict()), "w.safetensors", TEACH
        )
    assert store.objects == before
