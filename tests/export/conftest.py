import pytest

from dass_ray.export import export
from dass_ray.export.config import ExportConfig
from dass_ray.models import latency

from ..make import Memory
from . import make


@pytest.fixture(autouse=True, scope="session")
def _quick_timings():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latency, "MIN_RUN_S", 1e-4)
        yield


@pytest.fixture(scope="session")
def filled():
    return make.filled()


@pytest.fixture
def store(filled):
    copy = Memory()
    copy.objects = dict(filled.objects)
    return copy


@pytest.fixture(scope="session")
def exported(filled, tmp_path_factory):
    """The best student in every form: store, card and folder."""
    out = tmp_path_factory.mktemp("export") / "models" / "best"
    config = ExportConfig(onnx=True, licence="mit", threads=2)
    return filled, export(filled, "mine", out, config), out
