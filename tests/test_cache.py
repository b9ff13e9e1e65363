"""Pipeline(memory=...): searches over the classifier alone train no frontend again, and changed files are noticed."""

import os
import pickle

import joblib
import numpy as np
import pytest
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from leaf_sklearn import LeafTransformer, Windower
from leaf_sklearn.datasets import stamp_files

RATE = 4_000


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(16):
        soundfile.write(tmp_path / f"{number:02d}.wav", rng.normal(0, 0.1, 400), RATE)
    return [str(path) for path in sorted(tmp_path.glob("*.wav"))]


@pytest.fixture
def fits(monkeypatch):
    """The number of frontends trained, in a list of one."""
    counted = [0]
    fit = LeafTransformer._fit

    def count(self, *args):
        counted[0] += 1
        return fit(self, *args)

    monkeypatch.setattr(LeafTransformer, "_fit", count)
    return counted


@pytest.fixture
def search(tmp_path):
    leaf = LeafTransformer(sample_rate=RATE, n_filters=4, max_steps=1, compression_search=False, random_state=0)
    pipeline = make_pipeline(leaf, LogisticRegression(), memory=str(tmp_path / "cache"))

    def search(X, **grid):
        return GridSearchCV(pipeline, grid, cv=2).fit(X, np.arange(16) % 2)

    return search


def test_a_second_search_over_the_classifier_trains_nothing(files, fits, search):
    search(files, logisticregression__C=[0.1, 1.0, 10.0])
    assert fits == [3]  # one a fold, one for the best on all
    search(files, logisticregression__C=[0.3, 3.0], logisticregression__max_iter=[200, 300])
    assert fits == [3]
    search(files, leaftransformer__n_filters=[4, 5])
    assert fits[0] in (5, 6)  # two folds of five filters, and all clips if five are better


def change(path):
    clip, _ = soundfile.read(path)
    soundfile.write(path, -clip, RATE)
    status = os.stat(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))


def test_a_changed_file_is_noticed_where_paths_are_stamped(files, fits, search):
    grid = {"logisticregression__C": [1.0]}
    search(stamp_files(files), **grid)
    search(stamp_files(files), **grid)
    assert fits == [3]
    change(files[5])
    search(stamp_files(files), **grid)
    assert fits == [5]  # the fold that does not train on this clip still holds


def test_a_changed_file_under_a_plain_path_is_not_noticed(files, fits, search):
    """As the documentation says."""
    search(files, logisticregression__C=[1.0])
    change(files[5])
    search(files, logisticregression__C=[1.0])
    assert fits == [3]


def test_stamped_paths_are_paths(files, tmp_path):
    stamped = stamp_files(files)
    assert [os.fspath(path) for path in stamped] == files
    assert pickle.loads(pickle.dumps(stamped)) == stamped
    assert joblib.hash(stamped) == joblib.hash(stamp_files(files))
    leaf = LeafTransformer(sample_rate=RATE, n_filters=4, max_steps=1, random_state=0).fit(stamped)
    np.testing.assert_array_equal(leaf.transform(stamped), leaf.transform(files))
    with pytest.raises(ValueError, match=r"gone\.wav.*No such file"):
        stamp_files([tmp_path / "gone.wav"])
    with pytest.raises(TypeError, match="expected the path of a whole file"):
        stamp_files(Windower(0.05).cut(files).X)
