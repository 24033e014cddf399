"""The student to ship: safetensors with a JSON card, and a torch.export program."""

import shutil
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from dass_ray import ledger, searches
from dass_ray.data.dataset import load_dataset
from dass_ray.errors import UserError
from dass_ray.frozen import Frozen
from dass_ray.models.network import Network, build
from dass_ray.models.weights import from_bytes, load_into
from dass_ray.records import RunRow
from dass_ray.searches import SearchCard
from dass_ray.space import Spec
from dass_ray.store.base import NotFound, Store


class StudentCard(Frozen):
    """Where an exported student comes from, and what goes in and out of it."""

    spec: str
    run: str  # key
    search: str
    dataset: str
    dataset_fingerprint: str
    teacher_fingerprint: str
    classes: tuple[str, ...]
    image_size: int
    mean: tuple[float, ...]  # of channels scaled to [0, 1]
    std: tuple[float, ...]
    params: int
    flops: int
    validation: float
    test: float
    code_version: str


class Shippable(nn.Module):
    """A student that takes images with values in [0, 1] and normalises them itself."""

    mean: Tensor
    std: Tensor

    def __init__(self, net: Network, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("mean", mean[:, None, None])
        self.register_buffer("std", std[:, None, None])

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 3, H, W] in [0, 1] -> logits [B, K]."""
        out: Tensor = self.net((images - self.mean) / self.std)
        return out


def export(store: Store, search: str, spec: str | None, out: Path) -> StudentCard:
    """Writes `student.safetensors`, `student.pt2` and `card.json` to a new folder.

    spec: of a verified student; None takes the best one on the validation split.
    UserError where the search has no such student, or the folder exists.
    """
    if out.exists():
        raise UserError(f"{out} exists: choose another --out")
    card = searches.card(store, search)
    row = _row(store, card, spec)
    path = f"students/{row.key}.safetensors"
    try:
        weights = store.get(path)
    except NotFound:
        raise UserError(
            f"the run of {row.spec} was not made by a search, so its weights were not kept"
        ) from None
    net = build(card.teacher.space, Spec.parse(row.spec), row.classes).eval()
    load_into(net, from_bytes(weights, path), path)
    data = load_dataset(store, card.teacher.dataset).resized(net.space.image_size)
    student = _card(card, row, data.mean, data.std)
    shippable = Shippable(net, data.mean, data.std).eval()
    _write(shippable, weights, student, out)
    return student


def _row(store: Store, card: SearchCard, spec: str | None) -> RunRow:
    keys = [key for choice in searches.choices(store, card.id) for key in choice.keys]
    rows = [row for row in ledger.rows_of(store, keys).values() if row.validation is not None]
    wanted = [row for row in rows if spec is None or row.spec == spec]
    if not wanted:
        known = ", ".join(sorted({row.spec for row in rows})) or "none yet"
        raise UserError(f"no such verified student in {card.id!r}; verified: {known}")
    return max(wanted, key=lambda row: (row.validation or 0.0, row.key))


def _card(card: SearchCard, row: RunRow, mean: Tensor, std: Tensor) -> StudentCard:
    assert row.validation is not None
    assert row.test is not None
    return StudentCard(
        spec=row.spec,
        run=row.key,
        search=card.id,
        dataset=row.dataset,
        dataset_fingerprint=row.dataset_fingerprint,
        teacher_fingerprint=row.teacher_fingerprint,
        classes=card.teacher.classes,
        image_size=card.teacher.space.image_size,
        mean=tuple(mean.tolist()),
        std=tuple(std.tolist()),
        params=row.params,
        flops=row.flops,
        validation=row.validation,
        test=row.test,
        code_version=row.code_version,
    )


def _write(student: Shippable, weights: bytes, card: StudentCard, out: Path) -> None:
    """The folder appears whole: it is filled beside its place and then renamed."""
    side = card.image_size
    example = torch.rand(2, 3, side, side)
    program = torch.export.export(
        student, (example,), dynamic_shapes={"images": {0: torch.export.Dim("batch", min=1)}}
    )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        try:
            (folder / "student.safetensors").write_bytes(weights)
            (folder / "card.json").write_text(card.model_dump_json(indent=1))
            torch.export.save(program, folder / "student.pt2")
            folder.chmod(0o755)
            folder.rename(out)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror}") from None
