"""TrainingDisplay draws what the history says, and the history prints as a table."""

import copy

import joblib
import numpy as np
import pytest

from leaf_sklearn import LeafTransformer, MelTransformer
from leaf_sklearn._history import History
from leaf_sklearn.display import TrainingDisplay
from leaf_sklearn.display._training import ACCURACY


def test_panels_show_the_history(leaf):
    display = TrainingDisplay.from_estimator(leaf)
    entries = [entry for entry in leaf.history_ if "loss" in entry]
    assert len(entries) == 6
    for panel, name in zip(display.ax_, ("loss", "score", "learning_rate"), strict=True):
        np.testing.assert_array_equal(panel.lines[0].get_xdata(), [entry["step"] for entry in entries])
        np.testing.assert_array_equal(panel.lines[0].get_ydata(), [entry[name] for entry in entries])
        assert panel.lines[-1].get_xdata() == [leaf.best_step_] * 2
    assert display.ax_[0].texts[0].get_text() == f"kept: step {leaf.best_step_}"
    assert display.ax_[-1].get_xlabel() == "Step"


def test_no_accuracy_above_one_is_shown():
    history = [{"step": step, "loss": 1.0, "score": 1.0, "learning_rate": 0.1} for step in (1, 2)]
    low, high = TrainingDisplay(history, score_name=ACCURACY).plot().ax_[1].get_ylim()
    assert low < 0.9 and 1.0 < high < 1.03


def test_without_scores():
    history = [{"step": step, "loss": 1.0, "score": None, "learning_rate": 0.1 * step} for step in (1, 2)]
    loss, rate = TrainingDisplay(history).plot().ax_
    assert (loss.get_ylabel(), rate.get_ylabel()) == ("Training loss", "Learning rate")
    np.testing.assert_allclose(rate.lines[0].get_ydata(), [0.1, 0.2])


def test_scores_that_are_no_accuracies_are_not_called_so(clips):
    X, _ = clips
    leaf = LeafTransformer(sample_rate=8000, n_filters=4, max_steps=2, validation_fraction=0.5, device="cpu")
    leaf.fit(X, np.linspace(0, 1, len(X)))
    assert TrainingDisplay.from_estimator(leaf).ax_[1].get_ylabel() == "Held-out score"


@pytest.mark.parametrize("model", [MelTransformer(), LeafTransformer(device="cpu")])
def test_nothing_to_draw(model):
    with pytest.raises(ValueError, match="no training to draw: fit a LeafTransformer with y"):
        TrainingDisplay.from_estimator(model.fit(np.zeros((2, 800))))


def test_history_prints_as_a_table(leaf):
    lines = str(leaf.history_).splitlines()
    assert lines == repr(leaf.history_).splitlines()
    assert any(line.startswith("picked by: ") for line in lines)
    heading = next(number for number, line in enumerate(lines) if line.split()[:3] == ["step", "loss", "score"])
    rows = [line.split() for line in lines[heading + 1 :]]
    assert [int(row[0]) for row in rows] == [entry["step"] for entry in leaf.history_[1:]]
    assert len({len(line) for line in lines[heading:]}) == 1
    page = leaf.history_._repr_html_()
    assert page.count("<tr>") == 7 and "<th>loss</th>" in page


def test_history_of_nothing_and_of_odd_entries():
    assert str(History()) == "" and History()._repr_html_() == ""
    entries = [{"step": 0, "start": "<b>"}, {"step": 1, "loss": np.float32(0.5), "score": None, "drift": [1, 2]}]
    assert str(History(entries)).splitlines() == ["start: <b>", "step  loss  score", "   1   0.5      -"]
    assert "<b>" not in History(entries)._repr_html_()


def test_history_is_a_list_of_plain_dicts_and_the_state_is_plain(leaf):
    assert isinstance(leaf.history_, list) and type(leaf.__getstate__()["_history"]) is list
    assert copy.deepcopy(leaf).history_ == leaf.history_
    assert joblib.hash(copy.deepcopy(leaf)) == joblib.hash(leaf)
    with pytest.raises(AttributeError):
        _ = LeafTransformer().history_
