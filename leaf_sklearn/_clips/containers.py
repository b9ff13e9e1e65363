"""What kind of clips an X holds, whichever container they come in: lists, arrays, pandas or polars columns."""

import os
import reprlib
from collections.abc import Sequence
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .audio import AudioFileError
from .segments import AudioSegment

_EXPECTED = "expected a 2-D array (n_clips, n_times), a list of 1-D arrays or a list of audio file paths"


def clip_kind(X: Any) -> str:
    """Tell what X holds, from its container and its elements' types; ValueError or TypeError where it is no clips.

    "array" for one table of numbers, also as rows of plain numbers, "ragged" for separate 1-D arrays, "files" for
    paths.
    """
    content = _opened(X)
    if isinstance(content, np.ndarray):
        _check_dimensions(content)
        return "array"
    # rows of plain numbers, equally long, are scikit-learn's array-like; arrays in a list are separate clips, and so
    # are the entries of a column
    is_plain = isinstance(X, Sequence)
    if is_plain and all(isinstance(row, list | tuple) and len(row) == len(content[0]) for row in content):
        return "array"
    return "files" if _is_path(content[0]) else "ragged"


def unpack(X: Any) -> tuple[str, NDArray[Any] | list[Any]]:
    """Return the kind of X and its checked content: a 2-D array, a list of 1-D arrays, or a list of paths.

    Samples are not looked at, files are not opened.
    """
    content = _opened(X)
    if isinstance(content, np.ndarray):
        return "array", _checked_table(content)
    if _is_path(content[0]):
        return "files", _checked_paths(content)
    return "ragged", [_checked_clip(clip, index) for index, clip in enumerate(content)]


def _is_path(element: Any) -> bool:
    return isinstance(element, str | os.PathLike)


def _opened(X: Any) -> NDArray[Any] | list[Any]:
    """Return a table as an array of two or more dimensions, anything else as a list that is not empty."""
    if _is_path(X) or isinstance(X, bytes):
        raise ValueError(f"X is the single path {X!r}: wrap it in a list, [X]; {_EXPECTED}.")
    if sparse.issparse(X):
        raise TypeError(f"Sparse data was passed for X; {_EXPECTED}.")
    if not isinstance(X, Sequence):
        X = _from_container(X)
    if isinstance(X, np.ndarray) and X.ndim > 1:
        return X
    if len(X) == 0:
        raise ValueError(f"X is empty (0 clips); {_EXPECTED}.")
    if isinstance(X[0], Number) and any(_is_path(element) for element in X):
        raise ValueError(f"X[0] is {_describe(X[0])}, others are paths; expected all paths.")
    if isinstance(X[0], Number):
        raise ValueError(
            f"X is one 1-D sequence of {len(X)} numbers. Reshape your data by X.reshape(1, -1) or wrap one clip in "
            f"a list, [X]; {_EXPECTED}."
        )
    if isinstance(X[0], list | tuple) and any(isinstance(part, np.ndarray) for part in X[0]):
        raise ValueError(
            f"X[0] is a {type(X[0]).__name__} of {len(X[0])} that holds an array; expected the samples alone, without "
            f"their rate: {_EXPECTED}."
        )
    return list(X)


def _from_container(X: Any) -> NDArray[Any] | Sequence[Any]:
    if hasattr(X, "columns") and len(X.columns) == 1:
        column = list(X[X.columns[0]].to_list())
        return column if column and not isinstance(column[0], Number) else np.asarray(X)
    if hasattr(X, "to_list"):
        return list(X.to_list())
    array = np.asarray(X)
    if array.ndim == 0:
        raise TypeError(f"X is of type {type(X).__name__}; {_EXPECTED}.")
    is_column = array.ndim == 2 and array.shape[1] == 1 and len(array) > 0 and array.dtype.kind in "OUST"
    return list(array[:, 0]) if is_column and not isinstance(array[0, 0], Number) else array


def _check_dimensions(table: NDArray[Any]) -> None:
    if table.ndim != 2:
        raise ValueError(f"X has shape {table.shape}; expected (n_clips, n_times), mono: average the channels first.")


def _checked_table(table: NDArray[Any]) -> NDArray[Any]:
    _check_dimensions(table)
    if table.size == 0:
        raise ValueError(f"X has shape {table.shape}; expected (n_clips, n_times), at least one of each.")
    if table.dtype.kind == "O":
        try:
            table = table.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"X is a 2-D array of objects that are not all numbers ({error}).") from error
    if table.dtype.kind not in "biuf":
        raise ValueError(f"X is a 2-D array of {table.dtype}; expected real numbers, or one column of file paths.")
    return table


def _checked_paths(paths: Sequence[Any]) -> list[str | AudioSegment]:
    for index, path in enumerate(paths):
        if not _is_path(path):
            raise ValueError(f"X[{index}] is {_describe(path)}, X[0] a path; expected all paths or all arrays.")
    names = [str(os.fsdecode(path)) for path in paths]  # not NumPy's str, which shows as np.str_
    different = dict.fromkeys(names)
    missing = [name for name in different if not os.path.isfile(name)]
    if missing:
        raise AudioFileError(
            f"{len(missing)} of {len(different)} files do not exist or are folders, the first: {missing[0]!r}; "
            "expected audio files."
        )
    return [path if isinstance(path, AudioSegment) else name for path, name in zip(paths, names, strict=True)]


def _checked_clip(clip: Any, index: int) -> NDArray[Any]:
    if _is_path(clip):
        raise ValueError(f"X[{index}] is {_describe(clip)}, X[0] is not a path; expected all paths or all arrays.")
    try:
        array = np.asarray(clip)
    except ValueError as error:
        raise ValueError(f"Clip {index} is not an array ({error}); expected a 1-D array of numbers.") from error
    if array.dtype.kind not in "biuf" or array.ndim == 0:
        raise ValueError(f"Clip {index} is {_describe(clip)}; expected a 1-D array of numbers.")
    if array.ndim != 1:
        raise ValueError(f"Clip {index} has shape {array.shape}; expected 1-D, mono: average its channels first.")
    if array.size == 0:
        raise ValueError(f"Clip {index} is empty; expected at least one sample.")
    return array


def _describe(element: Any) -> str:
    if isinstance(element, np.ndarray):
        return f"an array of shape {element.shape} and type {element.dtype}"
    return f"{reprlib.repr(element)} of type {type(element).__name__}"
