import pytest

from .. import make_task


@pytest.fixture(scope="session")
def teacher():
    """The largest tiny network with random weights and statistics; not to be changed."""
    return make_task.teacher()
