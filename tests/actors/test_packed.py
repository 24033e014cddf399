import pickle

import numpy as np
import pytest
import torch

from dass_ray.actors.packed import PackedData, PackedLabels
from dass_ray.kd.views import SoftLabels

from .. import make_task


def through_the_object_store(packed):
    """As Ray does it: buffers out of band, read-only where they come back."""
    buffers = []
    data = pickle.dumps(packed, protocol=5, buffer_callback=buffers.append)
    shared = [memoryview(bytes(buffer.raw())).toreadonly() for buffer in buffers]
    return data, pickle.loads(data, buffers=shared)


def test_a_data_set_comes_back():
    data = make_task.dataset()
    raw, packed = through_the_object_store(PackedData.of(data, "memory://"))
    assert len(raw) < 3000  # no pixel is in the pickle itself
    back = packed.unpack()
    assert back.card == data.card
    for name, split in data.splits.items():
        assert torch.equal(back.splits[name].images, split.images)
        assert torch.equal(back.splits[name].labels, split.labels)
    assert torch.equal(back.mean, data.mean)
    assert torch.equal(back.std, data.std)


def test_nothing_is_copied():
    packed = through_the_object_store(PackedData.of(make_task.dataset(), "memory://"))[1]
    images = packed.unpack().train.images
    assert images.data_ptr() == packed.arrays["train.images"].__array_interface__["data"][0]


def test_soft_labels_come_back():
    logits = torch.randn(2, 5, 3).half()
    packed = through_the_object_store(PackedLabels.of(SoftLabels(logits)))[1]
    assert packed.logits.dtype == np.float16
    assert torch.equal(packed.unpack().logits, logits)


@pytest.mark.filterwarnings("error")
def test_read_only_memory_is_no_warning():
    through_the_object_store(PackedData.of(make_task.dataset(), "memory://"))[1].unpack()
