import numpy as np
import pytest

from dass_ray.config import CompareConfig
from dass_ray.contest import ways
from dass_ray.cost import cost
from dass_ray.limits import Costs, Limits
from dass_ray.watch import Silent
from dass_ray.zero_cost.catalogue import SCORES

from ..make import CLASSES, TINY
from ..make_task import dataset, teacher, with_unlabelled

LIMITS = Limits(params=2500)
COSTS = Costs(TINY, len(CLASSES))
CONFIG = CompareConfig(
    dataset="tinges", space=TINY, under=(LIMITS,), limits=LIMITS, pool=20, images=8,
    verify={"top": 3},
)  # fmt: skip


def params(spec):
    return int(cost(TINY, TINY.pack([spec]), len(CLASSES)).params[0])


def test_a_score_takes_its_best_within_the_limits(monkeypatch):
    monkeypatch.setitem(SCORES, "size", lambda net, *_: sum(p.numel() for p in net.parameters()))
    monkeypatch.setitem(SCORES, "smallness", lambda net, *_: -SCORES["size"](net))
    large, small = (
        ways.by_zero_cost(CONFIG, COSTS, teacher(), dataset(), score, Silent())[0]
        for score in ("size", "smallness")
    )
    sizes = [params(spec) for spec in large]
    assert sizes == sorted(sizes, reverse=True)
    assert max(sizes) <= 2500
    assert max(params(spec) for spec in small) < min(sizes)


def test_a_score_that_is_no_number_is_the_last_choice(monkeypatch):
    monkeypatch.setitem(
        SCORES, "half", lambda net, *_: np.nan if sum(p.numel() for p in net.parameters()) > 1500
        else 1.0,
    )  # fmt: skip
    chosen, _ = ways.by_zero_cost(CONFIG, COSTS, teacher(), dataset(), "half", Silent())
    assert all(params(spec) <= 1500 for spec in chosen)


@pytest.mark.parametrize("score", ["snip", "epe_nas", "untrained accuracy"])
def test_images_without_labels_are_not_looked_at(score):
    labelled, teaching = dataset(), teacher()
    chosen = [
        ways.by_zero_cost(CONFIG, COSTS, teaching, data, score, Silent())[0]
        for data in (labelled, with_unlabelled(labelled))
    ]
    assert chosen[0] == chosen[1]


def test_a_search_by_kd_learns_and_keeps_the_limits():
    """The smaller the better; the same seed is the same search."""
    asked = []

    def distil(spec):
        asked.append(spec)
        return 1 - params(spec) / 10_000

    found = ways.by_kd(CONFIG, COSTS, 12, distil, Silent())
    assert found == asked
    assert len(set(found)) == 12
    assert all(params(spec) <= 2500 for spec in found)
    first = list(asked)
    assert ways.by_kd(CONFIG, COSTS, 12, distil, Silent()) == first


@pytest.mark.parametrize("limit", [917, 930])
def test_a_search_by_kd_ends_where_hardly_any_student_is_within(limit):
    tight = CONFIG.model_copy(update={"limits": Limits(params=limit)})
    found = ways.by_kd(tight, COSTS, 5, lambda _spec: 0.5, Silent())
    assert len(found) <= 5
