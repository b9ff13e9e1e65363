"""Frequency scales: Hz to and from mel, bark, ERB rate and linear."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def hz_to_mel(hz: Floats) -> Floats:
    """HTK mel of a frequency in Hz: 1127 ln(1 + f / 700)."""
    return 1127.0 * np.log1p(np.asarray(hz, dtype=np.float64) / 700.0)


def mel_to_hz(mel: Floats) -> Floats:
    """Frequency in Hz of an HTK mel."""
    return 700.0 * np.expm1(np.asarray(mel, dtype=np.float64) / 1127.0)


def hz_to_bark(hz: Floats) -> Floats:
    """Bark of a frequency in Hz: 6 asinh(f / 600)."""
    return 6.0 * np.arcsinh(np.asarray(hz, dtype=np.float64) / 600.0)


def bark_to_hz(bark: Floats) -> Floats:
    """Frequency in Hz of a bark."""
    return 600.0 * np.sinh(np.asarray(bark, dtype=np.float64) / 6.0)


def hz_to_erb(hz: Floats) -> Floats:
    """ERB rate of a frequency in Hz: 21.4 log10(1 + 0.00437 f)."""
    return 21.4 / np.log(10.0) * np.log1p(0.00437 * np.asarray(hz, dtype=np.float64))


def erb_to_hz(erb: Floats) -> Floats:
    """Frequency in Hz of an ERB rate."""
    return np.expm1(np.asarray(erb, dtype=np.float64) * np.log(10.0) / 21.4) / 0.00437


def _same(hz: Floats) -> Floats:
    return np.asarray(hz, dtype=np.float64)


SCALES: dict[str, tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]] = {
    "mel": (hz_to_mel, mel_to_hz),
    "bark": (hz_to_bark, bark_to_hz),
    "erb": (hz_to_erb, erb_to_hz),
    "linear": (_same, _same),
}


def scale_points(scale: str, n_points: int, fmin: float, fmax: float) -> Floats:
    """Frequencies equally spaced on a scale, both ends included: (n_points,) Hz."""
    forward, inverse = SCALES[scale]
    low, high = forward(np.asarray(fmin)), forward(np.asarray(fmax))
    return inverse(np.linspace(low, high, n_points))
