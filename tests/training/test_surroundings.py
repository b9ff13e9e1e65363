"""Fits among other settings of torch, joblib and BLAS, which come out as they were."""

import threading

import joblib
import numpy as np
import pytest
import torch
from small_clips import make_clips, small
from threadpoolctl import threadpool_info, threadpool_limits
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from leaf_sklearn._training import start
from leaf_sklearn._training.probe import one_blas_thread
from leaf_sklearn.frontends import PRESETS


@pytest.fixture(scope="module")
def clips():
    return make_clips()


@pytest.fixture
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("frontend", PRESETS)
def test_another_default_dtype_does_not_matter(frontend, clips, double):
    X, y = clips
    leaf = small(frontend=frontend, output="embedding", validation_fraction=0.5).fit(X, y)
    features = leaf.transform(X)
    assert features.dtype == np.float32 and np.isfinite(features).all()
    dtypes = {array.dtype for array in leaf._network.to_state()["arrays"].values()}
    assert np.dtype(np.float64) not in dtypes


def test_gradients_flow_where_the_caller_wants_none(clips):
    with torch.no_grad():
        leaf = small().fit(*clips)
    np.testing.assert_array_equal(leaf.transform(clips[0]), small().fit(*clips).transform(clips[0]))


def test_the_search_sends_no_work_to_others(clips, monkeypatch):
    threads = set()

    class Told(start.StandardScaler):
        def fit(self, *args, **kwargs):
            threads.add(threading.get_ident())
            return super().fit(*args, **kwargs)

    monkeypatch.setattr(start, "StandardScaler", Told)
    with joblib.parallel_config("threading", n_jobs=2):
        small(compression_search=True).fit(*clips)
    assert threads == {threading.get_ident()}


def test_encoders_may_have_parametrisations_of_their_own(clips):
    def build(n_filters):
        return nn.Sequential(weight_norm(nn.Conv1d(n_filters, 8, 3)), nn.AdaptiveAvgPool1d(1), nn.Flatten())

    leaf = small(encoder=build, output="embedding").fit(*clips)
    first = leaf._network.heads[-1].encoder.network[0]
    assert first.parametrizations.weight[0] is not None
    assert np.isfinite(leaf.transform(clips[0])).all()


def blas_threads():
    return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}


def test_blas_has_its_threads_back_after_fits_in_several_threads():
    limiter = threadpool_limits(2, user_api="blas")  # not as a context, which would keep other threads from changing it
    inside, both_inside, seen = threading.Event(), threading.Event(), []

    @one_blas_thread()
    def first():
        inside.set()
        both_inside.wait(0.2)
        seen.append(blas_threads())

    @one_blas_thread()
    def second():
        both_inside.set()
        threads[0].join()
        seen.append(blas_threads())

    threads = [threading.Thread(target=run) for run in (first, second)]
    try:
        with threadpool_limits():  # gives up control of the pool at its end
            pass
        threads[0].start()
        assert inside.wait(10)
        threads[1].start()
        for thread in threads:
            thread.join()
        assert [*seen, blas_threads()] == [{1}, {1}, {2}]
    finally:
        limiter.restore_original_limits()


def test_parameters_that_end_as_no_numbers_are_an_error():
    X, y = make_clips(40)
    for settings in ({"learning_rate": 1e4, "max_steps": 1}, {"learning_rate": 100.0, "recipe": "paper"}):
        leaf = small(validation_fraction=None, **settings)
        with pytest.raises(
            FloatingPointError, match=r"some parameters are no finite numbers at step .* lower learning_rate"
        ):
            leaf.fit(X, y)
