import pytest
import ray

from dass_ray.actors.session import ray_session

from .. import make_task


@pytest.fixture(scope="package")
def cluster():
    """One Ray for those modules of this folder that need one in their own process."""
    with ray_session():
        yield ray


@pytest.fixture
def sets(store):
    """A store with two small data sets."""
    make_task.stored(store, "bars", seed=1)
    make_task.stored(store, "dots", seed=2)
    return store
