"""Frontends by name: each preset names a filterbank, a pooling and a compression."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from ..dsp.scales import SCALES, Floats
from .base import Frontend
from .compression import PCEN, Compression, Log, Root
from .filterbank import BankSettings, Filterbank
from .gabor import GaborBank
from .mel import MelBank
from .normalization import InstanceNorm, PreEmphasis
from .pooling import POOLINGS, Pooling, StftFrames

FIXED_PCEN_FLOOR = 1e-6
HIGHEST_SHARE = 0.4875
SMALLEST_WINDOW = 4
INITS = (*SCALES, "random")
COMPRESSIONS = ("auto", "pcen", "log", "root", None)
ALGORITHMS = ("auto", "direct", "fast")


@dataclass(frozen=True)
class Preset:
    """One row of the paper's tables."""

    filterbank: type[Filterbank]
    pooling: str
    compression: str
    fmin: float = 60.0
    fmax: float = 7800.0
    pcen_floor: float = 1e-12


PRESETS: dict[str, Preset] = {
    "mel": Preset(MelBank, "stft", "log"),
    "mel-pcen": Preset(MelBank, "stft", "pcen"),
    "leaf": Preset(GaborBank, "gaussian", "pcen"),
}


def make_frontend(
    name: str,
    *,
    sample_rate: int = 16000,
    n_filters: int = 40,
    window_ms: float = 25.0,
    hop_ms: float = 10.0,
    fmin: float | None = None,
    fmax: float | None = None,
    init: str | ArrayLike = "mel",
    pooling: str = "auto",
    compression: str | None = "auto",
    algorithm: str = "auto",
    n_fft: int | None = None,
    preemphasis: bool = False,
    instance_norm: bool = False,
    sort_filters: bool = False,
    learn_pcen: bool = True,
    generator: torch.Generator | None = None,
) -> Frontend:
    """Build a frontend with the reference's numbers.

    Parameters
    ----------
    name : str
        A key of `PRESETS`.
    sample_rate : int
        In Hz.
    n_filters : int
        Channels.
    window_ms, hop_ms : float
        Window and step in milliseconds.
    fmin, fmax : float, optional
        Range of the filters at the start, in Hz. None takes the preset's own, the upper one at most 0.4875 times the
        sample rate.
    init : {"mel", "bark", "erb", "linear", "random"} or array-like of shape (n_filters, 2)
        Where filters start: equally spaced on a scale, drawn at random, or (centre Hz, bandwidth Hz) rows.
    pooling : {"auto", "gaussian", "lowpass", "max"}
        "auto" takes the preset's own.
    compression : {"auto", "pcen", "log", "root", None}
        "auto" takes the preset's own, None leaves energies as they are.
    algorithm : {"auto", "direct", "fast"}
        How Gabor filters are computed.
    n_fft : int, optional
        Bins of the Fourier transform behind mel filters and the Gabor start. None takes 512, or the next power of two at
        which no two filters are alike and none is empty; 512 restores the reference's filters everywhere.
    preemphasis, instance_norm, sort_filters : bool
        The reference's options: a learned first difference before, a normalisation over time after, channels in the
        order of their centres.
    learn_pcen : bool
        False holds PCEN at the reference's fixed values.
    generator : torch.Generator, optional
        For ``init="random"``; None always draws the same.

    Returns
    -------
    Frontend
        (B, N) waveforms to (B, F, T) features.
    """
    preset = PRESETS[_one_of("frontend", name, PRESETS)]
    config: dict[str, Any] = {
        "name": name,
        "sample_rate": sample_rate,
        "n_filters": n_filters,
        "window_ms": window_ms,
        "hop_ms": hop_ms,
        "fmin": fmin,
        "fmax": fmax,
        "init": init if isinstance(init, str) else np.asarray(init, dtype=np.float64).tolist(),
        "pooling": pooling,
        "compression": compression,
        "algorithm": _one_of("algorithm", algorithm, ALGORITHMS),
        "n_fft": n_fft,
        "preemphasis": preemphasis,
        "instance_norm": instance_norm,
        "sort_filters": sort_filters,
        "learn_pcen": learn_pcen,
    }
    window, hop = _sizes(sample_rate, window_ms, hop_ms)
    if n_filters < 1:
        raise ValueError(f"Got n_filters={n_filters}, expected at least 1.")
    low, high = _range(preset, sample_rate, fmin, fmax)
    settings = BankSettings(
        sample_rate=sample_rate,
        n_filters=n_filters,
        window=window,
        fmin=low,
        fmax=high,
        init=_init(init, n_filters, sample_rate),
        n_fft=n_fft,
        sort_filters=sort_filters,
        generator=generator,
    )
    return Frontend(
        preset.filterbank(settings),
        _pooling(preset, pooling)(n_filters, window, hop),
        _compression(preset, compression, n_filters, learn_pcen),
        preemphasis=PreEmphasis() if preemphasis else None,
        instance_norm=InstanceNorm(n_filters) if instance_norm else None,
        config=config,
    )


