"""Saved models: everything comes back, nothing runs on load, and a bad file is told from a good one."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time

import joblib
import numpy as np
import pytest
import sklearn
import torch
from helpers import ROOT
from models.make import RATE, clips, labels
from safetensors.numpy import load_file, save_file
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from leaf_sklearn import LeafClassifier, LeafTransformer, MelTransformer, load_model
from leaf_sklearn import _persistence as persistence
from leaf_sklearn._persistence import FORMAT, ModelFileError

TINY = {"sample_rate": RATE, "n_filters": 4, "max_steps": 2, "compression_search": False, "random_state": 0}
LABELS = np.array(labels())


@pytest.fixture(scope="module")
def leaf():
    return LeafTransformer(**TINY).fit(clips(), labels())


def fitted(**settings):
    return LeafTransformer(**{**TINY, "encoder": "linear", **settings})


def state_of(model):
    """Every attribute, by name, as a hash; fitted transformers inside likewise."""
    state = model.__getstate__()
    return {
        name: state_of(value) if isinstance(value, LeafTransformer) else joblib.hash(value)
        for name, value in state.items()
    }


@pytest.mark.parametrize(
    ("model", "y"),
    [
        (LeafTransformer(**TINY), LABELS),
        (fitted(class_weight={"low": 1.0, "high": 3}, functionals=["max", "q10"]), LABELS),
        (fitted(init=np.linspace(100.0, 1500.0, 8).reshape(4, 2)), LABELS.astype(object)),
        (fitted(learning_rate=np.float32(0.01)), LABELS),
        (fitted(output="embedding"), np.arange(12) % 3),
        (fitted(), np.stack([np.arange(12) % 2, np.arange(12) % 3 - 1], axis=1)),
        (fitted(), np.linspace(0.0, 1.0, 12)),
        (LeafTransformer("wavegram", sample_rate=RATE, n_filters=4, max_steps=1), LABELS),
        (LeafTransformer("sincnet", sample_rate=RATE, n_filters=4), None),
        (MelTransformer(sample_rate=RATE, n_filters=4, compression="pcen"), None),
        (LeafClassifier(fitted()), LABELS),
        (LeafClassifier(fitted()), np.where(LABELS == LABELS[0], "caf\udce9", "bar")),  # a file name of other bytes
        (LeafClassifier(), LABELS),
    ],
    ids=lambda value: "" if value is None or isinstance(value, np.ndarray) else type(value).__name__,
)
def test_everything_comes_back(model, y, tmp_path, monkeypatch):
    monkeypatch.setitem(LeafTransformer.__init__.__kwdefaults__, "max_steps", 2)
    monkeypatch.setitem(LeafTransformer.__init__.__kwdefaults__, "compression_search", False)
    X = np.stack(clips()) if isinstance(model, LeafClassifier) else clips()
    model = clone(model).fit(X, y)
    model.save(tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors")
    assert type(again) is type(model)
    assert state_of(again) == state_of(model)
    method = "predict_proba" if isinstance(model, LeafClassifier) else "transform"
    np.testing.assert_array_equal(getattr(again, method)(X), getattr(model, method)(X))
    assert repr(clone(again)) == repr(clone(model))
    again.fit(X, y)


def test_a_random_state_goes_on_where_it_was(tmp_path):
    rng = np.random.RandomState(3)
    model = fitted(random_state=rng).fit(clips(), labels())
    model.save(tmp_path / "model")
    assert LeafTransformer.load(tmp_path / "model").random_state.randint(2**31) == rng.randint(2**31)


def test_output_and_metadata_requests_come_back_and_callbacks_stay(leaf, tmp_path):
    model = pickle.loads(pickle.dumps(leaf)).set_output(transform="pandas")
    with sklearn.config_context(enable_metadata_routing=True):
        model.set_fit_request(sample_weight=True, groups="speaker")
    model.save(tmp_path / "model")
    again = LeafTransformer.load(tmp_path / "model")
    assert list(again.transform(clips()).columns) == list(leaf.get_feature_names_out())
    assert again.get_metadata_routing().fit.requests == model.get_metadata_routing().fit.requests


def test_a_subclass_loads_where_it_is_defined(leaf, tmp_path):
    class Own(LeafTransformer):
        pass

    model = Own(**TINY).fit(clips(), labels())
    model.save(tmp_path / "model")
    assert type(load_model(tmp_path / "model")) is Own
    assert isinstance(LeafTransformer.load(tmp_path / "model"), Own)


def test_equal_models_give_equal_files_and_the_header_tells_of_the_model(leaf, tmp_path):
    leaf.save(tmp_path / "a")
    LeafTransformer(**TINY).fit(clips(), labels()).save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    document = header(tmp_path / "a")
    assert document["version"] == 1
    assert document["written_by"]["scikit-learn"] == sklearn.__version__
    assert document["estimator"]["params"]["n_filters"] == 4
    assert document["estimator"]["fitted"]["classes_"]["$array"] == ["high", "low"]
    assert document["estimator"]["fitted"]["training_data_hash_"] == leaf.training_data_hash_


def header(path):
    size = int.from_bytes(path.read_bytes()[:8], "little")
    return json.loads(json.loads(path.read_bytes()[8 : 8 + size])["__metadata__"][FORMAT])


def test_the_hash_of_the_training_data_tells_data_from_data():
    def hash_of(X, y):
        return fitted(max_steps=1).fit(X, y).training_data_hash_

    X, y = clips(), labels()
    known = hash_of(X, y)
    assert known == hash_of(np.stack(X).astype(np.float64), np.array(y))
    other = [clip.copy() for clip in X]
    other[3][5] += 1e-3
    assert len({known, hash_of(other, y), hash_of(X[::-1], y), hash_of(X, y[::-1]), hash_of(X, None)}) == 5


def test_what_needs_code_is_refused(tmp_path):
    from torch import nn

    class Last(nn.Module):
        def __init__(self, n_filters):
            super().__init__()
            self.n_outputs = n_filters

        def forward(self, features):
            return features[:, :, -1]

    model = LeafTransformer(**{**TINY, "encoder": Last}).fit(clips(), labels())
    with pytest.raises(TypeError, match=r"encoder is <class .*cannot be stored without code.*joblib\.dump"):
        model.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_unfitted_models_and_bad_places_are_refused(leaf, tmp_path):
    with pytest.raises(sklearn.exceptions.NotFittedError):
        LeafTransformer().save(tmp_path / "model")
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        leaf.save(tmp_path / "nowhere" / "model")
    with pytest.raises(FileNotFoundError, match="There is no model file"):
        load_model(tmp_path / "model")


def test_another_class_is_refused(leaf, tmp_path):
    leaf.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match="holds a LeafTransformer, expected a MelTransformer"):
        MelTransformer.load(tmp_path / "model")


def rewritten(path, change):
    """The model file with another document, its checksum mended."""
    arrays, document = load_file(path), header(path)
    change(document)
    save_file(arrays, path, metadata={FORMAT: persistence._signed(document, arrays)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda document: document.update(version=2), r"format 2, written by leaf-sklearn .* up to 1\. Upgrade"),
        (lambda document: document.update(version="1"), "format '1'"),
        (lambda document: document.pop("version"), "its header cannot be read"),
        (lambda document: document["estimator"].update({"class": "os.system"}), "class 'os.system' is unknown"),
        (lambda document: document["estimator"]["params"].update(colour="red"), "unexpected keyword argument 'colour'"),
        (lambda document: document["estimator"]["fitted"].update(x={"$eval": "1"}), r"'\$eval' is no kind of value"),
        (lambda document: document["estimator"]["fitted"]["_network"].update(arrays="x"), "Missing key"),
        (lambda document: document["estimator"]["fitted"]["_network"]["frontend"].update(n_filters=5), "size mismatch"),
    ],
)
def test_a_document_that_does_not_fit_is_refused(leaf, tmp_path, change, message):
    path = tmp_path / "model.safetensors"
    leaf.save(path)
    rewritten(path, change)
    with pytest.raises(ModelFileError, match=message) as caught:
        load_model(path)
    assert str(path) in str(caught.value)


def test_foreign_files_are_told(leaf, tmp_path, monkeypatch):
    path = tmp_path / "model"
    joblib.dump(leaf, path)
    with (
        pytest.raises(ModelFileError, match=r"is a pickle or skops file.*joblib\.load"),
        monkeypatch.context() as patch,
    ):
        patch.setitem(sys.modules, "safetensors", None)
        load_model(path)
    save_file({"weight": np.zeros(3)}, path)
    with pytest.raises(ModelFileError, match="holds tensors of something else"):
        load_model(path)
    for content in (b"", b"\0" * 100, b"RIFF" * 30, b'{"a": 1}', b"\xff" * 8 + b"{}"):
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match="no model file"):
            load_model(path)


def test_any_damage_is_noticed(tmp_path):
    """A file cut anywhere and a flipped bit anywhere either raise the error that names the file or change nothing."""
    model = fitted().fit(clips(), labels())
    path = tmp_path / "model"
    model.save(path)
    whole, features = path.read_bytes(), model.transform(clips())
    rng = np.random.default_rng(0)
    n_refused = 0
    for place in rng.integers(0, len(whole), 300):
        damaged = bytearray(whole)
        if place % 3:
            damaged[place] ^= 1 << int(rng.integers(8))
        else:
            del damaged[place:]
        path.write_bytes(damaged)
        try:
            again = load_model(path)
        except ModelFileError as error:
            assert str(path) in str(error)
            n_refused += 1
        else:
            np.testing.assert_array_equal(again.transform(clips()), features)
    assert n_refused > 290


@pytest.mark.parametrize("name", ["leaf", "sincnet", "classifier", "mel"])
def test_models_of_format_1_load_for_ever(name):
    model = load_model(ROOT / "tests" / "models" / f"v1_{name}.safetensors")
    with np.load(ROOT / "tests" / "models" / "v1_outputs.npz") as stored:
        expected = stored[name]
    found = model.decision_function(clips()) if name == "classifier" else model.transform(clips())
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    leaf = getattr(model, "transformer_", model)
    if isinstance(leaf, LeafTransformer):
        assert leaf.history_[-1]["step"] == leaf.n_iter_ == 4 and len(leaf.get_feature_names_out()) in (12, 128)


def test_a_save_that_fails_leaves_the_old_file(leaf, tmp_path, monkeypatch):
    path = tmp_path / "model"
    leaf.save(path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        fitted().fit(clips(), labels()).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


SAVING = """
import sys
sys.path.insert(0, {folder!r})
from leaf_sklearn import load_model
models = [load_model({folder!r} + f"/{{name}}") for name in "ab"]
print("saving", flush=True)
while True:
    for model in models:
        model.save({folder!r} + "/model")
