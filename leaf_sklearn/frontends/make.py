"""Frontends by name, with every setting checked."""

import inspect
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from ..dsp.bands import FilterRange
from ..dsp.scales import SCALES, Floats
from .base import Frontend
from .compression import COMPRESSIONS, PCEN, Compression
from .filterbank import BankSettings
from .mel import MelBank
from .normalization import InstanceNorm, PreEmphasis
from .pooling import POOLINGS, Pooling
from .presets import PRESETS, Preset

FIXED_PCEN_FLOOR = 1e-6
HIGHEST_SHARE = 0.4875
SMALLEST_WINDOW = 4
INITS = (*SCALES, "random")
ALGORITHMS = ("auto", "direct", "fast")


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
        "mel", "mel-pcen", "wavegram", "td-fbanks", "sincnet", "sincnet+" or "leaf".
    sample_rate : int
        In Hz.
    n_filters : int
        Channels.
    window_ms, hop_ms : float
        Window and step in milliseconds.
    fmin, fmax : float, optional
        Range of the filters at the start, in Hz. None takes the preset's own, 60 to 7800 (sinc: 50 to 7900), or up to
        0.4875 times the sample rate where that is not below half of it.
    init : {"mel", "bark", "erb", "linear", "random"} or array-like of shape (n_filters, 2)
        Where filters start: equally spaced on a scale, drawn at random, or (centre Hz, bandwidth Hz) rows.
    pooling : {"auto", "gaussian", "lowpass", "max"}
        "auto" takes the preset's own.
    compression : {"auto", "pcen", "log", "root", None}
        "auto" takes the preset's own, None leaves energies as they are.
    algorithm : {"auto", "direct", "fast"}
        "direct" convolves; "fast" transforms blocks. Gabor filters under the Gaussian lowpass keep each filter's band
        alone and are within 1e-5 of the clip's loudest energy, other kernels keep everything and differ by rounding.
        "auto" is "fast" where there is one (not for "mel", "mel-pcen" and "wavegram"). Clips shorter than two windows
        are convolved in any case.
    n_fft : int, optional
        Size of the Fourier transform behind mel filters and the Gabor start. None takes 512, or the next power of two
        at which no two filters are alike and none is empty; 512 restores the reference's filters everywhere.
    preemphasis, instance_norm, sort_filters : bool
        The reference's options: a learned first difference before, a normalisation over time after, channels in the
        order of their centres.
    learn_pcen : bool
        False holds PCEN at the reference's fixed values.
    generator : torch.Generator, optional
        For ``init="random"`` and Wavegram's weights; None always draws the same.

    Returns
    -------
    Frontend
        (B, N) waveforms to (B, F, T) features.

    Raises
    ------
    ValueError
        Where a setting is unknown or cannot be honoured by this frontend.

    Examples
    --------
    >>> import torch
    >>> leaf = make_frontend("leaf", n_filters=8)
    >>> leaf(torch.zeros(2, 16000)).shape
    torch.Size([2, 8, 100])
    """
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
        "algorithm": algorithm,
        "n_fft": n_fft,
        "preemphasis": preemphasis,
        "instance_norm": instance_norm,
        "sort_filters": sort_filters,
        "learn_pcen": learn_pcen,
    }
    config = {key: value.item() if isinstance(value, np.generic) else value for key, value in config.items()}
    preset = PRESETS[_one_of("frontend", name, PRESETS)]
    _refuse_fixed(preset, config)
    window, hop = _sizes(sample_rate, window_ms, hop_ms)
    if n_filters < 1:
        raise ValueError(f"Got n_filters={n_filters}, expected at least 1.")
    pool = _pooling(preset, pooling)
    _one_of("algorithm", algorithm, ALGORITHMS)
    if algorithm == "fast" and not preset.filterbank.has_fast_form:
        raise ValueError(
            f"Got algorithm='fast' with frontend={name!r} and pooling={pooling!r}, expected 'auto' or 'direct'."
        )
    settings = BankSettings(
        span=FilterRange(n_filters, sample_rate, *_range(preset, sample_rate, fmin, fmax)),
        window=window,
        init=_init(init, n_filters, sample_rate, fmin, fmax),
        n_fft=n_fft,
        sort_filters=sort_filters,
        fast=algorithm != "direct" and preset.filterbank.has_fast_form,
        generator=generator,
    )
    if n_fft is not None and not (settings.reads_matrix or preset.filterbank is MelBank):
        raise ValueError(f"Got n_fft={n_fft}, expected None: {name!r} reads it with init='mel' alone.")
    return Frontend(
        preset.filterbank(settings),
        pool(n_filters, window, hop),
        _compression(preset, compression, n_filters, learn_pcen),
        preemphasis=PreEmphasis() if preemphasis else None,
        instance_norm=InstanceNorm(n_filters) if instance_norm else None,
        config=config,
    ).float()  # whatever torch's default type is


def _one_of(what: str, value: Any, choices: Iterable[Any]) -> Any:
    if not isinstance(value, str | None) or value not in choices:
        raise ValueError(f"Got {what}={value!r}, expected one of {list(choices)}.")
    return value


def _refuse_fixed(preset: Preset, config: dict[str, Any]) -> None:
    """ValueError where an argument that this frontend cannot honour is off its default."""
    defaults = inspect.signature(make_frontend).parameters
    for key in preset.fixed:
        value, default = config[key], defaults[key].default
        if type(value) is list or value != default:
            raise ValueError(f"Got {key}={value!r} with frontend={config['name']!r}, expected one of {[default]}.")


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
    own = preset.fmax if preset.fmax < 0.5 * sample_rate else HIGHEST_SHARE * sample_rate
    high = own if fmax is None else float(fmax)
    if high > 0.5 * sample_rate:
        raise ValueError(f"Got fmax={fmax}, expected at most half the sample rate, {0.5 * sample_rate}.")
    if not 0.0 <= low < high:
        raise ValueError(f"Got fmin={low} and fmax={high}, expected 0 <= fmin < fmax.")
    return low, high


def _init(
    init: str | ArrayLike, n_filters: int, sample_rate: int, fmin: float | None, fmax: float | None
) -> str | Floats:
    """Check a start: a name, or rows of (centre Hz, bandwidth Hz)."""
    if isinstance(init, str):
        return str(_one_of("init", init, INITS))
    rows = np.asarray(init, dtype=np.float64)
    if rows.shape != (n_filters, 2):
        raise ValueError(f"Got init of shape {rows.shape}, expected one of {list(INITS)} or shape {(n_filters, 2)}.")
    if fmin is not None or fmax is not None:
        raise ValueError(f"Got fmin={fmin} and fmax={fmax} beside rows in init, expected None for both.")
    if not (np.isfinite(rows).all() and (rows[:, 0] >= 0).all() and (rows[:, 1] > 0).all()):
        raise ValueError("Got rows in init that are not finite, negative or of no bandwidth.")
    if rows[:, 0].max() > 0.5 * sample_rate:
        raise ValueError(f"Got a centre of {rows[:, 0].max()} Hz in init, expected at most {0.5 * sample_rate}.")
    if len(np.unique(rows, axis=0)) < n_filters:
        raise ValueError("Got the same row in init more than once.")
    return rows


def _pooling(preset: Preset, pooling: str) -> type[Pooling]:
    _one_of("pooling", pooling, ("auto", *POOLINGS))
    return preset.pooling if pooling == "auto" else POOLINGS[pooling]


def _compression(preset: Preset, compression: str | None, n_filters: int, learn_pcen: bool) -> Compression:
    _one_of("compression", compression, ("auto", *COMPRESSIONS))
    chosen = preset.compression if compression == "auto" else COMPRESSIONS[compression]
    if chosen is PCEN:
        return PCEN(n_filters, floor=preset.pcen_floor if learn_pcen else FIXED_PCEN_FLOOR, learned=learn_pcen)
    if not learn_pcen:
        raise ValueError(f"Got learn_pcen=False with compression={compression!r}, expected 'pcen'.")
    return chosen(n_filters)
