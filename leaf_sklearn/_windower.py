"""Windower: long recordings into windows, with the groups that keep a recording's windows together."""

import os
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch

from ._checks import as_targets_array, check_groups
from ._clips.containers import unpack
from ._clips.segments import Grid, find_segments
from ._sklearn import Interval, validate_parameter_constraints


class Windower(BaseEstimator):
    """Cut long recordings into windows for the estimators.

    A recording gives the windows that lie in it whole, from its start on; a recording shorter than a window gives one,
    all of it. Windows of files are not read here: each is a path with a start and a
    stop, which the estimators read as they need it. Each is resampled by itself.

    Parameters
    ----------
    segment_s : float, default=1.0
        Length of a window, in seconds.
    hop_s : float or None, default=None
        From the start of a window to that of the next, in seconds; None means ``segment_s``: no overlap.
    sample_rate : int, default=16000
        Rate in Hz of recordings given as arrays, the estimators' ``input_sample_rate``. Files carry their own.

    Examples
    --------
    >>> import numpy as np
    >>> from leaf_sklearn import MelTransformer, Windower
    >>> recordings = [np.random.default_rng(0).normal(size=n) for n in (40000, 24000)]
    >>> windows = Windower(segment_s=1.0, hop_s=0.5).cut(recordings, y=["wren", "robin"])
    >>> MelTransformer().fit_transform(windows.X).shape
    (6, 440)
    >>> windows.start
    array([0. , 0.5, 1. , 1.5, 0. , 0.5])
    >>> windows.groups
    array([0, 0, 0, 0, 1, 1])
    """

    _parameter_constraints = {  # noqa: RUF012
        "segment_s": [Interval(Real, 0, None, closed="neither")],
        "hop_s": [Interval(Real, 0, None, closed="neither"), None],
        "sample_rate": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, segment_s: float = 1.0, hop_s: float | None = None, *, sample_rate: int = 16000) -> None:
        self.segment_s = segment_s
        self.hop_s = hop_s
        self.sample_rate = sample_rate

    def cut(self, X: Any, y: Any = None, groups: ArrayLike | None = None) -> Bunch:
        """Cut recordings into windows.

        Parameters
        ----------
        X : array-like of shape (n_recordings, n_times), list of 1-D arrays, or list of audio file paths
            The recordings. Of files, the headers are read; MP3s are decoded once, as their headers do not tell their
            length.
        y : array-like of shape (n_recordings,) or (n_recordings, n_columns), default=None
            Labels, which every window of a recording gets.
        groups : array-like of shape (n_recordings,), default=None
            What may not be split between training and test, such as the speaker; None: each recording by itself.

        Returns
        -------
        Bunch
            With an entry a window: `X`, an object array of 1-D arrays (views) or of AudioSegment; `y`, None without
            labels; `groups`, for cross-validation and for ``fit``; `recording`, positions in the given X; `start`, in
            seconds.

        Raises
        ------
        ValueError
            A recording cannot be read, or y or groups do not match X.
        """
        validate_parameter_constraints(self._parameter_constraints, self.get_params(), caller_name="Windower")
        grid = Grid(self.segment_s, self.hop_s or self.segment_s)
        kind, recordings = unpack(X)
        labels = None if y is None else as_targets_array(y, len(recordings))
        members = check_groups(groups, len(recordings))
        windows: list[Any] = []
        starts: list[float] = []
        counts = []
        for recording in recordings:
            if kind == "files":
                segments = find_segments(os.fspath(recording), grid)
                windows += segments
                starts += [segment.start / segment.rate for segment in segments]
                counts.append(len(segments))
            else:
                spans = grid.spans(len(recording), self.sample_rate)
                windows += [recording[start:stop] for start, stop in spans]
                starts += [start / self.sample_rate for start, _ in spans]
                counts.append(len(spans))
        recording_of = np.repeat(np.arange(len(recordings)), counts)
        return Bunch(
            X=_objects(windows),
            y=None if labels is None else labels[recording_of],
            groups=recording_of if members is None else members[recording_of],
            recording=recording_of,
            start=np.array(starts),
        )


def _objects(items: list[Any]) -> NDArray[np.object_]:
    """1-D whatever the items are: arrays of equal length would become a table."""
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array
