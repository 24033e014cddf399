import io
import json

import pytest
from rich.console import Console

from dass_ray.actors.session import Terminated
from dass_ray.cli import progress
from dass_ray.cli.progress import Bars


def lines(terminal):
    return Console(file=io.StringIO(), force_terminal=terminal, width=120)


def test_without_a_terminal_there_are_lines_for_logs():
    console = lines(terminal=False)
    with Bars(console) as bars:
        bars.phase("distilling", 4)
        bars.step(1, "first")  # done before: no rate
        bars.step(4, "last")
        bars.step(4, "last")
    text = console.file.getvalue()
    assert text.startswith("distilling: 0 of 4\n")
    assert text.count("4 of 4") == 1
    assert "last" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("terminal", [True, False])
def test_json_lines(terminal, capsys):
    console = lines(terminal)
    with Bars(console, as_json=True) as bars:
        bars.phase("distilling", 4)
        bars.step(4, "last")
    first, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["event"], first["phase"], first["done"], first["total"]) == (
        "progress", "distilling", 0, 4,
    )  # fmt: skip
    assert (last["done"], last["note"], last["seconds_left"]) == (4, "last", None)
    assert console.file.getvalue() == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_a_quiet_one_shows_nothing(terminal):
    console = lines(terminal)
    with Bars(console, quiet=True) as bars:
        bars.phase("distilling", 4)
        bars.step(1, "first")
        bars.fraction(5, 5)
    assert console.file.getvalue() == ""


def test_a_terminal_gets_a_bar():
    console = lines(terminal=True)
    with Bars(console) as bars:
        bars.phase("distilling", 4)
        bars.step(4, "last")
    assert "4/4" in console.file.getvalue()


def test_the_rate_leaves_out_what_was_done_before(monkeypatch):
    clock = iter([0.0, 0.0, 10.0, 20.0, 20.0, 20.0, 20.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    console = lines(terminal=False)
    bars = Bars(console)
    bars.phase("scoring", 100)
    bars.step(60, "")
    bars.step(100, "")
    assert "100 of 100 2.0/s" in console.file.getvalue()


@pytest.mark.parametrize(("stop", "code"), [(KeyboardInterrupt, 130), (Terminated, 143)])
def test_an_interrupt_says_how_to_go_on(stop, code):
    console = lines(terminal=False)
    with pytest.raises(SystemExit) as end, Bars(console):
        raise stop
    assert end.value.code == code
    assert "the same command goes on" in console.file.getvalue()


def test_what_the_same_command_does_after_a_stop():
    console = lines(terminal=False)
    with pytest.raises(SystemExit), Bars(console, again="begins anew"):
        raise KeyboardInterrupt
    assert console.file.getvalue() == "stopped; the same command begins anew\n"
