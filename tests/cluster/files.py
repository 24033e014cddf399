"""The files of cluster/, and what is asked of several of them."""

import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "cluster"
RAY_UP = ("aws.yaml", "gcp.yaml")
KUBERAY = ("raycluster.yaml", "rayjob.yaml")
DETECTION = yaml.safe_load((FOLDER / "failure_detection.yaml").read_text())
PINNED = dict(
    line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
)


def ray_up(name):
    return yaml.safe_load((FOLDER / name).read_text())


def kuberay(name):
    """The documents of a file of cluster/kuberay."""
    return list(yaml.safe_load_all((FOLDER / "kuberay" / name).read_text()))


def spec_of(name):
    """The Ray cluster of a file of KUBERAY."""
    (document,) = kuberay(name)
    return document["spec"].get("rayClusterSpec", document["spec"])


def groups(spec):
    """The head's and the workers' groups of a Ray cluster."""
    return [spec["headGroupSpec"], *spec["workerGroupSpecs"]]


def system_config(text):
    """The head's configuration in the text of a `ray start`."""
    return json.loads(re.search(r"'(\{.*?\})'", " ".join(text.split()))[1])
