"""Imports go down only, and the science needs no Ray; the checks themselves are shown to fail."""

import ast
import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "dass_ray"
LAYERS = {
    "__init__": 0, "errors": 0, "frozen": 0, "space": 0, "cost": 0, "recipe": 0, "records": 0,
    "config": 0, "families": 0, "keys": 0, "latencies": 0, "latency": 0, "ledger": 0, "limits": 0,
    "network": 0, "pace": 0, "plan": 0, "reference": 0, "sampling": 0, "searches": 0, "settings": 0,
    "store": 0, "submission": 0, "watch": 0,
    "models": 1, "data": 1, "kd": 1, "zero_cost": 1,
    "predictor": 2, "evaluation": 2,
    "actors": 3,
    "bench": 4, "cli": 4, "collect": 4, "contest": 4, "explore": 4, "export": 4,
    "import_teacher": 4, "job_server": 4, "pipeline": 4, "replay": 4, "report": 4, "rounds": 4,
    "search": 4, "search_forecast": 4, "tracking": 4, "verify": 4,
}  # fmt: skip
FORBIDDEN = {0: {"torch", "ray"}, 1: {"ray"}, 2: {"ray"}}


def modules(package):
    """The dotted name of every module of a package, and its file."""
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file


def member(name):
    """What the layer table calls a dotted name: its part below the package."""
    return (*name.split("."), "__init__")[1]


@functools.cache
def import_nodes(source):
    """All import statements of a module's source, inside of functions too."""
    nodes = ast.walk(ast.parse(source))
    return [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]


def imported(module, file):
    """Dotted names of what a module imports."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in import_nodes(file.read_text()):
        source = []
        if isinstance(node, ast.ImportFrom):
            above = package.split(".")[: 1 - node.level or None] if node.level else []
            source = [*above, *filter(None, [node.module])]
        yield from (".".join([*source, alias.name]) for alias in node.names)


def violations(package):
    """Each import that goes up, each forbidden one, and each module without a layer."""
    found = []
    for module, file in modules(package):
        layer = LAYERS.get(member(module))
        if layer is None:
            found.append(f"{module} has no layer")
            continue
        for name in sorted(set(imported(module, file))):
            if name.split(".")[0] in FORBIDDEN.get(layer, ()):
                found.append(f"{module} (layer {layer}) imports {name}")
            is_ours = name.split(".")[0] == package.name
            if is_ours and LAYERS.get(member(name), 0) > layer:  # an attribute of the root is of 0
                found.append(f"{module} (layer {layer}) imports {name}")
    return found


def loaded(names, words, path=PACKAGE.parent):
    """Which of `words` a fresh interpreter has loaded after importing the modules."""
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1].split(): importlib.import_module(name)\n"
        "print(*(word for word in sys.argv[2].split() if word in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, " ".join(names), " ".join(words)],
        env={**os.environ, "PYTHONPATH": str(path)}, cwd=path, text=True, capture_output=True,
        check=True,
    )  # fmt: skip
    return done.stdout.split()


def of_layers(*layers):
    return [name for name, _ in modules(PACKAGE) if LAYERS[member(name)] in layers]


def test_imports_go_down_only():
    assert violations(PACKAGE) == []


def test_every_entry_of_the_table_exists():
    assert set(LAYERS) == {member(name) for name, _ in modules(PACKAGE)}


def test_layer_0_needs_neither_torch_nor_ray():
    assert len(of_layers(0)) > 15
    assert loaded(of_layers(0), ["torch", "ray", "dass_ray.store.s3"]) == ["dass_ray.store.s3"]


def test_layers_0_to_2_do_not_need_ray():
    names = of_layers(0, 1, 2)
    assert "dass_ray.predictor.meta_train" in names
    assert loaded(names, ["ray", "torch"]) == ["torch"]


@pytest.fixture
def copy(tmp_path):
    """A copy of the package, to be spoilt."""
    pattern = shutil.ignore_patterns("__pycache__", "*.html", "*.css", "*.js", "shipped")
    return Path(shutil.copytree(PACKAGE, tmp_path / "dass_ray", ignore=pattern))


def spoil(package, module, line):
    file = package / module
    file.write_text(f"{file.read_text()}\n{line}\n")


@pytest.mark.parametrize(
    ("module", "line", "found"),
    [
        ("space.py", "import torch", "dass_ray.space (layer 0) imports torch"),
        ("space.py", "from torch.nn import Linear", "dass_ray.space (layer 0) imports torch.nn.L"),
        (
            "ledger/__init__.py",
            "def f():\n    import ray.tune",
            "dass_ray.ledger (layer 0) imports ray.",
        ),
        ("cost.py", "from dass_ray.models.resnet import ResNet", "imports dass_ray.models.resnet"),
        ("cost.py", "from dass_ray import models", "(layer 0) imports dass_ray.models"),
        ("cost.py", "import dass_ray.predictor.model", "imports dass_ray.predictor.model"),
        ("cost.py", "from . import kd", "dass_ray.cost (layer 0) imports dass_ray.kd"),
        ("cost.py", "from .kd import train", "dass_ray.cost (layer 0) imports dass_ray.kd.train"),
        ("store/s3.py", "from ..data import card", "dass_ray.store.s3 (layer 0) imports dass_ray."),
        ("store/__init__.py", "from .. import data", "dass_ray.store (layer 0) imports dass_ray.d"),
        ("__init__.py", "from dass_ray.search import explore", "dass_ray (layer 0) imports dass"),
        ("models/remap.py", "import ray", "dass_ray.models.remap (layer 1) imports ray"),
        ("kd/train.py", "from dass_ray.predictor import model", "(layer 1) imports dass_ray.pred"),
        ("predictor/model.py", "from ray import tune", "(layer 2) imports ray.tune"),
        ("predictor/model.py", "import dass_ray.actors.pool", "(layer 2) imports dass_ray.actors"),
        ("actors/pool.py", "from dass_ray import collect", "(layer 3) imports dass_ray.collect"),
        ("store/base.py", "if TYPE_CHECKING:\n    import ray", "dass_ray.store.base (layer 0) imp"),
    ],
)
def test_the_check_sees_a_wrong_import(copy, module, line, found):
    assert violations(copy) == []
    spoil(copy, module, line)
    (only,) = violations(copy)
    assert found in only


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("space.py", "from dass_ray import __version__, errors"),
        ("kd/train.py", "from ..models import resnet"),
        ("predictor/model.py", "import torch, dass_ray.kd.train"),
        ("actors/pool.py", "import ray"),
        ("search.py", "from dass_ray.cli import main"),
    ],
)
def test_the_check_allows_what_is_right(copy, module, line):
    spoil(copy, module, line)
    assert violations(copy) == []


@pytest.mark.parametrize("file", ["gadgets.py", "gadgets/__init__.py"])
def test_the_check_sees_a_module_without_a_layer(copy, file):
    (copy / file).parent.mkdir(exist_ok=True)
    (copy / file).write_text("")
    assert violations(copy) == ["dass_ray.gadgets has no layer"]


def test_a_fresh_interpreter_sees_what_others_import(copy):
    """An import that no line of ours shows."""
    (copy.parent / "innocent.py").write_text("import ray\n")
    (copy.parent / "ray.py").write_text("")  # instead of the real one, which takes seconds
    names = ["dass_ray.errors", "dass_ray.space"]
    assert loaded(names, ["torch", "ray"], copy.parent) == []
    spoil(copy, "errors.py", "import innocent")
    assert violations(copy) == []
    assert loaded(names, ["torch", "ray"], copy.parent) == ["ray"]
