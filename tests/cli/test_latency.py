import pytest
from typer.testing import CliRunner

from dass_ray import latencies
from dass_ray.cli import main as cli
from dass_ray.models import latency
from dass_ray.store import open_store

from ..make_latency import times


@pytest.fixture
def calls(monkeypatch):
    """Each measurement's keywords; times are of a made-up device."""
    found = []

    def measure(space, classes, device, *, students, seed, on_student, **facts):
        found.append({"classes": classes, "device": str(device), **facts})
        specs = latency.spread(space, classes, students, seed)
        on_student(latency.ROUNDS * students, "last")
        return list(zip(specs, times(space, specs, 0.05), strict=True))

    monkeypatch.setattr(latency, "measure", measure)
    monkeypatch.setattr(latency, "device_name", lambda _device: "abacus")
    return found


def call(tmp_path, *words):
    return CliRunner().invoke(cli.app, ["latency", *words, "--store", str(tmp_path / "store")])


def ended(monkeypatch, capsys, tmp_path, *words):
    """The exit code and what a person sees of an error."""
    argv = ["dass-ray", "latency", *words, "--store", str(tmp_path / "store")]
    monkeypatch.setattr("sys.argv", argv)
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code, capsys.readouterr().err


def test_measure_then_list(calls, tmp_path):
    result = call(tmp_path, "measure", "laptop", "--classes", "7", "--batch", "4")
    assert result.exit_code == 0, result.output
    assert calls == [{"classes": 7, "device": "cpu", "batch": 4, "threads": 1}]
    table = latencies.load(open_store(str(tmp_path / "store")), "laptop")
    assert (table.space.name, table.classes, table.batch, table.device) == (
        "micro", 7, 4, "abacus",
    )  # fmt: skip
    assert "240 of 240" in result.output
    shown = f"median {table.errors.median:.1%}, 90% below {table.errors.p90:.1%}"
    assert shown in result.output
    assert f"{table.blocks[0].ms:.4f}" in result.output
    listed = call(tmp_path, "list")
    assert listed.exit_code == 0
    assert {"laptop", "micro", "abacus"} <= set(listed.output.split())  # at 80 columns
    assert f"{table.errors.spearman:.3f}" in listed.output


def test_what_was_measured_is_shown_again(calls, tmp_path):
    first = call(tmp_path, "measure", "laptop")
    again = call(tmp_path, "measure", "laptop")
    assert len(calls) == 1
    assert again.exit_code == 0
    assert again.output in first.output


def test_other_settings_need_another_name(calls, tmp_path, monkeypatch, capsys):
    call(tmp_path, "measure", "laptop")
    code, error = ended(monkeypatch, capsys, tmp_path, "measure", "laptop", "--batch", "2")
    assert code == 2
    assert error.startswith("error: the latency table 'laptop' was measured with other settings")
    assert error.count("\n") == 1
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x", "--device", "cuda"], "error: no device 'cuda' here: PyTorch finds 0 CUDA devices"),
        (["x", "--device", "toaster"], "error: 'toaster' is no device to measure on: use cpu"),
        (["x", "--space", "huge"], "error: no space is called 'huge'; known: micro, paper"),
        (["a/b"], "error: 'a/b' cannot name a latency table"),
        (["x", "--students", "3"], "--students"),
    ],
)
def test_bad_input(calls, tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    code, error = ended(monkeypatch, capsys, tmp_path, "measure", *words)
    assert code == 2
    assert message in error
    assert not calls


def test_help_teaches():
    text = " ".join(CliRunner().invoke(cli.app, ["latency", "measure", "--help"]).output.split())
    assert "48 students" in text
    assert "--device" in text
