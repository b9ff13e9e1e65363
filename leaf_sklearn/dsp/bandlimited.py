"""LEAF energies without the full-rate convolution: band-limited FFTs and pooling on resampled squared envelopes.

A Gabor filter passes a narrow band. Of the spectrum of a block of signal only that band is kept and transformed back,
which samples the filter's complex output at a few nodes a hop. Its squared modulus is smooth between nodes, so the
pooling window is resampled to the nodes once, with weights that integrate the interpolated energy.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from .band_blocks import block_energies
from .band_ends import Ends, find_ends, outside_energies, subtract_ends_
from .band_plan import BandPlan
from .band_weights import PreparedBands
from .framing import SMALLEST_PRODUCT, frame_count, place_clips
from .memory import keep_memory

# What is transformed at once: on a CPU so many blocks that the arrays stay in its caches, elsewhere so many nodes of
# the largest group (1 GB), with which memory is bounded for long clips.
BLOCKS_CPU, NODES_ELSEWHERE = 80, 2**27

# How large an estimate may be in any frame, against what the filter hears in its band, as it may be wrong by its own
# size: by the exponent of 0.1 at the recipe's starts, 1.5e-2 of an energy make 1.5e-3 of a feature.
DOUBT = 1.5e-2


def pooled_energies(
    waveforms: Tensor, lengths: Tensor | None, bands: PreparedBands, others: Tensor | None = None
) -> Tensor:
    """Energies of filters, squared and pooled: (B, N) -> (B, F, T).

    Equal to the stride-1 convolution with the kernels, squared modulus and pooling. For Gabor filters under Gaussian
    windows, with "same" zero padding throughout, within 1e-5 of the loudest filter of the frame and its neighbours
    where a filter passes the sound at all, and 1e-4 where a sound begins or ends with the clip. Gradients flow to
    waveforms and constants. A clip in which an estimate counts is done again as a whole, for the filters of
    ``bands.second``.

    Parameters
    ----------
    waveforms : Tensor of shape (B, N)
        Row i holds a clip in [0, lengths[i]); what follows is ignored.
    lengths : Tensor of shape (B,) or None
        Clip lengths in samples, None for N everywhere.
    bands : PreparedBands
        From :func:`prepare_bands` or :func:`prepare_kernels`.
    others : Tensor of shape (B, G, T), optional
        Energies of all filters, by which side lobes are estimated, where the bands hold only some (a second look).
    """
    plan, n_times = bands.plan, waveforms.shape[1]
    n_frames = frame_count(n_times, kernel_size=plan.kernel_size, hop=plan.hop, padding=plan.padding)
    ends = find_ends(bands, n_times if lengths is None else lengths)
    # Two blocks at least: a single FFT is threaded, and thus rounded, in another way.
    n_blocks = max(-(-(n_frames + plan.frame_cells - 1) // plan.valid), 2)
    framed, nodes = _run(waveforms, lengths, ends, n_blocks, bands)
    energies = _join(framed.unflatten(1, (len(waveforms), n_blocks)), bands.places, plan)[..., :n_frames]
    outside = outside_energies(ends, nodes)[:, :, bands.places]
    energies = subtract_ends_(energies, outside, ends.frames).clamp_(min=0)
    if bands.leaks is None:
        return energies
    leaked = _leaked(energies if others is None else others, ends.frames, plan, bands.leaks)
    if bands.second is None or energies.device.type != "cpu":  # to look would stop another device
        return leaked.add_(energies)
    filters, closer = bands.second
    rows = (leaked[:, filters] > DOUBT * energies[:, filters]).flatten(1).any(1).nonzero()[:, 0]
    whole = leaked.add_(energies)
    if len(rows) == len(waveforms):  # not copied: it may be an hour
        whole[:, filters] = pooled_energies(waveforms, lengths, closer, energies)
    elif len(rows):
        own = None if lengths is None else lengths[rows]
        whole[rows[:, None], filters] = pooled_energies(waveforms[rows], own, closer, energies[rows])
    return whole


def _leaked(energies: Tensor, frames: int | Tensor, plan: BandPlan, leaks: Tensor) -> Tensor:
    """Energies that filters hear through side lobes beyond their bands: (B, G, T), (b,), (F, G) -> (B, F, T).

    Side lobes come from the two ends of a kernel, so half of it is a sound from ``reach`` samples before, half from as
    many after. Frames beyond a clip are zero.
    """
    n_frames = energies.shape[-1]
    own = None if isinstance(frames, int) else torch.arange(n_frames, device=energies.device) < frames[:, None, None]
    if own is not None:
        energies = energies.where(own, 0)
    shift, width = round(plan.reach / plan.hop), max(n_frames + 1, SMALLEST_PRODUCT)
    # of few rows or columns a product would be rounded in another way
    padded = functional.pad(energies, (shift, shift + width - n_frames))
    rows = functional.pad(leaks, (0, 0, 0, max(SMALLEST_PRODUCT // 2 - len(leaks), 0)))
    leaked = (rows @ (padded[..., :width] + padded[..., 2 * shift :]))[:, : len(leaks), :n_frames]
    return leaked if own is None else leaked.where(own, 0)


def _run(
    waveforms: Tensor, lengths: Tensor | None, ends: Ends, n_blocks: int, bands: PreparedBands
) -> tuple[Tensor, list[Tensor]]:
    """Filter and pool all blocks, a chunk at a time: frames of blocks, and for each group nodes of the ends' cells."""
    plan, n_rows = bands.plan, waveforms.shape[0]
    if waveforms.device.type == "cpu":
        at_once = BLOCKS_CPU
        keep_memory()
    else:
        largest = max(group.rate * len(group.filters) for group in plan.groups) * plan.cells
        at_once = max(NODES_ELSEWHERE // largest, 1)
    framed = waveforms.new_empty(len(plan.order), n_rows * n_blocks, plan.valid + plan.frame_cells - 1)
    nodes: list[list[Tensor]] = []
    for rows, blocks in _chunks(n_rows, n_blocks, at_once):
        own = slice(None) if lengths is None else rows
        left = ends.left if isinstance(ends.left, int) else ends.left[rows]
        signal = _cut_blocks(waveforms[rows], None if lengths is None else lengths[rows], left, blocks, plan)
        # Where the ends' cells stand among those of these blocks, and whether they do.
        row = torch.arange(rows.stop - rows.start, device=waveforms.device)[:, None, None]
        block = ends.cells[own] // plan.valid - blocks.start
        at = (row * len(blocks) + block.clamp(0, len(blocks) - 1)) * plan.cells + ends.cells[own] % plan.valid
        part, values = block_energies(_spectrum(signal, plan), at.flatten(), bands)
        first = rows.start * n_blocks + blocks.start
        framed[:, first : first + signal.shape[0]] = part
        values = [value.view(-1, *at.shape, value.shape[2]) for value in values]
        if len(blocks) < n_blocks:  # each cell is found in one part of its row
            here = ((block >= 0) & (block < len(blocks)))[..., None]
            values = [value * here for value in values]
        if blocks.start == 0:
            nodes.append(values)
        else:
            nodes[-1] = [before + value for before, value in zip(nodes[-1], values, strict=True)]
    return framed, [torch.cat(chunks, 1) for chunks in zip(*nodes, strict=True)] if len(nodes) > 1 else nodes[0]


def _chunks(n_rows: int, n_blocks: int, at_once: int) -> Iterator[tuple[slice, range]]:
    """Rows and blocks to do together: several short clips, or a part of a long one."""
    n_together = max(at_once // n_blocks, 1)
    for row in range(0, n_rows, n_together):
        for block in range(0, n_blocks, at_once):
            yield slice(row, min(row + n_together, n_rows)), range(block, min(block + at_once, n_blocks))


def _cut_blocks(waveforms: Tensor, lengths: Tensor | None, left: int | Tensor, blocks: range, plan: BandPlan) -> Tensor:
    """Cut each clip into blocks that overlap, on the grid of its own frames: (b, N) -> (b n, L).

    A block's first valid energy stands at its first sample: what precedes it by a kernel's reach stands at the end.
    """
    step = plan.valid * plan.hop
    # The first cell of frame 0 lies `left + offset` before the clip. Even kernels look one sample ahead.
    start = blocks.start * step - plan.before - plan.offset + 1 - plan.kernel_size % 2
    stop = start + (len(blocks) - 1) * step + plan.block
    placed = place_clips(waveforms, lengths, left, start=start, stop=stop)
    return placed.unfold(1, plan.block, step).roll(-plan.before, 2).flatten(0, 1)


def _spectrum(signal: Tensor, plan: BandPlan) -> Tensor:
    """Spectra, continued by the bins that bands need beyond both ends: (n, L) -> (n, before + L + after)."""
    before, after = plan.overhang
    spectrum = torch.fft.fft(signal)
    return torch.cat((spectrum[:, plan.block - before :], spectrum, spectrum[:, :after]), 1)


def _join(framed: Tensor, places: Tensor, plan: BandPlan) -> Tensor:
    """Add what blocks give to frames that begin in the block before: (F, B, n, valid + J - 1) -> (B, F, n valid).

    Filters come out in the order in which they were given.
    """
    shared = plan.frame_cells - 1
    framed = framed.transpose(0, 1)
    frames = framed[..., shared:].index_select(1, places)
    frames[:, :, :-1, plan.valid - shared :] += framed[:, :, 1:, :shared].index_select(1, places)
    return frames.flatten(2)
