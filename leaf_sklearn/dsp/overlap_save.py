"""Stride-1 correlation with many long kernels by FFTs of fixed blocks (overlap-save)."""

import math

import torch
from torch import Tensor
from torch.nn import functional

# Blocks of about this many kernels: longer ones lose less to overlap, shorter ones stay in a core's cache.
KERNELS_PER_BLOCK = 8


def block_step(kernel_size: int, *, multiple_of: int = 1) -> int:
    """Count the samples from one block to the next: the largest multiple that fits FFTs of a power of two."""
    length = 2 ** math.ceil(math.log2(KERNELS_PER_BLOCK * kernel_size))
    while length - kernel_size + 1 < multiple_of:
        length *= 2
    return (length - kernel_size + 1) // multiple_of * multiple_of


def kernel_spectra(kernels: Tensor, *, step: int) -> Tensor:
    """Spectra that correlate with kernels in blocks of ``step`` outputs: (C, K) -> (C, J) complex."""
    length = 2 ** math.ceil(math.log2(step + kernels.shape[1] - 1))
    # A lazy conjugate would be resolved block by block, and rounded by how many there are.
    return torch.fft.rfft(kernels, n=length).conj_physical()


def correlate_blocks(waveforms: Tensor, spectra: Tensor, *, step: int, n_out: int) -> Tensor:
    """Cross-correlate at stride 1 with kernels given by :func:`kernel_spectra`: (B, N), (C, J) -> (B, C, n_out).

    Differentiable in both. Blocks start at the first sample, so a clip's outputs do not depend, bit for bit, on the
    other rows; if it starts elsewhere they are rounded differently, unless it is a multiple of ``step`` samples away.
    What lies beyond a clip's end counts as zeros.
    """
    length = block_length(spectra)
    # Two FFTs at least: a single one is threaded, and thus rounded, in another way.
    n_blocks = max(-(-n_out // step), 2 if len(waveforms) == 1 else 1)
    padded = functional.pad(waveforms, (0, max((n_blocks - 1) * step + length - waveforms.shape[1], 0)))
    blocks = torch.fft.rfft(padded.unfold(1, length, step)[:, :n_blocks])
    # Gradients are summed over clips, then over blocks: over both at once is far slower.
    filtered = torch.fft.irfft(blocks[:, None] * spectra[:, None].expand(-1, n_blocks, -1), n=length)
    filtered = filtered[..., :step].flatten(2)
    # Even a slice of all is copied in the backward pass.
    return filtered if filtered.shape[2] == n_out else filtered[..., :n_out]


def block_length(spectra: Tensor) -> int:
    """Count the samples that a block sees."""
    return 2 * (spectra.shape[1] - 1)
