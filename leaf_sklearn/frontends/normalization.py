"""What the reference puts around the three slots: pre-emphasis before, instance norm after."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .parameters import ReferenceArrays

INSTANCE_NORM_EPS = 1e-6


class PreEmphasis(nn.Module):
    """Learned first difference, ``y[n] = x[n + 1] - 0.97 x[n]`` at the start; the last sample sees a zero.

    Attributes
    ----------
    taps : Parameter of shape (2,)
        Weights of the present and the next sample.
    """

    def __init__(self) -> None:
        super().__init__()
        self.taps = nn.Parameter(torch.tensor([-0.97, 1.0]))

    def forward(self, waveforms: Tensor) -> Tensor:
        """(B, N), zero beyond each clip -> (B, N)."""
        return self.taps[0] * waveforms + self.taps[1] * F.pad(waveforms[:, 1:], (0, 1))

    def load_reference(self, params: ReferenceArrays) -> None:
        """Take ``preemp_kernel`` (2, 1, 1)."""
        params.fill(self, "taps", "preemp_kernel", lambda kernel: kernel.reshape(-1))


class InstanceNorm(nn.Module):
    """Zero mean and unit variance over each clip's own frames, a learned scale and shift a channel.

    Attributes
    ----------
    scale, shift : Parameter of shape (F,)
        Applied after the normalisation.
    """

    def __init__(self, n_filters: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(n_filters))
        self.shift = nn.Parameter(torch.zeros(n_filters))

    def forward(self, features: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """Normalise over time: (B, F, T) and (B,) -> (B, F, T); n_frames None takes every frame."""
        longest = features.shape[-1]
        if n_frames is None:
            n_frames = torch.full(features.shape[:1], longest, device=features.device)
        n_frames = n_frames.to(features.device)
        valid = (torch.arange(longest, device=features.device) < n_frames[:, None])[:, None]
        count = n_frames[:, None, None].to(features.dtype)
        centred = torch.where(valid, features - _sum(features, valid) / count, features.new_zeros(()))
        variance = _sum(centred**2, valid) / count
        normalised = centred * torch.rsqrt(variance + INSTANCE_NORM_EPS)
        return normalised * self.scale[:, None] + self.shift[:, None]

    def load_reference(self, params: ReferenceArrays) -> None:
        """Take ``inorm_gamma`` and ``inorm_beta``."""
        params.fill(self, "scale", "inorm_gamma")
        params.fill(self, "shift", "inorm_beta")


def _sum(values: Tensor, valid: Tensor) -> Tensor:
    """Sum over valid frames, (B, F, T) -> (B, F, 1), in an order that padding at the end does not change."""
    running = torch.where(valid, values, values.new_zeros(())).cumsum(-1, dtype=torch.float64)
    return running[..., -1:].to(values.dtype)
