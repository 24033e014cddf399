import json
import os

import pytest
import torch

from dass_ray import export as module
from dass_ray import ledger, searches
from dass_ray.config import SearchConfig
from dass_ray.data.dataset import load_dataset
from dass_ray.errors import UserError
from dass_ray.export import StudentCard, export
from dass_ray.kd.distill import distil
from dass_ray.kd.teachers import TeacherPlan, load_net, train_into
from dass_ray.kd.train import accuracy
from dass_ray.kd.views import soft_labels
from dass_ray.models.resnet import ResNet
from dass_ray.models.weights import from_bytes, load_into, to_bytes
from dass_ray.searches import Choice, Round, SearchCard
from dass_ray.space import Spec
from dass_ray.verify import runs

from . import make_task
from .make import CLASSES, KD, TEACH, TINY, Memory, row

FIRST, SECOND, WILD = Spec.parse("4/6-8"), Spec.parse("4-4/8"), Spec.parse("3-4/8")
FILES = ["card.json", "student.pt2", "student.safetensors"]


@pytest.fixture(scope="module")
def filled():
    """A store after a search: three students with two seeds each; one of them diverged twice."""
    store = Memory()
    data = make_task.stored(store, size=10).resized(8)  # stored larger than the space's images
    teacher = train_into(store, TeacherPlan(TINY, TEACH, 0), data)
    net = load_net(store, teacher)
    config = SearchConfig(
        dataset="tinges", space=TINY, teacher=TEACH, kd=KD, verify={"seeds": (0, 1)}
    )
    card = SearchCard(
        id="mine", config=config, teacher=teacher, predictor="p", started_at=0.0, code_version="1"
    )
    searches.write_object(store, card, "searches/mine/card.json")
    chosen, labels = [], soft_labels(net, data, KD)
    planned = {spec: runs(card, str(spec)) for spec in (FIRST, SECOND, WILD)}
    keys = sorted(run.key for spec in (FIRST, SECOND) for run in planned[spec])
    validation = dict(zip(keys, [0.9, 0.7, 0.8, None], strict=True))  # else keys may decide
    for spec, its_runs in planned.items():
        for run in its_runs:
            value = validation.get(run.key)
            if value is not None:
                student = distil(spec, net, labels, data, KD, run.seed).net
                store.put(f"students/{run.key}.safetensors", to_bytes(student.state_dict()))
            ledger.commit(store, [row(
                run.key, dataset="tinges", spec=str(spec), seed=run.seed, params=11, flops=22,
                status="ok" if value else "diverged", validation=value, test=value and value - 0.05,
                dataset_fingerprint=data.card.fingerprint, teacher_fingerprint=teacher.fingerprint,
            )])  # fmt: skip
        chosen.append(Choice(
            spec=str(spec), role="top", round=1, predicted=0.5, uncertainty=0.1, params=11,
            flops=22, keys=tuple(run.key for run in its_runs),
        ))  # fmt: skip
    for number, students in enumerate((chosen[:2], chosen[2:]), 1):
        searches.write_round(store, "mine", number, Round(students=tuple(students), candidates=8))
    return store


@pytest.fixture
def store(filled):
    copy = Memory()
    copy.objects = dict(filled.objects)
    return copy


def best(store, *specs):
    """The row with the highest validation accuracy."""
    found = ledger.rows(ledger.read(store))
    return max((r for r in found if r.validation and r.spec in specs), key=lambda r: r.validation)


@pytest.fixture(scope="module")
def exported(filled, tmp_path_factory):
    out = tmp_path_factory.mktemp("export") / "models" / "best"
    return filled, export(filled, "mine", None, out), out


def test_the_folder_holds_card_weights_and_program(exported):
    store, card, out = exported
    assert sorted(os.listdir(out)) == FILES
    assert os.listdir(out.parent) == ["best"]
    assert out.stat().st_mode & 0o777 == 0o755
    assert StudentCard.model_validate_json((out / "card.json").read_text()) == card
    weights = store.get(f"students/{card.run}.safetensors")
    assert (out / "student.safetensors").read_bytes() == weights


