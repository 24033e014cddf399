import subprocess
import sys

import pytest

from dass_ray import searches
from dass_ray.errors import UserError
from dass_ray.report.gather import gather

from . import make


def test_figures_by_hand(report):
    assert [s.validation for s in report.students] == [0.86, 0.84, 0.83, 0.81, 0.80, 0.78]
    assert report.best.choice.predicted == 0.85
    assert (report.best.validation, report.best.test) == (0.86, 0.85)
    assert report.test.top == pytest.approx(0.84)
    assert report.test.random == pytest.approx(0.79)
    assert report.test.difference == pytest.approx(0.05)
    assert report.validation.difference == pytest.approx(2.53 / 3 - 2.39 / 3)
    low, high = report.test.interval
    assert 0.03 < low < 0.05 < high < 0.07
    # differences of ranks 1, 1, 0, 1, 1, 0: 1 - 6 * 4 / (6 * 35)
    assert report.spearman == pytest.approx(1 - 24 / 210)


def test_cost_and_progress(report):
    assert report.kd_seconds == 12.0
    assert report.runs == (6, 6)
    assert report.devices == ["cpu"]
    assert report.finished.seconds == {"search": 12.5, "verify": 40.0}
    assert len(report.candidates) == 40
    assert report.candidates.batch.tolist() == [0] * 16 + [1] * 16 + [2] * 8


def test_size_of_the_teacher(report):
    # micro, 3 classes: what torch counts in the built network
    assert report.teacher.params == 468_235
    assert report.teacher.flops == 11_465_088


def test_the_teacher_is_that_of_the_best_student(two_teachers):
    assert [one.label for one in two_teachers.teachers] == ["teacher 1", "teacher 2"]
    assert two_teachers.best.choice.teacher == two_teachers.teacher.card.id == "t2"
    assert two_teachers.teacher.params == 10**7
    assert len(two_teachers.candidates) == 2  # students, not pairs
    assert two_teachers.candidates.predicted.tolist() == [0.9, 0.8]


def test_facts_of_the_data_set(report):
    assert report.dataset.classes == make.CLASSES
    assert report.dataset.counts == {"train": 9, "validation": 6, "test": 3}
    assert report.folder == f"{report.uri}/searches/{make.ID}"


def test_a_search_that_only_began(store):
    make.card(store)
    report = gather(store, make.ID)
    assert (len(report.candidates), report.students, report.finished) == (0, (), None)
    assert (report.best, report.spearman, report.test.top) == (None, None, None)
    assert report.runs == (0, 0)


def test_a_search_that_is_still_scoring(store):
    card = make.card(store)
    specs = [card.teacher.space.teacher, card.teacher.space.smallest]
    searches.write_batch(store, make.ID, 0, make.scored(card, specs, [0.9, 0.5]))
    report = gather(store, make.ID)
    assert report.candidates.specs == [str(spec) for spec in specs]
    assert report.students == ()


def test_diverged_and_missing_runs_are_no_part_of_a_mean(store):
    card = make.card(store)
    choices = make.choose(store, card, ("top", "top", "random", "random"), (0.9, 0.8, 0.7, 0.6))
    make.distil(store, card, choices[0], validation=None, test=None, status="diverged")
    make.distil(store, card, choices[1], validation=0.8, test=0.7)
    make.distil(store, card, choices[2], validation=0.6, test=0.5)
    report = gather(store, make.ID)
    assert [s.status for s in report.students] == ["ok", "ok", "diverged", "waiting"]
    assert (report.test.top, report.test.top_n) == (0.7, 1)
    assert (report.test.random, report.test.random_n) == (0.5, 1)
    assert (report.test.interval, report.spearman) == (None, None)
    assert report.runs == (3, 4)


def test_a_random_student_may_be_the_best(store):
    card = make.card(store)
    top, random = make.choose(store, card, ("top", "random"), (0.9, 0.8))
    make.distil(store, card, top, validation=0.7, test=0.7)
    make.distil(store, card, random, validation=0.8, test=0.6)
    assert gather(store, make.ID).best.choice == random


def test_unknown_search_names_the_known_ones(store):
    make.card(store)
    with pytest.raises(UserError, match=f"no search 'other'.*known: {make.ID}"):
        gather(store, "other")


def test_needs_neither_torch_nor_ray():
    code = (
        "import sys; import dass_ray.report.html, dass_ray.report.terminal; "
        "print([name for name in ('torch', 'ray') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
