"""A search on a cluster of nodes, and that it ends with every candidate scored once."""

import json
import time

from dass_ray import searches
from dass_ray.store import open_store

from .nodes import wait_until

CONFIG = {
    "name": "mine", "dataset": "textures:0", "candidates": 96, "batch": 8,
    "teacher": {"epochs": 2, "min_steps": 0}, "kd": {"epochs": 1, "min_steps": 0, "views": 1},
    "verify": {"top": 2, "random": 1},
}  # fmt: skip


class Search:
    """`dass-ray search` of CONFIG."""

    def __init__(self, nodes, folder):
        folder.mkdir()
        self.store = open_store(str(folder / "store"))
        (folder / "search.json").write_text(json.dumps(CONFIG))
        self.process = nodes.run(
            "dass_ray.cli.main", "search", "-c", str(folder / "search.json"),
            "--store", self.store.uri, "--address", nodes.address,
        )  # fmt: skip

    def batches(self):
        """What is scored."""
        return {path: self.store.get(path) for path in self.store.list("searches/mine/batches")}

    def struck(self, strike):
        """The fault after a few batches; then the search ends as if there had been none."""
        wait_until(
            lambda: self.process.poll() is not None or len(self.batches()) > 2, 300, "scores"
        )
        assert self.process.poll() is None, self.process.said(1)
        hit, before = time.time(), self.batches()
        strike()
        wait_until(lambda: len(self.batches()) > len(before) + 3, 200, "scores after the fault")
        recovery = time.time() - hit
        out, err = self.process.said(300)
        assert self.process.returncode == 0, out + err
        assert before.items() <= self.batches().items()
        tables = searches.read_batches(self.store, "mine")
        specs = [spec for table in tables for spec in table["spec"].to_pylist()]
        assert len(specs) == len(set(specs)) == CONFIG["candidates"]
        return {
            "candidates": len(specs), "lost": 0, "recovery_s": round(recovery, 1),
            "all_s": round(time.time() - hit, 1),
        }  # fmt: skip
