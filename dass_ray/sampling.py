"""Students drawn evenly over cost, or evenly over widths; all different, decided by a seed.

Widths and depths drawn evenly give costs in the middle: nearly no student is as cheap or as dear as
the space allows. Here every student has a target on the scale of log FLOPs, and is the nearest of
many proposals. Letters as in `space`: N students, S stages, D blocks of the deepest stage.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from dass_ray.cost import cost
from dass_ray.space import Space, Spec, Specs

CHUNK = 1024  # students drawn at once; the order of all is that of their chunks
_POOL = 8 * CHUNK  # proposals for a chunk
_FRUITLESS = 20  # chunks without a new student, before the space counts as used up
_STRIDE = (5**0.5 - 1) / 2  # of the targets: any first n of them lie evenly


def over_cost(space: Space, seed: int) -> Iterator[Spec]:
    """Different students whose log FLOPs lie evenly, any first n of them too.

    Ends where the space seems to have no more.
    """
    low, high = _log_flops(space, space.pack([space.smallest, space.teacher]))
    seen: set[bytes] = set()
    number = last_new = 0
    while number - last_new < _FRUITLESS:
        rng = np.random.default_rng([seed, number])
        fresh = _unseen(_proposals(space, rng), seen)
        places = seed * _STRIDE**2 + np.arange(number * CHUNK, (number + 1) * CHUNK) * _STRIDE
        nearest = _nearest(_log_flops(space, fresh), low + (high - low) * (places % 1))
        number += 1
        if nearest:
            last_new = number
        chosen = fresh[nearest]
        seen.update(_bytes(chosen))
        yield from space.unpack(chosen)


def over_widths(space: Space, seed: int, first: Sequence[Spec], n: int) -> list[Spec]:
    """`first`, and draws that are even over depths and widths and differ from all before.

    n in all, or fewer where the space seems to have no more.
    """
    rng, found = np.random.default_rng(seed), dict.fromkeys(first)
    for _ in range(100):
        if len(found) >= n:
            break
        found.update(dict.fromkeys(space.unpack(space.sample(n - len(found), rng))))
    return list(found)[:n]


def first_over_cost(space: Space, seed: int, n: int, other: Sequence[Spec] = ()) -> list[Spec]:
    """The first n students of `over_cost`, or fewer, without those in `other`."""
    taken = set(other)
    return list(islice((spec for spec in over_cost(space, seed) if spec not in taken), n))


def _proposals(space: Space, rng: np.random.Generator) -> Specs:
    """[N, S, D]: half drawn evenly, half with stages that lean to narrow, wide, shallow or deep."""
    even = space.sample(_POOL // 2, rng)
    n, (stages, depth) = _POOL - len(even), even.shape[1:]
    lean = np.clip(rng.random((n, 1)) + rng.uniform(-0.25, 0.25, (n, stages)), 0, 1)
    depths = 1 + rng.binomial(depth - 1, lean)
    leaning = np.zeros((n, stages, depth), dtype=np.int16)
    for s, choice in enumerate(space.choices):
        index = rng.binomial(len(choice) - 1, lean[:, s, None], (n, depth))
        leaning[:, s] = np.asarray(choice, dtype=np.int16)[index]
    return np.concatenate([even, space.trim(leaning, depths)])


def _log_flops(space: Space, specs: Specs) -> NDArray[np.float64]:
    """[N]; the head is left out, so that all tasks share one scale."""
    logs: NDArray[np.float64] = np.log(cost(space, specs, classes=1).flops)
    return logs


def _bytes(specs: Specs) -> list[bytes]:
    """One key for each student."""
    return [one.tobytes() for one in specs]


def _unseen(specs: Specs, seen: set[bytes]) -> Specs:
    """The different students [N, S, D] that are not in `seen`."""
    places = {key: n for n, key in enumerate(_bytes(specs)) if key not in seen}
    return specs[list(places.values())]


def _nearest(values: NDArray[np.float64], targets: NDArray[np.float64]) -> list[int]:
    """For each target in turn the index of the nearest value left, while there is one."""
    order = np.argsort(values, kind="stable").tolist()
    left, out = values[order].tolist(), []
    for target in targets.tolist():
        if not left:
            break
        place = bisect_left(left, target)
        if place == len(left) or (place and target - left[place - 1] < left[place] - target):
            place -= 1
        left.pop(place)
        out.append(order.pop(place))
    return out
