import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from dass_ray.data import decode as module
from dass_ray.data.decode import decode, decode_into, to_rgb
from dass_ray.data.source import EncodedImage

from .make import encoded, encoded_split, noise, pixels

GREY = np.array([[0, 51], [102, 255]], dtype=np.uint8)


def rgb(image):
    return np.asarray(to_rgb(image))


def grey_rgb(values=GREY):
    return np.repeat(values[..., None], 3, axis=2)


def through(image, kind, **options):
    """The image as a reader of the file gets it."""
    return decode(encoded(image, kind, **options), image.width)


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(GREY),
        Image.fromarray(grey_rgb()),
        Image.fromarray(GREY).convert("P"),
        Image.fromarray(GREY).convert("LA"),
        Image.fromarray(GREY).convert("RGBA"),
        Image.fromarray(GREY.astype(np.uint16) * 257),
        Image.fromarray(GREY.astype(np.int32) * 257),
        Image.fromarray(GREY.astype(np.float32) / 255),
        Image.fromarray(GREY.astype(np.float32)),
    ],
    ids=lambda image: image.mode,
)
def test_modes_of_grey(image):
    assert (rgb(image) == grey_rgb()).all()


def test_one_bit():
    image = Image.fromarray(np.array([[0, 255]], dtype=np.uint8)).convert("1")
    assert image.mode == "1"
    assert rgb(image).tolist() == [[[0] * 3, [255] * 3]]


def test_palette_keeps_its_colours():
    image = Image.new("P", (1, 1), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    assert rgb(image)[0, 0].tolist() == [10, 20, 30]


def test_cmyk():
    for ink, colour in ((0, (0, 255, 255)), (1, (255, 0, 255)), (2, (255, 255, 0)), (3, (0, 0, 0))):
        image = Image.new("CMYK", (4, 4), tuple(255 if i == ink else 0 for i in range(4)))
        assert rgb(image)[0, 0].tolist() == list(colour)
        assert np.abs(through(image, "JPEG", quality=100)[0, 0] - np.array(colour)).max() <= 2


@pytest.mark.parametrize(("alpha", "expected"), [(255, 200), (0, 0), (51, 40)])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_composited_on_black(mode, alpha, expected):
    image = Image.new(mode, (4, 4), (200,) * (len(mode) - 1) + (alpha,))
    assert (rgb(image) == expected).all()
    assert (through(image, "PNG") == expected).all()


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_transparent_colour_is_black(mode):
    image = Image.new(mode, (4, 4), 7 if mode != "RGB" else (7, 7, 7))
    if mode == "P":
        image.putpalette([200] * 768)
    transparency = 7 if mode != "RGB" else (7, 7, 7)
    assert (through(image, "PNG", transparency=transparency) == 0).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_files(kind):
    image = Image.fromarray(GREY.astype(np.uint16) * 257)
    assert (through(image, kind) == grey_rgb()).all()


def test_16_bit_pgm():
    pixels = (GREY.astype(">u2") * 257).tobytes()
    assert (decode(b"P5 2 2 65535\n" + pixels, 2) == grey_rgb()).all()


@pytest.mark.parametrize(
    "values", [[[np.nan, 0.5]], [[-0.1, 0.5]], [[0.5, 256.0]], [[np.inf, 0.5]]]
)
def test_floats_of_unknown_scale_are_refused(values):
    with pytest.raises(ValueError, match="grey values outside"):
        to_rgb(Image.fromarray(np.array(values, dtype=np.float32)))


def test_integers_beyond_16_bits_are_refused():
    with pytest.raises(ValueError, match=r"grey values outside 0\.\.65535"):
        to_rgb(Image.fromarray(np.array([[65536]], dtype=np.int32)))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "JPEG"])
