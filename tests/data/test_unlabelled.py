"""Images without labels beside a labelled data set."""

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from dass_ray.cli.main import app
from dass_ray.data.card import DatasetCard
from dass_ray.data.dataset import load_dataset, write_dataset
from dass_ray.data.source import UNLABELLED
from dass_ray.data.unlabelled import import_unlabelled
from dass_ray.errors import UserError

from .make import encoded, noise, splits

CLASSES = ("ant", "bee", "cat")


@pytest.fixture
def known(store):
    write_dataset(store, "pets", splits(size=8), CLASSES, "a test", skipped=1)
    return load_dataset(store, "pets")


@pytest.fixture
def pile(tmp_path):
    """Five images, some of them deeper, and a file that is none."""
    for i, path in enumerate(["a.png", "b.png", "deep/er/c.PNG", "train/d.png", "train/e.png"]):
        file = tmp_path / "pile" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(noise(16, i)))
    (tmp_path / "pile" / "notes.txt").write_text("of no interest")
    return tmp_path / "pile"


def test_they_join_the_training_images_alone(store, known, pile):
    told = []
    card = import_unlabelled(store, "more", pile, "pets", on_progress=lambda *f: told.append(f))
    more = load_dataset(store, "more")
    assert more.card == card
    assert told[-1] == (5, 5)
    assert (card.classes, card.image_size, card.skipped) == (CLASSES, 8, 1)
    assert card.counts == known.card.counts | {"train": 14}
    assert card.unlabelled == 5
    assert card.source == f"image folder {pile} without labels, beside 'pets' (a test)"
    assert more.train.labels.tolist() == known.train.labels.tolist() + [UNLABELLED] * 5
    assert torch.equal(more.train.images[:9], known.train.images)
    for name in ("validation", "test"):
        assert torch.equal(more.splits[name].images, known.splits[name].images)
        assert torch.equal(more.splits[name].labels, known.splits[name].labels)


def test_the_teachers_inputs_stay_as_they_are(store, known, pile):
    import_unlabelled(store, "more", pile, "pets")
    more = load_dataset(store, "more")
    for a, b in ((more, known), (more.resized(6), known.resized(6))):
        assert torch.equal(a.mean, b.mean)
        assert torch.equal(a.std, b.std)
        assert torch.equal(a.labelled().train.images, b.train.images)
    assert known.labelled() is known


def test_more_can_follow_and_each_is_another_data_set(store, known, pile):
    first = import_unlabelled(store, "more", pile, "pets")
    assert first.fingerprint != known.card.fingerprint
    assert import_unlabelled(store, "more", pile, "pets") == first
    again = import_unlabelled(store, "again", pile, "more")
    assert (again.counts["train"], again.unlabelled) == (19, 10)


def test_images_that_validate_are_told_from_others(store, known, pile):
    pixels = known.validation.images[0].permute(1, 2, 0).numpy()
    (pile / "known.png").write_bytes(encoded(Image.fromarray(pixels)))
    assert import_unlabelled(store, "more", pile, "pets").leaked == known.card.leaked + 1


def test_the_card_of_a_labelled_set_is_as_before(known):
    assert "unlabelled" not in known.card.model_dump_json()
    assert DatasetCard.model_validate_json(known.card.model_dump_json()).unlabelled == 0


def test_what_is_wrong_is_said(store, known, pile, tmp_path):
    (tmp_path / "none").mkdir()
    before = store.list("")
    for name, source, beside, message in (
        ("more", pile, "pet", "did you mean pets"),
        ("more", tmp_path / "none", "pets", "no images in .*none: expected .png"),
        ("more", tmp_path / "nowhere", "pets", "nowhere is no folder; give a folder of images"),
        ("digits", pile, "pets", "built-in"),
        ("pets", pile, "pets", "other images under the name 'pets'"),
    ):
        with pytest.raises(UserError, match=message):
            import_unlabelled(store, name, source, beside)
    (pile / "bad.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"1 of 6 images cannot be read: 'bad.png'"):
        import_unlabelled(store, "more", pile, "pets")
    assert store.list("") == before
    assert import_unlabelled(store, "more", pile, "pets", skip_corrupt=True).unlabelled == 5


def test_the_command(store, known, pile):
    words = ["data", "import", "more", str(pile), "--unlabelled-beside", "pets"]
    words += ["--store", store.uri]
    with pytest.raises(UserError, match="leave --size out"):
        CliRunner().invoke(app, [*words, "--size", "9"], catch_exceptions=False)
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "more: 3 classes, 8 px, 14 train, 6 validation, 3 test images" in result.output
    assert "train images without a label: 5" in result.output
