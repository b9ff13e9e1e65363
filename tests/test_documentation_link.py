"""The HTML repr: a link to a page that is there, or none."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from leaf_sklearn import LeafClassifier, LeafTransformer, MelTransformer, _documentation

ESTIMATORS = [LeafTransformer(), MelTransformer(), LeafClassifier()]


def links_of(estimator):
    page = estimator._repr_html_()
    return re.findall(r'class="sk-estimator-doc-link [^"]*"\s+rel="noreferrer" target="_blank" href="([^"]*)"', page)


@pytest.fixture
def pages(tmp_path, monkeypatch):
    """A built documentation in place of the checkout's own."""
    (tmp_path / "generated").mkdir()
    (tmp_path / "api.html").touch()
    for estimator in ESTIMATORS:
        (tmp_path / "generated" / f"leaf_sklearn.{type(estimator).__name__}.html").touch()
    monkeypatch.delenv("LEAF_SKLEARN_DOCS", raising=False)
    monkeypatch.setattr(_documentation, "BUILT", tmp_path)
    return tmp_path


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda each: type(each).__name__)
def test_the_link_leads_to_the_page(estimator, pages):
    (link, *_) = links_of(estimator)
    assert Path(unquote(urlsplit(link).path)) == pages / "generated" / f"leaf_sklearn.{type(estimator).__name__}.html"
    assert Path(unquote(urlsplit(link).path)).is_file()


def test_in_a_pipeline_each_step_has_its_own(pages):
    links = links_of(make_pipeline(LeafTransformer(), StandardScaler()))
    assert sum("leaf_sklearn.LeafTransformer.html" in link for link in links) == 1


def test_a_variable_says_where(pages, monkeypatch):
    monkeypatch.setenv("LEAF_SKLEARN_DOCS", "../docs/{old}/")
    assert links_of(MelTransformer()) == ["../docs/{old}/generated/leaf_sklearn.MelTransformer.html"]


def test_no_pages_no_link(pages):
    (pages / "api.html").unlink()
    page = LeafTransformer()._repr_html_()
    assert links_of(LeafTransformer()) == [] and "LeafTransformer" in page
    assert 'href=""' not in page


def test_a_class_of_the_users_own_has_no_page(pages):
    class Mine(MelTransformer):
        pass

    Mine.__module__ = "mine"
    assert links_of(Mine()) == []
