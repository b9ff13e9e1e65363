"""Every frontend with every kind of encoder, behind the estimator: what all pairs promise."""

import pickle

import numpy as np
import pytest
import torch
from small_clips import RATE, make_clips, small

from leaf_sklearn import LeafClassifier
from leaf_sklearn._training.network import Network
from leaf_sklearn.encoders import ENCODERS
from leaf_sklearn.frontends import PRESETS, make_frontend

ENCODER_NAMES = ["linear", *ENCODERS]
SLOW = {"cnn14": pytest.mark.slow}


@pytest.fixture(scope="module")
def clips():
    return make_clips()


def pair(frontend, encoder):
    if encoder == "efficientnet_b0":
        pytest.importorskip("monai")
    generator = torch.Generator().manual_seed(0)
    bank = make_frontend(frontend, sample_rate=RATE, n_filters=6)
    return Network(bank, encoder, 3, statistics=True, generator=generator)


@pytest.mark.parametrize("encoder", ENCODER_NAMES)
@pytest.mark.parametrize("frontend", PRESETS)
def test_gradients_are_finite_and_reach_every_parameter(frontend, encoder):
    network = pair(frontend, encoder).train()
    waveforms = 0.3 * torch.randn(2, 1600, generator=torch.Generator().manual_seed(1))
    outputs = network(waveforms, torch.tensor([1600, 1600]))
    assert all(output.shape == (2, 3) and output.dtype == torch.float32 for output in outputs)
    loss = sum(torch.nn.functional.cross_entropy(output, torch.tensor([0, 2])) for output in outputs)
    loss.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    if encoder == "linear":
        moved = [
            parameter.grad.abs().sum() > 0 for parameter in network.frontend.parameters() if parameter.requires_grad
        ]
        assert all(moved)


@pytest.mark.parametrize("encoder", ENCODER_NAMES)
@pytest.mark.parametrize("frontend", PRESETS)
def test_silence_and_clicks_stay_finite(frontend, encoder):
    network = pair(frontend, encoder).eval()
    waveforms = torch.zeros(3, 1600)
    waveforms[1, 800] = 1.0
    waveforms[2] = 1.0
    with torch.inference_mode():
        for output in network(waveforms, torch.tensor([1600, 1600, 1600])):
            assert output.isfinite().all()


@pytest.mark.parametrize("frontend", PRESETS)
def test_every_frontend_fits_moves_and_keeps_clips_apart(clips, frontend):
    X, y = clips
    leaf = small(frontend=frontend, max_steps=4, output="embedding").fit(X, y)
    start = make_frontend(frontend, sample_rate=RATE, n_filters=6)
    before = dict(start.named_parameters())
    for name, parameter in leaf.frontend_.named_parameters():
        assert not torch.equal(before[name], parameter), name
    ragged = [X[0], X[1][:431], X[2][:7]]
    for output in ("functionals", "embedding"):
        leaf.set_params(output=output)
        together = leaf.transform(ragged)
        assert np.isfinite(together).all() and len(together) == 3
        alone = np.concatenate([leaf.transform([clip]) for clip in ragged])
        np.testing.assert_allclose(together, alone, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("encoder", [pytest.param(name, marks=SLOW.get(name, ())) for name in ENCODER_NAMES])
def test_the_paper_s_pairings_run_end_to_end(clips, encoder):
    if encoder == "efficientnet_b0":
        pytest.importorskip("monai")
    X, y = clips
    classifier = LeafClassifier(small(encoder=encoder, recipe="paper", max_steps=1, batch_size=4)).fit(X[:12], y[:12])
    assert classifier.predict(X).shape == (24,) and np.isfinite(classifier.decision_function(X)).all()
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))


@pytest.mark.parametrize(
    ("frontend", "expected"),
    [
        ("mel", 0),
        ("mel-pcen", 256),
        ("wavegram", 309_568),
        ("td-fbanks", 51_729),
        ("sincnet", 256),
        ("sincnet+", 448),
        ("leaf", 448),
    ],
)
def test_parameters_at_64_filters(frontend, expected):
    X, _ = make_clips(4, n_times=1600)
    leaf = small(frontend=frontend, sample_rate=16000, n_filters=64).fit(X)
    assert leaf.n_parameters_ == expected
