import sys
from pathlib import Path

import pytest

from dass_ray.store import open_store


def pytest_collection_modifyitems(items):
    """The whole path's tests, in this folder, take longest: two processes end at about one time
    where they come first."""
    items.sort(key=lambda item: item.path.parent != Path(__file__).parent)


@pytest.fixture(autouse=True)
def _one_thread():
    """Small tensors gain nothing from more; the many tests without torch do not import it."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store"))
