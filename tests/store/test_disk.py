import errno
import os
import re

import pytest

from dass_ray.errors import UserError
from dass_ray.store.disk import explained, link, temporary


def test_temporary_file_holds_the_data_and_goes(tmp_path):
    with temporary(tmp_path, b"data") as temp:
        assert temp.read_bytes() == b"data"
    assert not temp.exists()


def test_temporary_file_goes_after_an_error(tmp_path):
    with pytest.raises(KeyError), temporary(tmp_path, b"data"):
        raise KeyError
    assert os.listdir(tmp_path) == []


def test_temporary_file_goes_after_an_error_while_it_is_written(tmp_path, monkeypatch):
    def broken(_handle):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output"), temporary(tmp_path, b"data"):
        pass
    assert os.listdir(tmp_path) == []


def test_link_whose_answer_was_lost_is_ours(tmp_path, monkeypatch):
    really_link = os.link

    def link_twice(source, target):
        really_link(source, target)
        really_link(source, target)

    monkeypatch.setattr(os, "link", link_twice)
    with temporary(tmp_path, b"data") as temp:
        assert link(temp, tmp_path / "target") is True
        monkeypatch.undo()
    with temporary(tmp_path, b"other") as temp:
        assert link(temp, tmp_path / "target") is False


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "writable file system"),
        (errno.EACCES, "get the rights"),
        (errno.EPERM, "hard links"),
        (errno.EIO, "check this disk"),
    ],
)
def test_errors_name_the_path_and_what_to_do(tmp_path, number, advice):
    with pytest.raises(UserError, match=re.escape(str(tmp_path)) + ".*" + advice):  # noqa: SIM117
        with explained(tmp_path):
            raise OSError(number, os.strerror(number))