def _one_of(what: str, value: Any, choices: Any) -> Any:
    if value not in choices:
        raise ValueError(f"Got {what}={value!r}, expected one of {list(choices)}.")
    return value


def _sizes(sample_rate: int, window_ms: float, hop_ms: float) -> tuple[int, int]:
    """Window and hop in samples, by the reference's rounding."""
    window, hop = int(sample_rate * window_ms // 1000 + 1), int(sample_rate * hop_ms // 1000)
    if window < SMALLEST_WINDOW:
        raise ValueError(f"Got window_ms={window_ms}, which is {window} samples, expected {SMALLEST_WINDOW} or more.")
    if hop < 1:
        raise ValueError(f"Got hop_ms={hop_ms}, which is {hop} samples, expected 1 or more.")
    return window, hop


def _range(preset: Preset, sample_rate: int, fmin: float | None, fmax: float | None) -> tuple[float, float]:
    """Range of the filters in Hz."""
    low = preset.fmin if fmin is None else float(fmin)
    high = min(preset.fmax, HIGHEST_SHARE * sample_rate) if fmax is None else float(fmax)
    if high > 0.5 * sample_rate:
        raise ValueError(f"Got fmax={fmax}, expected at most half the sample rate, {0.5 * sample_rate}.")
    if not 0.0 <= low < high:
        raise ValueError(f"Got fmin={low} and fmax={high}, expected 0 <= fmin < fmax.")
    return low, high


def _init(init: str | ArrayLike, n_filters: int, sample_rate: int) -> str | Floats:
    """A name, or rows of (centre Hz, bandwidth Hz)."""
    if isinstance(init, str):
        return str(_one_of("init", init, INITS))
    rows = np.asarray(init, dtype=np.float64)
    if rows.shape != (n_filters, 2):
        raise ValueError(f"Got init of shape {rows.shape}, expected one of {list(INITS)} or shape {(n_filters, 2)}.")
    if not (np.isfinite(rows).all() and (rows >= 0).all() and (rows[:, 1] > 0).all()):
        raise ValueError("Got init with values that are not finite, negative or of zero bandwidth.")
    if rows[:, 0].max() > 0.5 * sample_rate:
        raise ValueError(f"Got a centre of {rows[:, 0].max()} Hz in init, expected at most {0.5 * sample_rate}.")
    return rows


def _pooling(preset: Preset, pooling: str) -> type[Pooling]:
    if preset.pooling == "stft":
        _one_of("pooling", pooling, ("auto",))
        return StftFrames
    _one_of("pooling", pooling, ("auto", *POOLINGS))
    return POOLINGS[preset.pooling if pooling == "auto" else pooling]


def _compression(preset: Preset, compression: str | None, n_filters: int, learn_pcen: bool) -> Compression:
    _one_of("compression", compression, COMPRESSIONS)
    chosen = preset.compression if compression == "auto" else compression
    if chosen == "pcen":
        floor = preset.pcen_floor if learn_pcen else FIXED_PCEN_FLOOR
        return PCEN(n_filters, floor=floor, learned=learn_pcen)
    if not learn_pcen:
        raise ValueError(f"Got learn_pcen=False with compression {chosen!r}, expected 'pcen'.")
    if chosen == "root":
        return Root(n_filters)
    return Log() if chosen == "log" else Compression()
