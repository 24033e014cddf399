"""Measures students on a device with `torch.utils.benchmark`."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from platform import machine

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.utils.benchmark import Timer
from torch.utils.benchmark.utils.timer import timer as wall_time  # waits for the GPU

from dass_ray.cost import cost
from dass_ray.errors import UserError
from dass_ray.models.network import seeded
from dass_ray.space import Space, Spec

OnStudent = Callable[[int, str], None]
"""Told how many of the `ROUNDS` x students timings are done, and what the last one gave."""

ROUNDS = 5
MIN_RUN_S = 0.1  # the shortest time that one student runs in a round
_POOL = 32  # students drawn for each that is measured


def find_device(name: str) -> torch.device:
    """The device of this name (cpu, cuda, cuda:1); UserError where this machine has none."""
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise UserError(f"{name!r} is no device to measure on: use cpu, cuda or cuda:<number>")
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise UserError(f"no device {name!r} here: PyTorch finds {count} CUDA devices; use cpu")
    return device


def device_name(device: torch.device) -> str:
    """The hardware's name: the GPU's, or the CPU's model where the system tells it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else f"{machine()} CPU"


def measure(
    space: Space,
    classes: int,
    device: torch.device,
    *,
    batch: int,
    threads: int,
    students: int,
    seed: int,
    on_student: OnStudent | None = None,
) -> list[tuple[Spec, float]]:
    """Students of a space and the ms of one forward pass of `batch` random images, in float32.

    Every student is timed in each of `ROUNDS` rounds, in a new order, and the smallest of its
    rounds' medians counts: other work can only slow a student, and seldom the same one each time.
    One CPU thread is timed by the thread's own clock, which stands still while another process has
    the core; all else by wall time. UserError where the space has fewer students.
    """
    specs, rng = spread(space, classes, students, seed), np.random.default_rng(seed)
    side, ms = space.image_size, np.zeros((ROUNDS, students))
    images = torch.randn(batch, 3, side, side, generator=torch.Generator().manual_seed(seed))
    images = images.to(device)
    for number in range(ROUNDS):
        for done, i in enumerate(rng.permutation(students), number * students + 1):
            ms[number, i] = _time(space, specs[i], classes, images, threads)
            if on_student:
                on_student(done, f"{specs[i]} {ms[number, i]:.3g} ms")
    return list(zip(specs, ms.min(axis=0).tolist(), strict=True))


def spread(space: Space, classes: int, n: int, seed: int) -> list[Spec]:
    """`n` different students, spread evenly over log FLOPs from the smallest to the largest."""
    drawn = space.unpack(space.sample(_POOL * n, np.random.default_rng(seed)))
    pool = list(dict.fromkeys([space.smallest, space.teacher, *drawn]))
    if len(pool) < n:
        raise UserError(
            f"the space {space.name!r} has hardly more than {len(pool)} students: measure fewer"
        )
    flops = np.log(cost(space, space.pack(pool), classes).flops)
    targets = np.linspace(flops[0], flops[1], n)
    _, chosen = linear_sum_assignment(abs(targets[:, None] - flops))
    return [pool[i] for i in chosen]


@torch.inference_mode()
def _time(space: Space, spec: Spec, classes: int, images: Tensor, threads: int) -> float:
    """Median ms of one forward pass of a student."""
    net = seeded(space, spec, classes, 0).eval().to(images.device)
    return _call_ms(lambda: net(images), images, threads)


@torch.inference_mode()
def alternating(calls: Sequence[Callable[[], object]], threads: int) -> list[float]:
    """The ms of some calls on this CPU, each the smallest of `ROUNDS` medians, as in `measure`.

    The calls take turns, so that other work slows all of them alike.
    """
    here = torch.empty(0)
    rounds = [[_call_ms(call, here, threads) for call in calls] for _ in range(ROUNDS)]
    return [min(medians) for medians in zip(*rounds, strict=True)]


def _call_ms(call: Callable[[], object], images: Tensor, threads: int) -> float:
    """Median ms of one call that works on images; threads are set while it is timed only."""
    call()  # warm-up: memory, kernels chosen and compiled
    own_clock = images.device.type == "cpu" and threads == 1
    timer = Timer(
        "call()",
        globals={"call": call},
        num_threads=threads,
        timer=time.thread_time if own_clock else wall_time,
    )
    with torch.cuda.device_of(images):  # the GPU that is waited for; nothing on a CPU
        return 1e3 * timer.blocked_autorange(min_run_time=MIN_RUN_S).median
