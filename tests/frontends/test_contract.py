"""What every frontend promises, whatever its slots."""

import copy
import json
import math
import pickle

import numpy as np
import pytest
import torch
from torch.nn.utils import parametrize

from leaf_sklearn.frontends import PRESETS, filterbank, make_frontend, wavegram

SLOTS = [
    {"name": "leaf", "compression": "log"},
    {"name": "leaf", "compression": "root"},
    {"name": "leaf", "compression": None, "pooling": "max"},
    {"name": "leaf", "instance_norm": True, "preemphasis": True, "sort_filters": True},
    {"name": "leaf", "learn_pcen": False, "pooling": "lowpass"},
    {"name": "mel", "compression": "root"},
    {"name": "td-fbanks", "compression": "pcen", "pooling": "gaussian"},
    {"name": "sincnet", "compression": "root"},
    {"name": "sincnet+", "pooling": "max", "compression": None},
]
EVERY = [{"name": name} for name in PRESETS] + SLOTS
RAGGED = [options for options in EVERY if options["name"] != "wavegram"]


def named(options):
    return " ".join(str(value) if key == "name" else f"{key}={value}" for key, value in options.items())


every = pytest.mark.parametrize("options", EVERY, ids=named)
ragged = pytest.mark.parametrize("options", RAGGED, ids=named)


def build(options, **more):
    return make_frontend(**{"n_filters": 12, "algorithm": "direct", **options, **more}).eval()


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@every
def test_forward_is_compress_of_energies(options):
    frontend, waveforms = build(options), noise(3, 5000)
    energies = frontend.energies(waveforms)
    assert energies.shape == (3, 12, frontend.n_frames(5000))
    torch.testing.assert_close(frontend(waveforms), frontend.compress(energies), rtol=0, atol=0)


@every
def test_a_clip_does_not_depend_on_its_batch(options):
    frontend, waveforms = build(options), noise(9, 7000)
    with torch.no_grad():
        features = frontend(waveforms)
        for rows in ([0], [8], [3, 4], [5, 0, 7]):
            torch.testing.assert_close(frontend(waveforms[rows]), features[rows], rtol=0, atol=0)


@ragged
def test_what_lies_beyond_a_clip_is_ignored(options):
    frontend, waveforms, lengths = build(options), noise(4, 6000), torch.tensor([6000, 4801, 160, 3])
    garbage = torch.where(torch.arange(6000) < lengths[:, None], waveforms, torch.nan)
    with torch.no_grad():
        features = frontend(garbage, lengths)
        assert features.isfinite().all()
        torch.testing.assert_close(features, frontend(waveforms, lengths), rtol=0, atol=0)


@every
def test_frames_are_counted_alike_in_integers_and_tensors(options):
    frontend, lengths = build(options), [*range(1, 700), 16000, 16001, 44100]
    counts = [frontend.n_frames(length) for length in lengths]
    assert min(counts) >= 1
    assert counts == frontend.n_frames(torch.tensor(lengths)).tolist()
    assert counts == sorted(counts)


@every
@pytest.mark.parametrize("n_times", [1, 2, 7, 10])
def test_very_short_clips_have_one_finite_frame(options, n_times):
    features = build(options)(noise(2, n_times))
    assert features.shape == (2, 12, 1)
    assert features.isfinite().all()


def hard_clips():
    clips = torch.zeros(5, 4000)
    clips[1, 2000] = 1.0
    clips[2, 1000::700] = -1.0
    clips[3, :1500] = noise(1500)
    clips[4] = 1e-8 * noise(4000)
    return clips


@every
@pytest.mark.parametrize("scaled", [False, True])
def test_silence_and_clicks_stay_finite_forward_and_backward(options, scaled):
    frontend = build(options).train()
    if scaled and not frontend.compression.scalable:
        pytest.skip("takes no energy scale")
    if scaled:
        frontend.set_energy_scale(torch.full((12,), 1e-6))
    clips = hard_clips().requires_grad_()
    features = frontend(clips)
    assert features.isfinite().all()
    features.square().sum().backward()
    assert clips.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in frontend.parameters())


@every
def test_every_parameter_gets_a_gradient(options):
    frontend = build(options).train()
    waveforms = noise(4, 16000).requires_grad_()
    (frontend(waveforms) * noise(4, 12, frontend.n_frames(16000), seed=1)).sum().backward()
    assert waveforms.grad.isfinite().all() and waveforms.grad.abs().max() > 0
    for name, parameter in frontend.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@every
def test_state_and_config_rebuild_a_frontend(options):
    frontend, waveforms = build(options), noise(2, 5000)
    with torch.no_grad():
        for parameter in frontend.parameters():
            parameter.mul_(1.01)
    if frontend.compression.scalable:
        frontend.set_energy_scale(torch.linspace(0.1, 2.0, 12))
    again = make_frontend(**frontend.config).eval()
    again.load_state_dict(frontend.state_dict())
    for copied in (again, copy.deepcopy(frontend), pickle.loads(pickle.dumps(frontend))):
        torch.testing.assert_close(copied(waveforms), frontend(waveforms), rtol=0, atol=0)
    assert again.config == frontend.config


