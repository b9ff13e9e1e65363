"""Decoded clips that are kept, within a bound."""

from collections import OrderedDict
from threading import Lock

import numpy as np
from numpy.typing import NDArray


class ClipCache:
    """The clips used last, up to a number of bytes; safe to share between threads, empty after pickling."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._forget()

    def _forget(self) -> None:
        self.n_bytes = 0
        self._clips: OrderedDict[int, NDArray[np.float32]] = OrderedDict()
        self._lock = Lock()

    def get(self, index: int) -> NDArray[np.float32] | None:
        """Return a clip that is held, None otherwise."""
        with self._lock:
            if index not in self._clips:
                return None
            self._clips.move_to_end(index)
            return self._clips[index]

    def put(self, index: int, clip: NDArray[np.float32]) -> None:
        """Hold a clip; those unused for longest give way. A clip larger than the cache is not held."""
        if clip.nbytes > self.max_bytes:
            return
        with self._lock:
            if index in self._clips:
                return
            self._clips[index] = clip
            self.n_bytes += clip.nbytes
            while self.n_bytes > self.max_bytes:
                self.n_bytes -= self._clips.popitem(last=False)[1].nbytes

    def __getstate__(self) -> dict[str, int]:
        return {"max_bytes": self.max_bytes}

    def __setstate__(self, state: dict[str, int]) -> None:
        self.max_bytes = state["max_bytes"]
        self._forget()
