"""A replay as one HTML page that needs nothing beside itself."""

from collections.abc import Sequence

from dass_ray.replay.recorded import RecordedTask
from dass_ray.replay.run import Summary
from dass_ray.report import replay_plots as plots
from dass_ray.report.page import page


def render(
    every: Sequence[Summary], tasks: Sequence[RecordedTask], repeats: int, budgets: Sequence[int]
) -> str:
    """The page: it opens offline, and its content policy forbids every request.

    every: the methods, best first; repeats: of each; budgets: KD runs whose regret the table tells.
    """
    scored = [task for task in tasks if plots.OURS in task.scores]
    names = {f"task-{i}": task.name for i, task in enumerate(scored)}
    scatters = {f"task-{i}": plots.scatter(task) for i, task in enumerate(scored)}
    return page(
        "replay.html",
        {"regret": plots.curves(every), **scatters},
        every=every,
        tasks=tasks,
        names=names,
        repeats=repeats,
        budgets=budgets,
    )
