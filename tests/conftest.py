import sys

import pytest

from dass_ray.store import open_store


@pytest.fixture(autouse=True)
def _one_thread():
    """Small tensors gain nothing from more; the many tests without torch do not import it."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store"))
