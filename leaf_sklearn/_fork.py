"""Torch's threads do not survive a fork: a forked process that uses torch again waits for them for ever."""

import os

import torch


class _Torch:
    threads = 0
    """Most threads that this process has computed with."""
    inherited = 0
    """The same of the process that this one was forked from; 0 in a process of its own."""


def _after_fork() -> None:
    _Torch.inherited = max(_Torch.threads, _Torch.inherited)


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_after_fork)


def would_hang() -> bool:
    """Whether torch would hang in this process, which was forked after torch had run."""
    return _Torch.inherited > 1


def check_fork() -> None:
    """Note that torch is about to run here; RuntimeError where it would hang."""
    if would_hang():
        raise RuntimeError(
            f"This process was forked from one in which torch had run with {_Torch.inherited} threads; torch would "
            "hang here. Use joblib's loky backend (the default) or the start method 'spawn' or 'forkserver' of "
            "multiprocessing, or set OMP_NUM_THREADS=1 before torch is imported."
        )
    note_torch()


def note_torch() -> None:
    """Note that torch runs here; an error while a model is unpickled would end a worker and leave its pool waiting."""
    _Torch.threads = max(_Torch.threads, torch.get_num_threads())
    if torch.cuda.is_initialized():
        _Torch.threads = max(_Torch.threads, 2)  # a CUDA context does not survive either