def test_rows_of_a_start_are_plain_python_in_the_config():
    rows = np.array([[300.0, 80.0], [900.0, 120.0]])
    config = make_frontend("leaf", n_filters=2, init=rows).config
    assert config["init"] == [[300.0, 80.0], [900.0, 120.0]]
    torch.testing.assert_close(
        make_frontend(**config).filterbank.raw_sigma, make_frontend("leaf", n_filters=2, init=rows).filterbank.raw_sigma
    )


def test_numpy_numbers_are_plain_python_in_the_config():
    config = make_frontend("leaf", n_filters=np.int64(3), hop_ms=np.float32(10.0), sort_filters=np.bool_(True)).config
    assert json.loads(json.dumps(config)) == config


@every
def test_forward_and_backward_run_on_the_meta_device(options):
    frontend = build(options).to("meta").train()
    waveforms = torch.empty(3, 5000, device="meta", requires_grad=True)
    lengths = torch.empty(3, dtype=torch.int64, device="meta")
    features = frontend(waveforms, lengths)
    assert features.shape == (3, 12, frontend.n_frames(5000))
    features.sum().backward()
    assert waveforms.grad.device.type == "meta"


@every
def test_float64_agrees_with_float32(options):
    frontend, waveforms = build(options), noise(2, 4000)
    features = frontend(waveforms)
    precise = copy.deepcopy(frontend).double()(waveforms.double())
    assert precise.dtype == torch.float64
    torch.testing.assert_close(features.double(), precise, rtol=1e-4, atol=1e-4 * float(precise.detach().abs().max()))


@pytest.mark.parametrize("options", [{"name": "leaf"}, {"name": "sincnet"}, {"name": "mel-pcen"}], ids=named)
def test_gradients_are_those_of_finite_differences(options):
    small = {"n_filters": 2, "sample_rate": 8000, "window_ms": 2.0, "hop_ms": 1.0, "fmin": 500.0, "fmax": 3000.0}
    frontend = build(options, **small).double()
    names = [name for name, _ in frontend.named_parameters()]
    waveforms = noise(2, 40).double().requires_grad_()

    def features(waveforms, *values):
        return torch.func.functional_call(frontend, dict(zip(names, values, strict=True)), (waveforms,))

    assert torch.autograd.gradcheck(features, (waveforms, *frontend.parameters()))


@ragged
def test_long_clips_in_chunks_are_the_same(options, monkeypatch):
    frontend, waveforms, lengths = build(options), noise(3, 9000), torch.tensor([9000, 8001, 400])
    with torch.no_grad():
        whole, whole_ragged = frontend.energies(waveforms), frontend.energies(waveforms, lengths)
        monkeypatch.setattr(filterbank, "CHUNK_CPU", 12 * 2 * 160 * 3 * 5)
        torch.testing.assert_close(frontend.energies(waveforms), whole, rtol=0, atol=0)
        torch.testing.assert_close(frontend.energies(waveforms, lengths), whole_ragged, rtol=0, atol=0)


@ragged
@pytest.mark.parametrize("tone", [440.0, 1000.0, 3100.0])
def test_a_tone_peaks_in_its_band(options, tone):
    frontend = build(options, n_filters=20)
    waveform = torch.sin(2.0 * math.pi * tone / 16000 * torch.arange(16000))[None]
    level = frontend.energies(waveform)[0, :, 20:80].mean(dim=1)
    loudest = int(level.argmax())
    centers, widths = frontend.center_frequencies(), frontend.bandwidths()
    assert abs(centers[loudest] - tone) <= widths[loudest]
    assert loudest in np.abs(centers - tone).argsort()[:2]


def test_the_energy_scale_replaces_the_floor():
    frontend, waveforms = build({"name": "leaf"}, compression=None), 1e-3 * noise(2, 4000)
    energies, scale = frontend.energies(waveforms), torch.linspace(1e-3, 2.0, 12)
    torch.testing.assert_close(frontend(waveforms), energies.clamp(min=1e-5), rtol=0, atol=0)
    frontend.set_energy_scale(scale)
    torch.testing.assert_close(frontend(waveforms), energies / scale[:, None] + 1e-5, rtol=0, atol=0)
    frontend.set_energy_scale(None)
    torch.testing.assert_close(frontend.energy_scale, torch.ones(12))
    torch.testing.assert_close(frontend(waveforms), energies.clamp(min=1e-5), rtol=0, atol=0)


@pytest.mark.parametrize("scale", [torch.ones(11), torch.zeros(12), -torch.ones(12), torch.full((12,), torch.inf)])
def test_a_bad_energy_scale_is_refused(scale):
    with pytest.raises(ValueError, match="expected 12 positive finite numbers"):
        build({"name": "leaf"}).set_energy_scale(scale)


