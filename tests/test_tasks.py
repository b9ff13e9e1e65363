"""The main job on real recordings: paths in, a Pipeline out."""

import numpy as np
import pytest
import soundfile
import torch
from helpers import TASKS, needs_tasks
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from leaf_sklearn import LeafTransformer, MelTransformer
from leaf_sklearn.datasets import load_audio_files
from leaf_sklearn.frontends import make_frontend

SINGLE_LABEL = [
    "keywords",
    "speaker_id",
    "emotion",
    "birdsong_detection",
    "environment",
    "music_notes",
    "music_notes/metadata_pitch.csv",
    "language",
]
pytestmark = needs_tasks


def load(task, most=None):
    """Paths, labels and groups of training (train + valid) and test clips; ``most`` thins both out."""
    data = load_audio_files(TASKS / task)
    paths, groups, test = np.array(data.filenames), np.array(data.groups), np.array(data.split) == "test"
    train, test = np.flatnonzero(~test), np.flatnonzero(test)
    if most is not None:
        rng = np.random.default_rng(0)
        train, test = rng.permutation(train)[:most], rng.permutation(test)[:most]
    return paths[train], data.target[train], groups[train], paths[test], data.target[test]


@pytest.mark.parametrize(
    "task", [SINGLE_LABEL[0], *(pytest.param(task, marks=pytest.mark.slow) for task in SINGLE_LABEL[1:])]
)
def test_pipeline_on_paths_beats_guessing(task):
    X, y, _, X_test, y_test = load(task, most=160)
    pipeline = Pipeline(
        [
            ("features", LeafTransformer(max_steps=20, batch_size=16, compression_search=False, random_state=0)),
            ("scale", StandardScaler()),
            ("clf", SVC(C=10)),
        ]
    )
    pipeline.fit(X, y)
    features = pipeline[:-1].transform(X_test)
    assert features.shape == (len(X_test), 440) and np.isfinite(features).all()
    most_frequent = np.bincount(y_test).max() / len(y_test)
    assert pipeline.score(X_test, y_test) > most_frequent


@pytest.mark.slow
def test_mel_reaches_the_published_baseline_and_leaf_passes_mel():
    """keywords, train + valid -> test: 0.60 with mean and std, about 0.67 with the steps' too, more when learned."""
    X, y, _, X_test, y_test = load("keywords")

    def score(transformer):
        pipeline = make_pipeline(transformer, StandardScaler(), LogisticRegression(max_iter=2000))
        return pipeline.fit(X, y).score(X_test, y_test)

    two = score(MelTransformer(functionals=("mean", "std")))
    statistics = ("mean", "std", "delta_std")
    three = score(MelTransformer(functionals=statistics))
    assert two == pytest.approx(0.60, abs=0.02)
    assert three == pytest.approx(0.67, abs=0.02)
    assert score(LeafTransformer(functionals=statistics, random_state=0)) > three + 0.05


@pytest.mark.slow
def test_fast_features_of_a_trained_frontend_are_the_convolution_s():
    X, y, _, _, _ = load("keywords", most=200)
    leaf = LeafTransformer(max_steps=96, random_state=0).fit(X, y)
    assert leaf.bandwidth_ratios_.max() > 1.2
    direct = make_frontend("leaf", algorithm="direct").double()
    direct.load_state_dict(leaf.frontend_.state_dict())
    for task in SINGLE_LABEL:
        paths = load(task, most=2)[0]
        for path, fast in zip(paths, leaf.transform_frames(list(paths)), strict=True):
            clip = torch.from_numpy(soundfile.read(path, dtype="float64")[0])
            with torch.no_grad():
                exact = direct(clip[None])[0].T
            assert np.abs(fast - exact.numpy()).max() <= 2e-3, path
