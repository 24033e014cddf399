import pytest
import torch

from dass_ray.store import open_store


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store"))
