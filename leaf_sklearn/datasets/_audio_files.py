"""The audio files of a folder of class folders, or of a CSV table."""

import csv
import os
from collections import Counter
from pathlib import Path
from typing import Literal

import numpy as np
from sklearn.utils import Bunch

from .._clips.audio import EXTENSIONS
from .._clips.folders import audio_files

METADATA = "metadata.csv"
"""The table that is read if a folder holds it."""

SHOWN = 3
"""Missing files, or kinds of files, that an error names."""

Row = dict[str, str]


def load_audio_files(
    path: str | os.PathLike[str],
    *,
    label: str = "label",
    group: str = "group",
    split: str = "split",
    multilabel: bool | Literal["auto"] = "auto",
) -> Bunch:
    """List audio files with their labels, without decoding them.

    Parameters
    ----------
    path : str or path-like
        A folder with one folder a class; or a CSV (or tab-separated .tsv) file with a header and a row a clip, whose
        column "file" is relative to its own folder; or a folder that holds such a file named metadata.csv.
    label, group, split : str
        Names of the table's columns; the last two may be absent under their default names. Blanks around their values
        are dropped.
    multilabel : bool or "auto"
        Whether labels are split at ";" into several labels a clip; "auto": if any label holds one.

    Returns
    -------
    Bunch
        With `filenames` (n_clips,) str, to be used as X; `target` (n_clips,) int64, positions in `target_names`, or
        (n_clips, n_labels) int64 of 0 and 1 for several labels; `target_names`, a sorted list; `groups` and `split`,
        (n_clips,) str, None where there are none; `DESCR`.

    Raises
    ------
    ValueError
        The table cannot be read or misses columns or labels, or no audio is found.
    FileNotFoundError
        `path` or files of the table do not exist.

    Examples
    --------
    >>> from leaf_sklearn.datasets import load_audio_files
    >>> bunch = load_audio_files("recordings")  # doctest: +SKIP
    >>> X, y, groups = bunch.filenames, bunch.target, bunch.groups  # doctest: +SKIP
    """
    if multilabel not in (True, False, "auto"):
        raise ValueError(f"Got multilabel={multilabel!r}, expected one of [True, False, 'auto'].")
    root = Path(path)
    if root.is_dir() and not (root / METADATA).is_file():
        if (label, group, split) != ("label", "group", "split"):
            raise ValueError(f"{str(root)!r} holds no {METADATA}; only a table has columns label, group or split.")
        rows, table = _rows_of_folders(root), root
    else:
        table = root / METADATA if root.is_dir() else root
        rows = _rows_of_table(table, label=label, group=group, split=split)
    labels = [row[label] for row in rows]
    if multilabel == "auto":
        multilabel = any(";" in each for each in labels)
    target, target_names = (_indicator if multilabel else _classes)(labels)
    return Bunch(
        filenames=np.array([row["file"] for row in rows]),
        target=target,
        target_names=target_names,
        groups=_column(rows, group),
        split=_column(rows, split),
        DESCR=f"{len(rows)} clips with {len(target_names)} labels ({', '.join(target_names)}) from {table}.",
    )


def _rows_of_folders(root: Path) -> list[Row]:
    rows = [
        {"file": str(file), "label": folder.name}
        for folder in sorted(root.iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
        for file in sorted(map(Path, audio_files(folder)))
        if file.is_file()
    ]
    if not rows:
        loose = sum(file.suffix.lower() in EXTENSIONS for file in root.iterdir())
        kinds = Counter(file.suffix.lower() for file in root.rglob("*") if file.is_file())
        others = [f"{count} {kind or 'without ending'}" for kind, count in kinds.most_common(SHOWN)]
        raise ValueError(
            f"No audio found in class folders of {str(root)!r} ({loose} audio files lie in it directly; files in all: "
            f"{', '.join(others) or 'none'}); expected one folder a class with {', '.join(EXTENSIONS)} files, or a "
            f"{METADATA}."
        )
    return rows


def _rows_of_table(table: Path, *, label: str, group: str, split: str) -> list[Row]:
    columns, rows = _read_table(table)
    optional = {group, split} & {"group", "split"}
    wanted = [name for name in dict.fromkeys(["file", label, group, split]) if name not in optional]
    absent = [name for name in wanted if name not in columns]
    if absent:
        raise ValueError(
            f"{str(table)!r} misses the columns {absent}; it has {columns}. Another column with the labels is named by "
            "label=... (in the shell --label)."
        )
    for number, row in enumerate(rows, start=1):
        if None in row or None in row.values():
            raise ValueError(f"Row {number} of {str(table)!r} does not have the {len(columns)} columns of the header.")
        row |= {name: row[name].strip() for name in {label, group, split} & row.keys() - {"file"}}
        row["file"] = str(table.parent / row["file"])
    if not rows:
        raise ValueError(f"{str(table)!r} has a header but no rows; expected a row a clip.")
    missing = [row["file"] for row in rows if not os.path.isfile(row["file"])]
    if missing:
        shown = ", ".join(map(repr, missing[:SHOWN])) + (", ..." if len(missing) > SHOWN else "")
        raise FileNotFoundError(f"{len(missing)} of the {len(rows)} files in {str(table)!r} do not exist: {shown}.")
    return rows


def _read_table(table: Path) -> tuple[list[str], list[Row]]:
    if table.suffix.lower() not in (".csv", ".tsv") or not table.is_file():
        came = "is neither a folder nor a .csv or .tsv file" if table.exists() else "does not exist"
        error = ValueError if table.exists() else FileNotFoundError
        raise error(f"{str(table)!r} {came}; expected a folder of class folders or a table with 'file' and a label.")
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, delimiter="\t" if table.suffix.lower() == ".tsv" else ",", strict=True)
            columns, rows = list(reader.fieldnames or []), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{str(table)!r} cannot be read as a UTF-8 table ({error}).") from error
    return columns, rows


def _classes(labels: list[str]) -> tuple[np.ndarray, list[str]]:
    """Labels -> (n_clips,) positions in the sorted names."""
    unlabelled = [number for number, label in enumerate(labels, start=1) if not label]
    if unlabelled:
        raise ValueError(f"{len(unlabelled)} of {len(labels)} clips have no label, the first in row {unlabelled[0]}.")
    names, target = np.unique(labels, return_inverse=True)
    return target.astype(np.int64), names.tolist()


def _indicator(labels: list[str]) -> tuple[np.ndarray, list[str]]:
    """Labels joined by ";" -> (n_clips, n_labels) of 0 and 1; a clip may have none."""
    sets = [{name.strip() for name in label.split(";")} - {""} for label in labels]
    names = sorted(set().union(*sets))
    return np.array([[name in each for name in names] for each in sets], dtype=np.int64), names


def _column(rows: list[Row], name: str) -> np.ndarray | None:
    return np.array([row[name] for row in rows]) if name in rows[0] else None
