"""Several searches as one HTML page that needs nothing beside itself."""

from collections.abc import Sequence

from dass_ray.report import several, several_plots, wording
from dass_ray.report.gather import SearchReport
from dass_ray.report.page import page


def render(reports: Sequence[SearchReport]) -> str:
    """The page: it opens offline, and its content policy forbids every request.

    All text from the store is escaped. Two renderings of the same reports are equal.
    """
    figures = {}
    if any(report.verified for report in reports):
        figures = {
            "fronts-params": several_plots.fronts(reports, "params"),
            "fronts-flops": several_plots.fronts(reports, "flops"),
        }
    return page(
        "several.html",
        figures,
        reports=reports,
        several=several,
        words=wording,
        colour=several_plots.colour,
        differences=several.differences(reports),
    )
