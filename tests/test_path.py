"""The whole path on the command line, with a real Ray: from pictures to an exported student."""

import json
import re

import numpy as np
import pytest
import torch

from dass_ray import latencies, ledger, searches
from dass_ray.actors.session import ray_session
from dass_ray.cli import main as cli
from dass_ray.explore.study import Explorer
from dass_ray.kd.teachers import list_teachers
from dass_ray.models import latency
from dass_ray.space import Spec
from dass_ray.store import open_store

from .make import TINY, specs
from .make_latency import latency_table
from .tracking.read import tensorboard

CONFIG = """
space: {name: tiny, image_size: 8, widths: [4, 8], strides: [1, 2], max_depth: 2}
teacher: {epochs: 4, min_steps: 0, batch_size: 16, lr: 0.1, crop_padding: 1, flip: false}
kd: {epochs: 2, min_steps: 0, batch_size: 16, views: 2, crop_padding: 1, flip: false}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A working folder with three small data sets, and one Ray for the whole module."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch, ray_session():
        patch.chdir(folder)
        patch.setattr(latency, "MIN_RUN_S", 1e-3)  # of an export's timings
        (folder / "task.yaml").write_text(CONFIG)
        for name in ("bars", "dots", "unseen"):
            np.savez(folder / f"{name}.npz", **pictures(name))
            assert run("data", "import", name, f"{name}.npz") == 0
        yield folder


def pictures(name: str) -> dict[str, np.ndarray]:
    """Three easy classes of 8 px images: where a bright bar, or a bright dot, is."""
    rng = np.random.default_rng(len(name))
    labels = np.arange(120) % 3
    images = rng.integers(0, 60, size=(120, 8, 8, 3), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label + 1, :, :] += np.uint8(180)
        if name == "dots":
            image[:, :4] //= 2
    return {"images": images, "labels": labels}


def run(*words: object) -> int:
    """Runs the command line in this process; the exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["dass-ray", *map(str, words)])
        try:
            cli.main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0


def test_path(home, capsys):
    """One test, since each command needs what the one before it made."""
    every = ("--set", "datasets=[bars, dots, unseen]")
    collect = ("collect", "-c", "task.yaml", *every, "-s", "students=5", "-s", "shard=2")
    assert run(*collect) == 0
    assert "all 15 runs of the plan" in capsys.readouterr().out
    store = open_store("store")
    parts = store.list("runs")
    assert len(parts) == 9  # shards of 2, 2, 1 for each task
    assert set(ledger.read(store)["status"].to_pylist()) == {"ok"}
    assert run(*collect, "--log-json") == 0  # everything is there: nothing runs again
    *lines, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["event"] for line in lines} <= {"progress", "collect"}
    assert (last["event"], last["runs"], last["failed"]) == ("result", 15, 0)
    assert store.list("runs") == parts

    space = "space={name: tiny, image_size: 8, widths: [4, 8], strides: [1, 2], max_depth: 2}"
    meta = ("-s", space, "-s", "train=[bars]", "-s", "validation=[dots]", "-s", "episodes=20")
    capsys.readouterr()
    assert run("meta-train", "-s", "name=small", *meta, "-s", "members=2", "--log-json") == 0
    *progress, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["event"] for line in progress} == {"progress"}
    assert (last["event"], last["predictor"]) == ("result", "small")
    evaluate = ("evaluate", "-s", "predictor=small", "-s", space, "-s", "given=[2]")
    assert run(*evaluate, "-d", "dots") == 2
    assert "evaluate it on data sets that are neither" in capsys.readouterr().err
    assert run(*evaluate, "-d", "unseen", "--tasks", "--out", "evaluation") == 0
    out = capsys.readouterr().out
    assert re.search(r"^ ?unseen/\w{8}", out, re.MULTILINE)
    assert re.search(r"^ ?mean over tasks", out, re.MULTILINE)
    assert re.search(r"On 1 unseen task the predictor's Spearman is", out)
    kept = sorted(file.name for file in (home / "evaluation").iterdir())
    files = [f"evaluation.{end}" for end in ("html", "md", "parquet", "yaml")]
    assert kept == [*files, "zero_cost"]

    assert run(*search()) == 0
    out = capsys.readouterr().out
    assert "report: report-mine.html" in out
    assert "<html" in (home / "report-mine.html").read_text()
    chosen = searches.choices(store, "mine")
    assert [choice.role for choice in chosen] == ["top", "top", "random", "random"]
    assert all(choice.params <= 2500 for choice in chosen)
    rows = ledger.rows_of(store, [key for choice in chosen for key in choice.keys])
    assert len(rows) == 4
    batches = searches.read_batches(store, "mine")
    assert [len(batch) for batch in batches] == [16, 16, 8]

    assert run(*search(), "--log-json") == 0  # finished before
    *progress, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["event"] for line in progress} == {"progress"}
    assert (last["event"], last["search"]) == ("result", "mine")
    assert last["validation"] == max(row.validation for row in rows.values())

    assert run("export", "mine", "--onnx", "--licence", "mit", "--out", "shipped") == 0
    assert re.search(r"ONNX int8( +\S+){6} +\S+%", capsys.readouterr().out)
    card = json.loads((home / "shipped" / "card.json").read_text())
    program = torch.export.load(home / "shipped" / "student.pt2").module()
    assert card["verified"]["validation"] == max(row.validation for row in rows.values())
    assert rows[card["run"]].spec == card["spec"]
    assert card["licence"] == "mit"
    assert (home / "shipped" / "student-int8.onnx").exists()
    assert program(torch.rand(7, 3, 8, 8)).shape == (7, 3)

    capsys.readouterr()
    assert run("runs", "--json", "-d", "bars", "-n", "100") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == ledger.read(store)["dataset"].to_pylist().count("bars")
    assert run("status") == 0
    assert "finished" in capsys.readouterr().out


