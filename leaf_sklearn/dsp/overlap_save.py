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


def kernel_spectra(kernels: Tensor, *, step: int) -> Tensor:
    """Spectra that correlate with kernels in blocks of ``step`` outputs: (C, K) -> (C, J) complex."""
    length = 2 ** math.ceil(math.log2(step + kernels.shape[1] - 1))
    return torch.fft.rfft(kernels, n=length).conj()


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
    step = block_step(kernels.shape[1]) if step is None else step
    n_out = waveforms.shape[1] - kernels.shape[1] + 1
    return correlate_blocks(waveforms, kernel_spectra(kernels, step=step), step=step, n_out=n_out)


def correlate_blocks(waveforms: Tensor, spectra: Tensor, *, step: int, n_out: int) -> Tensor:
    """Correlate with kernels given by :func:`kernel_spectra`: (B, N), (C, J) -> (B, C, n_out)."""
    length = block_length(spectra)
    # Two FFTs at least: a single one is threaded, and thus rounded, in another way.
    n_blocks = max(-(-n_out // step), 2 if len(waveforms) == 1 else 1)
    padded = functional.pad(waveforms, (0, max((n_blocks - 1) * step + length - waveforms.shape[1], 0)))
    blocks = torch.fft.rfft(padded.unfold(1, length, step)[:, :n_blocks])
    filtered = torch.fft.irfft(blocks[:, None] * spectra[:, None], n=length)
    return filtered[..., :step].flatten(2)[..., :n_out]


def block_length(spectra: Tensor) -> int:
    """Count the samples that a block sees."""
    return 2 * (spectra.shape[1] - 1)


def _fft_length(kernel_size: int) -> int:
    return 2 ** math.ceil(math.log2(KERNELS_PER_BLOCK * kernel_size))
