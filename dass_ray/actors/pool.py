"""A bounded window of Ray tasks: the driver holds few references, however long the plan is."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import ray

from dass_ray.errors import UserError

Item = TypeVar("Item")
WINDOW = 3  # tasks in flight for each slot: enough that no worker waits for the driver
IDLE_S = 1.0


def bounded(
    items: Iterable[Item],
    submit: Callable[[Item], Any],
    window: int,
    idle: Callable[[], None] = lambda: None,
) -> Iterator[tuple[Item, Any]]:
    """Submits every item and yields (item, result) as tasks finish, `window` in flight at most.

    The result is an exception where the task failed, for the caller to judge; a UserError that a
    task raised is raised here. Tasks in flight are cancelled when the caller stops early.
    submit: gives a reference to a task's result; idle: called about once a second meanwhile.
    """
    waiting = deque(items)
    flying: dict[Any, Item] = {}
    try:
        while waiting or flying:
            while waiting and len(flying) < window:
                item = waiting.popleft()
                flying[submit(item)] = item
            finished, _ = ray.wait(list(flying), num_returns=1, timeout=IDLE_S)
            idle()
            for ready in finished:
                yield flying.pop(ready), _result(ready)
    finally:
        for ref in flying:
            ray.cancel(ref)


def _result(ref: Any) -> Any:  # noqa: ANN401 - whatever the task returned
    try:
        return ray.get(ref)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, UserError):
            raise error.cause from None
        return error
    except ray.exceptions.RayError as error:
        return error
