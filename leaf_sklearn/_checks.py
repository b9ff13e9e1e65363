"""What comes along with the clips: y, sample weights and groups as arrays that match them; and a hash of the data."""

import hashlib
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import column_or_1d
from sklearn.utils.validation import check_array

from ._clips.clips import Clips


def as_targets_array(y: Any, n_clips: int | None = None, name: str = "y") -> NDArray[Any]:
    """Return y as an array of one or two dimensions, an entry a clip, or raise a ValueError that says what is wrong."""
    values = _plain_values(y)
    if values.ndim not in (1, 2):
        raise ValueError(f"{name} has {values.ndim} dimensions, expected (n_clips,) or (n_clips, n_columns).")
    if values.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} must hold labels or real numbers.")
    if n_clips is not None and len(values) != n_clips:
        raise ValueError(
            f"X has {n_clips} clips and {name} has {len(values)} entries: inconsistent numbers of samples, expected an "
            "entry a clip."
        )
    if values.ndim == 2 and values.shape[1] == 1:
        values = column_or_1d(values, warn=True)
    if values.ndim == 1:
        check_array(values[:, None], dtype=None, ensure_all_finite=values.dtype.kind == "f", input_name=name)
        _refuse_missing(values, name)
    elif values.dtype.kind == "f":
        check_array(values, ensure_all_finite="allow-nan", allow_nd=True, input_name=name)
    return values


def _plain_values(y: Any) -> NDArray[Any]:
    """Return an array of plain values: numbers and bools that came as objects are no more, and pandas' NA is None."""
    if sparse.issparse(y):
        raise TypeError("y is sparse, expected a dense array: y.toarray().")
    try:
        values = np.asarray(y.to_numpy() if hasattr(y, "to_numpy") else y)
    except ValueError as error:
        raise ValueError(
            f"y is no array ({error}); where clips have lists of labels, give MultiLabelBinarizer().fit_transform(y)."
        ) from error
    if values.dtype.kind in "US" and isinstance(y, list | tuple):
        # beside strings NumPy writes a missing label as one
        objects = np.asarray(y, dtype=object)
        if any(value is None or value != value or value == -1 for value in objects.flat):
            values = objects
    if values.dtype.kind != "O":
        return values
    flat = [None if type(value).__name__ == "NAType" else value for value in values.flat]
    if all(isinstance(value, Real | np.bool_) and value == value for value in flat):
        return np.array(flat).reshape(values.shape)
    plain = np.empty(len(flat), dtype=object)
    plain[:] = flat
    return plain.reshape(values.shape)


def _refuse_missing(values: NDArray[Any], name: str) -> None:
    missing = [place for place, value in enumerate(values) if value is None or value != value]
    if missing:
        raise ValueError(f"Input {name} contains NaN or None at entry {missing[0]}.")


def check_weights(sample_weight: Any, n_clips: int) -> NDArray[np.float32] | None:
    """Sample weights scaled to a mean of 1; ValueError if they are negative, all zero, or do not match."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_clips, sample_weight)
    weights = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight", ensure_non_negative=True
    )
    if weights.ndim != 1:
        raise ValueError(f"Got sample_weight of shape {weights.shape}. Sample weights must be 1D array or scalar")
    if len(weights) != n_clips:
        raise ValueError(f"sample_weight.shape == {weights.shape}, expected ({n_clips},)!")
    if not weights.any():
        raise ValueError("All sample weights are zero: there is nothing to train on.")
    return (weights / weights.mean()).astype(np.float32)


def check_groups(groups: Any, n_clips: int) -> NDArray[Any] | None:
    """Return groups as an array with an entry a clip."""
    if groups is None:
        return None
    values = _plain_values(groups)
    if values.ndim != 1 and values.shape[1:] != (1,):
        raise ValueError(f"groups has shape {values.shape}, expected ({n_clips},).")
    values = values.ravel()
    if len(values) != n_clips:
        raise ValueError(f"X has {n_clips} clips and groups has {len(values)} entries, expected an entry a clip.")
    _refuse_missing(values, "groups")
    return values


def hash_data(clips: Clips, y: NDArray[Any] | None) -> str:
    """Tell clips and labels from others, whatever containers they came in: SHA-256 as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for content in clips.contents():
        digest.update(content)
    digest.update(repr(None if y is None else y.tolist()).encode())
    return digest.hexdigest()
