"""Collecting with a real Ray: what fails becomes rows, and the rest is done."""

import re
import subprocess
import sys
import time
import urllib.request

import pytest
import ray

from dass_ray import ledger, plan
from dass_ray.actors import kd_worker, metrics
from dass_ray.collect import collect
from dass_ray.collect.tally import SHOWN
from dass_ray.config import CollectConfig
from dass_ray.data.dataset import load_dataset
from dass_ray.errors import UserError
from dass_ray.kd.distill import distil
from dass_ray.kd.teachers import list_teachers, load_net
from dass_ray.kd.views import soft_labels
from dass_ray.ledger.compact import compact
from dass_ray.ledger.sweep import sweep
from dass_ray.records import Run

from . import faults
from .faults import ENDLESS, EXIT, MEMORY, NAN, PLAN, POISON

pytestmark = pytest.mark.usefixtures("cluster")


def config(store, **changed):
    return CollectConfig(**PLAN | {"store": store.uri} | changed)


def rows(store):
    return ledger.rows(ledger.read(store))


def undisturbed(store, settings):
    """Validation and curve of every run of a plan by key, made in this process, without Ray."""
    out = {}
    for card in list_teachers(store):
        data, teacher = load_dataset(store, card.dataset), load_net(store, card)
        for recipe in settings.kd:
            labels = soft_labels(teacher, data, recipe)
            for spec in plan.students(settings, card.dataset):
                for seed in settings.kd_seeds:
                    done = distil(spec, teacher, labels, data, recipe, seed)
                    run = Run(teacher=card, spec=str(spec), recipe=recipe, seed=seed)
                    out[run.key] = (done.trained.curve[-1], done.trained.curve, done.test)
    return out


def outcome(found):
    return {row.key: (row.validation, row.curve, row.test) for row in found}


class Told:
    """Keeps what a watcher is told."""

    def __init__(self):
        self.phases, self.steps = [], []

    def phase(self, name, total):
        self.phases.append((name, total))

    def step(self, done, note):
        self.steps.append((done, note))


def test_poison_becomes_rows_and_the_rest_is_done(sets, monkeypatch):
    settings = config(sets, max_seconds=5)
    chosen = plan.students(settings, "bars")
    poison = {str(chosen[i]): i for i in POISON}
    monkeypatch.setattr(kd_worker, "distil_shard", faults.poisoned(poison, only="bars"))
    lines, told = [], Told()
    done = collect(settings, told, log=lines.append)
    found = {(row.dataset, row.spec): row for row in rows(sets)}
    assert len(found) == done.runs == 18
    errors = {
        NAN: ("diverged", "the loss stopped being finite in epoch 1"),
        MEMORY: ("failed", "MemoryError: no room for this student"),
        EXIT: ("failed", "its worker crashed 3 times: The worker died unexpectedly"),
        ENDLESS: ("failed", "TooLong: it took longer than max_seconds=5"),
    }
    for (name, spec), row in found.items():
        status, error = errors.get(poison.get(spec) if name == "bars" else None, ("ok", ""))
        assert row.status == status, row.error
        assert row.error.startswith(error)
    bad = [row for row in found.values() if row.status != "ok"]
    assert done.failed == len(bad) == 4
    expected = undisturbed(sets, settings)
    assert outcome(row for row in found.values() if row.status == "ok") == {
        key: value for key, value in expected.items() if key not in {row.key for row in bad}
    }
    assert lines[-1]["done"] == lines[-1]["total"] == 18
    assert (lines[-1]["in_flight"], lines[-1]["failed"], lines[-1]["diverged"]) == (0, 3, 1)
    assert 0 < lines[-1]["utilisation"] <= 1
    assert told.phases[-1] == ("distilling students", 18)
    assert told.steps[-1][0] == 18

    monkeypatch.undo()
    parts = sets.list("runs")
    assert collect(settings).failed == 0  # nothing is run again by itself
    assert sets.list("runs") == parts
    collect(settings, retry_failed=True)
    after = rows(sets)
    assert [row.status for row in after if row.status != "ok"] == ["diverged"]
    assert outcome(row for row in after if row.status == "ok") == {
        key: value for key, value in expected.items()
        if key not in {row.key for row in after if row.status == "diverged"}
    }  # fmt: skip
    assert set(parts) < set(sets.list("runs"))  # what failed is still there


def test_prometheus_sees_what_was_done(sets):
    """Ray's own endpoint on the node, which Prometheus reads."""
    collect(config(sets, students=2))
    (node,) = ray.nodes()
    url = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    ours = "runs_total", "kd_seconds_total", "run_seconds_bucket", *SHOWN
    wanted, deadline = {f"ray_dass_ray_{name}" for name in ours}, time.monotonic() + 120
    assert wanted <= metrics.exported()
    while missing := wanted - set(re.findall(r"^\w+", read(url), re.MULTILINE)):
        assert time.monotonic() < deadline, missing
        time.sleep(0.5)  # Ray tells what is new every 10 s


def read(url):
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read().decode()


def test_recipes_and_seeds(sets):
    other = faults.KD.model_copy(update={"epochs": 2})
    settings = config(sets, kd=(faults.KD, other), kd_seeds=(0, 1), students=3)
    assert collect(settings).runs == 2 * 2 * 2 * 3
    found = rows(sets)
    assert outcome(found) == undisturbed(sets, settings)
    more = collect(config(sets, kd=(faults.KD, other), kd_seeds=(0, 1), students=4))
    assert more.runs == 32
    assert len(rows(sets)) > len(found)


