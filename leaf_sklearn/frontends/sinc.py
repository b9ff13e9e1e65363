"""Sinc filterbank (SincNet, Ravanelli and Bengio 2018)."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ..dsp.bands import band_edges
from ..dsp.kernels import hamming_window, sinc_kernels
from .filterbank import BankSettings, Filterbank
from .parameters import ReferenceArrays, as_floats

LOWEST_HZ = 50.0
NARROWEST_HZ = 50.0
SLOPE = 0.2


class SincBank(Filterbank):
    """Ideal band-pass filters with learned edges, and a leaky ReLU.

    Attributes
    ----------
    edges : Parameter of shape (F, 2)
        In Hz, as the reference keeps them: the lower edge stands at ``50 + |edges[:, 0]|``, the upper one
        ``50 + |edges[:, 1]|`` above it, at most at half the filter rate.
    filter_rate : int
        Sample rate that the filters are made for, in Hz: the frontend's own. The reference always takes 16000; setting
        that restores its filters at other rates.
    """

    window: Tensor
    squares = False

    def __init__(self, settings: BankSettings) -> None:
        super().__init__(settings)
        self.filter_rate = settings.span.sample_rate
        self.edges = nn.Parameter(torch.as_tensor(_start(settings), dtype=torch.float32))
        self.register_buffer("window", hamming_window(settings.window).float())

    def band(self) -> tuple[Tensor, Tensor]:
        """Lower and upper edges in Hz, (F,) and (F,)."""
        low = LOWEST_HZ + self.edges[:, 0].abs()
        high = low + NARROWEST_HZ + self.edges[:, 1].abs()
        return low, high.clamp(LOWEST_HZ, 0.5 * self.filter_rate)

    def kernels(self) -> Tensor:
        """Impulse responses, (F, kernel_size)."""
        low, high = self.band()
        kernels = sinc_kernels(low, high, kernel_size=self.kernel_size, filter_rate=self.filter_rate)
        return kernels * self.window

    def activation(self, filtered: Tensor) -> Tensor:
        """Leaky ReLU: (B, F, N) -> (B, F, N)."""
        return F.leaky_relu(filtered, SLOPE)

    def center_frequencies(self) -> NDArray[np.float64]:
        """Middle of every band in Hz, (F,)."""
        low, high = self.band()
        return as_floats(0.5 * (low + high))

    def bandwidths(self) -> NDArray[np.float64]:
        """Distance between the edges of every band in Hz, (F,)."""
        low, high = self.band()
        return as_floats(high - low)

    def load_reference(self, params: ReferenceArrays) -> None:
        """Take ``sinc_kernel`` (F, 2)."""
        params.fill(self, "edges", "sinc_kernel")


def _start(settings: BankSettings) -> NDArray[np.float64]:
    """Edges to start from, as the reference keeps them, (F, 2).

    On a scale the bands touch, and the reference takes each lower edge and width as they are, so that every band starts
    50 Hz higher and 50 Hz wider. Rows and random bands are met where they can be.
    """
    if isinstance(settings.init, str) and settings.init != "random":
        edges = band_edges(settings.init, settings.span)
        return np.stack([edges[:, 0], edges[:, 1] - edges[:, 0]], axis=1)
    bands = settings.start_bands(0)
    low = np.maximum(bands.center - 0.5 * bands.bandwidth, LOWEST_HZ)
    width = np.maximum(bands.bandwidth, NARROWEST_HZ)
    return np.stack([low - LOWEST_HZ, width - NARROWEST_HZ], axis=1)
