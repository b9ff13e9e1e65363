import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from small_clips import make_clips, small

from leaf_sklearn import LeafClassifier
from leaf_sklearn._classifier import window_starts


@pytest.fixture(scope="module")
def clips():
    return make_clips()


@pytest.fixture(scope="module")
def fitted(clips):
    return LeafClassifier(small(max_steps=48)).fit(*clips)


def test_classifies(clips, fitted):
    X, y = clips
    unseen = make_clips(seed=5)
    assert fitted.score(X, y) == 1.0 and fitted.score(*unseen) > 0.9
    probabilities = fitted.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(fitted.classes_[probabilities.argmax(1)], fitted.predict(X))
    np.testing.assert_array_equal(fitted.decision_function(X) > 0, fitted.predict(X) == 1)


def test_a_frontend_without_parameters_is_trained_too(clips):
    classifier = LeafClassifier(small(frontend="mel", max_steps=48)).fit(*clips)
    assert classifier.score(*clips) > 0.9
    assert classifier.transformer_.output == "functionals"


def test_windows_equal_the_mean_of_their_outputs(clips):
    X, y = clips
    classifier = LeafClassifier(small(crop_ms=50.0)).fit(list(X), y)
    windows = [classifier.decision_function(list(X[:, start : start + 200])) for start in (0, 200, 400, 600)]
    np.testing.assert_allclose(classifier.decision_function(list(X)), np.mean(windows, 0), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("n_times", "crop", "starts"), [(5, 10, [0]), (10, 10, [0]), (11, 10, [0, 1]), (25, 10, [0, 8, 15])]
)
def test_windows_cover_a_clip(n_times, crop, starts):
    assert window_starts(n_times, crop) == starts


def test_multilabel(clips):
    X, y = clips
    labels = np.stack([y, 1 - y, np.arange(24) % 3 == 0], 1).astype(int)
    classifier = LeafClassifier(small(max_steps=48)).fit(X, labels)
    assert classifier.predict(X).shape == labels.shape and set(np.unique(classifier.predict(X))) <= {0, 1}
    probabilities = classifier.predict_proba(X)
    np.testing.assert_array_equal(probabilities > 0.5, classifier.predict(X) == 1)
    assert (classifier.predict(X)[:, :2] == labels[:, :2]).mean() > 0.9


def test_several_tasks_with_missing_labels(clips):
    X, y = clips
    names = np.array(["low", "high"], dtype=object)[y]
    tasks = np.stack([names, np.where(np.arange(24) < 12, names, None)], axis=1)
    classifier = LeafClassifier(small(max_steps=48)).fit(X, tasks)
    assert [classes.tolist() for classes in classifier.classes_] == [["high", "low"]] * 2
    first, second = classifier.predict_proba(X)
    assert first.shape == second.shape == (24, 2)
    assert classifier.score(X, tasks) > 0.9
    assert (classifier.predict(X)[:, 1] == names).mean() > 0.9
    with pytest.raises(ValueError, match="no label that fit has seen"):
        classifier.score(X, np.full_like(tasks, None))
    with pytest.raises(ValueError, match=": a column for each task of fit"):
        classifier.score(X, tasks[:, 0])


def test_transformer_settings_are_searchable(clips):
    search = GridSearchCV(LeafClassifier(small()), {"transformer__n_filters": [4, 6]}, cv=2, error_score="raise")
    assert search.fit(*clips).best_estimator_.transformer_.n_filters in (4, 6)


def test_what_cannot_be_classified_is_refused(clips):
    X, y = clips
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        LeafClassifier(small()).fit(X, y + 0.5 * np.arange(24))
    with pytest.raises(ValueError, match="requires y"):
        LeafClassifier(small()).fit(X, None)


def test_numbers_are_no_classes(clips):
    X, y = clips
    numbers = np.random.default_rng(0).normal(size=(len(y), 2))
    with pytest.raises(ValueError, match="continuous-multioutput"):
        LeafClassifier(small()).fit(X, numbers)


def test_what_fit_takes_as_labels_score_takes_too(clips):
    X, y = clips
    labels = np.stack([y == 0, y == 1, np.arange(24) % 3 == 0], 1)
    for values in (y.astype(object), y.astype(bool).astype(object), labels.astype(object)):
        classifier = LeafClassifier(small(max_steps=2)).fit(X, values)
        assert 0 <= classifier.score(X, values) <= 1
