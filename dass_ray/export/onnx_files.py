"""ONNX files by PyTorch's exporter, int8 by ONNX Runtime's static quantisation.

Needs the extra `onnx`. Letters: B images, S side, K classes.
"""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from dass_ray.data.shown import shown
from dass_ray.errors import UserError
from dass_ray.export.config import ExportConfig
from dass_ray.export.formats import Format, exported
from dass_ray.export.shippable import FromPixels, Shippable, floats, pixels

CALIBRATION, _BATCH = 512, 64  # training images that the ranges of activations are taken from
PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def available() -> bool:
    """Whether the extra is installed."""
    return all(find_spec(name) for name in PACKAGES)


def require() -> None:
    """UserError where the extra is not installed."""
    if missing := [name for name in PACKAGES if not find_spec(name)]:
        raise UserError(
            f"ONNX needs {', '.join(missing)}: pip install 'dass-ray[onnx]', or use --no-onnx"
        )


def float_file(student: Shippable, side: int, folder: Path, config: ExportConfig) -> Format:
    """`student.onnx`, of any batch size; input `images`, output `logits`.

    With `config.pixels` it takes uint8 [B, S, S, 3], otherwise float32 [B, 3, S, S] in [0, 1].
    """
    file, module = folder / "student.onnx", FromPixels(student) if config.pixels else student
    images = torch.zeros(2, 3, side, side, dtype=torch.uint8)
    program = exported(module.eval(), _shaped(config)(images))
    with _quiet():
        converted = torch.onnx.export(
            program, dynamo=True, input_names=["images"], output_names=["logits"], verbose=False
        )
    assert converted is not None
    converted.save(file)
    return _runnable("ONNX", file, config)


def int8_file(source: Format, images: Tensor, config: ExportConfig) -> Format:
    """`student-int8.onnx`: the float file with 8-bit weights by channel and 8-bit activations.

    images: of the training split, uint8 [N, 3, S, S]; `CALIBRATION` of them, always the same, are
    run to find the activations' ranges. Activations are unsigned and weights signed, the pair for
    which CPUs have instructions.
    """
    from onnxruntime.quantization import (  # noqa: PLC0415 - an extra
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process  # noqa: PLC0415

    class Images(CalibrationDataReader):  # type: ignore[misc] # untyped
        def __init__(self) -> None:
            chosen = shown(len(images), CALIBRATION)  # the first may be of one class
            self.left = iter(images[chosen].split(_BATCH))

        def get_next(self) -> dict[str, Any] | None:
            part = next(self.left, None)
            return None if part is None else {"images": source.prepare(part)}

    file = source.file.with_name("student-int8.onnx")
    with TemporaryDirectory() as folder:
        fused = Path(folder) / "fused.onnx"
        quant_pre_process(source.file, fused, skip_symbolic_shape=True)
        quantize_static(
            fused, file, Images(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip
    return _runnable("ONNX int8", file, config)


def _runnable(name: str, file: Path, config: ExportConfig) -> Format:
    """The form of an ONNX file, run by ONNX Runtime on the CPU."""
    import onnxruntime  # noqa: PLC0415 - an extra

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = config.threads
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    shaped = _shaped(config)
    return Format(
        name,
        file,
        lambda images: shaped(images).numpy(),
        lambda images: torch.from_numpy(session.run(None, {"images": images})[0]),
    )


def _shaped(config: ExportConfig) -> Callable[[Tensor], Tensor]:
    """From images as they are stored to the input of the ONNX files."""
    return pixels if config.pixels else floats


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says of torchvision, and of its own calls."""
    log = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"`isinstance\(treespec", FutureWarning)
            yield
    finally:
        log.setLevel(level)