def search(*more: str) -> tuple[str, ...]:
    """A small search; run again, it goes on with what is missing."""
    settings = ("name=mine", "predictor=small", "limits.params=2500", "candidates=40", "batch=16",
                "verify.top=2", "verify.random=2", *more)  # fmt: skip
    words = [word for setting in settings for word in ("-s", setting)]
    return ("search", "-c", "task.yaml", "-d", "bars", *words)


def test_search_goes_on_from_the_store(home, capfd):
    """What is in the store is not made again, and a quiet search says one line."""
    store = open_store("store")
    before = {path: store.get(path) for path in store.list("searches/mine")}
    store.delete("searches/mine/finished/000000.json")
    store.delete("searches/mine/batches/000002.parquet")
    store.delete("searches/mine/rounds/000001.json")
    runs = store.list("runs")
    capfd.readouterr()
    assert run(*search(), "--quiet") == 0
    out, err = capfd.readouterr()
    assert (err, out.count("\n")) == ("", 1)
    assert re.match(r"Best student \S+: .+ Report: report-mine.html$", out)
    after = {path: store.get(path) for path in store.list("searches/mine")}
    assert after.keys() == before.keys()
    made_again = {path for path in before if after[path] != before[path]}
    assert made_again <= {
        f"searches/mine/{path}"
        for path in ("finished/000000.json", "batches/000002.parquet", "rounds/000001.json")
    }
    assert set(runs) <= set(store.list("runs"))


def test_a_finished_search_goes_on_with_more(home, capsys):
    """With a larger budget only what is missing is done; the report tells the new one."""
    store = open_store("store")
    before = {path: store.get(path) for path in store.list("searches/mine")}
    assert run(*search(), "-s", "candidates=56", "-s", "verify.top=3") == 0
    out = capsys.readouterr().out
    assert "scoring candidates: 0 of 16" in out
    assert "56 candidates scored" in out
    after = {path: store.get(path) for path in store.list("searches/mine")}
    assert {path: after[path] for path in before} == before
    assert sum(len(batch) for batch in searches.read_batches(store, "mine")) == 56
    assert [c.round for c in searches.choices(store, "mine") if c.role == "top"] == [1, 1, 2]
    assert run(*search()) == 0  # the smaller budget is met
    assert {path: store.get(path) for path in store.list("searches/mine")} == after


