"""Any sensible setting works or is refused clearly."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from leaf_sklearn.frontends import PRESETS, make_frontend

RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000)
FREE = [name for name in PRESETS if name != "wavegram"]


@st.composite
def frontends(draw):
    """A name and settings that it can honour."""
    name = draw(st.sampled_from(FREE))
    rate = draw(st.sampled_from(RATES))
    n_filters = draw(st.one_of(st.integers(1, 12), st.sampled_from([40, 64, 80, 128, 256])))
    init = draw(st.sampled_from(["mel", "bark", "erb", "linear", "random", "rows"]))
    options = {
        "sample_rate": rate,
        "n_filters": n_filters,
        "window_ms": draw(st.sampled_from([5.0, 10.0, 16.0, 25.0, 32.0])),
        "hop_ms": draw(st.sampled_from([2.5, 10.0, 20.0, 40.0])),
        "compression": draw(st.sampled_from(["auto", "pcen", "log", "root", None])),
        "instance_norm": draw(st.booleans()),
        "preemphasis": draw(st.booleans()),
    }
    if init == "rows":
        center = np.linspace(100.0, 0.45 * rate, n_filters)
        options["init"] = np.stack([center, np.full(n_filters, draw(st.sampled_from([60.0, 400.0])))], axis=1)
    else:
        options |= {"init": init, "fmin": draw(st.sampled_from([None, 0.0, 200.0]))}
        options["fmax"] = draw(st.sampled_from([None, 3000.0, 0.5 * rate]))
    if not name.startswith("mel"):
        options["pooling"] = draw(st.sampled_from(["auto", "gaussian", "lowpass", "max"]))
    if name == "leaf":
        options["sort_filters"] = draw(st.booleans())
    options["algorithm"] = draw(st.sampled_from(["auto", "direct"]))
    return name, options


@settings(max_examples=40, deadline=None, derandomize=True)
@given(frontends(), st.lists(st.integers(1, 3000), min_size=2, max_size=4), st.integers(0, 2**31))
def test_settings_give_finite_features_that_depend_on_the_clip_alone(chosen, lengths, seed):
    name, options = chosen
    assume(options["n_filters"] * max(lengths) * options["sample_rate"] * options["window_ms"] < 1e13)
    frontend = make_frontend(name, **options)
    waveforms = torch.randn(len(lengths), max(lengths) + 7, generator=torch.Generator().manual_seed(seed))
    waveforms.requires_grad_()
    counts = torch.tensor(lengths)
    features = frontend(waveforms, counts)
    assert features.shape == (len(lengths), options["n_filters"], frontend.n_frames(waveforms.shape[1]))
    assert features.isfinite().all()
    features.square().sum().backward()
    assert waveforms.grad.isfinite().all()
    beyond = torch.arange(waveforms.shape[1]) >= counts[:, None]
    assert (waveforms.grad[beyond] == 0.0).all()
    for key, parameter in frontend.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
    with torch.no_grad():
        for row, length in enumerate(lengths):
            n_frames = frontend.n_frames(length)
            assert n_frames >= 1
            alone = frontend(waveforms[row : row + 1, :length])
            assert alone.shape[-1] == n_frames
            torch.testing.assert_close(alone[0], features[row, :, :n_frames].detach(), rtol=0, atol=0)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("n_filters", [1, 40, 128, 256])
def test_no_two_filters_are_alike_and_none_is_empty(rate, n_filters):
    leaf = make_frontend("leaf", sample_rate=rate, n_filters=n_filters)
    pairs = torch.stack([leaf.filterbank.center, leaf.filterbank.sigma], dim=1)
    assert len(pairs.unique(dim=0)) == n_filters
    mel = make_frontend("mel", sample_rate=rate, n_filters=n_filters).filterbank.matrix.T
    assert (mel.amax(dim=1) > 0).all()
    assert len(mel.unique(dim=0)) == n_filters
    taps = make_frontend("td-fbanks", sample_rate=rate, n_filters=n_filters).filterbank.kernels()
    assert (taps.abs().amax(dim=1) > 0).all()
    kernels = make_frontend("sincnet", sample_rate=rate, n_filters=n_filters).filterbank.kernels()
    assert (kernels.abs().amax(dim=1) > 0).all()
    assert len(kernels.unique(dim=0)) == n_filters


@pytest.mark.parametrize(
    "rate, n_filters, n_fft",
    [(16000, 40, 512), (16000, 64, 512), (8000, 24, 512), (44100, 40, 2048), (48000, 64, 2048)],
)
def test_the_transform_stays_at_512_where_that_does(rate, n_filters, n_fft):
    assert make_frontend("mel", sample_rate=rate, n_filters=n_filters).filterbank.n_fft == n_fft


def test_n_fft_512_restores_the_references_duplicates():
    pairs = [
        make_frontend("leaf", n_filters=80, n_fft=n_fft).filterbank.raw_center.detach().unique().numel()
        for n_fft in (512, None)
    ]
    assert pairs == [78, 80]


@pytest.mark.parametrize("name, count", [*zip(PRESETS, [0, 256, 309_568, 51_729, 256, 448, 448], strict=True)])
def test_parameter_counts_of_the_papers_table_4(name, count):
    frontend = make_frontend(name, n_filters=64)
    assert sum(parameter.numel() for parameter in frontend.parameters()) == count


@pytest.mark.parametrize("scale", ["mel", "bark", "erb", "linear"])
@pytest.mark.parametrize("name", FREE)
def test_starts_lie_in_the_range_in_order(name, scale):
    centers = make_frontend(name, init=scale, fmin=300.0, fmax=5000.0, n_filters=20).center_frequencies()
    assert (np.diff(centers) > 0).all()
    assert centers[0] > 250.0
    assert centers[-1] < 5200.0


@pytest.mark.parametrize("name", FREE)
def test_rows_are_where_filters_start(name):
    rows = np.array([[400.0, 150.0], [1500.0, 200.0], [3000.0, 700.0]])
    frontend = make_frontend(name, n_filters=3, init=rows)
    np.testing.assert_allclose(frontend.center_frequencies(), rows[:, 0], atol=16.0)
    np.testing.assert_allclose(frontend.bandwidths(), rows[:, 1], rtol=0.15)


@pytest.mark.parametrize("name", FREE)
def test_a_random_start_follows_its_generator(name):
    def centers(seed):
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return make_frontend(name, n_filters=9, init="random", generator=generator).center_frequencies()

    np.testing.assert_array_equal(centers(3), centers(3))
    np.testing.assert_array_equal(centers(None), centers(None))
    assert not np.array_equal(centers(3), centers(4))


BAD = [
    ({"name": "leef"}, r"Got frontend='leef', expected one of \['mel', 'mel-pcen', 'wavegram', .*'leaf'\]"),
    ({"init": "gammatone"}, r"Got init='gammatone', expected one of \['mel', 'bark', 'erb', 'linear', 'random'\]"),
    ({"pooling": "mean"}, r"Got pooling='mean', expected one of \['auto', 'gaussian', 'lowpass', 'max'\]"),
    ({"compression": "sqrt"}, r"Got compression='sqrt', expected one of \['auto', 'pcen', 'log', 'root', None\]"),
    ({"algorithm": "quick"}, r"Got algorithm='quick', expected one of \['auto', 'direct', 'fast'\]"),
    ({"fmax": 8001.0}, r"Got fmax=8001.0, expected at most half the sample rate, 8000.0"),
    ({"fmin": 5000.0, "fmax": 4000.0}, "Got fmin=5000.0 and fmax=4000.0, expected 0 <= fmin < fmax"),
    ({"fmin": -1.0}, "Got fmin=-1.0"),
    ({"n_filters": 0}, "Got n_filters=0, expected at least 1"),
    ({"window_ms": 0.1}, r"Got window_ms=0.1, which is 2 samples, expected 4 or more"),
    ({"hop_ms": 0.01}, r"Got hop_ms=0.01, which is 0 samples, expected 1 or more"),
    ({"init": [[100.0, 50.0]]}, r"Got init of shape \(1, 2\), expected one of .* or shape \(40, 2\)"),
    ({"n_filters": 1, "init": [[9000.0, 50.0]]}, "Got a centre of 9000.0 Hz in init, expected at most 8000.0"),
    ({"n_filters": 1, "init": [[900.0, 0.0]]}, "not finite, negative or of no bandwidth"),
    ({"n_filters": 2, "init": [[900.0, 9.0]] * 2}, "the same row"),
    ({"n_filters": 1, "init": [[900.0, 9.0]], "fmin": 3.0}, "beside rows"),
    ({"compression": "log", "learn_pcen": False}, "Got learn_pcen=False with compression='log', expected 'pcen'"),
    ({"init": "bark", "n_fft": 512}, "Got n_fft=512, expected None"),
    ({"name": "mel", "pooling": "max"}, r"Got pooling='max' with frontend='mel', expected one of \['auto'\]"),
    ({"name": "mel", "sort_filters": True}, "Got sort_filters=True"),
    ({"name": "mel", "n_fft": 256}, "Got n_fft=256, expected at least the window of 401"),
    ({"name": "sincnet", "n_fft": 512}, "Got n_fft=512"),
    ({"name": "mel", "algorithm": "fast"}, "Got algorithm='fast'"),
    ({"name": "mel-pcen", "algorithm": "fast"}, "Got algorithm='fast'"),
    ({"n_filters": 256, "fmin": 1000.0, "fmax": 1001.0}, "too close to be told apart: lower n_filters"),
]


@pytest.mark.parametrize("options, message", BAD)
def test_what_cannot_be_honoured_is_refused_with_the_choices(options, message):
    with pytest.raises(ValueError, match=message):
        make_frontend(**{"name": "leaf", **options})


@pytest.mark.parametrize(
    "key, value",
    [
        ("window_ms", 20.0),
        ("hop_ms", 5.0),
        ("fmin", 50.0),
        ("fmax", 7000.0),
        ("init", "bark"),
        ("init", [[100.0, 10.0]] * 40),
        ("pooling", "max"),
        ("compression", "log"),
        ("compression", None),
        ("algorithm", "fast"),
        ("n_fft", 512),
        ("preemphasis", True),
        ("instance_norm", True),
        ("sort_filters", True),
        ("learn_pcen", False),
    ],
)
def test_wavegram_refuses_what_it_has_no_place_for(key, value):
    with pytest.raises(ValueError, match=f"Got {key}=.*expected"):
        make_frontend("wavegram", **{key: value})
