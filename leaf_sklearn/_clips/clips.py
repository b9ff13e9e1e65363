"""Any accepted X -> clips: mono, float32, finite, at one sample rate, read when they are needed."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .audio import check_samples, read_audio
from .cache import ClipCache
from .containers import unpack
from .resample import resample
from .segments import AudioSegment, SegmentReader

CACHE_BYTES = 256 * 2**20
"""Decoded clips that are kept: 4,194 clips of one second at 16 kHz."""

MAX_BATCH_SAMPLES = 2**20
"""Samples of a batch, padding included: 32 clips of two seconds at 16 kHz. A longer clip is a batch of its own."""

Batch = tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]


class Clips:
    """A lazy sequence of mono float32 clips at one sample rate; made by `as_clips`.

    Pickling carries the arrays or the paths, never decoded files.

    Attributes
    ----------
    kind : {"array", "ragged", "files"}
        What the clips come from: one 2-D array, separate 1-D arrays, or audio files.
    sample_rate : float
        Rate of every clip, in Hz.
    indices : ndarray of shape (n_clips,), int64
        Positions of the clips in the X given to `as_clips`; errors name these.
    """

    def __init__(
        self,
        source: NDArray[Any] | Sequence[Any],
        kind: str,
        *,
        sample_rate: float,
        input_sample_rate: float,
        indices: NDArray[np.int64],
        cache: ClipCache,
    ) -> None:
        self._source = source
        self.kind = kind
        self.sample_rate = sample_rate
        self._input_sample_rate = input_sample_rate
        self.indices = indices
        self._cache = cache
        self._segments = SegmentReader()

    def __len__(self) -> int:
        return len(self.indices)

    def __repr__(self) -> str:
        return f"<{len(self)} clips at {self.sample_rate:g} Hz from {self.kind}>"

    def take(self, indices: ArrayLike) -> "Clips":
        """Return the clips at these positions (integers or a mask), still lazy, sharing the cache."""
        return Clips(
            self._source,
            self.kind,
            sample_rate=self.sample_rate,
            input_sample_rate=self._input_sample_rate,
            indices=self.indices[np.asarray(indices)],
            cache=self._cache,
        )

    def read(self, i: int) -> NDArray[np.float32]:
        """Return one clip (n_times,), decoded, mixed down, resampled and checked; not to be written to.

        Raises
        ------
        ValueError
            The clip is empty, not finite or beyond float32's range once squared; the message names its index in X.
        AudioFileError
            The file cannot be used; the message names it.
        """
        index = int(self.indices[i])
        is_costly = self.kind == "files" or self._input_sample_rate != self.sample_rate
        clip = self._cache.get(index) if is_costly else None
        if clip is None:
            clip = self._decode(index).view()
            clip.flags.writeable = False
            if is_costly:
                self._cache.put(index, clip)
        return clip

    def _decode(self, index: int) -> NDArray[np.float32]:
        if self.kind == "files":
            source = self._source[index]
            if isinstance(source, AudioSegment):
                return self._segments.read(source, sample_rate=self.sample_rate)
            return read_audio(source, sample_rate=self.sample_rate)
        with np.errstate(over="ignore"):
            clip = np.ascontiguousarray(self._source[index], dtype=np.float32)
        check_samples(clip, f"Clip {index}")
        return resample(clip, self._input_sample_rate, self.sample_rate)

    def paths(self) -> list[str | AudioSegment]:
        """List the files or windows of files, in order."""
        return [self._source[index] for index in self.indices]

    def contents(self) -> Iterator[bytes]:
        """Yield what tells each clip from others: samples before resampling as float32; name and size of a file."""
        for index in self.indices:
            if self.kind == "files":
                path = self._source[index]
                part = f" {path.start} {path.stop}" if isinstance(path, AudioSegment) else ""
                yield f"{os.path.basename(path)} {os.stat(path).st_size}{part}\n".encode(errors="surrogateescape")
            else:
                clip = np.ascontiguousarray(self._source[index], dtype=np.float32)
                yield f"{len(clip)}\n".encode() + clip.tobytes()

    def batches(
        self, batch_size: int, *, equal_lengths: bool = False, max_samples: int = MAX_BATCH_SAMPLES
    ) -> Iterator[Batch]:
        """Read all clips in order, some at a time, zero-padded to the longest.

        Parameters
        ----------
        batch_size : int
            Clips of a batch, at most.
        equal_lengths : bool
            Whether a batch ends where the next clip has another length, so that nothing is padded.
        max_samples : int
            Samples of a batch, padding included, at most; a longer clip is a batch of its own.

        Yields
        ------
        indices : ndarray of shape (B,), int64
            Positions of the clips in this object.
        waveforms : ndarray of shape (B, N), float32
            One clip a row, zeros behind it.
        lengths : ndarray of shape (B,), int64
            Samples of each clip.
        """
        if batch_size < 1:
            raise ValueError(f"Got batch_size={batch_size}, expected at least 1.")
        waiting: list[NDArray[np.float32]] = []
        longest = 0
        for i in range(len(self)):
            clip = self.read(i)
            padded = (len(waiting) + 1) * max(longest, len(clip))
            is_other = equal_lengths and len(clip) != longest
            if waiting and (len(waiting) == batch_size or padded > max_samples or is_other):
                yield _batch(waiting, stop=i)
                waiting, longest = [], 0
            waiting.append(clip)
            longest = max(longest, len(clip))
        if waiting:
            yield _batch(waiting, stop=len(self))


def _batch(clips: list[NDArray[np.float32]], *, stop: int) -> Batch:
    """Consecutive clips, the last at stop - 1 -> (indices (B,), waveforms (B, N), lengths (B,))."""
    lengths = np.array([len(clip) for clip in clips], dtype=np.int64)
    owner = clips[0].base
    alike = isinstance(owner, np.ndarray) and (owner.shape, owner.dtype) == (clips[0].shape, clips[0].dtype)
    if owner is not None and alike and len(clips) == 1 and owner.flags.writeable:
        # An hour is not copied. Torch warns of memory that it may not write to, so the protected view is left out.
        return np.arange(stop - 1, stop, dtype=np.int64), owner[None], lengths
    waveforms = np.zeros((len(clips), int(lengths.max())), dtype=np.float32)
    for row, clip in zip(waveforms, clips, strict=True):
        row[: len(clip)] = clip
    return np.arange(stop - len(clips), stop, dtype=np.int64), waveforms, lengths


def as_clips(X: Any, *, sample_rate: float, input_sample_rate: float | None = None) -> Clips:
    """Take any accepted X as clips, without reading a file yet.

    Parameters
    ----------
    X : 2-D array, sequence of 1-D arrays, or sequence of paths
        Numbers are taken as they are: integer arrays are not rescaled. Sequences may be lists, tuples, object arrays,
        pandas or polars Series, and frames or arrays of one column. Files may have any rate and number of channels.
    sample_rate : float
        Rate of the clips that come out, in Hz.
    input_sample_rate : float or None
        Rate of arrays, in Hz; None: they are at `sample_rate`. Files carry their own.

    Returns
    -------
    Clips
        The clips in order.

    Raises
    ------
    ValueError, TypeError
        X is a single path or clip, empty, sparse, mixes arrays with paths, or holds a clip that is empty, not 1-D or
        not numeric; the message names the first.
    AudioFileError
        Files are missing.
    """
    kind, content = unpack(X)
    return Clips(
        content,
        kind,
        sample_rate=sample_rate,
        input_sample_rate=sample_rate if input_sample_rate is None else input_sample_rate,
        indices=np.arange(len(content), dtype=np.int64),
        cache=ClipCache(CACHE_BYTES),
    )
