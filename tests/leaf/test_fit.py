"""What `fit` learns and says about it."""

import joblib
import numpy as np
import pytest
import torch
from small_clips import RATE, StopAfter, make_clips, small

from leaf_sklearn._training import trial
from leaf_sklearn._training.loop import Training


def test_fitted_attributes(clips, fitted):
    assert fitted.n_features_in_ == 800
    assert fitted.classes_.tolist() == [0, 1]
    assert fitted.n_iter_ == 16 and 1 <= fitted.best_step_ <= 16
    assert fitted.n_parameters_ == 7 * 6
    assert fitted.device_ == "cpu" or torch.cuda.is_available() or torch.backends.mps.is_available()
    for name in ("center_frequencies_", "bandwidths_", "initial_center_frequencies_", "initial_bandwidths_"):
        assert getattr(fitted, name).shape == (6,)
    assert (fitted.center_frequencies_ > 0).all() and (fitted.center_frequencies_ < RATE / 2).all()
    assert [entry["step"] for entry in fitted.history_] == list(range(17))
    assert all(parameter.device.type == "cpu" for parameter in fitted.frontend_.parameters())


def test_training_moves_every_parameter(clips, fitted):
    untrained = small().fit(clips[0])
    for (name, before), after in zip(
        untrained.frontend_.named_parameters(), fitted.frontend_.parameters(), strict=True
    ):
        assert (before != after).all(), name


def test_training_lowers_the_loss(clips):
    history = small(max_steps=96).fit(*clips).history_
    assert history[-1]["loss"] < 0.5 * history[1]["loss"]


def test_without_y_only_the_energy_scale_is_learned(clips):
    leaf = small().fit(clips[0])
    assert leaf.n_iter_ == 0 and leaf.classes_ is None
    np.testing.assert_array_equal(leaf.center_frequencies_, leaf.initial_center_frequencies_)
    assert leaf.history_[0]["picked_by"] == "fixed: compression_search=False"
    assert not torch.equal(leaf.frontend_.energy_scale, torch.ones(6))


def test_identical_fits_are_bit_equal(clips, fitted):
    again = small(max_steps=16).fit(*clips)
    np.testing.assert_array_equal(again.transform(clips[0]), fitted.transform(clips[0]))
    assert joblib.hash(again) == joblib.hash(fitted)
    other = small(max_steps=16, random_state=1).fit(*clips)
    assert joblib.hash(other) != joblib.hash(fitted)
    groups = np.repeat(np.arange(8), 3)
    searching = [small(compression_search=True, validation_fraction=0.5).fit(*clips, groups=groups) for _ in range(2)]
    assert joblib.hash(searching[0]) == joblib.hash(searching[1])
    assert searching[0].history_[0]["kept"] in ("start", "trained")


def test_fit_and_transform_leave_torch_s_global_generator_alone(clips):
    before = torch.random.get_rng_state()
    small().fit(*clips).transform(clips[0])
    assert torch.equal(before, torch.random.get_rng_state())


def test_validation_clips_of_one_s_own(clips):
    X, y = clips
    val = make_clips(8, seed=3)
    leaf = small(max_steps=64).fit(X, y, X_val=val[0], y_val=val[1])
    assert leaf.history_[-1]["score"] in [correct / 8 for correct in range(9)]
    with pytest.raises(ValueError, match="one of X_val and y_val only"):
        small().fit(X, y, X_val=val[0])
    with pytest.raises(ValueError, match="but no y"):
        small().fit(X, X_val=val[0], y_val=val[1])
    with pytest.raises(ValueError, match="among the classes"):
        small().fit(X, y, X_val=val[0], y_val=val[1] + 5)


@pytest.mark.parametrize("settings", [{"frontend": "sincnet"}, {"compression": "log"}])
def test_without_pcen_the_history_says_why_nothing_was_searched(clips, settings):
    notes = small(compression_search=True, **settings).fit(*clips).history_[0]
    assert notes["picked_by"] == "fixed: this frontend has no PCEN"


def test_all_clips_train_where_nothing_is_held_out(clips):
    leaf = small(validation_fraction=None).fit(*clips)
    assert all(entry["score"] is None for entry in leaf.history_[1:])
    assert leaf.best_step_ == leaf.n_iter_ == 4


