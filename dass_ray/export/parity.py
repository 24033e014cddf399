"""Whether a written form gives the network's own logits, on real images. K classes."""

from torch import Tensor

from dass_ray.errors import UserError
from dass_ray.export.formats import Format, first
from dass_ray.frozen import Frozen

BATCHES = (1, 32)
IMAGES = 512  # of the validation split, at the most
TOLERANCE = 1e-4  # of the largest logit; rounding makes some 1e-6


class Parity(Frozen):
    """How far a form is from the network, at one batch size."""

    batch: int
    images: int
    max_difference: float  # of any logit
    agreement: float  # share of images that get the same class


def compare(form: Format, reference: Format, images: Tensor) -> tuple[Parity, ...]:
    """A form beside the network at each of `BATCHES`; images: uint8 [N, 3, S, S], N > 0.

    Where there are fewer than a batch has, some are shown more than once. UserError where a logit
    is not a number.
    """
    some = first(images, max(*BATCHES, min(len(images), IMAGES)))
    expected = reference.logits(some)
    found = {batch: form.logits(some, batch) for batch in BATCHES}
    if not all(logits.isfinite().all() for logits in found.values()):
        raise UserError(f"{form.name} gives logits that are no numbers: nothing was written")
    return tuple(_compared(batch, logits, expected) for batch, logits in found.items())


def _compared(batch: int, found: Tensor, expected: Tensor) -> Parity:
    same = found.argmax(dim=1) == expected.argmax(dim=1)
    return Parity(
        batch=batch,
        images=len(found),
        max_difference=(found - expected).abs().max().item(),
        agreement=same.double().mean().item(),
    )


def check(form: Format, reference: Format, images: Tensor) -> tuple[Parity, ...]:
    """`compare` for a form that has to be exact; UserError where it is not."""
    parities = compare(form, reference, images)
    bound = TOLERANCE * reference.logits(images[:IMAGES]).abs().max().item()
    for parity in parities:
        if parity.max_difference > bound:
            raise UserError(
                f"{form.name} differs from the network by {parity.max_difference:.2g} in a logit "
                f"at batch size {parity.batch}, {bound:.2g} is allowed: nothing was written; "
                "check the versions of torch, onnx and onnxruntime"
            )
    return parities
