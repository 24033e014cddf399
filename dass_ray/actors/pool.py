"""A bounded window of Ray tasks: the driver holds few references, however long the plan is."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

import ray

Item = TypeVar("Item")
WINDOW = 3  # tasks in flight for each slot: enough that no worker waits for the driver
IDLE_S = 1.0


class Later(Exception):
    """Raised by `submit` where an item has to wait until another one has finished."""


def bounded(
    items: Iterable[Item],
    submit: Callable[[Item], Any],
    window: int | Callable[[], int],
    idle: Callable[[], None] = lambda: None,
) -> Iterator[tuple[Item, Any]]:
    """Submits every item and yields (item, result) as tasks finish, `window` in flight at most.

    Items are asked for one at a time, when there is room. Where `items` ends while tasks are in
    flight, it is asked again after each: an iterator may have got an item back by then.
    The result is an exception where the task failed, for the caller to judge. Where the caller
    stops early, tasks in flight end with the driver, or by themselves: to cancel one without
    retries can abort the driver (Ray 2.60, under load: "tried to complete task that was not
    pending").
    submit: gives a reference to a task's result; idle: called about once a second meanwhile.
    """
    source, flying = _Source(items), dict[Any, Item]()
    room = window if callable(window) else lambda: window
    while True:
        _fill(source, flying, submit, room())
        if not flying:
            return
        finished, _ = ray.wait(list(flying), num_returns=1, timeout=IDLE_S)
        idle()
        for ready in finished:
            yield flying.pop(ready), _result(ready)


class Queue(Generic[Item]):
    """Items to be tried again, then new ones. It may end and then go on: see `bounded`."""

    def __init__(self, again: deque[Item], new: Iterable[Item]) -> None:
        self.again, self.new = again, iter(new)

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        return self.again.popleft() if self.again else next(self.new)


class _Source(Generic[Item]):
    """An iterator to which its newest item can be given back."""

    def __init__(self, items: Iterable[Item]) -> None:
        self.items, self.back = iter(items), list[Item]()

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        return self.back.pop() if self.back else next(self.items)


def _fill(
    source: _Source[Item], flying: dict[Any, Item], submit: Callable[[Item], Any], room: int
) -> None:
    """Submits items until the window is full, they have ended, or one has to wait."""
    while len(flying) < room:
        try:
            item = next(source)
        except StopIteration:
            return
        try:
            flying[submit(item)] = item
        except Later:
            assert flying, "an item waits for nothing"
            source.back.append(item)
            return


def _result(ref: Any) -> Any:  # noqa: ANN401 - whatever the task returned
    try:
        return ray.get(ref)
    except ray.exceptions.RayError as error:
        return error
