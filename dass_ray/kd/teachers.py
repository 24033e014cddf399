"""Teachers in the store: weights first, card last, so a teacher exists if its card does."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dass_ray import __version__
from dass_ray.data.card import DatasetCard
from dass_ray.data.dataset import Dataset
from dass_ray.errors import UserError
from dass_ray.frozen import content_hash
from dass_ray.kd.checkpoint import Checkpoints
from dass_ray.kd.teacher import Teacher, chance, near_chance, train_teacher
from dass_ray.kd.train import OnEpoch, accuracy
from dass_ray.kd.trained import Trained
from dass_ray.models.network import StagedNetwork, build
from dass_ray.models.weights import fingerprint, from_bytes, load_into, to_bytes
from dass_ray.network import Network
from dass_ray.recipe import TeacherRecipe
from dass_ray.records import TeacherCard, teacher_id
from dass_ray.space import Space
from dass_ray.store.base import NotFound, Store


@dataclass(frozen=True)
class TeacherPlan:
    """A teacher before it is trained."""

    space: Space
    recipe: TeacherRecipe
    seed: int
    network: Network | None = None  # from elsewhere; None: the space's largest

    def id(self, dataset: Dataset) -> str:
        """The teacher's identity in the store."""
        data = dataset.card.fingerprint
        return teacher_id(data, self.space, self.recipe, self.seed, self.network)

    def epochs(self, dataset: Dataset) -> int:
        """Epochs of its training; a network from elsewhere has a proxy, which takes as many."""
        labelled = dataset.card.counts["train"] - dataset.card.unlabelled
        return self.recipe.epochs_for(labelled) * (2 if self.network else 1)


def epochs_of(card: TeacherCard) -> int:
    """Epochs that a teacher's training has had, its proxy's among them."""
    return len(card.curve) + (len(card.foreign.proxy.curve) if card.foreign else 0)


def find_card(store: Store, teacher: str) -> TeacherCard | None:
    """The card of a teacher; None where there is none."""
    path = f"teachers/{teacher}/card.json"
    try:
        data = store.get(path)
    except NotFound:
        return None
    return TeacherCard.kept(data, path, store.uri)


def known_card(store: Store, teacher: str) -> TeacherCard:
    """The card of a teacher; UserError with the known ones where there is none."""
    if card := find_card(store, teacher):
        return card
    known = ", ".join(card.id for card in list_teachers(store)) or "none yet"
    raise UserError(f"no teacher {teacher!r} in {store.uri}; known: {known}")


def list_teachers(store: Store) -> list[TeacherCard]:
    """The cards of all teachers, by data set."""
    paths = [path for path in store.list("teachers") if path.endswith("/card.json")]
    cards = [TeacherCard.kept(store.get(path), path, store.uri) for path in paths]
    return sorted(cards, key=lambda card: (card.dataset, card.id))


def load_net(store: Store, card: TeacherCard) -> StagedNetwork:
    """The network that students are cut from, in eval mode, on the host: teacher or proxy."""
    name = f"proxy-{card.foreign.proxy.fingerprint[:16]}" if card.foreign else "weights"
    path = f"teachers/{card.id}/{name}.safetensors"
    net = build(card.space, card.space.teacher, len(card.classes))
    load_into(net, from_bytes(store.get(path), path), path)
    return net.eval()


def train_into(
    store: Store,
    plan: TeacherPlan,
    dataset: Dataset,
    *,
    checkpoints: Checkpoints | None = None,
    on_epoch: OnEpoch | None = None,
) -> TeacherCard:
    """Trains a teacher and commits it; returns the card that is in the store.

    dataset: of the space's image size, on the device that trains.
    """
    teacher = train_teacher(
        plan.space, dataset, plan.recipe, plan.seed, checkpoints=checkpoints, on_epoch=on_epoch
    )
    return _commit(store, plan.id(dataset), dataset, teacher, plan.recipe, plan.seed)


