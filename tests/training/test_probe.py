import numpy as np
import pytest

from leaf_sklearn._training.probe import clip_scores, judge
from leaf_sklearn._training.targets import make_targets


@pytest.mark.parametrize(
    "make_y",
    [
        lambda signal: signal > 0,
        lambda signal: np.stack([signal > 0, signal < 1], 1).astype(int),
        lambda signal: np.stack([np.where(np.arange(len(signal)) % 3, signal > 0, -1), signal > 1], 1),
        lambda signal: signal * 1.5 + 0.25,
    ],
    ids=["classes", "several labels", "several tasks", "numbers"],
)
def test_features_that_hold_the_target_score_better_than_noise(make_y):
    rng = np.random.default_rng(0)
    signal = rng.standard_normal(200)
    targets = make_targets(make_y(signal))
    noise = rng.standard_normal((200, 3)).astype(np.float32)
    told = noise + np.array([1.0, 0.0, 0.0], dtype=np.float32) * (3 * signal[:, None]).astype(np.float32)
    values = targets.values
    scores = [clip_scores(targets, X[:120], values[:120], X[120:], values[120:]) for X in (noise, told)]
    assert all(each.shape == (80,) and np.isfinite(each).all() for each in scores)
    assert scores[1].mean() > scores[0].mean() + 0.08
    assert judge(scores[1], scores[0])["kept"] == "start"
    assert judge(scores[0], scores[1])["kept"] == "trained"


def test_worse_by_less_than_a_standard_error_is_kept():
    start, trained = np.array([1.0, 1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0, 0.0])
    notes = judge(start, trained)
    assert notes["difference_error"] == pytest.approx(0.25)
    assert notes["held_out_trained"] - notes["held_out_start"] == -0.25
    assert notes["kept"] == "trained"
