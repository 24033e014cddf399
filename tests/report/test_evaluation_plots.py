import json
import re
from html import escape

import pytest

from dass_ray.report import evaluation_plots as plots
from dass_ray.report import evaluation_words as words

from . import make_evaluation as make
from .make_evaluation import METHODS, ODD, OURS


def of_group(figure, group):
    [trace] = [trace for trace in figure["data"] if trace["name"] == words.GROUPS[group]]
    return trace


def test_forest_has_every_method_with_its_interval():
    figure = plots.forest(make.evaluation())
    assert sum(len(trace["y"]) for trace in figure["data"]) == len(METHODS)
    ours = of_group(figure, "ours")
    assert (ours["x"], ours["y"]) == ([0.6], ["<b>predictor</b>"])
    ends = ours["error_x"]
    assert (ends["array"], ends["arrayminus"]) == ([0.15], [0.2])
    assert of_group(figure, "no KD")["x"] == [-0.3, 0.1, 0.4]


def test_forest_has_the_best_above():
    axis = plots.forest(make.evaluation())["layout"]["yaxis"]
    labels = axis["categoryarray"]  # from below
    assert (labels[0], labels[-1]) == ("parameters", "<b>predictor</b>")
    assert len(labels) == len(METHODS)
    assert (axis["type"], axis["categoryorder"]) == ("category", "array")
    low, high = axis["range"]
    assert low < 0
    assert high > len(METHODS) - 1


def test_every_name_of_the_forest_is_whole_and_in_short_lines():
    long = "a name of " + "w" * 40
    figure = plots.forest(make.evaluation(methods=METHODS | {long: ("no KD", 0.2, 0.1, 0.0)}))
    labels = figure["layout"]["yaxis"]["categoryarray"]
    assert set(labels) == {y for trace in figure["data"] for y in trace["y"]}
    assert "untrained accuracy, batch<br>norms anew" in labels
    assert "random forest, 20 runs" in labels
    assert long in {re.sub("(<br>)+", " ", label).replace("w w", "ww") for label in labels}
    lines = [line for label in labels for line in re.sub("&[a-z]+;", "&", label).split("<br>")]
    assert max(map(len, lines)) <= plots.LABEL


def test_forest_shows_what_can_be_reached():
    [line] = plots.forest(make.evaluation())["layout"]["shapes"]
    assert (line["x0"], line["x1"]) == pytest.approx((0.8, 0.8))
    assert "shapes" not in plots.forest(make.evaluation(ceiling=False))["layout"]


def test_cost_counts_the_kd_that_was_given():
    figure = plots.cost(make.evaluation())
    fitted = of_group(figure, "KD on target")
    assert (fitted["x"], fitted["y"]) == ([350], [0.3])
    ours = of_group(figure, "ours")
    assert (ours["x"], ours["y"]) == ([100], [0.6])
    assert figure["layout"]["xaxis"]["type"] == "log"


def test_cost_leaves_out_what_costs_nothing():
    figure = plots.cost(make.evaluation())
    assert of_group(figure, "no KD")["y"] == [0.4, 0.1]  # without the parameters
    free = dict.fromkeys((OURS, "FLOPs"), ("no KD", 0.1, 0.0, 0.0))
    assert plots.cost(make.evaluation(methods=free))["data"] == []


@pytest.mark.parametrize("plot", [plots.forest, plots.cost])
def test_ours_is_above_the_others_and_larger(plot):
    *others, ours = plot(make.evaluation())["data"]
    assert ours["name"] == words.GROUPS["ours"]
    assert ours["marker"]["size"] > max(trace["marker"]["size"] for trace in others)


@pytest.mark.parametrize("plot", [plots.forest, plots.cost])
def test_names_are_escaped_and_told_on_hovering(plot):
    ablation = of_group(plot(make.evaluation()), "ablation")
    [said] = ablation["hovertext"]
    name, *facts = said.split("<br>")
    assert name == f"<b>{escape(ODD)}</b>"
    assert facts == ["Spearman 0.50 (0.30 to 0.65)", "100 s for 1,000 students"]
    assert ODD not in json.dumps(ablation)


@pytest.mark.parametrize("plot", [plots.forest, plots.cost])
def test_groups_have_colours_of_their_own(plot):
    colours = [trace["marker"]["color"] for trace in plot(make.evaluation())["data"]]
    assert sorted(colours) == sorted(plots.COLOURS.values())
    assert plots.COLOURS.keys() == words.GROUPS.keys()


def test_scatter_shows_students_with_their_intervals():
    [points, _] = make.evaluation().scatter
    figure = plots.scatter(points)
    equal, dots = figure["data"]
    assert (dots["x"], dots["y"]) == ([0.5, 0.6, 0.7], [0.55, 0.58, 0.75])
    assert dots["error_x"]["array"] == [0.1, 0.05, 0.1]
    assert dots["error_x"]["arrayminus"] == [0.05, 0.1, 0.1]
    axes = [figure["layout"][name]["range"] for name in ("xaxis", "yaxis")]
    assert axes == [equal["x"], equal["y"]]  # the diagonal
    low, high = axes[0]
    assert axes[0] == axes[1]
    assert low < 0.45
    assert high > 0.8


@pytest.mark.parametrize("ceiling", [True, False])
def test_figures_are_plain_finite_json(ceiling):
    found = make.evaluation(ceiling=ceiling)
    figures = [plots.forest(found), plots.cost(found), *map(plots.scatter, found.scatter)]
    json.dumps(figures, allow_nan=False)
