import math
import time

import numpy as np
import pytest
import torch

from dass_ray.cost import cost
from dass_ray.errors import UserError
from dass_ray.models import latency
from dass_ray.models.latency import ROUNDS, device_name, find_device, measure, spread
from dass_ray.models.resnet import ResNet
from dass_ray.space import MICRO

from ..make import TINY, specs

CPU = torch.device("cpu")


def tiny(**changed):
    facts = {"batch": 2, "threads": 1, "students": 3, "seed": 0}
    return measure(TINY, 3, CPU, **facts | changed)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(latency, "MIN_RUN_S", 1e-4)


@pytest.mark.usefixtures("quick")
def test_a_real_measurement():
    told = []
    found = tiny(on_student=lambda done, note: told.append((done, note)))
    assert [spec for spec, _ in found] == spread(TINY, 3, 3, 0)
    assert all(math.isfinite(ms) and ms > 0 for _, ms in found)
    assert [done for done, _ in told] == list(range(1, 3 * ROUNDS + 1))
    assert all(note.endswith(" ms") for _, note in told)


@pytest.mark.usefixtures("quick")
def test_threads_are_set_for_the_timing_only(monkeypatch):
    seen, forward = set(), ResNet.forward

    def spy(net, images):
        seen.add(torch.get_num_threads())
        assert torch.is_inference_mode_enabled()
        assert not net.training
        return forward(net, images)

    monkeypatch.setattr(ResNet, "forward", spy)
    monkeypatch.setattr(latency, "ROUNDS", 1)
    tiny(threads=2, students=1)
    assert seen == {1, 2}  # 1: of the tests, in the warm-up
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(("threads", "clock"), [(1, time.thread_time), (2, latency.wall_time)])
def test_one_thread_is_timed_by_its_own_clock(monkeypatch, threads, clock):
    clocks = set()

    class Timer:
        median = 1.0

        def __init__(self, _stmt, *, timer, **_facts):
            clocks.add(timer)

        def blocked_autorange(self, min_run_time):
            assert min_run_time == latency.MIN_RUN_S
            return self

    monkeypatch.setattr(latency, "Timer", Timer)
    assert [ms for _, ms in tiny(threads=threads)] == [1000.0] * 3
    assert clocks == {clock}


def test_each_round_has_all_students_and_the_quickest_counts(monkeypatch):
    """The machine is slow in three of five rounds, and at one other moment."""
    seen = []

    def timed(_space, spec, *_rest):
        seen.append(spec)
        return 50.0 if len(seen) <= 18 else 99.0 if len(seen) == 20 else len(str(spec))

    monkeypatch.setattr(latency, "_time", timed)
    found = tiny(students=6)
    timed_specs = [spec for spec, _ in found]
    rounds = [seen[i : i + 6] for i in range(0, len(seen), 6)]
    assert len(rounds) == ROUNDS
    assert all(sorted(some) == sorted(timed_specs) for some in rounds)
    assert len({tuple(some) for some in rounds}) > 1  # in new orders
    assert [ms for _, ms in found] == [len(str(spec)) for spec in timed_specs]


def unevenness(chosen):
    """The median distance of log FLOPs from even steps, in steps."""
    flops = np.sort(np.log(cost(MICRO, MICRO.pack(chosen), 10).flops))
    even, step = np.linspace(flops[0], flops[-1], len(flops), retstep=True)
    return np.median(abs(flops - even)) / step


def test_students_are_spread_over_cost():
    chosen = spread(MICRO, 10, 48, 0)
    assert len(set(chosen)) == 48
    assert {MICRO.smallest, MICRO.teacher} <= set(chosen)
    assert unevenness(chosen) < 0.2
    assert unevenness([MICRO.smallest, MICRO.teacher, *specs(MICRO, 46)]) > 1
    assert chosen == spread(MICRO, 10, 48, 0)
    assert chosen != spread(MICRO, 10, 48, 1)


def test_more_students_than_the_space_has():
    with pytest.raises(UserError, match="'tiny' has hardly more than 72 students"):
        spread(TINY, 3, 100, 0)


def test_the_cpu_is_found_and_named():
    assert find_device("cpu") == CPU
    assert device_name(CPU).strip()


def test_the_cpu_where_the_system_does_not_tell(monkeypatch, tmp_path):
    monkeypatch.setattr(latency, "Path", lambda _path: tmp_path / "none")
    monkeypatch.setattr(latency, "machine", lambda: "riscv64")
    assert device_name(CPU) == "riscv64 CPU"


def test_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU of {device}")
    assert device_name(find_device("cuda")) == "GPU of cuda"
    assert device_name(find_device("cuda:1")) == "GPU of cuda:1"
    with pytest.raises(UserError, match=r"no device 'cuda:2' here: PyTorch finds 2 CUDA devices"):
        find_device("cuda:2")


@pytest.mark.parametrize("name", ["toaster", "", "mps", "meta", "cuda:x"])
def test_what_is_no_device(name):
    with pytest.raises(UserError, match=f"'{name}' is no device to measure on: use cpu, cuda"):
        find_device(name)
