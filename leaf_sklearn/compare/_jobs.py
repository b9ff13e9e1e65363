"""One job of a comparison: fit a frontend, make features, score classifiers on them."""

import copy
import inspect
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.validation import has_fit_parameter

from .._base import AudioTransformer, transform_views
from .._files import replacing
from .._functionals import check_functionals
from .._leaf import LeafTransformer
from .._mel import MelTransformer
from ..frontends import PRESETS
from ._metrics import score_classifier
from ._outcomes import encode_outcomes
from ._results import Row
from ._tasks import Task, join_tasks, take

CLASSIFIERS: dict[str, BaseEstimator] = {
    "logreg": LogisticRegression(C=1.0, max_iter=5000),
    "svc": SVC(C=10.0),
    "knn": KNeighborsClassifier(),
    "forest": RandomForestClassifier(n_estimators=300),
}
DETERMINISTIC = {"logreg", "svc", "knn"}


FLOORED = "mel-floored"
FLOOR = 1e-4  # of each band's mean energy
NAMES = (*PRESETS, FLOORED)
OUTPUTS = ("functionals", "embedding")


@dataclass(frozen=True)
class Frontend:
    """An unfitted transformer under the name that it has in the table, and what is made of it once it is fitted."""

    name: str
    transformer: BaseEstimator
    described: str | None = None
    outputs: tuple[str, ...] = ("functionals",)

    @property
    def settable(self) -> dict[str, Any]:
        """Parameters of the transformer."""
        return self.transformer.get_params()

    @property
    def is_seeded(self) -> bool:
        """Whether fits differ by seed."""
        return bool(self._with_seeds(0))

    def with_seed(self, seed: int) -> Any:
        """Return a copy to fit, the steps of a pipeline seeded as well."""
        return clone(self.transformer).set_params(**self._with_seeds(seed))

    def _with_seeds(self, seed: int) -> dict[str, int]:
        return {name: seed for name in self.settable if name.split("__")[-1] == "random_state"}


def named_frontends(
    frontends: Sequence[str] | Mapping[str, BaseEstimator], parameters: Mapping[str, Any], outputs: Sequence[str]
) -> list[Frontend]:
    """Frontends to fit: names stand for presets with these parameters, a mapping holds transformers.

    The fixed mels have no encoder, so that their embedding takes a fit of its own.
    """
    outputs = tuple(dict.fromkeys(outputs))
    for output in outputs:
        if output not in OUTPUTS:
            check_functionals(output.split("+"))
    if not outputs:
        raise ValueError(f"Got no outputs, expected some of {list(OUTPUTS)} or functionals joined by '+'.")
    if isinstance(frontends, Mapping):
        if parameters:
            raise ValueError("transformer_params are for named frontends; set them in the mapping's own.")
        if odd := [
            name for name, each in frontends.items() if isinstance(each, type) or not hasattr(each, "transform")
        ]:
            raise ValueError(f"Got frontends {odd} that are no transformers, expected such as MelTransformer().")
        found = [Frontend(name, each, _described(each), outputs) for name, each in frontends.items()]
        plain = [each.name for each in found if outputs != ("functionals",) and "output" not in each.settable]
        if plain:
            raise ValueError(f"Got outputs={list(outputs)}, but {plain} have no parameter output.")
        if frames := [each.name for each in found if each.settable.get("output") == "frames"]:
            raise ValueError(f"Got frontends {frames} with output='frames', expected one row of features a clip.")
        return [_trained_for(each) for each in found]
    if isinstance(frontends, str):
        raise ValueError(f"Got frontends={frontends!r}, expected a list of names.")
    known = [name for name in inspect.signature(LeafTransformer).parameters if name not in ("frontend", "random_state")]
    if unknown := [name for name in parameters if name not in known]:
        raise ValueError(f"Got transformer_params {unknown}, expected some of {known}.")
    found = []
    for name in dict.fromkeys(frontends):
        transformer = make_transformer(name, parameters)
        if isinstance(transformer, LeafTransformer):
            found.append(Frontend(name, transformer, outputs=outputs))
            continue
        plain_outputs = tuple(output for output in outputs if output != "embedding")
        if plain_outputs:
            found.append(Frontend(name, transformer, outputs=plain_outputs))
        if "embedding" in outputs:
            trained = LeafTransformer("mel", **{**parameters, **_floor(name), "output": "embedding"})
            found.append(Frontend(name, trained, outputs=("embedding",)))
    return found


def _described(transformer: BaseEstimator) -> str:
    """Return the repr without the gaps that scikit-learn and NumPy leave in long ones."""
    with np.printoptions(threshold=sys.maxsize):
        return str(transformer.__repr__(N_CHAR_MAX=sys.maxsize))


def _trained_for(frontend: Frontend) -> Frontend:
    """Let the fit know that an embedding will be asked for: the fixed mel trains an encoder for it alone."""
    if "embedding" not in frontend.outputs:
        return frontend
    return replace(frontend, transformer=clone(frontend.transformer).set_params(output="embedding"))