@pytest.mark.parametrize("name", ["sincnet", "wavegram"])
def test_frontends_without_energies_take_no_scale(name):
    with pytest.raises(ValueError, match="takes no energy scale"):
        build({"name": name}).set_energy_scale(torch.ones(12))


def test_the_projection_moves_raw_parameters_into_their_ranges():
    frontend = build({"name": "leaf"})
    bank, compression = frontend.filterbank, frontend.compression
    with torch.no_grad():
        bank.raw_center[:2] = torch.tensor([-1.0, 4.0])
        bank.raw_sigma[:2] = torch.tensor([0.1, 1e4])
        compression.delta[:2] = torch.tensor([-1.0, 0.0])
    waveforms = noise(2, 3000)
    before = frontend(waveforms)
    assert before.isfinite().all()
    frontend.project_()
    torch.testing.assert_close(frontend(waveforms), before, rtol=0, atol=0)
    torch.testing.assert_close(bank.raw_center[:2], torch.tensor([0.0, math.pi]))
    torch.testing.assert_close(bank.raw_sigma[:2], bank.sigma[:2])
    assert (compression.delta > 0).all()


class Shifted(torch.nn.Module):
    def forward(self, offset):
        return 0.3 + offset

    def right_inverse(self, value):
        return value - 0.3


def test_a_parametrised_centre_is_read_and_written():
    frontend, waveforms = build({"name": "leaf"}), noise(2, 3000)
    wanted = frontend(waveforms)
    center = frontend.filterbank.center.detach().clone()
    parametrize.register_parametrization(frontend.filterbank, "raw_center", Shifted())
    torch.testing.assert_close(frontend(waveforms), wanted, rtol=1e-4, atol=1e-4)
    frontend.filterbank.center = center + 0.01
    torch.testing.assert_close(frontend.filterbank.center, center + 0.01)
    frontend.project_()
    torch.testing.assert_close(frontend.filterbank.center, center + 0.01)


def test_sorted_filters_come_in_the_order_of_their_centres():
    frontend, plain = build({"name": "leaf", "sort_filters": True}), build({"name": "leaf"})
    for bank in (frontend.filterbank, plain.filterbank):
        bank.center = bank.center.detach().flip(0)
    assert (np.diff(frontend.center_frequencies()) > 0).all()
    assert (np.diff(plain.center_frequencies()) < 0).all()
    waveforms = noise(1, 3000)
    torch.testing.assert_close(
        frontend.energies(waveforms).sum(-1).flatten().sort().values,
        plain.energies(waveforms).sum(-1).flatten().sort().values,
        rtol=0.5,
        atol=0.0,
    )


def test_instance_norm_takes_a_clips_own_frames_alone():
    frontend = build({"name": "leaf", "instance_norm": True})
    features = frontend(noise(2, 9000), torch.tensor([9000, 4000]))
    valid = features[1, :, : frontend.n_frames(4000)]
    torch.testing.assert_close(valid.mean(dim=1), torch.zeros(12), rtol=0, atol=1e-5)
    assert (valid.std(dim=1, correction=0) > 0.5).all()


def test_wavegram_learns_its_running_statistics_in_training_alone():
    frontend, waveforms = build({"name": "wavegram"}), noise(4, 8000)
    before = frontend.state_dict()["filterbank.layers.0.mean"].clone()
    frontend(waveforms)
    torch.testing.assert_close(frontend.state_dict()["filterbank.layers.0.mean"], before)
    frontend.train()(waveforms)
    assert not torch.equal(frontend.state_dict()["filterbank.layers.0.mean"], before)
    assert frontend.equal_lengths and frontend.center_frequencies() is None and frontend.bandwidths() is None
    assert (frontend.window, frontend.hop) == (2556, 640)
    assert frontend.train()(noise(1, 5)).isfinite().all()


@pytest.mark.parametrize("n_times", [3 * 640, 20 * 640 + 7, 41 * 640 + 333])
def test_wavegram_in_chunks_is_the_same(n_times, monkeypatch):
    frontend, waveforms = build({"name": "wavegram"}), noise(2, n_times)
    with torch.no_grad():
        whole = frontend(waveforms)
        monkeypatch.setattr(wavegram, "CHUNK", 5)
        torch.testing.assert_close(frontend(waveforms), whole, rtol=0, atol=0)


def test_building_a_frontend_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    for name in PRESETS:
        make_frontend(name, init="random" if name != "wavegram" else "mel")
    assert torch.equal(torch.get_rng_state(), state)


@every
def test_another_default_dtype_does_not_matter(options):
    waveforms = noise(2, 3000)
    torch.set_default_dtype(torch.float64)
    try:
        features = make_frontend(**{"n_filters": 12, **options}).eval()(waveforms)
    finally:
        torch.set_default_dtype(torch.float32)
    assert features.dtype == torch.float32
