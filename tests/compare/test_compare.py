"""Comparisons: what is scored on what, that nothing is done twice, and that nothing is lost."""

import dataclasses
import sys
from collections import Counter
from typing import ClassVar

import joblib
import numpy as np
import pytest
import soundfile
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

from leaf_sklearn import LeafTransformer, MelTransformer, Windower
from leaf_sklearn.compare import _jobs as jobs
from leaf_sklearn.compare import compare
from leaf_sklearn.compare._tasks import as_tasks, join_tasks, task_name
from leaf_sklearn.datasets import make_audio_classification

RATE = 4000
TINY = {"sample_rate": RATE, "n_filters": 4, "max_steps": 2, "compression_search": False, "device": "cpu"}


def clips(n_clips=24, n_classes=2, seed=0):
    return make_audio_classification(n_clips, n_classes=n_classes, sample_rate=RATE, duration_s=0.1, random_state=seed)


def halves(n_clips):
    return np.where(np.arange(n_clips) % 2, "test", "train")


class Loud(TransformerMixin, BaseEstimator):
    """Mean and spread of a clip, and a record of every fit."""

    fits: ClassVar[Counter] = Counter()

    def fit(self, X, y=None):
        Loud.fits[type(self).__name__] += 1
        return self

    def transform(self, X):
        return np.column_stack([np.mean(X, 1), np.std(X, 1)])


class SeededLoud(Loud):
    def __init__(self, random_state=None):
        self.random_state = random_state


@pytest.fixture
def loud():
    Loud.fits.clear()
    return {"fixed": Loud(), "seeded": SeededLoud()}


def scores_of(rows):
    """Everything about the rows but their times, in one order."""
    plain = [dataclasses.replace(row, fit_seconds=0.0, transform_seconds=0.0) for row in rows]
    return sorted(plain, key=lambda row: row.key)


def test_scores_are_those_of_a_pipeline():
    X, y = clips(40, 4)
    split = halves(40)
    result = compare((X, y, None, split), frontends=["mel"], classifiers=["logreg"], transformer_params=TINY)
    (row,) = result.rows
    model = make_pipeline(
        MelTransformer(sample_rate=RATE, n_filters=4), StandardScaler(), LogisticRegression(max_iter=5000)
    )
    predicted = model.fit(X[::2], y[::2]).predict(X[1::2])
    assert row.accuracy == accuracy_score(y[1::2], predicted)
    assert row.balanced_accuracy == pytest.approx(balanced_accuracy_score(y[1::2], predicted))
    assert (row.n_train, row.n_test, row.n_features) == (20, 20, 44)
    assert row.mean_average_precision is None


def test_what_does_not_depend_on_the_seed_is_done_once(loud, monkeypatch):
    monkeypatch.setitem(jobs.CLASSIFIERS, "forest", RandomForestClassifier(3))
    X, y = clips()
    classifiers = ["logreg", "knn", "forest"]
    result = compare((X, y), frontends=loud, classifiers=[*classifiers, "knn"], seeds=[3, 5, 3], cv=2)
    assert Loud.fits == {"Loud": 2, "SeededLoud": 4}
    found = Counter((row.frontend, row.classifier, row.seed) for row in result.rows)
    expected = [("fixed", "logreg", 3), ("fixed", "knn", 3), ("fixed", "forest", 3), ("fixed", "forest", 5)]
    expected += [("seeded", classifier, seed) for classifier in classifiers for seed in (3, 5)]
    assert found == dict.fromkeys(expected, 2)


def test_what_does_not_depend_on_the_seed_stands_once_whatever_seeds_follow(tmp_path, loud):
    for seeds in ([1], [0, 1]):
        result = compare(clips(), frontends=loud, classifiers=["knn"], seeds=seeds, cv=2, out=tmp_path)
    found = Counter((row.frontend, row.seed) for row in result.rows)
    assert found == {("fixed", 1): 2, ("seeded", 0): 2, ("seeded", 1): 2}


def test_mel_is_deterministic_and_leaf_seeded():
    data = (*clips(), None, halves(24))
    first, second = (compare(data, seeds=2, classifiers=["logreg"], transformer_params=TINY).rows for _ in range(2))
    assert [(row.frontend, row.seed) for row in first] == [("mel", 0), ("leaf", 0), ("leaf", 1)]
    assert scores_of(first) == scores_of(second)
    assert first[0].n_features == 44


