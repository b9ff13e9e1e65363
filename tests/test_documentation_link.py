"""The HTML repr: a link to a page that is there, or none."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from sklearn.base import clone
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


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda each: type(each).__name__)
def test_every_parameter_and_attribute_is_explained(estimator, pages):
    """scikit-learn finds a name's text where the docstring has an entry of that name alone."""
    tiny = clone(estimator)
    short = {"max_steps": 2, "sample_rate": 4000, "n_filters": 4, "compression_search": False}
    if isinstance(tiny, LeafClassifier):
        tiny.set_params(transformer=LeafTransformer(**short))
    else:
        tiny.set_params(**{name: value for name, value in short.items() if name in tiny.get_params()})
    tiny.fit(np.random.default_rng(0).standard_normal((8, 400)), [0, 1] * 4)
    names = [*tiny.get_params(deep=False), *(name for name in dir(tiny) if name[-1] == "_" and name[0] != "_")]
    explained = re.findall(r"anchor-name: --doc-link-(\w+);", tiny._repr_html_())
    assert sorted(set(names) - set(explained)) == []


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
