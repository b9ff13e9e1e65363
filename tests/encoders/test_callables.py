"""Encoders that users bring: modules that exist already, that draw numbers of their own, that are compiled."""

import pickle

import numpy as np
import torch
from small_clips import make_clips, small
from torch import nn

from leaf_sklearn import LeafClassifier
from leaf_sklearn.encoders import make_encoder


def pooled(n_filters):
    return nn.Sequential(nn.Conv1d(n_filters, 8, 3), nn.BatchNorm1d(8), nn.AdaptiveAvgPool1d(1), nn.Flatten())


def test_fits_do_not_share_a_module_that_was_there_before():
    X, y = make_clips()
    backbone = pooled(6)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    first = LeafClassifier(small(encoder=lambda n_filters: backbone)).fit(X, y)
    found = first.predict_proba(X)
    second = LeafClassifier(small(encoder=lambda n_filters: backbone)).fit(X, y)
    np.testing.assert_array_equal(second.predict_proba(X), found)
    np.testing.assert_array_equal(first.predict_proba(X), found)
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())
    assert all(parameter.requires_grad for parameter in backbone.parameters())


class Projected(nn.Module):
    """Draws what is in no state dict."""

    def __init__(self, n_filters):
        super().__init__()
        self.register_buffer("projection", torch.randn(5, n_filters), persistent=False)

    def forward(self, features):
        return torch.tanh((self.projection @ features).mean(-1))


def test_what_an_encoder_draws_beside_its_weights_is_kept():
    X, y = make_clips()
    seen = []

    def build(n_filters):
        seen.append(Projected(n_filters))
        return seen[-1]

    leaf = small(encoder=build, output="embedding").fit(X, y)
    kept = leaf._network.heads[-1].encoder.network.projection
    assert len(seen) > 1 and torch.equal(kept, seen[0].projection)
    plain = small(encoder=Projected, output="embedding").fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(plain)).transform(X), plain.transform(X))


class Masked(nn.Module):
    """Holds infinities that are no result of training."""

    def __init__(self, n_filters):
        super().__init__()
        self.register_buffer("mask", torch.full((n_filters,), -torch.inf))
        self.linear = nn.Linear(n_filters, 4)

    def forward(self, features):
        return self.linear(features.mean(-1).maximum(self.mask))


def test_infinite_buffers_are_no_divergence():
    X, y = make_clips()
    assert np.isfinite(small(encoder=Masked, output="embedding").fit(X, y).transform(X)).all()


def test_a_compiled_encoder_takes_features_alone():
    compiled = make_encoder(lambda n_filters: torch.compile(pooled(n_filters), backend="eager"), n_filters=6)
    assert not compiled.takes_lengths and compiled.n_outputs == 8
