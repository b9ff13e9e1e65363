"""Which files a command line means, and the tables that their features are written to."""

import csv
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._clips.audio import EXTENSIONS
from .._files import check_writable_place, replacing
from ..corpus._listing import TABLES, Listing
from ..corpus._store import need_pyarrow, storable
from ..datasets._audio_files import _rows_of_table

Writer = Callable[[Path, list[str], list[str], NDArray[Any]], None]


def expand_files(arguments: Sequence[str]) -> list[str]:
    """Audio files that are named, lie in a folder at any depth, or are listed, in lines or in a CSV's column "file".

    Raises
    ------
    ValueError
        A folder or list holds no audio file, or the table has no such column.
    """
    files: list[str] = []
    for argument in arguments:
        place = Path(argument)
        if place.suffix.lower() in TABLES and not place.is_dir():
            found = [row["file"] for row in _rows_of_table(place, label="file", group="group", split="split")]
        else:
            found = list(Listing([argument]))
        if not found:
            raise ValueError(f"{argument} holds no audio files ({', '.join(EXTENSIONS)}).")
        files += found
    return files


def is_folder(path: str) -> bool:
    """Tell a folder, there or to be made, from a table: its name has no ending but a number or a separator."""
    ending = Path(path).suffix[1:]
    return os.path.isdir(path) or path.endswith(("/", os.sep)) or not ending or ending.isdigit()


def check_table_place(path: str | os.PathLike[str]) -> Path:
    """Return the path of a table that can be written; ValueError names the kinds there are."""
    place = check_writable_place(path)
    if place.suffix.lower() not in WRITERS:
        raise ValueError(f"Got out={str(path)!r}, expected a name that ends in one of {list(WRITERS)}, or a folder.")
    return place


def write_features(path: Path, files: list[str], names: list[str], features: NDArray[Any]) -> None:
    """Write a row a file, (n_files, n_features) with the files' names, whole or not at all.

    Raises
    ------
    ImportError
        Parquet needs pyarrow; the message names the extra.
    """
    with replacing(path) as temporary:
        WRITERS[path.suffix.lower()](temporary, [storable(name) for name in files], names, features)


def _write_csv(path: Path, files: list[str], names: list[str], features: NDArray[Any]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", *names])
        writer.writerows([file, *row] for file, row in zip(files, features, strict=True))


def _write_parquet(path: Path, files: list[str], names: list[str], features: NDArray[Any]) -> None:
    need_pyarrow()
    import pyarrow
    from pyarrow import parquet

    columns = [np.ascontiguousarray(column) for column in features.T]
    parquet.write_table(pyarrow.table([files, *columns], names=["file", *names]), path)


def _write_npz(path: Path, files: list[str], names: list[str], features: NDArray[Any]) -> None:
    with path.open("wb") as stream:  # under another name than *.npz it would write to one that ends so
        np.savez(stream, files=np.array(files), feature_names=np.array(names), features=features)


WRITERS: dict[str, Writer] = {".csv": _write_csv, ".parquet": _write_parquet, ".npz": _write_npz}
