"""Gabor filterbank (section 3.1 of the LEAF paper)."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from ..dsp.band_weights import PreparedBands
from ..dsp.bandlimited import pooled_energies
from ..dsp.bands import Bands, distinct
from ..dsp.kernels import gabor_kernels, sigma_limits
from ..dsp.scales import Floats
from .fast import gabor_bands, gabor_energies
from .filterbank import BankSettings, Filterbank
from .parameters import ReferenceArrays, as_floats, assign
from .pooling import GaussianPooling, Pooling
from .spectrum import fitting_n_fft


def gabor_start(settings: BankSettings) -> tuple[Floats, Floats, Bands]:
    """Centres in radians per sample and sigmas in samples, unclipped, with the bands they come from: (F,), (F,)."""

    def both(n_fft: int) -> tuple[Floats, Floats, Bands]:
        bands = settings.start_bands(n_fft)
        center = 2.0 * np.pi / settings.span.sample_rate * bands.center
        with np.errstate(divide="ignore"):
            sigma = np.sqrt(np.log(2.0)) * settings.span.sample_rate / (np.pi * bands.bandwidth)
        return center, sigma, bands

    if not settings.reads_matrix:
        return both(0)
    limits = sigma_limits(settings.window)

    def fits(n_fft: int) -> bool:
        center, sigma, bands = both(n_fft)
        rows = np.stack([center, np.clip(sigma, *limits)], axis=1)
        return bool((bands.area > 0.0).all()) and distinct(rows)

    return both(settings.n_fft or fitting_n_fft(settings.window, fits))


class GaborBank(Filterbank):
    """Gaussian-windowed complex exponentials with a learned centre and width, and their squared modulus.

    Attributes
    ----------
    raw_center, raw_sigma : Parameter of shape (F,)
        Centre in radians per sample and sigma in samples as the optimiser sees them, possibly out of range.
    """

    def __init__(self, settings: BankSettings) -> None:
        super().__init__(settings)
        self.held: PreparedBands | None = None
        center, sigma, _ = gabor_start(settings)
        self.sort_filters = settings.sort_filters
        self.raw_center = nn.Parameter(torch.as_tensor(center, dtype=torch.float32))
        self.raw_sigma = nn.Parameter(torch.as_tensor(sigma, dtype=torch.float32))

    @property
    def center(self) -> Tensor:
        """Centre frequencies in radians per sample, in [0, pi], (F,)."""
        return self.raw_center.clamp(0.0, math.pi)

    @center.setter
    def center(self, value: Tensor) -> None:
        assign(self, "raw_center", value)

    @property
    def sigma(self) -> Tensor:
        """Widths of the envelope in samples, within what the kernel holds, (F,)."""
        return self.raw_sigma.clamp(*sigma_limits(self.kernel_size))

    @sigma.setter
    def sigma(self, value: Tensor) -> None:
        assign(self, "raw_sigma", value)

    def ordered(self) -> tuple[Tensor, Tensor]:
        """Centres and sigmas in the order of the channels: by centre where filters are sorted, (F,) and (F,)."""
        center, sigma = self.center, self.sigma
        if not self.sort_filters:
            return center, sigma
        order = torch.argsort(center, stable=True)
        return center[order], sigma[order]

    def kernels(self) -> Tensor:
        """Impulse responses, real parts above imaginary ones, (2F, kernel_size)."""
        return gabor_kernels(*self.ordered(), kernel_size=self.kernel_size)

    def fast_energies(self, waveforms: Tensor, lengths: Tensor | None, pooling: Pooling) -> Tensor:
        """Energies by band-limited transforms under a Gaussian lowpass, otherwise by overlap-save."""
        if self.held is not None:
            return pooled_energies(waveforms, lengths, self.held)
        # The band-limited form reads the parameters' values, of which the meta device has none.
        if not isinstance(pooling, GaussianPooling) or waveforms.device.type == "meta":
            return super().fast_energies(waveforms, lengths, pooling)
        width = pooling.clipped_width
        return gabor_energies(waveforms, lengths, *self.ordered(), width, kernel_size=self.kernel_size, hop=pooling.hop)

    def hold(self, pooling: Pooling) -> None:
        """Fix the band-limited form's constants at the parameters' present values."""
        if self.fast and isinstance(pooling, GaussianPooling):
            self.held = gabor_bands(
                *self.ordered(),
                pooling.clipped_width,
                kernel_size=self.kernel_size,
                hop=pooling.hop,
                dtype=self.raw_center.dtype,
            )

    def center_frequencies(self) -> Floats:
        """Centre of every filter in Hz, (F,)."""
        return as_floats(self.ordered()[0]) * (self.sample_rate / (2.0 * np.pi))

    def bandwidths(self) -> Floats:
        """Full width at half maximum of every filter's power response in Hz, (F,)."""
        return np.sqrt(np.log(2.0)) * self.sample_rate / (np.pi * as_floats(self.ordered()[1]))

    def project_(self) -> None:
        """Clip centre and sigma to their ranges (the reference's constraint)."""
        assign(self, "raw_center", self.center.detach())
        assign(self, "raw_sigma", self.sigma.detach())

    def load_reference(self, params: ReferenceArrays) -> None:
        """Take ``gabor_kernel`` (F, 2)."""
        kernel = params.take("gabor_kernel")
        if kernel.shape != (self.n_filters, 2):
            raise ValueError(f"Got gabor_kernel laid out as {kernel.shape}, expected {(self.n_filters, 2)}.")
        assign(self, "raw_center", kernel[:, 0])
        assign(self, "raw_sigma", kernel[:, 1])
