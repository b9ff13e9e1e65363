"""A full GPU's memory halves the batch, and worker processes share the GPUs out; with fake devices, and a real one."""

import gc
import re
import weakref

import numpy as np
import pytest
import torch

from leaf_sklearn import LeafClassifier, LeafTransformer, MelTransformer, _base, _device, _gpus
from leaf_sklearn import _leaf as leaf_module
from leaf_sklearn._clips.clips import as_clips
from leaf_sklearn._device import Halving, resolve_device
from leaf_sklearn._training.loop import Labelled, Training
from leaf_sklearn._training.network import Network
from leaf_sklearn._training.targets import make_targets
from leaf_sklearn.frontends import Frontend, make_frontend

TINY = {"n_filters": 4, "max_steps": 2, "encoder": "linear", "compression_search": False, "random_state": 0}


def full_above(limit, function, sizes):
    """A function that a device with memory for `limit` clips would be, and the sizes that it was asked for."""

    def limited(self, waveforms, lengths):
        sizes.append(len(waveforms))
        if len(waveforms) > limit:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory (a fake)")
        return function(self, waveforms, lengths)

    return limited


@pytest.fixture
def clips():
    return [np.random.default_rng(n).normal(0, 0.1, 800 + 10 * n) for n in range(40)]


def test_transform_goes_on_with_half_the_batch(clips, monkeypatch):
    mel = MelTransformer(n_filters=4).fit(clips)
    expected, frames = mel.transform(clips), mel.transform_frames(clips)
    sizes = []
    monkeypatch.setattr(Network, "features", full_above(5, Network.features, sizes))
    np.testing.assert_array_equal(mel.transform(clips), expected)
    assert sizes == [32, 16, 8, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4]
    for found, known in zip(mel.transform_frames(clips), frames, strict=True):
        np.testing.assert_array_equal(found, known)


@pytest.mark.parametrize(
    ("owner", "name", "output"), [(_base, "summarize", "functionals"), (Network, "embed", "embedding")]
)
def test_functionals_and_embedding_go_on_with_half_the_batch(clips, monkeypatch, owner, name, output):
    leaf = LeafTransformer(**TINY, output=output).fit(clips, [0, 1] * 20)
    expected, function, sizes = leaf.transform(clips), getattr(owner, name), []

    def limited(*args, **options):
        sizes.append(len(args[-1]) if owner is Network else len(args[0]))
        if sizes[-1] > 5:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory (a fake)")
        return function(*args, **options)

    monkeypatch.setattr(owner, name, limited)
    np.testing.assert_allclose(leaf.transform(clips), expected, rtol=1e-5, atol=1e-5)
    assert max(sizes) == 32 and sizes[-1] <= 5


def test_the_classifier_goes_on_with_half_the_batch(monkeypatch):
    X = np.random.default_rng(0).normal(0, 0.1, (24, 26_000))
    classifier = LeafClassifier(LeafTransformer(**TINY)).fit(X, np.arange(24) % 2)
    expected = classifier.predict_proba(X)
    sizes = []
    monkeypatch.setattr(Network, "forward", full_above(7, Network.forward, sizes))
    np.testing.assert_allclose(classifier.predict_proba(X), expected, rtol=1e-6)
    assert sizes[:4] == [24, 12, 6, 6] and max(sizes[3:]) == 6


@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_fit_goes_on_with_half_the_batch(monkeypatch, recipe):
    """Energies, steps and held-out clips; a step's gradients are those of its halves together."""
    X = np.random.default_rng(0).normal(0, 0.1, (40, 2_000))
    y = np.arange(40) % 2
    leaf = LeafTransformer(**{**TINY, "max_steps": 4}, recipe=recipe, validation_fraction=0.5, batch_size=16)
    whole = leaf.fit(X, y)._network.to_state()["arrays"]
    sizes = []
    for name in ("forward", "energies"):
        monkeypatch.setattr(Frontend, name, full_above(7, getattr(Frontend, name), sizes))
    halved = leaf.fit(X, y)
    assert max(sizes) > 7 and sizes[-1] <= 7
    assert halved.n_iter_ == 4 and np.isfinite([entry["loss"] for entry in halved.history_[1:]]).all()
    # the heads' batch norms see halves, and more of them
    for key, value in halved._network.to_state()["arrays"].items():
        if key.startswith("frontend."):
            np.testing.assert_allclose(value, whole[key], rtol=0.1, atol=0.1, err_msg=key)