@pytest.mark.slow
def test_processes_change_nothing():
    data = (*clips(), None, halves(24))
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone, shared = (
            compare(data, seeds=2, classifiers=["svc"], transformer_params=TINY, n_jobs=n_jobs).rows
            for n_jobs in (1, 2)
        )
    finally:
        torch.set_num_threads(n_threads)
    assert scores_of(alone) == scores_of(shared)


class Flaky(LogisticRegression):
    """Breaks at the fifth fit."""

    n_fits = 0

    def fit(self, X, y):
        Flaky.n_fits += 1
        if Flaky.n_fits == 5:
            raise KeyboardInterrupt
        return super().fit(X, y)


def test_goes_on_after_an_interruption(tmp_path, loud, monkeypatch):
    monkeypatch.setitem(jobs.CLASSIFIERS, "logreg", Flaky())
    monkeypatch.setattr(Flaky, "n_fits", 0)
    options = {"frontends": loud, "classifiers": ["knn", "logreg"], "seeds": 2, "cv": 3}
    with pytest.raises(KeyboardInterrupt):
        compare(clips(), out=tmp_path, **options)
    kept = (tmp_path / "results.csv").read_text()
    assert kept.count("\n") == 1 + 8  # the heading and two rows of each of four jobs
    assert "seeded" in (tmp_path / "results.md").read_text()
    Loud.fits.clear()
    events = []
    result = compare(clips(), out=tmp_path, progress=lambda *event: events.append(event), **options)
    assert sum(Loud.fits.values()) == 9 - 4
    assert events[0] == (8, 18, None)
    assert [event[0] for event in events[1:]] == list(range(9, 19))
    assert (tmp_path / "results.csv").read_text().startswith(kept)
    assert max(Counter(row.key for row in result.rows).values()) == 1
    assert scores_of(result.rows) == scores_of(compare(clips(), **options).rows)
    again = compare(clips(), out=tmp_path, **options)
    assert sum(Loud.fits.values()) == 5 + 9
    assert again.rows == result.rows  # also after the way through the file


def test_more_classifiers_are_added(tmp_path, loud):
    options = {"frontends": loud, "seeds": 1, "out": tmp_path, "data": (*clips(), None, halves(24))}
    compare(classifiers=["knn"], **options)
    Loud.fits.clear()
    result = compare(classifiers=["knn", "svc"], **options)
    assert [row.classifier for row in result.rows] == ["knn", "knn", "svc", "svc"]
    assert sum(Loud.fits.values()) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transformer_params": {**TINY, "n_filters": 5}}, r"other settings: n_filters=4 \(now 5\)"),
        ({"cv": 4}, r"cv=3 \(now 4\)"),
        ({"data": clips(seed=1)}, "other clips or labels of data"),
    ],
)
def test_other_settings_and_data_are_refused(tmp_path, change, message):
    options = {"data": clips(), "frontends": ["mel"], "cv": 3, "transformer_params": TINY, "out": tmp_path}
    compare(**options)
    before = (tmp_path / "results.csv").read_bytes()
    with pytest.raises(ValueError, match=message):
        compare(**{**options, **change})
    with pytest.raises(ValueError, match=message):
        compare(**{**options, **change, "frontends": ["leaf"]})
    assert (tmp_path / "results.csv").read_bytes() == before


def test_a_transformer_may_not_change_under_its_name(tmp_path):
    options = {"data": clips(), "classifiers": ["knn"], "cv": 2, "out": tmp_path}
    compare(frontends={"a": MelTransformer(sample_rate=RATE, n_filters=4)}, **options)
    compare(frontends={"b": MelTransformer(sample_rate=RATE, n_filters=5)}, **options)
    with pytest.raises(ValueError, match="estimator=MelTransformer"):
        compare(frontends={"a": MelTransformer(sample_rate=RATE, n_filters=5)}, **options)
    # scikit-learn's repr leaves out the middle of long parameters
    starts = np.linspace(200, 1500, 40)[:, None] * [1.0, 0.1]
    settings = {**TINY, "n_filters": 40, "max_steps": 1}
    compare(frontends={"rows": LeafTransformer(init=starts.copy(), **settings)}, **options)
    starts[18] *= 1.01
    with pytest.raises(ValueError, match="estimator=LeafTransformer"):
        compare(frontends={"rows": LeafTransformer(init=starts, **settings)}, **options)


