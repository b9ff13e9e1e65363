"""What y asks for: how it is encoded, the loss it implies, and how outputs become predictions again.

Kinds: one label a clip, several labels a clip (indicator matrix), several tasks at once (a column each, missing
entries allowed) and regression.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import type_of_target
from torch import Tensor
from torch.nn import functional

MISSING = -1
ClassWeight = str | Mapping[Any, float] | None


class Targets(ABC):
    """Encoded targets of a training set and what follows from their kind."""

    kind: str
    n_outputs: int
    classes: Any
    values: NDArray[Any]

    @abstractmethod
    def losses(self, outputs: Tensor, values: Tensor, *, smoothing: float = 0.0) -> Tensor:
        """Loss of each clip: (B, n_outputs), encoded targets -> (B,)."""

    @abstractmethod
    def scores(self, outputs: Tensor, values: Tensor) -> Tensor:
        """Score of each clip, larger is better: (B, n_outputs), encoded targets -> (B,)."""

    @abstractmethod
    def encode(self, y: NDArray[Any]) -> NDArray[Any]:
        """Encode other targets of the same kind, or raise a ValueError that says what does not fit."""

    def sampling(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Relative odds with which a clip is drawn for a mini-batch: (n_clips,)."""
        return np.ones(len(values))

    def strata(self) -> NDArray[np.intp] | None:
        """Labels to stratify a split by, None where there is no single label."""
        return None


class SingleLabel(Targets):
    """One class a clip: cross-entropy; accuracy."""

    kind = "classification"

    def __init__(
        self,
        y: NDArray[Any],
        class_weight: ClassWeight = None,
        *,
        labelled: NDArray[np.bool_] | None = None,
        name: str = "y",
    ) -> None:
        self.may_miss = labelled is not None
        if labelled is None:
            labelled = np.ones(len(y), dtype=bool)
        self.classes, codes = np.unique(y[labelled], return_inverse=True)
        if len(self.classes) < 2:
            raise ValueError(
                f"{name} holds one class only ({self.classes.tolist()}); training needs at least two classes."
            )
        self.n_outputs = len(self.classes)
        self.values = np.full(len(y), MISSING, dtype=np.int64)
        self.values[labelled] = codes
        if isinstance(class_weight, str) and class_weight != "balanced":
            raise ValueError(f"Got class_weight={class_weight!r}, expected None, 'balanced' or a dict.")
        weights = compute_class_weight(class_weight, classes=self.classes, y=y[labelled])
        self.weights = torch.as_tensor(weights, dtype=torch.float32)

    def encode(self, y: NDArray[Any]) -> NDArray[Any]:
        if y.ndim != 1:
            raise ValueError(f"y_val has {y.shape[1]} columns, y has one.")
        labelled = ~_is_missing(y) if self.may_miss else np.ones(len(y), dtype=bool)
        unknown = np.setdiff1d(y[labelled], self.classes)
        if len(unknown):
            raise ValueError(f"y_val holds {unknown[:5].tolist()}, which are not among the classes of y.")
        values = np.full(len(y), MISSING, dtype=np.int64)
        values[labelled] = np.searchsorted(self.classes, y[labelled])
        return values

    def losses(self, outputs: Tensor, values: Tensor, *, smoothing: float = 0.0) -> Tensor:
        return functional.cross_entropy(
            outputs,
            values,
            weight=self.weights.to(outputs.device),
            ignore_index=MISSING,
            label_smoothing=smoothing,
            reduction="none",
        )

    def scores(self, outputs: Tensor, values: Tensor) -> Tensor:
        return (outputs.argmax(1) == values).to(outputs.dtype)

    def strata(self) -> NDArray[np.intp] | None:
        return self.values


class MultiLabel(Targets):
    """Any number of labels a clip, as an indicator matrix: binary cross-entropy; minus that loss."""

    kind = "multilabel"

    def __init__(self, y: NDArray[Any], class_weight: ClassWeight = None) -> None:
        if class_weight not in (None, "balanced"):
            raise ValueError(f"Got class_weight={class_weight!r}, expected None or 'balanced' for a multilabel y.")
        self.values = np.asarray(y, dtype=np.float32)
        self.n_outputs = self.values.shape[1]
        self.classes = np.arange(self.n_outputs)  # as scikit-learn's LabelBinarizer has them
        present = self.values.sum(0).clip(min=1)
        odds = (len(self.values) - present).clip(min=1) / present
        self.positive_weight = torch.as_tensor(odds if class_weight else np.ones_like(odds), dtype=torch.float32)

    def encode(self, y: NDArray[Any]) -> NDArray[Any]:
        columns = _columns(y, self.n_outputs)
        if not np.isin(columns, (0, 1)).all():
            raise ValueError("y_val holds other values than 0 and 1, y is an indicator matrix.")
        return columns.astype(np.float32)

    def losses(self, outputs: Tensor, values: Tensor, *, smoothing: float = 0.0) -> Tensor:
        return functional.binary_cross_entropy_with_logits(
            outputs,
            values * (1 - smoothing) + smoothing / 2,
            pos_weight=self.positive_weight.to(outputs.device),
            reduction="none",
        ).mean(1)

    def scores(self, outputs: Tensor, values: Tensor) -> Tensor:
        # the log-likelihood moves with every label, where a share of right labels sticks at the majority's
        return -self.losses(outputs, values)


