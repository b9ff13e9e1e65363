"""Full precision: the type for steps that float32 is too coarse for, and float32 that is not cut short."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def precise_dtype(x: Tensor) -> torch.dtype:
    """Return float64, or the tensor's own type where its device has no float64."""
    return x.dtype if x.device.type == "mps" else torch.float64


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
        matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
        before = matmul.allow_tf32, cudnn.allow_tf32
        matmul.allow_tf32 = cudnn.allow_tf32 = False
        try:
            yield
        finally:
            matmul.allow_tf32, cudnn.allow_tf32 = before
