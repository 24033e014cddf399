"""A small made-up evaluation, as dass_ray.evaluation.table leaves it."""

from dass_ray.evaluation.ceiling import Ceiling
from dass_ray.evaluation.table import Evaluation, Points, Row

TASKS = ("leaves/1a2b", "<i>bugs</i>|2")
OURS, ODD, LONGEST = "predictor", "no | <b>shift</b>", "untrained accuracy, batch norms anew"
METHODS = {
    OURS: ("ours", 0.6, 0.1, 0.0),
    ODD: ("ablation", 0.5, 0.1, 0.0),
    "nwot": ("no KD", 0.4, 0.04, 0.0),
    "parameters": ("no KD", -0.3, 0.0, 0.0),
    LONGEST: ("no KD", 0.1, 0.03, 0.0),
    "random forest, 20 runs": ("KD on target", 0.3, 0.0, 350.0),
}
"""Group, Spearman in the mean over tasks, seconds of a student, seconds of KD on the target."""


def evaluation(*, ceiling=True, methods=METHODS, tasks=TASKS, behind=(0.05, 0.35)):
    """behind: the interval of ours less any other method, about its real difference of Spearman."""
    rows = [row(name, *facts, ceiling, behind=behind) for name, facts in methods.items()]
    rows += [
        row(name, *facts, ceiling, task=task) for task in tasks for name, facts in methods.items()
    ]
    found = [Ceiling(task, 2, 0.5, 0.8, 0.7, 0.9) for task in tasks] if ceiling else []
    scatter = [
        Points(task, (0.5, 0.6, 0.7), (0.45, 0.5, 0.6), (0.6, 0.65, 0.8), (0.55, 0.58, 0.75))
        for task in tasks
    ]
    return Evaluation(OURS, 5, tuple(rows), tuple(found), tuple(scatter))


def row(method, group, spearman, seconds, target, ceiling, *, task="", behind=None):
    """A row of a task, or of the mean over tasks, which has what `behind` says."""
    fitted, mine = group == "KD on target", group == "ours"
    low, high = behind or (None, None)
    return Row(
        task, method, group, 30, spearman, spearman - 0.2, spearman + 0.15,
        kendall=0.7 * spearman, precision=0.4, regret=0.0123,
        strata=float("nan") if fitted else 0.9 * spearman,
        of_ceiling=spearman / 0.8 if ceiling else None,
        behind=METHODS[OURS][1] - spearman if behind else None,
        behind_low=low, behind_high=high, coverage=0.75 if mine else None,
        seconds=seconds, target_seconds=target,
    )  # fmt: skip
