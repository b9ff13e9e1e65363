"""First slot of a frontend: what every filterbank offers, and how filters are run over clips."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..dsp.bands import Bands, FilterRange, matrix_bands, random_bands, row_bands, scale_bands, scale_matrix
from ..dsp.framing import correlate, place_clips
from ..dsp.scales import Floats
from .fast import SHORT_WINDOWS, by_length, fill_outside_, free_energies, overlap_save_energies
from .parameters import ReferenceArrays
from .pooling import Pooling, WeightedPooling

# Numbers in the arrays of a convolution: 16 MB on a CPU, elsewhere 0.5 GB.
CHUNK_CPU, CHUNK_ELSEWHERE = 2**22, 2**27


def numbers_at_once(device: torch.device) -> int:
    """Count the numbers that an array may hold where the work can be done in parts."""
    return CHUNK_CPU if device.type == "cpu" else CHUNK_ELSEWHERE


@dataclass(frozen=True)
class BankSettings:
    """What a filterbank is built from: resolved settings, the window in samples."""

    span: FilterRange
    window: int
    init: str | Floats = "mel"
    n_fft: int | None = None
    sort_filters: bool = False
    fast: bool = False
    generator: torch.Generator | None = None

    @property
    def reads_matrix(self) -> bool:
        """Whether the start is read off a mel matrix, so that ``n_fft`` matters."""
        return isinstance(self.init, str) and self.init == "mel"

    def start_bands(self, n_fft: int) -> Bands:
        """Centres and widths to start from, the mel ones read off a matrix of ``n_fft`` bins as the reference does."""
        if isinstance(self.init, np.ndarray):
            return row_bands(self.init, sample_rate=self.span.sample_rate)
        if self.init == "random":
            return random_bands(self.span, self.generator)
        if self.reads_matrix:
            return matrix_bands(scale_matrix("mel", self.span, n_fft=n_fft), sample_rate=self.span.sample_rate)
        return scale_bands(self.init, self.span)


class Filterbank(nn.Module):
    """Filters over waveforms; a subclass gives ``kernels`` and, where it is not the squared modulus, ``activation``.

    Parameters
    ----------
    settings : BankSettings
        Sizes, range and start.
    """

    energy_floor: float | None = 1e-5
    equal_lengths = False
    has_fast_form = True  # whether energies have a faster form than the one that they are defined by
    squares = True  # whether the activation is the squared modulus

    def __init__(self, settings: BankSettings) -> None:
        super().__init__()
        self.sample_rate, self.n_filters = settings.span.sample_rate, settings.span.n_filters
        self.kernel_size, self.fast = settings.window, settings.fast

    def kernels(self) -> Tensor:
        """Taps, (C, kernel_size), with which clips are correlated: impulse responses backwards in time."""
        raise NotImplementedError

    def activation(self, filtered: Tensor) -> Tensor:
        """Squared modulus of complex filters, real parts first: (B, 2F, N) -> (B, F, N)."""
        real, imaginary = filtered.chunk(2, dim=1)
        return real**2 + imaginary**2

    def center_frequencies(self) -> NDArray[np.float64] | None:
        """Centre of every filter in Hz, (F,); None where there is no such thing."""
        raise NotImplementedError

    def bandwidths(self) -> NDArray[np.float64] | None:
        """Full width at half maximum of every filter's power response in Hz, (F,)."""
        raise NotImplementedError

    def hold(self, pooling: Pooling) -> None:
        """Fix what `energies` would otherwise read from the parameters on the host at every call, if anything."""

    def project_(self) -> None:
        """Put parameters back into their ranges after an optimiser step."""

    def load_reference(self, params: ReferenceArrays) -> None:
        """Take the reference's parameters out of ``params``."""
        raise NotImplementedError

    def energies(self, waveforms: Tensor, lengths: Tensor | None, pooling: Pooling) -> Tensor:
        """Filter at every sample, activate and pool: (B, N) and (B,) -> (B, F, T)."""
        if not self.fast:
            return self.convolved_energies(waveforms, lengths, pooling)
        return by_length(
            waveforms,
            lengths,
            shortest=SHORT_WINDOWS * self.kernel_size,
            short=lambda clips, counts: self.convolved_energies(clips, counts, pooling),
            long=lambda clips, counts: self.fast_energies(clips, counts, pooling),
        )

    def fast_energies(self, waveforms: Tensor, lengths: Tensor | None, pooling: Pooling) -> Tensor:
        """Energies of clips of at least two windows, by the fastest form there is for these filters."""
        if self.squares and isinstance(pooling, WeightedPooling):
            return free_energies(waveforms, lengths, self.kernels(), pooling.windows(), pooling)
        return overlap_save_energies(waveforms, lengths, self.kernels(), self.activation, pooling)

    def convolved_energies(self, waveforms: Tensor, lengths: Tensor | None, pooling: Pooling) -> Tensor:
        """Energies by convolution.

        Positions count from the first frame's first sample, so that frame t always covers [t hop, t hop + window) and a
        clip starts at its own left padding. Long clips are worked on in chunks of frames.
        """
        n_times = waveforms.shape[1]
        kernels = self.kernels()
        before, window, hop = (self.kernel_size - 1) // 2, pooling.kernel_size, pooling.hop
        counts = n_times if lengths is None else lengths
        left = pooling.left_padding(counts)
        first, last = (int(left), int(left)) if lengths is None else pooling.left_padding_range()
        last += n_times
        placed = place_clips(waveforms, lengths, left, start=first - before, stop=last - before + self.kernel_size - 1)
        n_frames = pooling.n_frames(n_times)
        step = max(numbers_at_once(waveforms.device) // (len(waveforms) * len(kernels) * hop), 1)
        pooled = []
        for frame in range(0, n_frames, step):
            start, stop = frame * hop, (min(frame + step, n_frames) - 1) * hop + window
            low, high = max(start, first), min(stop, last)
            filtered = correlate(placed[:, low - first : high - first + self.kernel_size - 1], kernels)
            energies = fill_outside_(self.activation(filtered), low, left, counts, pooling.fill)
            pooled.append(pooling(nn.functional.pad(energies, (low - start, stop - high), value=pooling.fill)))
        return torch.cat(pooled, dim=-1)
