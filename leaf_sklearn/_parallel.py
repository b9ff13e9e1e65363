"""Work for joblib's workers, whichever backend: how many there are, and the model, which is sent to each once."""

import hashlib
import pickle
import sys
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

import joblib
import numpy as np
from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.backend.reduction import dumps
from joblib.parallel import get_active_backend
from numpy.typing import NDArray

Packed = NDArray[np.uint8]
"""A digest of 32 bytes and the pickle behind it: an array, for joblib maps or scatters arrays once and not per job."""

MAPPED_BYTES = 1000
"""Larger arrays go to processes of one machine through a file that all map."""

T = TypeVar("T")
R = TypeVar("R")

_unpacked: dict[bytes, Any] = {}


def n_workers(n_jobs: int | None = None) -> int:
    """Count the workers that joblib would use here; None means what ``joblib.parallel_config`` says, otherwise 1."""
    return 1 if _in_dask_worker() else int(joblib.effective_n_jobs(n_jobs))


def map_with_model(
    function: Callable[[Any, T], R], model: Any, items: Iterable[T], n_jobs: int | None = None
) -> Generator[R]:
    """Yield ``function(model, item)`` for each item in order, computed by joblib's workers."""
    packed = pack(model)
    jobs = (delayed(_call)(function, packed, item) for item in items)
    backend, _ = get_active_backend()
    client = getattr(backend, "client", None)
    # joblib sends an array to one worker of Dask, and all that wait for it fail if that worker dies
    to_all = nullcontext() if client is None else parallel_config(backend="dask", client=client, scatter=[packed])
    with one_thread_each(), to_all:
        if not backend.supports_return_generator:  # "multiprocessing"
            yield from Parallel(n_jobs=n_jobs, max_nbytes=MAPPED_BYTES)(jobs)
            return
        results = Parallel(n_jobs=n_jobs, return_as="generator", max_nbytes=MAPPED_BYTES)(jobs)
        try:
            # not "yield from", which would close the results before the warning is out of the way
            for result in results:  # noqa: UP028
                yield result
        finally:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", r".*tasks .*(not used|cancelled)", UserWarning)
                results.close()


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Give processes of this machine one thread each; other backends have settings of their own."""
    backend, n_jobs = get_active_backend()
    is_loky = backend.supports_inner_max_num_threads and getattr(backend, "inner_max_num_threads", None) is None
    with parallel_config(backend="loky", n_jobs=n_jobs, inner_max_num_threads=1) if is_loky else nullcontext():
        yield


def pack(model: Any) -> Packed:
    """Pickle a model, also one with classes of a script."""
    content = bytes(dumps(model))
    return np.frombuffer(hashlib.sha256(content).digest() + content, dtype=np.uint8)


def unpack(packed: Packed) -> Any:
    """Return the model; a process keeps the last one."""
    digest = packed[:32].tobytes()
    model = _unpacked.get(digest)
    if model is None:
        model = pickle.loads(packed[32:].tobytes())
        _unpacked.clear()
        _unpacked[digest] = model
    return model


def _call(function: Callable[[Any, T], R], packed: Packed, item: T) -> R:
    return function(unpack(packed), item)


def _in_dask_worker() -> bool:
    """Whether this runs in a task of Dask, where every core has its task already."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return False
    try:
        distributed.get_worker()
    except ValueError:
        return False
    return True
