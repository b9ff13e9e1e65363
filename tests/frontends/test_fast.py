"""The fast form of LEAF against the convolution, and its independence of the batch."""

import pytest
import torch
from golden import cases

from leaf_sklearn.frontends import fast, make_frontend

VARIANTS = [
    {},
    {"sort_filters": True, "preemphasis": True, "compression": "log"},
    {"sample_rate": 8000, "n_filters": 24, "init": "linear"},
    {"sample_rate": 22050, "n_filters": 12},
    {"sample_rate": 44100, "n_filters": 64},
    {"hop_ms": 40.0, "n_filters": 9},
    {"window_ms": 5.0, "hop_ms": 2.5, "n_filters": 1},
    {"init": "random", "n_filters": 33},
]


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def both(**options):
    direct = make_frontend("leaf", algorithm="direct", **options)
    quick = make_frontend("leaf", algorithm="fast", **options)
    quick.load_state_dict(direct.state_dict())
    return direct, quick


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_energies_are_the_convolutions(options):
    direct, quick = both(**options)
    n_times = direct.sample_rate + 137
    waveforms, lengths = noise(3, n_times), torch.tensor([n_times, n_times // 2, 10])
    with torch.no_grad():
        wanted, got = direct.energies(waveforms, lengths), quick.energies(waveforms, lengths)
    for row, count in enumerate(direct.n_frames(lengths).tolist()):
        loudest = wanted[row, :, :count].amax(dim=0)
        assert ((got - wanted)[row, :, :count].abs() <= 1e-5 * loudest).all()


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_a_clip_does_not_depend_on_its_batch(options):
    _, quick = both(**options)
    waveforms, lengths = noise(4, 9000), torch.tensor([9000, 2 * quick.window, 2 * quick.window - 1, 7])
    with torch.no_grad():
        features = quick(waveforms, lengths)
        for row, length in enumerate(lengths.tolist()):
            alone = quick(waveforms[row : row + 1, :length])
            torch.testing.assert_close(alone[0], features[row, :, : alone.shape[-1]], rtol=0, atol=0)
            padded = quick(waveforms[[row, row]], lengths[[row, row]])[1]
            torch.testing.assert_close(padded[:, : alone.shape[-1]], alone[0], rtol=0, atol=0)


def test_gradients_are_the_convolutions():
    direct, quick = both()
    waveforms, lengths = noise(3, 8000), torch.tensor([8000, 5000, 300])
    weight = noise(3, 40, direct.n_frames(8000), seed=1)
    weight = weight * (torch.arange(weight.shape[-1]) < direct.n_frames(lengths)[:, None])[:, None]
    found = []
    for frontend in (direct, quick):
        clips = waveforms.clone().requires_grad_()
        (frontend(clips, lengths) * weight).sum().backward()
        found.append([clips.grad, *(parameter.grad for parameter in frontend.parameters())])
    for wanted, got in zip(*found, strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-4 * float(wanted.abs().max()))


@pytest.mark.parametrize("case", cases.present(["leaf__init", "leaf__pert", "leaf_8k__init"]))
@pytest.mark.parametrize("name", ["short03", "odd4801", "len1600"])
def test_features_are_near_the_references(case, name):
    config, arrays, inputs = cases.load(case)
    frontend = cases.build(case, config, algorithm="fast").load_reference(cases.params_of(arrays))
    with torch.no_grad():
        got = frontend(torch.from_numpy(inputs[name])).transpose(1, 2).numpy()
    assert cases.deviation(got, arrays[f"out/{name}"]) < 2e-3


def test_auto_is_fast_and_a_trained_model_takes_its_new_parameters():
    waveforms, quick = noise(2, 6000), make_frontend("leaf", algorithm="fast")
    auto = make_frontend("leaf")
    with torch.no_grad():
        torch.testing.assert_close(auto(waveforms), quick(waveforms), rtol=0, atol=0)
        before = auto(waveforms)
        auto.filterbank.center = auto.filterbank.center * 0.9
        assert (auto(waveforms) - before).abs().max() > 0.01
        direct = make_frontend("leaf", algorithm="direct")
        direct.load_state_dict(auto.state_dict())
        torch.testing.assert_close(auto(waveforms), direct(waveforms), rtol=0, atol=2e-3)


def test_constants_are_kept_between_calls_without_gradients_alone():
    frontend, waveforms = make_frontend("leaf", n_filters=7), noise(1, 3000)
    fast._prepared.cache_clear()
    with torch.inference_mode():
        inference = frontend(waveforms)
        frontend(waveforms)
    with torch.no_grad():
        torch.testing.assert_close(frontend(waveforms), inference, rtol=0, atol=0)
    assert fast._prepared.cache_info().misses == 1
    assert fast._prepared.cache_info().hits == 2
    features = frontend(waveforms)
    torch.testing.assert_close(features.detach(), inference.clone(), rtol=0, atol=0)
    features.sum().backward()
    assert fast._prepared.cache_info().misses == 1
    assert frontend.filterbank.raw_sigma.grad.abs().max() > 0
    # a frozen frontend is exact whether or not gradients are enabled, also for what its narrow filters hear of a chirp
    chirp = torch.sin(torch.linspace(0, 90, 4000).square()).requires_grad_()
    frontend = make_frontend("leaf").requires_grad_(False)
    features = frontend(chirp[None])
    with torch.no_grad():
        torch.testing.assert_close(features.detach(), frontend(chirp[None]), rtol=0, atol=0)
    features.sum().backward()
    assert chirp.grad.abs().max() > 0


def test_the_meta_device_takes_the_fast_form():
    assert make_frontend("leaf", algorithm="fast").to("meta")(torch.empty(2, 5000, device="meta")).shape == (2, 40, 32)


OVERLAP_SAVE = [
    {"name": "td-fbanks"},
    {"name": "td-fbanks", "pooling": "max"},
    {"name": "td-fbanks", "pooling": "gaussian", "sample_rate": 8000, "n_filters": 24},
    {"name": "sincnet"},
    {"name": "sincnet+"},
    {"name": "sincnet", "window_ms": 5.0, "hop_ms": 2.5, "n_filters": 3},
    {"name": "sincnet+", "sample_rate": 22050, "n_filters": 12},
    {"name": "leaf", "pooling": "max", "n_filters": 12},
    {"name": "leaf", "pooling": "lowpass", "hop_ms": 40.0, "n_filters": 9},
]


@pytest.mark.parametrize("options", OVERLAP_SAVE, ids=str)
def test_blocks_of_any_kernel_are_the_convolution(options, monkeypatch):
    monkeypatch.setattr(fast, "NUMBERS_CPU", 2**16)  # several chunks of clips and of time
    direct, quick = (make_frontend(**options, algorithm=algorithm) for algorithm in ("direct", "fast"))
    quick.load_state_dict(direct.state_dict())
    n_times = direct.sample_rate + 137
    waveforms, lengths = noise(3, n_times), torch.tensor([n_times, n_times // 2, 10])
    counts = direct.n_frames(lengths).tolist()
    with torch.no_grad():
        wanted, got = direct.energies(waveforms, lengths), quick.energies(waveforms, lengths)
        for row, count in enumerate(counts):
            error = (got - wanted)[row, :, :count].abs()
            assert (error <= 3e-6 * wanted[row, :, :count].abs().max()).all()
            alone = quick.energies(waveforms[row : row + 1, : lengths[row]])
            torch.testing.assert_close(alone[0], got[row, :, :count], rtol=0, atol=0)


@pytest.mark.parametrize("name", ["td-fbanks", "sincnet", "sincnet+"])
def test_gradients_of_blocks_are_the_convolutions(name):
    waveforms, found = noise(2, 4000), []
    for algorithm in ("direct", "fast"):
        frontend = make_frontend(name, n_filters=6, algorithm=algorithm).double()
        energies = frontend.energies(waveforms.double())
        (energies * noise(*energies.shape, seed=1)).sum().backward()
        parameters = [*frontend.filterbank.parameters(), *frontend.pooling.parameters()]
        found.append([parameter.grad for parameter in parameters])
    for wanted, got in zip(*found, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-8 * float(wanted.abs().max()))


@pytest.mark.parametrize("name", ["leaf", "td-fbanks", "sincnet", "mel"])
def test_autocast_stays_outside(name):
    frontend, waveforms = make_frontend(name, n_filters=8), noise(2, 3000)
    with torch.no_grad():
        expected = frontend(waveforms), frontend.energies(waveforms)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = frontend(waveforms), frontend.energies(waveforms)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_gradients_reach_the_input_after_a_call_in_inference_mode():
    """The constants that an inference kept are used in training too."""
    frontend = make_frontend("leaf", n_filters=6).requires_grad_(False)
    waveforms = torch.randn(2, 4321, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        frontend(waveforms)
    waveforms.requires_grad_()
    frontend(waveforms).sum().backward()
    assert waveforms.grad.abs().max() > 0


@pytest.mark.parametrize("sample_rate", [8000, 16000, 44100])
def test_clips_of_any_padding_stand_alone(sample_rate):
    """Each ends elsewhere in its last hop."""
    frontend = make_frontend("leaf", n_filters=6, sample_rate=sample_rate).requires_grad_(False)
    hop = frontend.hop
    rows = [torch.randn(1, n, generator=torch.Generator().manual_seed(n)) for n in range(25 * hop, 26 * hop)]
    lengths = torch.tensor([row.shape[1] for row in rows])
    together = torch.nn.utils.rnn.pad_sequence([row[0] for row in rows], batch_first=True)
    for found, row in zip(frontend(together, lengths), rows, strict=True):
        features = frontend(row)
        torch.testing.assert_close(found[None, :, : features.shape[2]], features, rtol=0, atol=0)


@pytest.mark.parametrize("options", [{"name": "td-fbanks"}, {"name": "leaf", "pooling": "lowpass"}], ids=str)
@pytest.mark.parametrize("hop_ms", [2.5, 10.0, 60.0])
def test_clips_shorter_than_a_window_that_is_not_padded(options, hop_ms):
    """On a GPU, whose lengths are not looked at, the fast form takes these too."""
    frontend = make_frontend(**options, hop_ms=hop_ms, n_filters=8)
    lengths = torch.tensor([30, 100, 200, 399, 400, 401, 402, 560, 1604])
    waveforms = noise(len(lengths), 1604)
    with torch.no_grad():
        found = frontend.filterbank.fast_energies(waveforms, lengths, frontend.pooling)
        wanted = frontend.filterbank.convolved_energies(waveforms, lengths, frontend.pooling)
    for row, count in enumerate(frontend.n_frames(lengths).tolist()):
        difference = (found - wanted)[row, :, :count].abs().max()
        assert difference <= 1e-5 * wanted[row, :, :count].max(), lengths[row]


def test_a_centre_that_is_no_number_makes_features_that_are_none():
    frontend = make_frontend("leaf", n_filters=6)
    with torch.no_grad():
        frontend.filterbank.raw_center[3] = torch.nan
        assert frontend(noise(1, 4000))[0, 3].isnan().all()


@pytest.mark.parametrize("name", ["leaf", "td-fbanks", "sincnet", "sincnet+", "mel", "wavegram"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_waveforms_of_another_type_are_converted(name, dtype):
    frontend, waveforms = make_frontend(name).eval(), noise(2, 3000).to(dtype)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(frontend(waveforms), frontend(waveforms.float()), rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore")  # torch's compiler warns itself, and hides it
def test_a_compiled_frontend_is_the_same_in_training_and_after():
    frontend, waveforms = make_frontend("leaf", n_filters=6), noise(2, 4000)
    compiled = torch.compile(frontend, backend="eager")
    torch.testing.assert_close(compiled(waveforms), frontend(waveforms), rtol=0, atol=0)
    with torch.no_grad():
        torch.testing.assert_close(compiled(waveforms), frontend(waveforms), rtol=0, atol=0)
