"""Two processes that train one network, against one that trains it alone."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from dass_ray.errors import UserError
from dass_ray.kd.batch_norm import synchronise

from . import pair

HERE = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """What each case gave in the first and in the second of two processes."""
    folder = tmp_path_factory.mktemp("pair")
    command = [sys.executable, "-m", "tests.kd.pair"]
    running = [
        subprocess.Popen([*command, str(rank), str(folder)], cwd=HERE, stderr=subprocess.PIPE)
        for rank in (0, 1)
    ]
    try:
        said = [process.communicate(timeout=120)[1].decode() for process in running]
    finally:
        for process in running:
            process.kill()
    assert [process.returncode for process in running] == [0, 0], "\n".join(said)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


def assert_close(found, wanted, tolerance):
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(
            torch.as_tensor(found[name]), torch.as_tensor(value), rtol=tolerance, atol=tolerance
        )


def test_a_batch_norm_sees_the_whole_batch(both, tmp_path):
    alone = pair.norm(tmp_path)
    first, second = (each["norm"] for each in both)
    for name in ("out", "back", "eval"):
        assert len(first[name]) == 4
        assert len(second[name]) == 3
        whole = torch.cat([first.pop(name), second.pop(name)])
        torch.testing.assert_close(whole, alone.pop(name), rtol=1e-4, atol=1e-5)
    assert_close(first, alone, 1e-4)
    assert_close(second, alone, 1e-4)


@pytest.mark.parametrize("case", [pair.training, pair.resumed, pair.distilled, pair.every_loss])
def test_it_is_the_training_of_one_process(both, tmp_path, case):
    alone = case(tmp_path)
    for found in both:
        assert_close(found[case.__name__], alone, 1e-4)


def test_it_is_resumed_exactly(both):
    for found in both:
        assert_close(found["resumed"], found["training"], 0)


def test_mixed_precision_stays_near(both, tmp_path):
    assert_close(both[0]["bfloat16"], pair.bfloat16(tmp_path), 0.1)


def test_processes_agree_to_the_bit(both):
    for name in ("training", "distilled", "every_loss", "bfloat16"):
        assert_close(both[0][name], both[1][name], 0)


def test_they_diverge_together(both):
    assert [found["diverged"]["status"] for found in both] == ["diverged", "diverged"]


def test_they_leave_together_and_the_first_one_saves(both):
    assert [found["leaving"]["kept"] for found in both] == [
        ["checkpoints/run/000001.safetensors"], [],
    ]  # fmt: skip


def test_norms_of_other_shapes_are_refused_on_cpus():
    with pytest.raises(
        UserError, match=r"^several workers cannot share a network with BatchNorm1d"
    ):
        synchronise(nn.Sequential(nn.BatchNorm2d(2), nn.BatchNorm1d(2)), torch.device("cpu"))


def test_those_that_differ_stop(both):
    for found in both:
        assert found["differing"]["error"] == (
            "the processes of a run differ in the epochs that are done: [4, 3]"
        )
