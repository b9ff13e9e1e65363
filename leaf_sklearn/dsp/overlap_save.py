"""Stride-1 correlation with many long kernels by FFTs of fixed blocks (overlap-save)."""

import math

import torch
from torch import Tensor
from torch.nn import functional

# Blocks of about this many kernels: longer ones lose less to overlap, shorter ones stay in a core's cache.
KERNELS_PER_BLOCK = 8


def block_step(kernel_size: int, *, multiple_of: int = 1) -> int:
    """Count the samples from one block to the next: the largest multiple that fits FFTs of a power of two.

    Parameters
    ----------
    kernel_size : int
        Taps.
    multiple_of : int
        Some unit of samples, such as a hop.
    """
    length = _fft_length(kernel_size)
    while length - kernel_size + 1 < multiple_of:
        length *= 2
    return (length - kernel_size + 1) // multiple_of * multiple_of


def fft_correlate(waveforms: Tensor, kernels: Tensor, *, step: int | None = None) -> Tensor:
    """Cross-correlation at stride 1 without padding: (B, N) and (C, K) -> (B, C, N - K + 1).

    Differentiable in both. Blocks start at the first sample, so a clip's outputs do not depend, bit for bit, on the
    other rows; if it starts elsewhere they are rounded differently, unless it is a multiple of ``step`` samples away.

    Parameters
    ----------
    waveforms : Tensor of shape (B, N)
        Clips, at least as long as the kernels.
    kernels : Tensor of shape (C, K)
        Real taps.
    step : int, optional
        Outputs of one block, from :func:`block_step`, which is also the default.
    """
    n_times, kernel_size = waveforms.shape[1], kernels.shape[1]
    step = block_step(kernel_size) if step is None else step
    length = 2 ** math.ceil(math.log2(step + kernel_size - 1))
    n_out = n_times - kernel_size + 1
    # Two blocks at least: a single FFT is threaded, and thus rounded, in another way.
    n_blocks = max(-(-n_out // step), 2)
    padded = functional.pad(waveforms, (0, max((n_blocks - 1) * step + length - n_times, 0)))
    spectra = torch.fft.rfft(padded.unfold(1, length, step)[:, :n_blocks])
    responses = torch.fft.rfft(kernels, n=length).conj()
    filtered = torch.fft.irfft(spectra[:, None] * responses[:, None], n=length)
    return filtered[..., :step].flatten(2)[..., :n_out]


def _fft_length(kernel_size: int) -> int:
    return 2 ** math.ceil(math.log2(KERNELS_PER_BLOCK * kernel_size))
