"""A small LEAF that was trained, and no figure left open."""

import pytest
from matplotlib import pyplot

from leaf_sklearn import LeafTransformer
from leaf_sklearn.datasets import make_audio_classification

RATE = 8000


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


@pytest.fixture(scope="session")
def clips():
    return make_audio_classification(24, n_classes=2, sample_rate=RATE, duration_s=0.2, random_state=0)


@pytest.fixture(scope="session")
def leaf(clips):
    settings = {"n_filters": 8, "max_steps": 6, "batch_size": 8, "validation_fraction": 0.5}
    return LeafTransformer(sample_rate=RATE, device="cpu", random_state=0, **settings).fit(*clips)
