"""The plots of a replay's page: regret by KD runs, and accuracy by the predictor's score."""

import html
from collections.abc import Sequence

from dass_ray.replay.recorded import RecordedTask
from dass_ray.replay.run import Summary
from dass_ray.report.marks import ACCURACY, Figure, Trace, figure, line, numbers

OURS, CHANCE = "predictor", "random"
COLOURS = {OURS: "--top", CHANCE: "--random"}
BEST = ("--front", "--teacher", "--limit")
"""Of the best methods beside these two; all others are grey."""


def curves(every: Sequence[Summary]) -> Figure:
    """Regret after each KD run by method; `every` has the best one first."""
    others = [one.method for one in every if one.method not in COLOURS]
    colours = COLOURS | dict(zip(others, BEST, strict=False))
    traces: list[Trace] = []
    for one in reversed(every):  # the best is drawn last, above the others
        named = one.method in colours
        look = line(
            range(1, len(one.regret) + 1), [100 * value for value in one.regret],
            html.escape(one.method), colours.get(one.method, "--dot"), width=2.5 if named else 1,
        )  # fmt: skip
        traces.append(look | {"showlegend": named, "legendrank": every.index(one)})
    x = {"title": {"text": "KD runs"}, "rangemode": "tozero"}
    return figure(traces, x, {"title": {"text": "regret, points"}, "rangemode": "tozero"})


def scatter(task: RecordedTask) -> Figure:
    """Validation accuracy of a task's students, over their seeds, by the predictor's score."""
    dots: Trace = {
        "type": "scatter", "mode": "markers", "name": "students",
        "x": numbers(task.scores[OURS]), "y": numbers(task.mean),
        "marker": {"color": "--top", "size": 7},
        "hovertext": [f"{params:,} parameters" for params in task.cost.params.tolist()],
        "hoverinfo": "text+y",
    }  # fmt: skip
    out = figure(
        [dots],
        {"title": {"text": "score"}},
        {"title": {"text": "after distillation"}, **ACCURACY},
    )
    out["layout"]["showlegend"] = False
    return out