def make_transformer(name: str, parameters: Mapping[str, Any]) -> BaseEstimator:
    """Make the transformer of a frontend: "mel" is the plain baseline and takes the parameters that it has."""
    if name not in NAMES:
        raise ValueError(f"Got frontend={name!r}, expected one of {list(NAMES)}.")
    if name in ("mel", FLOORED):
        own = inspect.signature(MelTransformer).parameters
        return MelTransformer(**{key: value for key, value in parameters.items() if key in own} | _floor(name))
    return LeafTransformer(name, **parameters)


def _floor(name: str) -> dict[str, float]:
    """Parameters that tell the floored mel from the plain one."""
    return {"floor": FLOOR} if name == FLOORED else {}


@dataclass(frozen=True)
class Job:
    """Fit one frontend on one fold of a task, or of several together, and score classifiers on its features."""

    tasks: list[Task]
    frontend: Frontend
    seed: int
    fold: int
    wanted: list[tuple[str, str, str, int]]  # task, output, classifier, seed
    settings: str
    models: Path | None

    @property
    def model_file(self) -> Path | None:
        """Where the fitted transformer is kept."""
        name = "+".join(task.name for task in self.tasks) if len(self.tasks) < 4 else f"{len(self.tasks)} tasks"
        what = "-embedding" if self.frontend.outputs == ("embedding",) else ""  # a fit of its own, for the mels
        words = f"{name}-{self.frontend.name}{what}-seed{self.seed}-fold{self.fold}.joblib"
        return None if self.models is None else self.models / words.replace("/", "_").replace(":", "_")


def _takers_of_groups(transformer: Any) -> list[str]:
    """Names by which fit passes groups on: its own, or those of a pipeline's steps that take them."""
    if isinstance(transformer, Pipeline):
        steps = [(name, step) for name, step in transformer.steps if hasattr(step, "fit")]
        return [f"{name}__groups" for name, step in steps if has_fit_parameter(step, "groups")]
    return ["groups"] if has_fit_parameter(transformer, "groups") else []


def run_job(job: Job) -> list[Row]:
    """Do a job; one row a task, classifier and seed wanted."""
    transformer = job.frontend.with_seed(job.seed)
    X, y, groups = _training_clips(job)
    given = {} if groups is None else dict.fromkeys(_takers_of_groups(transformer), groups)
    started = time.perf_counter()
    transformer.fit(X, y, **given)
    fit_seconds = time.perf_counter() - started
    if job.model_file is not None:
        with replacing(job.model_file) as temporary:
            joblib.dump(transformer, temporary)
    rows = []
    for task in job.tasks:
        train, test = task.folds[job.fold]
        wanted = [each for each in job.wanted if each[0] == task.name]
        if not wanted:
            continue
        outputs = list(dict.fromkeys(output for _, output, _, _ in wanted))
        started = time.perf_counter()
        each_features = features_of(transformer, outputs, take(task.X, np.concatenate([train, test])))
        transform_seconds = time.perf_counter() - started
        for _, output, classifier, seed in wanted:
            features = each_features[output]
            scores = score_on(classifier, seed, features, task.y[train], task.y[test])
            rows.append(
                Row(
                    task=task.name,
                    frontend=job.frontend.name,
                    output=output,
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


def features_of(transformer: Any, outputs: Sequence[str], clips: Any) -> dict[str, NDArray[np.float64]]:
    """Features of the clips by output, from one pass of the frontend where the transformer is one of ours."""
    views = [show(transformer, output) for output in outputs]
    if getattr(type(transformer), "transform", None) is AudioTransformer.transform:
        made = transform_views(views, clips)
    else:
        made = [view.transform(clips) for view in views]
    return {output: np.asarray(each, dtype=np.float64) for output, each in zip(outputs, made, strict=True)}


def show(transformer: Any, output: str) -> Any:
    """Copy a fitted transformer that makes this of a clip: "embedding", functionals joined by "+", or its own ones."""
    if output not in OUTPUTS:
        return copy.copy(transformer).set_params(output="functionals", functionals=tuple(output.split("+")))
    return copy.copy(transformer).set_params(output=output) if "output" in transformer.get_params() else transformer


def _training_clips(job: Job) -> tuple[Any, NDArray[Any], NDArray[Any] | None]:
    if len(job.tasks) > 1:
        return join_tasks(job.tasks, job.fold)
    task = job.tasks[0]
    train = task.folds[job.fold][0]
    return take(task.X, train), task.y[train], None if task.groups is None else task.groups[train]


def score_on(
    name: str, seed: int, features: NDArray[np.float64], y_train: NDArray[Any], y_test: NDArray[Any]
) -> dict[str, Any]:
    """Scores by metric and the outcomes of each clip; the training clips come first in the features."""
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
        test = features[len(y_train) :]
        return {**score_classifier(model, test, y_test), "outcomes": encode_outcomes(model, test, y_test)}
