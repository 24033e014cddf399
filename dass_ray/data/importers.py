"""Import of images from outside into the store."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from dass_ray.data.card import DatasetCard
from dass_ray.data.dataset import SIZES, Split, write_dataset
from dass_ray.data.folder import read_folder
from dass_ray.data.labels import check_enough, check_same_classes
from dass_ray.data.mapped import zeros
from dass_ray.data.naming import is_built_in, stored_name
from dass_ray.data.npz import read_npz
from dass_ray.data.parquet import parquet_files, read_parquet
from dass_ray.data.saved import HUB, is_saved, read_hub, read_saved
from dass_ray.data.shards import expand, is_shards, read_shards, tar_files
from dass_ray.data.source import NATURAL_MAX, Decoder, Labels, Pixels, Source, Unreadable
from dass_ray.data.splits import SPLITS, carve
from dass_ray.data.threads import in_threads
from dass_ray.errors import UserError
from dass_ray.store.base import Store

_COPIED = 16 * 2**20  # bytes of pixels at a time
Progress = Callable[[int, int], None]  # images done, images in all


def import_images(
    store: Store,
    name: str,
    source: str | Path,
    *,
    image_size: int | None = None,
    seed: int = 0,
    skip_corrupt: bool = False,
    on_progress: Progress | None = None,
    decoder: Decoder = in_threads,
) -> DatasetCard:
    """Import images and labels from outside: see `recognise`.

    image_size: side in px; by default the images' own, if all are square, of one size and at most
    64, otherwise 64. seed: of the validation and test splits that the source lacks, see
    splits.carve. skip_corrupt: leave unreadable images out and count them on the card.
    on_progress: called in this thread after each image. decoder: where image files are decoded,
    in threads of this process or by `dass_ray.actors.decoding.on_cluster`; the result is the same.

    Raises UserError for whatever is wrong with the source; the store is then as it was.
    """
    check_new(name)
    if image_size is not None and image_size not in SIZES:
        raise UserError(f"images of {image_size} px: choose {SIZES[0]} to {SIZES[-1]} px")
    if seed < 0:
        raise UserError(f"seed {seed} is negative; choose 0 or more")
    with readable(source):
        found = recognise(str(source))
        check_enough(found.classes, {split: raw.labels for split, raw in found.splits.items()})
        size = image_size or _natural_size(found)
        splits, skipped = decode(found, size, skip_corrupt, on_progress, decoder)
    labels = {split: some for split, (_, some) in splits.items()}
    check_same_classes(found.classes, labels)
    check_enough(found.classes, labels)
    missing = [split for split in SPLITS if split not in splits]
    note = f"; {' and '.join(missing)} carved out of train with seed {seed}" if missing else ""
    return write_dataset(
        store,
        name,
        _with_carved(splits, missing, seed),
        found.classes,
        found.description + note,
        skipped=skipped,
    )


def check_new(name: str) -> None:
    """UserError for what cannot be the name of an imported data set."""
    stored_name(name)
    if is_built_in(name):
        raise UserError(f"{name!r} is the name of a built-in data set; choose another name")


@contextmanager
def readable(source: str | Path) -> Iterator[None]:
    """A UserError where a file of the source cannot be read."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot read {error.filename or source}: {error.strerror or error}; "
            "repair that and import again"
        ) from None


def recognise(source: str) -> Source:
    """Read a source as what it is; UserError if it is nothing that can be imported.

    `hf:NAME`; tar shards (shards.py), also several at once; Parquet (parquet.py); npz (npz.py); a
    folder of `save_to_disk` (saved.py), of Parquet, of shards, or of images (folder.py).
    """
    if source.startswith(HUB):
        return read_hub(source.removeprefix(HUB))
    path = Path(source).expanduser().absolute()
    if is_shards(source) and not path.is_dir():
        return read_shards(expand(str(path)), str(path))
    if not path.exists():
        raise UserError(f"there is no {path}; check the path")
    if path.is_dir():
        return _recognise_folder(path)
    readers = {".parquet": read_parquet, ".npz": read_npz}
    if path.suffix.lower() not in readers:
        raise UserError(
            f"{path} cannot be imported: give an image folder (unpack archives first), a "
            "folder of save_to_disk, Parquet, an npz archive, tar shards or hf:NAME"
        )
    return readers[path.suffix.lower()](path)


def _recognise_folder(folder: Path) -> Source:
    if is_saved(folder):
        return read_saved(folder)
    if shards := tar_files(folder):
        return read_shards(shards, str(folder))
    return read_parquet(folder) if parquet_files(folder) else read_folder(folder)


def _natural_size(source: Source) -> int:
    sides = {raw.side() for raw in source.splits.values()}
    side = sides.pop()
    return side if side is not None and not sides else NATURAL_MAX


def decode(
    source: Source, size: int, skip_corrupt: bool, on_progress: Progress | None, decoder: Decoder
) -> tuple[dict[str, tuple[Pixels, Labels]], int]:
    """The pixels and labels of each split, and how many unreadable images were left out.

    UserError for unreadable images that are not to be left out.
    """
    total = sum(len(raw.labels) for raw in source.splits.values())
    done = 0

    def on_image() -> None:
        nonlocal done
        done += 1
        if on_progress:
            on_progress(done, total)

    splits: dict[str, tuple[Pixels, Labels]] = {}
    unreadable: list[Unreadable] = []
    for split, raw in source.splits.items():
        labels = raw.labels
        pixels: Pixels = zeros((len(labels), 3, size, size), torch.uint8).numpy()
        failures = raw.pixels_into(pixels, on_image, decoder)
        if failures:
            rows = np.delete(np.arange(len(labels)), [failure.row for failure in failures])
            pixels, labels = _taken(pixels, rows), labels[rows]
        splits[split] = pixels, labels
        unreadable += failures
    if unreadable and not skip_corrupt:
        raise _corrupt(unreadable, total)
    return splits, len(unreadable)


def _corrupt(unreadable: list[Unreadable], total: int) -> UserError:
    first = ", ".join(f"{u.name!r} ({' '.join(u.reason.split())})" for u in unreadable[:3])
    more = ", ..." if len(unreadable) > 3 else ""
    return UserError(
        f"{len(unreadable)} of {total} images cannot be read: {first}{more}; "
        "repair them, or leave them out with --skip-corrupt"
    )


def _taken(pixels: Pixels, rows: Labels) -> Pixels:
    """Some of the images, few at a time, in a file where they are many."""
    out: Pixels = zeros((len(rows), *pixels.shape[1:]), torch.uint8).numpy()
    step = max(1, _COPIED // (3 * pixels.shape[-1] ** 2))
    for start in range(0, len(rows), step):
        out[start : start + step] = pixels[rows[start : start + step]]
    return out


def _with_carved(
    splits: dict[str, tuple[Pixels, Labels]], missing: list[str], seed: int
) -> dict[str, Split]:
    if missing:
        pixels, labels = splits.pop("train")
        for split, rows in carve(labels, missing, seed).items():
            splits[split] = _taken(pixels, rows), labels[rows]
    return {
        split: Split(torch.from_numpy(pixels), torch.from_numpy(labels))
        for split, (pixels, labels) in splits.items()
    }
