"""Cards: what the store knows of each data set without reading its pixels."""

from typing import Literal

from pydantic import Field

from dass_ray.data import naming
from dass_ray.errors import UserError
from dass_ray.frozen import Frozen
from dass_ray.store.base import NotFound, Store


class DatasetCard(Frozen):
    """A data set exists in a store if and only if its card does."""

    schema_version: Literal[1] = 1
    name: str
    fingerprint: str  # SHA-256 hex of the content, see fingerprint.py
    classes: tuple[str, ...]
    image_size: int  # side of the stored square images, px
    counts: dict[str, int]  # split -> images
    parts: dict[str, tuple[str, ...]]  # split -> paths of objects in the store, in order
    source: str  # where the images came from, in words
    unlabelled: int = Field(default=0, exclude_if=lambda count: count == 0)  # of the train split's
    skipped: int = 0  # unreadable images left out
    leaked: int = 0  # held-out images that another split holds too, pixel for pixel


def stored_names(store: Store) -> list[str]:
    """The names of all data sets in the store, sorted."""
    found = (path.split("/") for path in store.list("datasets/"))
    return sorted(path[1] for path in found if path[2:] == ["card.json"])


def has_dataset(store: Store, name: str) -> bool:
    """Whether the store has a data set of that name."""
    return naming.is_name(name) and store.exists(naming.card_path(naming.stored_name(name)))


def find_card(store: Store, stored: str) -> DatasetCard | None:
    """The card under a stored name, or None; UserError for one that this version cannot read."""
    path = naming.card_path(stored)
    try:
        raw = store.get(path)
    except NotFound:
        return None
    try:
        return DatasetCard.model_validate_json(raw)
    except ValueError:
        raise UserError(
            f"{path} in the store is no card this version can read; "
            f"use the dass-ray that wrote it, or delete datasets/{stored}/ and import it again"
        ) from None


def read_card(store: Store, name: str) -> DatasetCard:
    """The card of a data set; UserError, with the nearest names, where there is none."""
    card = find_card(store, naming.stored_name(name)) if naming.is_name(name) else None
    if card is None:
        raise naming.unknown_name(name, stored_names(store))
    return card