def test_a_search_within_a_latency(home, capsys):
    """Milliseconds of a measured table are a limit and an objective, and are told."""
    store, table = open_store("store"), latency_table()
    latencies.commit(store, "abacus", table)
    limit = float(np.median(table.milliseconds(TINY.pack(specs(TINY, 50)))))
    words = search("name=quick", "latency=abacus", f"limits.latency={limit}",
                   "objectives=[accuracy_lower, latency]", "verify.choose=front")  # fmt: skip
    assert run(*words) == 0
    assert re.search(r"params +FLOPs +ms +predicted", capsys.readouterr().out)
    chosen = searches.choices(store, "quick")
    assert len(chosen) == 4
    for choice in chosen:
        ms = table.milliseconds(TINY.pack([Spec.parse(choice.spec)]))[0]
        assert choice.latency == pytest.approx(ms)
        assert ms <= limit
    page = (home / "report-quick.html").read_text()
    assert f"{chosen[0].latency:.3g} ms" in page
    least, most = (pick(choice.latency for choice in chosen) for pick in (min, max))
    words = ("export", "quick", "--no-onnx", "--out", "quick", "--latency-ms")
    assert run(*words, (least + most) / 2) == 0
    card = json.loads((home / "quick" / "card.json").read_text())
    assert card["predicted"]["latency_ms"] <= (least + most) / 2 < most


def test_a_search_in_rounds(home, capsys):
    """The second round is scored anew; lost, it is chosen again as it was. TensorBoard is told."""
    there = open_store("store").list("runs")
    rounds = search("name=mine-in-rounds", "verify.top=3", "verify.rounds=2")
    assert run(*rounds, "-s", "track=[tensorboard]") == 0
    out = capsys.readouterr().out
    assert "round 2 of 2: scoring the best again" in out
    assert "round 2 of 2: distilling students: 1 of 1" in out
    store = open_store("store")
    chosen = searches.choices(store, "mine-in-rounds")
    assert [(c.role, c.round) for c in chosen] == [
        ("top", 1), ("top", 1), ("random", 1), ("random", 1), ("top", 2),
    ]  # fmt: skip
    assert len({choice.spec for choice in chosen}) == 5
    before = {path: store.get(path) for path in store.list("searches/mine-in-rounds")}
    runs = store.list("runs")
    told = tensorboard(home / "tracking" / "mine-in-rounds")
    steps = [step for step, _ in told.pop("job")["best_predicted"]]
    assert (len(steps), steps[-1]) == (4, 40)  # two batches a round, in the order they ended
    assert len(told) == len(runs) - len(there)
    assert all(len(curve["validation"]) == 2 and curve["test"] for curve in told.values())
    lost = {f"searches/mine-in-rounds/{p}" for p in ("finished/000000.json", "rounds/000002.json")}
    for path in lost:
        store.delete(path)
    assert run(*rounds) == 0
    assert store.list("runs") == runs
    after = {path: store.get(path) for path in store.list("searches/mine-in-rounds")}
    assert after.keys() == before.keys()
    assert {path for path in after if after[path] != before[path]} == lost  # in their seconds
    assert searches.choices(store, "mine-in-rounds") == chosen
    again = searches.read_rounds(store, "mine-in-rounds")[1]
    assert again.seconds > searches.seconds_of(store, "mine-in-rounds", 2) > 0


def test_a_search_with_two_teachers(home, capsys):
    """Every choice names its teacher, and so do report and export; lost, all comes back."""
    another = ("-s", "datasets=[bars]", "-s", "teacher_seeds=[1]", "-s", "students=1")
    assert run("collect", "-c", "task.yaml", *another) == 0
    store = open_store("store")
    ids = [card.id for card in list_teachers(store) if card.dataset == "bars"]
    assert len(ids) == 2
    words = search("name=two", f"teachers=[{', '.join(ids)}]", "candidates=24", "verify.rounds=2")
    capsys.readouterr()
    assert run(*words) == 0
    out = capsys.readouterr().out
    best = re.search(r"Best student (\S+), distilled from teacher \d \((\w+)\)", out)
    chosen = searches.choices(store, "two")
    rows = ledger.rows_of(store, [key for choice in chosen for key in choice.keys])
    told = [(rows[choice.keys[0]].spec, rows[choice.keys[0]].teacher) for choice in chosen]
    assert told == [(choice.spec, choice.teacher) for choice in chosen]
    assert [choice.teacher for choice in chosen if choice.role == "random"] == ids
    assert best.groups() in told
    before = {path: store.get(path) for path in store.list("searches/two")}
    for path in ("finished/000000.json", "rounds/000002.json", "batches/000001.parquet"):
        store.delete(f"searches/two/{path}")
    runs = store.list("runs")
    assert run(*words) == 0
    after = {path: store.get(path) for path in store.list("searches/two")}
    assert after.keys() == before.keys()
    assert after["searches/two/rounds/000001.json"] == before["searches/two/rounds/000001.json"]
    assert set(runs) <= set(store.list("runs"))

    other = next(name for name in ids if name != best[2])
    assert run("export", "two", "--teacher", other, "--no-onnx", "--out", "other") == 0
    card = json.loads((home / "other" / "card.json").read_text())
    assert (card["spec"], card["teacher"]) in told
    assert card["teacher"] == other
    assert card["commands"][-1] == f"dass-ray export --spec {card['spec']} --teacher {other}"