def import_into(
    store: Store, space: Space, dataset: Dataset, state: dict[str, Tensor], where: str
) -> TeacherCard:
    """Commits given weights of the space's largest network as a teacher of a data set.

    UserError where the weights do not fit, also because of another number of classes.
    """
    classes = len(dataset.card.classes)
    _check_head(state, classes, where)
    net = build(space, space.teacher, classes)
    load_into(net, state, where)
    net.to(dataset.device).eval()
    right = {name: accuracy(net, dataset, dataset.splits[name]) for name in ("validation", "test")}
    teacher = Teacher(net, Trained(), right["validation"], right["test"])
    parts = (fingerprint(state), dataset.card.fingerprint, content_hash(space))
    identity = "-".join(["imported", *(part[:8] for part in parts)])
    return _commit(store, identity, dataset, teacher, None, None)


def _check_head(state: dict[str, Tensor], classes: int, where: str) -> None:
    bias = state.get("head.bias", torch.empty(0))
    if len(bias) not in (0, classes):
        raise UserError(
            f"{where} was trained for {len(bias)} classes, the data set has {classes}: "
            "choose the data set that the teacher knows"
        )


def _commit(
    store: Store,
    identity: str,
    dataset: Dataset,
    teacher: Teacher,
    recipe: TeacherRecipe | None,
    seed: int | None,
) -> TeacherCard:
    data = dataset.card
    card = TeacherCard(
        id=identity,
        dataset=data.name,
        dataset_fingerprint=data.fingerprint,
        classes=data.classes,
        space=teacher.net.space,
        recipe=recipe,
        seed=seed,
        fingerprint=fingerprint(teacher.net.state_dict()),
        validation=teacher.validation,
        test=teacher.test,
        near_chance=teacher.trained.status == "diverged"
        or near_chance(teacher.validation, chance(dataset.validation), len(dataset.validation)),
        curve=tuple(teacher.trained.curve),
        seconds=teacher.trained.seconds,
        code_version=__version__,
    )
    weights = f"teachers/{identity}/weights.safetensors"
    if not store.put(weights, to_bytes(teacher.net.state_dict())):
        # Another writer was first, or crashed before its card: the weights that are there count.
        state = from_bytes(store.get(weights), weights)
        if fingerprint(state) != card.fingerprint:
            load_into(teacher.net, state, weights)
            return commit_card(store, _measured_again(card, teacher.net, dataset))
    return commit_card(store, card)


def _measured_again(card: TeacherCard, net: StagedNetwork, dataset: Dataset) -> TeacherCard:
    """The card for other weights of the same plan."""
    validation = accuracy(net, dataset, dataset.validation)
    return card.model_copy(
        update={
            "fingerprint": fingerprint(net.state_dict()),
            "validation": validation,
            "test": accuracy(net, dataset, dataset.test),
            "near_chance": near_chance(
                validation, chance(dataset.validation), len(dataset.validation)
            ),
        }
    )


def commit_card(store: Store, card: TeacherCard) -> TeacherCard:
    """Writes a card after its weights; returns the card that is in the store."""
    store.put(f"teachers/{card.id}/card.json", card.model_dump_json(indent=1).encode())
    committed = find_card(store, card.id)
    assert committed is not None
    return committed


def advice(card: TeacherCard) -> str:
    """One line for a teacher that stayed near chance: what to change."""
    return stayed(card, card.validation, card.recipe)


def stayed(of: TeacherCard | DatasetCard, validation: float, recipe: TeacherRecipe | None) -> str:
    """One line for a teacher of a data set near chance. recipe: None where it is imported."""
    change = (
        f"try teacher.lr={recipe.lr / 5:g}, teacher.warmup=0.2, teacher.min_steps=2000"
        if recipe
        else "check that its classes, in their order, and the image normalisation are those of "
        "this data set"
    )
    name = of.dataset if isinstance(of, TeacherCard) else of.name
    return (
        f"the teacher of {name!r} stayed near chance "
        f"({validation:.1%} of {len(of.classes)} classes): {change}"
    )
