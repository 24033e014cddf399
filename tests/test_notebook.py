"""The notebook of the docs, executed by a real kernel with smaller numbers."""

from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "quickstart.ipynb"
SMALL = """
DATASET = "digits"
STORE = "./store"
TEACHER = {"preset": "micro", "flip": False, "epochs": 2, "min_steps": 0}
KD = {"preset": "micro", "flip": False, "epochs": 1, "min_steps": 0, "views": 1}
MOST_PARAMS = 100_000
CANDIDATES, TOP, RANDOM = 16, 2, 1
"""


@pytest.fixture(scope="module")
def written():
    return nbformat.read(NOTEBOOK, as_version=4)


def names(source):
    """What the lines of a cell of parameters set."""
    return [line.split(" = ")[0] for line in source.strip().splitlines()]


def test_it_is_kept_without_outputs(written):
    nbformat.validate(written)
    code = [cell for cell in written.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)


@pytest.mark.timeout(600)  # a real Ray, on a machine that may be loaded
def test_it_runs(written, tmp_path):
    """Only the values of its first cell are others; a student is left."""
    (first,) = (cell for cell in written.cells if "parameters" in cell.metadata.get("tags", ()))
    assert names(first.source) == names(SMALL)
    first.source = SMALL
    nbclient.NotebookClient(written, resources={"metadata": {"path": tmp_path}}).execute()
    shown = str([cell.get("outputs") for cell in written.cells])
    assert "training teachers" in shown  # before Tune, which would clear the cell
    assert "distilling students: 3 of 3" in shown
    assert (tmp_path / "student" / "student.onnx").exists()
