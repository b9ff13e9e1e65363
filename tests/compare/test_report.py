"""The HTML report: everything is in the page, and nothing in it asks for a network."""

import base64
import re
import sys
from html.parser import HTMLParser

import pytest

import leaf_sklearn
from leaf_sklearn.compare import Comparison, compare
from leaf_sklearn.compare._paired import paired_differences
from leaf_sklearn.compare._report import markdown_to_html
from leaf_sklearn.datasets import make_audio_classification

TINY = {"sample_rate": 4000, "n_filters": 4}


class Page(HTMLParser):
    """Tags with their attributes, the text, and whether every tag is closed by its own."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def result():
    data = make_audio_classification(24, n_classes=2, sample_rate=4000, duration_s=0.1, random_state=0)
    options = {"frontends": ["mel", "leaf"], "classifiers": ["logreg"], "seeds": 1, "cv": 2}
    return compare(
        {"a <task>": data}, transformer_params={**TINY, "max_steps": 2, "compression_search": False}, **options
    )


def test_the_page_holds_everything(result):
    text = result.to_html()
    page = Page(text)
    assert page.open == [] and text.startswith("<!DOCTYPE html>")
    rows = result.rows
    for word in ("a <task>", rows[0].data, "n_filters", "max_steps", "compression_search", leaf_sklearn.__version__):
        assert word in page.text
    for package in ("scikit-learn", "torch", "numpy", "Python"):
        assert package in page.text
    line = result.summary()[0]
    assert f"{line.means['accuracy']:.3f} ± {line.spreads['accuracy']:.3f}" in page.text
    assert page.text.count("logreg") >= 2 + len(rows)
    (difference,) = paired_differences(rows, ("leaf", "functionals"), ("mel", "functionals"))
    assert "Against mel" in page.text and f"{100 * difference.low:+.1f} to {100 * difference.high:+.1f}" in page.text
    (picture,) = [attributes for tag, attributes in page.tags if tag == "img"]
    kind, code = picture["src"].split(",")
    assert kind == "data:image/png;base64" and base64.b64decode(code).startswith(b"\x89PNG")
    assert "a <task>, mel, logreg: 0." in picture["alt"]


def test_the_page_asks_for_nothing(result):
    text = result.to_html()
    for tag, attributes in Page(text).tags:
        assert tag not in ("script", "iframe", "object", "embed")
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith("data:")
    assert re.search(r"url\(|@import|https?:", text) is None


def test_given_estimators_are_described():
    data = make_audio_classification(12, n_classes=2, sample_rate=4000, duration_s=0.1, random_state=0)
    frontends = {"small": leaf_sklearn.MelTransformer(**TINY)}
    result = compare(data, frontends=frontends, classifiers=["logreg"], cv=2)
    assert "MelTransformer(n_filters=4, sample_rate=4000)" in Page(result.to_html()).text


def test_without_matplotlib_the_page_says_so(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    page = Page(result.to_html())
    assert "pip install 'leaf-sklearn[plot]'" in page.text and "img" not in dict(page.tags)
    assert "Every result" in page.text


def test_an_interrupted_comparison_has_a_report(result):
    """Tasks that one side has not finished are left out of the differences."""
    some = [row for row in result.rows if (row.frontend, row.fold) != ("leaf", 1)]
    page = Page(Comparison(some, result.frontends).to_html())
    assert "Against mel" not in page.text and "results: 3," in page.text


def test_markdown_of_our_own():
    text = "# Why & how\n\n| a\\|b | n |\n| --- | --: |\n| <x> | 1 |\n\nSome\nwords."
    assert markdown_to_html(text).replace("\n", "") == (
        '<h2>Why &amp; how</h2><div class="wide"><table><thead><tr><th>a|b</th><th class="number">n</th></tr></thead>'
        '<tbody><tr><td>&lt;x&gt;</td><td class="number">1</td></tr></tbody></table></div><p>SomeWords.</p>'
    ).replace("SomeWords", "Somewords")


def test_a_comparison_without_rows_has_no_report():
    with pytest.raises(ValueError, match="no results"):
        Comparison([]).to_html()
