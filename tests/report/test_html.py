import json
import re
from html import escape
from html.parser import HTMLParser

import pytest
import yaml

from dass_ray import searches
from dass_ray.config import SearchConfig
from dass_ray.report.gather import gather
from dass_ray.report.html import render

from . import make

BAD = "</script><script>alert(2)</script>"


class Page(HTMLParser):
    """Elements with their attributes, text outside scripts and styles, and texts of scripts."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text, self.scripts, self.styles, self._open = [], "", [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._open = tag

    def handle_endtag(self, tag):
        self._open = ""

    def handle_data(self, data):
        if self._open == "script":
            self.scripts.append(data)
        elif self._open == "style":
            self.styles.append(data)
        else:
            self.text += data

    @property
    def figures(self):
        [attributes] = [a for _, a in self.elements if a.get("id") == "figures"]
        assert attributes["type"] == "application/json"
        return json.loads(self.scripts[0])


@pytest.fixture
def page(report):
    return Page(render(report))


def test_tells_the_result(page, report):
    text = " ".join(page.text.split())
    assert "reaches 85.0% on the test split; its teacher reaches 88.0%." in text
    assert "teacher 88.0%, −3.0 points" in text
    assert "+5.0 points" in text
    assert "n = 3 and 3" in text
    assert "has not finished" not in text
    assert "From" not in [a.get("data-label") for _, a in page.elements]  # the only teacher
    for student in report.students:
        assert student.choice.spec in text


def test_tells_the_teacher_of_every_student(two_teachers):
    found = Page(render(two_teachers))
    text = " ".join(found.text.split())
    assert "its teacher, teacher 2 (t2), reaches 88.0%" in text
    assert "Teacher 1t1 Its networkthe largest of the space micro" in text
    assert "Teacher 2t2 Its networktransformers:resnet" in text
    labels = [a["data-label"] for _, a in found.elements if "data-label" in a]
    assert labels.count("From") == 3


def test_tells_rounds_where_there_are_several(store, report, page):
    assert "round" not in page.text.partition("How to repeat it")[0]
    store.delete(f"searches/{make.ID}/card.json")
    card = make.card(store, data=report.dataset, rounds=2)
    [choice] = make.choose(store, card, ("top",), (0.87,), seed=9, number=2)
    make.distil(store, card, choice, validation=0.85, test=0.8)
    text = " ".join(Page(render(gather(store, make.ID))).text.split())
    assert text.count("top round 1") == 3
    assert text.count("top round 2") == 1
    assert "from the second round on by the predictor that had learned" in text


def test_has_all_plots(page):
    plots = [a["id"] for _, a in page.elements if a.get("class") == "plot"]
    assert plots == ["pareto-params", "pareto-flops", "prediction", "search", "curves"]
    assert set(page.figures) == set(plots)


def test_loads_nothing(page):
    assert not [tag for tag, _ in page.elements if tag in ("link", "img", "iframe", "object")]
    linked = {"src", "href", "action", "data", "poster", "srcset", "xlink:href", "background"}
    assert not [a for _, a in page.elements if linked & set(a)]
    assert not re.search(r"url\(|@import|https?:", "".join(page.styles))
    own = page.scripts[0] + page.scripts[-1] + page.text  # not the library's licence texts
    assert not re.search(r"https?://", own)
    [policy] = [a["content"] for _, a in page.elements if "http-equiv" in a]
    assert policy.startswith("default-src 'none';")
    assert "connect-src" not in policy
    assert not re.search(r"https?:|\*", policy)
    assert "'unsafe-inline'" not in policy.split("script-src")[1]


def test_text_of_the_store_is_escaped(store):
    name = "<script>alert(1)</script>"
    data = make.dataset(store, classes=("oak", name), source="<img src=x onerror=alert(1)>")
    card = make.card(store, data=data)
    specs = [card.teacher.space.teacher, card.teacher.space.smallest]
    rows = make.scored(card, specs, [0.9, 0.5]).set_column(0, "spec", [[BAD, BAD]])
    searches.write_batch(store, make.ID, 0, rows)
    html = render(gather(store, make.ID))
    page = Page(html)
    assert sum(tag == "script" for tag, _ in page.elements) == 3
    assert not any(tag == "img" for tag, _ in page.elements)
    front = page.figures["pareto-params"]["data"][1]
    assert front["hovertext"] == [escape(BAD)] * 2
    assert name in page.text
    assert BAD not in html


def test_configuration_can_be_read_back(page, report):
    text = page.text.split("Resolved configuration")[1].split("Results in")[0]
    config = SearchConfig.parse(yaml.safe_load(text), "the page")
    assert config == report.card.config


def test_says_what_identifies_the_search(page, report):
    teacher = report.card.teacher
    for fact in (report.folder, teacher.dataset_fingerprint, teacher.fingerprint):
        assert fact in page.text
    assert "dass-ray search --config search.yaml" in page.text
    assert "started 2026-02-02 02:40 UTC" in page.text


def test_same_report_gives_the_same_page(report):
    assert render(report) == render(report)


def test_a_search_that_only_began(store):
    make.card(store)
    page = Page(render(gather(store, make.ID)))
    assert "0 of 8 candidates are scored" in page.text
    assert "has not finished" in page.text
    assert page.figures == {}
    assert not [a for _, a in page.elements if a.get("class") == "plot"]


def test_nothing_verified_because_all_diverged(store):
    card = make.card(store)
    for choice in make.choose(store, card, ("top", "random"), (0.9, 0.8)):
        make.distil(store, card, choice, validation=None, test=None, status="diverged")
    page = Page(render(gather(store, make.ID)))
    assert "2 of 2 distillations are done, 0 students verified." in page.text
    assert [a["class"] for tag, a in page.elements if a.get("class") == "diverged"]
    assert "Left out of every mean: 2 diverged of 2 students." in page.text
    assert set(page.figures) == {"curves"}
    assert not any(tag == "svg" for tag, _ in page.elements)


def test_many_classes_are_counted(store):
    data = make.dataset(store, classes=[f"species {i}" for i in range(100)])
    page = Page(render(gather(store, make.card(store, data=data).id)))
    assert "species 23 and 76 more" in page.text
    assert "species 24" not in page.text


def test_a_weak_teacher_is_pointed_out(store):
    card = make.card(store)
    weak = card.model_copy(
        update={"teacher": card.teacher.model_copy(update={"near_chance": True})}
    )
    store.delete(f"searches/{make.ID}/card.json")
    searches.write_object(store, weak, f"searches/{make.ID}/card.json")
    assert "hardly better than chance" in Page(render(gather(store, make.ID))).text
