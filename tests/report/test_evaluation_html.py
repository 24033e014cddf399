import base64
import hashlib
import re
from html import escape

import pytest

from dass_ray.report import evaluation_words as words
from dass_ray.report.evaluation_html import render

from . import make_evaluation as make
from .make_evaluation import METHODS, ODD, OURS, TASKS
from .test_html import Page

BAD = "</script><script>alert(2)</script><img src=x>"


def page_of(**changes):
    return Page(render(make.evaluation(**changes)))


@pytest.fixture(scope="module")
def page():
    return page_of()


def policy(page):
    [content] = [a["content"] for _, a in page.elements if "http-equiv" in a]
    return content


def test_tells_the_result(page):
    found = make.evaluation()
    for said in (words.headline(found), words.ceilings(found), words.legend(found)):
        assert said in page.text
    text = " ".join(page.text.split())
    assert "Spearman0.6095%: 0.40 to 0.75" in text
    assert "Of what can be reached75%KD noise lets 0.80 be reached" in text
    assert "Ahead of best without KD0.2095%: 0.05 to 0.35" in text
    assert "Regret@51.23 points" in text
    assert "Covered75%" in text


def test_has_every_row_of_every_table(page):
    assert sum(a.get("class") == "ours" for _, a in page.elements) == 1 + len(TASKS)
    assert sum(a.get("class") == "other" for _, a in page.elements) == 3 * (len(METHODS) - 1)
    heads = [a for tag, a in page.elements if tag == "th" and a.get("scope") == "rowgroup"]
    assert len(heads) == 3 * 3  # of all groups but ours
    for task in TASKS:
        assert task in page.text


def test_has_all_plots(page):
    plots = [a["id"] for _, a in page.elements if a.get("class") == "plot"]
    assert plots == ["forest", "cost", "task-0", "task-1"]
    assert set(page.figures) == set(plots)


def test_forest_grows_with_the_methods():
    def height(methods):
        [plot] = [a for _, a in page_of(methods=methods).elements if a.get("id") == "forest"]
        return int(re.fullmatch(r"height: (\d+)px", plot["style"])[1])

    more = {f"method {i}": ("no KD", 0.1, 0.1, 0.0) for i in range(10)}
    assert height(METHODS | more) - height(METHODS) >= 10 * 2 * 14  # two lines of a name


def test_only_groups_that_are_there_have_a_key(page):
    keys = [a["style"] for tag, a in page.elements if tag == "i"]
    assert keys == 2 * [f"background: var(--{c})" for c in ("top", "front", "random", "teacher")]
    few = page_of(methods={OURS: METHODS[OURS]})
    assert sum(tag == "i" for tag, _ in few.elements) == 2


def test_without_ceiling_or_baselines():
    text = page_of(methods={OURS: METHODS[OURS]}, ceiling=False).text
    for missing in ("Of what can be reached", "Ahead of best", "dashed line"):
        assert missing not in text
    assert "the noise ceiling is unknown" in text


def test_loads_nothing(page):
    assert not [tag for tag, _ in page.elements if tag in ("link", "img", "iframe", "object")]
    linked = {"src", "href", "action", "data", "poster", "srcset", "xlink:href", "background"}
    assert not [a for _, a in page.elements if linked & set(a)]
    assert not re.search(r"url\(|@import|https?:", "".join(page.styles))
    own = page.scripts[0] + page.scripts[-1] + page.text  # not the library's licence texts
    assert not re.search(r"https?://", own)


def test_policy_forbids_requests_and_scripts_but_its_own(page):
    content = policy(page)
    assert content.startswith("default-src 'none';")
    assert "connect-src" not in content
    assert not re.search(r"https?:|\*", content)
    allowed = content.split("script-src")[1]
    assert "'unsafe-inline'" not in allowed
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()) for s in page.scripts[1:]]
    assert re.findall(r"'sha256-([^']+)'", allowed) == [h.decode() for h in hashes]


def test_names_are_escaped():
    methods = METHODS | {BAD: ("no KD", 0.5, 0.1, 0.0)}
    html = render(make.evaluation(methods=methods, tasks=(*TASKS, BAD)))
    page = Page(html)
    assert BAD not in html
    assert ODD not in html
    assert sum(tag == "script" for tag, _ in page.elements) == 3
    assert not any(tag == "img" for tag, _ in page.elements)
    for name in (ODD, BAD, TASKS[1]):
        assert name in page.text
    [baselines] = [t for t in page.figures["forest"]["data"] if t["name"] == words.GROUPS["no KD"]]
    assert escape(BAD) in baselines["hovertext"][-1]


def test_the_same_evaluation_gives_the_same_page():
    assert render(make.evaluation()) == render(make.evaluation())
