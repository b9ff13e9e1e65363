"""Ends of clips: zero padding applies to energies, so what windows find beyond a clip is taken off again."""

import torch
from torch import Tensor

from .band_weights import PreparedBands
from .framing import frame_count, left_padding, place_clips


def subtract_outside_(energies: Tensor, waveforms: Tensor, lengths: Tensor | None, bands: PreparedBands) -> Tensor:
    """Take off what windows find before and after clips, by convolution, in place: (B, F, T), (B, N) -> (B, F, T).

    The end of a clip is the start of the clip played backwards.
    """
    plan, n_filters, n_samples = bands.plan, energies.shape[1], bands.end_windows.shape[-1]
    counts = waveforms.shape[1] if lengths is None else lengths
    frames, left = frame_count(counts, **plan.geometry), left_padding(counts, **plan.geometry)
    right = (frames - 1) * plan.hop + plan.kernel_size - counts - left
    # To look would stop another device. Torch adds up four vectors of at most 16 numbers at once: by multiples of that,
    # the sum below adds the positions of a clip in one order whatever its batch.
    most = max(int(torch.as_tensor(each).max()) for each in (left, right)) if waveforms.is_cpu else n_samples
    n_samples = min(-(-most // 64) * 64, n_samples)
    if n_samples <= 0:
        return energies
    starts = left - 1, n_samples + (plan.kernel_size - 1) // 2 - counts - right
    first, last = (place_clips(waveforms, lengths, each, start=0, stop=n_samples + plan.reach - 1) for each in starts)
    heard = bands.end_taps @ torch.stack((first, last.flip(1))).unfold(2, plan.reach, 1).flatten(1, 2).mT
    heard = heard[:, : 2 * n_filters].square().unflatten(1, (2, -1)).sum(1).unflatten(2, (-1, 1, n_samples))

    sample = torch.arange(n_samples, device=waveforms.device)
    before, after, at = (each if isinstance(each, int) else each[:, None] for each in (left, right, frames - 1))
    outside = torch.stack((sample < before, sample < after)).view(2, 1, -1, 1, n_samples)
    windows = bands.end_windows[..., : -(-n_samples // plan.hop), :n_samples]
    heads, tails = (heard * (windows * outside)).sum(-1).transpose(1, 2)

    energies[..., : heads.shape[-1]].sub_(heads[..., : energies.shape[-1]])
    at = (at - torch.arange(tails.shape[-1], device=waveforms.device))[..., None, :]
    return energies.scatter_add_(2, at.clamp(min=0).expand_as(tails), -tails.where(at >= 0, 0))
