"""What the subcommands of ``leaf-sklearn`` do with their arguments."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from .._files import check_writable_place, replacing
from .._persistence import load_model, writer_of_tensors
from ..compare._compare import compare
from ..compare._jobs import make_transformer, score_on
from ..compare._results import ResultsFile
from ..compare._tables import HEADINGS
from ..compare._tasks import SPLITS, load_data
from ..corpus import transform_corpus
from ..corpus._store import ERRORS
from ..datasets import make_audio_classification
from ..display import FilterbankDisplay
from ..display._figures import save_display
from ._backend import workers
from ._feature_files import check_table_place, expand_files, is_folder, write_features
from ._pace import CorpusDisplay
from ._progress import progress_display

TRANSFORMER_OPTIONS = ("n_filters", "max_steps", "sample_rate", "device")
DEMO_TRAIN, DEMO_TEST, DEMO_STEPS, DEMO_JOBS = 160, 240, 80, 2
DEMO: dict[str, Any] = {"n_classes": 8, "difficulty": 0.5}
SAFE_ENDING = ".safetensors"
CORPUS_OPTIONS = ("segment", "hop", "on_error", "n_jobs", "backend", "scheduler")
CHUNK = 256
"""Files transformed between two signs of life."""


def compare_command(arguments: Namespace) -> None:
    """Compare frontends on data sets."""
    with workers(arguments) as n_jobs:
        _compare(
            arguments.data,
            arguments.out,
            transformer_params=_transformer_params(arguments),
            frontends=arguments.frontends,
            classifiers=arguments.classifiers,
            seeds=arguments.seeds,
            outputs=arguments.outputs,
            cv=arguments.cv,
            label=arguments.label,
            multitask=arguments.multitask,
            n_jobs=n_jobs,
            keep_models=arguments.keep_models,
        )


def demo_command(arguments: Namespace) -> None:
    """Compare mel with leaf on synthetic clips and draw the filters that were learned."""
    X, y = make_audio_classification(DEMO_TRAIN + DEMO_TEST, random_state=0, **DEMO)
    split = np.where(np.arange(len(y)) < DEMO_TRAIN, "train", "test")
    sys.stdout.write(
        f"{len(y)} synthetic clips of {y.max() + 1} classes, {DEMO_TRAIN} to train on and {DEMO_TEST} to test with.\n"
    )
    folder = Path(arguments.out)
    data = {"demo": (X, y, None, split)}
    _compare(data, folder, seeds=2, transformer_params={"max_steps": DEMO_STEPS}, n_jobs=DEMO_JOBS, keep_models=True)
    models = sorted((folder / "models").glob("demo-leaf-*.joblib"))
    if models:
        save_display(FilterbankDisplay.of(joblib.load(models[0])), folder / "filters.png")
        sys.stdout.write(f"The filters that LEAF learned: {folder / 'filters.png'}\n")


def fit_command(arguments: Namespace) -> None:
    """Fit one frontend and save it."""
    place = check_writable_place(arguments.out)
    if place.suffix == SAFE_ENDING:
        writer_of_tensors()  # an extra that is missing is told before the training
    data = load_data(arguments.data, arguments.label)
    transformer: Any = make_transformer(arguments.frontend, _transformer_params(arguments))
    train, test = _split(arguments.data, data)
    learns = "random_state" in transformer.get_params()
    if learns:
        transformer.set_params(random_state=arguments.seed, verbose=1)
    groups = {"groups": data.groups[train]} if learns and data.groups is not None else {}
    transformer.fit(data.filenames[train], data.target[train], **groups)
    if place.suffix == SAFE_ENDING:
        transformer.save(place)
    else:
        with replacing(place) as temporary:
            joblib.dump(transformer, temporary)
    try:
        if len(test):
            order = np.concatenate([train, test])
            features = transformer.transform(data.filenames[order])
            scores = score_on("logreg", arguments.seed, features, data.target[train], data.target[test])
            told = ", ".join(f"{HEADINGS[name]} {score:.3f}" for name, score in scores.items() if name in HEADINGS)
            sys.stdout.write(f"Logistic regression on the features of the {len(test)} test clips: {told}\n")
        elif learns:
            sys.stdout.write(_describe_score(transformer) + "\n")
    finally:  # an interruption leaves the model
        sys.stdout.write(f"Saved {place}\n")


def _split(place: str, data: Any) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Clips to train on and to test with; ValueError where they cannot be."""
    split = np.full(len(data.filenames), "train") if data.split is None else data.split
    train, test = np.flatnonzero(split != "test"), np.flatnonzero(split == "test")
    found = sorted(set(split.tolist()))
    if not set(found) <= set(SPLITS) or not len(train):
        raise ValueError(
            f"{place}: split holds {found}, expected 'train' (and 'valid'), and 'test' where there is one."
        )
    if len(test) and data.target.ndim == 1 and len(classes := np.unique(data.target[train])) < 2:
        raise ValueError(f"{place}: all training clips are of the class {data.target_names[classes[0]]!r}.")
    return train, test


