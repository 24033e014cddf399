import multiprocessing
import os
import stat

import pytest
import torch

from dass_ray.data import mapped


def test_a_large_array_lies_in_a_file_that_goes_with_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv(mapped.IN_MEMORY, "1e-6")  # 1,073 bytes
    small, large = (mapped.zeros((n, 3), torch.float16) for n in (178, 179))
    assert small.count_nonzero() == large.count_nonzero() == 0
    large[7] = 1
    assert float(large.sum()) == 3
    assert list(tmp_path.iterdir()) == []
    with open("/proc/self/maps") as maps:
        assert [line for line in maps if str(tmp_path) in line and "(deleted)" in line]


def make(folder):
    (folder / "a").write_text(str(os.getpid()))


def fail(_folder):
    raise ZeroDivisionError


def made(key, home, turn):
    mapped.tempfile.tempdir = home
    turn.wait()
    mapped.made_once(key, make)


def test_a_folder_is_made_once_and_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ZeroDivisionError):
        mapped.made_once("key", fail)
    folder = mapped.made_once("key", make)
    assert (folder / "a").read_text() == str(os.getpid())
    assert mapped.made_once("key", fail) == folder
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700


def test_of_several_processes_one_makes_it(tmp_path):
    forked = multiprocessing.get_context("spawn")
    turn = forked.Barrier(3)
    makers = [forked.Process(target=made, args=("k", str(tmp_path), turn)) for _ in range(3)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join(120)
    assert [maker.exitcode for maker in makers] == [0, 0, 0]
    (written,) = tmp_path.glob("*/k/a")
    assert int(written.read_text()) in [maker.pid for maker in makers]
