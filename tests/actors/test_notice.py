"""Whether a node was told to go; the clock and the head's answers are a test's."""

from types import SimpleNamespace

import pytest
import ray

from dass_ray.actors import notice
from dass_ray.actors.notice import ANSWER_S, POLL_S, Notice


class Head:
    """Gives its answers one after the other, an exception as one."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), 0

    def get_draining_nodes(self, timeout):
        assert timeout == ANSWER_S
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict.fromkeys(answer, 0)


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(notice.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def head(monkeypatch):
    def with_answers(*answers):
        found = Head(*answers)
        monkeypatch.setattr(notice, "global_worker", SimpleNamespace(gcs_client=found))
        monkeypatch.setattr(ray, "is_initialized", lambda: True)
        context = SimpleNamespace(get_node_id=lambda: "here")
        monkeypatch.setattr(ray, "get_runtime_context", lambda: context)
        return found

    return with_answers


def test_only_its_own_node_counts(head, clock):
    head(["elsewhere"], ["elsewhere", "here"])
    told = Notice()
    assert not told()
    clock[0] += POLL_S
    assert told()


def test_it_is_asked_now_and_then(head, clock):
    found, told = head([], ["here"]), Notice()
    for _ in range(9):
        assert not told()
        clock[0] += POLL_S / 10
    assert found.asked == 1
    clock[0] += POLL_S
    assert [told() for _ in range(3)] == [True] * 3
    assert found.asked == 2


def test_a_head_that_is_gone_gives_no_notice(head, clock):
    head(ray.exceptions.RpcError("Deadline Exceeded"), ["here"])
    told = Notice()
    assert not told()
    clock[0] += POLL_S
    assert told()


def test_without_ray_there_is_none():
    assert not Notice()()
