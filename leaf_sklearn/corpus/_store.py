"""The folder that a corpus is written to: settings, Parquet parts that are whole or not there, and bad files."""

import csv
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from .._files import replacing
from ._features import FileRows

SETTINGS, FEATURES, ERRORS, LOCK = "corpus.json", "features", "errors.csv", ".lock"
PART = re.compile(r"part-(\d+)-(\d+)\.parquet")
KEY = b"leaf-sklearn"


class Store:
    """Rows of the files [0, n_done) of a listing, in parts named by the range of files that they hold."""

    def __init__(self, folder: Path, columns: Sequence[str]) -> None:
        self.folder, self.columns = folder, list(columns)
        self.n_done = self.n_rows = self.n_bad = 0

    @classmethod
    def open(cls, folder: Path, columns: Sequence[str], settings: dict[str, Any]) -> "Store":
        """Begin a folder, or go on in one that was begun with the same settings.

        Raises
        ------
        ValueError
            The folder was begun with other settings, or holds something else.
        ImportError
            Parquet needs pyarrow; the message names the extra.
        """
        need_pyarrow()
        described = {"format": 1, **settings, "columns": list(columns)}
        place = folder / SETTINGS
        (folder / FEATURES).mkdir(parents=True, exist_ok=True)
        if place.exists():
            _check_settings(place, described)
        else:
            others = [path.name for path in folder.iterdir() if path.name not in (FEATURES, LOCK)]
            if others or any((folder / FEATURES).iterdir()):
                raise ValueError(f"{folder} is neither empty nor was begun by this command ({SETTINGS} is missing).")
            with replacing(place) as temporary:
                temporary.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
        store = cls(folder, columns)
        store._resume()
        return store

    def _resume(self) -> None:
        from pyarrow import parquet

        for leftover in (self.folder / FEATURES).glob(".part-*"):
            leftover.unlink()
        bad: list[list[str]] = []
        for first, stop, path in sorted(self._parts()):
            if first != self.n_done:
                raise ValueError(f"{path} starts with file {first}, expected {self.n_done}: a part is missing.")
            about = parquet.read_metadata(path)
            bad += json.loads(about.metadata[KEY])["errors"]
            self.n_done = stop
            self.n_rows += about.num_rows
        self.n_bad = len(bad)
        # the parts are what holds: a kill may have come between a part and its lines here
        if bad or (self.folder / ERRORS).exists():
            with replacing(self.folder / ERRORS) as temporary:
                self._write_errors(temporary, bad, "w")

    def _parts(self) -> Iterator[tuple[int, int, Path]]:
        for path in (self.folder / FEATURES).iterdir():
            found = PART.fullmatch(path.name)
            if found is None:
                raise ValueError(f"{path} was not written by this command; move it away.")
            yield int(found[1]), int(found[2]), path

    def add(self, files: Sequence[FileRows]) -> None:
        """Write the rows of the next files, as one part."""
        import pyarrow
        from pyarrow import parquet

        bad = [[storable(file.path), storable(str(file.error))] for file in files if file.error is not None]
        good = [file for file in files if file.error is None]
        names = [storable(file.path) for file in good for _ in file.starts]
        features = np.array([row for file in good for row in file.features]).reshape(len(names), len(self.columns))
        about = json.dumps({"errors": bad})
        table = pyarrow.table(
            [
                pyarrow.array(names, pyarrow.string()),
                pyarrow.array([start for file in good for start in file.starts], pyarrow.float64()),
                *(np.ascontiguousarray(column, dtype=np.float32) for column in features.T),
            ],
            names=["file", "start", *self.columns],
        ).replace_schema_metadata({KEY: about})
        stop = self.n_done + len(files)
        with replacing(self.folder / FEATURES / f"part-{self.n_done:010d}-{stop:010d}.parquet") as temporary:
            parquet.write_table(table, temporary)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        if bad:
            self._write_errors(self.folder / ERRORS, bad, "a")
        self.n_done = stop
        self.n_rows += len(names)
        self.n_bad += len(bad)

    @staticmethod
    def _write_errors(path: Path, rows: Sequence[Sequence[str]], mode: str) -> None:
        is_new = mode == "w" or not path.exists()
        with path.open(mode, newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            if is_new:
                writer.writerow(["file", "reason"])
            writer.writerows(rows)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a second process out of the folder, where the system can; a killed one leaves no lock behind."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with (folder / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ValueError(f"Another process is writing to {folder}.") from error
        yield


def _check_settings(place: Path, described: dict[str, Any]) -> None:
    try:
        before = json.loads(place.read_text(encoding="utf-8"))
        differing = [name for name in described if before.get(name) != described[name]]
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{place} cannot be read ({error}).") from error
    if differing:
        shown = "; ".join(
            name if name == "columns" else f"{name} {before.get(name)!r}, now {described[name]!r}" for name in differing
        )
        raise ValueError(f"{place.parent} was begun otherwise ({shown}). Give another folder, or empty this one.")


def storable(name: str) -> str:
    """Make a file name that is no UTF-8 storable: its odd bytes are shown as escapes."""
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def need_pyarrow() -> None:
    """ImportError that names the extra, where pyarrow is missing."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ImportError("Parquet needs pyarrow: pip install 'leaf-sklearn[parquet]'.") from error
