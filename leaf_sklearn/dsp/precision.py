"""Full precision: float32 that is not cut short."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Compute without autocast and, on CUDA, without TF32, whose ten bits of mantissa cost 1e-3 of an energy."""
    if not torch.amp.is_autocast_available(device.type):
        yield
        return
    with torch.autocast(device.type, enabled=False):
        if device.type != "cuda":
            yield
            return
        _TF32.off()
        try:
            yield
        finally:
            _TF32.restore()


class _Switch:
    """TF32 off while any thread is in a block; the last one out restores what the first one found."""

    def __init__(self) -> None:
        self.lock, self.inside = threading.Lock(), 0
        self.restore_all: Callable[[], None] = lambda: None

    def off(self) -> None:
        with self.lock:
            if not self.inside:
                self.restore_all = _without_tf32()
            self.inside += 1

    def restore(self) -> None:
        with self.lock:
            self.inside -= 1
            if not self.inside:
                self.restore_all()


_TF32 = _Switch()


def _without_tf32() -> Callable[[], None]:
    """Turn TF32 off and return what turns it back.

    Torch has old switches and new ones. The old ones set the new too, but to read them is an error once someone has set
    a new one.
    """
    matmul = torch.backends.cuda.matmul
    cudnn: Any = torch.backends.cudnn  # whose stubs lack some switches
    if not hasattr(cudnn, "conv"):  # torch before 2.9
        old = matmul.allow_tf32, cudnn.allow_tf32
        matmul.allow_tf32 = cudnn.allow_tf32 = False

        def restore_old() -> None:
            matmul.allow_tf32, cudnn.allow_tf32 = old

        return restore_old
    conv, rnn = cudnn.conv, cudnn.rnn
    new = matmul.fp32_precision, conv.fp32_precision, rnn.fp32_precision
    level, flag = _told(torch.get_float32_matmul_precision), _told(lambda: cudnn.allow_tf32)
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    conv.fp32_precision = "ieee"

    def restore_new() -> None:
        if level is not None:
            torch.set_float32_matmul_precision(level)
        if flag is not None:
            cudnn.allow_tf32 = flag
        matmul.fp32_precision, conv.fp32_precision, rnn.fp32_precision = new

    return restore_new


def _told(read: Callable[[], Any]) -> Any:
    """Value of an old switch, None where torch will not tell."""
    try:
        return read()
    except RuntimeError:
        return None
