"""Frames of a clip -> one vector: mean, std and their like over the valid frames, channel by channel."""

import math
from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor

from .dsp.framing import are_whole

FRAME_RATE = 100.0
SEGMENTS = 3
THIRDS = "_thirds"


class Frames:
    """Padded features and which of their frames belong to each clip."""

    def __init__(
        self,
        values: Tensor,
        n_frames: Tensor,
        floor: float = 0.0,
        rate: float = FRAME_RATE,
        *,
        is_full: bool | None = None,
    ) -> None:
        """``values`` (B, F, T); ``n_frames`` (B,), each at least 1; ``floor`` is added to variances; ``rate`` in Hz.

        ``is_full``: whether all are T, None to look.
        """
        self.floor, self.rate = floor, rate
        self.n_frames, self.n_columns = n_frames.to(values.device), values.shape[-1]
        self.count = self.n_frames.to(values.dtype)[:, None]
        self.is_full = are_whole(n_frames, self.n_columns) if is_full is None else is_full
        self.values = self._masked(values)

    @cached_property
    def valid(self) -> Tensor:
        """Whether a frame is one of its clip: (B, 1, T)."""
        positions = torch.arange(self.n_columns, device=self.n_frames.device)
        return (positions < self.n_frames[:, None])[:, None, :]

    def _masked(self, values: Tensor) -> Tensor:
        """Zeros behind each clip's own frames; nothing is copied where there is nothing behind."""
        return values if self.is_full else torch.where(self.valid, values, 0.0)

    @cached_property
    def spectra(self) -> list[tuple[int, Tensor]]:
        """For each number n of frames, in rising order, the power of its clips by rate: (R, F, 2 (n // 2 + 1)).

        Power of the fluctuation about the mean, at the rates of the Fourier transform of a clip's own frames; the
        squares of real and imaginary parts side by side.
        """
        found = []
        for n_frames in self.n_frames.unique().tolist():
            clips = (self.values if self.is_full else self.values[self.n_frames == n_frames])[:, :, :n_frames]
            # Two rows at least: the transform of a single one is rounded in another way.
            rows = clips.expand(-1, max(2, clips.shape[1]), -1)
            spectrum = torch.fft.rfft(rows, norm="forward")[:, : clips.shape[1]]
            power = 2 * torch.view_as_real(spectrum).flatten(2).square()
            power[..., :2] = 0.0
            if n_frames % 2 == 0:  # every rate but this one stands for two bins
                power[..., -2:] /= 2
            found.append((n_frames, power))
        return found

    def mean_of(self, values: Tensor) -> Tensor:
        """Mean over the valid frames: (B, F, T) -> (B, F)."""
        return self._masked(values).sum(-1) / self.count

    def segment(self, place: int, count: int) -> "Frames":
        """One of ``count`` stretches of each clip, equal to within a frame and at least one frame long."""
        if self.is_full:
            first = min(self.n_columns * place // count, self.n_columns - 1)
            last = max(self.n_columns * (place + 1) // count, first + 1)
            n_frames = torch.full_like(self.n_frames, last - first)
            return Frames(self.values[:, :, first:last], n_frames, self.floor, self.rate, is_full=True)
        start = (self.n_frames * place // count).minimum(self.n_frames - 1)
        stop = (self.n_frames * (place + 1) // count).maximum(start + 1)
        longest = -(-self.values.shape[-1] // count)
        columns = start[:, None] + torch.arange(longest, device=start.device)
        columns = columns.clamp(max=self.values.shape[-1] - 1)[:, None, :].expand(-1, self.values.shape[1], -1)
        return Frames(self.values.gather(-1, columns), stop - start, self.floor, self.rate)

    @cached_property
    def sorted(self) -> Tensor:
        """Values in rising order, valid frames first: (B, F, T)."""
        return torch.where(self.valid, self.values, torch.inf).sort(-1).values


def mean(frames: Frames) -> Tensor:
    """Mean over time: (B, F)."""
    return frames.mean_of(frames.values)


def std(frames: Frames) -> Tensor:
    """Compute the population standard deviation over time; 0 for one frame: (B, F)."""
    centred = frames.values - mean(frames)[:, :, None]
    return (frames.mean_of(centred.square()) + frames.floor).sqrt()


def delta_std(frames: Frames) -> Tensor:
    """Compute the standard deviation of the step between frames; 0 for fewer than two steps: (B, F)."""
    if frames.values.shape[-1] == 1:
        return std(frames)
    n_steps = (frames.n_frames - 1).clamp(min=1)
    steps = Frames(frames.values.diff(dim=-1), n_steps, frames.floor, is_full=frames.is_full or None)
    return std(steps)


def minimum(frames: Frames) -> Tensor:
    """Smallest value: (B, F)."""
    return torch.where(frames.valid, frames.values, torch.inf).amin(-1)


def maximum(frames: Frames) -> Tensor:
    """Largest value: (B, F)."""
    return torch.where(frames.valid, frames.values, -torch.inf).amax(-1)


def skew(frames: Frames) -> Tensor:
    """Third standardised moment; 0 where a channel is constant: (B, F)."""
    centred = frames.values - mean(frames)[:, :, None]
    variance = frames.mean_of(centred.square())
    third = frames.mean_of(centred**3)
    varies = variance > torch.finfo(variance.dtype).tiny
    return torch.where(varies, third / torch.where(varies, variance, 1.0) ** 1.5, 0.0)


def slope(frames: Frames) -> Tensor:
    """Least-squares slope over the clip, in units a clip length; 0 for one frame: (B, F)."""
    positions = torch.arange(frames.values.shape[-1], device=frames.values.device, dtype=frames.values.dtype)
    time = (positions + 0.5) / frames.count - 0.5
    centred = torch.where(frames.valid, time[:, None, :], 0.0)
    spread = frames.mean_of(centred.square().expand_as(frames.values))
    covariance = frames.mean_of(centred * frames.values)
    return torch.where(spread > 0, covariance / torch.where(spread > 0, spread, 1.0), 0.0)


def quantile(frames: Frames, fraction: float) -> Tensor:
    """Quantile over time with linear interpolation: (B, F)."""
    ordered = frames.sorted
    place = fraction * (frames.count - 1)
    low = place.floor()
    rows = low.long()[:, None, :].expand(-1, ordered.shape[1], -1)
    after = (rows + 1).minimum((frames.n_frames[:, None, None] - 1).expand_as(rows))
    below, above = ordered.gather(-1, rows)[..., 0], ordered.gather(-1, after)[..., 0]
    return below + (place - low) * (above - below)


def modulation(frames: Frames, low: float, high: float) -> Tensor:
    """Compute the standard deviation of the part that fluctuates at ``low`` <= rate < ``high`` Hz: (B, F).

    From the Fourier transform of each clip's own frames, so that the squares over bands that hold all rates add up to
    the variance.
    """
    found = []
    for n_frames, power in frames.spectra:
        first, last = (2 * math.ceil(hertz * n_frames / frames.rate) for hertz in (low, high))
        found.append((power[..., first:last].sum(-1) + frames.floor).sqrt())
    return torch.cat(found)[frames.n_frames.argsort(stable=True).argsort()] if len(found) > 1 else found[0]


FUNCTIONALS: dict[str, Callable[[Frames], Tensor]] = {
    "mean": mean,
    "std": std,
    "delta_std": delta_std,
    "min": minimum,
    "max": maximum,
    "q10": lambda frames: quantile(frames, 0.1),
    "q50": lambda frames: quantile(frames, 0.5),
    "q90": lambda frames: quantile(frames, 0.9),
    "skew": skew,
    "slope": slope,
    # octaves of fluctuation; the last holds 50 Hz, the highest rate at a hop of 10 ms
    "mod_0_3hz": lambda frames: modulation(frames, 0.0, 3.0),
    "mod_3_6hz": lambda frames: modulation(frames, 3.0, 6.0),
    "mod_6_12hz": lambda frames: modulation(frames, 6.0, 12.0),
    "mod_12_24hz": lambda frames: modulation(frames, 12.0, 24.0),
    "mod_24_50hz": lambda frames: modulation(frames, 24.0, 50.01),
}


# picked on train and valid of nine tasks, for mel and LEAF alike
DEFAULT = (
    "mean",
    "std",
    "delta_std",
    "mean_thirds",
    "mod_0_3hz",
    "mod_3_6hz",
    "mod_6_12hz",
    "mod_12_24hz",
    "mod_24_50hz",
)


def check_functionals(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names as a tuple, or raise a ValueError that lists the choices."""
    chosen = (names,) if isinstance(names, str) else tuple(names)
    unknown = [name for name in chosen if str(name).removesuffix(THIRDS) not in FUNCTIONALS]
    if unknown or not chosen:
        raise ValueError(
            f"Got functionals={names!r}, expected one or more of {list(FUNCTIONALS)}, or one of these with {THIRDS!r} "
            "behind it."
        )
    if len(set(chosen)) < len(chosen):
        raise ValueError(f"Got functionals={names!r}, which names one of them twice.")
    return chosen


def block_names(names: Sequence[str]) -> list[str]:
    """Name each block of ``summarize``: a functional of thirds has three."""
    blocks = []
    for name in names:
        whole = name.removesuffix(THIRDS)
        blocks += [name] if whole == name else [f"{whole}_third{place + 1}" for place in range(SEGMENTS)]
    return blocks


def summarize(
    values: Tensor,
    n_frames: Tensor,
    names: Sequence[str],
    *,
    floor: float = 0.0,
    rate: float = FRAME_RATE,
    is_full: bool | None = None,
) -> Tensor:
    """Functionals over the valid frames: (B, F, T), (B,) -> (B, len(block_names(names)) * F), one block a functional.

    ``floor`` is added to a variance before its root, which keeps the gradient finite in training; ``rate`` is that of
    the frames in Hz; ``is_full`` as for `Frames`.
    """
    frames = Frames(values, n_frames, floor, rate, is_full=is_full)
    blocks = []
    for name in names:
        functional = FUNCTIONALS[name.removesuffix(THIRDS)]
        parts = [frames.segment(place, SEGMENTS) for place in range(SEGMENTS)] if name.endswith(THIRDS) else [frames]
        blocks += [functional(part) for part in parts]
    return torch.cat(blocks, dim=1)
