"""LEAF energies without the full-rate convolution: band-limited FFTs and pooling on resampled squared envelopes.

A Gabor filter passes a narrow band. Of the spectrum of a block of signal only that band is kept and transformed back,
which samples the filter's complex output at a few nodes a hop. Its squared modulus is smooth between nodes, so the
pooling window is resampled to the nodes once, with weights that integrate the interpolated energy.
"""

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from .band_blocks import block_energies
from .band_ends import subtract_outside_
from .band_plan import BandPlan
from .band_weights import PreparedBands
from .framing import SMALLEST_PRODUCT, frame_count, left_padding, place_clips
from .memory import keep_memory

# Nodes of the largest group that are done at once: those that a CPU's caches hold (4 MB), elsewhere 1 GB, so that long
# clips do not need memory for all of theirs.
NODES_CPU, NODES_ELSEWHERE = 2**19, 2**27

# How large an estimate may be in any frame, against what the filter hears in its band, as it may be wrong by its own
# size: by the exponent of 0.1 at the recipe's starts, 1.5e-2 of an energy make 1.5e-3 of a feature.
DOUBT = 1.5e-2


def pooled_energies(waveforms: Tensor, lengths: Tensor | None, bands: PreparedBands) -> Tensor:
    """Energies of filters, squared and pooled: (B, N) -> (B, F, T).

    Equal to the stride-1 convolution with the kernels, squared modulus and pooling. For Gabor filters under Gaussian
    windows, with "same" zero padding throughout, within 1e-5 of the loudest filter of the frame and its neighbours
    where a filter passes the sound at all. Gradients flow to waveforms and constants. A clip in which an estimate of
    side lobes counts is done again as a whole, for the filters of ``bands.second``.

    Parameters
    ----------
    waveforms : Tensor of shape (B, N)
        Row i holds a clip in [0, lengths[i]); what follows is ignored.
    lengths : Tensor of shape (B,) or None
        Clip lengths in samples, None for N everywhere.
    bands : PreparedBands
        From :func:`prepare_bands` or :func:`prepare_kernels`.
    """
    energies = _within_bands(waveforms, lengths, bands)[:, bands.places]
    if bands.leaks is None:
        return energies
    leaked = _leaked(energies, lengths, bands.plan, bands.leaks)
    whole, closer = leaked + energies, bands.second
    if closer is None or closer.leaks is None or energies.device.type != "cpu":  # to look would stop another device
        return whole
    filters = closer.plan.order.tolist()
    rows = (leaked > DOUBT * energies)[:, filters].flatten(1).any(1).nonzero()[:, 0]
    if len(rows):
        some = slice(None) if len(rows) == len(waveforms) else rows  # an hour is not copied
        counts = None if lengths is None else lengths[some]
        again = _leaked(energies[some], counts, closer.plan, closer.leaks)[:, filters]
        whole[rows[:, None], filters] = again + _within_bands(waveforms[some], counts, closer)
    return whole


def _leaked(energies: Tensor, lengths: Tensor | None, plan: BandPlan, leaks: Tensor) -> Tensor:
    """Energies that filters hear through side lobes beyond their bands: (B, G, T), (B,), (F, G) -> (B, F, T).

    Side lobes come from the two ends of a kernel, so half of it is a sound from ``reach`` samples before, half from as
    many after. Frames beyond a clip are zero.
    """
    n_frames = energies.shape[-1]
    frames = n_frames if lengths is None else frame_count(lengths, **plan.geometry)[:, None, None]
    own = torch.arange(n_frames, device=energies.device) < frames
    shift, width = round(plan.reach / plan.hop), max(n_frames + 1, SMALLEST_PRODUCT)
    # of few rows or columns a product would be rounded in another way
    padded = functional.pad(energies.where(own, 0), (shift, shift + width - n_frames))
    rows = functional.pad(leaks, (0, 0, 0, max(SMALLEST_PRODUCT // 2 - len(leaks), 0)))
    return (rows @ (padded[..., :width] + padded[..., 2 * shift :]))[:, : len(leaks), :n_frames].where(own, 0)


def _within_bands(waveforms: Tensor, lengths: Tensor | None, bands: PreparedBands) -> Tensor:
    """Energies but for what bands leave out, filters in the order of the plan: (B, N) -> (B, F, T)."""
    plan, nodes = bands.plan, NODES_CPU if waveforms.device.type == "cpu" else NODES_ELSEWHERE
    n_frames = frame_count(waveforms.shape[1], **plan.geometry)
    # Two blocks at least in any part: a single FFT is threaded, and thus rounded, in another way.
    n_blocks, at_once = max(-(-(n_frames + plan.frame_cells - 1) // plan.valid), 2), max(nodes // plan.nodes, 2)
    n_blocks += n_blocks % 2 if at_once == 2 else 0
    keep_memory()
    clips = waveforms.split(max(at_once // n_blocks, 1))
    counts = [None] * len(clips) if lengths is None else lengths.split(len(clips[0]))
    parts = [_in_parts(some, own, n_blocks, at_once, bands) for some, own in zip(clips, counts, strict=True)]
    return torch.cat(parts)[..., :n_frames]


def _in_parts(waveforms: Tensor, lengths: Tensor | None, n_blocks: int, at_once: int, bands: PreparedBands) -> Tensor:
    """Energies of some clips, so many blocks at once: (b, N) -> (b, F, n_blocks valid)."""
    plan, shared, n_parts = bands.plan, bands.plan.frame_cells - 1, -(-n_blocks // at_once)
    edges = [part * n_blocks // n_parts for part in range(n_parts + 1)]
    parts = [block_energies(_spectra(waveforms, lengths, range(*each), plan), bands) for each in pairwise(edges)]
    framed = torch.cat([part.unflatten(1, (len(waveforms), -1)) for part in parts], 2).transpose(0, 1)
    framed[:, :, :-1, plan.valid :].add_(framed[:, :, 1:, :shared])  # frames that begin in the block before
    return subtract_outside_(framed[..., shared:].flatten(2), waveforms, lengths, bands).clamp_(min=0)


def _spectra(waveforms: Tensor, lengths: Tensor | None, blocks: range, plan: BandPlan) -> Tensor:
    """Cut each clip into blocks that overlap, on the grid of its own frames, and transform: (b, N) -> (b n, C).

    Spectra hold the non-negative bins, continued at both ends as far as bands need.
    """
    left = left_padding(waveforms.shape[1] if lengths is None else lengths, **plan.geometry)
    # The first cell of frame 0 lies `left + offset` before the clip. Even kernels look one sample ahead.
    step = plan.valid * plan.hop
    start = blocks.start * step - plan.before - plan.offset + 1 - plan.kernel_size % 2
    placed = place_clips(waveforms, lengths, left, start=start, stop=start + (len(blocks) - 1) * step + plan.block)
    (before, after), spectra = plan.overhang, torch.fft.rfft(placed.unfold(1, plan.block, step).flatten(0, 1))
    below, above = spectra[:, 1 : before + 1], spectra[:, plan.block // 2 - after : plan.block // 2]
    return torch.cat((below.flip(1).conj(), spectra, above.flip(1).conj()), 1)
