import pytest

from dass_ray.kd.teacher import train_teacher

from .. import make_task
from ..make import TEACH, TINY


@pytest.fixture(scope="session")
def teacher():
    """The largest tiny network with random weights and statistics; not to be changed."""
    return make_task.teacher()


@pytest.fixture(scope="session")
def dataset():
    """Easy pictures of three classes, in memory."""
    return make_task.dataset()


@pytest.fixture(scope="session")
def taught(dataset):
    """A teacher that has learned these pictures; not to be changed."""
    return train_teacher(TINY, dataset, TEACH, 0).net
