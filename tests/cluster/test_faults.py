"""Nodes die during a real collect; the others of faults.py are run by hand: they take minutes."""

import pytest

from . import faults
from .job import Home
from .nodes import Nodes


@pytest.fixture(scope="module")
def nodes():
    with Nodes() as found:
        yield found.start(2)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return Home(tmp_path_factory.mktemp("cluster") / "home")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["raylet_killed", "spot_notice", "cut_and_healed"])
def test_every_run_is_there_once(nodes, home, tmp_path, name):
    if name.startswith("cut") and not nodes.can_cut:
        pytest.skip("no network namespaces here")
    faults.mend(nodes)
    found = faults.FAULTS[name](nodes, home, tmp_path / name)
    assert found["lost"] == 0
    assert found["begun_again"] <= 4  # two shards of two runs
    if name == "spot_notice":
        assert found["epochs_redone"] == 0  # a run that was under way went on from its checkpoint
