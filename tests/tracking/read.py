"""What trackers have written, read back from their files: {run: {metric: [(step, value), ...]}}."""

import json
import struct
from collections import defaultdict

from tensorboardX.proto.event_pb2 import Event


def events(file):
    """The events of one of TensorBoard's files: records of a length, its CRC, data and its CRC."""
    data, at = file.read_bytes(), 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        yield Event.FromString(data[at + 12 : at + 12 + length])
        at += 12 + length + 4


def tensorboard(folder):
    """By folder, which TensorBoard shows as a run."""
    found = defaultdict(lambda: defaultdict(list))
    for file in sorted(folder.rglob("events.*")):
        for event in events(file):
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    curve = found[str(file.parent.relative_to(folder))][value.tag]
                    curve.append((event.step, value.simple_value))
    return found


def texts(folder):
    """The texts of all runs."""
    every = (event for file in folder.rglob("events.*") for event in events(file))
    values = [value for event in every for value in event.summary.value]
    return [text.decode() for value in values for text in value.tensor.string_val]


def mlflow(uri):
    """By the group and the name of a run."""
    from mlflow.tracking import MlflowClient  # noqa: PLC0415 - an extra

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("dass-ray").experiment_id
    found = {}
    for run in client.search_runs([experiment]):
        metrics = {
            name: [
                (one.step, one.value) for one in client.get_metric_history(run.info.run_id, name)
            ]
            for name in run.data.metrics
        }
        found[f"{run.data.tags['group']}/{run.info.run_name}"] = metrics
    return found


def wandb(folder):
    """By the group and the name of a run."""
    from wandb.proto.wandb_internal_pb2 import Record  # noqa: PLC0415 - an extra

    found = {}
    for file in folder.rglob("*.wandb"):
        name, metrics = "", defaultdict(list)
        for record in map(Record.FromString, records(file)):
            if record.HasField("run"):
                name = f"{record.run.run_group}/{record.run.display_name}"
            for item in record.history.item:
                key = item.key or "/".join(item.nested_key)
                if not key.startswith("_"):
                    metrics[key].append((record.history.step.num, json.loads(item.value_json)))
        found[name] = metrics
    return found


def records(file):
    """The records of a small file of wandb, in LevelDB's log format: a CRC, a length, a kind."""
    data, at = file.read_bytes(), 7
    assert len(data) < 2**15, "more than one block"
    while at < len(data):
        _, length, kind = struct.unpack_from("<IHB", data, at)
        assert kind == 1, "not whole"
        yield data[at + 7 : at + 7 + length]
        at += 7 + length
