"""Sounds of four families, one pure function each.

`quality` in [0, 1] tells the classes of a family apart; `register` in [0, 1] is how high a sound lies.
"""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Signal = NDArray[np.float64]

HIGHEST = 0.45
"""Highest frequency of any partial or carrier, as a share of the sample rate."""

MAX_PARTIALS = 30


def synthesize(
    rng: Generator, family: int, *, quality: float, register: float, n_times: int, sample_rate: float
) -> Signal:
    """Make one sound of unit root mean square (n_times,), with random phases and onset."""
    time = np.arange(n_times) / sample_rate
    sound = FAMILIES[family](rng, time, quality, register, HIGHEST * sample_rate) * _envelope(rng, n_times)
    return _normalized(sound)


def background(rng: Generator, n_times: int) -> Signal:
    """Make noise of unit root mean square (n_times,), between white and pink."""
    frequency = np.arange(1, n_times // 2 + 2, dtype=np.float64)
    return _normalized(_shaped_noise(rng, frequency ** -rng.uniform(0.0, 0.5), n_times))


def _harmonic(rng: Generator, time: Signal, quality: float, register: float, top: float) -> Signal:
    """Add partials of a pitch, dark (0) to bright (1)."""
    pitch = min(_between(100.0, 400.0, register), top)
    orders = np.arange(1, min(int(min(top, 6_000.0) / pitch), MAX_PARTIALS) + 1)
    weights = orders ** -_between(2.5, 0.4, quality) * np.exp(2j * np.pi * rng.uniform(size=len(orders)))
    turn = np.exp(2j * np.pi * pitch * time)
    return np.polyval([*weights[::-1], 0.0], turn).real


def _amplitude_modulated(rng: Generator, time: Signal, quality: float, register: float, top: float) -> Signal:
    """Let a tone beat 3 to 24 times a second."""
    phase, beat_phase = rng.uniform(0.0, 2 * np.pi, 2)
    beat = 1.0 + 0.95 * np.cos(2 * np.pi * _between(3.0, 24.0, quality) * time + beat_phase)
    return beat * np.cos(2 * np.pi * _carrier(register, top) * time + phase)


def _frequency_modulated(rng: Generator, time: Signal, quality: float, register: float, top: float) -> Signal:
    """Let a tone sway four to seven times a second, by 8 to 45 % of its frequency."""
    carrier, rate = _carrier(register, top / 1.5), rng.uniform(4.0, 7.0)
    phase, sway_phase = rng.uniform(0.0, 2 * np.pi, 2)
    index = _between(0.08, 0.45, quality) * carrier / rate
    return np.cos(2 * np.pi * carrier * time + phase + index * np.sin(2 * np.pi * rate * time + sway_phase))


def _band_noise(rng: Generator, time: Signal, quality: float, register: float, top: float) -> Signal:
    """Make noise about half an octave wide, around a frequency that follows both."""
    centre = min(_between(600.0, 5_000.0, 0.7 * quality + 0.3 * register), top)
    frequency = np.linspace(0.0, top / (2 * HIGHEST), len(time) // 2 + 1)
    octaves = np.log2(np.maximum(frequency, 1.0) / centre)
    return _shaped_noise(rng, np.exp(-0.5 * (octaves / 0.35) ** 2), len(time))


FAMILIES = (_harmonic, _amplitude_modulated, _frequency_modulated, _band_noise)


def _between(low: float, high: float, share: float) -> float:
    """Interpolate geometrically."""
    return float(low * (high / low) ** share)


def _carrier(register: float, top: float) -> float:
    return min(_between(400.0, 2_500.0, register), top)


def _normalized(sound: Signal) -> Signal:
    return sound / np.sqrt(np.mean(sound**2) + 1e-12)


def _shaped_noise(rng: Generator, magnitude: Signal, n_times: int) -> Signal:
    """Shape Gaussian noise by a magnitude response: (n_times // 2 + 1,) -> (n_times,)."""
    return np.fft.irfft(np.fft.rfft(rng.standard_normal(n_times)) * magnitude, n_times)


def _envelope(rng: Generator, n_times: int) -> Signal:
    """Open for 60 to 100 % of the clip, with soft edges: (n_times,)."""
    length = int(np.ceil(rng.uniform(0.6, 1.0) * n_times))
    start = int(rng.integers(0, n_times - length + 1))
    edge = max(length // 50, 1)
    envelope = np.zeros(n_times)
    ramp = np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1)) / edge
    envelope[start : start + length] = np.minimum(ramp, 1.0)
    return envelope
