"""Several searches: their fronts, what they differ in, the page and the table."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console
from typer.testing import CliRunner

from dass_ray import searches
from dass_ray.cli.main import app
from dass_ray.errors import UserError
from dass_ray.limits import Limits
from dass_ray.report import several, several_html, several_plots, several_terminal

from . import make
from .test_html import Page

OTHER = "<b>other</b>"


@pytest.fixture
def two(report):
    """A search, and another one of the same students without those that the first is best by."""
    settings = {"sampler": "tpe", "limits": Limits(params=90_000), "name": "other"}
    config = report.card.config.model_copy(update=settings)
    card = report.card.model_copy(update={"id": OTHER, "config": config})
    left = tuple(student for student in report.students if student.choice.role == "random")
    return [report, replace(report, card=card, students=left, finished=None)]


def test_fronts_by_hand(two):
    for report, cost in ((two[0], "params"), (two[1], "flops")):
        students = [(getattr(s.choice, cost), s.validation) for s in report.verified]
        better = [
            (x, y) for x, y in students
            if not any((a <= x and b > y) or (a < x and b >= y) for a, b in students)
        ]  # fmt: skip
        found = several.front(report, cost)
        assert [(getattr(s.choice, cost), s.validation) for s in found] == sorted(better)


def test_the_best_of_all_is_told(two):
    line = several.headline(two)
    assert f"Of 2 searches on leaves, {make.ID} has the student" in line
    assert "highest validation accuracy, 86.0%; it reaches 85.0%" in line
    assert several.headline(two[::-1]) == line
    assert "No student is verified" in several.headline([replace(r, students=()) for r in two])


def test_other_data_cannot_be_compared(two):
    other = replace(two[1], dataset=two[1].dataset.model_copy(update={"fingerprint": "x"}))
    assert "different data" in several.headline([two[0], other])


def test_only_what_differs_is_told(two):
    assert several.differences(two) == [
        {"limits.params": "150000", "sampler": "guided"},
        {"limits.params": "90000", "sampler": "tpe"},
    ]
    assert several.differences(two[:1] * 2) == [{}, {}]


def test_a_search_named_twice_or_unknown(store, report):
    with pytest.raises(UserError, match="named twice"):
        several.gather_all(store, [make.ID, make.ID])
    with pytest.raises(UserError, match="no search 'yours'"):
        several.gather_all(store, [make.ID, "yours"])
    assert [one.card.id for one in several.gather_all(store, [make.ID])] == [make.ID]


def test_the_page(two):
    html = several_html.render(two)
    page = Page(html)
    text = " ".join(page.text.split())
    assert OTHER not in html
    assert OTHER in page.text
    for report in two:
        assert report.best.choice.spec in text
    assert "samplertpe" in text  # cells
    assert "not finished" in text
    links = [a["href"] for tag, a in page.elements if tag == "a"]
    there = {a["id"] for _, a in page.elements if "id" in a}
    assert links == ["#search-1", "#search-2"]
    assert {link[1:] for link in links} <= there
    assert set(page.figures) == {"fronts-params", "fronts-flops"} <= there
    assert not re.search(r"url\(|@import|https?:", "".join(page.styles))
    assert html == several_html.render(two)


def test_a_mark_for_each_student_and_a_line_for_each_search(two):
    lines, marks = ([t for t in several_plots.fronts(two, "params")["data"] if t["mode"] == mode]
                    for mode in ("lines", "markers"))  # fmt: skip
    assert [len(trace["x"]) for trace in marks] == [6, 3]
    assert [trace["marker"]["color"] for trace in marks] == ["--s1", "--s2"]
    assert [trace["line"]["color"] for trace in lines] == ["--s1", "--s2"]
    looks = [
        (t["marker"]["color"], t["marker"]["symbol"])
        for t in several_plots.fronts(two * 6, "params")["data"]
        if t["mode"] == "markers"
    ]
    assert len(set(looks)) == 12


def test_the_command(store, report, tmp_path):
    other = report.card.model_copy(update={"id": "other"})
    searches.write_object(store, other, "searches/other/card.json")
    file = tmp_path / "both.html"
    words = ["report", make.ID, "other", "--store", store.uri, "--out", str(file)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert f"Of 2 searches on leaves, {make.ID} has" in result.output
    assert "Searches side by side" in file.read_text()


def test_nothing_is_verified_yet(two):
    begun = [replace(report, students=()) for report in two]
    page = Page(several_html.render(begun))
    assert page.figures == {}
    assert page.text.count("none verified yet") == 2


def test_the_table(two):
    console = Console(file=io.StringIO(), width=80)
    console.print(several_terminal.table([*two, replace(two[1], students=())]))
    text = console.file.getvalue()
    assert text.count("86.0%") == text.count("81.0%") == 1
    assert re.search(r"other\S*\s+none\D+–", text)
    assert max(map(len, text.splitlines())) <= 80
