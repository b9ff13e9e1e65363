"""ComparisonDisplay draws the summary's own means and intervals."""

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure

from leaf_sklearn.compare import Comparison
from leaf_sklearn.compare._results import Row
from leaf_sklearn.compare._tables import summarize_rows
from leaf_sklearn.display import ComparisonDisplay


def row(task="birds", frontend="mel", classifier="svc", seed=0, **scores):
    scores = scores or {"accuracy": 0.5, "balanced_accuracy": 0.5}
    return Row(task, frontend, classifier, seed, 0, 100, 50, 120, 1.0, 0.5, "hash", "{}", **scores)


def test_bars_are_means_and_whiskers_are_intervals():
    rows = [
        row(seed=seed, frontend=name, accuracy=value)
        for seed in (0, 1)
        for name, value in (("mel", 0.4), ("leaf", 0.6))
    ]
    result = Comparison(rows, ["mel", "leaf"])
    display = ComparisonDisplay.from_comparison(result)
    panel = display.ax_
    assert [bar.get_height() for bar in panel.patches] == pytest.approx([0.4, 0.6])
    assert [text.get_text() for text in panel.get_xticklabels()] == ["mel", "leaf"]
    whisker = panel.collections[0].get_segments()[0][:, 1]
    assert tuple(whisker) == pytest.approx(result.summary()[0].interval())
    dots = panel.collections[1].get_offsets()
    assert dots[:, 1].tolist() == [0.4, 0.4] and dots[0, 0] < dots[1, 0]
    assert panel.get_title() == "birds" and panel.get_ylabel() == "accuracy"


def test_a_panel_a_task_no_wider_than_the_others():
    rows = [row(task=name) for name in "abcd"]
    rows.append(row(task="tags", mean_average_precision=0.25, auc=0.75, d_prime=0.95))
    figure = Figure(layout="constrained")
    display = ComparisonDisplay(summarize_rows(rows)).plot(ax=figure.subplots())
    assert [panel.get_title() for panel in display.ax_] == ["a", "b", "c", "d", "tags"]
    assert display.ax_[-1].get_ylabel() == "mAP"
    figure.draw_without_rendering()
    assert np.ptp([panel.get_position().width for panel in display.ax_]) < 0.01
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["svc"]


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="no results"):
        ComparisonDisplay([])


def test_long_names_do_not_overlap():
    outputs = "mean+std+delta_std+mean_thirds+mod_0_3hz+mod_3_6hz+mod_6_12hz+mod_12_24hz+mod_24_50hz"
    names = ["mel", "sincnet+", f"wavegram ({outputs})", "td-fbanks (mean+std)", "leaf (embedding)"]
    rows = [row(task=task, frontend=name) for task in "abcd" for name in names]
    display = ComparisonDisplay(summarize_rows(rows)).plot()
    figure = display.figure_
    figure.draw_without_rendering()
    for panel in display.ax_:
        boxes = [text.get_window_extent() for text in panel.get_xticklabels()]
        shown = {"".join(text.get_text().split()) for text in panel.get_xticklabels()}
        assert shown == {name.replace(" ", "") for name in names}
        assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
        assert panel.get_window_extent().height > 100
