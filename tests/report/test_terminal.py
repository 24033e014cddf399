import io

import pytest
from rich.console import Console

from dass_ray import searches
from dass_ray.report import terminal
from dass_ray.report.gather import gather

from . import make


def printed(table, width=140):
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(table)
    return out.getvalue()


def test_students_in_order_above_their_teacher(report):
    text = printed(terminal.table(report))
    rows = [line.split() for line in text.splitlines() if "%" in line]
    assert [row[0] for row in rows] == ["top"] * 3 + ["random"] * 3 + ["teacher"]
    assert rows[0][1] == report.best.choice.spec
    assert rows[0][4:] == ["85.0%", "±", "1.0", "86.0%", "85.0%"]
    assert rows[-1][-2:] == ["90.0%", "88.0%"]


def test_tells_the_teacher_of_every_student(two_teachers):
    text = printed(terminal.table(two_teachers), width=90)
    rows = [line.split() for line in text.splitlines() if "%" in line]
    assert [row[:2] for row in rows[:3]] == [["top", "2"], ["top", "1"], ["random", "1"]]
    assert [row[:3] for row in rows[3:]] == [
        ["teacher", "1", "8×5/16×5/32×5/64×5"], ["teacher", "2", "transformers:resnet"],
    ]  # fmt: skip
    lines = terminal.summary(two_teachers)
    best = two_teachers.best.choice.spec
    assert lines[0].startswith(f"Best student {best}, distilled from teacher 2 (t2): 80.0% on the")
    assert "from teacher 2 80.0% (1 top)" in lines[2]


def test_fits_a_narrow_terminal(report):
    text = printed(terminal.table(report), width=80)
    assert "status" not in text  # every student is ok
    assert max(map(len, text.splitlines())) <= 80


def test_rounds_are_shown_where_there_are_several(store, report):
    assert "round" not in printed(terminal.table(report))
    store.delete(f"searches/{make.ID}/card.json")
    card = make.card(store, data=report.dataset, rounds=2)
    [choice] = make.choose(store, card, ("top",), (0.87,), seed=9, number=2)
    make.distil(store, card, choice, validation=0.85, test=0.8)
    text = printed(terminal.table(gather(store, make.ID)), width=80)
    rows = [line.split() for line in text.splitlines() if "%" in line]
    assert [row[:2] for row in rows[:3]] == [["top", "1"], ["top", "2"], ["top", "1"]]
    assert rows[1][5:8] == ["87.0%", "±", "1.0"]  # what chose it
    assert rows[-1][1] == "8×5/16×5/32×5/64×5"
    assert max(map(len, text.splitlines())) <= 80


def test_summary_tells_the_round_of_a_search_under_way(store):
    card = make.card(store, rounds=3)
    for number in (1, 2):
        make.choose(store, card, ("top",), (0.9,), seed=number, number=number)
    lines = terminal.summary(gather(store, make.ID))
    assert lines[0] == "0 of 2 distillations are done, round 2 of 3, 0 students verified."
    assert "0 of 2 distillations done in 0.0 s, round 2 of 3, not finished; " in lines[-1]


def test_text_of_the_store_is_no_markup(store):
    card = make.card(store)
    [choice] = make.choose(store, card, ("top",), (0.9,))
    odd = searches.Round(students=(choice.model_copy(update={"spec": "[red]8[/]"}),), candidates=8)
    store.delete(f"searches/{make.ID}/rounds/000001.json")
    searches.write_round(store, make.ID, 1, odd)
    assert "[red]8[/]" in printed(terminal.table(gather(store, make.ID)))


def test_summary_of_a_finished_search(report):
    lines = terminal.summary(report)
    assert len(lines) == 4
    assert lines[0].startswith(f"Best student {report.best.choice.spec}: 85.0% on the test split, ")
    assert "−3.0 points against the teacher" in lines[0]
    assert "+5.0 points" in lines[1]
    assert "Spearman" in lines[2]
    assert lines[3] == (
        "40 candidates scored, 6 of 6 distillations done in 12 s; "
        f"everything is in {report.uri}/searches/{make.ID}."
    )


def test_summary_of_a_search_that_only_began(store):
    make.card(store)
    lines = terminal.summary(gather(store, make.ID))
    assert lines[0].startswith("0 of 8 candidates")
    assert "88.0%" in lines[1]
    assert "not finished" in lines[2]


@pytest.mark.parametrize("verified", [0, 1])
def test_summary_of_a_search_that_is_distilling(store, verified):
    card = make.card(store)
    choices = make.choose(store, card, ("top", "random"), (0.9, 0.8))
    for choice in choices[:verified]:
        make.distil(store, card, choice, validation=0.8, test=0.7)
    lines = terminal.summary(gather(store, make.ID))
    assert 3 <= len(lines) <= 5
    assert f"{verified} of 2 distillations done" in lines[-1]