"""


@pytest.mark.slow
def test_a_save_that_is_killed_leaves_a_whole_file(leaf, tmp_path):
    leaf.save(tmp_path / "a")
    fitted().fit(clips(), labels()).save(tmp_path / "b")
    whole = {(tmp_path / name).read_bytes() for name in "ab"}
    for delay in (0.3, 0.37):
        with subprocess.Popen(
            [sys.executable, "-c", SAVING.format(folder=str(tmp_path))], stdout=subprocess.PIPE, text=True
        ) as saving:
            assert saving.stdout.readline() == "saving\n"
            time.sleep(delay)
            saving.send_signal(signal.SIGKILL)
        assert (tmp_path / "model").read_bytes() in whole


@pytest.mark.parametrize("kind", ["transformer", "classifier", "mel", "pipeline"])
def test_skops_loads_with_only_our_classes_trusted(leaf, kind):
    from skops import io

    model = {
        "transformer": leaf,
        "classifier": LeafClassifier(fitted()),
        "mel": MelTransformer(sample_rate=RATE),
        "pipeline": make_pipeline(fitted(), StandardScaler()),
    }[kind]
    model.fit(clips(), labels())
    content = io.dumps(model)
    untrusted = io.get_untrusted_types(data=content)
    assert untrusted and all(name.startswith("leaf_sklearn.") for name in untrusted)
    again = io.loads(content, trusted=untrusted)
    assert joblib.hash(again) == joblib.hash(model)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_model_set_to_cuda_loads_where_there_is_none(leaf, tmp_path):
    clone_of = pickle.loads(pickle.dumps(leaf)).set_params(device="cuda")
    clone_of.save(tmp_path / "model")
    again = load_model(tmp_path / "model")
    with pytest.raises(ValueError, match="device='cuda', which is not available here"):
        again.transform(clips())
    np.testing.assert_array_equal(again.set_params(device="cpu").transform(clips()), leaf.transform(clips()))


@pytest.mark.gpu
def test_a_model_of_a_gpu_loads_without_one(tmp_path):
    model = fitted(device="cuda").fit(clips(), labels())
    model.save(tmp_path / "model")
    code = f"from leaf_sklearn import load_model; load_model({str(tmp_path / 'model')!r}).set_params(device='cpu')"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""})
