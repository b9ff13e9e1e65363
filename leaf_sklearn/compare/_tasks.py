"""What is compared on: clips with labels, and how they are split into training and test clips."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold
from sklearn.utils import Bunch
from sklearn.utils.multiclass import type_of_target

from .._clips.segments import AudioSegment
from .._training.targets import MISSING
from ..datasets import load_audio_files

DEFAULT_FOLDS = 5
SPLITS = ("train", "valid", "test")
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Task:
    """Labelled clips and their splits."""

    name: str
    X: Any  # list or array, as the transformers take it
    y: NDArray[Any]  # one label a clip (n_clips,), or an indicator matrix (n_clips, n_labels)
    groups: NDArray[Any] | None  # clips of one group are in one fold
    folds: list[tuple[Indices, Indices]]  # train, test
    fingerprint: str  # changes with the clips, the labels, the groups and the splits


def as_tasks(data: Any, *, cv: int | None = None, label: str | None = None) -> list[Task]:
    """Take one or several data sets as tasks; the arguments are those of ``compare``."""
    if isinstance(data, Bunch | tuple):
        named = {"data": data}
    elif isinstance(data, str | os.PathLike):
        named = {task_name(data, label): data}
    elif isinstance(data, Mapping):
        named = dict(data)
    else:
        if not all(isinstance(path, str | os.PathLike) for path in data):
            raise ValueError("Several data sets that are not paths need names: pass a mapping of names to data sets.")
        names = [task_name(path, label) for path in data]
        if len(set(names)) < len(names):
            raise ValueError(f"Got data sets of equal names, {names}; rename the folders or pass a mapping.")
        named = dict(zip(names, data, strict=True))
    if not named:
        raise ValueError("Got no data set, expected at least one.")
    return [_as_task(name, part, cv, label) for name, part in named.items()]


def task_name(path: str | os.PathLike[str], label: str | None) -> str:
    """Name a data set: its folder, with the CSV's name where that says more, and the column of labels."""
    place = Path(os.path.abspath(path))
    name = place.name
    if place.suffix.lower() in (".csv", ".tsv"):
        name = place.parent.name if place.stem == "metadata" else f"{place.parent.name}/{place.stem}"
    return name if label is None else f"{name}:{label}"


def load_data(path: str | os.PathLike[str], label: str | None = None) -> Bunch:
    """Read a data set by ``load_audio_files``; a column of labels is refused where folders give the labels."""
    if label is None:
        return load_audio_files(path)
    if os.path.isdir(path) and not os.path.isfile(os.path.join(path, "metadata.csv")):
        raise ValueError(f"Got label={label!r}, but {os.fspath(path)} has no metadata.csv: its folders are the labels.")
    return load_audio_files(path, label=label)


def take(X: Any, indices: Indices) -> Any:
    """Clips at these positions, of a list or an array."""
    return [X[index] for index in indices] if isinstance(X, list) else X[indices]


def join_tasks(tasks: Sequence[Task], fold: int = 0) -> tuple[list[Any], NDArray[np.int64], NDArray[Any] | None]:
    """Put the training clips of several tasks together, for one frontend that serves all of them.

    Returns
    -------
    X : list
        The clips, task by task.
    y : ndarray of shape (n_clips, n_tasks), int64
        A column a task: the number of the class, -1 for the clips of other tasks.
    groups : ndarray of shape (n_clips,) or None
        The groups, made distinct by the name of the task; None where no task has any.
    """
    several = [task.name for task in tasks if task.y.ndim > 1]
    if several:
        raise ValueError(f"Tasks with several labels a clip cannot be trained together with others: {several}.")
    if len({_holds_paths(task.X) for task in tasks}) > 1:
        raise ValueError("Some tasks hold audio files and some arrays; tasks that are joined must hold one kind.")
    X: list[Any] = []
    y = np.full((sum(len(task.folds[fold][0]) for task in tasks), len(tasks)), MISSING, dtype=np.int64)
    groups: list[str] = []
    for column, task in enumerate(tasks):
        train = task.folds[fold][0]
        y[len(X) : len(X) + len(train), column] = np.unique(task.y[train], return_inverse=True)[1]
        X += list(take(task.X, train))
        members = train if task.groups is None else task.groups[train]
        groups += [f"{column}:{member}" for member in members]
    has_groups = any(task.groups is not None for task in tasks)
    return X, y, np.array(groups) if has_groups else None


