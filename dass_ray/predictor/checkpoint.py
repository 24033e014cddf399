"""Predictor checkpoints: safetensors and a JSON card, in the store or shipped in the package."""

from collections.abc import Callable, Mapping
from functools import partial

from pydantic import ValidationError

from dass_ray import __version__
from dass_ray.config import MetaTrainConfig
from dass_ray.errors import UserError
from dass_ray.frozen import Frozen
from dass_ray.models.weights import fingerprint, from_bytes, to_bytes
from dass_ray.predictor import included
from dass_ray.predictor.layers import Params
from dass_ray.predictor.learner import MetaTrained
from dass_ray.predictor.model import Intervals, Predictor, Units
from dass_ray.predictor.network import Network
from dass_ray.records import SCHEMA_VERSION
from dass_ray.space import Space
from dass_ray.store.base import NotFound, Store

SHIPPED = "shipped"


class PredictorCard(Frozen):
    """What a predictor is and what it was made of."""

    name: str
    fingerprint: str  # of the weights
    space: Space
    map_size: tuple[int, int, int]  # channels, height and width of the activation maps
    vector: int  # length of the architecture vectors
    images: int  # numbers that the set encoder sees of one image
    config: MetaTrainConfig
    runs: Mapping[str, int]  # students learned from, by task
    validation: Mapping[str, float]  # Spearman, by validation task
    episode: int
    scale: float  # see model.Units
    offset: float
    floor: float  # see model.Intervals
    factors: Mapping[float, float]
    command: str  # that makes it
    code_version: str = __version__
    schema_version: int = SCHEMA_VERSION

    @property
    def identity(self) -> str:
        """Name and fingerprint, as cards of searches tell it."""
        return f"{self.name} {self.fingerprint[:12]}"


def check_name(store: Store, name: str) -> None:
    """UserError where no new predictor can have this name; asked before hours of training."""
    if name == SHIPPED or store.exists(f"predictors/{name}/card.json"):
        raise UserError(f"there is a predictor called {name!r} already: choose another name")


def save(
    store: Store, found: MetaTrained, config: MetaTrainConfig, runs: Mapping[str, int], command: str
) -> PredictorCard:
    """Commits a meta-trained predictor under its config's name; weights first, card last.

    UserError where another predictor has that name.
    """
    state, net = _state(found.predictor), found.predictor.net
    card = PredictorCard(
        name=config.name,
        fingerprint=fingerprint(state),
        space=config.space,
        map_size=net.map_size,
        vector=net.vector,
        images=net.images,
        config=config.model_copy(update={"store": "./store"}),  # where it was made says nothing
        runs=runs,
        validation=found.validation,
        episode=found.episode,
        scale=found.predictor.units.scale,
        offset=found.predictor.units.offset,
        floor=found.predictor.intervals.floor,
        factors=found.predictor.intervals.factors,
        command=command,
    )
    folder = f"predictors/{config.name}"
    new = store.put(f"{folder}/{card.fingerprint[:16]}.safetensors", to_bytes(state))
    if not store.put(f"{folder}/card.json", card.model_dump_json(indent=1).encode()):
        there = PredictorCard.model_validate_json(store.get(f"{folder}/card.json"))
        if there.fingerprint != card.fingerprint:
            if new:
                store.delete(f"{folder}/{card.fingerprint[:16]}.safetensors")
            raise UserError(
                f"{store.uri} has another predictor called {config.name!r}: choose another name"
            )
    return card


def load(store: Store, name: str, space: Space) -> tuple[PredictorCard, Predictor]:
    """The predictor of that name, or the shipped one for the space.

    UserError where there is none, or it is of another space.
    """
    read, where = _reader(store, name, space)
    try:
        card = PredictorCard.model_validate_json(read("card.json"))
    except ValidationError:
        raise UserError(
            f"{where} was made by another version of dass-ray, which writes other cards: "
            "meta-train it again under a new name"
        ) from None
    if not card.space.holds(space):
        raise UserError(
            f"{where} was made for the space {card.space.name!r} "
            f"({card.space.image_size} px, widths {card.space.widths}), not for {space.name!r}: "
            "choose that space, or meta-train a predictor for this one"
        )
    weights = read(f"{card.fingerprint[:16]}.safetensors")
    return card, _predictor(card, from_bytes(weights, where))


def _reader(store: Store, name: str, space: Space) -> tuple[Callable[[str], bytes], str]:
    """What reads a predictor's files, and how errors call it."""
    if name == SHIPPED:
        folder = included.folder(space)
        return lambda file: folder.joinpath(file).read_bytes(), "the shipped predictor"
    return partial(_stored, store, name), f"the predictor {name!r}"


def _stored(store: Store, name: str, file: str) -> bytes:
    try:
        return store.get(f"predictors/{name}/{file}")
    except NotFound:
        known = sorted({path.split("/")[1] for path in store.list("predictors")})
        raise UserError(
            f"no predictor {name!r} in {store.uri}; known: {', '.join([SHIPPED, *known])}"
        ) from None


def _state(predictor: Predictor) -> Params:
    """Both groups of tensors as one, by prefixed names."""
    params = {f"params.{name}": value for name, value in predictor.params.items()}
    return params | {f"rates.{name}": value for name, value in predictor.rates.items()}


def _predictor(card: PredictorCard, state: Params) -> Predictor:
    params, rates = (
        {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        for prefix in ("params.", "rates.")
    )
    c, (channels, height, width) = card.config, card.map_size
    net = Network(c.encodings, (channels, height, width), card.vector, card.images, c.hidden)
    return Predictor(
        card.space, net, params, rates, Units(card.scale, card.offset), c.adaptation,
        c.inner_steps, c.learning, Intervals(card.floor, card.factors),
    )  # fmt: skip
