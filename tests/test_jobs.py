"""The job entry points and the installed command, as processes."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
JOBS = sorted(path.name for path in (ROOT / "jobs").glob("*.py"))


def test_there_is_a_job_for_each_long_command():
    assert JOBS == ["collect.py", "evaluate.py", "meta_train.py", "search.py", "train_teacher.py"]


@pytest.mark.parametrize("job", JOBS)
def test_a_job_takes_the_commands_options(job):
    words = [sys.executable, str(ROOT / "jobs" / job), "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "--config" in done.stdout
    assert "--store" in done.stdout


def test_bad_input_of_a_job_is_exit_code_2(tmp_path):
    words = [sys.executable, str(ROOT / "jobs" / "collect.py"), "--set", "datset=[digits]"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "error: the settings: unknown key 'datset'; did you mean 'datasets'?\n"
    assert list(tmp_path.iterdir()) == []
