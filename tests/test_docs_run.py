"""Every command of README, docs and configs, run: a real store, a real Ray, real distillation.

Each keeps its own words. What stands for something of the reader's (SOURCE, FILE, a teacher's
identity) is replaced by what is made here, and settings are appended that make the work small. The
pages share a store, which does nothing twice; so do commands that stand on several pages.
"""

import re
import shutil

import pytest
import yaml

from dass_ray.actors.session import ray_session
from dass_ray.models import latency

from .doc_commands import EVERY, ROOT, Command
from .doc_lab import COLLECT, KD, LONGER, META_TRAIN, TEACHER, Lab, settings

pytestmark = pytest.mark.timeout(600)

CLUSTER, CLOUD = "needs a cluster's job server; tests/test_job_server.py has one", "needs a cloud"
BENCHES = (
    "scoring",
    "kd",
    "meta-train",
    "store",
    "store --rows 1000000 --json",
    "collect",
    "scale",
)
NOT_RUN = {
    "make demo": "makes a virtual environment; its search is configs/quickstart.yaml, run here",
    "make test": "is what runs this",
    "pip install --constraint constraints.txt .": "changes the environment",
    "pip install 'dass-ray[transformers]'": "changes the environment",
    "docker build -f cluster/Dockerfile -t REGISTRY/dass-ray:0.1.0 .": (
        "needs a container builder; tests/cluster/test_image.py reads the file"
    ),
    "docker push REGISTRY/dass-ray:0.1.0": "needs a registry",
    "ray up cluster/aws.yaml": f"{CLOUD}; tests/cluster/test_ray_up.py looks at the file",
    "ray dashboard cluster/aws.yaml": CLOUD,
    "ray down cluster/aws.yaml": CLOUD,
    "cluster/local.sh 3": "starts four Rays; tests/test_job_server.py runs the script",
    "cluster/local.sh 2 --name gpus -- --num-gpus=1": "the same",
    "cluster/local.sh stop": "the same",
    "dass-ray submit --address http://head:8265 search -c search.yaml --store s3://bucket/lab": (
        CLUSTER
    ),
    "dass-ray submit --cpus 8 meta-train ...": CLUSTER,
    "dass-ray submit --install package search ...": CLUSTER,
    "dass-ray search -d digits -s 'track=[mlflow, wandb]'": (
        "extras that tests do without; see tests/tracking"
    ),
    "dass-ray teacher import hf:someone/model -d stones": "needs the hub",
    "dass-ray teacher import timm:resnet18 -d stones -w weights.safetensors": (
        "an extra that tests do without; it needs a torchvision that fits torch"
    ),
    **{f"dass-ray bench {name}": "tests/bench/test_bench.py runs it" for name in BENCHES},
    "dass-ray bench samplers -d cifar10 --params 200000 --seconds 40 --seeds 5": (
        "half a minute at the least; tests/bench/test_search.py runs what it calls"
    ),
    "dass-ray bench search --candidates 8192 --batch 512 --plain 48": "the same",
}
PROGRAMS = {"kubectl": "needs Kubernetes; tests/cluster/test_kuberay.py checks the files",
                  "ray job submit": f"{CLUSTER}; the job behind -- is run here"}  # fmt: skip

PLANNED = {  # run with --dry-run, which refuses what the search itself would, and does nothing
    "dass-ray search -d flowers -s kd.losses.dist=1": (
        "configs/micro_collect_losses.yaml distils with it"
    ),
    "dass-ray search -d flowers -s space=micro-mobile -s limits.params=20000": (
        "tests/families/test_path.py searches another family"
    ),
    "dass-ray search -d stones -s teacher_id=1d0391f6dc1ecfbf -s limits.params=150000 "
    "-s candidates=512 -s verify.top=2 -s verify.random=2": "the search with two teachers has it",
    "dass-ray search -d cifar10 -s latency=here -s limits.latency=1.0 -s "
    "'objectives=[accuracy, latency]' -s verify.top=8 -s verify.random=8": (
        "README's search knows latencies"
    ),
    "dass-ray search -d cifar10 -s limits.params=200000 -s candidates=100000 -s batch=1024 "
    "-s verify.top=8 -s verify.random=8": "other searches differ in numbers alone",
}

SEARCH = (*TEACHER, *KD, "candidates=8", "batch=8", "verify.top=1", "verify.random=1",
          "resources.scorers=1")  # fmt: skip
