"""Fast forms: band-limited transforms for Gabor filters under a Gaussian lowpass, overlap-save for any kernels."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..dsp.band_plan import ALIASING_IN_TRAINING, SIDE_LOBE_IN_TRAINING, plan_bands, plan_kernels
from ..dsp.band_weights import PreparedBands, prepare_bands, prepare_kernels
from ..dsp.bandlimited import pooled_energies
from ..dsp.framing import place_clips
from ..dsp.memory import keep_memory
from ..dsp.overlap_save import block_length, block_step, correlate_blocks, kernel_spectra
from .parameters import as_floats
from .pooling import Pooling

# Below this many windows the convolution costs less than the two blocks that the fast form takes at least.
SHORT_WINDOWS = 2

# Numbers in the arrays of overlap-save: those that a CPU's cache holds (4 MB), elsewhere 0.5 GB.
NUMBERS_CPU, NUMBERS_ELSEWHERE = 2**20, 2**27

Energies = Callable[[Tensor, Tensor | None], Tensor]


@torch.compiler.disable  # planned on the host, by the parameters' values
def gabor_energies(
    waveforms: Tensor,
    lengths: Tensor | None,
    center: Tensor,
    sigma: Tensor,
    width: Tensor,
    *,
    kernel_size: int,
    hop: int,
) -> Tensor:
    """Energies by band-limited transforms: (B, N) and (B,) -> (B, F, T).

    The plan is made on the host from the parameters' values, which are copied there once a call. Where they do not
    learn, the constants of the latest ones are kept.

    Parameters
    ----------
    center, sigma, width : Tensor of shape (F,)
        Centres in radians per sample, sigmas in samples, and widths of the lowpass as a share of half the window.
    kernel_size, hop : int
        In samples.
    """
    if torch.is_grad_enabled() and (center.requires_grad or sigma.requires_grad or width.requires_grad):
        plan = plan_bands(
            *as_floats(torch.stack([center, sigma, width])),
            kernel_size=kernel_size,
            hop=hop,
            side_lobes=(SIDE_LOBE_IN_TRAINING,),
            aliasing=ALIASING_IN_TRAINING,
            few_groups=center.device.type != "cpu",
        )
        bands = prepare_bands(center, sigma, width, plan, dtype=waveforms.dtype)
    else:
        bands = gabor_bands(center, sigma, width, kernel_size=kernel_size, hop=hop, dtype=waveforms.dtype)
    return pooled_energies(waveforms, lengths, bands)


def gabor_bands(
    center: Tensor, sigma: Tensor, width: Tensor, *, kernel_size: int, hop: int, dtype: torch.dtype
) -> PreparedBands:
    """Constants of the band-limited form for parameters that do not learn, on their device."""
    values = as_floats(torch.stack([center, sigma, width]))
    return _prepared(values.tobytes(), kernel_size, hop, dtype, center.device)


@lru_cache(maxsize=4)
def _prepared(values: bytes, kernel_size: int, hop: int, dtype: torch.dtype, device: torch.device) -> PreparedBands:
    """Constants for (center, sigma, width), three rows of float64."""
    rows = np.frombuffer(values).reshape(3, -1)
    plan = plan_bands(*rows, kernel_size=kernel_size, hop=hop, few_groups=device.type != "cpu")
    # Kept for calls outside this one's inference mode.
    with torch.inference_mode(False), torch.no_grad():
        center, sigma, width = torch.tensor(rows, device=device)
        return prepare_bands(center, sigma, width, plan, dtype=dtype)


@torch.compiler.disable
def free_energies(
    waveforms: Tensor, lengths: Tensor | None, kernels: Tensor, windows: Tensor, pooling: Pooling
) -> Tensor:
    """Energies of any complex kernels by transforms of blocks: (B, N) and (B,) -> (B, F, T).

    Parameters
    ----------
    kernels : Tensor of shape (2 F, K)
        Real parts of the kernels above imaginary ones.
    windows : Tensor of shape (F, K)
        Pooling weights, rows may be one row expanded.
    pooling : Pooling
        Its geometry is used.
    """
    plan = plan_kernels(len(windows), kernel_size=windows.shape[1], hop=pooling.hop, padding=pooling.padding)
    return pooled_energies(waveforms, lengths, prepare_kernels(kernels, windows, plan))


def overlap_save_energies(
    waveforms: Tensor,
    lengths: Tensor | None,
    kernels: Tensor,
    activation: Callable[[Tensor], Tensor],
    pooling: Pooling,
) -> Tensor:
    """Filter at every sample by FFTs of fixed blocks, activate and pool: (B, N) and (B,) -> (B, F, T).

    Blocks count from the first frame's first sample, so that a clip's energies do not depend on its batch. Some are
    worked on at a time, small enough for a cache.

    Parameters
    ----------
    kernels : Tensor of shape (C, K)
        Impulse responses.
    activation : callable
        (B, C, L) -> (B, F, L), sample by sample.
    pooling : Pooling
        From samples to frames.
    """
    n_times, kernel_size = waveforms.shape[1], kernels.shape[1]
    n_frames = pooling.n_frames(n_times)
    step = block_step(kernel_size, multiple_of=pooling.hop)
    spectra = kernel_spectra(kernels, step=step)
    on_cpu, a_step = waveforms.device.type == "cpu", len(kernels) * step
    most = NUMBERS_CPU if on_cpu else NUMBERS_ELSEWHERE
    n_steps = 2 if on_cpu else max(most // a_step, 2)
    if on_cpu:
        keep_memory()
    before, window = (kernel_size - 1) // 2, -(-pooling.kernel_size // pooling.hop) * pooling.hop  # in whole hops
    frames_at_once = (n_steps * step - window) // pooling.hop + 1
    at_once = max(most // (a_step * min(n_steps, n_times // step + 2)), 1)
    rows = []
    for first in range(0, len(waveforms), at_once):
        clips = waveforms[first : first + at_once]
        counts = None if lengths is None else lengths[first : first + at_once]
        left = pooling.left_padding(n_times if counts is None else counts)
        frames: list[Tensor] = []
        for frame in range(0, n_frames, frames_at_once):
            start, last = frame * pooling.hop, min(frame + frames_at_once, n_frames) - 1
            n_out = last * pooling.hop + window - start
            # All that the blocks see, or what follows a clip's frames would show in the rounding.
            end = start - before + (-(-n_out // step) - 1) * step + block_length(spectra)
            placed = place_clips(clips, counts, left, start=start - before, stop=end)
            energies = activation(correlate_blocks(placed, spectra, step=step, n_out=n_out))
            energies = fill_outside_(energies, start, left, n_times if counts is None else counts, pooling.fill)
            frames.append(pooling(energies))
        rows.append(torch.cat(frames, dim=-1))
    return torch.cat(rows)


def fill_outside_(energies: Tensor, start: int, left: int | Tensor, lengths: int | Tensor, fill: float) -> Tensor:
    """Replace what lies outside the clips, from position ``start`` on, in place: (B, F, L) -> (B, F, L)."""
    if isinstance(left, Tensor) and isinstance(lengths, Tensor):
        position = torch.arange(start, start + energies.shape[-1], device=energies.device) - left[:, None]
        return energies.masked_fill_(((position < 0) | (position >= lengths[:, None]))[:, None], fill)
    first, stop = max(int(left) - start, 0), max(int(left) + int(lengths) - start, 0)
    for outside in (energies[..., :first], energies[..., stop:]):
        if outside.numel():  # filling nothing still costs a copy in the backward pass
            outside.fill_(fill)
    return energies


def by_length(waveforms: Tensor, lengths: Tensor | None, *, shortest: int, short: Energies, long: Energies) -> Tensor:
    """Energies by one of two ways, chosen for each clip by its own length alone: (B, N) and (B,) -> (B, F, T).

    Parameters
    ----------
    lengths : Tensor of shape (B,) or None
        Those on another device than the CPU are not looked at: all clips are then long.
    shortest : int
        Length in samples from which a clip is long.
    short, long : callable
        (waveforms, lengths) -> energies.
    """
    if lengths is None or lengths.device.type != "cpu":
        is_short = lengths is None and waveforms.shape[1] < shortest
        return (short if is_short else long)(waveforms, lengths)
    chosen = lengths < shortest
    if chosen.all() or not chosen.any():
        return (short if bool(chosen.all()) else long)(waveforms, lengths)
    rows = [chosen.nonzero().flatten(), (~chosen).nonzero().flatten()]
    parts = [short(waveforms[rows[0], :shortest], lengths[rows[0]]), long(waveforms[rows[1]], lengths[rows[1]])]
    parts[0] = torch.nn.functional.pad(parts[0], (0, parts[1].shape[-1] - parts[0].shape[-1]))
    return torch.cat(parts)[torch.cat(rows).argsort()]