def test_ways_of_searching_are_compared(home, capsys):
    """Under two limits; the second time, nothing is distilled or chosen again."""
    table = latency_table()
    latencies.commit(open_store("store"), "abacus", table)
    ms = float(np.median(table.milliseconds(TINY.pack(specs(TINY, 50)))))
    settings = search(f"under=[{{params: 2500}}, {{latency: {ms}}}]", "baselines=[nwot]", "pool=6",
                      "images=8", "name=ways", "dataset=bars", "latency=abacus")  # fmt: skip
    words = ("compare", *settings[1:3], *settings[5:], "--json")
    assert run(*words) == 0
    out = capsys.readouterr().out
    found = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert [line["way"] for line in found] == ["predictor", "random", "nwot", "search by KD"]
    assert all(0 <= line["mean"] <= 1 and line["kd_seconds"] > 0 for line in found)
    store = open_store("store")
    there = store.list("runs") + store.list("comparisons")
    assert len([path for path in there if path.startswith("comparisons")]) == 4
    assert run(*words) == 0
    again = capsys.readouterr().out
    assert [line for line in again.splitlines() if line.startswith("{")] == [
        json.dumps(line) for line in found
    ]
    assert store.list("runs") + store.list("comparisons") == there
    assert run(*words, "-s", "baselines=[nwott]") == 2
    assert "no zero-cost score 'nwott'" in capsys.readouterr().err


def test_a_lost_batch_is_scored_again(home):
    """A hole in the numbers, left by a batch that failed, is no batch that is there."""
    store = open_store("store")
    name = "mine-with-a-hole"
    assert run(*search(f"name={name}")) == 0
    for path in ("finished/000000.json", "rounds/000001.json", "batches/000001.parquet"):
        store.delete(f"searches/{name}/{path}")
    assert run(*search(f"name={name}")) == 0
    assert sum(len(batch) for batch in searches.read_batches(store, name)) == 40
    assert [path[-9:-8] for path in store.list(f"searches/{name}/batches")] == ["0", "2", "3"]


def test_same_name_other_settings(home, capsys):
    assert run(*search("batch=8")) == 2
    assert "another search called 'mine'" in capsys.readouterr().err


