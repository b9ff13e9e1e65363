"""Differences between frontends: what was said about each clip, and the intervals made from it."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from leaf_sklearn.compare._metrics import decision_values, macro_average_precision_score
from leaf_sklearn.compare._outcomes import encode_outcomes, metric_of_clips
from leaf_sklearn.compare._paired import MEAN, paired_differences, signed_rank
from leaf_sklearn.compare._results import Row


class Says:
    """A classifier that says what it is told to."""

    def __init__(self, right):
        self.right = right

    def predict(self, X):
        return self.right.astype(int)


def row(task, frontend, right, *, seed=0, fold=0, **values):
    right = np.asarray(right, dtype=bool)
    text = encode_outcomes(Says(right), None, np.ones(len(right), dtype=int))
    plain = {"classifier": "svc", "n_train": 9, "n_features": 3, "fit_seconds": 1.0, "transform_seconds": 1.0}
    plain |= {"data": "x", "settings": "{}", "accuracy": float(right.mean()), "outcomes": text}
    return Row(
        **{"task": task, "frontend": frontend, "seed": seed, "fold": fold, "n_test": len(right), **plain, **values}
    )


def count(clips, n_clips):
    """How often each clip is there, as one draw."""
    return np.bincount(clips, minlength=n_clips)[None]


@pytest.mark.parametrize("n_clips", [1, 8, 21])
def test_bits_give_the_accuracy_of_any_clips(n_clips):
    right = np.random.default_rng(0).random(n_clips) < 0.5
    metric = metric_of_clips(row("a", "leaf", right).outcomes, n_clips)
    clips = np.random.default_rng(1).integers(n_clips, size=30)
    assert metric(count(np.arange(n_clips), n_clips)) == right.mean()
    assert metric(count(clips, n_clips)) == right[clips].mean()


def test_ranks_give_the_precision_of_any_clips():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 5)), rng.integers(0, 2, (40, 3))
    model = OneVsRestClassifier(LogisticRegression()).fit(X[:20], y[:20])
    text = encode_outcomes(model, X, y)
    assert "\n" not in text and "," not in text and len(text) < 500
    scores, metric = decision_values(model, X), metric_of_clips(text, 40)
    for clips in (np.arange(40), rng.integers(40, size=40), rng.integers(3, size=40)):
        assert metric(count(clips, 40)) == pytest.approx(macro_average_precision_score(y[clips], scores[clips]))


def test_clips_of_equal_rank_count_together():
    class Vague:
        def decision_function(self, X):
            return X

    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 3, (30, 2)).astype(float), rng.integers(0, 2, (30, 2))
    metric = metric_of_clips(encode_outcomes(Vague(), X, y), 30)
    assert metric(count(np.arange(30), 30)) == pytest.approx(macro_average_precision_score(y, X))
    nothing = metric_of_clips(encode_outcomes(Vague(), X, np.zeros((30, 2), dtype=int)), 30)
    assert np.isnan(nothing(count(np.arange(30), 30)))


def test_the_interval_of_paired_clips_is_that_of_their_differences():
    rng = np.random.default_rng(0)
    mel = rng.random(400) < 0.5
    leaf = mel | (rng.random(400) < 0.2)
    (found,) = paired_differences([row("a", "leaf", leaf), row("a", "mel", mel)], *SIDES)
    difference = leaf.astype(float) - mel
    error = difference.std() / 20
    assert found.difference == pytest.approx(difference.mean())
    assert found.low == pytest.approx(difference.mean() - 1.96 * error, abs=0.01)
    assert found.high == pytest.approx(difference.mean() + 1.96 * error, abs=0.01)
    unpaired = np.sqrt(leaf.var() / 400 + mel.var() / 400)
    assert found.high - found.low < 0.8 * 2 * 1.96 * unpaired, "the clips' own difficulty cancels"


SIDES = (("leaf", "functionals"), ("mel", "functionals"))


def test_seeds_that_differ_widen_the_interval():
    mel = [row("a", "mel", np.arange(200) < 100)]
    widths = []
    for spread in (0, 20):
        leaf = [row("a", "leaf", np.arange(200) < 120 + spread * seed, seed=seed) for seed in (-1, 0, 1)]
        (found,) = paired_differences([*leaf, *mel], *SIDES)
        assert found.difference == pytest.approx(0.1) and found.n_seeds == (3, 1)
        widths.append(found.high - found.low)
    assert widths[1] > 1.3 * widths[0]


def test_each_side_takes_its_best_classifier_unless_one_is_named():
    rows = [row("a", "leaf", [1, 1, 0, 0]), row("a", "leaf", [1, 1, 1, 0], classifier="logreg")]
    rows += [row("a", "mel", [1, 0, 0, 0]), row("a", "mel", [0, 0, 0, 0], classifier="logreg")]
    (best,) = paired_differences(rows, *SIDES)
    assert best.classifiers == ("logreg", "svc") and best.scores == (0.75, 0.25)
    (same,) = paired_differences(rows, *SIDES, classifier="svc")
    assert same.scores == (0.5, 0.25)


def test_the_mean_over_tasks_comes_last_and_leaves_out_what_is_judged_otherwise():
    rng = np.random.default_rng(0)
    rows = []
    for task in "abcdef":
        rows += [row(task, "mel", rng.random(60) < 0.4), row(task, "leaf", rng.random(60) < 0.7)]
    rows.append(row("lonely", "leaf", [1, 0]))
    found = paired_differences(rows, *SIDES)
    assert [each.task for each in found] == [*"abcdef", MEAN]
    assert found[-1].difference == pytest.approx(np.mean([each.difference for each in found[:-1]]))
    assert found[-1].high - found[-1].low < 0.6 * (found[0].high - found[0].low)
    assert signed_rank(found) == pytest.approx(2 * 0.5**6)


def test_other_folds_are_refused():
    with pytest.raises(ValueError, match="different folds"):
        paired_differences([row("a", "leaf", [1, 0]), row("a", "mel", [1, 0, 0])], *SIDES)


def test_tasks_draw_clips_and_seeds_of_their_own():
    """What one draw gives in one task it does not take in another, however alike their numbers of clips."""
    rng = np.random.default_rng(0)
    flags = [rng.random(400) < 0.6, rng.random(400) < 0.6]
    rows = [
        row(task, side, flags[place])
        for task, order in (("a", (0, 1)), ("b", (1, 0)))
        for place, side in zip(order, ("leaf", "mel"), strict=True)
    ]
    *each, mean = paired_differences(rows, *SIDES)
    width = np.mean([one.high - one.low for one in each])
    assert mean.difference == pytest.approx(0.0)
    assert mean.high - mean.low == pytest.approx(width / np.sqrt(2), rel=0.15)


def test_a_seed_that_is_not_finished_is_left_out():
    """Otherwise a fold that is harder than another would count for one side alone."""
    folds = [np.arange(20) < 15, np.arange(20) < 11]
    rows = [row("a", "mel", right, fold=fold) for fold, right in enumerate(folds)]
    rows += [row("a", "leaf", np.roll(right, 3), fold=fold) for fold, right in enumerate(folds)]
    (whole,) = paired_differences(rows, *SIDES)
    (found,) = paired_differences([*rows, row("a", "leaf", folds[0], seed=1, fold=0)], *SIDES)
    assert found.difference == whole.difference == 0.0 and found.n_seeds == (1, 1)
    assert paired_differences([each for each in rows if (each.frontend, each.fold) != ("mel", 1)], *SIDES) == []


def test_more_ranks_than_two_bytes_hold():
    class Graded:
        def decision_function(self, X):
            return np.arange(70_000.0)[:, None]

    y = (np.arange(70_000) >= 69_990).astype(int)[:, None]
    metric = metric_of_clips(encode_outcomes(Graded(), None, y), len(y))
    assert metric(count(np.arange(70_000), 70_000)) == 1.0
