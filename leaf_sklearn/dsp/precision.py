"""The type for steps that float32 is too coarse for."""

import torch
from torch import Tensor


def precise_dtype(x: Tensor) -> torch.dtype:
    """Return float64, or the tensor's own type where its device has no float64."""
    return x.dtype if x.device.type == "mps" else torch.float64
