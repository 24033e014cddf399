"""Teachers from elsewhere in the store: their weights, a proxy's, and the card last.

A student cannot inherit the weights of a network of another kind. So each such teacher has a proxy:
the largest network of the space, distilled from it once. Students start from the proxy's weights
(or untrained, with `kd.start: random`) and are scored by them; soft labels are the teacher's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dass_ray import __version__
from dass_ray.data.augment import normalise
from dass_ray.data.builtin import resolve
from dass_ray.data.dataset import Dataset
from dass_ray.errors import UserError
from dass_ray.frozen import content_hash
from dass_ray.kd.arguments import check_names
from dass_ray.kd.checkpoint import Checkpoints
from dass_ray.kd.distill import Distilled, distil
from dass_ray.kd.foreign import ForeignNet, completed, flops, foreign, seen_by
from dass_ray.kd.teacher import chance, near_chance
from dass_ray.kd.teachers import TeacherPlan, commit_card, find_card, stayed
from dass_ray.kd.train import OnEpoch, Shown, accuracy, train
from dass_ray.kd.trained import Trained
from dass_ray.kd.views import SoftLabels, soft_labels
from dass_ray.models.network import seeded
from dass_ray.models.weights import fingerprint, from_bytes, load_into, to_bytes
from dass_ray.network import Network
from dass_ray.recipe import KDRecipe, TeacherRecipe
from dass_ray.records import Foreign, Proxy, TeacherCard
from dass_ray.space import Space
from dass_ray.store.base import Store

VIEWS = 8  # of the training images, that a proxy is shown


@dataclass(frozen=True)
class _Task:
    """What a foreign teacher is made for. dataset: as it is stored, on the device that trains."""

    store: Store
    space: Space
    dataset: Dataset
    network: Network  # with nothing left open
    recipe: TeacherRecipe  # of the teacher, where it is trained here, and of its proxy

    @property
    def classes(self) -> int:
        return len(self.dataset.card.classes)

    @cached_property
    def seen(self) -> Dataset:
        """The images as the network takes them."""
        return seen_by(self.network, self.dataset)

    @cached_property
    def small(self) -> Dataset:
        """The images as the students take them."""
        return self.dataset.resized(self.space.image_size)


def train_into(
    store: Store,
    plan: TeacherPlan,
    dataset: Dataset,
    *,
    checkpoints: tuple[Checkpoints, Checkpoints] | None = None,
    on_epoch: OnEpoch | None = None,
) -> TeacherCard:
    """Trains the plan's network and its proxy, and commits them.

    dataset: of its stored size, on the device that trains. checkpoints: of the network, and of
    the proxy. on_epoch: is told the epochs of both as one training.
    """
    assert plan.network is not None
    check_names(plan.network)
    task = _Task(store, plan.space, dataset, completed(plan.network, dataset), plan.recipe)
    own, of_proxy = checkpoints or (None, None)
    epochs = plan.recipe.epochs_for(len(dataset.labelled().train))
    net = foreign(task.network, task.classes, plan.seed).to(dataset.device)
    trained = _train(net, task, plan.seed, own, _shifted(on_epoch, 0, epochs))
    proxy = _proxy(net, task, plan.seed, of_proxy, _shifted(on_epoch, epochs, epochs))
    return _commit(plan.id(dataset), task, net, trained, proxy, plan.seed)


def import_into(
    store: Store,
    space: Space,
    dataset: Dataset,
    network: Network,
    state: Mapping[str, Tensor],
    where: str,
    recipe: TeacherRecipe,
    on_epoch: OnEpoch | None = None,
) -> TeacherCard:
    """Commits a network with given weights as a teacher of a data set, and makes its proxy.

    dataset: as of `train_into`; where: names the weights; recipe, on_epoch: of the proxy.
    UserError where network, weights and data set do not fit, or the network is near chance.
    """
    task = _Task(store, space, dataset, completed(network, dataset), recipe)
    net = foreign(task.network, task.classes)
    load_into(net.module, state, where)
    net.to(dataset.device)
    identities = fingerprint(state), dataset.card.fingerprint, content_hash(space, task.network)
    identity = "-".join(["imported", *(part[:8] for part in identities)])
    if card := find_card(store, identity):
        return card
    _check_learned(net, task)
    return _commit(identity, task, net, Trained(), _proxy(net, task, 0, None, on_epoch), None)


def load_foreign(store: Store, card: TeacherCard) -> ForeignNet:
    """The network from elsewhere, in eval mode, on the host."""
    assert card.foreign is not None
    net = foreign(card.foreign.network, len(card.classes))
    path = f"teachers/{card.id}/weights-{card.foreign.weights[:16]}.safetensors"
    load_into(net.module, from_bytes(store.get(path), path), path)
    return net.eval()


def labels_of(
    store: Store, card: TeacherCard, recipe: KDRecipe, device: torch.device
) -> SoftLabels:
    """The soft labels of a foreign teacher for students of its space."""
    assert card.foreign is not None
    seen = seen_by(card.foreign.network, resolve(store, card.dataset)).to(device)
    return soft_labels(load_foreign(store, card).to(device), seen, recipe, card.space.image_size)


@torch.no_grad()
def logits_of(store: Store, card: TeacherCard, chosen: Tensor) -> Tensor:
    """Its logits [B, K] on labelled training images, by index int64 [B]; on the host."""
    assert card.foreign is not None
    seen = seen_by(card.foreign.network, resolve(store, card.dataset)).labelled()
    images = normalise(seen.train.images[chosen], seen.mean, seen.std)
    out: Tensor = load_foreign(store, card)(images)
    return out


def proxy_recipe(recipe: TeacherRecipe) -> KDRecipe:
    """How a proxy is distilled: as long, and at the same rates, as a teacher is trained."""
    schedule = recipe.model_dump(exclude={"label_smoothing"})
    return KDRecipe(**schedule, views=VIEWS, start="random")


def _shifted(on_epoch: OnEpoch | None, before: int, more: int) -> OnEpoch | None:
    """Counts the epochs of one of two trainings as those of both."""
    if on_epoch is None:
        return None
    return lambda done, _total, reached: on_epoch(before + done, 2 * more, reached)


def _train(
    net: ForeignNet,
    task: _Task,
    seed: int,
    checkpoints: Checkpoints | None,
    on_epoch: OnEpoch | None,
) -> Trained:
    recipe = task.recipe
    padding = -(-recipe.crop_padding * task.seen.image_size // task.space.image_size)
    scaled = recipe.model_copy(update={"crop_padding": padding})

    def loss(net: nn.Module, shown: Shown) -> Tensor:
        smoothing = recipe.label_smoothing
        return F.cross_entropy(net(shown.images), shown.labels, label_smoothing=smoothing)

    return train(
        net,
        task.seen.labelled(),
        scaled,
        loss,
        seed=seed,
        checkpoints=checkpoints,
        on_epoch=on_epoch,
    )


def _proxy(
    net: ForeignNet,
    task: _Task,
    seed: int,
    checkpoints: Checkpoints | None,
    on_epoch: OnEpoch | None,
) -> Distilled:
    """The space's largest network, from scratch, on the network's soft labels and the true ones."""
    space, recipe = task.space, proxy_recipe(task.recipe)
    fresh = seeded(space, space.teacher, task.classes, seed).to(task.dataset.device)
    labels = soft_labels(net, task.seen, recipe, space.image_size)
    return distil(
        space.teacher, fresh, labels, task.small, recipe, seed,
        checkpoints=checkpoints, on_epoch=on_epoch,
    )  # fmt: skip


def _check_learned(net: ForeignNet, task: _Task) -> None:
    held_out = task.seen.validation
    reached = accuracy(net, task.seen, held_out)
    if near_chance(reached, chance(held_out), len(held_out)):
        raise UserError(stayed(task.dataset.card, reached, None))


def _commit(
    identity: str,
    task: _Task,
    net: ForeignNet,
    trained: Trained,
    proxy: Distilled,
    seed: int | None,
) -> TeacherCard:
    """Weights, then the card. Paths tell fingerprints: no card names another writer's weights."""
    data, held_out = task.dataset.card, task.seen.validation
    known = _known(task, net, proxy)
    validation = accuracy(net, task.seen, held_out)
    worst = min(validation, known.proxy.validation)
    card = TeacherCard(
        id=identity,
        dataset=data.name,
        dataset_fingerprint=data.fingerprint,
        classes=data.classes,
        space=task.space,
        recipe=None if seed is None else task.recipe,
        seed=seed,
        fingerprint=content_hash("foreign", known.network, known.weights, known.proxy.fingerprint),
        validation=validation,
        test=accuracy(net, task.seen, task.seen.test),
        near_chance=near_chance(worst, chance(held_out), len(held_out)),
        curve=tuple(trained.curve),
        seconds=trained.seconds,
        code_version=__version__,
        foreign=known,
    )
    place = f"teachers/{identity}"
    own, of_proxy = net.module.state_dict(), proxy.net.state_dict()
    task.store.put(f"{place}/weights-{known.weights[:16]}.safetensors", to_bytes(own))
    task.store.put(f"{place}/proxy-{known.proxy.fingerprint[:16]}.safetensors", to_bytes(of_proxy))
    return commit_card(task.store, card)


def _known(task: _Task, net: ForeignNet, proxy: Distilled) -> Foreign:
    return Foreign(
        network=task.network,
        weights=fingerprint(net.module.state_dict()),
        params=sum(weight.numel() for weight in net.parameters()),
        flops=flops(net),
        proxy=Proxy(
            fingerprint=fingerprint(proxy.net.state_dict()),
            validation=accuracy(proxy.net, task.small, task.small.validation),
            test=accuracy(proxy.net, task.small, task.small.test),
            curve=tuple(proxy.trained.curve),
            seconds=proxy.trained.seconds,
        ),
    )
