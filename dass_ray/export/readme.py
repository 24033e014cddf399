"""The card for people: README.md, with the header that model hubs read."""

import jinja2
import yaml

from dass_ray.export.card import StudentCard
from dass_ray.report.wording import count, percent


def render(card: StudentCard) -> str:
    """The Markdown text; names from the data set open no tags in it."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("dass_ray", "export"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "count": count}
    header = {
        "license": card.licence,
        "pipeline_tag": "image-classification",
        "datasets": [card.dataset],
        "tags": ["distillation", "dass-ray"],
    }
    return environment.get_template("readme.md").render(
        card=card, header=yaml.safe_dump(header, sort_keys=False)
    )
