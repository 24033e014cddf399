"""Import of images without labels, beside those of a labelled data set."""

from pathlib import Path

import torch

from dass_ray.data.builtin import resolve
from dass_ray.data.card import DatasetCard
from dass_ray.data.dataset import Split, write_dataset
from dass_ray.data.folder import read_unlabelled
from dass_ray.data.importers import Progress, check_new, decode, readable
from dass_ray.data.source import Decoder
from dass_ray.data.threads import in_threads
from dass_ray.store.base import Store


def import_unlabelled(
    store: Store,
    name: str,
    source: str | Path,
    beside: str,
    *,
    skip_corrupt: bool = False,
    on_progress: Progress | None = None,
    decoder: Decoder = in_threads,
) -> DatasetCard:
    """A new data set: the one called `beside`, with a folder's images in its train split, too.

    All images below the folder are taken, in the size of those of `beside`; its validation and
    test splits stay as they are. The other arguments are as in `import_images`.

    Raises UserError for whatever is wrong with the source; the store is then as it was.
    """
    check_new(name)
    known = resolve(store, beside)
    with readable(source):
        found = read_unlabelled(Path(source).expanduser().absolute(), known.card.classes)
        splits, skipped = decode(found, known.image_size, skip_corrupt, on_progress, decoder)
    pixels, labels = (torch.from_numpy(array) for array in splits["train"])
    train = Split(torch.cat([known.train.images, pixels]), torch.cat([known.train.labels, labels]))
    return write_dataset(
        store,
        name,
        known.splits | {"train": train},
        known.card.classes,
        f"{found.description}, beside {beside!r} ({known.card.source})",
        skipped=known.card.skipped + skipped,
    )
