"""Ranking metrics against scikit-learn, scipy and numbers worked out by hand."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier

from leaf_sklearn.compare._metrics import (
    MULTILABEL_SCORERS,
    d_prime_score,
    decision_values,
    macro_auc_score,
    macro_average_precision_score,
    score_classifier,
)

FOREST = RandomForestClassifier(20, random_state=0)


def labelled(n_labels, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((80, 6))
    return X, (X[:, :n_labels] + 0.8 * rng.standard_normal((80, n_labels)) > 0).astype(int)


def test_by_hand():
    # the first label ranks its two positives 1st and 3rd of 4, the second 1st and 2nd
    truth = np.array([[1, 1], [0, 1], [1, 0], [0, 0]])
    score = np.array([[4.0, 4.0], [3.0, 3.0], [2.0, 2.0], [1.0, 1.0]])
    assert macro_auc_score(truth, score) == pytest.approx((3 / 4 + 1) / 2)
    assert macro_average_precision_score(truth, score) == pytest.approx(((1 + 2 / 3) / 2 + 1) / 2)
    assert d_prime_score(truth, score) == pytest.approx(np.sqrt(2) * norm.ppf(7 / 8))


def test_as_scikit_learn():
    X, y = labelled(4)
    score = X[:, :4]
    assert macro_auc_score(y, score) == pytest.approx(roc_auc_score(y, score, average="macro"))
    expected = average_precision_score(y, score, average="macro")
    assert macro_average_precision_score(y, score) == pytest.approx(expected)
    assert d_prime_score(y, score) == pytest.approx(np.sqrt(2) * norm.ppf(roc_auc_score(y, score)))


def test_d_prime_of_chance_and_of_perfection():
    assert d_prime_score([0, 1, 0, 1], [1, 1, 1, 1]) == 0.0
    assert d_prime_score([0, 1], [0, 1]) == np.inf
    assert d_prime_score([0, 1], [1, 0]) == -np.inf


def test_labels_with_one_value_are_left_out():
    X, y = labelled(3)
    extended = np.column_stack([y, np.zeros(80, dtype=int), np.ones(80, dtype=int)])
    score = np.column_stack([X[:, :3], X[:, :2]])
    assert macro_auc_score(extended, score) == macro_auc_score(y, X[:, :3])
    assert macro_average_precision_score(extended, score) == macro_average_precision_score(y, X[:, :3])
    assert np.isnan(macro_auc_score(extended[:, 3:], score[:, 3:]))


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"shape \(2, 1\), expected that of y_true, \(2, 2\)"):
        macro_auc_score([[0, 1], [1, 0]], [[0], [1]])


@pytest.mark.parametrize("n_labels", [2, 3])
@pytest.mark.parametrize("base", [LogisticRegression(), KNeighborsClassifier(), FOREST])
def test_scorers_work_with_either_kind_of_classifier(base, n_labels):
    X, y = labelled(n_labels)
    classifier = OneVsRestClassifier(base).fit(X[:50], y[:50])
    scores = score_classifier(classifier, X[50:], y[50:])
    assert list(scores) == ["mean_average_precision", "auc", "d_prime"]
    confidence = np.column_stack(
        [
            part.decision_function(X[50:]) if hasattr(part, "decision_function") else part.predict_proba(X[50:])[:, 1]
            for part in classifier.estimators_
        ]
    )
    assert scores["auc"] == pytest.approx(roc_auc_score(y[50:], confidence))
    assert scores["d_prime"] == pytest.approx(np.sqrt(2) * norm.ppf(scores["auc"]))


@pytest.mark.filterwarnings("ignore:Label .* is present in all training examples")
@pytest.mark.parametrize("value", [0, 1])
def test_a_first_label_that_is_constant_in_training(value):
    X, y = labelled(3)
    y[:50, 0] = value
    classifier = OneVsRestClassifier(KNeighborsClassifier()).fit(X[:50], y[:50])
    np.testing.assert_array_equal(decision_values(classifier, X[50:]), classifier.predict_proba(X[50:]))


def test_scorers_go_into_cross_val_score():
    X, y = labelled(3)
    classifier = OneVsRestClassifier(LogisticRegression())
    scores = cross_val_score(classifier, X, y, scoring=MULTILABEL_SCORERS["d_prime"], cv=2)
    assert scores.shape == (2,)
    assert (scores > 0.5).all()


def test_one_label_a_clip():
    X, y = labelled(1)
    y = y[:, 0]
    y[:20] = 2
    classifier = LogisticRegression().fit(X, y)
    predicted = classifier.predict(X)
    assert score_classifier(classifier, X, y) == {
        "accuracy": pytest.approx((predicted == y).mean()),
        "balanced_accuracy": pytest.approx(balanced_accuracy_score(y, predicted)),
    }
