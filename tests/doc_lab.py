"""A working folder in which commands of the docs are run: what is a reader's is made here."""

import re
import runpy
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from dass_ray import searches
from dass_ray.cli.search import newest
from dass_ray.data.dataset import load_dataset
from dass_ray.kd.foreign_teachers import load_foreign
from dass_ray.kd.teachers import list_teachers
from dass_ray.records import TeacherCard
from dass_ray.space import MICRO
from dass_ray.store import open_store

from . import make_docs
from .doc_commands import ROOT
from .test_path import run

TEACHER = ("teacher.epochs=1", "teacher.min_steps=30", "teacher.batch_size=16")
UNTAUGHT = ("teacher.epochs=1", "teacher.min_steps=0", "near_chance=distil")
"""Of teachers by whom nothing is searched."""
KD = ("kd.epochs=1", "kd.min_steps=0", "kd.views=1")
LONGER = "kd.epochs=4"
"""Than the runs of 1 and 3 epochs that an evaluation knows beside them."""
COLLECT = (*UNTAUGHT, *KD, LONGER, "students=3")
META_TRAIN = ("episodes=2", "members=2", "encodings={signals: []}")
TRANSFORMERS, OURS = "1d0391f6dc1ecfbf", "7ab20c44d1e96f02"
"""Identities of teachers as the docs show them."""


def settings(some) -> list[str]:
    return [word for one in some for word in ("-s", one)]


class Lab:
    """Runs each command once, with what is a reader's filled in."""

    def __init__(self, folder: Path) -> None:
        self.done = set()
        self.store = open_store(str(folder / "store"))
        shutil.copytree(ROOT / "configs", folder / "configs")
        (folder / "plan.yaml").write_text("datasets: [flowers]\nstudents: 3\n")
        (folder / "search.yaml").write_text("dataset: stones\ncandidates: 16\n")
        (folder / "mynets.py").write_text(make_docs.MODULE)
        for name in ("flowers", "pile", "pictures"):
            make_docs.folder(folder / name, name)

    def run(self, text: str, more: list[str]) -> None:
        """more: words behind those of the command."""
        if text in self.done:
            return
        self.done.add(text)
        words = [*shlex.split(self._filled(text)), *more]
        print("$", shlex.join(words))
        if words[0] == "dass-ray":
            assert run(*words[1:]) == 0
        else:
            assert self._job(*words[1:]) == 0

    def _job(self, script: str, *rest: str) -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", [script, *rest])
            try:
                runpy.run_path(str(ROOT / script), run_name="__main__")
            except SystemExit as end:
                return int(end.code or 0)
        return 0

    def _filled(self, text: str) -> str:
        for pattern, make in FILLED.items():
            text = re.sub(pattern, lambda found, make=make: make(self, found), text)
        return text

    def source(self, found: re.Match) -> str:
        """Pictures of their own for each name of a data set."""
        name = found[1].replace("NAME", "mine")
        np.savez(f"{name}.npz", **make_docs.pictures(name))
        return f"{name} {name}.npz"

    def known(self, dataset: str, wanted) -> TeacherCard:
        """A teacher of the store."""
        cards = [card for card in list_teachers(self.store) if card.dataset == dataset]
        return next(card for card in cards if wanted(card))

    def teacher(self, found: re.Match) -> str:
        """One of the stones: from elsewhere, or ours, which is then trained."""
        if found[0] == OURS:
            assert run("teacher", "train", "-d", "stones", *settings(TEACHER)) == 0
        return self.known("stones", lambda card: (card.foreign is None) == (found[0] == OURS)).id

    def transformers_folder(self, found: re.Match) -> str:
        card = self.known("stones", lambda card: card.foreign)
        load_foreign(self.store, card).module.save_pretrained("my_model")
        return found[0]

    def module(self, found: re.Match) -> str:
        """Its weights choose the nearest colour."""
        data = load_dataset(self.store, "stones")
        colours = torch.tensor(make_docs.COLOURS / 255, dtype=torch.float32)
        weight, bias = 2 * colours * data.std, 2 * colours @ data.mean - (colours**2).sum(1)
        torch.save({"2.weight": 30 * weight, "2.bias": 30 * bias}, "weights.pt")
        return found[0]

    def weights(self, found: re.Match) -> str:
        card = self.known("stones", lambda card: not card.foreign)
        kept = self.store.get(f"teachers/{card.id}/weights.safetensors")
        Path("weights.safetensors").write_bytes(kept)
        return found[0]

    def seeded(self, number: int) -> str:
        """The first split's teacher of this seed, with students."""
        one = ("datasets=[tiny_imagenet_0]", f"teacher_seeds=[{number}]")
        assert run("collect", *settings((*COLLECT, *one))) == 0
        wanted = (number, MICRO)
        return self.known("tiny_imagenet_0", lambda card: (card.seed, card.space) == wanted).id

    def timed(self) -> str:
        """A search that knows latencies; not every page's newest one does."""
        every = (searches.card(self.store, identity) for identity in searches.ids(self.store))
        return next(card.id for card in every if card.config.latency)

    def student(self, _found: re.Match) -> str:
        """A verified one of the newest search."""
        return f"--spec {searches.choices(self.store, newest(self.store))[0].spec}"


FILLED = {
    r"(\w+) SOURCE": Lab.source,
    r"train -c FILE": lambda _lab, _found: "train -c search.yaml",
    r"\bFILE\b": lambda _lab, _found: "plan.yaml",
    r"measure NAME\b": lambda _lab, _found: "measure mine",
    r"s3://[\w/]+": lambda _lab, _found: "store",
    r"data-3\b": lambda _lab, _found: "tiny_imagenet_3",
    r"search (?=--dry-run)": lambda _lab, _found: "search -d flowers ",
    rf"\b({TRANSFORMERS}|{OURS}|ID)\b": Lab.teacher,
    r"\./my_model": Lab.transformers_folder,
    r"mynets:Net": Lab.module,
    r"import weights\.safetensors": Lab.weights,
    r"SECOND, \.\.\.": lambda lab, _found: lab.seeded(1),
    r"FIRST, \.\.\.": lambda lab, _found: lab.seeded(0),
    r"tiny_imagenet_0, \.\.\.": lambda _lab, _found: "tiny_imagenet_0",
    r"--spec [\d/-]+": Lab.student,
    r"(limits\.latency=)[\d.]+": lambda _lab, found: f"{found[1]}1000",
    r"--latency-ms [\d.]+": lambda lab, _found: f"{lab.timed()} --latency-ms 1000",
    r"folds/0 folds/2.*": lambda _lab, _found: "folds/0 cifar10",  # "and so on"
}
