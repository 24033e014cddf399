import pytest
import torch
import torch.nn.functional as F

from dass_ray.kd import checkpoint
from dass_ray.kd.checkpoint import NoCheckpoints, StoreCheckpoints
from dass_ray.kd.distill import distil
from dass_ray.kd.teacher import train_teacher
from dass_ray.kd.train import train
from dass_ray.kd.views import soft_labels
from dass_ray.models.network import seeded
from dass_ray.recipe import KDRecipe, TrainRecipe

from ..make import KD, TEACH, TINY, Fragile, Memory

EPOCHS = 5
RECIPE = TrainRecipe(
    epochs=EPOCHS, batch_size=16, lr=0.05, warmup=0.3, weight_decay=1e-3, crop_padding=1
)


class Lost(Exception):
    """The worker is gone."""


@pytest.fixture(autouse=True)
def _every_epoch(monkeypatch):
    """However long a checkpoint's writing takes."""
    monkeypatch.setattr(checkpoint, "WRITE_SHARE", 0)


def checkpoints(store, interval_s=0.0):
    return StoreCheckpoints(store, "run", interval_s)


def lost_after(epoch):
    def on_epoch(done, _total, _accuracy):
        if done == epoch:
            raise Lost

    return on_epoch


def one_training(dataset, recipe=RECIPE, **more):
    """The weights and what the training gave."""
    net = seeded(TINY, TINY.teacher, 3, 1)

    def loss(net, shown):
        return F.cross_entropy(net(shown.images), shown.labels)

    found = train(net, dataset, recipe, loss, seed=1, **more)
    return net.state_dict(), found


def assert_same(first, second):
    (weights, found), (others, other) = first, second
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert (found.status, found.curve) == (other.status, other.curve)


@pytest.fixture(scope="module")
def undisturbed(dataset):
    return one_training(dataset)


@pytest.mark.parametrize("epoch", range(1, EPOCHS + 1))
def test_a_resumed_training_equals_one_that_was_never_stopped(dataset, undisturbed, epoch):
    store = Memory()
    with pytest.raises(Lost):
        one_training(dataset, checkpoints=checkpoints(store), on_epoch=lost_after(epoch))
    told = []
    again = one_training(
        dataset, checkpoints=checkpoints(store), on_epoch=lambda *facts: told.append(facts[0])
    )
    assert_same(again, undisturbed)
    assert told == list(range(epoch, EPOCHS + 1))  # the epoch that was lost, and those after it


def test_lost_twice(dataset, undisturbed):
    store = Memory()
    for epoch in (2, 4):
        with pytest.raises(Lost):
            one_training(dataset, checkpoints=checkpoints(store), on_epoch=lost_after(epoch))
    assert_same(one_training(dataset, checkpoints=checkpoints(store)), undisturbed)


def test_lost_while_a_checkpoint_is_written(dataset, undisturbed):
    store = Fragile(fail_at=3)
    with pytest.raises(ConnectionError):
        one_training(dataset, checkpoints=checkpoints(store))
    assert len(store.list("checkpoints")) == 2
    assert_same(one_training(dataset, checkpoints=checkpoints(store)), undisturbed)


def test_without_momentum(dataset):
    recipe = TrainRecipe(**RECIPE.model_dump() | {"momentum": 0.0})
    store = Memory()
    with pytest.raises(Lost):
        one_training(dataset, recipe, checkpoints=checkpoints(store), on_epoch=lost_after(3))
    again = one_training(dataset, recipe, checkpoints=checkpoints(store))
    assert_same(again, one_training(dataset, recipe))


def test_checkpoints_do_not_disturb(dataset, undisturbed, store):
    """In a real store, too."""
    assert_same(one_training(dataset, checkpoints=checkpoints(store)), undisturbed)


def test_a_finished_training_is_not_repeated(dataset, undisturbed):
    store = Memory()
    one_training(dataset, checkpoints=checkpoints(store))
    assert_same(
        one_training(dataset, checkpoints=checkpoints(store), on_epoch=lost_after(EPOCHS)),
        undisturbed,
    )


def test_seconds_add_up(dataset):
    store = Memory()
    _, first = one_training(dataset, checkpoints=checkpoints(store))
    _, again = one_training(dataset, checkpoints=checkpoints(store))
    assert again.seconds == first.seconds > 0


def test_two_are_kept_and_none_after_clear(dataset):
    store = Memory()
    store.put("checkpoints/run-2/000009.safetensors", b"another run's")
    saved = checkpoints(store)
    one_training(dataset, checkpoints=saved)
    names = [f"checkpoints/run/{epoch:06d}.safetensors" for epoch in (EPOCHS - 1, EPOCHS)]
    assert store.list("checkpoints/run") == names
    saved.clear()
    assert store.list("") == ["checkpoints/run-2/000009.safetensors"]
    saved.clear()


def test_not_before_the_interval(dataset):
    store = Memory()
    one_training(dataset, checkpoints=checkpoints(store, interval_s=3600))
    assert store.list("") == []


def test_slow_writing_makes_them_rare(dataset, monkeypatch):
    """Where writing takes a second, the next checkpoint is not due for `WRITE_SHARE` of them."""
    monkeypatch.setattr(checkpoint, "WRITE_SHARE", 20)
    now = [0.0]

    class Slow(Memory):
        def put(self, path, data):
            now[0] += 1.0
            return super().put(path, data)

    def epoch(*_facts):
        now[0] += 8.0

    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    store = Slow()
    one_training(dataset, checkpoints=checkpoints(store), on_epoch=epoch)
    # at 8 s, then at 9 + 3 * 8 = 33 s, then never before 54 s
    assert store.list("checkpoints") == [f"checkpoints/run/{e:06d}.safetensors" for e in (1, 4)]


def test_no_checkpoints(dataset, undisturbed):
    assert_same(one_training(dataset, checkpoints=NoCheckpoints()), undisturbed)


@pytest.mark.parametrize("losses", [{"logits": 1}, {"logits": 1, "hints": 5}])
def test_a_resumed_distillation(dataset, teacher, losses):
    """Also one whose loss has weights of its own."""
    labels, store = soft_labels(teacher, dataset, KD), Memory()
    recipe = KDRecipe(**KD.model_dump() | {"losses": losses})

    def run(**more):
        out = distil(TINY.smallest, teacher, labels, dataset, recipe, 0, **more)
        return out.net.state_dict(), out.trained

    with pytest.raises(Lost):
        run(checkpoints=checkpoints(store), on_epoch=lost_after(3))
    assert_same(run(checkpoints=checkpoints(store)), run())


def test_a_resumed_teacher(dataset):
    store = Memory()

    def run(**more):
        out = train_teacher(TINY, dataset, TEACH, 0, **more)
        return out.net.state_dict(), out.trained

    with pytest.raises(Lost):
        run(checkpoints=checkpoints(store), on_epoch=lost_after(3))
    assert_same(run(checkpoints=checkpoints(store)), run())


def test_checkpoints_that_another_worker_clears_meanwhile(dataset, monkeypatch):
    """It has ended the run: the training starts anew, and its row will be the second one."""
    store = Memory()
    with pytest.raises(Lost):
        one_training(dataset, checkpoints=checkpoints(store), on_epoch=lost_after(2))
    there = store.list("")
    assert there
    monkeypatch.setattr(store, "list", lambda _: there)
    store.objects.clear()
    again = one_training(dataset, checkpoints=StoreCheckpoints(store, "run", 1e9))
    assert_same(again, one_training(dataset))
