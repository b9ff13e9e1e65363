"""Training at its edges: batches of one, sets at the limit of what is kept, odd held-out clips."""

import numpy as np
import pytest
import torch
from small_clips import RATE, make_clips, small

from leaf_sklearn import LeafClassifier
from leaf_sklearn._training import energies, loop, trial
from leaf_sklearn.encoders import BatchNorm, make_encoder


def test_batches_are_large_enough_for_batch_norm():
    X, y = make_clips(40)
    with pytest.raises(ValueError, match="batch_size"):
        small(batch_size=1).fit(X, y)
    leaf = small(batch_size=2, max_steps=200, validation_fraction=None)
    assert LeafClassifier(leaf).fit(X, y).score(X, y) > 0.9


def test_one_number_a_channel_moves_no_running_statistics():
    norm = BatchNorm(3).train()
    norm(torch.tensor([[[4.0], [-2.0], [0.5]]]), torch.tensor([1]))
    assert (norm.mean == 0).all() and (norm.variance == 1).all()


def test_a_set_whose_energies_just_fit_is_measured_whole_each_time(monkeypatch):
    clips = [*make_clips(20, 800)[0], *make_clips(15, 160)[0]]
    monkeypatch.setattr(energies, "MAX_SECONDS", 4.4)  # of 4.6: met by the last batch
    leaf = small(max_steps=16, validation_fraction=None)
    leaf.fit(clips, np.arange(35) % 2)
    assert leaf.n_iter_ == 16


def test_one_long_held_out_clip_does_not_make_all_long(monkeypatch):
    X, y = make_clips()
    short, long = make_clips(30, 400)[0], make_clips(1, 40000)[0]
    seen = []
    pad = loop.pad_frames
    monkeypatch.setattr(loop, "pad_frames", lambda rows: seen.append(pad(rows)[0].numel()) or pad(rows))
    monkeypatch.setattr(loop, "AT_ONCE", 8000)
    leaf = small(max_steps=2).fit(X, y, X_val=[*long, *short], y_val=np.arange(31) % 2)
    assert leaf.history_[-1]["score"] is not None
    assert max(seen) <= 8000


def test_the_score_counts_every_held_out_clip_once(monkeypatch):
    X, y = make_clips()
    scores = []
    for at_once in (loop.AT_ONCE, 1):
        monkeypatch.setattr(loop, "AT_ONCE", at_once)
        leaf = small(max_steps=2).fit(X, y, X_val=[clip[: 500 + 20 * n] for n, clip in enumerate(X[:12])], y_val=y[:12])
        scores.append([entry["score"] for entry in leaf.history_[1:]])
    assert scores[0] == pytest.approx(scores[1])


def test_fixed_filters_are_measured_once(monkeypatch):
    X, y = make_clips(60)
    again = []
    monkeypatch.setattr(loop, "measure_energies", lambda *given, **options: again.append(given))
    small(frontend="mel-pcen", max_steps=4).fit(X, y)
    assert not again


def test_a_start_that_is_kept_is_the_start(monkeypatch):
    kept = []
    judge = trial.Trial.judge

    def undone(self, trained):
        kept.append(self.start)
        return {**judge(self, trained), "kept": "start"}

    monkeypatch.setattr(trial.Trial, "judge", undone)
    before = {}
    prepared = trial.Trial.__init__

    def remember(self, frontend, *given):
        prepared(self, frontend, *given)
        before.update({name: value.clone() for name, value in self.start.named_buffers()})

    monkeypatch.setattr(trial.Trial, "__init__", remember)
    leaf = small(frontend="wavegram", n_filters=4, validation_fraction=0.5, sample_rate=RATE).fit(*make_clips())
    assert kept and before
    for name, value in leaf.frontend_.named_buffers():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0, msg=name)


def test_an_encoder_may_be_made_of_another():
    encoder = make_encoder(lambda n: make_encoder("cnn", n_filters=n), n_filters=6, generator=torch.Generator())
    assert encoder(torch.randn(3, 6, 20), torch.tensor([20, 20, 20])).shape == (3, 256)


def test_weights_that_leave_nothing_to_train_on_are_refused():
    X, y = make_clips(40)
    weights = np.zeros(40)
    refused = 0
    for clip in range(0, 40, 5):
        weights[:], weights[clip] = 0, 1
        try:
            small(validation_fraction=0.5, max_steps=1).fit(X, y, sample_weight=weights)
        except ValueError as error:
            refused += "weights of all 20 clips that would train are zero" in str(error)
    assert refused > 1


def test_validation_targets_that_do_not_fit_are_refused():
    X, y = make_clips()
    numbers = np.linspace(0.1, 0.9, 24)
    with pytest.raises(ValueError, match="y_val has 2 columns, y has one"):
        small().fit(X, y, X_val=X, y_val=np.stack([y, y], 1))
    both = np.stack([numbers, numbers], 1)
    spoiled = both.copy()
    spoiled[5, 1] = np.nan
    with pytest.raises(ValueError, match="y_val holds NaN or infinity for clip 5"):
        small().fit(X, both, X_val=X, y_val=spoiled)
