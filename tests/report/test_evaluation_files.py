import io
import math
from dataclasses import asdict

import pyarrow.parquet as pq
import pytest
import yaml

from dass_ray import __version__
from dass_ray.config import EvaluateConfig
from dass_ray.evaluation.table import Row
from dass_ray.report import evaluation_html, evaluation_markdown
from dass_ray.report.evaluation_files import write

from . import make_evaluation as make

CONFIG = EvaluateConfig(
    datasets=("leaves", "bugs"), top=3, ablations={"no | <b>shift</b>": {"noise": "–"}}
)


@pytest.fixture
def folder(tmp_path):
    where = tmp_path / "new" / "folder"
    write(make.evaluation(), CONFIG, where)
    return where


def test_writes_four_files(folder):
    names = ["evaluation.html", "evaluation.md", "evaluation.parquet", "evaluation.yaml"]
    assert sorted(file.name for file in folder.iterdir()) == names


def test_page_and_markdown_are_utf8(folder):
    for ending, rendered in (("html", evaluation_html), ("md", evaluation_markdown)):
        text = (folder / f"evaluation.{ending}").read_bytes().decode("utf-8")
        assert text == rendered.render(make.evaluation())


def test_rows_can_be_read_back(folder):
    rows = pq.read_table(io.BytesIO((folder / "evaluation.parquet").read_bytes())).to_pylist()
    wanted = make.evaluation().rows
    assert len(rows) == len(wanted)
    for found, row in zip(rows, wanted, strict=True):
        back = asdict(Row(**found))
        assert math.isnan(back["strata"]) == math.isnan(row.strata)
        assert back | {"strata": 0} == asdict(row) | {"strata": 0}


def test_configuration_can_be_used_again(folder):
    settings = yaml.safe_load((folder / "evaluation.yaml").read_text(encoding="utf-8"))
    assert settings.pop("code_version") == __version__
    assert EvaluateConfig.parse(settings, "the file") == CONFIG


def test_a_second_evaluation_takes_the_place_of_the_first(folder):
    before = (folder / "evaluation.html").read_bytes()
    write(make.evaluation(ceiling=False), CONFIG, folder)
    assert (folder / "evaluation.html").read_bytes() != before
    assert len(list(folder.iterdir())) == 4
