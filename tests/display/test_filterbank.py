"""FilterbankDisplay shows the filters that there are: checked against the estimator's own numbers and by physics."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from leaf_sklearn import LeafClassifier, LeafTransformer, MelTransformer
from leaf_sklearn.display import FilterbankDisplay
from leaf_sklearn.display._figures import save_display
from leaf_sklearn.frontends import PRESETS

PANELS = {"responses": 1, "centers": 1, "bandwidths": 1, "drift": 2, "pooling": 1, "pcen": 4, "overview": 10}


def fitted(frontend, **options):
    silence = np.zeros((2, 1600))
    return LeafTransformer(frontend, n_filters=12, device="cpu", **options).fit(silence)


@pytest.mark.parametrize("frontend", [name for name in PRESETS if name != "wavegram"])
def test_responses_peak_at_the_centres_and_are_as_wide_as_they_say(frontend):
    """The curves agree with center_frequencies_ and bandwidths_, which come from parameters, not from kernels."""
    model = fitted(frontend)
    display = FilterbankDisplay.of(model)
    step = display.frequencies[1]
    assert display.responses.max(axis=1) == pytest.approx(np.ones(12))
    above = display.responses >= 0.5
    middles = [display.frequencies[row][[0, -1]].mean() for row in above]
    widths = [np.ptp(display.frequencies[row]) for row in above]
    # a short window smears narrow bands, a mel triangle is sampled at 31 Hz
    assert middles == pytest.approx(model.center_frequencies_, abs=max(20.0, 2 * step))
    wide = model.bandwidths_ > 150.0
    assert np.array(widths)[wide] == pytest.approx(model.bandwidths_[wide], rel=0.35, abs=2 * step)


def test_kinds_and_their_panels(leaf):
    for kind, n_panels in PANELS.items():
        display = FilterbankDisplay.from_estimator(leaf, kind=kind)
        panels = np.ravel(display.ax_)
        assert len(panels) == n_panels
        assert {panel.figure for panel in panels} == {display.figure_}
        for panel in panels:
            assert panel.get_title() and panel.get_xlabel()
        assert all("(Hz)" in panel.get_xlabel() for panel in panels if panel.get_xlabel() != "Filter")


def test_drift_is_what_the_estimator_says(leaf):
    display = FilterbankDisplay.from_estimator(leaf, kind="drift")
    moved = leaf.center_frequencies_ - leaf.initial_center_frequencies_
    assert np.abs(moved).max() > 1.0
    hertz, octaves = (panel.collections[-1].get_offsets() for panel in display.ax_)
    np.testing.assert_allclose(hertz[:, 0], leaf.initial_center_frequencies_)
    np.testing.assert_allclose(hertz[:, 1], moved)
    np.testing.assert_allclose(octaves[:, 1], np.log2(leaf.center_frequencies_ / leaf.initial_center_frequencies_))


def test_a_filter_that_went_to_zero_moved_by_no_number_of_octaves():
    display = FilterbankDisplay(
        frequencies=[0.0, 4000.0],
        responses=np.ones((2, 2)),
        center_frequencies=[0.0, 2000.0],
        bandwidths=[10.0, 10.0],
        initial_center_frequencies=[100.0, 1000.0],
    )
    np.testing.assert_array_equal(display.drift_octaves, [np.nan, 1.0])
    display.plot(kind="drift")
    display.plot(kind="bandwidths")


def test_pooling_and_pcen_are_the_frontends_own(leaf):
    display = FilterbankDisplay.of(leaf)
    frontend = leaf.frontend_
    window_ms = 1000 * (frontend.window - 1) / frontend.sample_rate
    # half of the maximum lies 1.177 standard deviations from the middle, a deviation is the share of half the window
    expected = 2 * 1.17741 * 0.5 * window_ms * frontend.pooling.clipped_width.numpy()
    np.testing.assert_allclose(display.pooling_widths_ms, expected, rtol=1e-4)
    assert display.initial_pooling_widths_ms == pytest.approx(np.full(8, 1.17741 * 0.4 * window_ms), rel=1e-4)
    np.testing.assert_allclose(display.pcen["root"], frontend.compression.root.numpy())
    assert display.pcen_start == leaf.history_[0]["start"]
    exponents = display.plot(kind="pcen").ax_[2].collections[-1].get_offsets()[:, 1]
    np.testing.assert_allclose(exponents, 1 / frontend.compression.root.numpy(), rtol=1e-6)


def test_mel_is_the_line_that_mel_draws(leaf):
    mel = MelTransformer(sample_rate=8000, n_filters=8).fit(np.zeros((1, 800)))
    display = FilterbankDisplay.from_estimator(leaf, kind="centers")
    np.testing.assert_array_equal(display.ax_.lines[0].get_ydata(), mel.center_frequencies_)
    assert display.ax_.lines[0].get_label() == "mel"


def test_frontends_without_a_part_have_no_picture_of_it():
    display = FilterbankDisplay.of(fitted("td-fbanks"))
    assert display.kinds() == ["responses", "centers", "bandwidths", "drift"]
    with pytest.raises(ValueError, match=r"kind='pcen', but this frontend has none; it has \['responses'"):
        display.plot(kind="pcen")
    with pytest.raises(ValueError, match=r"kind='drum', expected one of \['responses'"):
        display.plot(kind="drum")
    assert len(display.plot().ax_) == 5
    with pytest.raises(ValueError, match="'wavegram' has no filters with a centre frequency"):
        FilterbankDisplay.of(fitted("wavegram"))


def test_estimators_that_hold_one(leaf, clips):
    X, y = clips
    pipeline = make_pipeline(clone(leaf).set_params(max_steps=1), LogisticRegression()).fit(X, y)
    assert FilterbankDisplay.of(pipeline).center_frequencies is not None
    search = GridSearchCV(pipeline, {"leaftransformer__n_filters": [5]}, cv=2).fit(X, y)
    assert len(FilterbankDisplay.of(search).center_frequencies) == 5
    classifier = LeafClassifier(clone(leaf).set_params(max_steps=1)).fit(X, y)
    assert len(FilterbankDisplay.of(classifier).center_frequencies) == 8
    with pytest.raises(TypeError, match="Got a LogisticRegression, expected a LeafTransformer"):
        FilterbankDisplay.of(LogisticRegression().fit(X, y))
    with pytest.raises(ValueError, match="not fitted"):
        FilterbankDisplay.of(LeafTransformer())


def test_axes_that_are_given(leaf):
    figure = Figure()
    display = FilterbankDisplay.of(leaf)
    left, right = figure.subplots(1, 2)
    assert display.plot(ax=left, kind="responses").ax_ is left
    assert all(panel.figure is figure for panel in display.plot(ax=right, kind="drift").ax_)
    two = Figure().subplots(1, 2)
    assert list(display.plot(ax=two, kind="drift").ax_) == list(two)
    with pytest.raises(ValueError, match="Got 2 axes, expected 1 or 4"):
        display.plot(ax=two, kind="pcen")
    with pytest.raises(ValueError, match="placed by hand"):
        display.plot(ax=Figure().add_axes((0, 0, 1, 1)), kind="drift")


def test_a_file_is_there_whole_or_not_at_all(leaf, tmp_path, monkeypatch):
    display = FilterbankDisplay.of(leaf)
    save_display(display, tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]

    def half(figure, path, **options):
        path.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", half)
    with pytest.raises(OSError, match="disk full"):
        save_display(display, tmp_path / "b.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
