"""The exported student in plain PyTorch: pictures in, classes out. Needs torch alone.

    from load_student import Student
    Student().classify(pixels)    # RGB, uint8 [B, 3, H, W] of any size -> names of classes

or `python load_student.py PICTURE...`, which also needs Pillow.
"""

import json
import sys
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate


class Student:
    """The student in a folder that `dass-ray export` wrote."""

    def __init__(self, folder: Path = Path(__file__).parent) -> None:
        self.card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        self.program = torch.export.load(folder / "student.pt2").module()

    def logits(self, pixels: Tensor) -> Tensor:
        """RGB uint8 [B, 3, H, W] -> logits [B, classes], of the square in the middle, resized."""
        side, size = min(pixels.shape[2:]), (self.card["image_size"],) * 2
        top, left = ((length - side) // 2 for length in pixels.shape[2:])
        images = pixels[:, :, top : top + side, left : left + side]
        if side != size[0]:  # in integers, as the training images were resized
            images = interpolate(images, size=size, mode="bilinear", antialias=True)
        with torch.inference_mode():
            out: Tensor = self.program(images / 255)
        return out

    def classify(self, pixels: Tensor) -> list[str]:
        """The class of each picture."""
        return [self.card["classes"][i] for i in self.logits(pixels).argmax(dim=1).tolist()]


if __name__ == "__main__":
    from PIL import Image

    student = Student()
    for name in sys.argv[1:]:
        with Image.open(name) as file:
            rgb = file.convert("RGB")
        flat = torch.frombuffer(bytearray(rgb.tobytes()), dtype=torch.uint8)
        image = flat.view(1, rgb.height, rgb.width, 3).permute(0, 3, 1, 2)
        print(name, *student.classify(image))
