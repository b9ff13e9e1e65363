"""Where each clip's frames lie, and convolutions whose rows do not depend on their batch."""

from typing import overload

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx

SMALLEST_PRODUCT = 16


@overload
def frame_count(lengths: int, *, kernel_size: int, hop: int, padding: str) -> int: ...
@overload
def frame_count(lengths: Tensor, *, kernel_size: int, hop: int, padding: str) -> Tensor: ...
def frame_count(lengths: int | Tensor, *, kernel_size: int, hop: int, padding: str) -> int | Tensor:
    """Frames of clips of these lengths, at least one each: (B,) or int -> the same.

    Parameters
    ----------
    lengths : int or Tensor of shape (B,)
        Clip lengths in samples.
    kernel_size, hop : int
        Window and step in samples.
    padding : {"same", "valid", "end"}
        "same" and "end" give ceil(length / hop) frames, "valid" those that lie inside the clip.
    """
    frames = (lengths - kernel_size) // hop + 1 if padding == "valid" else (lengths + hop - 1) // hop
    return frames.clamp(min=1) if isinstance(frames, Tensor) else max(frames, 1)


@overload
def left_padding(lengths: int, *, kernel_size: int, hop: int, padding: str) -> int: ...
@overload
def left_padding(lengths: Tensor, *, kernel_size: int, hop: int, padding: str) -> Tensor: ...
def left_padding(lengths: int | Tensor, *, kernel_size: int, hop: int, padding: str) -> int | Tensor:
    """Zeros before the first sample of clips of these lengths, half of what "same" adds: (B,) or int -> the same."""
    if padding != "same":
        return torch.zeros_like(lengths) if isinstance(lengths, Tensor) else 0
    missing = ((lengths + hop - 1) // hop - 1) * hop + kernel_size - lengths
    return missing.clamp(min=0) // 2 if isinstance(missing, Tensor) else max(missing, 0) // 2


def left_padding_range(*, kernel_size: int, hop: int, padding: str) -> tuple[int, int]:
    """Smallest and largest left padding over all clip lengths."""
    return (max(kernel_size - hop, 0) // 2, (kernel_size - 1) // 2) if padding == "same" else (0, 0)


def are_whole(lengths: Tensor, size: int) -> bool:
    """Whether all clips are known to be ``size`` long; on another device than the CPU, to look would stop it: (B,)."""
    return lengths.device.type == "cpu" and bool((lengths == size).all())


def beside(values: Tensor, lengths: Tensor) -> Tensor:
    """Lengths on the device of the values, but where they fill the last axis on the CPU: (B, ..., T), (B,) -> (B,)."""
    return lengths if are_whole(lengths, values.shape[-1]) else lengths.to(values.device)


def place_clips(waveforms: Tensor, lengths: Tensor | None, left: int | Tensor, *, start: int, stop: int) -> Tensor:
    """Shift each clip right by its own left padding, zeros around it: (B, N) -> (B, stop - start).

    Parameters
    ----------
    waveforms : Tensor of shape (B, N)
        Row i holds a clip in [0, lengths[i]); the rest is ignored.
    lengths : Tensor of shape (B,) or None
        Clip lengths in samples, None for N everywhere.
    left : int or Tensor of shape (B,)
        Position of each clip's first sample.
    start, stop : int
        Range of positions to return.
    """
    n_times = waveforms.shape[1]
    if isinstance(left, int):
        low, high = (min(max(position - left, 0), n_times) for position in (start, stop))
        taken = waveforms[:, low:high]
        if lengths is not None:
            outside = torch.arange(low, high, device=waveforms.device) >= lengths[:, None]
            taken = taken.masked_fill(outside, 0.0)
        before = min(max(left - start, 0), stop - start)
        return F.pad(taken, (before, stop - start - before - taken.shape[1]))
    samples = torch.arange(start, stop, device=waveforms.device)[None] - left[:, None]
    inside = (samples >= 0) & (samples < (n_times if lengths is None else lengths[:, None]))
    taken = waveforms.gather(1, samples.clamp(0, n_times - 1).expand(len(waveforms), -1))
    return torch.where(inside, taken, taken.new_zeros(()))


def correlate(waveforms: Tensor, kernels: Tensor) -> Tensor:
    """Cross-correlation at stride 1 without padding: (B, N) and (C, K) -> (B, C, N - K + 1).

    A lone row takes another code path in torch, which rounds differently; it is computed as two overlapping halves.
    """
    if len(waveforms) != 1:
        return F.conv1d(waveforms[:, None], kernels[:, None])
    n_out = waveforms.shape[1] - kernels.shape[1] + 1
    half = (n_out + 1) // 2
    rows = waveforms[0].unfold(0, half + kernels.shape[1] - 1, max(n_out - half, 1))
    first, second = F.conv1d(torch.stack([rows[0], rows[-1]])[:, None], kernels[:, None])
    return torch.cat([first[:, : n_out - half], second], dim=1)[None]


def weighted_windows(energies: Tensor, taps: Tensor, *, hop: int) -> Tensor:
    """Weighted sums over windows, a row of taps each channel: (B, F, L) and (F, K) -> (B, F, (L - K) // hop + 1)."""
    return _WeightedWindows.apply(energies, taps, hop)


class _WeightedWindows(torch.autograd.Function):
    """A grouped convolution whose gradients, as products of single hops, take a third of the time."""

    @staticmethod
    def forward(ctx: FunctionCtx, energies: Tensor, taps: Tensor, hop: int) -> Tensor:
        ctx.save_for_backward(energies, taps)
        ctx.hop = hop  # type: ignore[attr-defined]
        n_filters, n_frames = len(taps), (energies.shape[-1] - taps.shape[-1]) // hop + 1
        # A lone channel or frame takes another code path in torch, which rounds differently; neither is computed alone.
        if n_frames == 1:
            energies = F.pad(energies, (0, hop))
        channels = max(n_filters, 2)
        energies, taps = energies.expand(-1, channels, -1), taps.expand(channels, -1)
        return F.conv1d(energies, taps[:, None], stride=hop, groups=channels)[:, :n_filters, :n_frames]

    @staticmethod
    def backward(ctx: FunctionCtx, slopes: Tensor) -> tuple[Tensor, Tensor, None]:
        energies, taps = ctx.saved_tensors  # type: ignore[attr-defined]
        hop: int = ctx.hop  # type: ignore[attr-defined]
        size, kernel_size = energies.shape[-1], taps.shape[-1]
        n_parts = -(-kernel_size // hop)
        n_hops = slopes.shape[-1] + n_parts - 1
        parts = F.pad(taps, (0, n_parts * hop - kernel_size)).unflatten(1, (n_parts, hop))
        # Part j of a window lies j hops after its first.
        shifted = torch.stack([F.pad(slopes, (part, n_parts - 1 - part)) for part in range(n_parts)], -1)
        rest = n_hops * hop - size
        hops = (F.pad(energies, (0, rest)) if rest else energies).unflatten(2, (n_hops, hop))
        per_part = (shifted.mT @ hops).sum(0).flatten(1)
        by_sample = (shifted @ parts).flatten(2)
        return F.pad(by_sample, (0, -rest)) if rest else by_sample, per_part[:, :kernel_size], None


def multiply_rows(rows: Tensor, matrix: Tensor) -> Tensor:
    """Matrix product whose rows do not depend on how many there are: (R, J) and (J, F) -> (R, F).

    A library picks its routine, and with it the order of summation, by size; small sizes are padded to one routine's.
    """
    n_rows, n_columns = len(rows), matrix.shape[1]
    padded = F.pad(rows, (0, 0, 0, max(-n_rows % SMALLEST_PRODUCT + n_rows, 2 * SMALLEST_PRODUCT) - n_rows))
    product = padded @ F.pad(matrix, (0, max(SMALLEST_PRODUCT - n_columns, 0)))
    return product[:n_rows, :n_columns]
