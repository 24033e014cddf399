"""Options are taken as they are, not as YAML."""

import pytest

from dass_ray.cli.options import configured
from dass_ray.config import SearchConfig


@pytest.mark.parametrize("name", ["2024", "no", "a #1", "1e3"])
def test_an_option_is_the_text_that_was_typed(name):
    found = configured(SearchConfig, None, ["dataset=other"], f"/tmp/{name}", dataset=name)
    assert (found.dataset, found.store) == (name, f"/tmp/{name}")


def test_what_was_not_given_keeps_its_setting():
    found = configured(SearchConfig, None, ["dataset=digits", "store=./here"], None, None)
    assert (found.dataset, found.store, found.address) == ("digits", "./here", None)