def test_several_data_sets_and_models_that_are_kept(tmp_path):
    data = {"one": (*clips(seed=0), None, halves(24)), "two": (*clips(20, seed=1), None, halves(20))}
    result = compare(data, classifiers=["knn"], seeds=1, transformer_params=TINY, out=tmp_path, keep_models=True)
    assert [(row.task, row.frontend) for row in result.rows] == [(t, f) for t in data for f in ("mel", "leaf")]
    model = joblib.load(tmp_path / "models" / "one-leaf-seed0-fold0.joblib")
    fresh = LeafTransformer(random_state=0, **TINY).fit(data["one"][0][::2], data["one"][1][::2])
    np.testing.assert_array_equal(model.transform(data["one"][0]), fresh.transform(data["one"][0]))


def test_both_models_of_mel_are_kept(tmp_path):
    X, y = clips()
    options = {"frontends": ["mel"], "classifiers": ["knn"], "seeds": 1, "outputs": ["functionals", "embedding"]}
    data = (X, y, None, halves(len(X)))
    result = compare(data, transformer_params=TINY, out=tmp_path, keep_models=True, **options)
    kept = [type(joblib.load(path)).__name__ for path in sorted((tmp_path / "models").iterdir())]
    assert kept == ["LeafTransformer", "MelTransformer"]
    with pytest.raises(ValueError, match=r"Got frontends \['mell'\], expected some of \['mel'\]"):
        result.differences("mel", "mell")


def test_several_labels_a_clip():
    X, y = clips(40, 4)
    labels = np.column_stack([y == 0, y == 1, y < 2, np.zeros(40)]).astype(int)
    result = compare((X, labels), frontends=["mel"], classifiers=["logreg", "knn"], cv=2, transformer_params=TINY)
    for row in result.rows:
        assert row.accuracy is None
        assert 0 < row.mean_average_precision <= 1
        assert 0 < row.auc <= 1
    assert "mAP" in result.to_markdown()


def test_joined_tasks():
    first, second = clips(seed=0), clips(12, 3, seed=1)
    names = np.array(["high", "low"])[first[1]]
    groups = np.arange(12) // 2
    tasks = as_tasks({"a": (first[0], names, None, halves(24)), "b": (*second, groups, halves(12))})
    X, y, members = join_tasks(tasks)
    assert y.shape == (12 + 6, 2)
    np.testing.assert_array_equal(y[:12], np.column_stack([first[1][::2], np.full(12, -1)]))
    np.testing.assert_array_equal(y[12:], np.column_stack([np.full(6, -1), second[1][::2]]))
    np.testing.assert_array_equal(X[13], second[0][2])
    assert len(set(members)) == 12 + 6
    assert set(members[:12]).isdisjoint(members[12:])


def test_one_frontend_for_several_tasks(tmp_path):
    data = {"a": (*clips(seed=0), None, halves(24)), "b": (*clips(18, 3, seed=1), None, halves(18))}
    options = {"classifiers": ["logreg", "knn"], "seeds": 1, "transformer_params": TINY, "out": tmp_path}
    result = compare(data, multitask=True, keep_models=True, **options)
    assert Counter((row.task, row.frontend) for row in result.rows) == dict.fromkeys(
        [(task, frontend) for task in "ab" for frontend in ("mel", "leaf")], 2
    )
    model = joblib.load(tmp_path / "models" / "a+b-leaf-seed0-fold0.joblib")
    assert [len(classes) for classes in model.classes_] == [2, 3]
    with pytest.raises(ValueError, match="multitask="):
        compare(data, **options)


def test_tasks_that_cannot_be_joined():
    X, y = clips()
    single, several = (X, y, None, halves(24)), (X, np.column_stack([y, 1 - y]), None, halves(24))
    with pytest.raises(ValueError, match=r"several labels a clip .*\['b'\]"):
        compare({"a": single, "b": several}, multitask=True, transformer_params=TINY)
    with pytest.raises(ValueError, match="different numbers of folds"):
        compare({"a": single, "b": (X, y)}, multitask=True, transformer_params=TINY)


def test_folds():
    X, y = clips(30, 3)
    groups = np.arange(30) // 3
    (task,) = as_tasks((X, y, groups), cv=4)
    assert sorted(np.concatenate([test for _, test in task.folds])) == list(range(30))
    for train, test in task.folds:
        assert set(groups[train]).isdisjoint(groups[test])
        assert set(train).isdisjoint(test)
    assert len(as_tasks((X, y))[0].folds) == 5
    assert len(as_tasks((X[:9], np.repeat([0, 1, 2], 3)))[0].folds) == 3
    (own,) = as_tasks(Bunch(filenames=X, target=y, groups=None, split=np.array(["train", "valid", "test"] * 10)))
    np.testing.assert_array_equal(own.folds[0][1], np.arange(2, 30, 3))
    assert len(own.folds[0][0]) == 20
    several = as_tasks((X, np.column_stack([y == 0, y == 1]).astype(int), groups), cv=3)[0]
    assert len(several.folds) == 3


