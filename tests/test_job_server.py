"""Jobs on a cluster of cluster/local.sh: submitted, stopped, submitted again, read from outside."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ray.job_submission import JobDetails, JobStatus, JobType

from dass_ray import job_server, ledger, searches, submission
from dass_ray.errors import UserError
from dass_ray.store import open_store

pytestmark = pytest.mark.timeout(900)  # each job starts some processes; quiet: under 30 s
ROOT = Path(__file__).parents[1]
PLAN = """
datasets: ["textures:0"]
space: {name: tiny, image_size: 16, widths: [4, 8], strides: [1, 2], max_depth: 3}
teacher: {epochs: 3, min_steps: 0, lr: 0.1, crop_padding: 1}
near_chance: distil
kd: {epochs: 1, min_steps: 0, views: 1, crop_padding: 1}
students: 24
shard: 1
"""
SMALL = ("candidates=64", "batch=32", "verify.top=1", "verify.random=1", "teacher.epochs=2",
         "teacher.min_steps=0", "kd.epochs=1", "kd.min_steps=0", "kd.views=1")  # fmt: skip


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    """Of all processes here: a home of their own, this code, and the `ray` and `python` of ours."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return os.environ | {
        "HOME": str(tmp_path_factory.mktemp("home")), "PATH": path, "PYTHONPATH": str(ROOT),
        "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0",
    }  # fmt: skip


@pytest.fixture(scope="module")
def dashboard(env):
    """A head without CPUs and a worker with two: the address of its job server."""
    script, name = str(ROOT / "cluster" / "local.sh"), ("--name", f"test-{os.getpid()}")
    words = [script, "1", "--head-cpus", "0", "--cpus", "2", *name]
    try:
        for _ in range(3):  # Ray gives a raylet no more than 30 s to start
            done = subprocess.run(words, env=env, text=True, capture_output=True, check=False)
            if done.returncode == 0:
                break
            subprocess.run([script, "stop", *name], env=env, check=True)
        assert done.returncode == 0, done.stderr
        yield done.stdout.split("dashboard")[1].split()[0]
    finally:
        subprocess.run([script, "stop", *name], env=env, check=False)


@pytest.fixture(scope="module")
def client(dashboard):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        yield job_server.connect(dashboard)


@pytest.fixture
def submit(dashboard, env, tmp_path):
    """Starts `dass-ray submit` in a folder of its own; gives the process."""

    def start(*words):
        command = [sys.executable, "-m", "dass_ray.cli.main", "submit", "--address", dashboard]
        return subprocess.Popen(
            [*command, *words], env=env, cwd=tmp_path, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    return start


def ended(process, seconds=400):
    """What a process printed, after its end."""
    out, _ = process.communicate(timeout=seconds)
    return out


def until(condition, process=None, seconds=400):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None, process.communicate()[0]
        time.sleep(0.1)


def test_a_stopped_job_goes_on_when_it_is_submitted_again(submit, client, tmp_path):
    (tmp_path / "plan.yaml").write_text(PLAN)
    words = ("collect", "-c", "plan.yaml", "--store", "store")
    store = open_store(str(tmp_path / "store"))

    first = submit(*words)
    until(lambda: len(store.list("runs")) >= 3, first)
    first.send_signal(signal.SIGINT)
    out = ended(first)
    assert first.returncode == 130, out
    assert "collect-plan goes on" in out
    with pytest.raises(UserError, match="collect-plan is under way"):
        submission.next_id("collect-plan", job_server.ended(client))

    job = client.get_job_info("collect-plan")
    (head,) = [node.node_id for node in job_server.nodes(client) if node.is_head_node]
    assert job.driver_node_id == head
    assert client.stop_job("collect-plan")
    until(lambda: job_server.ended(client)["collect-plan"])
    assert client.get_job_status("collect-plan").name == "STOPPED"
    assert "the same command goes on" in client.get_job_logs("collect-plan")
    before = {path: store.get(path) for path in store.list("runs")}
    assert 3 <= len(before) < 24

    second = submit(*words)
    out = ended(second)
    assert second.returncode == 0, out
    assert "submitted collect-plan-2\n" in out
    assert "all 24 runs of the plan are in" in out
    after = {path: store.get(path) for path in store.list("runs")}
    assert {path: after[path] for path in before} == before  # nothing was done again
    assert len(ledger.read(store)) == len(after) == 24


def test_the_jobs_exit_code_is_ours(submit):
    process = submit("--name", "no such data", "search", "-d", "nothing", "--store", "store")
    out = ended(process)
    assert process.returncode == 2, out
    assert "submitted no-such-data\n" in out
    assert "error: no data set" in out


def test_bad_input_is_told_here_and_nothing_is_submitted(submit, client):
    before = job_server.ended(client)
    process = submit("search", "-d", "digits", "-s", "candidtes=9")
    out = ended(process)
    assert process.returncode == 2
    assert out == "error: the settings: unknown key 'candidtes'; did you mean 'candidates'?\n"
    assert job_server.ended(client) == before


def test_ray_job_submit(dashboard, client, env, tmp_path):
    """Ray's own command with an entry point of jobs/, from the repository's folder."""
    settings = [word for setting in SMALL for word in ("-s", setting)]
    job = ("python", "jobs/search.py", "--config", "configs/quickstart.yaml", "--store",
           str(tmp_path), *settings)  # fmt: skip
    words = ("ray", "job", "submit", "--address", dashboard, "--working-dir", ".", "--", *job)
    done = subprocess.run(words, env=env, cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    store = open_store(str(tmp_path), write=False)
    (search,) = searches.ids(store)
    assert searches.finished(store, search)
    keys = [key for choice in searches.choices(store, search) for key in choice.keys]
    assert set(ledger.rows_of(store, keys)) == set(keys)
    assert len(keys) == 2
    assert json.loads(store.get(f"searches/{search}/card.json"))["config"]["dataset"] == "digits"


@pytest.mark.parametrize(
    ("status", "driver", "code"),
    [
        (JobStatus.SUCCEEDED, 0, 0), (JobStatus.STOPPED, None, 143), (JobStatus.FAILED, 7, 7),
        (JobStatus.FAILED, -9, 137), (JobStatus.FAILED, None, 1),
    ],
)  # fmt: skip
def test_exit_codes(status, driver, code):
    said = []
    job = JobDetails(type=JobType.SUBMISSION, status=status, entrypoint="", message="no node",
                     driver_exit_code=driver)  # fmt: skip
    assert job_server.exit_code(job, said.append) == code
    assert said == (["no node\n"] if code == 1 else [])


def test_nobody_answers():
    for address in ("http://127.0.0.1:1", "127.0.0.1:8265"):
        with pytest.raises(UserError, match=f"no Ray job server answers at {address} .*head:8265"):
            job_server.connect(address)
