"""Drivers killed (SIGKILL) at random moments and started again, stage by stage.

    RAY_AUTH_MODE=disabled python -m tests.kills POINTS SEED FOLDER [STAGE ...]

Prints a line of figures for each stage, and fails where something was lost or ended otherwise than
undisturbed. Commands are forks of one process that has imported everything, in one Ray.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dass_ray import ledger, searches
from dass_ray.actors import kd_worker
from dass_ray.cli import main as cli
from dass_ray.collect import collect  # noqa: F401 - imported once for all commands
from dass_ray.kd.teachers import list_teachers
from dass_ray.predictor import checkpoint, make, resume  # noqa: F401
from dass_ray.store import open_store

from . import make_task

SPACE = "{name: tiny, image_size: 8, widths: [4, 8], strides: [1, 2], max_depth: 2}"
TASK = f"""
space: {SPACE}
teacher: {{epochs: 60, min_steps: 0, batch_size: 16, lr: 0.05, crop_padding: 1, flip: false}}
"""
KD = "kd={epochs: 8, min_steps: 0, batch_size: 16, views: 2, crop_padding: 1, flip: false}"
EVERY_S = 0.3  # between checkpoints, so that short trainings have some
HEAD = (
    "import ray, sys; ray.init(address='local', include_dashboard=False, num_cpus=2);"
    "print(ray.get_runtime_context().gcs_address, flush=True); sys.stdin.read()"
)


@dataclass(frozen=True)
class Stage:
    """A command, the folders of the store that it fills, and what it gives once it has finished."""

    words: tuple[str, ...]
    folders: tuple[str, ...]
    result: object  # of a store; None before the end
    ray: bool = True


def teachers(store):
    return {card.id: card.fingerprint for card in list_teachers(store)} or None


def runs(store):
    table = ledger.read(store, ["validation", "status"])
    return dict(zip(table["key"].to_pylist(), table["validation"].to_pylist(), strict=True))


def collected(store):
    found = runs(store)
    return found if len(found) == 24 else None


def predictors(store):
    if not any(path.endswith("card.json") for path in store.list("predictors")):
        return None
    return {p: store.get(p) for p in store.list("predictors") if p.endswith(".safetensors")}


def found(store):
    """How much a search did; which students it met depends on the order of its answers."""
    if not store.list("searches/mine/finished"):
        return None
    scored = sum(map(len, searches.read_batches(store, "mine")))
    chosen = searches.choices(store, "mine")
    verified = ledger.rows_of(store, [key for choice in chosen for key in choice.keys])
    return scored, len(chosen), sorted(row.status for row in verified.values())


def words(*settings):
    return tuple(word for setting in settings for word in ("-s", setting))


SEARCH = (
    "search", "-c", "task.yaml", "-d", "bars",
    *words(KD, "name=mine", "predictor=small", "candidates=48", "batch=4", "verify.top=6",
           "verify.random=6", "verify.rounds=2", "resources.scorers=1"),
)  # fmt: skip
STAGES = {
    "teacher": Stage(
        ("teacher", "train", "-c", "task.yaml", "-d", "bars"), ("teachers",), teachers
    ),
    "collect": Stage(
        ("collect", "-c", "task.yaml",
         *words(KD, "datasets=[bars, dots]", "students=12", "shard=2")),
        ("teachers", "runs"), collected,
    ),
    "meta-train": Stage(
        ("meta-train", *words(f"space={SPACE}", "name=small", "train=[bars]", "validation=[dots]",
                              "episodes=600", "members=2", "patience=600")),
        ("predictors",), predictors, ray=False,
    ),
    "search": Stage(SEARCH, ("searches", "runs", "students"), found),
}  # fmt: skip
"""Each needs what those before it made; a search ends with the distillations that verify it."""
_train_teacher, _distil_shard = kd_worker.train_teacher, kd_worker.distil_shard


def train_teacher(*args):
    """With checkpoints as often as a test wants them."""
    kd_worker.StoreCheckpoints.__init__.__defaults__ = (EVERY_S, False)
    return _train_teacher(*args)


def distil_shard(uri, some, *rest):
    """Tells which runs are distilled."""
    with open(Path(uri).parent / "distilled", "a") as file:
        file.writelines(f"{run.key}\n" for run in some)
    return _distil_shard(uri, some, *rest)


def start(folder, stage, address):
    """The command in a process of its own, in a folder; its identity."""
    at = ("--address", address) if stage.ray else ()
    if pid := os.fork():
        return pid
    os.chdir(folder)
    with open("log", "a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    kd_worker.train_teacher, kd_worker.distil_shard = train_teacher, distil_shard
    resume.StoreStates.__init__.__defaults__ = (EVERY_S,)
    sys.argv = ["dass-ray", *stage.words, *at]
    code = 1
    try:
        cli.main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def wait(pid, seconds):
    """How it ended, as `waitpid` says it; None where it still runs after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.02)
    return None