def test_fingerprint_follows_clips_labels_groups_and_split(tmp_path):
    X, y = clips()
    base = as_tasks((X, y))[0].fingerprint
    other_y, other_X = y.copy(), X.copy()
    other_y[0] = 1 - y[0]
    other_X[3, 7] += 1
    variants = [(X, other_y), (other_X, y), (X, y, np.arange(24)), (X, y, None, halves(24))]
    prints = {base, *(as_tasks(data)[0].fingerprint for data in variants)}
    assert len(prints) == 5
    assert as_tasks((X.copy(), y.copy()))[0].fingerprint == base
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        for number in range(4):
            (tmp_path / place / f"{number}.wav").write_bytes(b"x" * (number + 5))
    files = {place: [str(tmp_path / place / f"{number}.wav") for number in range(4)] for place in "ab"}
    moved = [as_tasks((files[place], [0, 1, 0, 1]))[0].fingerprint for place in "ab"]
    assert moved[0] == moved[1]
    (tmp_path / "b" / "2.wav").write_bytes(b"y")
    assert as_tasks((files["b"], [0, 1, 0, 1]))[0].fingerprint != moved[0]


def test_names_of_tasks():
    assert task_name("data/birds/", None) == "birds"
    assert task_name("data/birds/metadata.csv", None) == "birds"
    assert task_name("data/notes/metadata_pitch.csv", None) == "notes/metadata_pitch"
    assert task_name("data/notes", "pitch") == "notes:pitch"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frontends": ["leef"]}, r"Got frontend='leef', expected one of \['mel', "),
        ({"frontends": "leaf"}, "expected a list of names"),
        ({"frontends": []}, "at least one frontend"),
        ({"classifiers": ["svm"]}, r"Got classifiers \['svm'\], expected some of \['logreg', "),
        ({"seeds": 0}, "one seed"),
        (
            {"transformer_params": {"n_filter": 4}},
            r"Got transformer_params \['n_filter'\], expected some of \['sample_rate', ",
        ),
        ({"frontends": {"mel": MelTransformer()}, "transformer_params": TINY}, "are for named frontends"),
        ({"frontends": {"mel": MelTransformer, "scores": 1}}, r"\['mel', 'scores'\] that are no transformers"),
        ({"cv": 25}, "25 folds of 24 clips"),
        ({"cv": 1}, "1 folds of 24 clips"),
        ({"data": (clips()[0], np.zeros(24))}, "all clips are of one class"),
        ({"data": (clips()[0], np.linspace(0, 1, 24))}, "continuous target"),
        ({"data": (clips()[0], np.zeros(23))}, "24 clips and 23 labels"),
        ({"data": (*clips(), None, ["train"] * 24)}, r"split holds \['train'\]"),
        ({"data": (*clips(), None, ["train", "dev"] * 12)}, r"split holds \['dev', 'train'\]"),
        ({"data": []}, "no data set"),
        ({"data": [clips(), clips()]}, "pass a mapping of names"),
        ({"keep_models": True}, "keep_models needs a folder"),
        ({"data": {"a\nb": clips()}}, r"Got the names \['a\\nb'\], expected names of one line"),
    ],
)
def test_what_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        compare(**{"data": clips(), **change})


def test_rows_that_arrived_are_there_after_ctrl_c(tmp_path, loud):
    def stop(n_done, n_rows, row):
        if n_done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(clips(), frontends=loud, classifiers=["knn", "svc"], cv=3, out=tmp_path, progress=stop)
    assert (tmp_path / "results.csv").read_text().count("\n") == 3
    assert "| svc" in (tmp_path / "results.md").read_text()
    assert (tmp_path / "comparison.png").exists()


