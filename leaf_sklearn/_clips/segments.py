"""Stretches of long recordings: cut out of a stream of blocks, or read one by one."""

import math
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count, takewhile
from threading import Lock

import numpy as np
import soundfile
from numpy.typing import NDArray

from .audio import AudioFileError, decode_blocks, finish_clip, of_unknown_length, open_audio

SEEKABLE = ("WAV", "WAVEX", "RF64", "FLAC")
"""Formats that give the same samples after a seek; MP3 and Ogg are decoded from the start."""

NEAR = 2**16
"""Samples that are decoded at once for a segment, and that are rather read through than jumped over."""


@dataclass(frozen=True, slots=True)
class AudioSegment(os.PathLike[str]):
    """A stretch of an audio file, which the estimators take wherever they take a path.

    Attributes
    ----------
    path : str
        The file.
    start, stop : int
        First sample and the one after the last, at the file's own rate.
    rate : int
        That rate, in Hz.
    length_s : float or None
        Seconds that a whole window was to have, which are no whole number of samples at every rate; None for a
        recording that is shorter.
    """

    path: str
    start: int
    stop: int
    rate: int
    length_s: float | None = None

    def __fspath__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        return f"AudioSegment({self.path!r}, {self.start / self.rate:g} s to {self.stop / self.rate:g} s)"


@dataclass(frozen=True)
class Grid:
    """Where windows lie: every `hop_s` seconds one of `length_s` seconds, in whole samples."""

    length_s: float
    hop_s: float

    def length(self, rate: float) -> int:
        """Count the samples of a window; ValueError where windows would begin at the same sample."""
        if self.hop_s * rate < 1:
            raise ValueError(f"Got hop_s={self.hop_s:g}, less than a sample at {rate:g} Hz.")
        # rounded down, or windows side by side would not fit
        return max(1, math.floor(self.length_s * rate + 1e-6))

    def start(self, place: int, rate: float) -> int:
        """First sample of a window."""
        return round(place * self.hop_s * rate)

    def spans(self, n_times: int, rate: float) -> list[tuple[int, int]]:
        """List starts and stops of the whole windows in a recording; of all of it where it is shorter than one."""
        length = self.length(rate)
        if n_times < length:
            return [(0, n_times)]
        starts = takewhile(lambda start: start + length <= n_times, (self.start(place, rate) for place in count()))
        return [(start, start + length) for start in starts]

    def cut(self, blocks: Iterable[NDArray[np.float32]], rate: float) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Cut blocks (n,) of one recording into the windows of `spans`: starts and samples, holding few of them."""
        length, place, at = self.length(rate), 0, 0
        held = np.empty(0, dtype=np.float32)
        for block in blocks:
            held = np.concatenate([held, block])
            while (start := self.start(place, rate)) + length <= at + len(held):
                yield start, held[start - at : start - at + length].copy()
                place += 1
            n_past = min(max(0, start - at), len(held))
            held, at = held[n_past:], at + n_past
        if place == 0 and len(held):
            yield 0, held


def _window(clip: NDArray[np.float32], length_s: float | None, sample_rate: float) -> NDArray[np.float32]:
    """Give a resampled window its length: of files at other rates it may have a sample or two more or less."""
    n_times = len(clip) if length_s is None else max(1, round(length_s * sample_rate))
    return clip[:n_times] if len(clip) >= n_times else np.pad(clip, (0, n_times - len(clip)))


def read_windows(path: str, grid: Grid, *, sample_rate: float) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Windows of a file in one pass: starts in seconds and clips at `sample_rate` Hz, each resampled by itself.

    Raises AudioFileError as `read_audio` does, for a file that is cut short at its end.
    """
    with closing(open_audio(path, any_length=True)) as stream:
        rate, n_windows = stream.samplerate, 0
        for start, clip in grid.cut(decode_blocks(stream, path), rate):
            n_windows += 1
            whole = grid.length_s if len(clip) == grid.length(rate) else None
            yield start / rate, _window(finish_clip(clip, rate, sample_rate, path), whole, sample_rate)
        if not n_windows:
            raise AudioFileError(f"{path!r} holds no samples; expected at least one.")


def find_segments(path: str, grid: Grid) -> list[AudioSegment]:
    """Windows of a file, by its header where that is exact; MP3 is decoded once to be measured."""
    with closing(open_audio(path, any_length=True)) as stream:
        is_guess = stream.format == "MP3" or of_unknown_length(stream)
        n_times = sum(len(block) for block in decode_blocks(stream, path)) if is_guess else stream.frames
        if not n_times:
            raise AudioFileError(f"{path!r} holds no samples; expected at least one.")
        rate, whole = stream.samplerate, grid.length_s if n_times >= grid.length(stream.samplerate) else None
        return [AudioSegment(path, start, stop, rate, whole) for start, stop in grid.spans(n_times, rate)]


class SegmentReader:
    """Reads segments; those of one file in order cost one pass over it. Safe to share between threads."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._lock = Lock()
        self._stream: soundfile.SoundFile | None = None
        self._path, self._at = "", 0
        self._held = np.empty(0, dtype=np.float32)
        self._blocks: Generator[NDArray[np.float32]]

    def read(self, segment: AudioSegment, *, sample_rate: float) -> NDArray[np.float32]:
        """Read one segment, mixed down, checked and resampled by itself: (n,) at `sample_rate` Hz."""
        with self._lock:
            clip = self._read(segment)
        return _window(finish_clip(clip, segment.rate, sample_rate, segment.path), segment.length_s, sample_rate)

    def _read(self, segment: AudioSegment) -> NDArray[np.float32]:
        is_ahead = self._at <= segment.start <= self._at + len(self._held) + NEAR
        if self._stream is None or self._path != segment.path or not is_ahead:
            self._open(segment)
        while self._at + len(self._held) < segment.stop:
            block = next(self._blocks, None)
            if block is None:
                raise AudioFileError(
                    f"{segment.path!r} ends at sample {self._at + len(self._held)}; expected {segment.stop} for the "
                    f"window from sample {segment.start} on. Cut the recording again."
                )
            held = np.concatenate([self._held, block])
            n_past = min(max(0, segment.start - self._at), len(held))
            self._held, self._at = held[n_past:], self._at + n_past
        return self._held[segment.start - self._at : segment.stop - self._at].copy()

    def _open(self, segment: AudioSegment) -> None:
        self.close()
        stream = open_audio(segment.path, any_length=True)
        if stream.samplerate != segment.rate:
            stream.close()
            raise AudioFileError(
                f"{segment.path!r} is at {stream.samplerate} Hz; its window was cut at {segment.rate} Hz. Cut it again."
            )
        can_seek = stream.format in SEEKABLE and not of_unknown_length(stream) and segment.start <= stream.frames
        self._at = stream.seek(segment.start) if can_seek else 0
        self._stream, self._path = stream, segment.path
        self._held = np.empty(0, dtype=np.float32)
        self._blocks = decode_blocks(stream, segment.path, start=self._at, n_samples=NEAR)

    def close(self) -> None:
        """Let go of the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def __getstate__(self) -> dict[str, object]:
        return {}

    def __setstate__(self, state: dict[str, object]) -> None:
        self._forget()
