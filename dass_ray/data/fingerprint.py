"""The identity of a data set: a hash of its content and of nothing else."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from torch import Tensor

from dass_ray.data.splits import SPLITS

_VERSION = 1  # of the byte layout hashed below; a change makes every data set a new one
_CHUNK = 4096  # images
_DIGEST = np.dtype([("high", "<u8"), ("low", "<u8")])


def fingerprint(classes: Sequence[str], splits: Mapping[str, tuple[Tensor, Tensor]]) -> str:
    """SHA-256 hex over the classes and every split's pixels and labels, in order.

    splits: name -> (images uint8 [N,3,H,W], labels int64 [N]). The data set's name, how it is cut
    into parts and how those are encoded are not part of it.
    """
    shapes = {name: list(splits[name][0].shape) for name in SPLITS}
    header = json.dumps([_VERSION, list(classes), shapes], sort_keys=True, ensure_ascii=True)
    digest = hashlib.sha256(header.encode())
    for name in SPLITS:
        images, labels = splits[name]
        for chunk in _chunks(images):
            digest.update(chunk.reshape(-1).data)
        digest.update(labels.cpu().numpy().astype("<i8").data)
    return digest.hexdigest()


def leaked(splits: Mapping[str, Tensor]) -> int:
    """How many held-out images a split before theirs holds too, pixel for pixel.

    splits: name -> images uint8 [N,3,H,W]. Validation images are looked up in train, test images
    in train and validation. Labels do not matter: a leaked image is leaked under any label.
    """
    seen = np.empty(0, _DIGEST)
    count = 0
    for name in SPLITS:
        parts = [_digests(chunk) for chunk in _chunks(splits[name])]
        digests = np.concatenate([seen[:0], *parts])
        count += int(np.isin(digests, seen).sum())
        seen = np.union1d(seen, digests)
    return count


def _digests(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.void]:
    """16 bytes for each row of images [n, 3*H*W]; in arrays, since Python objects take 50 more."""
    digests = [hashlib.blake2b(image.data, digest_size=16).digest() for image in images]
    return np.frombuffer(b"".join(digests), _DIGEST)


def _chunks(images: Tensor) -> Iterator[npt.NDArray[np.uint8]]:
    """Contiguous [n,3*H*W], a row an image."""
    for start in range(0, len(images), _CHUNK):
        yield np.ascontiguousarray(images[start : start + _CHUNK].flatten(1).cpu().numpy())
