"""CUDA gives the numbers of the CPU, and a frontend does not wait for the device filter by filter."""

import copy
import warnings

import pytest
import torch
from golden import cases
from numpy.testing import assert_allclose

from leaf_sklearn import LeafClassifier, LeafTransformer, MelTransformer
from leaf_sklearn.datasets import make_audio_classification
from leaf_sklearn.dsp import bandlimited
from leaf_sklearn.frontends import PRESETS, fast, filterbank, make_frontend

pytestmark = pytest.mark.gpu

LEARNED = [name for name in PRESETS if name != "mel"]
LENGTHS = torch.tensor([9000, 5000, 411])


def noise(n_clips, n_times):
    return torch.randn(n_clips, n_times, generator=torch.Generator().manual_seed(0))


def features_and_gradients(frontend, waveforms, lengths):
    features = frontend(waveforms, lengths)
    energies = frontend.energies(waveforms, lengths)
    # What follows a clip's own frames has no meaning.
    inside = torch.arange(features.shape[2], device=features.device) < frontend.n_frames(lengths)[:, None, None]
    features, energies = features * inside, energies * inside
    values = {"features": features, "energies": energies}
    learned = {name: each for name, each in frontend.named_parameters() if each.requires_grad}
    if learned:
        weights = noise(*features.shape[1:]).to(features.device)
        loss = (features * weights).mean()
        values |= dict(zip(learned, torch.autograd.grad(loss, list(learned.values())), strict=True))
    return {name: value.detach().cpu().double() for name, value in values.items()}


@pytest.mark.parametrize("algorithm", ["auto", "direct"])
@pytest.mark.parametrize("name", PRESETS)
def test_a_frontend_gives_the_features_and_gradients_of_the_cpu(name, algorithm):
    frontend = make_frontend(name, n_filters=12, algorithm=algorithm)
    waveforms, lengths = noise(3, 9000), torch.full((3,), 9000) if frontend.equal_lengths else LENGTHS
    expected = features_and_gradients(frontend, waveforms, lengths)
    found = features_and_gradients(copy.deepcopy(frontend).cuda(), waveforms.cuda(), lengths.cuda())
    for key, value in expected.items():
        bound = 1e-4 if key in ("features", "energies") else 2e-3
        assert (found[key] - value).abs().max() <= bound * value.abs().max(), key


@pytest.mark.parametrize("name", PRESETS)
def test_work_in_parts_gives_the_same(name, monkeypatch):
    frontend = make_frontend(name, n_filters=12).cuda().eval()
    waveforms = noise(3, 40000).cuda()
    lengths = torch.tensor([40000] * 3 if frontend.equal_lengths else [40000, 25000, 411]).cuda()
    inside = torch.arange(frontend.n_frames(40000), device="cuda") < frontend.n_frames(lengths)[:, None, None]
    with torch.no_grad():
        whole = frontend.energies(waveforms, lengths) * inside
        for module, constant in ((filterbank, "CHUNK"), (fast, "NUMBERS"), (bandlimited, "NODES")):
            monkeypatch.setattr(module, f"{constant}_ELSEWHERE", 2**16)
        parts = frontend.energies(waveforms, lengths) * inside
    assert (parts - whole).abs().max() <= 1e-5 * whole.abs().max()


@pytest.mark.parametrize("case", cases.present(cases.CASES))
def test_a_frontend_gives_the_outputs_of_the_reference(case):
    config, arrays, inputs = cases.load(case)
    frontend = cases.build(case, config).load_reference(cases.params_of(arrays)).cuda()
    found = cases.output_deviations(case, lambda waveforms: frontend(waveforms.cuda()).cpu(), arrays, inputs)
    assert not {name: far for name, far in found.items() if not far[0] <= far[1]}


def waits(frontend, waveforms, *, learns):
    """What makes the host wait in a call of a frontend, its gradients included, after calls that keep constants."""
    frontend = copy.deepcopy(frontend).cuda().requires_grad_(learns)
    waveforms, lengths = waveforms.cuda(), torch.full((len(waveforms),), waveforms.shape[1], device="cuda")

    def call():
        features = frontend(waveforms, lengths)
        if learns:
            features.sum().backward()

    call()
    torch.cuda.synchronize()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            call()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return [f"{each.filename}:{each.lineno}" for each in caught if "called a synchronizing" in str(each.message)]


@pytest.mark.parametrize("name", PRESETS)
def test_a_frozen_frontend_waits_at_most_once(name):
    found = waits(make_frontend(name), noise(3, 9000), learns=False)
    assert len(found) <= (name == "leaf"), found  # it looks whether its constants are still those of its parameters


@pytest.mark.parametrize("name", LEARNED)
def test_a_frontend_that_learns_waits_as_often_with_many_filters(name):
    few, many = (waits(make_frontend(name, n_filters=count), noise(3, 9000), learns=True) for count in (10, 80))
    assert len(many) == len(few) <= 3, many  # parameters are read, a plan and what side lobes add are written


@pytest.mark.parametrize("name", LEARNED)
def test_a_model_that_was_trained_there_gives_its_features_on_the_cpu_too(name):
    X, y = make_audio_classification(n_clips=24, duration_s=0.4, random_state=0)
    sizes = {} if name == "wavegram" else {"n_filters": 12}
    model = LeafTransformer(name, max_steps=12, random_state=0, device="cuda", **sizes).fit(X, y)
    assert model.device_ == "cuda"
    features = model.transform(X)
    assert_allclose(copy.deepcopy(model).set_params(device="cpu").transform(X), features, rtol=1e-3, atol=1e-3)
    embedding = model.set_params(output="embedding").transform(X)
    assert_allclose(model.set_params(device="cpu").transform(X), embedding, rtol=1e-2, atol=1e-2)


def test_mel_is_that_of_the_cpu():
    X = [noise(1, length).numpy()[0] for length in (16000, 700, 12000)]
    on_cpu, there = (MelTransformer(device=device).fit(X).transform(X) for device in ("cpu", "cuda"))
    assert_allclose(there, on_cpu, rtol=1e-4, atol=1e-4)


def test_a_classifier_learns_there():
    X, y = make_audio_classification(n_clips=60, duration_s=0.5, random_state=0)
    model = LeafClassifier(LeafTransformer(max_steps=120, random_state=0, device="cuda")).fit(X, y)
    assert model.score(X, y) >= 0.9