def test_without_matplotlib_only_the_picture_is_missing(tmp_path, loud, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.warns(UserWarning, match=r"comparison.png is left out.*pip install 'leaf-sklearn\[plot\]'"):
        compare(clips(), frontends=loud, classifiers=["knn"], cv=2, out=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "results.csv", "results.md"]


def test_several_outputs_of_one_fit(monkeypatch):
    fits = Counter()
    real = LeafTransformer.fit
    monkeypatch.setattr(
        LeafTransformer,
        "fit",
        lambda self, *args, **more: fits.update([(self.frontend, self.floor)]) or real(self, *args, **more),
    )
    data = (*clips(), None, halves(24))
    outputs = ["functionals", "embedding", "mean+mod_0_3hz"]
    result = compare(data, frontends=["mel", "mel-floored", "leaf"], outputs=outputs, seeds=2, transformer_params=TINY)
    assert fits == {("mel", None): 2, ("mel", 1e-4): 2, ("leaf", None): 2}
    sizes = {(row.frontend, row.output): row.n_features for row in result.rows}
    wanted = {"functionals": 44, "mean+mod_0_3hz": 8, "embedding": 256}
    assert sizes == {(name, how): n for name in ("mel", "mel-floored", "leaf") for how, n in wanted.items()}
    names = {line.frontend for line in result.summary()}
    assert {"leaf", "leaf (embedding)", "mel (mean+mod_0_3hz)"} < names
    with pytest.raises(ValueError, match="functionals="):
        compare(data, outputs=["mean+median"])
    with pytest.raises(ValueError, match="no parameter output"):
        compare(data, frontends={"loud": Loud()}, outputs=["embedding"])


def test_a_pipeline_is_seeded_and_the_trained_mel_gives_its_embedding():
    data = (*clips(), None, halves(24))
    pipeline = make_pipeline(LeafTransformer(**TINY), StandardScaler())
    rows = compare(data, frontends={"pipeline": pipeline}, classifiers=["logreg"], seeds=2).rows
    assert [row.seed for row in rows] == [0, 1]
    mel = LeafTransformer("mel", **TINY)
    rows = compare(data, frontends={"mel": mel}, classifiers=["knn"], outputs=["functionals", "embedding"]).rows
    assert {row.output: row.n_features for row in rows} == {"functionals": 44, "embedding": 256}
    assert mel.output == "functionals"
    with pytest.raises(ValueError, match="output='frames', expected one row"):
        compare(data, frontends={"mel": MelTransformer(output="frames")})


def test_groups_reach_the_steps_of_a_pipeline(monkeypatch):
    X, y = clips()
    groups = np.arange(24) // 2
    seen = []
    fit = LeafTransformer.fit

    def listening(self, X, y=None, *, groups=None, **given):
        seen.append(groups)
        return fit(self, X, y, groups=groups, **given)

    monkeypatch.setattr(LeafTransformer, "fit", listening)
    pipeline = make_pipeline(LeafTransformer(**TINY), StandardScaler())
    compare((X, y, groups), frontends={"pipeline": pipeline}, classifiers=["knn"], seeds=1, cv=2)
    assert len(seen) == 2
    assert all(len(each) == 12 for each in seen)


def test_other_windows_of_the_same_files_are_other_data(tmp_path):
    files = []
    for place in range(4):
        files.append(str(tmp_path / f"{place}.wav"))
        soundfile.write(files[-1], np.random.default_rng(place).normal(0, 0.1, RATE), RATE)
    options = {"frontends": {"mel": MelTransformer(sample_rate=RATE, n_filters=4)}, "classifiers": ["knn"], "cv": 2}
    for segment_s in (0.3, 0.25):
        cut = Windower(segment_s=segment_s, hop_s=0.3).cut(files, y=[0, 1, 0, 1])
        if segment_s == 0.3:
            compare({"task": (cut.X, cut.y, cut.groups)}, **options, out=tmp_path / "results")
    with pytest.raises(ValueError, match="results of other clips"):
        compare({"task": (cut.X, cut.y, cut.groups)}, **options, out=tmp_path / "results")


@pytest.mark.parametrize(
    ("y", "groups", "split", "told"),
    [
        (np.repeat([0, 1, 0, 1], [17, 17, 13, 13]), np.repeat([0, 1, 2, 3], [17, 17, 13, 13]), None, "and test on 0"),
        (np.repeat([0, 1], 30), np.r_[np.zeros(30), np.tile([1, 2, 3], 10)], None, "30 clips of 1 class and"),
        (
            np.tile([0, 1], 30),
            None,
            np.tile(["train", "test"], 30),
            "fold 1 of 1 would train on 30 clips of 1 class and",
        ),
    ],
)
def test_folds_that_nothing_can_be_learned_from_are_refused_before_any_fit(y, groups, split, told):
    X = np.random.default_rng(0).normal(0, 0.1, (60, 400))
    with pytest.raises(ValueError, match=f"^data: .*{told}"):
        compare((X, y, groups, split), frontends=["mel"], classifiers=["logreg"])


def test_numpy_counts_of_seeds():
    X, y = clips()
    frontends = {"leaf": LeafTransformer(**TINY)}
    rows = compare((X, y), frontends=frontends, classifiers=["knn"], seeds=np.int64(2), cv=2).rows
    assert {row.seed for row in rows} == {0, 1}
