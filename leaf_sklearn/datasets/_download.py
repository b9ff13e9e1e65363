"""Archives from the network: downloaded in pieces that are kept, checked, and unpacked whole or not at all."""

import gzip
import os
import shutil
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import IO, Any

from sklearn.datasets import get_data_home

CHUNK = 2**20
TIMEOUT = 60.0  # seconds without a byte


@dataclass(frozen=True)
class Archive:
    """A published archive."""

    folder: str  # where it is unpacked, in the data home
    url: str
    sha256: str | None  # None where the publisher gives none
    size: str  # for messages

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rpartition("/")[2]


def fetch_archive(archive: Archive, *, data_home: Any, download_if_missing: bool, n_retries: int, delay: float) -> Path:
    """Return the folder that an archive is unpacked in, downloading it where it is not there.

    Raises
    ------
    OSError
        It is not there and may not be downloaded, or the download failed.
    ValueError
        What came has another checksum, or is no archive that may be unpacked.
    """
    home = Path(get_data_home(data_home))
    folder = home / archive.folder
    if folder.is_dir():
        return folder
    if not download_if_missing:
        raise OSError(f"Data not found in {folder} and `download_if_missing` is False.")
    try:
        import pooch
    except ImportError as error:
        raise ImportError("Downloads need pooch: pip install 'leaf-sklearn[datasets]'.") from error
    downloader = _Resuming(home / f"{archive.folder}-{archive.name}.part", archive, n_retries, delay)
    known_hash = None if archive.sha256 is None else f"sha256:{archive.sha256}"
    path = Path(
        pooch.retrieve(
            archive.url, known_hash, fname=f"{archive.folder}-{archive.name}", path=home, downloader=downloader
        )
    )
    try:
        _unpack(path, folder)
    except ValueError:
        path.unlink(missing_ok=True)
        raise
    path.unlink(missing_ok=True)
    return folder


class _Resuming:
    """A downloader for pooch that goes on where an earlier download stopped, also one of another process.

    What came so far lies in a file of its own, with the version that the server told beside it: pieces of different
    versions are never put together.
    """

    def __init__(self, part: Path, archive: Archive, n_retries: int, delay: float) -> None:
        self.part, self.archive, self.n_retries, self.delay = part, archive, n_retries, delay
        self.version = part.with_suffix(".version")

    def __call__(self, url: str, output_file: str, pooch: Any, check_only: bool = False) -> None:
        for retries_left in range(self.n_retries, -1, -1):
            try:
                self._get(url)
                break
            except (OSError, HTTPException) as error:
                refused = isinstance(error, urllib.error.HTTPError) and 400 <= error.code < 500
                if refused or not retries_left:
                    raise OSError(
                        f"{url} ({self.archive.size}) could not be downloaded: {error}. {self._kept()} bytes are kept "
                        f"in {self.part}; the next call goes on from there."
                    ) from error
                warnings.warn(f"Trying {url} again: {error}", stacklevel=2)
                time.sleep(self.delay)
        os.replace(self.part, output_file)
        self.version.unlink(missing_ok=True)

    def _kept(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _get(self, url: str) -> None:
        """Fetch what is missing of the file."""
        kept, version = self._kept(), self.version.read_text() if self.version.exists() else ""
        request = urllib.request.Request(url)
        if kept and version:
            request.add_header("Range", f"bytes={kept}-")
            request.add_header("If-Range", version)
        with self._open(request) as answer:
            # a server that knows no ranges, or has another version now, sends the whole file
            resumed = answer.status == 206
            told = answer.headers["ETag"] or answer.headers["Last-Modified"] or ""
            length = answer.headers["Content-Length"]
            expected = None if length is None else int(length) + (kept if resumed else 0)
            self.version.write_text("" if told.startswith("W/") else told)
            with self.part.open("ab" if resumed else "wb") as stream:
                shutil.copyfileobj(answer, stream, CHUNK)
        if expected is not None and self._kept() != expected:
            raise OSError(f"the connection ended after {self._kept()} of {expected} bytes")

    @contextmanager
    def _open(self, request: urllib.request.Request) -> Iterator[Any]:
        try:
            answer = urllib.request.urlopen(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            if error.code != 416 or not request.has_header("Range"):
                raise
            # what is kept is longer than the file: begin again
            self.part.unlink(missing_ok=True)
            answer = urllib.request.urlopen(request.full_url, timeout=TIMEOUT)
        with answer:
            yield answer


def _unpack(path: Path, folder: Path) -> None:
    """Unpack a zip or tar file into a new folder; nothing is left of it after an error."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        unpacked = Path(temporary) / "files"
        unpacked.mkdir()
        try:
            for name, stream in _members(path):
                parts = PurePosixPath(name).parts
                if PurePosixPath(name).is_absolute() or ".." in parts or "\\" in name or ":" in name:
                    raise ValueError(f"it holds {name!r}, which lies outside of its folder")
                target = unpacked.joinpath(*parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                with stream, target.open("wb") as file:
                    shutil.copyfileobj(stream, file, CHUNK)
        except (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, ValueError) as error:
            raise ValueError(f"{path.name} cannot be unpacked: {error}.") from error
        if not folder.is_dir():  # another process may have been faster
            os.replace(unpacked, folder)


def _members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Names and contents of the regular files of an archive; links and devices are left out."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    yield info.filename, archive.open(info)
        return
    with tarfile.open(path, "r:*") as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.isfile() else None
            if stream is not None:
                yield member.name, stream
