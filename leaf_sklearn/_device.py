"""Where tensors live: the device that a name stands for, and what happens when its memory is full."""

import gc
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch

from ._gpus import claim_gpu, is_worker

R = TypeVar("R")


def resolve_device(device: str) -> torch.device:
    """Return the device named, "auto" meaning CUDA or else the CPU; ValueError if it is not there.

    Others do not compute in float64, which frontends need here and there.

    "cuda" without a number is the current device, in worker processes one of those visible, so that all are used.
    """
    if device == "auto":
        return _some_gpu() if torch.cuda.is_available() else torch.device("cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"Got device={device!r}, expected 'auto' or one of {_available()}.") from error
    present = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (chosen.index or 0) < torch.cuda.device_count(),
    }
    if not present.get(chosen.type, False):
        raise ValueError(
            f"Got device={device!r}, which is not available here; expected 'auto' or one of {_available()}."
        )
    return _some_gpu() if chosen.type == "cuda" and chosen.index is None else chosen


def _some_gpu() -> torch.device:
    return torch.device("cuda", claim_gpu(torch.cuda.device_count())) if is_worker() else torch.device("cuda")


class Halving:
    """Calls functions on the rows of arrays, from the first failure on with half as many rows where memory is full."""

    def __init__(self) -> None:
        self.rows: int | None = None

    def __call__(self, function: Callable[..., R], *arrays: Any) -> Iterator[R]:
        """Yield ``function(*rows)`` for consecutive rows that together are all; more than one where they must be cut.

        Raises
        ------
        torch.OutOfMemoryError
            A single row does not fit.
        """
        start, stop = 0, len(arrays[0])
        while start < stop:
            size = min(stop - start, self.rows or stop)
            try:
                result = function(*(array[start : start + size] for array in arrays))
            except torch.cuda.OutOfMemoryError as error:
                if size == 1:
                    error.add_note("One clip alone does not fit: cut it into windows (Windower) or use device='cpu'.")
                    raise
                self.rows = size // 2
            else:
                yield result
                del result
                start += size
                continue
            # here the failed call's tensors are gone
            torch.cuda.empty_cache()


def free_memory(device: torch.device) -> None:
    """Give memory that nothing uses any longer back to the GPU."""
    if device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()


def _available() -> list[str]:
    return ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
