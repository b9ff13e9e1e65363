"""Files decoded ahead by threads, in order, within a budget of memory."""

from collections import Counter, deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from queue import SimpleQueue
from threading import Condition

import numpy as np
from numpy.typing import NDArray

from .._clips.audio import AudioFileError, audio_length, read_audio
from .._clips.segments import Grid, read_windows

MAX_SAMPLES = 2**25
"""Samples decoded ahead, at most: 128 MiB. One clip that is longer waits for all others to be done with."""

FILES_AHEAD = 64
"""Files opened ahead, at most."""


@dataclass(frozen=True)
class Decoded:
    """A clip of a file; or, with no clip, the end of the file and what was wrong with it."""

    path: str
    start: float = 0.0
    clip: NDArray[np.float32] | None = None
    error: AudioFileError | None = None


class Stopped(Exception):
    """Tells a decoding thread that nobody waits for it any longer."""


class Budget:
    """Samples that may be held at once; the file at the head of the line always gets its first clip."""

    def __init__(self, max_samples: int) -> None:
        self.max_samples = max_samples
        self._held: Counter[int] = Counter()
        self._head = 0
        self._stopped = False
        self._changed = Condition()

    def take(self, n_samples: int, place: int) -> None:
        """Wait until so many samples are free, or this file is the first in line and holds none."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._stopped
                    or self._held.total() + n_samples <= self.max_samples
                    or (place == self._head and not self._held[place])
                )
            )
            if self._stopped:
                raise Stopped
            self._held[place] += n_samples

    def give(self, n_samples: int, place: int) -> None:
        """Give samples back; a negative number takes more without waiting."""
        with self._changed:
            self._held[place] -= n_samples
            self._changed.notify_all()

    def next_file(self) -> None:
        """Let the next file be the first in line."""
        with self._changed:
            del self._held[self._head]
            self._head += 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Wake and end all that wait."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()


def decode_ahead(
    files: Iterable[str], *, sample_rate: float, grid: Grid | None, threads: int, max_samples: int = MAX_SAMPLES
) -> Generator[Decoded]:
    """Clips of files in order, then the end of each file; whole files, or windows where there is a grid."""
    budget = Budget(max_samples)
    numbered = enumerate(files)
    waiting: deque[tuple[int, SimpleQueue[Decoded], Future[None]]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    try:
        while True:
            for place, path in islice(numbered, FILES_AHEAD - len(waiting)):
                queue: SimpleQueue[Decoded] = SimpleQueue()
                waiting.append((place, queue, pool.submit(_decode, path, place, queue, budget, sample_rate, grid)))
            if not waiting:
                return
            place, queue, done = waiting.popleft()
            while (decoded := queue.get()).clip is not None:
                n_samples = len(decoded.clip)
                yield decoded
                budget.give(n_samples, place)
            done.result()  # raises what is not the file's fault
            budget.next_file()
            yield decoded
    finally:
        budget.stop()
        pool.shutdown(cancel_futures=True)


def _decode(
    path: str, place: int, queue: SimpleQueue[Decoded], budget: Budget, sample_rate: float, grid: Grid | None
) -> None:
    error = None
    try:
        if grid is None:
            n_samples = audio_length(path, sample_rate=sample_rate)
            budget.take(n_samples, place)
            clip = read_audio(path, sample_rate=sample_rate)
            budget.give(n_samples - len(clip), place)  # the headers of MP3s guess
            queue.put(Decoded(path, 0.0, clip))
        else:
            for start, clip in read_windows(path, grid, sample_rate=sample_rate):
                budget.take(len(clip), place)
                queue.put(Decoded(path, start, clip))
    except AudioFileError as caught:
        error = caught
    finally:
        queue.put(Decoded(path, error=error))