BAD = {
    "unknown key": ((*search("kd.epoch=3"),), "did you mean 'epochs'"),
    "no equals": ((*search("candidates"),), "--set 'candidates' needs the form key=value"),
    "wrong value": ((*search("candidates=many"),), "candidates"),
    "limits too tight": ((*search("limits.params=100"),), "the smallest one has"),
    "predictor of another space": (
        ("search", "-d", "bars", "-s", "predictor=small"), "made for the space 'tiny'",
    ),
    "no such predictor": ((*search("predictor=big"),), "known: shipped, small"),
    "no such data set": (("search", "-d", "bar"), "bars"),
    "no such search": (("report", "yours"), "known: mine"),
    "no such student": (("export", "mine", "--spec", "4/8"), "verified:"),
    "no latencies": (("export", "mine", "--latency-ms", "1"), "'mine' knows no latencies"),
    "negative latency": (("export", "mine", "--latency-ms", "-1"), "greater than 0"),
    "name of a folder": ((*search("name=a/b"),), "name"),
    "no objective": ((*search("objectives=[]"),), "objectives"),
    "latency without a table": ((*search("limits.latency=1"),), "latency needs a table"),
    "no such table": ((*search("latency=phone"),), "no latency table 'phone'"),
    "objective named twice": ((*search("objectives=[flops, flops]"),), "named twice"),
    "endless rate": ((*search("kd.lr=.inf"),), "kd.lr"),
    "too many scorers": ((*search("name=many", "resources.scorers=99"),), "99 scorers"),
    "too many CPUs": (
        ("collect", "-c", "task.yaml", "-s", "datasets=[bars]", "-s", "resources.cpus_per_run=99"),
        "more than the cluster has",
    ),
    "name is taken": (
        ("meta-train", "-s", "name=small", "-s", "train=[bars]", "-s", "validation=[dots]"),
        "a predictor called 'small' already",
    ),
    "name of ours": (
        ("meta-train", "-s", "name=shipped", "-s", "train=[bars]", "-s", "validation=[dots]"),
        "a predictor called 'shipped' already",
    ),
    "missing config": (("collect", "-c", "none.yaml"), "cannot read the config none.yaml"),
    "no runs": (
        ("evaluate", "-d", "bars", "-s", "predictor=shipped"), "fewer than 3 finished runs",
    ),
    "missing store": (("runs", "--store", "nowhere"), "nowhere"),
    "no such teacher": ((*search("teacher_id=abc"),), "no teacher 'abc'"),
    "teacher of other data": (
        ("search", "-c", "task.yaml", "-d", "dots", "-s", "predictor=small", "-s",
         "teacher_id=BARS"), "knows 'bars' with 3",
    ),
    "no such teacher of several": ((*search("teachers=[abc, BARS]"),), "no teacher 'abc'"),
    "the same teacher twice": ((*search("teachers=[BARS, BARS]"),), "is named twice"),
    "a teacher and several": (
        (*search("teachers=[BARS]", "teacher_id=BARS"),), "teacher_id and teachers are both set",
    ),
    "teachers are no list": ((*search("teachers=BARS"),), "write a list, as in ["),
    "several teachers compared": (
        ("compare", "-s", "dataset=bars", "-s", "under=[{params: 9}]", "-s", "teachers=[a, b]"),
        "set teacher_id, not teachers",
    ),
    "no such teacher of a search": (
        ("export", "mine", "--teacher", "abc"), "the search 'mine' has no teacher 'abc'",
    ),
    "nothing given": (("search",), "'dataset' is missing: write it in the config"),
    "missing source": (("data", "import", "x", "nothing"), "nothing; check the path"),
    "unreadable weights": (("teacher", "import", "task.yaml", "-d", "bars"), "safetensors"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_exit_code_2(home, capsys, name):
    words, message = BAD[name]
    bars = next(card.id for card in list_teachers(open_store("store")) if card.dataset == "bars")
    words = [word.replace("BARS", bars) for word in words]
    before = open_store("store").list("")
    assert run(*words) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert err.startswith("error: ")
    assert open_store("store").list("") == before


def test_teacher_near_chance_is_told(home, capsys):
    words = ("search", "-c", "task.yaml", "-d", "bars", "-s", "predictor=small", "-s",
             "teacher.epochs=1", "-s", "teacher.lr=1e-6")  # fmt: skip
    assert run(*words) == 2
    err = capsys.readouterr().err
    assert "stayed near chance" in err
    assert "teacher.lr=" in err


def test_diverged_students_are_results(home, capsys):
    """A run whose loss is not finite becomes a row with its status, and the search ends well."""
    assert run(*search("name=wild", "kd.lr=1e12", "kd.clip_norm=null", "kd.warmup=0")) == 0
    rows = ledger.read(open_store("store"))
    assert rows["status"].to_pylist().count("diverged") == 4
    assert "diverged" in capsys.readouterr().out


def test_nan_score_is_an_error(home, monkeypatch):
    """A predictor that gives NaN ends the search; nothing of the batch is committed."""

    def broken(self, trials, scored):
        scored.predicted[0] = np.nan
        return tell(self, trials, scored)

    tell = Explorer.tell
    monkeypatch.setattr(Explorer, "tell", broken)
    with pytest.raises(Exception, match="not a number"):
        run(*search("name=nan"))
    assert not open_store("store").list("searches/nan/batches")
