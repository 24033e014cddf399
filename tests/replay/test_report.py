"""`dass-ray replay --report`: what the page shows, also in a real browser."""

import re

import pytest
from typer.testing import CliRunner

from dass_ray.cli import main as cli
from dass_ray.errors import UserError

from ..report import chromium


@pytest.fixture
def page(recorded, tmp_path):
    file, out = tmp_path / "runs.parquet", tmp_path / "page.html"
    file.write_bytes(recorded.to_parquet())
    words = "-q --runs 6 --repeats 3 -t new -t old -m random -m nwot -m FLOPs --report"
    done = CliRunner().invoke(cli.app, ["replay", str(file), *words.split(), str(out)])
    assert done.exit_code == 0, done.output
    return out


def test_every_method_and_task_is_told(page):
    text = page.read_text()
    assert sorted(re.findall("<tr><td>(.*?)</td>", text)) == ["FLOPs", "nwot", "random"]
    assert re.findall(r"(\d+) KD runs?</th>", text) == ["1", "2", "5", "6"]
    assert "new/teacher- (12 students), old/teacher- (12 students)" in text
    assert text.count('class="plot"') == 2  # regret, and the task with predictions


def test_a_page_that_cannot_be_written_is_one_line(recorded, tmp_path):
    file = tmp_path / "runs.parquet"
    file.write_bytes(recorded.to_parquet())
    words = ["replay", str(file), "-q", "--runs", "2", "--repeats", "1", "-m", "FLOPs"]
    done = CliRunner().invoke(cli.app, [*words, "--report", str(tmp_path / "none" / "page.html")])
    assert isinstance(done.exception, UserError)
    assert str(done.exception).startswith("cannot write the report to ")


@chromium.needed
def test_plots_are_drawn(page):
    dom, log = chromium.opened(page)
    assert not re.search("Uncaught|Refused|violates", log)
    regret = re.search('id="regret".*?<figcaption>', dom, re.DOTALL)[0]
    assert len(re.findall('<g class="trace scatter', regret)) == 3
    task = re.search('id="task-0".*?</figure>', dom, re.DOTALL)[0]
    assert len(re.findall('<path class="point"', task)) == 12
