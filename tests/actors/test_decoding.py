"""Ray Data decodes what threads decode, with a real Ray."""

import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import ray

from dass_ray.actors import decoding
from dass_ray.actors.decoding import on_cluster
from dass_ray.actors.session import ray_session
from dass_ray.cli.data import _decoder
from dass_ray.data import columns, folder
from dass_ray.data.dataset import list_datasets, write_dataset
from dass_ray.data.importers import import_images
from dass_ray.data.source import EncodedImage, Piece
from dass_ray.data.threads import in_threads
from dass_ray.data.unlabelled import import_unlabelled
from dass_ray.errors import UserError

from ..data.make import encoded, noise, splits, write_folder, write_parquet
from ..data.test_shards import samples, write

PLACE = "where all nodes see it under the same path"


@pytest.fixture(scope="module", autouse=True)
def session():
    with ray_session(cpus=2):
        yield


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Several pieces for each source, and several blocks for each piece."""
    monkeypatch.setattr(folder, "PIECE", 16)
    monkeypatch.setattr(columns, "PIECE", 16)
    monkeypatch.setattr(decoding, "BLOCK", 7 * 3 * 8**2)


def images(root):
    return write_folder(root / "train", {"ant": 20, "bee": 25}).parent


def shards(root):
    write(root / "train-0.tar", samples(20))
    write(root / "train-1.tar.gz", samples(13, seed=20))
    write(root / "val-0.tar", samples(9, seed=50))
    return root


def parquet(root):
    write_parquet(root / "train-0.parquet", [0, 1] * 20)
    return write_parquet(root / "train-1.parquet", [1, 0] * 9, seed=100).parent


def npz(root):
    root.mkdir()
    rng = np.random.default_rng(0)
    arrays = rng.integers(0, 256, (30, 8, 8), dtype=np.uint8)
    np.savez(root / "x.npz", images=arrays, labels=np.arange(30) % 3)
    return root / "x.npz"


def same(*cards):
    """Whether they are of equal images in equal order, whatever their name."""
    one, other = (card.model_dump(exclude={"name", "parts"}) for card in cards)
    return one == other


@pytest.mark.parametrize("make", [images, shards, parquet, npz])
def test_it_is_the_same_data_set(store, tmp_path, make):
    source, told = make(tmp_path / "source"), []
    cards = [
        import_images(store, name, source, on_progress=lambda *far: told.append(far), decoder=way)
        for name, way in (("there", on_cluster), ("here", in_threads))
    ]
    assert same(*cards)
    count = len(told) // 2
    assert told[:count] == told[count:] == [(done + 1, count) for done in range(count)]


def test_unlabelled_images(store, tmp_path):
    write_dataset(store, "pets", splits(size=8), ("ant", "bee", "cat"), "a test")
    pile = write_folder(tmp_path, {"pile": 40}) / "pile"
    cards = [
        import_unlabelled(store, name, pile, "pets", decoder=way)
        for name, way in (("there", on_cluster), ("here", in_threads))
    ]
    assert same(*cards)


def test_unreadable_images_are_told_or_left_out_as_by_threads(store, tmp_path):
    source = write_folder(tmp_path / "pets", {"ant": 30, "bee": 30})
    (source / "bee" / "003.png").write_bytes(b"nonsense")
    for row in (20, 4):
        file = source / "ant" / f"{row:03d}.png"
        file.write_bytes(file.read_bytes()[:-40])
    said = []
    for way in (on_cluster, in_threads):
        with pytest.raises(UserError, match=r"3 of 60 images cannot be read: 'ant/004") as caught:
            import_images(store, "x", source, decoder=way)
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert list_datasets(store) == []
    cards = [
        import_images(store, name, source, skip_corrupt=True, decoder=way)
        for name, way in (("there", on_cluster), ("here", in_threads))
    ]
    assert same(*cards)
    assert cards[0].skipped == 3


@pytest.mark.parametrize(
    ("make", "file", "message"),
    [
        (images, "train/bee/007.png", "cannot read {file}: No such file or directory; put the "),
        (shards, "train-1.tar.gz", ": cannot read {file} as a tar file (.*); .*, or put the "),
        (parquet, "train-1.parquet", ": cannot read {file} as Parquet (.*); .*, or put the "),
    ],
)
def test_a_node_that_does_not_see_a_file_is_named(store, tmp_path, make, file, message):
    source = make(tmp_path / "source")

    def elsewhere(pieces, out, on_image):
        (source / file).unlink()
        return on_cluster(pieces, out, on_image)

    node, said = ray.util.get_node_ip_address(), message.format(file=source / file)
    with pytest.raises(UserError, match=rf"^node {node}:? ?{said}source {PLACE}$"):
        import_images(store, "x", source, decoder=elsewhere)
    assert list_datasets(store) == []


def test_a_node_with_another_version_is_told(store, tmp_path, monkeypatch):
    monkeypatch.setattr("dass_ray.actors.nodes.SCHEMA_VERSION", 9)
    with pytest.raises(UserError, match=r"^this node has .* \(schema 9\): install the same"):
        import_images(store, "x", images(tmp_path / "source"), decoder=on_cluster)


def test_a_cluster_without_cpus_is_told(monkeypatch):
    monkeypatch.setattr(decoding, "capacity", lambda: {"CPU": 0.0, "GPU": 0.0})
    with pytest.raises(UserError, match=r"^no node of the Ray cluster offers a CPU; start one"):
        on_cluster([], np.zeros((0, 3, 8, 8), np.uint8), lambda: None)


def end_or_give(marker, once):
    """The bytes of an image, but before, the worker process ends: the first time or each time."""
    if not (once and marker.exists()):
        marker.touch()
        os._exit(1)
    return encoded(noise())


def dying(marker, once):
    """20 images of which the 16th ends its worker when two blocks are done."""
    for row in range(20):
        read = partial(end_or_give, marker, once) if row == 15 else partial(encoded, noise())
        yield EncodedImage(str(row), read)


def test_what_a_lost_worker_had_done_counts_once(tmp_path):
    out, done = np.zeros((20, 3, 8, 8), np.uint8), []
    piece = Piece(0, 20, partial(dying, tmp_path / "marker", True))
    assert on_cluster([piece], out, lambda: done.append(1)) == []
    assert (tmp_path / "marker").exists()
    assert len(done) == 20
    assert (out == np.asarray(noise()).transpose(2, 0, 1)).all()


def test_a_cluster_that_does_nothing_is_told(tmp_path, monkeypatch):
    """As where all its CPUs are taken, or each worker that comes to an image is lost."""
    monkeypatch.setattr(decoding, "IDLE_S", 3.0)
    piece = Piece(0, 20, partial(dying, tmp_path / "marker", False))
    with pytest.raises(UserError, match=r"^the cluster has decoded no image for 0 minutes: see"):
        on_cluster([piece], np.zeros((20, 3, 8, 8), np.uint8), lambda: None)


def test_threads_decode_unless_a_cluster_is_named(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "auto")  # as where jobs are submitted
    with _decoder(None) as decoder:
        assert decoder is in_threads
    with _decoder("auto") as decoder:
        assert decoder is on_cluster


def test_the_command_joins_a_cluster(store, tmp_path):
    """Nothing of Ray's is printed, and the store has what threads would have put there."""
    source, address = images(tmp_path / "source"), ray.get_runtime_context().gcs_address
    words = [sys.executable, "-m", "dass_ray.cli.main", "data", "import", "there", str(source)]
    done = subprocess.run(
        [*words, "--store", store.uri, "--address", address],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    begun, read, card = done.stdout.splitlines()
    assert begun == "reading images"
    assert read.startswith("reading images: 45 of 45")
    assert card == "there: 2 classes, 8 px, 31 train, 7 validation, 7 test images"
    card = import_images(store, "here", source)
    (_, there) = list_datasets(store)
    assert same(there, card)
