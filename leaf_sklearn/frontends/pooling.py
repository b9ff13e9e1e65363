"""Second slot of a frontend: from energies at every sample to one number a frame."""

from typing import overload

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..dsp.framing import frame_count, left_padding, left_padding_range, weighted_windows
from ..dsp.kernels import gaussian_lowpass, squared_hann_window
from .parameters import ReferenceArrays


class Pooling(nn.Module):
    """Geometry of frames: window and hop in samples, and how a clip's ends are treated.

    Parameters
    ----------
    n_filters : int
        Channels.
    kernel_size, hop : int
        Window and step in samples.
    """

    padding = "same"
    fill = 0.0

    def __init__(self, n_filters: int, kernel_size: int, hop: int) -> None:
        super().__init__()
        self.n_filters, self.kernel_size, self.hop = n_filters, kernel_size, hop

    @overload
    def n_frames(self, lengths: int) -> int: ...
    @overload
    def n_frames(self, lengths: Tensor) -> Tensor: ...
    def n_frames(self, lengths: int | Tensor) -> int | Tensor:
        """Frames of clips of these lengths in samples, at least one."""
        return frame_count(lengths, kernel_size=self.kernel_size, hop=self.hop, padding=self.padding)

    def left_padding(self, lengths: int | Tensor) -> int | Tensor:
        """Count the samples of padding before clips of these lengths."""
        return left_padding(lengths, kernel_size=self.kernel_size, hop=self.hop, padding=self.padding)

    def left_padding_range(self) -> tuple[int, int]:
        """Smallest and largest left padding over all lengths."""
        return left_padding_range(kernel_size=self.kernel_size, hop=self.hop, padding=self.padding)

    def load_reference(self, params: ReferenceArrays) -> None:
        """Take the reference's parameters out of ``params``."""


class StftFrames(Pooling):
    """Frames of a short-time Fourier transform: they start at multiples of the hop, zeros after the clip's end."""

    padding = "end"


class WeightedPooling(Pooling):
    """Weighted sums over windows; a subclass gives the weights."""

    def windows(self) -> Tensor:
        """Weights, one row a channel: (F, kernel_size)."""
        raise NotImplementedError

    def forward(self, energies: Tensor) -> Tensor:
        """Weighted sums over every window: (B, F, L) -> (B, F, (L - kernel_size) // hop + 1)."""
        return weighted_windows(energies, self.windows(), hop=self.hop)


class GaussianPooling(WeightedPooling):
    """Gaussian lowpass with a learned width a channel (section 3.2 of the LEAF paper).

    Attributes
    ----------
    width : Parameter of shape (F,)
        Standard deviation as a share of half the window, clipped to [2 / kernel_size, 0.5] in the forward pass.
    """

    def __init__(self, n_filters: int, kernel_size: int, hop: int) -> None:
        super().__init__(n_filters, kernel_size, hop)
        self.width = nn.Parameter(torch.full((n_filters,), 0.4))

    @property
    def clipped_width(self) -> Tensor:
        """Widths as they are used, (F,)."""
        return self.width.clamp(2.0 / self.kernel_size, 0.5)

    def windows(self) -> Tensor:
        """Weights, one row a channel: (F, kernel_size)."""
        return gaussian_lowpass(self.clipped_width, kernel_size=self.kernel_size)

    def load_reference(self, params: ReferenceArrays) -> None:
        """Take ``pooling_kernel`` (1, 1, F, 1)."""
        params.fill(self, "width", "pooling_kernel", lambda kernel: kernel.reshape(-1))


class LowpassPooling(WeightedPooling):
    """One learned window shared by all channels, over frames that lie inside the clip (TD-fbanks).

    Attributes
    ----------
    taps : Parameter of shape (kernel_size,)
        The window.
    """

    padding = "valid"

    def __init__(self, n_filters: int, kernel_size: int, hop: int) -> None:
        super().__init__(n_filters, kernel_size, hop)
        self.taps = nn.Parameter(squared_hann_window(kernel_size).float())

    def windows(self) -> Tensor:
        """Weights, one row a channel: (F, kernel_size)."""
        return self.taps.expand(self.n_filters, -1)

    def load_reference(self, params: ReferenceArrays) -> None:
        """Take ``pooling_kernel`` (1, K, 1, 1)."""
        params.fill(self, "taps", "pooling_kernel", lambda kernel: kernel.reshape(-1))


class MaxPooling(Pooling):
    """Largest value of every window (SincNet)."""

    fill = -float("inf")

    def forward(self, energies: Tensor) -> Tensor:
        """Maxima over every window: (B, F, L) -> (B, F, (L - kernel_size) // hop + 1)."""
        pooled = F.max_pool1d(energies, self.kernel_size, stride=self.hop)
        # A window wholly outside its clip is no frame of it; it only has to be finite.
        return torch.where(torch.isneginf(pooled), pooled.new_zeros(()), pooled)


POOLINGS: dict[str, type[Pooling]] = {"gaussian": GaussianPooling, "lowpass": LowpassPooling, "max": MaxPooling}
