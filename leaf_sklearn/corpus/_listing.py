"""Which files a corpus holds, one by one: millions of names need not fit in memory."""

import csv
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from .._clips.audio import EXTENSIONS
from .._clips.folders import audio_files

TABLES = (".csv", ".tsv")
LISTS = (".txt", ".lst")


@dataclass(frozen=True)
class Listing:
    """Audio files that are named, lie in folders at any depth, or are listed.

    Tables have a column "file", lists a path a line; both are relative to their own folder. Names that start with a dot
    are left out of folders. The order is the same each time: sorted folder by folder.
    """

    places: Sequence[str]

    def __iter__(self) -> Iterator[str]:
        for place in self.places:
            ending = Path(place).suffix.lower()
            if os.path.isdir(place):
                yield from audio_files(place)
            elif ending in TABLES:
                yield from _rows(Path(place), "\t" if ending == ".tsv" else ",")
            elif ending in LISTS:
                yield from _lines(Path(place))
            else:
                yield place

    def measure(self) -> "Measure":
        """Count the files and their bytes, and tell the list from others."""
        digest, n_files, n_bytes = hashlib.sha256(), 0, 0
        for path in self:
            digest.update(os.fsencode(path) + b"\0")
            n_files += 1
            n_bytes += size_of(path)
        if not n_files:
            raise ValueError(f"{', '.join(self.places)}: no audio files ({', '.join(EXTENSIONS)}) are there.")
        return Measure(n_files, n_bytes, digest.hexdigest())


@dataclass(frozen=True)
class Measure:
    """Number of files, their bytes, and a hash of their names."""

    n_files: int
    n_bytes: int
    sha256: str


def size_of(path: str) -> int:
    """Bytes of a file, 0 where there is none."""
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):
        return 0


def chunks(files: Iterable[str], n_files: int, n_bytes: int) -> Iterator[list[str]]:
    """Files some at a time: a chunk ends with so many files, or with the one that makes so many bytes."""
    chunk: list[str] = []
    held = 0
    for path in files:
        chunk.append(path)
        held += size_of(path)
        if len(chunk) == n_files or held >= n_bytes:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk


def _rows(table: Path, delimiter: str) -> Iterator[str]:
    with _opened(table) as stream:
        reader = csv.DictReader(stream, delimiter=delimiter, strict=True)
        if "file" not in (reader.fieldnames or []):
            raise ValueError(f"{str(table)!r} misses the column 'file'; it has {list(reader.fieldnames or [])}.")
        for number, row in enumerate(reader, start=1):
            if not row["file"]:
                raise ValueError(f"Row {number} of {str(table)!r} names no file.")
            yield str(table.parent / row["file"])


def _lines(listing: Path) -> Iterator[str]:
    with _opened(listing) as stream:
        for line in stream:
            if line.strip():
                yield str(listing.parent / line.rstrip("\r\n"))


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """Open a list or table; errors in it are ValueErrors that name it."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            yield stream
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{str(path)!r} cannot be read as UTF-8 text ({error}).") from error