def test_a_teacher_near_chance_is_left_out(sets):
    lazy = faults.TEACH.model_copy(update={"lr": 1e-6, "epochs": 1})
    settings = config(sets, teacher=lazy, students=2)
    with pytest.raises(UserError, match="stayed near chance"):
        collect(settings)
    assert rows(sets) == []
    cards = list_teachers(sets)
    assert all(card.near_chance for card in cards)
    learned = cards[0].model_copy(update={"near_chance": False})
    sets.delete(f"teachers/{learned.id}/card.json")
    sets.put(f"teachers/{learned.id}/card.json", learned.model_dump_json().encode())
    done = collect(settings)
    assert done.runs == 2
    assert len(done.left_out) == 1
    assert repr(cards[1].dataset) in done.left_out[0]
    assert {row.dataset for row in rows(sets)} == {cards[0].dataset}
    assert collect(config(sets, teacher=lazy, students=2, near_chance="distil")).runs == 4
    assert len(rows(sets)) == 4


def test_too_many_failures_stop_the_job(sets, monkeypatch):
    settings = config(sets, students=60, max_failed=0.1, shard=2)
    every = {str(s): MEMORY for name in settings.datasets for s in plan.students(settings, name)}
    monkeypatch.setattr(kd_worker, "distil_shard", faults.poisoned(every))
    with pytest.raises(UserError) as error:
        collect(settings)
    text = str(error.value)
    assert "of the first" in text
    assert "no room for this student" in text
    assert "max_failed" in text
    assert "\n" not in text
    assert 2 < len(rows(sets)) < 60
    monkeypatch.undo()
    collect(settings, retry_failed=True)
    assert {row.status for row in rows(sets)} == {"ok"}
    assert len(rows(sets)) == 120


def test_a_teacher_that_cannot_be_trained(sets, monkeypatch):
    monkeypatch.setattr(kd_worker, "train_teacher", faults.no_dots)
    with pytest.raises(UserError, match=r"'dots' could not .*no teacher for dots; everything else"):
        collect(config(sets, students=3))
    assert [row.dataset for row in rows(sets)] == ["bars"] * 3


def test_a_task_that_cannot_be_shared(sets, monkeypatch):
    monkeypatch.setattr(kd_worker, "load_teacher", faults.damaged_dots)
    with pytest.raises(UserError, match=r"dots .*: .*its weights are damaged; everything else"):
        collect(config(sets, students=3))
    assert [row.dataset for row in rows(sets)] == ["bars"] * 3


def test_clocks_that_disagree(sets, monkeypatch):
    """No decision hangs on them: not what is done, not which row counts, not what is merged."""
    monkeypatch.setattr(kd_worker, "distil_shard", faults.skewed)
    settings = config(sets, students=4, shard=1, max_seconds=60.0)
    assert collect(settings).failed == 0
    expected = undisturbed(sets, settings)
    clock = time.time
    for days in (-9, 9):
        monkeypatch.setattr(time, "time", lambda d=days: clock() + d * faults.DAY_S)
        compact(sets, rows=3)
        sweep(sets)
        assert outcome(rows(sets)) == expected
    monkeypatch.undo()
    parts = sets.list("runs")
    collect(settings)
    assert sets.list("runs") == parts  # nothing is done again


def test_two_drivers_of_one_plan(sets, tmp_path):
    """One is a process of its own in the same cluster; both end well, and each run counts once."""
    settings = config(sets, students=6, shard=1)
    (tmp_path / "plan.yaml").write_text(settings.model_dump_json())
    address = ray.get_runtime_context().gcs_address
    words = ["-m", "dass_ray.cli.main", "collect", "-c", "plan.yaml", "--address", address]
    other = subprocess.Popen([sys.executable, *words], cwd=tmp_path, stdout=subprocess.PIPE)
    collect(settings)
    out, _ = other.communicate(timeout=250)
    assert other.returncode == 0, out
    assert outcome(rows(sets)) == undisturbed(sets, settings)


def test_a_disk_that_is_full_everywhere_ends_the_job(sets, monkeypatch):
    every = {node["NodeID"] for node in ray.nodes()}
    monkeypatch.setattr(kd_worker, "distil_shard", faults.full_disk(every))
    settings = config(sets, students=3)
    with pytest.raises(UserError, match=r"No space left on device: free some space") as error:
        collect(settings)
    assert "\n" not in str(error.value)
    monkeypatch.undo()
    assert rows(sets) == []
    assert collect(settings).failed == 0
    assert outcome(rows(sets)) == undisturbed(sets, settings)


def test_soft_labels_whose_workers_die_are_nobodys_fault(sets, tmp_path, monkeypatch):
    """More often than Ray tries them again, which would take a minute with all its retries."""
    remote = kd_worker.remote
    monkeypatch.setattr(kd_worker, "remote", lambda *args, **_: remote(*args, retries=0))
    monkeypatch.setattr(kd_worker, "make_soft_labels", faults.dying_labels(tmp_path))
    settings = config(sets, students=3)
    assert collect(settings).failed == 0
    assert outcome(rows(sets)) == undisturbed(sets, settings)


def test_a_bound_on_what_is_shared(sets):
    """So small that only one task's material fits: the others wait, and all get done."""
    small = {"shared_gib": 1e-9}
    settings = config(sets, students=3, resources=small, teacher_seeds=(0, 1))
    assert collect(settings).runs == 12
    assert outcome(rows(sets)) == undisturbed(sets, settings)
