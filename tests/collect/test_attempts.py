import pytest

from dass_ray.collect.attempts import MOST, Attempts

from ..make import TINY, run, specs

RUNS = [run(spec=str(spec)) for spec in dict.fromkeys(specs(TINY, 9))][:5]


def work(poison, shards, nodes_lost=0):
    """Submits until nothing is left; runs in `poison` crash. Gives what ended, and the rows."""
    attempts, waiting = Attempts(), [list(shard) for shard in shards]
    ended, rows, tasks = [], [], 0
    while waiting or attempts.again:
        shard = attempts.again.popleft() if attempts.again else waiting.pop(0)
        tasks += 1
        assert tasks < 100, "endless"
        if nodes_lost > 0:
            nodes_lost -= 1
            attempts.lost(shard)
        elif poison & {one.key for one in shard}:
            if (row := attempts.crashed(shard)) is not None:
                rows.append(row)
        else:
            ended += shard
    return ended, rows


@pytest.mark.parametrize("bad", [[], [2], [0, 4], [0, 1, 2, 3, 4]])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_only_the_poison_is_marked(bad, size):
    shards = [RUNS[i : i + size] for i in range(0, len(RUNS), size)]
    ended, rows = work({RUNS[i].key for i in bad}, shards)
    assert sorted(rows, key=RUNS.index) == [RUNS[i] for i in bad]
    assert sorted(ended, key=RUNS.index) == [one for one in RUNS if one not in rows]


def test_a_run_is_tried_alone_a_few_times():
    attempts = Attempts()
    assert attempts.crashed(RUNS[:2]) is None
    assert list(attempts.again) == [[RUNS[0]], [RUNS[1]]]
    for _ in range(MOST - 1):
        assert attempts.crashed([RUNS[0]]) is None
    assert attempts.crashed([RUNS[0]]) == RUNS[0]


def test_a_lost_node_counts_for_nothing():
    ended, rows = work(set(), [RUNS], nodes_lost=20)
    assert (ended, rows) == (RUNS, [])
