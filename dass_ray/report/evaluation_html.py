"""An evaluation as one HTML page that needs nothing beside itself."""

from dass_ray.evaluation.table import Evaluation
from dass_ray.report import evaluation_plots as plots
from dass_ray.report import evaluation_words as words
from dass_ray.report.page import page

FOREST_ROW, FOREST_EDGE = 30, 60  # px: of a method, whose name may take two lines, and of the axis


def render(found: Evaluation) -> str:
    """The page: it opens offline, and its content policy forbids every request.

    All names are escaped. Two renderings of one evaluation are equal.
    """
    scatters = {f"task-{i}": plots.scatter(points) for i, points in enumerate(found.scatter)}
    return page(
        "evaluation.html",
        {"forest": plots.forest(found), "cost": plots.cost(found), **scatters},
        found=found,
        words=words,
        colours=plots.COLOURS,
        names={f"task-{i}": points.task for i, points in enumerate(found.scatter)},
        height=FOREST_EDGE + FOREST_ROW * len(words.means(found)),
    )
