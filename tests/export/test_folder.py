import os

import pytest

from dass_ray.errors import UserError
from dass_ray.export.folder import appearing


def fill(out, error=None):
    with appearing(out) as folder:
        (folder / "file").write_text("half")
        assert not out.exists()
        if error:
            raise error
        (folder / "file").write_text("whole")


def test_it_appears_whole(tmp_path):
    fill(tmp_path / "models" / "best")
    assert (tmp_path / "models" / "best" / "file").read_text() == "whole"
    assert (tmp_path / "models" / "best").stat().st_mode & 0o777 == 0o755
    assert os.listdir(tmp_path / "models") == ["best"]


@pytest.mark.parametrize(
    ("error", "seen", "message"),
    [
        (OSError(28, "No space left on device"), UserError, "cannot write .*out: No space left"),
        (KeyboardInterrupt("stop"), KeyboardInterrupt, "stop"),
        (RuntimeError("broken"), RuntimeError, "broken"),
    ],
)
def test_nothing_half_written_is_left(tmp_path, error, seen, message):
    with pytest.raises(seen, match=message):
        fill(tmp_path / "out", error)
    assert os.listdir(tmp_path) == []


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*/file/out: "):
        fill(tmp_path / "file" / "out")
