"""Impulse responses and windows, one row a filter."""

import math

import torch
from torch import Tensor

SIGMA_UNIT = math.sqrt(2.0 * math.log(2.0)) / math.pi


def sigma_limits(kernel_size: int) -> tuple[float, float]:
    """Narrowest and widest Gabor sigma in samples that a kernel of this size holds."""
    return 4.0 * SIGMA_UNIT, kernel_size * SIGMA_UNIT


def gabor_kernels(center: Tensor, sigma: Tensor, *, kernel_size: int) -> Tensor:
    """Complex Gabor filters, real parts above imaginary ones: (F,) and (F,) -> (2F, kernel_size).

    Parameters
    ----------
    center : Tensor of shape (F,)
        Centre frequency in radians per sample.
    sigma : Tensor of shape (F,)
        Standard deviation of the Gaussian envelope in samples.
    kernel_size : int
        Taps; the peak stands at index ``kernel_size // 2``.
    """
    time = torch.arange(-(kernel_size // 2), (kernel_size + 1) // 2, dtype=center.dtype, device=center.device)
    envelope = torch.exp(-(time**2) / (2.0 * sigma[:, None] ** 2)) / (math.sqrt(2.0 * math.pi) * sigma[:, None])
    phase = center[:, None] * time
    return without_traces(torch.cat([envelope * torch.cos(phase), envelope * torch.sin(phase)]))


def gaussian_lowpass(width: Tensor, *, kernel_size: int) -> Tensor:
    """Gaussian windows, unnormalised, one row a filter: (F,) -> (F, kernel_size).

    Parameters
    ----------
    width : Tensor of shape (F,)
        Standard deviation as a share of half the window, clipped to [2 / kernel_size, 0.5].
    kernel_size : int
        Taps, at least 4.
    """
    half = 0.5 * (kernel_size - 1)
    spread = width.clamp(2.0 / kernel_size, 0.5)[:, None] * half
    time = torch.arange(kernel_size, dtype=width.dtype, device=width.device)
    return without_traces(torch.exp(-0.5 * ((time - half) / spread) ** 2))


def without_traces(taps: Tensor) -> Tensor:
    """Zeros for taps whose square is no normal number.

    They add nothing to an energy, but sums with denormal numbers take some processors 25 times as long. Gradients pass:
    a tap may be small only because its cosine passes zero.
    """
    return taps - torch.where(taps.abs() < torch.finfo(taps.dtype).tiny ** 0.5, taps, 0.0).detach()


def hann_window(kernel_size: int) -> Tensor:
    """Hann window as the reference's STFT takes it, symmetric for odd sizes: (kernel_size,) float64."""
    return torch.hann_window(kernel_size, periodic=kernel_size % 2 == 0, dtype=torch.float64)


def sinc_kernels(low: Tensor, high: Tensor, *, kernel_size: int, filter_rate: float) -> Tensor:
    """Band-pass filters between two positive edges, scaled to a peak of 1: (F,) and (F,) -> (F, kernel_size).

    The difference of two ideal low-pass filters (Ravanelli and Bengio 2018, equation 4), without a window.

    Parameters
    ----------
    low, high : Tensor of shape (F,)
        Band edges in Hz.
    kernel_size : int
        Taps; the centre stands at index ``(kernel_size - 1) // 2``.
    filter_rate : float
        Sample rate in Hz.
    """
    time = torch.arange(1, kernel_size // 2 + 1, dtype=low.dtype, device=low.device) / filter_rate
    after = 2.0 * high[:, None] * _sinc(high, time) - 2.0 * low[:, None] * _sinc(low, time)
    middle = (2.0 * high - 2.0 * low)[:, None]
    kernels = torch.cat([after[:, : (kernel_size - 1) // 2].flip(1), middle, after], dim=1)
    peak = kernels.amax(dim=1, keepdim=True)
    # An empty band (both edges on Nyquist) is a zero filter, not 0 / 0.
    return kernels / torch.where(peak == 0.0, torch.ones_like(peak), peak)


def _sinc(edge: Tensor, time: Tensor) -> Tensor:
    """Ideal low-pass response after its peak, up to a factor: (F,) Hz and (J,) s -> (F, J)."""
    phase = 2.0 * math.pi * edge[:, None] * time
    return torch.sin(phase) / phase


def hamming_window(kernel_size: int) -> Tensor:
    """Hamming window of period ``kernel_size``, which is not symmetric: (kernel_size,) float64."""
    return torch.hamming_window(kernel_size, periodic=True, dtype=torch.float64)


def squared_hann_window(kernel_size: int) -> Tensor:
    """Start of TD-fbanks' lowpass, a squared Hann window late by one sample: (kernel_size,) float64."""
    index = torch.arange(kernel_size, dtype=torch.float64)
    return (0.5 * (1.0 - torch.cos(2.0 * math.pi * (index - 1.0) / (kernel_size - 1)))) ** 2
