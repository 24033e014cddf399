"""A collect as discrete events: one driver, slots on nodes, an object store and S3.

The driver's rules are the real ones (`pool.WINDOW`, `shards.target`); what a step costs is given.
"""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dass_ray.actors.pool import WINDOW
from dass_ray.collect.shards import target


@dataclass(frozen=True)
class Costs:
    """What was measured, in seconds."""

    submit: float  # the driver's for each task
    submit_run: float  # ... and for each run in it
    handle: float  # the driver's for each result
    handle_run: float  # ... and for each run in it
    wait: float  # the driver's for each task in flight, each time that it looks for results
    gap: float  # a slot's between two tasks, with what a worker does beside KD and commit
    commit: float  # of one part
    make: float  # of what a task's runs share
    startup: float  # of a worker process, until its first run


@dataclass(frozen=True)
class Cluster:
    """What the costs meet: nodes with slots, links and a store."""

    nodes: int
    slots: int  # on each node
    link: float  # bytes/s of each node, in and out
    shared: float  # bytes that the runs of one task share
    puts: float  # most commits/s of the store


@dataclass(frozen=True)
class Plan:
    """How long each run of KD takes (s), how many runs one task has, and a shard at most."""

    seconds: Sequence[float]
    task: int
    shard: int = 256
    shard_seconds: float = 120.0


SHARES = ("kd", "startup", "data", "commit", "gap", "driver", "end")
"""KD; a worker's start; waiting for what a task shares; committing; between two tasks; waiting for
the driver; and at the end, when nothing is left to be begun."""


@dataclass
class Outcome:
    """Wall time (s), and shares of it: of slots (SHARES), of the driver's and the store's time."""

    wall: float = 0.0
    slots: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SHARES, 0.0))
    driver: float = 0.0
    store: float = 0.0

    @property
    def efficiency(self) -> float:
        """Time inside KD / (slots x wall)."""
        return self.slots["kd"]

    @property
    def limit(self) -> str:
        """What takes most of the slots' time beside KD."""
        return max(SHARES[1:], key=lambda name: self.slots[name])


FIRST = -1  # in the place of a node: none has it yet
Shard = tuple[int, list[float]]
"""The number of its task, and the seconds of its runs."""


def shards(plan: Plan, slots: int) -> Iterator[Shard]:
    """The plan cut as the driver cuts it, with a pace that it knows."""
    left, at = sum(plan.seconds), 0
    while at < len(plan.seconds):
        longest, group, spent = target(left, slots, plan.shard_seconds), list[float](), 0.0
        task = at // plan.task
        while at < len(plan.seconds) and at // plan.task == task and len(group) < plan.shard:
            if group and spent + plan.seconds[at] > longest:
                break
            spent += plan.seconds[at]
            group.append(plan.seconds[at])
            at += 1
        left -= spent
        yield task, group


def simulate(plan: Plan, cluster: Cluster, costs: Costs) -> Outcome:
    """Runs the whole plan."""
    count = cluster.nodes * cluster.slots
    world = _World(cluster, costs)
    source, now, flying, busy = shards(plan, count), 0.0, 0, 0.0
    ended = False
    while True:
        before = now
        while flying < WINDOW * count and not ended:
            if (shard := next(source, None)) is None:
                ended = True
                break
            now += costs.submit + costs.submit_run * len(shard[1])
            world.submit(now, shard)
            flying += 1
        if not flying:
            break
        now += costs.wait * flying
        busy += now - before
        now = max(now, world.next_end())
        for runs in world.ended(now):
            flying -= 1
            now += costs.handle + costs.handle_run * runs
            busy += costs.handle + costs.handle_run * runs
    return world.outcome(now, busy)


class _World:
    """Slots, links and the store; everything but the driver."""

    def __init__(self, cluster: Cluster, costs: Costs) -> None:
        self.cluster, self.costs = cluster, costs
        count = cluster.nodes * cluster.slots
        # When each slot is free; nodes in turn, so that Ray's spreading is met.
        self.free = [(0.0, slot) for slot in range(count)]
        self.fresh = set(range(count))
        self.ends: list[tuple[float, int]] = []  # (when, runs) of shards under way
        self.holders: dict[int, list[tuple[float, int]]] = {}  # by task: (link free at, node)
        self.arrived: dict[tuple[int, int], float] = {}  # (task, node): when its data is there
        self.commits = Counter[int]()  # in each second
        self.found = Outcome()

    def submit(self, now: float, shard: Shard) -> None:
        """A task of the driver; it starts on the slot that is free first."""
        if shard[0] not in self.holders:  # a task that makes it is submitted before
            self.holders[shard[0]] = [(now + self.costs.make, FIRST)]
        free, slot = heapq.heappop(self.free)
        start, spent = max(now, free), self.found.slots
        spent["driver"] += start - free
        at = start + self.costs.gap
        spent["gap"] += self.costs.gap
        if slot in self.fresh:
            self.fresh.remove(slot)
            at, spent["startup"] = at + self.costs.startup, spent["startup"] + self.costs.startup
        there = self._data(shard[0], slot % self.cluster.nodes, at)
        kd = sum(shard[1])
        spent["data"] += there - at
        spent["kd"] += kd
        end = self._commit(there + kd)
        spent["commit"] += end - there - kd
        heapq.heappush(self.free, (end, slot))
        heapq.heappush(self.ends, (end, len(shard[1])))

    def _data(self, task: int, node: int, now: float) -> float:
        """When what the task's runs share is on the node; every node that has it may send it."""
        if (task, node) not in self.arrived:
            free, sender = heapq.heappop(self.holders[task])
            there = max(now, free)
            if sender != FIRST:  # it is made where it is wanted first
                there += self.cluster.shared / self.cluster.link
                heapq.heappush(self.holders[task], (there, sender))
            heapq.heappush(self.holders[task], (there, node))
            self.arrived[task, node] = there
        return max(now, self.arrived[task, node])

    def _commit(self, now: float) -> float:
        """When the part is in the store, which takes so many in each second."""
        second = int(now)
        while self.commits[second] >= self.cluster.puts:
            second += 1
        self.commits[second] += 1
        return max(now, second) + self.costs.commit

    def next_end(self) -> float:
        """When the next shard under way ends."""
        return self.ends[0][0]

    def ended(self, now: float) -> list[int]:
        """The runs of each shard that has ended by now, and is told once."""
        found = list[int]()
        while self.ends and self.ends[0][0] <= now:
            found.append(heapq.heappop(self.ends)[1])
        return found

    def outcome(self, now: float, busy: float) -> Outcome:
        """All shares, once the driver is through at `now`."""
        found, count = self.found, self.cluster.nodes * self.cluster.slots
        found.wall, found.driver = now, busy / now
        found.store = self.commits.total() / (self.cluster.puts * now)
        found.slots["end"] += sum(now - free for free, _ in self.free)
        found.slots = {name: spent / (count * now) for name, spent in found.slots.items()}
        return found