def test_the_card_tells_all(exported):
    store, card, out = exported
    data = load_dataset(store, "tinges")
    teacher = searches.card(store, "mine").teacher
    row = best(store, str(FIRST), str(SECOND))
    assert (card.spec, card.run, card.search) == (row.spec, row.key, "mine")
    assert (card.dataset, card.dataset_fingerprint) == ("tinges", data.card.fingerprint)
    assert card.teacher_fingerprint == teacher.fingerprint
    assert (card.classes, card.image_size) == (CLASSES, 8)
    assert (card.params, card.flops) == (11, 22)
    assert card.validation == 0.9
    assert card.test == pytest.approx(0.85)
    small = data.resized(8)
    assert card.mean == pytest.approx(small.mean.tolist())
    assert card.std == pytest.approx(small.std.tolist())
    assert card.std != pytest.approx(data.std.tolist())  # of the images as they were stored
    assert json.loads((out / "card.json").read_text())["spec"] == row.spec


def network(store, card):
    """The distilled student itself."""
    net = ResNet(TINY, Spec.parse(card.spec), 3).eval()
    load_into(net, from_bytes(store.get(f"students/{card.run}.safetensors"), ""), "")
    return net


@pytest.mark.parametrize("batch", [1, 5])
@torch.no_grad()
def test_the_program_equals_the_network(exported, batch):
    store, card, out = exported
    program = torch.export.load(out / "student.pt2").module()
    net = network(store, card)
    images = torch.rand(batch, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(values)[:, None, None] for values in (card.mean, card.std))
    expected = net((images - mean) / std)
    assert program(images).shape == (batch, 3)
    assert torch.allclose(program(images), expected, atol=1e-5)
    assert expected.std() > 0.01


def test_the_program_is_as_right_as_the_run(exported):
    """It takes plain images in [0, 1], and is as good on them as the distilled network was."""
    store, card, out = exported
    program = torch.export.load(out / "student.pt2").module()
    data = load_dataset(store, "tinges").resized(8)
    found = (program(data.test.images / 255).argmax(dim=1) == data.test.labels).float().mean()
    assert found.item() == pytest.approx(accuracy(network(store, card), data, data.test))


def test_a_student_by_its_spec(store, tmp_path):
    for spec in (str(FIRST), str(SECOND)):
        card = export(store, "mine", spec, tmp_path / spec.replace("/", "_"))
        assert (card.spec, card.run) == (spec, best(store, spec).key)


@pytest.mark.parametrize(
    ("search", "spec", "message"),
    [
        ("yours", None, "no search 'yours' in .*; known: mine"),
        ("mine", "2/8", r"no such verified student in 'mine'; verified: 4-4/8, 4/6-8"),
        ("mine", str(WILD), "no such verified student"),
        ("mine", "nonsense", "no such verified student"),
    ],
)
def test_what_there_is_not(store, tmp_path, search, spec, message):
    with pytest.raises(UserError, match=message):
        export(store, search, spec, tmp_path / "out")
    assert os.listdir(tmp_path) == []


def test_before_any_student_is_verified(store, tmp_path):
    for path in store.list("runs"):
        store.delete(path)
    with pytest.raises(UserError, match="verified: none yet"):
        export(store, "mine", None, tmp_path / "out")
    for path in store.list("searches/mine/rounds"):
        store.delete(path)
    with pytest.raises(UserError, match="verified: none yet"):
        export(store, "mine", None, tmp_path / "out")


def test_weights_that_were_not_kept(store, tmp_path):
    store.delete(f"students/{best(store, str(SECOND)).key}.safetensors")
    with pytest.raises(UserError, match="the run of 4-4/8 was not made by a search"):
        export(store, "mine", str(SECOND), tmp_path / "out")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("make", [lambda out: out.mkdir(), lambda out: out.write_text("mine")])
def test_nothing_is_overwritten(store, tmp_path, make):
    make(tmp_path / "out")
    with pytest.raises(UserError, match="out exists: choose another --out"):
        export(store, "mine", None, tmp_path / "out")
    assert os.listdir(tmp_path) == ["out"]
    assert (tmp_path / "out").is_dir() or (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (OSError(28, "No space left on device"), UserError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (RuntimeError("broken"), RuntimeError),
    ],
)
def test_nothing_half_written_is_left(store, tmp_path, monkeypatch, error, seen):
    def broken(_program, path):
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(module.torch.export, "save", broken)
    with pytest.raises(seen) as caught:
        export(store, "mine", None, tmp_path / "out")
    assert os.listdir(tmp_path) == []
    if seen is UserError:
        assert f"cannot write {tmp_path / 'out'}: No space left on device" in str(caught.value)


def test_a_place_that_cannot_be_written(store, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*/file/out: "):
        export(store, "mine", None, tmp_path / "file" / "out")
