"""What a classifier is scored by: accuracies for one label a clip, ranking metrics for several."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri
from sklearn.metrics import average_precision_score, check_scoring, roc_auc_score


def macro_auc_score(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Area under the ROC curve, averaged over labels.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,) or (n_clips, n_labels)
        0 or 1.
    y_score : array-like of the same shape
        Any score that rises with confidence.

    Returns
    -------
    float
        In [0, 1], 0.5 by chance; NaN where no label has both values. Labels with one value only are left out.
    """
    return _macro(roc_auc_score, y_true, y_score)


def macro_average_precision_score(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Average precision, averaged over labels as in :func:`macro_auc_score`: the mAP of AudioSet, in [0, 1]."""
    return _macro(average_precision_score, y_true, y_score)


def d_prime_score(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Sensitivity index of the macro AUC, ``sqrt(2) * Phi^-1(AUC)``, as in the LEAF paper's Table 4.

    0 by chance, infinite for a perfect ranking.

    Examples
    --------
    >>> d_prime_score([0, 1, 0, 1], [0.1, 0.1, 0.2, 0.2])
    0.0
    """
    return float(np.sqrt(2) * ndtri(macro_auc_score(y_true, y_score)))


def decision_values(classifier: Any, X: Any) -> NDArray[np.floating[Any]]:
    """Confidence in each label, (n_clips, n_labels): decision_function, or predict_proba where there is none."""
    try:
        return np.asarray(classifier.decision_function(X))
    except AttributeError:  # one against the rest seems to have it where its first label is constant
        return np.asarray(classifier.predict_proba(X))


def _ranking_scorer(metric: Callable[[Any, Any], float]) -> Callable[[Any, Any, Any], float]:
    """Make a scikit-learn scorer; make_scorer would lose a column of predict_proba where there are two labels."""

    def scorer(classifier: Any, X: Any, y: Any) -> float:
        return metric(y, decision_values(classifier, X))

    return scorer


SINGLE_LABEL_SCORERS: dict[str, Any] = {"accuracy": "accuracy", "balanced_accuracy": "balanced_accuracy"}
MULTILABEL_SCORERS: dict[str, Any] = {
    "mean_average_precision": _ranking_scorer(macro_average_precision_score),
    "auc": _ranking_scorer(macro_auc_score),
    "d_prime": _ranking_scorer(d_prime_score),
}
METRICS = (*SINGLE_LABEL_SCORERS, *MULTILABEL_SCORERS)


def score_classifier(classifier: Any, X: Any, y: NDArray[Any]) -> dict[str, float]:
    """Every metric that suits y, by name: (n_clips,) has one label a clip, (n_clips, n_labels) several."""
    scoring = MULTILABEL_SCORERS if y.ndim == 2 else SINGLE_LABEL_SCORERS
    scores = check_scoring(classifier, scoring=scoring)(classifier, X, y)
    return {name: float(score) for name, score in scores.items()}


def _macro(metric: Callable[[Any, Any], float], y_true: ArrayLike, y_score: ArrayLike) -> float:
    truth, score = np.asarray(y_true), np.asarray(y_score)
    if truth.shape != score.shape:
        raise ValueError(f"Got y_score of shape {score.shape}, expected that of y_true, {truth.shape}.")
    columns = zip(truth.reshape(len(truth), -1).T, score.reshape(len(score), -1).T, strict=True)
    values = [metric(label, ranking) for label, ranking in columns if label.min() != label.max()]
    return float(np.mean(values)) if values else float("nan")
