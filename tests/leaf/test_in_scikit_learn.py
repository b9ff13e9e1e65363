"""The estimator among scikit-learn's tools: pipelines, searches, clones, callbacks, interruptions."""

import pickle
import signal

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, RandomizedSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from small_clips import StopAfter, make_clips, small


def test_pickle_and_deepcopy_keep_features_and_hold_no_torch_object(clips, fitted):
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.transform(clips[0]), fitted.transform(clips[0]))
    assert joblib.hash(restored) == joblib.hash(fitted)
    assert b"torch" not in pickle.dumps(fitted)


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output(clips, container):
    pytest.importorskip(container)
    leaf = small().set_output(transform=container).fit(*clips)
    frame = leaf.transform(clips[0])
    assert type(frame).__module__.startswith(container)
    assert list(frame.columns) == leaf.get_feature_names_out().tolist()


def test_pipeline_classifies(clips):
    X, y = clips
    unseen = make_clips(seed=5)
    pipeline = Pipeline([("features", small(max_steps=16)), ("scale", StandardScaler()), ("clf", SVC())]).fit(X, y)
    assert pipeline.score(*unseen) > 0.9
    assert cross_val_score(pipeline, X, y, cv=3).mean() > 0.9


def test_grid_search_in_two_processes(clips):
    X, y = clips
    pipeline = make_pipeline(small(max_steps=2), StandardScaler(), LogisticRegression())
    grid = {
        "leaftransformer__frontend": ["leaf", "mel"],
        "leaftransformer__compression": ["auto", "log"],
        "leaftransformer__n_filters": [4, 6],
    }
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 8 and search.best_score_ > 0.5
    lists = RandomizedSearchCV(pipeline, grid, n_iter=2, cv=2, random_state=0, error_score="raise").fit(
        list(X), list(y)
    )
    assert np.isfinite(lists.cv_results_["mean_test_score"]).all()


def test_groups_reach_splits_and_fit(clips):
    X, y = clips
    groups = np.repeat(np.arange(6), 4)
    search = GridSearchCV(make_pipeline(small(), SVC()), {"leaftransformer__n_filters": [4, 6]}, cv=GroupKFold(3))
    assert np.isfinite(search.fit(X, y, groups=groups).best_score_)
    leaf = small(validation_fraction=0.3, compression_search=True).fit(X, y, groups=groups)
    assert leaf.history_[0]["picked_by"] == "cross-validation"


def test_pipeline_memory_trains_once(clips, tmp_path):
    X, y = clips
    steps = [("features", small()), ("clf", SVC())]
    pipeline = Pipeline(steps, memory=joblib.Memory(tmp_path, verbose=0))
    GridSearchCV(pipeline, {"clf__C": [0.1, 1.0, 10.0]}, cv=2).fit(X, y)
    stored = list(tmp_path.rglob("output.pkl"))
    assert len(stored) == 3, "two folds and the refit, whatever the number of classifier settings"


def test_clone_and_params(fitted):
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        copy.transform(np.zeros((2, 800)))


def test_a_callback_may_stop_early(clips):
    callback = StopAfter(2)
    leaf = small(max_steps=8).set_callbacks(callback).fit(*clips)
    assert leaf.n_iter_ == 2 and len(leaf.history_) == 3
    assert callback.begun == callback.ended == 2 and callback.torn_down


def test_progress_bar_through_pipeline_and_grid_search(clips, capsys):
    pytest.importorskip("rich")
    pipeline = make_pipeline(small(), LogisticRegression())
    search = GridSearchCV(pipeline, {"logisticregression__C": [1.0, 2.0]}, cv=2, n_jobs=2)
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(*clips)
    assert "LeafTransformer" in capsys.readouterr().out


def test_a_monitor_sees_a_working_estimator_each_round(clips):
    X, y = clips
    seen = []

    class Probe(StopAfter):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            if context.parent is not None:
                seen.append((fitted_estimator.n_iter_, fitted_estimator.transform(X[:2])))

    small().set_callbacks(Probe(9)).fit(X, y)
    assert [steps for steps, _ in seen] == [1, 2, 3, 4]
    assert not np.array_equal(seen[0][1], seen[-1][1])
    monitor = ScoringMonitor(scoring={"level": lambda estimator, X, y: float(estimator.transform(X).mean())})
    small().set_callbacks(monitor).fit(X, y)
    assert monitor.get_logs()


def test_ctrl_c_leaves_the_estimator_as_it_was(clips):
    X, y = clips

    class Interrupt(StopAfter):
        def on_fit_task_end(self, estimator, context):
            signal.raise_signal(signal.SIGINT)

    leaf = small().fit(X, y)
    features = leaf.transform(X)
    callback = Interrupt(1)
    leaf.set_callbacks(callback)
    before = dict(vars(leaf))
    # a shell that runs the tests in the background lets them ignore the signal
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            leaf.fit(X[:12, :500], y[:12])
    finally:
        signal.signal(signal.SIGINT, inherited)
    assert vars(leaf) == before and callback.torn_down
    np.testing.assert_array_equal(leaf.transform(X), features)


def test_a_fit_that_fails_leaves_no_half_fitted_attribute(clips):
    X, y = clips
    leaf = small(learning_rate=1e30)
    before = dict(vars(leaf))
    with pytest.raises(FloatingPointError, match=r"step \d+ of 4; lower learning_rate"):
        leaf.fit(X * 1e3, y)
    assert vars(leaf) == before
