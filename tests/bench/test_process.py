import pytest

from dass_ray.bench.process import alone
from dass_ray.bench.store import _compact, _fill
from dass_ray.errors import UserError


def test_figures_of_a_call(tmp_path):
    _fill(str(tmp_path), 0, 2000)
    spent = alone(_compact, str(tmp_path))
    assert spent.result == 2000
    assert spent.seconds > 0
    assert 0.01 < spent.gib < 4


def test_errors_of_a_call(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"/file: "):
        alone(_compact, str(tmp_path / "file"))


def test_a_fault_of_the_program_is_shown():
    with pytest.raises(AssertionError, match="TypeError"):
        alone(_compact)
