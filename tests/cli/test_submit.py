"""`dass-ray submit` before it talks to a cluster: what a command line becomes."""

import shlex

import pytest

from dass_ray.cli import submit
from dass_ray.cli.main import app
from dass_ray.errors import UserError

COLLECT = ("collect", "--config", "../configs/plan.yaml", "--retry-failed", "--no-log-json",
           "-s", "students=3", "-s", "kd={preset: micro, epochs: 2}")  # fmt: skip


@pytest.fixture(autouse=True)
def _folders(tmp_path, monkeypatch):
    (tmp_path / "configs").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "configs" / "plan.yaml").write_text("datasets: [digits]\n")
    monkeypatch.chdir(tmp_path / "here")


def test_a_command_line_reads_the_file_where_the_job_finds_it():
    asked = submit.read(COLLECT)
    assert asked.config.students == 3
    assert shlex.split(asked.entrypoint("s3://bucket/lab")) == [
        "python", "-m", "dass_ray.cli.main", "collect", "--config", "plan.yaml", "--set",
        "students=3", "--set", "kd={preset: micro, epochs: 2}", "--store", "s3://bucket/lab",
        "--retry-failed", "--no-log-json",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "job"),
    [
        (COLLECT, "collect-plan"),
        (("search", "-d", "textures:0"), "search-textures:0"),
        (("search", "-d", "digits", "-s", "name=mine"), "search-mine"),
        (("evaluate", "-d", "a", "-d", "b"), "evaluate-a"),
        (("teacher", "train", "-d", "digits"), "teacher train-digits"),
    ],
)
def test_a_job_is_named_after_its_work(words, job):
    assert submit.read(words).name == job


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("serch",), "'serch' is no job: use one of search, teacher train, collect"),
        (("teacher", "list"), "'teacher list' is no job"),
        (("collect", "-c", "none.yaml"), "cannot read the config none.yaml"),
        ((*COLLECT, "-s", "studens=1"), "did you mean 'students'"),
        (("search", "-d", "digits", "--address", "auto"), "--address before 'search'"),
        (("collect", "-s", "datasets=[a]", "-s", "address=auto"), "--address before 'collect'"),
    ],
)
def test_bad_input(words, message):
    with pytest.raises(UserError, match=message):
        submit.read(words)


def test_a_cluster_has_to_be_named(monkeypatch):
    monkeypatch.delenv("RAY_API_SERVER_ADDRESS", raising=False)
    with pytest.raises(UserError, match="say which cluster: --address http://head:8265"):
        app(["submit", "search", "-d", "digits"], standalone_mode=False)
