"""What people give as a teacher: weights of our ResNet, a transformers folder, a named network."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from dass_ray.errors import UserError
from dass_ray.kd.arguments import check_names
from dass_ray.models.weights import from_bytes
from dass_ray.network import SOURCE, Network

HUB = "hf:"
_NO_ARGUMENTS = {
    "_name_or_path", "architectures", "dtype", "id2label", "label2id", "model_type", "num_labels",
    "problem_type", "torch_dtype", "transformers_version",
}  # fmt: skip


@dataclass(frozen=True)
class Given:
    """Weights, and the network that they are of; None: the largest one of a space."""

    network: Network | None
    state: dict[str, Tensor]
    where: str

    def changed(self, by: Mapping[str, Any]) -> Network | None:
        """The network with the fields that the user has set."""
        if self.network is None and by:
            raise UserError(
                f"{self.where} is taken for weights of the space's largest network, which has no "
                "network settings; name the network, and give the file with --weights"
            )
        if self.network is None:
            return None
        network = Network.parse({**self.network.model_dump(), **by}, "the settings")
        if "arguments" in by:
            check_names(network)
        return network


def read(source: str, weights: Path | None, classes: Sequence[str]) -> Given:
    """What a source is, in this order: a folder, `hf:NAME`, a file of weights, a network's name.

    weights: of a network that is named; classes: of the data set. UserError for everything else.
    """
    if re.fullmatch(SOURCE, source):
        if weights is None:
            raise UserError(
                f"{source} has no weights yet: give them with --weights FILE, or train it with "
                f"`dass-ray teacher train -s network.source={source}`"
            )
        return Given(Network(source=source), read_weights(weights), str(weights))
    path = _fetched(source.removeprefix(HUB)) if source.startswith(HUB) else Path(source)
    path = path.expanduser()
    if path.is_dir():
        return read_transformers(path, classes)
    if not path.exists():
        raise UserError(
            f"there is no {source}: give a file of weights, a folder that transformers saved, "
            "hf:NAME, or a network's name as in transformers:resnet, timm:resnet18 or mine:Net"
        )
    return Given(None, read_weights(path), source)


def read_weights(path: Path) -> dict[str, Tensor]:
    """A state dict of a safetensors file, or of a file of `torch.save`, of tensors alone.

    The names lose the `module.` that DataParallel writes.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    state = _torch_file(path) if path.suffix in (".pt", ".pth", ".bin") else None
    state = state or from_bytes(data, str(path))
    if all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    return state


def _torch_file(path: Path) -> dict[str, Tensor]:
    """PyTorch's restricted reader makes tensors and plain containers, and runs no code."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, ValueError):
        found = None
    for key in ("state_dict", "model"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not all(isinstance(v, Tensor) for v in found.values()):
        raise UserError(
            f"{path} holds more than a state dict: write it with "
            "`safetensors.torch.save_file(net.state_dict(), FILE)`"
        )
    return dict(found)


def read_transformers(folder: Path, classes: Sequence[str]) -> Given:
    """A folder of `save_pretrained`: config.json, model.safetensors, preprocessor_config.json.

    The last one, if it is there, gives size and normalisation. Where the configuration names its
    labels and all classes of the data set are among them, their outputs are chosen by name.
    """
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise UserError(
                f"{folder} has no {name}: save the model there with `save_pretrained`, or give a "
                "file of weights"
            )
    config, image = _json(folder / "config.json"), folder / "preprocessor_config.json"
    labels = [label for _, label in sorted(_labels(config).items())]
    arguments = {k: v for k, v in config.items() if k not in _NO_ARGUMENTS}
    network: dict[str, Any] = {
        "source": f"transformers:{config.get('model_type')}",
        "arguments": arguments | ({"num_labels": len(labels)} if labels else {}),
        "outputs": _outputs(labels, classes),
        **(_normalisation(_json(image)) if image.is_file() else {}),
    }
    weights = folder / "model.safetensors"
    return Given(Network.parse(network, str(folder)), read_weights(weights), str(weights))


def _labels(config: Mapping[str, Any]) -> dict[int, str]:
    return {int(number): str(label) for number, label in config.get("id2label", {}).items()}


def _outputs(labels: Sequence[str], classes: Sequence[str]) -> list[int] | None:
    """Which output each class is, by name; None where they are the same or a name is missing."""
    place = {label.lower(): i for i, label in enumerate(labels)}
    found = [place.get(name.lower()) for name in classes]
    chosen = [i for i in found if i is not None]
    return chosen if len(chosen) == len(classes) and chosen != list(range(len(labels))) else None


def _normalisation(image: Mapping[str, Any]) -> dict[str, Any]:
    size = image.get("crop_size") or image.get("size") or {}
    side = size.get("height", size.get("shortest_edge")) if isinstance(size, dict) else size
    if image.get("do_normalize") is False:  # then the mean and std beside it are not used
        return {"image_size": side, "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    return {"image_size": side, "mean": image.get("image_mean"), "std": image.get("image_std")}


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path} as JSON: {error}; save the model again") from None
    return found if isinstance(found, dict) else {}


def _fetched(name: str) -> Path:
    """A model of the Hugging Face hub, as a folder."""
    try:
        from huggingface_hub import snapshot_download  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise UserError(
            "models of the hub need another package: `pip install 'dass-ray[transformers]'`"
        ) from None
    files = ["config.json", "model.safetensors", "preprocessor_config.json"]
    try:
        return Path(snapshot_download(name, allow_patterns=files))
    except Exception as error:  # many kinds, of a library that changes them
        raise UserError(
            f"cannot fetch {name!r} from the hub ({type(error).__name__}): check the name and the "
            "network, or fetch it elsewhere and give the folder"
        ) from None
