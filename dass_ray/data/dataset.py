"""Data sets in the store and in memory.

A data set is a card and Parquet parts with the decoded pixels. The card is written last, so a data
set exists if and only if its card does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from dass_ray.data import naming, parts
from dass_ray.data.card import DatasetCard, find_card, read_card, stored_names
from dass_ray.data.fingerprint import fingerprint, leaked
from dass_ray.data.mapped import is_large
from dass_ray.data.resize import resize, resize_into
from dass_ray.data.shared import Content, shared
from dass_ray.data.source import UNLABELLED
from dass_ray.data.splits import SPLITS
from dass_ray.data.statistics import channel_statistics
from dass_ray.errors import UserError
from dass_ray.store.base import Store

SIZES = range(2, 1025)  # px; PyTorch cannot shrink to 1, and a part has to hold many images


@dataclass(frozen=True)
class Split:
    """Images and labels. images: uint8 [N,3,H,W]; labels: int64 [N], indices of classes.

    In a train split the last labels may be UNLABELLED.
    """

    images: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        assert self.images.dtype == torch.uint8, self.images.dtype
        assert self.images.ndim == 4, self.images.shape
        assert self.images.shape[1] == 3, self.images.shape
        assert self.labels.dtype == torch.int64, self.labels.dtype
        assert self.labels.shape == (len(self.images),), (self.labels.shape, self.images.shape)

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device | str, images: torch.device | str | None = None) -> "Split":
        """The same split on a device; images: the device of those, if it is another one."""
        return Split(self.images.to(images or device), self.labels.to(device))


@dataclass(frozen=True)
class Dataset:
    """A whole data set in memory.

    `card` says what is in the store; after `resized` it still does, and `image_size` says what is
    here. mean, std: float32 [3], of the channels, scaled to [0,1], of the train split's labelled
    images: unlabelled ones, which may come later, leave the teacher's inputs as they are.
    """

    card: DatasetCard
    train: Split
    validation: Split
    test: Split
    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, card: DatasetCard, splits: Mapping[str, Split]) -> Self:
        """The data set of a card and the splits `train`, `validation` and `test`."""
        mean, std = channel_statistics(_labelled(splits["train"]).images)
        return cls(card, splits["train"], splits["validation"], splits["test"], mean, std)

    @property
    def device(self) -> torch.device:
        """Where statistics and labels are, and what is computed."""
        return self.mean.device

    @property
    def is_large(self) -> bool:
        """Whether the images lie in files that are paged in as they are needed: see mapped.py."""
        return is_large(sum(split.images.nbytes for split in self.splits.values()))

    @property
    def image_size(self) -> int:
        """Side of the images in memory, px."""
        return self.train.images.shape[-1]

    def _resized_for_all(self, size: int) -> Self:
        """Resized once for all processes of this node."""

        def fill(content: Content) -> None:
            for name, split in self.splits.items():
                resize_into(split.images, content[name][0])
                content[name][1][:] = split.labels

        return self.mapped(self.card, size, fill)

    @classmethod
    def mapped(cls, card: DatasetCard, size: int, fill: Callable[[Content], None]) -> Self:
        """The data set over files of this node, which `fill` writes if nobody has yet."""
        found = shared(f"{card.fingerprint[:32]}-{size}", card.counts, size, fill)
        splits = {name: Split(*found.content[name]) for name in SPLITS}
        return cls(card, **splits, mean=found.mean, std=found.std)

    @property
    def splits(self) -> dict[str, Split]:
        """The three splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def labelled(self) -> Self:
        """The data set without its unlabelled images; this very object if it has none."""
        train = _labelled(self.train)
        return self if train is self.train else replace(self, train=train)

    def to(self, device: torch.device | str) -> Self:
        """The same data set on a device; the images of a large one stay on the host.

        What is computed with them goes to the device batch by batch.
        """
        images = torch.device("cpu") if self.is_large else device
        return replace(
            self,
            train=self.train.to(device, images),
            validation=self.validation.to(device, images),
            test=self.test.to(device, images),
            mean=self.mean.to(device),
            std=self.std.to(device),
        )

    def resized(self, size: int) -> Self:
        """All splits resized to size x size px (see resize.py), statistics anew.

        Returns this very object if it has that size already.
        """
        if size == self.image_size:
            return self
        if self.is_large and self.image_size == self.card.image_size:
            return self._resized_for_all(size).to(self.device)
        splits = {k: Split(resize(s.images, size), s.labels) for k, s in self.splits.items()}
        return self.of(self.card, splits).to(self.device)


