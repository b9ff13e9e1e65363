"""LeafTransformer as a scikit-learn user meets it; tiny clips at a low rate keep a fit under a second."""

import pickle
import signal

import joblib
import numpy as np
import pytest
import soundfile
import torch
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, RandomizedSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from leaf_sklearn import LeafTransformer, MelTransformer
from leaf_sklearn._training import trial
from leaf_sklearn._training.loop import Training

RATE = 4000


def make_clips(n_clips=24, n_times=800, seed=0):
    """Tones of two pitches in noise, labels 0 and 1."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_clips) % 2
    time = np.arange(n_times) / RATE
    tones = np.sin(2 * np.pi * (400 + 500 * y[:, None]) * time + rng.uniform(0, 6, (n_clips, 1)))
    return (0.3 * tones + 0.1 * rng.standard_normal((n_clips, n_times))).astype(np.float32), y


def small(**settings):
    defaults = {"sample_rate": RATE, "n_filters": 6, "max_steps": 4, "batch_size": 8, "random_state": 0}
    return LeafTransformer(**{**defaults, "compression_search": False, **settings})


@pytest.fixture(scope="module")
def clips():
    return make_clips()


@pytest.fixture(scope="module")
def fitted(clips):
    return small(max_steps=16).fit(*clips)


def test_features_are_functionals_of_the_frames(clips, fitted):
    X, _ = clips
    features = fitted.transform(X)
    frames = fitted.transform_frames(X)
    assert features.shape == (24, 66) and features.dtype == np.float32
    assert frames[0].shape == (20, 6)
    expected = [np.concatenate([f.mean(0), f.std(0), np.diff(f, axis=0).std(0)]) for f in frames]
    np.testing.assert_allclose(features[:, :18], expected, rtol=1e-4, atol=1e-6)


def test_fitted_attributes(clips, fitted):
    assert fitted.n_features_in_ == 800
    assert fitted.classes_.tolist() == [0, 1]
    assert fitted.n_iter_ == 16 and 1 <= fitted.best_step_ <= 16
    assert fitted.n_parameters_ == 7 * 6
    assert fitted.device_ == "cpu" or torch.cuda.is_available() or torch.backends.mps.is_available()
    for name in ("center_frequencies_", "bandwidths_", "initial_center_frequencies_", "initial_bandwidths_"):
        assert getattr(fitted, name).shape == (6,)
    assert (fitted.center_frequencies_ > 0).all() and (fitted.center_frequencies_ < RATE / 2).all()
    assert [entry["step"] for entry in fitted.history_] == list(range(17))
    assert all(parameter.device.type == "cpu" for parameter in fitted.frontend_.parameters())


def test_training_moves_every_parameter(clips, fitted):
    untrained = small().fit(clips[0])
    for (name, before), after in zip(
        untrained.frontend_.named_parameters(), fitted.frontend_.parameters(), strict=True
    ):
        assert (before != after).all(), name


def test_training_lowers_the_loss(clips):
    history = small(max_steps=96).fit(*clips).history_
    assert history[-1]["loss"] < 0.5 * history[1]["loss"]


def test_without_y_only_the_energy_scale_is_learned(clips):
    leaf = small().fit(clips[0])
    assert leaf.n_iter_ == 0 and leaf.classes_ is None
    np.testing.assert_array_equal(leaf.center_frequencies_, leaf.initial_center_frequencies_)
    assert leaf.history_[0]["picked_by"] == "fixed: compression_search=False"
    assert not torch.equal(leaf.frontend_.energy_scale, torch.ones(6))


def test_identical_fits_are_bit_equal(clips, fitted):
    again = small(max_steps=16).fit(*clips)
    np.testing.assert_array_equal(again.transform(clips[0]), fitted.transform(clips[0]))
    assert joblib.hash(again) == joblib.hash(fitted)
    other = small(max_steps=16, random_state=1).fit(*clips)
    assert joblib.hash(other) != joblib.hash(fitted)
    groups = np.repeat(np.arange(8), 3)
    searching = [small(compression_search=True, validation_fraction=0.5).fit(*clips, groups=groups) for _ in range(2)]
    assert joblib.hash(searching[0]) == joblib.hash(searching[1])
    assert searching[0].history_[0]["kept"] in ("start", "trained")


def test_fit_and_transform_leave_torch_s_global_generator_alone(clips):
    before = torch.random.get_rng_state()
    small().fit(*clips).transform(clips[0])
    assert torch.equal(before, torch.random.get_rng_state())


def test_pickle_and_deepcopy_keep_features_and_hold_no_torch_object(clips, fitted):
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.transform(clips[0]), fitted.transform(clips[0]))
    assert joblib.hash(restored) == joblib.hash(fitted)
    assert b"torch" not in pickle.dumps(fitted)


def test_a_clip_does_not_depend_on_its_batch(clips):
    rng = np.random.default_rng(1)
    ragged = [rng.standard_normal(n).astype(np.float32) for n in (900, 40, 3, 2000, 401, 777, 1)]
    leaf = small(output="embedding").fit(*clips)
    for output in ("functionals", "embedding"):
        leaf.set_params(output=output)
        together = leaf.transform(ragged)
        np.testing.assert_allclose(together[::-1], leaf.transform(ragged[::-1]), rtol=1e-7, atol=1e-7)
        alone = np.concatenate([leaf.transform([clip]) for clip in ragged])
        np.testing.assert_allclose(together, alone, rtol=2e-6, atol=2e-6)


def test_one_list_of_equal_clips_equals_the_array(clips, fitted):
    X, _ = clips
    np.testing.assert_array_equal(fitted.transform(list(X)), fitted.transform(X))


def test_float64_in_float64_out(clips, fitted):
    X, _ = clips
    doubles = fitted.transform(X.astype(np.float64))
    assert doubles.dtype == np.float64
    np.testing.assert_allclose(doubles, fitted.transform(X), rtol=1e-6)


@pytest.mark.parametrize("output", ["functionals", "frames", "embedding"])
def test_one_name_a_feature(clips, output):
    leaf = small(output=output).fit(*clips)
    names = leaf.get_feature_names_out()
    assert len(names) == len(set(names)) == leaf.transform(clips[0]).shape[1]


def test_names_tell_filter_frequency_and_functional(fitted):
    hertz = round(fitted.center_frequencies_[2])
    assert fitted.get_feature_names_out()[2] == f"leaf_002_{hertz}hz_mean"
    assert fitted.get_feature_names_out()[8] == f"leaf_002_{hertz}hz_std"


def test_frames_need_one_length(clips):
    leaf = small(output="frames").fit(*clips)
    assert leaf.transform(clips[0]).shape == (24, 20 * 6)
    with pytest.raises(ValueError, match="clips of one length"):
        leaf.transform([np.ones(800), np.ones(1200)])


def test_what_is_set_after_fit_is_honoured_or_refused(clips, fitted, tmp_path):
    X, _ = clips
    files = [str(tmp_path / f"{number}.wav") for number in range(4)]
    for path, clip in zip(files, X, strict=False):
        soundfile.write(path, clip, RATE, subtype="FLOAT")
    other = pickle.loads(pickle.dumps(fitted)).set_params(sample_rate=RATE // 2)
    np.testing.assert_array_equal(other.transform(files), fitted.transform(files), "the fitted frontend has its rate")
    np.testing.assert_array_equal(other.transform_frames(files)[0], fitted.transform_frames(files)[0])
    mel = MelTransformer(sample_rate=RATE, n_filters=4).fit(X)
    for model, output in ((other, "frame"), (mel, "embedding")):
        model.set_params(output=output)
        for method in (lambda model=model: model.transform(X), model.get_feature_names_out):
            with pytest.raises(ValueError, match=f"Got output='{output}', expected one of .'functionals', 'frames'"):
                method()


def test_embedding_needs_an_encoder(clips):
    leaf = small().fit(clips[0]).set_params(output="embedding")
    with pytest.raises(ValueError, match="needs a trained encoder"):
        leaf.transform(clips[0])


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


def test_validation_clips_of_one_s_own(clips):
    X, y = clips
    val = make_clips(8, seed=3)
    leaf = small(max_steps=64).fit(X, y, X_val=val[0], y_val=val[1])
    assert leaf.history_[-1]["score"] in [correct / 8 for correct in range(9)]
    with pytest.raises(ValueError, match="one of X_val and y_val only"):
        small().fit(X, y, X_val=val[0])
    with pytest.raises(ValueError, match="but no y"):
        small().fit(X, X_val=val[0], y_val=val[1])
    with pytest.raises(ValueError, match="among the classes"):
        small().fit(X, y, X_val=val[0], y_val=val[1] + 5)


@pytest.mark.parametrize("settings", [{"frontend": "sincnet"}, {"compression": "log"}])
def test_without_pcen_the_history_says_why_nothing_was_searched(clips, settings):
    notes = small(compression_search=True, **settings).fit(*clips).history_[0]
    assert notes["picked_by"] == "fixed: this frontend has no PCEN"


def test_all_clips_train_where_nothing_is_held_out(clips):
    leaf = small(validation_fraction=None).fit(*clips)
    assert all(entry["score"] is None for entry in leaf.history_[1:])
    assert leaf.best_step_ == leaf.n_iter_ == 4


def test_too_few_clips_to_hold_out_are_said_in_the_history():
    notes = small().fit(*make_clips(40)).history_[0]
    assert "10" in notes["validation"] and "is 4, too few" in notes["validation"]
    assert (notes["kept"], notes["judged"]) == ("trained", "no: no clips were held out")


def test_the_best_state_of_the_paper_s_recipe_is_kept(clips, monkeypatch):
    scores = iter([0.1, 0.9, 0.5, 0.5])
    monkeypatch.setattr(Training, "evaluate", lambda self: next(scores))
    leaf = small(recipe="paper", validation_fraction=0.5).fit(*clips)
    assert leaf.best_step_ == 2
    scores = iter([0.1, 0.9])
    stopped = small(recipe="paper", validation_fraction=0.5).set_callbacks(StopAfter(2)).fit(*clips)
    np.testing.assert_array_equal(stopped.transform(clips[0]), leaf.transform(clips[0]))


@pytest.mark.parametrize(("trained", "kept"), [(0.2, "start"), (0.45, "trained"), (0.9, "trained")])
def test_training_that_did_harm_is_undone(monkeypatch, trained, kept):
    """Scores of 12 held-out clips: half right at the start; worse by less than a standard error is no harm."""
    X, y = make_clips(60)
    right = iter([np.arange(12) < 6, np.arange(12) < round(12 * trained)])
    monkeypatch.setattr(trial, "clip_scores", lambda *args: next(right).astype(float))
    leaf = small(max_steps=8, validation_fraction=0.2).fit(X, y)
    notes = leaf.history_[0]
    assert notes["kept"] == kept and notes["held_out_clips"] == 12 and notes["held_out_start"] == 0.5
    moved = leaf.center_shifts_ != 0
    assert moved.all() if kept == "trained" else not moved.any()
    assert leaf.best_step_ == (8 if kept == "trained" else 0)
    untrained = small().fit(X)
    same = np.array_equal(leaf.bandwidth_ratios_, untrained.bandwidth_ratios_)
    assert same == (kept == "start")
    assert np.isfinite(leaf.set_params(output="embedding").transform(X)).all()


def test_the_search_takes_starts_of_one_s_own(clips):
    leaf = small(compression_search=[(0.3, 0.1, 3.0)]).fit(*clips)
    assert leaf.history_[0]["start"] == {"alpha": 0.3, "delta": 0.1, "root": 3.0, "smooth": 0.04}
    for rows in ([(0.3, 0.1)], [(1.5, 0.1, 3.0)], [], [(0.3, 0.1, 0.5)]):
        with pytest.raises(ValueError, match="compression_search"):
            small(compression_search=rows).fit(*clips)


class StopAfter:
    """Callback that stops after some rounds, and counts what it saw."""

    def __init__(self, n_rounds):
        self.n_rounds, self.begun, self.ended = n_rounds, 0, 0

    def setup(self, estimator, context):
        self.torn_down = False

    def teardown(self, estimator, context):
        self.torn_down = True

    def on_fit_task_begin(self, estimator, context):
        self.begun += context.parent is not None

    def on_fit_task_end(self, estimator, context):
        self.ended += context.parent is not None
        return self.ended >= self.n_rounds


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


def test_verbose_prints_a_line_an_evaluation(clips, capsys):
    small(verbose=1).fit(*clips)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and lines[0].startswith("step 1/4  loss ")


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


def test_the_paper_s_recipe_keeps_the_reference_s_start(clips):
    leaf = small(recipe="paper", validation_fraction=0.5).fit(*clips)
    assert leaf.history_[0] == {"step": 0, "start": "the reference's"}
    assert not bool(leaf.frontend_.energy_scaled)
    torch.testing.assert_close(leaf.frontend_.compression.delta, torch.full((6,), 2.0), rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    "y",
    [
        np.random.default_rng(0).normal(size=24),
        np.random.default_rng(0).integers(0, 2, (24, 3)),
        np.stack([np.arange(24) % 3, np.where(np.arange(24) < 12, np.arange(24) % 2, -1)], 1),
        np.array(["low", "high"] * 12),
    ],
    ids=["regression", "multilabel", "multitask", "strings"],
)
def test_every_kind_of_y_trains(clips, y):
    leaf = small(compression_search=True).fit(clips[0], y)
    assert leaf.n_iter_ == 4 and np.isfinite(leaf.transform(clips[0])).all()
    single = y.ndim == 1 and y.dtype.kind != "f"
    assert leaf.history_[0]["picked_by"].startswith("cross-validation" if single else "fixed: a ")


def test_sample_weights_matter(clips):
    X, y = clips
    weights = np.where(np.arange(24) < 4, 5.0, 0.5)
    weighted = small().fit(X, y, sample_weight=weights)
    assert not np.array_equal(weighted.transform(X), small().fit(X, y).transform(X))
    np.testing.assert_array_equal(
        small().fit(X, y, sample_weight=np.full(24, 3.0)).transform(X), small().fit(X, y).transform(X)
    )


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


@pytest.fixture
def recordings(tmp_path, clips):
    """The clips as wav files at twice the rate, half of them stereo."""
    X, y = clips
    paths = []
    for number, clip in enumerate(X):
        doubled = np.repeat(clip, 2)
        samples = np.stack([doubled, doubled], 1) if number % 2 else doubled
        paths.append(tmp_path / f"{number:02d}.wav")
        soundfile.write(paths[-1], samples, 2 * RATE)
    return paths, y


def test_files_are_mixed_down_and_resampled(recordings, fitted, clips):
    paths, y = recordings
    leaf = small(max_steps=16).fit(paths, y)
    features = leaf.transform([str(path) for path in paths])
    assert features.shape == (24, 66) and np.isfinite(features).all()
    assert not hasattr(leaf, "n_features_in_")
    # the way through a file changes little
    np.testing.assert_allclose(fitted.transform(paths)[:, :6], fitted.transform(clips[0])[:, :6], atol=0.1)


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


def test_a_floor_under_the_logarithm_is_a_share_of_each_band_s_mean(clips):
    X = clips[0]
    settings = {"sample_rate": RATE, "n_filters": 6}
    energies = [np.exp(frames) - 1e-5 for frames in MelTransformer(**settings).fit(X).transform_frames(X)]
    means = np.concatenate(energies).mean(0)
    floored = MelTransformer(floor=1e-2, **settings).fit(X).transform_frames(X)
    expected = [np.log(frames / (1e-2 * means) + 1) + np.log(2e-5) for frames in energies]
    np.testing.assert_allclose(floored, expected, rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="floor"):
        MelTransformer(floor=1e-2, compression="root", **settings).fit(X)
