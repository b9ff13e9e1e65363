"""Features of several outputs from one fitted transformer."""

import numpy as np

from leaf_sklearn import LeafTransformer, MelTransformer
from leaf_sklearn._training.network import Network
from leaf_sklearn.compare._jobs import features_of
from leaf_sklearn.datasets import make_audio_classification

RATE = 4000


def counted(method, sizes):
    def call(self, waveforms, lengths):
        sizes.append(len(waveforms))
        return method(self, waveforms, lengths)

    return call


def test_outputs_of_one_pass_are_those_of_transform(monkeypatch):
    X, y = make_audio_classification(24, sample_rate=RATE, duration_s=0.1, random_state=0)
    leaf = LeafTransformer(
        sample_rate=RATE, n_filters=4, max_steps=2, device="cpu", output="embedding", random_state=0
    ).fit(X, y)
    outputs = ["functionals", "embedding", "mean+max"]
    expected = [
        leaf.set_params(output=output, functionals=functionals).transform(X)
        for output, functionals in [("functionals", ["std"]), ("embedding", ["std"]), ("functionals", ["mean", "max"])]
    ]
    leaf.set_params(output="embedding", functionals=["std"])
    passes = []
    monkeypatch.setattr(Network, "features", counted(Network.features, passes))
    found = features_of(leaf, outputs, X)
    assert list(found) == outputs
    for features, wanted in zip(found.values(), expected, strict=True):
        np.testing.assert_array_equal(features, wanted)
    assert passes == [len(X)]
    assert (leaf.output, leaf.functionals) == ("embedding", ["std"])


def test_a_transform_of_ones_own_is_not_passed_by():
    class Twice(MelTransformer):
        def transform(self, X):
            return 2 * super().transform(X)

    X, _ = make_audio_classification(24, sample_rate=RATE, duration_s=0.1, random_state=0)
    mel = Twice(sample_rate=RATE, n_filters=4).fit(X)
    found = features_of(mel, ["functionals", "mean"], X)
    np.testing.assert_array_equal(found["functionals"], mel.transform(X))
    np.testing.assert_array_equal(found["mean"], mel.set_params(functionals=["mean"]).transform(X))