SMALL = {
    "teacher train": TEACHER,
    "teacher import": TEACHER,
    "search": SEARCH,
    "compare": (
        *SEARCH,
        LONGER,
        "verify.seeds=[0]",
        "under=[{params: 200000}]",
        "pool=4",
        "images=8",
    ),
    "collect": (*COLLECT, "teacher_seeds=[0]"),
    "meta-train": META_TRAIN,
    "evaluate": ("images=2", "repeats=1", "given=[2]"),
    "record": ("images=2",),
}
BUDGET = ("candidates", "batch", "verify.top", "verify.random", "given")
"""What is lowered even where a command sets it."""
OPTIONS = {
    "export": "--no-onnx",
    "latency measure": "--students 8",
    "replay": "--repeats 2",
    "bench scoring": "--students 4 --plain 2 --rounds 1",
    "bench growth": "--candidates 1000",
}
WITH_ONNX = ("dass-ray export --out student", "dass-ray export --pixels")

TINY_IMAGENET = [f"dass-ray data import tiny_imagenet_{split} SOURCE" for split in range(10)]
DATA = ["dass-ray data import cifar10 SOURCE", *TINY_IMAGENET]
FLOWERS = ["dass-ray data import flowers ./flowers"]
COLLECTED = [
    *DATA,
    "dass-ray collect -c configs/micro_collect.yaml",
    "dass-ray collect -c configs/micro_collect_unseen.yaml",
]
BEFORE = {  # what a page takes for granted
    "README.md": DATA,
    "CONCEPTS.md": FLOWERS,
    "DISTILLATION.md": FLOWERS,
    "EXPORT.md": [
        *DATA,
        *FLOWERS,
        "dass-ray latency measure here",
        "dass-ray search -d flowers -s latency=here -s limits.latency=1.0",
    ],
    "FAMILIES.md": FLOWERS,
    "PERFORMANCE.md": DATA,
    "PREDICTOR.md": COLLECTED,
    "QUERY.md": COLLECTED,
    "RELIABILITY.md": COLLECTED,
    "RESULTS.md": [
        *COLLECTED,
        "dass-ray meta-train -c configs/micro_meta_train.yaml",
        "dass-ray evaluate -c configs/micro_evaluate.yaml -s predictor=micro-v3 --out cifar10",
    ],
    "micro_collect_losses.yaml": DATA,
    "micro_compare.yaml": DATA,
}
PAGES = list(dict.fromkeys(command.page for command in EVERY))


def appended(text):
    """What makes a command small; of what it sets itself only its budget is lowered."""
    if text in PLANNED:
        return ["--dry-run"]
    verb = Command("", text).verb
    own = set(re.findall(r"-s ['\"]?([\w.]+)=", text)) - set(BUDGET)
    small = [one for one in SMALL.get(verb, ()) if one.split("=")[0] not in own]
    if "micro_evaluate" in text:  # it has many
        small.append("ablations={one member: {members: 1}}")
    if "micro_collect_losses" in text:  # its recipes are a list
        small = [one for one in small if not one.startswith("kd.")] + [losses()]
    options = "" if text.startswith(WITH_ONNX) else OPTIONS.get(verb, "")
    return [*settings(small), *options.split()]


def losses():
    """The recipes of the config, each made small; as long as other runs of `collect`."""
    recipes = yaml.safe_load((ROOT / "configs/micro_collect_losses.yaml").read_text())["kd"]
    small = {"epochs": 4, "min_steps": 0, "views": 1}
    return "kd=" + yaml.safe_dump([one | small for one in recipes], default_flow_style=True)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A reader's folder, and one Ray for the whole module."""
    folder = tmp_path_factory.mktemp("lab")
    with pytest.MonkeyPatch.context() as patch, ray_session(cpus=1):
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        patch.setattr(latency, "MIN_RUN_S", 1e-3)  # of timings
        yield Lab(folder)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_runs(lab, page):
    shutil.rmtree("student", ignore_errors=True)  # an export takes no folder that exists
    shown = [one.text for one in EVERY if one.page == page and one.ours and not one.mention]
    for text in [*BEFORE.get(page, ()), *shown]:
        if text not in NOT_RUN:
            lab.run(text, appended(text))


def test_what_is_not_run_is_shown_and_nothing_else_is_left_out():
    shown = {one.text for one in EVERY}
    assert NOT_RUN.keys() | PLANNED.keys() <= shown
    left_out = [one.text for one in EVERY if not one.ours and one.text not in NOT_RUN]
    known = {text: program for text in left_out for program in PROGRAMS if text.startswith(program)}
    assert known.keys() == set(left_out)
    assert set(known.values()) == PROGRAMS.keys()