def test_too_few_clips_to_hold_out_are_said_in_the_history():
    notes = small().fit(*make_clips(40)).history_[0]
    assert "10" in notes["validation"] and "is 4, too few" in notes["validation"]
    assert (notes["kept"], notes["judged"]) == ("trained", "no: no clips were held out")


def test_the_best_state_of_the_paper_s_recipe_is_kept(clips, monkeypatch):
    scores = iter([0.1, 0.9, 0.5, 0.5])
    monkeypatch.setattr(Training, "evaluate", lambda self: next(scores))
    leaf = small(recipe="paper", validation_fraction=0.5).fit(*clips)
    assert leaf.best_step_ == 2
    scores = iter([0.1, 0.9])
    stopped = small(recipe="paper", validation_fraction=0.5).set_callbacks(StopAfter(2)).fit(*clips)
    np.testing.assert_array_equal(stopped.transform(clips[0]), leaf.transform(clips[0]))


@pytest.mark.parametrize(("trained", "kept"), [(0.2, "start"), (0.45, "trained"), (0.9, "trained")])
def test_training_that_did_harm_is_undone(monkeypatch, trained, kept):
    """Scores of 12 held-out clips: half right at the start; worse by less than a standard error is no harm."""
    X, y = make_clips(60)
    right = iter([np.arange(12) < 6, np.arange(12) < round(12 * trained)])
    monkeypatch.setattr(trial, "clip_scores", lambda *args: next(right).astype(float))
    leaf = small(max_steps=8, validation_fraction=0.2).fit(X, y)
    notes = leaf.history_[0]
    assert notes["kept"] == kept and notes["held_out_clips"] == 12 and notes["held_out_start"] == 0.5
    moved = leaf.center_shifts_ != 0
    assert moved.all() if kept == "trained" else not moved.any()
    assert leaf.best_step_ == (8 if kept == "trained" else 0)
    untrained = small().fit(X)
    same = np.array_equal(leaf.bandwidth_ratios_, untrained.bandwidth_ratios_)
    assert same == (kept == "start")
    assert np.isfinite(leaf.set_params(output="embedding").transform(X)).all()


def test_the_search_takes_starts_of_one_s_own(clips):
    leaf = small(compression_search=[(0.3, 0.1, 3.0)]).fit(*clips)
    assert leaf.history_[0]["start"] == {"alpha": 0.3, "delta": 0.1, "root": 3.0, "smooth": 0.04}
    for rows in ([(0.3, 0.1)], [(1.5, 0.1, 3.0)], [], [(0.3, 0.1, 0.5)]):
        with pytest.raises(ValueError, match="compression_search"):
            small(compression_search=rows).fit(*clips)


def test_the_paper_s_recipe_keeps_the_reference_s_start(clips):
    leaf = small(recipe="paper", validation_fraction=0.5).fit(*clips)
    assert leaf.history_[0] == {"step": 0, "start": "the reference's"}
    assert not bool(leaf.frontend_.energy_scaled)
    torch.testing.assert_close(leaf.frontend_.compression.delta, torch.full((6,), 2.0), rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    "y",
    [
        np.random.default_rng(0).normal(size=24),
        np.random.default_rng(0).integers(0, 2, (24, 3)),
        np.stack([np.arange(24) % 3, np.where(np.arange(24) < 12, np.arange(24) % 2, -1)], 1),
        np.array(["low", "high"] * 12),
    ],
    ids=["regression", "multilabel", "multitask", "strings"],
)
def test_every_kind_of_y_trains(clips, y):
    leaf = small(compression_search=True).fit(clips[0], y)
    assert leaf.n_iter_ == 4 and np.isfinite(leaf.transform(clips[0])).all()
    single = y.ndim == 1 and y.dtype.kind != "f"
    assert leaf.history_[0]["picked_by"].startswith("cross-validation" if single else "fixed: a ")


def test_sample_weights_matter(clips):
    X, y = clips
    weights = np.where(np.arange(24) < 4, 5.0, 0.5)
    weighted = small().fit(X, y, sample_weight=weights)
    assert not np.array_equal(weighted.transform(X), small().fit(X, y).transform(X))
    np.testing.assert_array_equal(
        small().fit(X, y, sample_weight=np.full(24, 3.0)).transform(X), small().fit(X, y).transform(X)
    )


def test_verbose_prints_a_line_an_evaluation(clips, capsys):
    small(verbose=1).fit(*clips)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and lines[0].startswith("step 1/4  loss ")
