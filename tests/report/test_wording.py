from dataclasses import replace

import pytest

from dass_ray import searches
from dass_ray.report import wording
from dass_ray.report.gather import gather
from dass_ray.report.statistics import compare
from dass_ray.report.teachers import teachers

from . import make


@pytest.mark.parametrize(
    ("n", "text"),
    [(7, "7"), (812, "812"), (999.9, "1.00k"), (24_310, "24.3k"), (999_600, "1.00M"),
     (870_000_000, "870M"), (1_250_000_000, "1.25G")],
)  # fmt: skip
def test_count(n, text):
    assert wording.count(n) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.82, "0.8 s"), (42, "42 s"), (210, "3.5 min"), (7560, "2.1 h")]
)
def test_duration(seconds, text):
    assert wording.duration(seconds) == text


def test_shares():
    assert (wording.percent(0.8123), wording.percent(None)) == ("81.2%", "–")
    assert (wording.points(0.0151), wording.points(-0.02)) == ("+1.5", "−2.0")
    assert wording.factor(58, 10) == "5.8×"


def test_headline_of_a_result(report):
    params = 468_235 / report.best.choice.params
    flops = 11_465_088 / report.best.choice.flops
    assert wording.headline(report) == (
        f"A student with {params:.1f}× fewer parameters and {flops:.1f}× fewer FLOPs "
        "reaches 85.0% on the test split; its teacher reaches 88.0%."
    )


def test_headline_of_a_search_under_way(store):
    card = make.card(store)
    specs = [card.teacher.space.teacher]
    searches.write_batch(store, make.ID, 0, make.scored(card, specs, [0.9]))
    said = "1 of 8 candidates are scored; no student is distilled yet."
    assert wording.headline(gather(store, make.ID)) == said
    make.choose(store, card, ("top", "random"), (0.9, 0.8))
    said = "0 of 2 distillations are done, 0 students verified."
    assert wording.headline(gather(store, make.ID)) == said


def test_comparison_says_n_and_what_is_missing():
    said = wording.versus(compare([0.8, 0.9], [0.7, 0.7]), "test")
    assert "the 2 top students average 85.0%, 2 random ones within the same limits 70.0%" in said
    assert "+15.0 points (95% bootstrap +10.0 to +20.0, permutation p = 0.3" in said
    assert "too few students for an interval" in wording.versus(compare([0.8], [0.7]), "test")
    assert wording.versus(compare([0.8], []), "test").startswith("There is no comparison")


def test_sizes_by_hand(report):
    top, random = (
        sum(s.choice.params for s in report.students if s.choice.role == role) / 3000
        for role in ("top", "random")
    )
    said = f"Top students average {top:.0f}k parameters and random ones {random:.0f}k, "
    assert wording.sizes(report).startswith(said)


def test_a_student_may_be_larger_than_its_teacher():
    assert wording.against(580, 100) == "5.8× fewer"
    assert wording.against(100, 270) == "2.7× more"


def test_where_students_start(report):
    assert wording.start(report, report.teacher) == "Students start from their teacher."
    assert wording.of_teachers(report) == []
    card = report.card.model_copy(update={"teacher": make.foreign(report.card.teacher)})
    (teacher,) = teachers(card)
    assert wording.start(report, teacher) == (
        "The teacher is transformers:resnet. Students start from its proxy, the largest network of "
        "the space micro, which was distilled from it and reaches 81.0% validation, 80.0% test."
    )
    kd = card.config.kd.model_copy(update={"start": "random"})
    card = card.model_copy(update={"config": card.config.model_copy(update={"kd": kd})})
    assert "Students start untrained; they are scored by its proxy" in wording.start(
        replace(report, card=card), teacher
    )


def test_which_student_from_which_of_several_teachers(two_teachers):
    assert "its teacher, teacher 2 (t2), reaches 88.0%" in wording.headline(two_teachers)
    assert wording.start(two_teachers, two_teachers.teacher).startswith(
        "Teacher 2 (t2) is transformers:resnet. Students start from its proxy"
    )
    assert wording.of_teachers(two_teachers) == [
        "On the test split students average: from teacher 1 70.0% (1 top) and 60.0% (1 random); "
        "from teacher 2 80.0% (1 top)."
    ]


def test_correlation(report):
    assert "Spearman correlation of 0.89 over 6 students" in wording.correlation(report)


def test_correlation_of_too_few(store):
    make.card(store)
    assert wording.correlation(gather(store, make.ID)).startswith("0 verified students are too few")


def test_left_out_students_are_named(store):
    card = make.card(store)
    first, *_ = make.choose(store, card, ("top", "top", "random"), (0.9, 0.8, 0.7))
    make.distil(store, card, first, validation=None, test=None, status="diverged")
    said = wording.unverified(gather(store, make.ID))
    assert said == ["Left out of every mean: 2 waiting, 1 diverged of 3 students."]
