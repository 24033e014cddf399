"""The share of a GPU; what asks CUDA is not run here."""

import pytest
import torch

from dass_ray.actors import gpu_share, kd_worker, session
from dass_ray.actors.gpu_share import MARGIN, Memory, share, types
from dass_ray.config import Resources
from dass_ray.errors import UserError

from ..make import run

GIB = 2**30


@pytest.mark.parametrize(
    ("peak", "total", "runs"),
    [(3.0, 16.0, 4), (3.0, 24.0, 6), (4.4, 16.0, 3), (0.01, 16.0, 1250), (15.0, 16.0, 1)],
)
def test_as_many_runs_as_fit_fill_a_gpu(peak, total, runs):
    found = share([Memory(int(peak * GIB), int(total * GIB))])
    assert 0 < found <= 1
    assert round(found * 10_000) == pytest.approx(found * 10_000)  # what Ray can count
    assert int(1 / found + 1e-9) == runs
    assert runs == 1 or runs * peak * MARGIN <= total


def test_the_smallest_gpu_decides():
    """Whichever that is: a type with more memory may also take more for the same run."""
    small, large = Memory(3 * GIB, 16 * GIB), Memory(4 * GIB, 80 * GIB)
    assert share([small, large]) == share([large, small]) == share([small]) == 0.25


def node(alive=True, **resources):
    return {"NodeID": "n", "Alive": alive, "Resources": {"CPU": 4.0, **resources}}


def test_each_type_in_the_cluster_is_measured_once():
    t4 = node(GPU=1.0, **{"accelerator_type:T4": 1.0})
    a10g = node(GPU=1.0, **{"accelerator_type:A10G": 1.0})
    lost = node(alive=False, GPU=1.0, **{"accelerator_type:V100": 1.0})
    found = types([node(), t4, a10g, t4, lost])
    assert found == [{"accelerator_type:A10G": 0.001}, {"accelerator_type:T4": 0.001}]
    assert types([node(), lost]) == types([node(GPU=1.0)]) == [{}]


def test_a_node_that_promises_a_gpu_it_has_not(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"sees no GPU .*: set resources.gpus_per_run to a number"):
        gpu_share.measure("nowhere", run())


@pytest.mark.parametrize(("asked", "given"), [(0.25, 0.25), ("auto", 1.0)])
def test_demand_before_anything_is_measured(monkeypatch, asked, given):
    monkeypatch.setattr(session.ray, "cluster_resources", lambda: {"CPU": 4.0, "GPU": 1.0})
    monkeypatch.setattr(session.ray, "nodes", lambda: [node(GPU=1.0)])
    demand = kd_worker.demand(Resources(gpus_per_run=asked))
    assert demand == {"num_cpus": 1.0, "num_gpus": given}
