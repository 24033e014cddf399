import json

import numpy as np
import pytest

from dass_ray import searches
from dass_ray.limits import Limits
from dass_ray.report import plots
from dass_ray.report.gather import gather

from . import make


def named(figure, name):
    [trace] = [trace for trace in figure["data"] if trace["name"] == name]
    return trace


@pytest.mark.parametrize("cost", ["params", "flops"])
def test_pareto_shows_every_candidate_once(report, cost):
    figure = plots.pareto(report, cost)
    within, beyond = named(figure, "candidate"), named(figure, "beyond a limit")
    assert len(within["x"]) == report.candidates.feasible.sum()
    assert len(within["x"]) + len(beyond["x"]) == 40
    assert {within["type"], beyond["type"]} == {"scattergl"}
    front = named(figure, "front")
    assert front["x"] == report.candidates.cost(cost)[report.candidates.front(cost)].tolist()
    picked = [report.candidates.specs[i] for i in report.candidates.front(cost)]
    assert [spec for spec, _ in front["customdata"]] == picked
    assert all(text.startswith(f"{spec}\n") for spec, text in front["customdata"])
    size = getattr(report.teacher, cost)
    assert (named(figure, "teacher")["x"], named(figure, "teacher")["y"]) == ([size], [0.9])


def test_every_teacher_is_shown(two_teachers):
    sizes = [teacher.params for teacher in two_teachers.teachers]
    for figure in (plots.pareto(two_teachers, "params"), plots.curves(two_teachers)):
        found = [named(figure, f"teacher {number}") for number in (1, 2)]
        assert [trace["y"][0] for trace in found] == [0.9, 0.95]
    stars = [named(plots.pareto(two_teachers, "params"), f"teacher {n}")["x"][0] for n in (1, 2)]
    assert stars == sizes


def test_pareto_shows_the_limit_that_there_is(report):
    [limit] = plots.pareto(report, "params")["layout"]["shapes"]
    assert (limit["x0"], limit["x1"]) == (150_000, 150_000)
    assert "shapes" not in plots.pareto(report, "flops")["layout"]


def test_pareto_thins_out_a_long_search(report, monkeypatch):
    monkeypatch.setattr(plots, "DOTS", 10)
    figure = plots.pareto(report, "params")
    dots = [trace for trace in figure["data"] if trace["type"] == "scattergl"]
    assert sum(len(trace["x"]) for trace in dots) == 10


def test_prediction_shows_both_accuracies_and_the_uncertainty(report):
    figure = plots.prediction(report)
    top = named(figure, "top")
    assert top["x"] == [0.85, 0.86, 0.84]
    assert top["y"] == [0.86, 0.84, 0.83]
    assert top["error_x"]["array"] == [0.01] * 3
    assert top["marker"]["size"] == [15, 10, 10]  # the best one is larger
    assert [text.partition("verified ")[2][:5] for _, text in top["customdata"]] == [
        "86.0%", "84.0%", "83.0%"
    ]  # fmt: skip
    random = named(figure, "random")
    assert random["marker"]["symbol"] != top["marker"]["symbol"]
    low, high = figure["layout"]["xaxis"]["range"]
    assert low < 0.78 < 0.87 < high
    assert named(figure, "prediction = truth")["x"] == pytest.approx([low, high], abs=1e-5)


def test_search_rises_to_the_best_feasible_prediction(report):
    best, shares = plots.search(report)["data"]
    assert best["x"][-1] == 40
    assert best["y"] == sorted(best["y"])
    highest = report.candidates.predicted[report.candidates.feasible].max()
    assert best["y"][-1] == pytest.approx(highest, abs=1e-5)
    assert shares["x"] == [8, 24, 36]  # the middle of each batch
    assert shares["width"] == [16, 16, 8]


def test_curves_have_a_line_for_each_run(report):
    figure = plots.curves(report)
    lines = [trace for trace in figure["data"] if trace["name"] in ("top", "random")]
    assert len(lines) == 6
    assert sum(trace["showlegend"] for trace in lines) == 2
    assert {tuple(trace["x"]) for trace in lines} == {(1, 2, 3, 4, 5, 6)}
    assert sorted(trace["y"][-1] for trace in lines) == sorted(
        student.validation for student in report.students
    )
    assert named(figure, "teacher")["y"] == [0.9, 0.9]


def test_figures_are_plain_finite_json(report):
    figures = [plots.prediction(report), plots.search(report), plots.curves(report)]
    figures += [plots.pareto(report, "params"), plots.pareto(report, "flops")]
    json.dumps(figures, allow_nan=False)


def test_search_without_a_feasible_candidate(store):
    card = make.card(store, limits=Limits(params=30_000))
    rows = make.scored(card, [card.teacher.space.teacher], np.array([0.9]))
    searches.write_batch(store, make.ID, 0, rows)
    best, shares = plots.search(gather(store, make.ID))["data"]
    assert (best["x"], shares["y"]) == ([], [0.0])
