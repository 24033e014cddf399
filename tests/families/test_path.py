"""The whole path with families other than resnet, with a real Ray; one of another package."""

import json

import numpy as np
import pytest
import torch

from dass_ray import ledger, searches
from dass_ray.actors.session import ray_session
from dass_ray.space import Spec
from dass_ray.store import open_store

from ..make import MOBILE
from ..test_path import pictures, run

CONFIG = """
teacher: {epochs: 25, min_steps: 0, batch_size: 16, lr: 0.1, crop_padding: 1, flip: false}
kd: {epochs: 1, min_steps: 0, batch_size: 16, views: 1, crop_padding: 1, flip: false}
"""
SPACES = {"plain": "plain", "mobilenet": MOBILE.model_dump_json()}


@pytest.fixture(scope="module")
def home(tmp_path_factory, installed):
    """A working folder with two small data sets, and one Ray for the whole module."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch, ray_session():
        patch.chdir(folder)
        (folder / "task.yaml").write_text(CONFIG)
        for name in ("bars", "dots"):
            np.savez(folder / f"{name}.npz", **pictures(name))
            assert run("data", "import", name, f"{name}.npz") == 0
        yield folder


@pytest.mark.timeout(600)  # a real Ray, on a machine that may be loaded
@pytest.mark.parametrize("family", SPACES)
def test_path(home, family, capsys):
    """Distil, meta-train, search within a limit, report, export."""
    space = ("-s", f"space={SPACES[family]}")
    collect = ("-s", "datasets=[bars, dots]", "-s", "students=4", "-s", "shard=4")
    assert run("collect", "-c", "task.yaml", *space, *collect) == 0
    meta = ("-s", "train=[bars]", "-s", "validation=[dots]", "-s", "episodes=4", "-s", "members=2")
    assert run("meta-train", *space, "-s", f"name={family}", *meta) == 0
    limits = ("-s", "limits.params=2000", "-s", "candidates=24", "-s", "batch=12")
    verify = ("-s", "verify.top=1", "-s", "verify.random=1")
    search = ("search", "-c", "task.yaml", *space, "-d", "bars", *limits, *verify)
    capsys.readouterr()
    assert run(*search) == 2  # none comes with the package for such a space
    assert "no predictor comes with dass-ray for the space" in capsys.readouterr().err
    assert run(*search, "-s", f"predictor={family}", "-s", f"name={family}") == 0
    assert "<svg" in (home / f"report-{family}.html").read_text()

    store = open_store("store")
    chosen = searches.choices(store, family)
    assert [choice.role for choice in chosen] == ["top", "random"]
    assert all(choice.params <= 2000 for choice in chosen)
    rows = ledger.rows_of(store, [key for choice in chosen for key in choice.keys])
    assert {row.status for row in rows.values()} == {"ok"}
    own = searches.card(store, family).teacher.space
    assert own.family.name == family
    for row in rows.values():
        assert own.check(Spec.parse(row.spec))
        assert json.loads(row.space) == own.model_dump(mode="json")

    assert run("export", family, "--out", f"shipped-{family}") == 0
    program = torch.export.load(home / f"shipped-{family}" / "student.pt2").module()
    assert program(torch.rand(5, 3, 8, 8)).shape == (5, 3)
