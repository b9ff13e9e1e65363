"""Which GPU a worker process takes: the one that the fewest workers of this machine and user have taken."""

import multiprocessing
import os
import tempfile
from typing import IO

MAX_WORKERS = 64
"""Workers of one GPU that are told apart."""

_held: list[tuple[int, IO[str]]] = []
"""Place and lock of this process; the system lets go of the lock when the process ends, however it ends."""


def is_worker() -> bool:
    """Whether this process is a worker of joblib, Dask or multiprocessing."""
    return multiprocessing.current_process().name != "MainProcess"


def claim_gpu(n_gpus: int) -> int:
    """Return the index of a GPU for this process, the same each time.

    Workers take the lowest free of numbered places, which go round the GPUs; a place is a locked file.
    """
    if n_gpus < 2:
        return 0
    if not _held:
        _held.extend(_free_place(n_gpus))
    return _held[0][0] % n_gpus if _held else os.getpid() % n_gpus


def _free_place(n_gpus: int) -> list[tuple[int, IO[str]]]:
    try:
        import fcntl
    except ImportError:  # Windows
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "all").replace(os.sep, "_")
    for place in range(MAX_WORKERS * n_gpus):
        name = f"leaf-sklearn-{os.getuid()}-gpus-{visible}-place-{place}.lock"
        file = open(os.path.join(tempfile.gettempdir(), name), "a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            continue
        return [(place, file)]
    return []