def transform_command(arguments: Namespace) -> None:
    """Write the features of files by a saved model, into a table or a folder."""
    if is_folder(arguments.out):
        _transform_corpus(arguments)
        return
    if unused := [name for name in CORPUS_OPTIONS if getattr(arguments, name) not in (None, "stop", "loky")]:
        shown = ", ".join("--" + name.replace("_", "-") for name in unused)
        raise ValueError(f"{shown}: for a corpus, whose --out is a folder; got the table {arguments.out}.")
    place = check_table_place(arguments.out)
    model = read_model(arguments.model)
    files = expand_files(arguments.files)
    chunks = []
    for start in range(0, len(files), CHUNK):
        chunks.append(np.asarray(model.transform(files[start : start + CHUNK])))
        if len(files) > CHUNK:
            sys.stderr.write(f"{min(start + CHUNK, len(files))} of {len(files)} files\n")
    features = np.concatenate(chunks)
    write_features(place, files, [str(name) for name in model.get_feature_names_out()], features)
    sys.stdout.write(f"Saved {place}: {features.shape[0]} files, {features.shape[1]} features\n")


def _transform_corpus(arguments: Namespace) -> None:
    model = read_model(arguments.model)
    with workers(arguments) as n_jobs:
        result = transform_corpus(
            model,
            arguments.files,
            arguments.out,
            segment_s=arguments.segment,
            hop_s=arguments.hop,
            on_error="raise" if arguments.on_error == "stop" else arguments.on_error,
            threads=arguments.threads,
            n_jobs=n_jobs,
            progress=CorpusDisplay(sys.stderr),
        )
    bad = f"; {result.n_bad} bad, listed in {Path(arguments.out) / ERRORS}" if result.n_bad else ""
    sys.stdout.write(f"Saved {arguments.out}: {result.n_files} files, {result.n_rows} rows{bad}\n")


def describe_kept(arguments: Namespace) -> str:
    """Say what an interrupted command leaves behind."""
    if arguments.command == "transform" and is_folder(arguments.out):
        return f"what was written to {arguments.out} is kept; the same command goes on from there"
    if arguments.command not in ("compare", "demo"):
        return "nothing was written but what is told above"
    place = Path(arguments.out) / "results.csv"
    try:
        n_rows = len(ResultsFile(place).read())
    except ValueError:  # a file of another kind, which the command was about to refuse
        n_rows = 0
    if not n_rows:
        return "there are no results yet"
    return f"{n_rows} results are kept in {place}; the same command goes on from there"


def _compare(data: Any, out: str | Path, **options: Any) -> None:
    folder = Path(out)
    with progress_display(sys.stderr) as progress:
        result = compare(data, out=folder, progress=progress, **options)
    sys.stdout.write("\n" + result.to_markdown() + "\n")
    for what, name in (
        ("Results", "results.csv"),
        ("Table", "results.md"),
        ("Chart", "comparison.png"),
        ("Report", "report.html"),
    ):
        if (folder / name).exists():
            sys.stdout.write(f"{what}: {folder / name}\n")


def _transformer_params(arguments: Namespace) -> dict[str, Any]:
    given = {name: getattr(arguments, name, None) for name in TRANSFORMER_OPTIONS}
    return {name: value for name, value in given.items() if value is not None}


def _describe_score(transformer: Any) -> str:
    """Say the score of the clips that fit held out, at the step whose state was kept."""
    start = transformer.history_[0]
    if start.get("kept") == "start":
        scores = f"{start['held_out_start']:.3f} before the training, {start['held_out_trained']:.3f} after it"
        return f"Held-out clips, score: {scores}. The start was kept."
    kept = [entry for entry in transformer.history_ if entry["step"] == transformer.best_step_]
    score = kept[-1].get("score") if kept else None
    if score is None or not np.isfinite(score):
        reason = start.get("validation", "").removeprefix("none: ")
        return "No clips were held out to score the training" + (f": {reason}." if reason else ".")
    what = "accuracy" if transformer.classes_ is not None and score >= 0 else "score"
    return f"Held-out clips, {what} at step {transformer.best_step_}: {score:.3f}"


def read_model(path: str) -> Any:
    """Read a model that `leaf-sklearn fit` wrote."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no model file {path}.")
    if Path(path).suffix == SAFE_ENDING:
        model = load_model(path)
        if not hasattr(model, "transform"):
            raise ValueError(f"{path} holds a {type(model).__name__}, expected a transformer.")
        return model
    try:
        model = joblib.load(path)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path} cannot be read as a model, expected one of leaf-sklearn fit ({reason}).") from error
    if not (hasattr(model, "transform") and hasattr(model, "get_feature_names_out")):
        raise ValueError(f"{path} holds a {type(model).__name__}, expected a transformer saved by leaf-sklearn fit.")
    return model
