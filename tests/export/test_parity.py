from pathlib import Path

import pytest
import torch

from dass_ray.errors import UserError
from dass_ray.export.formats import Format
from dass_ray.export.parity import IMAGES, check, compare

IMAGES_HERE = torch.arange(40 * 3 * 4 * 4, dtype=torch.uint8).view(40, 3, 4, 4)


def form(shift=0.0, batches=None, swapped=()):
    """Logits [B, 2] of the pixels' mean, off by `shift`; some batch sizes swap the classes."""

    def run(images):
        if batches is not None:
            batches.append(len(images))
        mean = images.mean(dim=(1, 2, 3)) + shift
        logits = torch.stack([mean, 200 - mean], dim=1)
        return logits.flip(1) if len(images) in swapped else logits

    return Format("form", Path("form"), lambda images: images.float(), run)


def test_both_batch_sizes_are_really_run():
    batches = []
    one, many = compare(form(shift=0.5, batches=batches), form(), IMAGES_HERE)
    assert batches == [1] * 40 + [32, 8]
    assert (one.batch, many.batch) == (1, 32)
    assert one.images == many.images == 40
    assert one.max_difference == many.max_difference == 0.5
    assert one.agreement == 1


def test_few_images_still_fill_a_batch_and_many_are_not_all_shown():
    batches = []
    compare(form(batches=batches), form(), IMAGES_HERE[:5])
    assert batches == [1] * 32 + [32]
    found = compare(form(), form(), torch.zeros(IMAGES + 9, 3, 1, 1, dtype=torch.uint8))
    assert [parity.images for parity in found] == [IMAGES, IMAGES]


def test_what_is_exact_but_for_rounding_passes():
    assert [parity.agreement for parity in check(form(shift=1e-4), form(), IMAGES_HERE)] == [1, 1]


@pytest.mark.parametrize(
    ("wrong", "batch"),
    [(form(shift=0.1), 1), (form(swapped=[32]), 32)],
)
def test_what_is_off_is_refused(wrong, batch):
    with pytest.raises(UserError, match=rf"form differs .* batch size {batch}, .* nothing was wri"):
        check(wrong, form(), IMAGES_HERE)


def test_agreement_is_a_share():
    _, many = compare(form(swapped=[8]), form(), IMAGES_HERE)
    assert many.agreement == 32 / 40


@pytest.mark.parametrize("shift", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers(shift):
    with pytest.raises(UserError, match="form gives logits that are no numbers"):
        compare(form(shift=shift), form(), IMAGES_HERE)
