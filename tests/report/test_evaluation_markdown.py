import re

from dass_ray.report import evaluation_words as words
from dass_ray.report.evaluation_markdown import render

from . import make_evaluation as make
from .make_evaluation import METHODS, ODD, OURS, TASKS

BAR = re.compile(r"(?<!\\)\|")  # that ends a cell


def tables(text):
    """The lines of cells by heading."""
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)[1:]
    return {
        name: [BAR.split(line)[1:-1] for line in part.splitlines() if line.startswith("|")]
        for name, part in zip(parts[::2], parts[1::2], strict=True)
    }


def test_opens_with_the_result():
    found = make.evaluation()
    lines = render(found).splitlines()
    assert lines[:3] == ["# Evaluation", "", words.headline(found)]
    assert words.legend(found) in lines


def test_a_table_of_means_and_one_of_each_task():
    found = tables(render(make.evaluation()))
    assert list(found) == ["Mean over tasks", "leaves/1a2b", "&lt;i&gt;bugs&lt;/i&gt;\\|2"]
    for header, rule, *rows in found.values():
        assert {len(line) for line in (header, rule, *rows)} == {len(header)}
        assert [cell.strip() for cell in header][:2] == ["group", "method"]
        assert set(rule) == {" --- "}
        assert len(rows) == len(METHODS)
        assert [cell.strip() for cell in rows[0]][:2] == ["ours", OURS]


def test_names_open_neither_tags_nor_cells():
    methods = {"<b>|": ("no KD", 0.7, 0.0, 0.0)} | METHODS
    text = render(make.evaluation(methods=methods))
    assert "<" not in text
    assert "no \\| &lt;b&gt;shift&lt;/b&gt;" in text
    assert "is &lt;b&gt;\\| at 0.70;" in text  # in the headline
    assert ODD not in text
    assert TASKS[1] not in text


def test_the_same_evaluation_gives_the_same_text():
    assert render(make.evaluation()) == render(make.evaluation())
