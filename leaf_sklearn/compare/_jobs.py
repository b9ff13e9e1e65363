"""One job of a comparison: fit a frontend, make features, score classifiers on them."""

import inspect
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.validation import has_fit_parameter

from .._files import replacing
from .._leaf import LeafTransformer
from .._mel import MelTransformer
from ..frontends import PRESETS
from ._metrics import score_classifier
from ._results import Row
from ._tasks import Task, join_tasks, take

CLASSIFIERS: dict[str, BaseEstimator] = {
    "logreg": LogisticRegression(C=1.0, max_iter=5000),
    "svc": SVC(C=10.0),
    "knn": KNeighborsClassifier(),
    "forest": RandomForestClassifier(n_estimators=300),
}
DETERMINISTIC = {"logreg", "svc", "knn"}


@dataclass(frozen=True)
class Frontend:
    """An unfitted transformer under the name that it has in the table."""

    name: str
    transformer: BaseEstimator
    described: str | None = None

    @property
    def is_seeded(self) -> bool:
        """Whether fits differ by seed."""
        return "random_state" in self.transformer.get_params()

    def with_seed(self, seed: int) -> Any:
        """Return a copy to fit."""
        transformer = clone(self.transformer)
        return transformer.set_params(random_state=seed) if self.is_seeded else transformer


def named_frontends(
    frontends: Sequence[str] | Mapping[str, BaseEstimator], parameters: Mapping[str, Any]
) -> dict[str, Frontend]:
    """Frontends by name: names stand for presets with these parameters, a mapping holds transformers."""
    if isinstance(frontends, Mapping):
        if parameters:
            raise ValueError("transformer_params are for named frontends; set them in the mapping's own.")
        return {name: Frontend(name, each, repr(each)) for name, each in frontends.items()}
    if isinstance(frontends, str):
        raise ValueError(f"Got frontends={frontends!r}, expected a list of names.")
    known = [name for name in inspect.signature(LeafTransformer).parameters if name not in ("frontend", "random_state")]
    if unknown := [name for name in parameters if name not in known]:
        raise ValueError(f"Got transformer_params {unknown}, expected some of {known}.")
    return {name: Frontend(name, make_transformer(name, parameters)) for name in dict.fromkeys(frontends)}


def make_transformer(name: str, parameters: Mapping[str, Any]) -> BaseEstimator:
    """Make the transformer of a frontend: "mel" is the plain baseline and takes the parameters that it has."""
    if name not in PRESETS:
        raise ValueError(f"Got frontend={name!r}, expected one of {list(PRESETS)}.")
    if name == "mel":
        own = inspect.signature(MelTransformer).parameters
        return MelTransformer(**{key: value for key, value in parameters.items() if key in own})
    return LeafTransformer(name, **parameters)


@dataclass(frozen=True)
class Job:
    """Fit one frontend on one fold of a task, or of several together, and score classifiers on its features."""

    tasks: list[Task]
    frontend: Frontend
    seed: int
    fold: int
    wanted: list[tuple[str, str, int]]  # task, classifier, seed
    settings: str
    models: Path | None

    @property
    def model_file(self) -> Path | None:
        """Where the fitted transformer is kept."""
        name = "+".join(task.name for task in self.tasks) if len(self.tasks) < 4 else f"{len(self.tasks)} tasks"
        words = f"{name}-{self.frontend.name}-seed{self.seed}-fold{self.fold}.joblib"
        return None if self.models is None else self.models / words.replace("/", "_").replace(":", "_")


def run_job(job: Job) -> list[Row]:
    """Do a job; one row a task, classifier and seed wanted."""
    transformer = job.frontend.with_seed(job.seed)
    X, y, groups = _training_clips(job)
    given = {"groups": groups} if groups is not None and has_fit_parameter(transformer, "groups") else {}
    started = time.perf_counter()
    transformer.fit(X, y, **given)
    fit_seconds = time.perf_counter() - started
    if job.model_file is not None:
        with replacing(job.model_file) as temporary:
            joblib.dump(transformer, temporary)
    rows = []
    for task in job.tasks:
        wanted = [(classifier, seed) for name, classifier, seed in job.wanted if name == task.name]
        if wanted:
            train, test = task.folds[job.fold]
            started = time.perf_counter()
            features = np.asarray(transformer.transform(take(task.X, np.concatenate([train, test]))), dtype=np.float64)
            transform_seconds = time.perf_counter() - started
            for classifier, seed in wanted:
                scores = score_on(classifier, seed, features, task.y[train], task.y[test])
                rows.append(
                    Row(
                        task=task.name,
                        frontend=job.frontend.name,
                        classifier=classifier,
                        seed=seed,
                        fold=job.fold,
                        n_train=len(train),
                        n_test=len(test),
                        n_features=features.shape[1],
                        fit_seconds=fit_seconds,
                        transform_seconds=transform_seconds,
                        data=task.fingerprint,
                        settings=job.settings,
                        **scores,
                    )
                )
    return rows


def _training_clips(job: Job) -> tuple[Any, NDArray[Any], NDArray[Any] | None]:
    if len(job.tasks) > 1:
        return join_tasks(job.tasks, job.fold)
    task = job.tasks[0]
    train = task.folds[job.fold][0]
    return take(task.X, train), task.y[train], None if task.groups is None else task.groups[train]


def score_on(
    name: str, seed: int, features: NDArray[np.float64], y_train: NDArray[Any], y_test: NDArray[Any]
) -> dict[str, float]:
    """Scores by metric; the training clips come first in the features."""
    classifier = clone(CLASSIFIERS[name])
    if name not in DETERMINISTIC:
        classifier.set_params(random_state=seed)
    if y_train.ndim == 2:
        classifier = OneVsRestClassifier(classifier)
    with warnings.catch_warnings():
        # both come with small groups: a label that all or no training clips have, a class that no test clip has
        warnings.filterwarnings("ignore", "Label .* is present in all training examples")
        warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")
        model = make_pipeline(StandardScaler(), classifier).fit(features[: len(y_train)], y_train)
        return score_classifier(model, features[len(y_train) :], y_test)