def _labelled(split: Split) -> Split:
    """A view of the images in front of the unlabelled ones."""
    count = int((split.labels != UNLABELLED).sum())
    return split if count == len(split) else Split(split.images[:count], split.labels[:count])


def write_dataset(
    store: Store,
    name: str,
    splits: Mapping[str, Split],
    classes: Sequence[str],
    source: str,
    *,
    skipped: int = 0,
) -> DatasetCard:
    """Write a data set, the card last; a no-op where the same content has that name already.

    splits: `train`, `validation` and `test`, none empty, all square and of one size.
    Raises UserError where the name is not allowed or has other content.
    """
    stored = naming.stored_name(name)
    _check(splits, classes)
    identity = fingerprint(classes, {k: (s.images, s.labels) for k, s in splits.items()})
    if (there := find_card(store, stored)) is not None:
        return _same(there, identity)
    size = splits["train"].images.shape[-1]
    card = DatasetCard(
        name=stored,
        fingerprint=identity,
        classes=tuple(classes),
        image_size=size,
        counts={split: len(splits[split]) for split in SPLITS},
        parts={
            split: tuple(
                naming.part_path(stored, identity, split, first, end)
                for first, end in parts.ranges(len(splits[split]), size)
            )
            for split in SPLITS
        },
        source=source,
        skipped=skipped,
        unlabelled=int((splits["train"].labels == UNLABELLED).sum()),
        leaked=leaked({split: splits[split].images for split in SPLITS}),
    )
    for split in SPLITS:
        images, labels = splits[split].images, splits[split].labels
        ranges = parts.ranges(len(images), size)
        for path, (first, end) in zip(card.parts[split], ranges, strict=True):
            store.put(path, parts.encode(images[first:end], labels[first:end]))
    if store.put(naming.card_path(stored), card.model_dump_json(indent=1).encode()):
        return card
    return _same(read_card(store, stored), identity)  # another writer was faster


def load_dataset(store: Store, name: str) -> Dataset:
    """The data set of that name, on the CPU.

    Raises UserError for an unknown name (with the nearest ones), and where the store holds other
    content than the card says.
    """
    card = read_card(store, name)
    size = card.image_size

    def fill(content: Content) -> None:
        for split in SPLITS:
            parts.read_into(store, card.parts[split], *content[split])
        if fingerprint(card.classes, content) != card.fingerprint:
            raise parts.Damaged("its content does not have the fingerprint on the card")

    try:
        if is_large(sum(card.counts.values()) * 3 * size**2):
            return Dataset.mapped(card, size, fill)
        content = {split: parts.empty(card.counts[split], size) for split in SPLITS}
        fill(content)
    except parts.Damaged as error:
        raise UserError(
            f"data set {card.name!r} in the store is damaged: {error}; "
            f"delete datasets/{card.name}/ and import it again"
        ) from None
    return Dataset.of(card, {split: Split(*content[split]) for split in SPLITS})


def list_datasets(store: Store) -> list[DatasetCard]:
    """The cards of all data sets in the store, by name."""
    return [read_card(store, name) for name in stored_names(store)]


def _same(there: DatasetCard, identity: str) -> DatasetCard:
    if there.fingerprint != identity:
        raise UserError(
            f"the store has other images under the name {there.name!r} "
            f"(from {there.source}); choose another name"
        )
    return there


def _check(splits: Mapping[str, Split], classes: Sequence[str]) -> None:
    if set(splits) != set(SPLITS):
        raise UserError(f"a data set has the splits {', '.join(SPLITS)}, not {sorted(splits)}")
    if len(classes) < 2 or len(set(classes)) != len(classes):
        raise UserError(f"a data set needs two or more distinct classes, not {list(classes)[:5]}")
    if odd := [name for name in classes if not name.isprintable()]:  # also undecodable file names
        raise UserError(f"the class name {odd[0]!r} cannot be printed; rename it")
    size = splits["train"].images.shape[-1]
    for name, split in splits.items():
        if len(split) == 0:
            raise UserError(f"the {name} split is empty; give it at least one image")
        if split.images.shape[2:] != (size, size) or size not in SIZES:
            raise UserError(
                f"images are square, of one size from {SIZES[0]} to {SIZES[-1]} px in all splits, "
                f"but {name} has {tuple(split.images.shape[2:])}"
            )
        labels = (_labelled(split) if name == "train" else split).labels
        if not ((labels >= 0) & (labels < len(classes))).all():
            raise UserError(f"{name} has labels outside 0..{len(classes) - 1}; renumber them")
