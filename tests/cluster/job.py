"""A collect on a cluster of nodes, and what it cost to get through a fault."""

import json
import shutil
import time
from collections import Counter

from dass_ray import ledger
from dass_ray.actors import kd_worker
from dass_ray.config import CollectConfig
from dass_ray.kd.teachers import TeacherPlan
from dass_ray.store import open_store

from .. import make_task
from ..collect.test_collect import outcome, undisturbed
from .nodes import wait_until
from .slow import PLAN, lines


class Home:
    """A store with two data sets and their teachers, to be copied for each job."""

    def __init__(self, folder):
        self.store, self.known = open_store(str(folder)), {}
        for seed, name in enumerate(PLAN["datasets"]):
            make_task.stored(self.store, name, seed=seed)
            plan = TeacherPlan(PLAN["space"], PLAN["teacher"], 0)
            kd_worker.train_teacher(self.store.uri, name, plan)

    def copy(self, folder):
        """A store of the same content."""
        shutil.copytree(self.store.uri.removeprefix("file://"), folder)
        return open_store(str(folder))

    def expected(self, config):
        """What an undisturbed collect gives, made once."""
        if config not in self.known:
            self.known[config] = undisturbed(self.store, config)
        return self.known[config]


class Job:
    """`dass-ray collect` of PLAN, with `changes`; each epoch takes `pause` seconds longer."""

    def __init__(self, nodes, home, folder, pause=0.25, **changes):
        folder.mkdir()
        self.nodes, self.home, self.folder, self.pause = nodes, home, folder, pause
        self.store, self.journal = home.copy(folder / "store"), folder / "journal"
        self.config = CollectConfig(**PLAN | changes)
        (folder / "plan.json").write_text(self.config.model_dump_json(exclude={"store"}))
        self.hit = None
        self.start()

    def start(self):
        """The command, for the first time or again."""
        self.process = self.nodes.run(
            "tests.cluster.driver", str(self.journal), f"{self.pause}", "collect", "--log-json",
            "-c", str(self.folder / "plan.json"), "--store", self.store.uri,
            "--address", self.nodes.address,
        )  # fmt: skip

    def lines(self, *what):
        """The journal's lines of some kinds."""
        return [line for line in lines(self.journal) if line[-1] in what]

    def wait_for(self, count, what="end", seconds=240):
        """Until so many runs have ended (or begun)."""

        def there():
            assert self.process.poll() is None, "the plan is too short for this fault"
            return len(self.lines(what)) >= count

        wait_until(there, seconds, f"{count} x {what}")

    def nodes_used(self):
        """The nodes that have begun a run."""
        return {node for _, node, *_ in self.lines("begin")}

    def now(self):
        """The fault happens now; what is in the store must stay."""
        self.hit = time.time()
        self.acknowledged = set(ledger.done(self.store))

    def finish(self, seconds=300):
        """Waits for the end, checks every row, and tells what the fault cost."""
        out, err = self.process.said(seconds)
        assert self.process.returncode == 0, out + err
        return self.checked() | {"utilisation": json.loads(_last(out))["utilisation"]}

    def checked(self):
        """The rows are those of an undisturbed collect; what was lost, redone and for how long."""
        rows = ledger.rows(ledger.read(self.store))
        expected = self.home.expected(self.config)
        assert len(rows) == len({row.key for row in rows}) == len(expected)
        assert {row.status for row in rows} == {"ok"}, [row.error for row in rows]
        assert outcome(rows) == expected
        assert self.store.list("checkpoints") == []
        begun = Counter(key for *_, key, _ in self.lines("begin"))
        assert self.acknowledged <= {row.key for row in rows}
        again = [
            when for when, _, _, key, _ in self.lines("begin")
            if when > self.hit and begun[key] > 1
            and any(key == k and t < when for t, *_, k, _ in self.lines("begin"))
        ]  # fmt: skip
        epochs = Counter((key, what) for *_, key, what in lines(self.journal) if "epoch" in what)
        return {
            "runs": len(rows), "lost": 0, "begun_again": begun.total() - len(rows),
            "epochs_redone": epochs.total() - len(epochs),
            "recovery_s": round(min(again) - self.hit, 1) if again else None,
            "all_s": round(time.time() - self.hit, 1),
        }  # fmt: skip


def _last(out):
    """The last line of a minute."""
    return [line for line in out.splitlines() if '"event": "collect"' in line][-1]
