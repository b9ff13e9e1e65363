"""Paths that carry the state of their file, for caches that key by value."""

import os
from collections.abc import Iterable
from dataclasses import dataclass

from .audio import AudioFileError
from .segments import AudioSegment


@dataclass(frozen=True, slots=True)
class StampedPath(os.PathLike[str]):
    """A path with the size in bytes and the time of change in nanoseconds that its file had."""

    path: str
    size: int
    mtime_ns: int

    def __fspath__(self) -> str:
        return self.path


def stamp_files(paths: Iterable[str | os.PathLike[str]]) -> list[StampedPath]:
    """Make paths that differ when their files do, for ``Pipeline(memory=...)``.

    joblib's cache tells plain paths by their names alone, and gives what it made from a file before that was changed.

    Parameters
    ----------
    paths : iterable of path
        Audio files.

    Returns
    -------
    list of path-like
        To be used as X; equal as long as name, size and time of change are.

    Raises
    ------
    ValueError
        A file does not exist (an AudioFileError).
    TypeError
        Windows of files, as :class:`~leaf_sklearn.Windower` cuts them.

    Examples
    --------
    >>> from leaf_sklearn.datasets import stamp_files
    >>> search.fit(stamp_files(clips.filenames), clips.target)  # doctest: +SKIP
    """
    stamped = []
    for each in paths:
        if isinstance(each, AudioSegment):
            raise TypeError(f"Got {each!r}, expected the path of a whole file: windows carry no stamps.")
        path = os.fsdecode(each)
        try:
            status = os.stat(path)
        except OSError as error:
            raise AudioFileError(f"{path!r} cannot be looked at ({error.strerror}); expected an audio file.") from error
        stamped.append(StampedPath(path, status.st_size, status.st_mtime_ns))
    return stamped
