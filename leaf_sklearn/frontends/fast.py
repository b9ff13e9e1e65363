"""The fast form of Gabor filters under a Gaussian lowpass: its constants, and the clips that are too short for it."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..dsp.bandlimited import PreparedBands, bandlimited_energies, plan_bands, pooled_energies, prepare_bands

# Below this many windows the convolution costs less than the two blocks that the fast form takes at least.
SHORT_WINDOWS = 2

Energies = Callable[[Tensor, Tensor | None], Tensor]


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

    The plan is made on the host from the parameters' values, which are copied there once a call. Without gradients the
    constants of the latest parameters are kept.

    Parameters
    ----------
    waveforms, lengths
        As for a frontend.
    center, sigma, width : Tensor of shape (F,)
        Centres in radians per sample, sigmas in samples, and widths of the lowpass as a share of half the window.
    kernel_size, hop : int
        In samples.
    """
    values = torch.stack([center, sigma, width]).detach().cpu().double().numpy()
    if torch.is_grad_enabled():
        plan = plan_bands(*values, kernel_size=kernel_size, hop=hop)
        return bandlimited_energies(waveforms, lengths, center, sigma, width, plan)
    bands = _prepared(values.tobytes(), kernel_size, hop, waveforms.dtype, waveforms.device)
    return pooled_energies(waveforms, lengths, bands)


@lru_cache(maxsize=4)
def _prepared(values: bytes, kernel_size: int, hop: int, dtype: torch.dtype, device: torch.device) -> PreparedBands:
    """Constants for (center, sigma, width), three rows of float64."""
    rows = np.frombuffer(values).reshape(3, -1)
    plan = plan_bands(*rows, kernel_size=kernel_size, hop=hop)
    # Kept for calls outside this one's inference mode.
    with torch.inference_mode(False), torch.no_grad():
        center, sigma, width = torch.tensor(rows, device=device)
        return prepare_bands(center, sigma, width, plan, dtype=dtype)


def by_length(waveforms: Tensor, lengths: Tensor | None, *, shortest: int, short: Energies, long: Energies) -> Tensor:
    """Energies by one of two ways, chosen for each clip by its own length alone: (B, N) and (B,) -> (B, F, T).

    Parameters
    ----------
    waveforms, lengths
        As for a frontend. Lengths on another device than the CPU are not looked at: all clips are then long.
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