def _as_task(name: str, data: Any, cv: int | None, label: str | None) -> Task:
    if isinstance(data, str | os.PathLike):
        data = load_data(data, label)
    if isinstance(data, tuple):
        X, y, groups, split = (*data, None, None, None)[:4] if 2 <= len(data) <= 4 else (None,) * 4
        names = None
    else:
        X, y, groups, split = (data.get(key) for key in ("filenames", "target", "groups", "split"))
        names = data.get("target_names")
    if X is None or y is None:
        raise ValueError(f"{name}: expected a path, a Bunch of load_audio_files or a tuple (X, y[, groups[, split]]).")
    X = X.to_numpy() if hasattr(X, "to_numpy") else X if isinstance(X, np.ndarray) else list(X)
    y = np.asarray(y)
    groups, split = (None if values is None else np.asarray(values) for values in (groups, split))
    for what, values in (("labels", y), ("groups", groups), ("split entries", split)):
        if values is not None and len(values) != len(X):
            raise ValueError(f"{name}: {len(X)} clips and {len(values)} {what}.")
    kind = type_of_target(y)
    if kind not in ("binary", "multiclass", "multilabel-indicator"):
        raise ValueError(f"{name}: expected one class a clip or an indicator matrix of labels, got a {kind} target.")
    if kind != "multilabel-indicator":
        y = y.ravel()
        if len(np.unique(y)) < 2:
            raise ValueError(f"{name}: all clips are of one class; a comparison needs at least two.")
    fingerprint = joblib.hash((_describe(X), y, groups, split, None if names is None else list(names)))[:12]
    folds = _folds(name, y, groups, split, cv)
    _check_folds(name, y, folds)
    return Task(name, X, y, groups, folds, fingerprint)


def _folds(
    name: str, y: NDArray[Any], groups: NDArray[Any] | None, split: NDArray[Any] | None, cv: int | None
) -> list[tuple[Indices, Indices]]:
    if cv is None and split is not None:
        found, test = set(split.tolist()), split == "test"
        if not found <= set(SPLITS) or test.all() or not test.any():
            shown = sorted(found, key=str)
            raise ValueError(f"{name}: split holds {shown}, expected 'train' (and 'valid') and 'test'; or give cv.")
        return [(np.flatnonzero(~test), np.flatnonzero(test))]
    n_units = len(y) if groups is None else len(np.unique(groups))
    if cv is None:
        smallest = np.unique(y, return_counts=True)[1].min() if y.ndim == 1 else n_units
        cv = int(min(DEFAULT_FOLDS, smallest, n_units))
        if smallest < 2:
            raise ValueError(
                f"{name}: a class has one clip only, which cannot be both trained on and tested; "
                "record more of it, or give a column 'split' with 'train' and 'test'."
            )
    if not 2 <= cv <= n_units:
        raise ValueError(
            f"{name}: {cv} folds of {n_units} {'clips' if groups is None else 'groups'}; a cross-validation needs 2 "
            "folds or more, at most one a clip or group, and 2 clips of each class."
        )
    if y.ndim == 1 and (most := np.unique(y, return_counts=True)[1].max()) < cv:
        raise ValueError(f"{name}: {cv} folds, but no class has more than {most} clips; expected cv={most} at most.")
    kinds: dict[tuple[bool, bool], Any] = {
        (False, False): StratifiedKFold,
        (False, True): StratifiedGroupKFold,
        (True, False): KFold,
        (True, True): GroupKFold,
    }
    splitter = kinds[y.ndim > 1, groups is not None](cv, shuffle=True, random_state=0)
    return list(splitter.split(np.zeros(len(y)), y, groups))


def _check_folds(name: str, y: NDArray[Any], folds: list[tuple[Indices, Indices]]) -> None:
    """Raise for a fold that has no clip to test, or one class to train on: some ways of grouping leave such."""
    for number, (train, test) in enumerate(folds, start=1):
        n_classes = len(np.unique(y[train])) if y.ndim == 1 else 2
        if not len(test) or n_classes < 2:
            raise ValueError(
                f"{name}: fold {number} of {len(folds)} would train on {len(train)} clips of {n_classes} "
                f"class{'es' * (n_classes != 1)} and test on {len(test)}; expected two classes and a clip at least. "
                "Give another cv, groups or split."
            )


def _holds_paths(X: Any) -> bool:
    return isinstance(X[0], str | os.PathLike)


def _describe(X: Any) -> Any:
    """Tell clips from others: by the contents of arrays, by names and sizes of files and where their windows lie."""
    if not _holds_paths(X):
        return X
    return [
        (
            os.path.basename(path),
            os.stat(path).st_size,
            *((path.start, path.stop) if isinstance(path, AudioSegment) else ()),
        )
        for path in X
    ]