class MultiTask(Targets):
    """Several classification tasks at once, one column each; a missing label is left out of the loss."""

    kind = "multitask"

    def __init__(self, y: NDArray[Any], class_weight: ClassWeight = None) -> None:
        if class_weight not in (None, "balanced"):
            raise ValueError(f"Got class_weight={class_weight!r}, expected None or 'balanced' for several tasks.")
        labelled = ~np.stack([_is_missing(column) for column in y.T])
        _refuse_written(y)
        _refuse_numbers(y, labelled.T)
        self.tasks = [
            SingleLabel(column, class_weight, labelled=known, name=f"Column {place} of y")
            for place, (column, known) in enumerate(zip(y.T, labelled, strict=True))
        ]
        self.classes = [task.classes for task in self.tasks]
        self.values = np.stack([task.values for task in self.tasks], axis=1)
        self.sizes = [task.n_outputs for task in self.tasks]
        self.n_outputs = sum(self.sizes)
        _refuse_unlabelled(self.values, "y")

    def losses(self, outputs: Tensor, values: Tensor, *, smoothing: float = 0.0) -> Tensor:
        parts = zip(self.tasks, outputs.split(self.sizes, 1), values.unbind(1), strict=True)
        return torch.stack([task.losses(part, column, smoothing=smoothing) for task, part, column in parts]).sum(0)

    def scores(self, outputs: Tensor, values: Tensor) -> Tensor:
        parts = zip(self.tasks, outputs.split(self.sizes, 1), values.unbind(1), strict=True)
        right = torch.stack([task.scores(part, column) for task, part, column in parts], 1)
        labelled = values != MISSING
        return (right * labelled).sum(1) / labelled.sum(1)

    def encode(self, y: NDArray[Any]) -> NDArray[Any]:
        columns = _columns(y, len(self.tasks))
        values = np.stack([task.encode(column) for task, column in zip(self.tasks, columns.T, strict=True)], axis=1)
        _refuse_unlabelled(values, "y_val")
        return values

    def sampling(self, values: NDArray[Any]) -> NDArray[np.float64]:
        # every task gets the same share of the draws, whatever the number of its clips
        labelled = values != MISSING
        return (labelled / labelled.sum(0).clip(min=1)).sum(1)


def _refuse_written(y: NDArray[Any]) -> None:
    """Raise a ValueError where NumPy has made a string of a label that is missing, as of all columns beside strings."""
    if y.dtype.kind in "US":
        # of their own length: in y's, "nan" may be cut to a label "n"
        words = np.array(["-1", "nan", "None"], dtype=y.dtype.kind)
        for clip, column in np.argwhere(np.isin(y, words)).tolist():
            raise ValueError(
                f"Column {column} of y holds the string {str(y[clip, column])!r} at clip {clip}; for a missing label "
                "among strings give a DataFrame, or an array of objects with None in it."
            )


def _refuse_numbers(y: NDArray[Any], labelled: NDArray[np.bool_]) -> None:
    """Raise a ValueError for a fraction among labels: (n_clips, n_columns), and where there is one: the same."""
    for clip, column in np.argwhere(labelled).tolist():
        value = y[clip, column]
        if isinstance(value, float | np.floating) and value % 1:
            raise ValueError(
                f"Column {column} of y holds {value:g} at clip {clip}, expected labels (whole numbers or strings); "
                "a regression takes numbers alone, none of them missing."
            )


def _refuse_unlabelled(values: NDArray[Any], name: str) -> None:
    places = np.flatnonzero((values == MISSING).all(1))
    if len(places):
        raise ValueError(f"{name} has no label in any column for clip {places[0]} ({len(places)} such clips).")


class Regression(Targets):
    """Numbers: squared error on standardised targets; its negative."""

    kind = "regression"
    classes = None

    def __init__(self, y: NDArray[Any], class_weight: ClassWeight = None) -> None:
        if class_weight is not None:
            raise ValueError(f"Got class_weight={class_weight!r} with a regression target, expected None.")
        columns = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        self.offset, spread = columns.mean(0), columns.std(0)
        self.scale = np.where(spread > 0, spread, 1.0)
        self.values = ((columns - self.offset) / self.scale).astype(np.float32)
        self.n_outputs = columns.shape[1]

    def encode(self, y: NDArray[Any]) -> NDArray[Any]:
        columns = _columns(y.astype(np.float64), self.n_outputs)
        if not np.isfinite(columns).all():
            raise ValueError(f"y_val holds NaN or infinity for clip {np.argwhere(~np.isfinite(columns))[0, 0]}.")
        return ((columns - self.offset) / self.scale).astype(np.float32)

    def losses(self, outputs: Tensor, values: Tensor, *, smoothing: float = 0.0) -> Tensor:
        return (outputs - values).square().mean(1)

    def scores(self, outputs: Tensor, values: Tensor) -> Tensor:
        return -self.losses(outputs, values)


def make_targets(values: NDArray[Any], class_weight: ClassWeight = None) -> Targets:
    """Encode y, (n_clips,) or (n_clips, n_columns), by its kind; a ValueError says what is wrong with it."""
    if values.ndim == 1:
        if type_of_target(values, input_name="y") == "continuous":
            return Regression(values, class_weight)
        return SingleLabel(values, class_weight)
    if values.dtype.kind == "f" and not np.isnan(values).any() and (values % 1).any():
        return Regression(values, class_weight)
    if values.dtype.kind in "biuf" and np.isin(values, (0, 1)).all():
        return MultiLabel(values, class_weight)
    return MultiTask(values, class_weight)


def _columns(y: NDArray[Any], n_columns: int) -> NDArray[Any]:
    columns = y.reshape(len(y), -1)
    if columns.shape[1] != n_columns:
        raise ValueError(f"y_val has {columns.shape[1]} columns, y has {n_columns}.")
    return columns


def _is_missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype.kind == "f":
        return np.isnan(values) | (values == MISSING)
    if values.dtype.kind in "iu":
        return values == MISSING
    if values.dtype.kind == "O":
        return np.array([value is None or value != value or value == MISSING for value in values], dtype=bool)
    return np.zeros(len(values), dtype=bool)
