import pytest

from dass_ray.report import evaluation_words as words

from . import make_evaluation as make
from .make_evaluation import METHODS, ODD, OURS, TASKS


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.534, "0.53"), (-0.24, "−0.24"), (-0.004, "0.00"), (1, "1.00"), (None, "–"),
     (float("nan"), "–")],
)  # fmt: skip
def test_number(value, text):
    assert words.number(value) == text


def test_span():
    assert words.span(0.53, -0.2, 0.7) == "0.53 (−0.20 to 0.70)"
    assert words.span(None, None, None) == "–"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.0012, "0.0012"), (0.855, "0.85"), (10.2, "10"), (99.4, "99"), (99.6, "100"),
     (10_157.4, "10,157")],
)  # fmt: skip
def test_seconds(value, text):
    assert words.seconds(value) == text


def test_points():
    assert words.points(0.0123) == "1.23"


def test_rows_by_group_and_then_the_best_first():
    names = [OURS, ODD, "nwot", make.LONGEST, "parameters", "random forest, 20 runs"]
    found = make.evaluation(methods=dict(reversed(METHODS.items())))
    assert [row.method for row in words.means(found)] == names
    for task in TASKS:
        rows = words.of_task(found, task)
        assert [row.method for row in rows] == names
        assert {row.task for row in rows} == {task}
    groups = words.by_group(words.means(found))
    assert list(groups) == list(words.GROUPS)
    assert [row.method for row in groups["no KD"]] == names[2:5]


def test_groups_without_rows_are_left_out():
    found = make.evaluation(methods={OURS: METHODS[OURS]})
    assert list(words.by_group(words.means(found))) == ["ours"]


def test_tasks_in_the_order_given():
    assert words.tasks(make.evaluation(tasks=TASKS[::-1])) == list(TASKS[::-1])


def test_spent_is_for_many_students_and_the_kd_given():
    by_name = {row.method: row for row in words.means(make.evaluation())}
    assert words.spent(by_name["nwot"]) == pytest.approx(40)
    assert words.spent(by_name["random forest, 20 runs"]) == 350


def test_headline():
    assert words.headline(make.evaluation()) == (
        "On 2 unseen tasks the predictor's Spearman is 0.60 (0.40 to 0.75), 75% of what KD noise "
        "lets be reached. The best of the baselines without KD on the target is nwot at 0.40; the "
        "difference, 0.20 (0.05 to 0.35), is clear of zero."
    )


@pytest.mark.parametrize(
    ("behind", "said"),
    [((0.01, 0.4), "is clear"), ((-0.1, 0.4), "is not clear"), ((-0.4, -0.1), "is clear")],
)
def test_headline_on_either_side_of_zero(behind, said):
    assert f"{said} of zero." in words.headline(make.evaluation(behind=behind))


def test_headline_of_one_task_without_ceiling_or_baselines():
    methods = {name: METHODS[name] for name in (OURS, "random forest, 20 runs")}
    found = make.evaluation(methods=methods, ceiling=False, tasks=TASKS[:1])
    said = "On 1 unseen task the predictor's Spearman is 0.60 (0.40 to 0.75)."
    assert words.headline(found) == said
    assert words.rival(found) is None


def test_ceilings():
    said = words.ceilings(make.evaluation())
    assert "leaves/1a2b: 2 seeds agree at 0.50, so that 0.80 (0.70 to 0.90) can be reached" in said
    assert "is unknown" in words.ceilings(make.evaluation(ceiling=False))


def test_reachable_is_of_all_tasks():
    found = make.evaluation()
    assert words.reachable(found) == pytest.approx(0.8)
    fewer = type(found)(found.ours, found.k, found.rows, found.ceilings[:1], found.scatter)
    assert words.reachable(fewer) is None


def test_table_of_means():
    header, first, second, *_ = words.table(words.means(make.evaluation()))
    assert header == words.COLUMNS
    cells = dict(zip(header, first, strict=True))
    assert cells["method"] == OURS
    assert cells["Spearman (95%)"] == "0.60 (0.40 to 0.75)"
    assert (cells["regret"], cells["ceiling"], cells["covered"]) == ("1.23", "0.75", "0.75")
    assert cells["ours minus it"] == "–"  # nothing is ahead of itself
    assert dict(zip(header, second, strict=True))["ours minus it"] == "0.10 (0.05 to 0.35)"


def test_table_leaves_out_columns_without_figures():
    found = make.evaluation(ceiling=False)
    header, *lines = words.table(words.of_task(found, TASKS[0]))
    assert set(words.COLUMNS) - set(header) == {"ceiling", "ours minus it"}
    assert {len(line) for line in lines} == {len(header)}


def test_every_column_that_needs_it_is_explained():
    said = words.legend(make.evaluation())
    for name in set(words.COLUMNS) - {"method", "Spearman (95%)", "Kendall"}:
        assert f"{name}: " in said
