import io
import re

import pytest
from rich.console import Console

from dass_ray.report import evaluation_words as words
from dass_ray.report.evaluation_terminal import show

from . import make_evaluation as make
from .make_evaluation import LONGEST, METHODS, ODD, OURS, TASKS


def shown(found, *, every_task=False, width=80):
    out = io.StringIO()
    show(found, Console(file=out, width=width, color_system=None), every_task)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def figures(lines, name):
    """The cells of a method's only line."""
    [line] = [line for line in lines if line.startswith(f"{name}  ")]
    return line.removeprefix(name).split()


def test_80_columns_hold_every_method_in_one_line():
    assert len(LONGEST) == 36  # the longest of the baselines
    slow = {"mean accuracy of meta-train tasks": ("KD on target", -0.55, 12.0, 0.0)}
    lines = shown(make.evaluation(methods=METHODS | slow))
    assert max(map(len, lines)) <= 80
    for name in METHODS:
        assert len(figures(lines, name)) == 7
    assert figures(lines, *slow) == ["−0.55", "−.75", "to", "−.40", "0.40", "1.23", "12,000"]
    [header] = [line for line in lines if line.startswith("method")]
    assert header.split() == ["method", "Spearman", "95%", "prec.", "regret", "s/1k"]


def test_figures_of_a_row():
    lines = shown(make.evaluation())
    assert figures(lines, OURS) == ["0.60", ".40", "to", ".75", "0.40", "1.23", "100"]
    assert figures(lines, "parameters") == ["−0.30", "−.50", "to", "−.15", "0.40", "1.23", "0"]
    assert figures(lines, "random forest, 20 runs")[-1] == "350"  # the KD that it was given


def test_intervals_stand_below_each_other():
    lines = shown(make.evaluation())
    rows = [line for name in METHODS for line in lines if line.startswith(f"{name}  ")]
    assert len({line.index(" to ") for line in rows}) == 1


def test_groups_are_named():
    lines = shown(make.evaluation())
    names = [line for line in lines if line in words.GROUPS.values()]
    assert names == list(words.GROUPS.values())[1:]  # ours is named by its row
    assert lines[lines.index("its ablations") + 1].startswith(ODD)


def test_longer_names_are_folded_between_words():
    long = "a change that someone has given a name of several lines"
    lines = shown(make.evaluation(methods=METHODS | {long: ("ablation", 0.2, 0.1, 0.0)}))
    assert max(map(len, lines)) <= 80
    first = next(i for i, line in enumerate(lines) if line.startswith("a change"))
    parts = [re.split(" {2,}", line)[0] for line in lines[first : first + 2]]
    assert " ".join(parts) == long


def test_tasks_come_before_the_mean_when_asked_for():
    found = make.evaluation()
    assert not set(TASKS) & set(shown(found))
    lines = shown(found, every_task=True)
    titles = [line for line in lines if line in (*TASKS, "mean over tasks")]
    assert titles == [*TASKS, "mean over tasks"]


@pytest.mark.parametrize("ceiling", [True, False])
def test_ends_with_what_was_found(ceiling):
    found = make.evaluation(ceiling=ceiling)
    text = " ".join(shown(found))
    assert text.endswith(f"{words.ceilings(found)}  {words.headline(found)}")
    assert "s/1k: seconds to rank 1,000 students" in text


def test_names_are_no_markup():
    methods = METHODS | {"[red]shift[/]": ("no KD", 0.55, 0.1, 0.0)}
    lines = shown(make.evaluation(methods=methods, tasks=("[b]x[/b]",)), every_task=True)
    assert "[b]x[/b]" in lines
    assert sum(line.startswith("[red]shift[/]  ") for line in lines) == 2
    assert "is [red]shift[/] at" in " ".join(lines)
