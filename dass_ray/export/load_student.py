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


def read(name: str) -> Tensor:
    """A picture as the training images were read: upright, on black; RGB uint8 [1, 3, H, W]."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - for the command alone

    with Image.open(name) as file:
        image = ImageOps.exif_transpose(file)
    shape = (1, image.height, image.width, -1)
    if image.mode[0] in "IF":  # grey of 16 bits, or of floats in 0..1 or 0..255
        grey = torch.frombuffer(bytearray(image.convert("F").tobytes()), dtype=torch.float32)
        white = 65535 if image.mode[0] == "I" else 1 if grey.max() <= 1 else 255
        flat = (grey * (255 / white)).round().to(torch.uint8)
        return flat.view(shape).permute(0, 3, 1, 2).expand(-1, 3, -1, -1)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    flat = torch.frombuffer(bytearray(image.convert("RGB").tobytes()), dtype=torch.uint8)
    return flat.view(shape).permute(0, 3, 1, 2)


if __name__ == "__main__":
    student = Student()
    for picture in sys.argv[1:]:
        print(picture, *student.classify(read(picture)))