def test_gradients_of_halves_are_those_of_the_whole(monkeypatch):
    """Of a network without batch norms, to rounding; what a failed call left behind does not count."""
    X = np.random.default_rng(0).normal(0, 0.1, (13, 2_000)).astype(np.float32)
    targets = make_targets(np.arange(13) % 2)
    frontend = make_frontend("leaf", n_filters=4, generator=torch.Generator().manual_seed(0))
    network = Network(frontend, "linear", 2, statistics=False, generator=torch.Generator().manual_seed(0))
    options = {"learning_rate": None, "batch_size": 13, "crop_ms": None, "max_steps": 1, "device": torch.device("cpu")}
    train = Labelled(as_clips(X, sample_rate=16_000), targets.values)
    training = Training(network, targets, train, None, recipe="paper", rng=np.random.default_rng(0), **options)
    network.eval()  # batch norms and dropout stand still
    inputs = torch.from_numpy(X), torch.full((13,), 2_000)

    def gradients(outputs_of):
        loss = training._gradients(outputs_of, np.arange(13), *inputs)
        return loss, [parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None]

    class FailsInBackward(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            if len(grad) > 5:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory (a fake)")
            return grad

    def limited(waveforms, lengths):
        return [FailsInBackward.apply(output) for output in network(waveforms, lengths)]

    loss, whole = gradients(network)
    assert training.piece == 13
    halved_loss, halved = gradients(limited)
    assert training.piece == 3
    assert halved_loss == pytest.approx(loss, rel=1e-5)
    for part, reference in zip(halved, whole, strict=True):
        torch.testing.assert_close(part, reference, rtol=1e-3, atol=1e-6)


def test_a_clip_that_does_not_fit_alone_raises_with_advice(clips, monkeypatch):
    mel = MelTransformer(n_filters=4).fit(clips)
    monkeypatch.setattr(Network, "features", full_above(0, Network.features, []))
    with pytest.raises(torch.cuda.OutOfMemoryError) as caught:
        mel.transform(clips)
    assert "Windower" in caught.value.__notes__[0]


def test_other_errors_are_not_swallowed():
    def fail(rows):
        raise RuntimeError("device-side assert")

    with pytest.raises(RuntimeError, match="device-side assert"):
        list(Halving()(fail, np.zeros(8)))


class Rows(np.ndarray):
    """Rows that can be watched."""


def test_the_failed_call_has_let_go_before_the_smaller_one(monkeypatch):
    held, left = [], []

    def call(rows):
        buffer = np.zeros(3).view(Rows)
        held.append(weakref.ref(buffer))
        if len(rows) > 2:
            raise torch.cuda.OutOfMemoryError("full")
        return len(rows)

    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: left.append([each() for each in held]))
    assert list(Halving()(call, np.zeros(5))) == [2, 2, 1]
    assert left == [[None]]


def test_fit_keeps_nothing_of_the_training(monkeypatch):
    """When memory is given back, and without what a collection would still find."""
    left = []

    def note(device):
        gc.collect()
        left.append([each for each in gc.get_objects() if issubclass(type(each), (Training, torch.optim.Optimizer))])

    monkeypatch.setattr(leaf_module, "free_memory", note)
    LeafTransformer(**TINY).fit(np.random.default_rng(0).normal(0, 0.1, (8, 400)), [0, 1] * 4)
    assert left == [[]]


def test_workers_go_round_the_gpus(monkeypatch, tmp_path):
    """Files opened anew stand for processes: a lock belongs to the opened file."""
    monkeypatch.setattr(_gpus.tempfile, "gettempdir", lambda: str(tmp_path))
    workers = [_gpus._free_place(3)[0] for _ in range(7)]
    assert [place % 3 for place, _ in workers] == [0, 1, 2, 0, 1, 2, 0]
    workers[1][1].close()  # a worker ends, and another takes its place
    again = _gpus._free_place(3)
    assert again[0][0] == 1
    monkeypatch.setattr(_gpus, "_held", again)
    assert [_gpus.claim_gpu(3), _gpus.claim_gpu(3), _gpus.claim_gpu(1)] == [1, 1, 0]
    for _, file in [*workers, *again]:
        file.close()


def test_a_worker_takes_its_gpu_and_the_main_process_the_current_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert [str(resolve_device(name)) for name in ("auto", "cuda", "cuda:2")] == ["cuda", "cuda", "cuda:2"]
    monkeypatch.setattr(_device, "is_worker", lambda: True)
    monkeypatch.setattr(_device, "claim_gpu", lambda n_gpus: n_gpus - 1)
    assert [str(resolve_device(name)) for name in ("auto", "cuda", "cuda:2")] == ["cuda:3", "cuda:3", "cuda:2"]


@pytest.mark.parametrize("shorter", [1, 300])
@pytest.mark.parametrize("name", ["leaf", "td-fbanks", "mel-pcen"])
def test_another_device_gets_large_batches_and_is_asked_for_no_number(name, shorter, monkeypatch):
    X = np.random.default_rng(0).normal(0, 0.1, (600, 800))
    leaf = LeafTransformer(name, **TINY).fit(X[:8], [0, 1] * 4)
    X = [clip[: len(clip) - index % shorter] for index, clip in enumerate(X)]
    monkeypatch.setattr(_base, "resolve_device", lambda name: torch.device("meta"))  # it has none
    clips, _ = leaf._check_clips(X, reset=False)
    batches = list(leaf._by_batch(clips, lambda network, features, n_frames: features))
    assert [(len(batch), batch.device.type) for batch in batches] == [(512, "meta"), (88, "meta")]


@pytest.mark.gpu
def test_a_gpu_is_free_after_fit_and_transform(clips):
    leaf = LeafTransformer(**TINY, device="cuda")
    leaf.fit(clips, [0, 1] * 20)
    before = torch.cuda.memory_allocated()
    leaf.fit(clips, [0, 1] * 20).transform(clips)
    assert torch.cuda.memory_allocated() == before


@pytest.mark.gpu
def test_a_gpu_that_is_full_goes_on_with_smaller_batches(clips):
    mel = MelTransformer(n_filters=64, device="cuda").fit(clips)
    long = [np.tile(clip, 40) for clip in clips]
    expected = mel.transform(long)
    torch.cuda.empty_cache()
    free, total = torch.cuda.mem_get_info()
    torch.cuda.set_per_process_memory_fraction((total - free + 40 * 2**20) / total)
    try:
        np.testing.assert_allclose(mel.transform(long), expected, rtol=1e-4, atol=1e-4)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_errors_name_the_devices():
    with pytest.raises(ValueError, match=re.escape("expected 'auto' or one of ['cpu'")):
        resolve_device("gpu")