def test_kinds_of_files(kind):
    image = Image.new("RGB", (8, 8), (200, 100, 0))
    out = through(image, kind, **({"lossless": True} if kind == "WEBP" else {}))
    assert out.shape == (8, 8, 3)
    assert np.abs(out.astype(int) - [200, 100, 0]).max() <= (3 if kind == "JPEG" else 0)


def test_the_first_frame_of_an_animation():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    out = decode(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), 4)
    assert out[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [(1, lambda a: a), (3, lambda a: a[::-1, ::-1]), (6, lambda a: np.rot90(a, -1)),
     (8, np.rot90), (2, lambda a: a[:, ::-1])],
)  # fmt: skip
def test_exif_orientation(orientation, turn):
    image = noise(8)
    exif = image.getexif()
    exif[0x0112] = orientation
    assert (decode(encoded(image, "PNG", exif=exif), 8) == turn(np.asarray(image))).all()


@pytest.mark.parametrize("shape", [(4, 10), (10, 4), (4, 5)])
def test_the_centre_is_cropped(shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    top, left = (shape[0] - 4) // 2, (shape[1] - 4) // 2
    out = decode(encoded(Image.fromarray(pixels)), 4)
    assert (out == pixels[top : top + 4, left : left + 4]).all()


def test_shrinking_does_not_alias():
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    out = decode(encoded(Image.fromarray(stripes)), 16)
    assert np.abs(out[:, 1:-1].astype(int) - 127).max() < 20


@pytest.mark.parametrize("side", [64, 128, 512])
def test_large_jpegs_are_shrunk_while_decoding_without_harm(side):
    blocks = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    image = Image.fromarray(blocks).resize((side, side), Image.Resampling.BICUBIC)
    options = {"quality": 95, "subsampling": 0}
    out = decode(encoded(image, "JPEG", **options), 32).astype(int)
    assert np.abs(out - decode(encoded(image, "PNG"), 32)).mean() < 3


def wrong_size_png():
    """A PNG that claims to be wider than its data."""
    data = bytearray(encoded(noise(8)))
    data[16:20] = struct.pack(">I", 5000)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    return bytes(data)


BAD = {
    "empty": b"",
    "text": b"<html>not found</html>",
    "cut.png": encoded(noise(32))[:-300],
    "cut.jpg": encoded(noise(32), "JPEG")[:-300],
    "head.jpg": encoded(noise(32), "JPEG")[:30],
    "wide.png": wrong_size_png(),
}


@pytest.mark.parametrize("name", BAD)
def test_an_unreadable_image_is_reported_and_black(name):
    good = encoded(noise(8))
    images, unreadable = pixels(encoded_split([good, BAD[name], good]), 8)
    assert [(u.row, u.name) for u in unreadable] == [(1, "1")]
    assert unreadable[0].reason
    assert images[0].any()
    assert (images[0] == images[2]).all()
    assert not images[1].any()


def test_an_error_of_the_disk_is_no_bad_image():
    def read():
        raise PermissionError(13, "Permission denied", "x.png")

    with pytest.raises(PermissionError):
        decode_into(np.zeros((3, 4, 4), np.uint8), 0, EncodedImage("x", read))


def test_no_memory_is_no_bad_image(monkeypatch):
    def decode(data, size):
        raise MemoryError

    monkeypatch.setattr(module, "decode", decode)
    with pytest.raises(MemoryError):
        decode_into(np.zeros((3, 4, 4), np.uint8), 0, EncodedImage("x", bytes))


@pytest.mark.parametrize(
    ("sides", "expected"),
    [([(8, 8), (8, 8)], 8), ([(64, 64)], 64), ([(65, 65)], None), ([(8, 8), (9, 9)], None),
     ([(8, 9)], None), ([], None)],
)  # fmt: skip
def test_side(sides, expected):
    assert encoded_split([encoded(Image.new("RGB", side)) for side in sides]).side() == expected


def test_unreadable_images_have_no_say_in_the_side():
    assert encoded_split([b"", encoded(noise(8)), b"nonsense"]).side() == 8
