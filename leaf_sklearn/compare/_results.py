"""The rows of a comparison and the CSV file that keeps them, one appended after the other."""

import csv
import io
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

Key = tuple[str, str, str, str, int, int]


@dataclass(frozen=True)
class Row:
    """Scores of one classifier on the features of one fitted frontend.

    Metrics that do not suit the task are None. ``fit_seconds`` and ``transform_seconds`` are the frontend's: training,
    and features of all clips of training and test, of all outputs that were asked for at once. ``data`` and
    ``settings`` say what the row was made from, ``outcomes`` what the classifier said about each test clip.
    """

    task: str
    frontend: str
    classifier: str
    seed: int
    fold: int
    n_train: int
    n_test: int
    n_features: int
    fit_seconds: float
    transform_seconds: float
    data: str
    settings: str
    accuracy: float | None = None
    balanced_accuracy: float | None = None
    mean_average_precision: float | None = None
    auc: float | None = None
    d_prime: float | None = None
    output: str = "functionals"
    outcomes: str = ""

    @property
    def key(self) -> Key:
        """What no two rows of a file share."""
        return self.task, self.frontend, self.output, self.classifier, self.seed, self.fold


COLUMNS = [field.name for field in fields(Row)]
_CONVERTERS: dict[Any, Any] = {
    str: str,
    int: int,
    float: float,
    float | None: lambda text: float(text) if text else None,
}


class ResultsFile:
    """A CSV of rows that only ever grows by whole lines.

    A line is appended by one write; should a machine stop in the middle of it, the rest of the line is cut off when the
    file is next opened. It is made when the first row is appended.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def read(self) -> list[Row]:
        """Return the rows; none where there is no file. ValueError if the file is something else."""
        if not self.path.exists():
            return []
        whole, _, _ = self.path.read_bytes().rpartition(b"\n")
        before = csv.field_size_limit(max(csv.field_size_limit(), len(whole)))  # outcomes of many labels are long
        try:
            reader = csv.DictReader(io.StringIO(whole.decode(), newline=""), strict=True)
            if whole and reader.fieldnames != COLUMNS:
                raise ValueError(f"its columns are {reader.fieldnames}")
            # two runs at once may both have written a row
            return list({row.key: row for row in map(_parse, reader)}.values())
        except (ValueError, TypeError, csv.Error) as error:
            raise ValueError(f"{self.path} is no file of results of this version: {error}.") from error
        finally:
            csv.field_size_limit(before)

    def append(self, rows: Iterable[Row]) -> None:
        """Write rows at the end, each whole or not at all."""
        for row in rows:
            with self.path.open("ab", buffering=0) as stream:
                whole = self._cut_half_line()
                text = _line(asdict(row).values())
                stream.write((text if whole else _line(COLUMNS) + text).encode())
                os.fsync(stream.fileno())

    def _cut_half_line(self) -> int:
        """Drop what follows the last line break; returns the bytes that are left."""
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(self.path, whole)
        return whole

    def check(self, rows: Iterable[Row], settings: dict[str, str], data: dict[str, str]) -> None:
        """Refuse rows that were made from other settings (JSON a frontend) or data (a fingerprint a task)."""
        common = {_shared(text) for text in settings.values()}
        for row in rows:
            expected = settings.get(row.frontend)
            if row.data != data.get(row.task, row.data):
                raise ValueError(f"{self.path} holds results of other clips or labels of {row.task}; {_ADVICE}.")
            if row.settings != expected if expected else _shared(row.settings) not in common:
                found, wanted = json.loads(row.settings), json.loads(expected or next(iter(settings.values())))
                differing = sorted(key for key in found | wanted if found.get(key) != wanted.get(key))
                told = ", ".join(
                    f"{key}={found.get(key, 'default')} (now {wanted.get(key, 'default')})" for key in differing
                )
                raise ValueError(f"{self.path} holds results of other settings: {told}; {_ADVICE}.")


_ADVICE = "delete it or write to another folder (out, in the shell --out)"
OWN = "estimator"
"""The entry of the settings that belongs to one frontend; the others must be the same for all rows of a file."""


def dump_settings(settings: dict[str, Any]) -> str:
    """Write settings as one line of JSON without those that are None; equal settings give equal text."""
    settings = {key: value for key, value in settings.items() if value is not None}
    return json.dumps(settings, sort_keys=True, default=str)


def _shared(text: str) -> str:
    return dump_settings({key: value for key, value in json.loads(text).items() if key != OWN})


def _parse(record: dict[str, Any]) -> Row:
    return Row(**{field.name: _CONVERTERS[field.type](record[field.name]) for field in fields(Row)})


def _line(values: Iterable[Any]) -> str:
    stream = io.StringIO(newline="")
    # line breaks end a row, so that none may stand in a field
    csv.writer(stream, lineterminator="").writerow("" if value is None else value for value in values)
    return stream.getvalue().replace("\r", " ").replace("\n", " ") + "\n"
