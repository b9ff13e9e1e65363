"""Whether training helped: classifiers on the features before and after it, judged on clips that were held out."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from .targets import MISSING, Targets

Features = NDArray[np.float32]

_ALONE = threading.Lock()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread: for models this small, several wait for each other longer than they work.

    The limit is the process's. One Python thread at a time may have it, or the second would take the first one's limit
    for what was there before.
    """
    with _ALONE, threadpool_limits(limits=1, user_api="blas"):
        yield


def classifiers() -> tuple[BaseEstimator, BaseEstimator]:
    """Return the two that stand for whatever a user puts behind transform: a linear and a kernel classifier."""
    return LogisticRegression(tol=1e-2, max_iter=1000), SVC(C=10)


@one_blas_thread()
def clip_scores(
    targets: Targets, train: Features, train_values: NDArray[Any], test: Features, test_values: NDArray[Any]
) -> NDArray[np.float64]:
    """Score of each test clip, larger is better, by models of the training features: (n_test,).

    The share of classifiers (and of tasks) that are right; minus the squared error of a ridge regression where y is
    several labels or numbers.
    """
    if targets.kind == "classification":
        return _right(train, train_values, test, test_values)
    if targets.kind == "multitask":
        columns = zip(train_values.T, test_values.T, strict=True)
        right = np.ma.masked_invalid([_right(train, column, test, truth) for column, truth in columns])
        return np.asarray(right.mean(axis=0).filled(0.0))
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 6, 7))).fit(train, train_values)
    errors = (model.predict(test).reshape(len(test), -1) - test_values.reshape(len(test), -1)) ** 2
    return np.asarray(-errors.mean(axis=1), dtype=np.float64)


def judge(start: NDArray[np.float64], trained: NDArray[np.float64]) -> dict[str, Any]:
    """Compare the scores of held-out clips at the start and after training.

    The trained parameters are kept unless they are worse by more than the standard error of the difference.
    """
    difference = trained - start
    error = float(difference.std(ddof=1) / np.sqrt(len(difference)))
    return {
        "kept": "start" if difference.mean() < -error else "trained",
        "held_out_clips": len(difference),
        "held_out_start": float(start.mean()),
        "held_out_trained": float(trained.mean()),
        "difference_error": error,
    }


def _right(train: Features, labels: NDArray[Any], test: Features, truth: NDArray[Any]) -> NDArray[np.float64]:
    """Share of classifiers that are right about each clip, NaN where it has no label or there is one class only."""
    labelled = labels != MISSING
    if len(np.unique(labels[labelled])) < 2:
        return np.full(len(test), np.nan)
    guesses = [
        make_pipeline(StandardScaler(), classifier).fit(train[labelled], labels[labelled]).predict(test)
        for classifier in classifiers()
    ]
    share = np.mean([guess == truth for guess in guesses], axis=0)
    return np.where(truth == MISSING, np.nan, share)
