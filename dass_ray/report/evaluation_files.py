"""An evaluation as files: a page, Markdown, Parquet and the configuration that made it."""

from pathlib import Path

import yaml

from dass_ray import __version__
from dass_ray.config import EvaluateConfig
from dass_ray.evaluation.table import Evaluation, to_parquet
from dass_ray.report import evaluation_html, evaluation_markdown


def write(found: Evaluation, config: EvaluateConfig, folder: Path) -> None:
    """Writes evaluation.html, .md, .parquet and .yaml into a folder, which is made if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    made_by = {"code_version": __version__} | config.model_dump(mode="json")
    settings = yaml.safe_dump(made_by, sort_keys=False)
    (folder / "evaluation.yaml").write_text(settings, encoding="utf-8")
    (folder / "evaluation.parquet").write_bytes(to_parquet(found))
    (folder / "evaluation.md").write_text(evaluation_markdown.render(found), encoding="utf-8")
    (folder / "evaluation.html").write_text(evaluation_html.render(found), encoding="utf-8")
