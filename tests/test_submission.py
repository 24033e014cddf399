"""What is decided about a job before it is submitted."""

from pathlib import Path

import pytest

from dass_ray import submission
from dass_ray.errors import UserError

HERE, THERE = "127.0.0.2", "203.0.113.5"


def test_an_address_is_this_machines_or_not():
    assert submission.is_here(HERE)
    assert not submission.is_here(THERE)


@pytest.mark.parametrize("uri", ["s3://bucket/lab", "gs://bucket/lab"])
def test_a_bucket_is_what_it_is(uri):
    assert submission.shared_store(uri, [HERE, THERE]) == (uri, "")


def test_a_folder_is_ours_where_all_nodes_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for uri in (
        "./store",
        "store",
        f"file://{tmp_path}/store",
        f"file://localhost{tmp_path}/store",
    ):
        assert submission.shared_store(uri, [HERE, HERE]) == (str(tmp_path / "store"), "")
    uri = f"file://{tmp_path}/my%20store"
    assert submission.shared_store(uri, [HERE, HERE]) == (str(tmp_path / "my store"), "")


def test_a_folder_elsewhere():
    uri, warning = submission.shared_store("/mnt/lab", [HERE, THERE])
    assert uri == "/mnt/lab"
    assert "/mnt/lab has to be one and the same shared folder" in warning
    assert submission.shared_store("file:///mnt/my%20lab", [HERE, THERE])[0] == "/mnt/my lab"
    with pytest.raises(UserError, match=r"nodes do not see \./store of this machine: use --store"):
        submission.shared_store("./store", [HERE, THERE])


def test_identities_go_on_counting():
    done = dict.fromkeys(["mine", "mine-2", "mine-10", "mine-too", "yours", "raysubmit_x"], True)
    assert submission.next_id("mine", {}) == "mine"
    assert submission.next_id("mine", {"mine": True}) == "mine-2"
    assert submission.next_id("mine", done) == "mine-11"
    assert submission.next_id("m.ne", done) == "m.ne"
    assert submission.next_id("mine", done | {"mine-too": False}) == "mine-11"
    with pytest.raises(UserError, match=r"mine-2 is under way: .* `ray job stop mine-2`"):
        submission.next_id("mine", done | {"mine-2": False})


def test_safe_names():
    assert submission.safe("search-textures:0 / a") == "search-textures-0-a"


def test_what_is_sent(tmp_path, monkeypatch):
    """Files, and the package where it is wanted; never a variable of this machine."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    env = submission.runtime_env(tmp_path, "nothing")
    assert env == {"working_dir": str(tmp_path), "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": "30"}}
    env = submission.runtime_env(tmp_path, "package")
    assert [Path(module).name for module in env["py_modules"]] == ["dass_ray"]
    assert "pip" not in env
    pinned = submission.runtime_env(tmp_path, "all")["pip"]
    names = {line.partition("==")[0] for line in pinned}
    assert {"torch", "optuna", "boto3"} <= names
    assert not names & {"ray", "pytest", "ruff"}  # the cluster's own, and what only we need
    assert "torch==2.13.0" in pinned


@pytest.mark.parametrize(
    ("cpus", "gpus", "offered", "asked"),
    [
        (None, None, ["CPU", "driver"], {"entrypoint_resources": {"driver": 1}}),
        (None, None, ["CPU"], {}),
        (4, None, ["CPU", "driver"], {"entrypoint_num_cpus": 4}),
        (0, 0.5, ["driver"], {"entrypoint_num_cpus": 0, "entrypoint_num_gpus": 0.5}),
    ],
)
def test_where_a_driver_runs(cpus, gpus, offered, asked):
    assert submission.driver_demand(cpus, gpus, offered) == asked
