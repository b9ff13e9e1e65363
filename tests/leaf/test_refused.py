"""Settings, clips, labels and files that cannot be used."""

import numpy as np
import pytest
from sklearn.base import clone
from small_clips import RATE, small

from leaf_sklearn import LeafTransformer, MelTransformer

BAD = [
    ({"frontend": "leef"}, "Got frontend='leef', expected one of .*'leaf'"),
    ({"functionals": ("mean", "kurt")}, "expected one or more of .*'mean'"),
    ({"device": "tpu"}, "Got device='tpu', expected 'auto' or one of .*'cpu'"),
    ({"device": "cuda:99"}, "not available"),
    ({"encoder": "resnet"}, "expected one of .*'cnn'"),
    ({"fmax": 2500.0}, "fmax"),
    ({"fmin": 900.0, "fmax": 800.0}, "fmin"),
    ({"n_filters": 0}, "n_filters"),
    ({"compression": "cube"}, "compression"),
    ({"pooling": "median"}, "pooling"),
    ({"init": "middle"}, "init"),
    ({"output": "everything"}, "output"),
    ({"recipe": "secret"}, "recipe"),
    ({"max_steps": 0}, "max_steps"),
]


@pytest.mark.parametrize(("settings", "message"), BAD)
def test_impossible_settings_are_refused_with_the_choices(clips, settings, message):
    with pytest.raises(ValueError, match=message):
        small(**settings).fit(*clips)


@pytest.mark.parametrize("estimator", [small(), MelTransformer(sample_rate=RATE)], ids=repr)
def test_bad_clips_are_refused_by_their_number(clips, estimator):
    X, y = clips
    for value, word in ((np.nan, "NaN"), (np.inf, "inf")):
        spoilt = X.copy()
        spoilt[3, 7] = value
        for form in (spoilt, list(spoilt)):
            with pytest.raises(ValueError, match=f"(?s)(?i)clip 3.*{word}"):
                clone(estimator).fit(form, y)
            with pytest.raises(ValueError, match=f"(?s)(?i)clip 3.*{word}"):
                clone(estimator).fit(X, y).transform(form)
    with pytest.raises(ValueError, match=r"(?i)clip 2.*empty"):
        clone(estimator).fit([*X[:2], np.array([]), *X[3:]], y)
    with pytest.raises(ValueError, match=r"(?i)clip 1"):
        clone(estimator).fit([X[0], X[:2], *X[2:]], y)
    with pytest.raises(ValueError, match="is expecting 800 features"):
        clone(estimator).fit(X, y).transform(X[:, :700])


def test_labels_that_do_not_match_are_refused(clips):
    X, y = clips
    for labels, message in (
        (y[:-1], "X has 24 clips and y has 23"),
        (np.ones(24, int), "one class"),
        (y * np.nan, "NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            small().fit(X, labels)


@pytest.mark.parametrize("spoil", ["corrupt", "cut", "empty", "text", "folder", "missing"])
@pytest.mark.parametrize("estimator", [small(), MelTransformer(sample_rate=RATE)], ids=lambda e: type(e).__name__)
def test_a_bad_file_is_named_and_changes_nothing(recordings, spoil, estimator):
    paths, y = recordings
    fitted = clone(estimator).fit(paths, y)
    before = dict(vars(fitted))
    bad = paths[5]
    content = bad.read_bytes()
    bad.unlink()
    if spoil == "folder":
        bad.mkdir()
    elif spoil != "missing":
        half = content[: len(content) // 2]
        bad.write_bytes({"corrupt": b"RIFF" + bytes(500), "cut": half, "empty": b"", "text": b"hello" * 99}[spoil])
    with pytest.raises(ValueError, match=r"05\.wav"):
        fitted.transform(paths)
    if isinstance(estimator, LeafTransformer) or spoil in ("folder", "missing"):  # mel's fit opens no file
        with pytest.raises(ValueError, match=r"05\.wav"):
            fitted.fit(paths, y)
    assert vars(fitted) == before
