"""transform_corpus: a model, files and a folder; what was written is not computed again."""

import os
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import joblib

from .. import __version__
from .._base import FILES_A_JOB
from .._clips.segments import Grid
from .._parallel import map_with_model, n_workers
from ._features import FileRows, file_rows, of_decoded_clips
from ._listing import Listing, chunks, size_of
from ._store import Store, locked

PART_ROWS, PART_FILES, PART_SECONDS = 2**14, 2**12, 120.0
"""A part is written when it has so many rows or files, or after so long: what a kill can cost."""

BYTES_A_JOB = 2**26
"""Bytes of files after which a worker's job is full: an hour of 16 kHz PCM, whose rows come back together."""

Progress = Callable[["Step"], None]


@dataclass(frozen=True)
class Step:
    """How far a transform has come: files and bytes, those of earlier runs included."""

    n_done: int
    n_files: int
    bytes_done: int
    n_bytes: int
    n_before: int
    n_bad: int


@dataclass(frozen=True)
class CorpusResult:
    """What stands in the folder.

    Attributes
    ----------
    n_files, n_rows, n_bad : int
        Files of the corpus, rows in its Parquet parts, and files that gave none.
    """

    n_files: int
    n_rows: int
    n_bad: int


def transform_corpus(
    model: Any,
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    segment_s: float | None = None,
    hop_s: float | None = None,
    on_error: str = "raise",
    threads: int = 2,
    n_jobs: int | None = None,
    progress: Progress | None = None,
) -> CorpusResult:
    """Write the features of any number of audio files into a folder, in memory that does not grow with it.

    The folder gets ``features/part-*.parquet`` with the columns file, start (in seconds) and the features, in the order
    of the files; ``corpus.json`` with the settings; and ``errors.csv`` where files were skipped. Killed and called
    again with the same arguments, it goes on after the last part: no row is lost or repeated.

    Parameters
    ----------
    model : fitted transformer of this package, or Pipeline that starts with one
        What makes the features.
    files : path or sequence of paths
        Audio files, folders of them at any depth, tables (.csv, .tsv) with a column "file", or lists (.txt) with a path
        a line. Entries of tables and lists are relative to their own folder.
    out : path
        The folder, made where there is none.
    segment_s, hop_s : float or None
        Length of a window and the distance of windows, in seconds, as in `Windower`; each window has a row.
        Without ``segment_s`` each file has one; without ``hop_s`` windows follow each other.
    on_error : {"raise", "skip"}
        What happens at a file that cannot be used: stop, or list it in ``errors.csv`` and go on.
    threads : int
        Threads that decode ahead.
    n_jobs : int or None
        Workers, by joblib's backend: loky's processes, or what ``joblib.parallel_config`` names. None means 1, or what
        ``parallel_config`` says.
    progress : callable or None
        Called at the start and whenever files are done, with how far it has come: ``n_done`` of ``n_files``,
        ``bytes_done`` of ``n_bytes``, ``n_bad`` files that gave nothing.

    Returns
    -------
    CorpusResult
        Numbers of files, rows and bad files.

    Raises
    ------
    ValueError
        The settings do not fit, the folder was begun otherwise, or a file cannot be used.

    Examples
    --------
    >>> from leaf_sklearn.corpus import transform_corpus
    >>> transform_corpus(model, "recordings", "features", segment_s=1.0, hop_s=0.5)  # doctest: +SKIP
    CorpusResult(n_files=80000, n_rows=1520331, n_bad=0)
    """
    if on_error not in ("raise", "skip"):
        raise ValueError(f"Got on_error={on_error!r}, expected 'raise' or 'skip'.")
    if threads < 1:
        raise ValueError(f"Got threads={threads}, expected at least 1.")
    grid = _grid(segment_s, hop_s)
    columns = [str(name) for name in model.get_feature_names_out()]
    of_decoded_clips(model)  # raises for a model that cannot be used
    places = [files] if isinstance(files, str | os.PathLike) else files
    listing = Listing([os.fspath(place) for place in places])
    measure = listing.measure()
    settings = {
        "version": __version__,
        "model": joblib.hash(model),
        "segment_s": segment_s,
        "hop_s": hop_s,
        "n_files": measure.n_files,
        "files_sha256": measure.sha256,
    }
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        store = Store.open(folder, columns, settings)
        n_bytes = sum(size_of(path) for path in islice(listing, store.n_done))
        first = Step(store.n_done, measure.n_files, n_bytes, measure.n_bytes, store.n_done, store.n_bad)
        rest = islice(listing, store.n_done, None)
        rows = _rows(model, rest, grid=grid, threads=threads, on_error=on_error, n_jobs=n_jobs)
        with closing(rows), closing(_write(rows, store, first)) as steps:
            for step in chain([first], steps):
                if progress is not None:
                    progress(step)
        if store.n_done != measure.n_files:
            raise ValueError(
                f"{store.n_done} of {measure.n_files} files were found again: the corpus changed meanwhile."
            )
        return CorpusResult(store.n_done, store.n_rows, store.n_bad)


def _write(rows: Iterable[FileRows], store: Store, step: Step) -> Generator[Step]:
    """Put rows into parts, and yield a step a file; what has come is written, whatever ends the work."""
    waiting: list[FileRows] = []
    n_rows, since = 0, time.monotonic()
    try:
        for file in rows:
            waiting.append(file)
            n_rows += len(file.starts)
            is_late = time.monotonic() - since > PART_SECONDS
            if n_rows >= PART_ROWS or len(waiting) >= PART_FILES or is_late:
                store.add(waiting)
                waiting, n_rows, since = [], 0, time.monotonic()
            step = replace(
                step,
                n_done=step.n_done + 1,
                bytes_done=step.bytes_done + size_of(file.path),
                n_bad=step.n_bad + (file.error is not None),
            )
            yield step
    finally:
        if waiting:
            store.add(waiting)


def _grid(segment_s: float | None, hop_s: float | None) -> Grid | None:
    if segment_s is None:
        if hop_s is not None:
            raise ValueError(f"Got hop_s={hop_s} without segment_s, the length of the windows.")
        return None
    hop = segment_s if hop_s is None else hop_s
    if segment_s <= 0 or hop <= 0:
        raise ValueError(f"Got segment_s={segment_s} and hop_s={hop_s}, expected seconds above zero.")
    return Grid(segment_s, hop)


def _rows(
    model: Any, files: Iterable[str], *, grid: Grid | None, threads: int, on_error: str, n_jobs: int | None
) -> Generator[FileRows]:
    """Rows of the files in order: here, or by joblib's workers where there are several."""
    if n_workers(n_jobs) == 1:
        yield from file_rows(model, files, grid=grid, threads=threads, on_error=on_error)
        return
    jobs = (Job(chunk, grid, on_error) for chunk in chunks(files, FILES_A_JOB, BYTES_A_JOB))
    with closing(map_with_model(run_job, model, jobs, n_jobs)) as done:
        for found, error in done:
            yield from found
            if error is not None:
                raise error


@dataclass(frozen=True)
class Job:
    """Some files for a worker."""

    files: list[str]
    grid: Grid | None
    on_error: str


def run_job(model: Any, job: Job) -> tuple[list[FileRows], ValueError | None]:
    """Rows of some files; up to the error where one stops the work."""
    found: list[FileRows] = []
    try:
        for rows in file_rows(model, job.files, grid=job.grid, threads=1, on_error=job.on_error):
            found.append(rows)
    except ValueError as error:
        return found, error
    return found, None
