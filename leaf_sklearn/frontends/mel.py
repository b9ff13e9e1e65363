"""Mel filterbank: a fixed matrix over the power spectrum of each frame."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..dsp.bands import band_matrix, distinct, scale_matrix
from ..dsp.framing import multiply_rows, place_clips
from ..dsp.kernels import hann_window
from .filterbank import BankSettings, Filterbank, numbers_at_once
from .parameters import ReferenceArrays, as_floats
from .pooling import Pooling
from .spectrum import fitting_n_fft, half_width


def _matrix(settings: BankSettings, n_fft: int) -> NDArray[np.float64]:
    """Triangular weights on the bins of one transform size, (F, n_fft // 2 + 1)."""
    if isinstance(settings.init, str) and settings.init != "random":
        return scale_matrix(settings.init, settings.span, n_fft=n_fft)
    return band_matrix(settings.start_bands(n_fft), sample_rate=settings.span.sample_rate, n_fft=n_fft)


class MelBank(Filterbank):
    """Triangles over the power spectrum of Hann-windowed frames; nothing is learned.

    Attributes
    ----------
    matrix : buffer of shape (n_fft // 2 + 1, F)
        Weight of each bin in each filter.
    """

    energy_floor = None
    has_fast_form = False

    def __init__(self, settings: BankSettings) -> None:
        super().__init__(settings)
        self.n_fft = settings.n_fft or fitting_n_fft(settings.window, lambda n_fft: distinct(_matrix(settings, n_fft)))
        if self.n_fft < settings.window:
            raise ValueError(f"Got n_fft={self.n_fft}, expected at least the window of {settings.window} samples.")
        weights = np.ascontiguousarray(_matrix(settings, self.n_fft).T)
        self.register_buffer("matrix", torch.as_tensor(weights, dtype=torch.float32))
        self.register_buffer("taper", hann_window(settings.window).float())

    matrix: Tensor
    taper: Tensor

    def energies(self, waveforms: Tensor, lengths: Tensor | None, pooling: Pooling) -> Tensor:
        """Mel energies of every frame: (B, N) and (B,) -> (B, F, T)."""
        n_frames, window, hop = pooling.n_frames(waveforms.shape[1]), pooling.kernel_size, pooling.hop
        stop = (n_frames - 1) * hop + window
        frames = place_clips(waveforms, lengths, 0, start=0, stop=stop).unfold(1, window, hop)
        step = max(numbers_at_once(waveforms.device) // (len(waveforms) * self.n_fft), 1)
        return torch.cat([self._spectral(part) for part in frames.split(step, dim=1)], dim=1).transpose(1, 2)

    def _spectral(self, frames: Tensor) -> Tensor:
        """Mel energies of frames: (B, T, window) -> (B, T, F)."""
        # In float32 the transform's rounding is all that quiet bins of a pure tone hold.
        spectrum = torch.fft.rfft((frames * self.taper).to(torch.float64), n=self.n_fft)
        power = (spectrum.real**2 + spectrum.imag**2).to(frames.dtype)
        return multiply_rows(power.flatten(0, 1), self.matrix).reshape(*frames.shape[:2], -1)

    def center_frequencies(self) -> NDArray[np.float64]:
        """Bin of the largest weight of every filter in Hz, (F,)."""
        return as_floats(self.matrix).argmax(axis=0) * (self.sample_rate / self.n_fft)

    def bandwidths(self) -> NDArray[np.float64]:
        """Width between the points where each triangle crosses half its peak, in Hz, (F,)."""
        return np.array([half_width(column) for column in as_floats(self.matrix).T]) * (self.sample_rate / self.n_fft)

    def load_reference(self, params: ReferenceArrays) -> None:
        """Take ``mel_matrix`` (n_fft // 2 + 1, F)."""
        params.fill(self, "matrix", "mel_matrix")
