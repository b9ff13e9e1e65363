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
    return torch.cat([envelope * torch.cos(phase), envelope * torch.sin(phase)])


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
    return torch.exp(-0.5 * ((time - half) / spread) ** 2)


def hann_window(kernel_size: int) -> Tensor:
    """Hann window as the reference's STFT takes it, symmetric for odd sizes: (kernel_size,) float64."""
    return torch.hann_window(kernel_size, periodic=kernel_size % 2 == 0, dtype=torch.float64)


def sinc_kernels(low: Tensor, high: Tensor, *, kernel_size: int, filter_rate: float) -> Tensor:
    """Band-pass filters between two edges, peak 1 before the window: (F,) and (F,) Hz -> (F, kernel_size).

    The difference of two ideal low-pass filters (Ravanelli and Bengio 2018, equation 4) times a Hamming window of period
    ``kernel_size``, as the reference takes it.

    Parameters
    ----------
    low, high : Tensor of shape (F,)
        Band edges in Hz.
    kernel_size : int
        Taps; the centre stands at index ``(kernel_size - 1) // 2``.
    filter_rate : float
        Sample rate in Hz.
    """
    index = torch.arange(kernel_size, dtype=low.dtype, device=low.device)
    time = (index - (kernel_size - 1) // 2) / filter_rate
    kernels = 2.0 * high[:, None] * torch.sinc(2.0 * high[:, None] * time)
    kernels = kernels - 2.0 * low[:, None] * torch.sinc(2.0 * low[:, None] * time)
    peak = kernels.amax(dim=1, keepdim=True)
    # An empty band (both edges on Nyquist) is a zero filter, not 0 / 0.
    kernels = kernels / torch.where(peak == 0.0, torch.ones_like(peak), peak)
    return kernels * (0.54 - 0.46 * torch.cos(2.0 * math.pi * index / kernel_size))


def squared_hann_window(kernel_size: int) -> Tensor:
    """Start of TD-fbanks' lowpass, a squared Hann window late by one sample: (kernel_size,) float64."""
    index = torch.arange(kernel_size, dtype=torch.float64)
    return (0.5 * (1.0 - torch.cos(2.0 * math.pi * (index - 1.0) / (kernel_size - 1)))) ** 2
