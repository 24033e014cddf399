"""Networks from elsewhere as torch modules: built by name, checked, and fed as they expect it.

Letters: B images, H and W their size, K classes.
"""

import difflib
import importlib
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_type_hints

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from dass_ray.data.dataset import Dataset
from dass_ray.errors import UserError
from dass_ray.network import Network

LONGEST = 200  # characters of an error that others raised
PIXELS = 2**22  # of images in one forward pass in eval mode: bounds a large network's activations


class ForeignNet(nn.Module):
    """A module from elsewhere that takes normalised images of any size and gives logits.

    image_size: side in px of the images that the module is given; outputs: see Network.
    """

    def __init__(
        self, module: nn.Module, image_size: int, outputs: tuple[int, ...] | None = None
    ) -> None:
        super().__init__()
        self.module, self.image_size, self.outputs = module, image_size, outputs

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, K]; in eval mode a few images at a time, which changes nothing."""
        at_once = len(images) if self.training else max(1, PIXELS // self.image_size**2)
        return torch.cat([self._logits(part) for part in images.split(at_once)])

    def _logits(self, images: Tensor) -> Tensor:
        side, own = images.shape[-1], self.image_size
        if side != own:
            images = F.interpolate(images, own, mode="bilinear", antialias=own < side)
        out = self.module(images)
        logits: Tensor = getattr(out, "logits", out)  # transformers wraps them
        return logits if self.outputs is None else logits[:, self.outputs]


def completed(network: Network, dataset: Dataset) -> Network:
    """The network with nothing left open: the data set's stored size and its statistics."""
    size = network.image_size or dataset.card.image_size
    seen = dataset.resized(min(size, dataset.image_size))
    return network.model_copy(
        update={
            "image_size": size,
            "mean": network.mean or tuple(seen.mean.tolist()),
            "std": network.std or tuple(seen.std.tolist()),
        }
    )


def seen_by(network: Network, dataset: Dataset) -> Dataset:
    """The data set, as it is stored, for a completed network: shrunk to its size if that is less.

    Its own normalisation takes the place of the data set's. Enlarging is left to `ForeignNet`.
    """
    assert network.image_size is not None
    small = dataset.resized(min(network.image_size, dataset.image_size))
    device = small.mean.device
    mean, std = torch.tensor(network.mean), torch.tensor(network.std)
    return replace(small, mean=mean.to(device), std=std.to(device))


def foreign(network: Network, classes: int, seed: int = 0) -> ForeignNet:
    """A completed network with fresh weights, which depend on `seed` alone, on the host.

    UserError where it cannot be built, does not take such images, or has other classes.
    """
    assert network.image_size is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = ForeignNet(_build(network, classes), network.image_size, network.outputs)
    _check(net, network, classes)
    return net


def _build(network: Network, classes: int) -> nn.Module:
    library, _, name = network.source.partition(":")
    make = _LIBRARIES.get(library)
    try:
        if make is None:
            return _imported(library, name)(**network.arguments)
        return make(name, classes, network.arguments)
    except UserError:
        raise
    except Exception as error:  # whatever the code and the libraries of others raise
        raise UserError(
            f"{network.source} cannot be built: {first_line(error)}; check the name and "
            "network.arguments"
        ) from None


def _transformers(model_type: str, classes: int, arguments: dict[str, Any]) -> nn.Module:
    hub = library("transformers")
    known = hub.models.auto.modeling_auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES
    if model_type not in known:
        near = difflib.get_close_matches(model_type, known, n=3) or ["resnet", "convnext", "vit"]
        raise UserError(
            f"transformers has no image classifier of the type {model_type!r}; "
            f"did you mean {' or '.join(near)}?"
        )
    config = hub.AutoConfig.for_model(model_type, **{"num_labels": classes} | arguments)
    net: nn.Module = hub.AutoModelForImageClassification.from_config(config)
    return net


def _timm(name: str, classes: int, arguments: dict[str, Any]) -> nn.Module:
    chosen = {"num_classes": classes} | arguments
    net: nn.Module = library("timm").create_model(
        name, pretrained=False, checkpoint_path="", **chosen
    )
    return net


def _torchvision(name: str, classes: int, arguments: dict[str, Any]) -> nn.Module:
    models = library("torchvision").models
    net: nn.Module = models.get_model(name, weights=None, **{"num_classes": classes} | arguments)
    return net


_LIBRARIES: dict[str, Callable[[str, int, dict[str, Any]], nn.Module]] = {
    "transformers": _transformers,
    "timm": _timm,
    "torchvision": _torchvision,
}


def library(name: str) -> Any:  # noqa: ANN401 - a module of an extra
    """The module of an extra; UserError where it is not installed or cannot be imported."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        install = "torchvision" if name == "torchvision" else f"'dass-ray[{name}]'"
        raise UserError(f"{name} is not installed: `pip install {install}`") from None
    except Exception as error:  # torchvision beside another build of torch: a RuntimeError
        raise UserError(
            f"{name} is installed but cannot be imported ({first_line(error)}): install the "
            f"torchvision built for torch {torch.__version__}, or take a transformers model"
        ) from None


def _imported(module: str, name: str) -> Callable[..., nn.Module]:
    """A class of modules, or a function that says that it returns one.

    Nothing else is called, since the name may come from a store that others write to.
    """
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError as error:
        raise UserError(
            f"there is no Python module {error.name!r}: install it, or set PYTHONPATH to the "
            "folder that it is in"
        ) from None
    if found is None:
        raise UserError(f"the Python module {module!r} has no {name!r}; check the spelling")
    made = found if inspect.isclass(found) else get_type_hints(found).get("return")
    if not (inspect.isclass(made) and issubclass(made, nn.Module)):
        raise UserError(
            f"{module}:{name} is no class of torch modules and not annotated to return one: "
            "write `-> torch.nn.Module`"
        )
    called: Callable[..., nn.Module] = found
    return called


@torch.no_grad()
def _check(net: ForeignNet, network: Network, classes: int) -> None:
    side = net.image_size
    try:
        out = net.eval()(torch.zeros(2, 3, side, side))
    except Exception as error:  # of a module that we know nothing about
        raise UserError(
            f"{network.source} does not take images of {side} px ({first_line(error)}): "
            "set network.image_size, or change network.arguments"
        ) from None
    if not isinstance(out, Tensor) or out.shape != (2, classes):
        given = out.shape[1] if isinstance(out, Tensor) and out.ndim == 2 else "no"
        raise UserError(
            f"{network.source} gives {given} logits, the data set has {classes} classes: choose "
            "the data set that the teacher knows, or name its outputs in network.outputs"
        )


def flops(net: ForeignNet) -> int:
    """Of convolutions and matrix products for one image, two for a multiply-accumulate."""
    device = next(net.parameters()).device
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.eval()(torch.zeros(1, 3, net.image_size, net.image_size, device=device))
    return int(counter.get_total_flops())


def first_line(error: Exception) -> str:
    """The kind of an error and the first line of its text."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:LONGEST]}" if lines else type(error).__name__