def kept(store, stage):
    return {path: store.get(path) for name in stage.folders for path in store.list(name)}


def finish(folder, stage, address):
    """Runs the command to its end; seconds and result."""
    began = time.monotonic()
    status = wait(start(folder, stage, address), 500)
    assert status is not None, "it hangs"
    result = stage.result(open_store(str(folder / "store"), write=False))
    assert result is not None, (status, (folder / "log").read_text())
    return time.monotonic() - began, result


def lives(base, work, stage, address, points, rng):
    """Kills the command at so many moments; the figures, and the folder that was left in peace."""
    calm = shutil.copytree(base, work / "calm")
    seconds, expected = finish(calm, stage, address)
    facts = {"points": points, "undisturbed_s": round(seconds, 1), "stores": 0, "lost": 0}
    recovered, again, folder = [], 0, None
    left = points
    while left:
        if folder is None:
            facts["stores"] += 1
            folder, before = shutil.copytree(base, work / f"life-{facts['stores']}"), {}
        pid = start(folder, stage, address)
        ended = wait(pid, rng.uniform(0, seconds)) is not None
        store = open_store(str(folder / "store"), write=False)
        if not ended:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            before |= kept(store, stage)
            left -= 1
        if ended or not left:
            took, result = finish(folder, stage, address)
            recovered.append(took)
            after = kept(store, stage)
            assert result == expected, (result, expected)
            facts["lost"] += sum(after.get(path) != data for path, data in before.items())
            again += len(distilled(folder)) - len(set(distilled(folder)))
            folder = None
    assert facts["lost"] == 0
    facts |= {"distilled_again": again, "longest_last_run_s": round(max(recovered), 1)}
    return facts, calm


def distilled(folder):
    """The keys of all runs that were begun, in this folder's store."""
    file = folder / "distilled"
    return file.read_text().splitlines() if file.exists() else []


@contextmanager
def cluster():
    head = subprocess.Popen(
        [sys.executable, "-c", HEAD], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        address = head.stdout.readline().strip()
        assert address, "Ray does not start"
        yield address
    finally:
        head.communicate()  # it ends with its input


def prepared(folder):
    folder.mkdir(parents=True)
    (folder / "task.yaml").write_text(TASK)
    store = open_store(str(folder / "store"))
    for seed, name in enumerate(("bars", "dots")):
        make_task.stored(store, name, seed=seed)
    return folder


def main(points, seed, work, chosen):
    base = prepared(work / "base")
    with cluster() as address:
        for name, stage in STAGES.items():
            if not chosen or name in chosen:
                rng = np.random.default_rng([seed, len(name)])
                facts, base = lives(base, work / name, stage, address, points, rng)
                print(json.dumps({"stage": name} | facts), flush=True)
            elif name != [*STAGES][-1]:
                finish(base, stage, address)
            (base / "distilled").unlink(missing_ok=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]).resolve(), sys.argv[4:])
