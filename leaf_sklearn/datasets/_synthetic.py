"""Synthetic clips whose classes are as hard to tell apart as asked."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from ._families import FAMILIES, background, synthesize

SNR_DB = (40.0, -5.0)
"""Sound over background in dB, at difficulty 0 and 1."""

INTERFERENCE = 0.8
"""Level of a sound of another class below each clip, at difficulty 1."""

SPREAD = (0.05, 0.5)
"""Standard deviation of a clip's parameters around its class, in distances of classes, at difficulty 0 and 1."""

LEVEL_DB = (-32.0, -14.0)
"""Root mean square of the clips in dB below full scale."""


def make_audio_classification(
    n_clips: int = 200,
    *,
    n_classes: int = 4,
    sample_rate: int = 16_000,
    duration_s: float | tuple[float, float] = 1.0,
    difficulty: float = 0.5,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[NDArray[np.float32] | list[NDArray[np.float32]], NDArray[np.int64]]:
    """Make clips of synthetic sounds in background noise, for a classifier to tell apart.

    Class c is of the family c % 4: harmonic tones, amplitude-modulated tones, frequency-modulated tones, bands of
    noise. With more than four classes those of a family differ in timbre, beat or sway, and in register. Level, onset
    and background vary from clip to clip and tell nothing.

    Parameters
    ----------
    n_clips : int
        Number of clips, spread evenly over the classes.
    n_classes : int
        Number of classes, at least 2.
    sample_rate : int
        Sample rate in Hz.
    duration_s : float or (float, float)
        Length of every clip in seconds; or the shortest and the longest, for clips of unequal length.
    difficulty : float
        From 0, where a log-mel spectrogram and a linear classifier hardly err, to 1: louder background, a sound of
        another class below each clip, and classes of a family that overlap.
    random_state : int, RandomState or None
        An int gives the same clips at every call.

    Returns
    -------
    X : ndarray of shape (n_clips, n_times), float32, or list of n_clips arrays (n_times,)
        The clips; a list if `duration_s` is a range.
    y : ndarray of shape (n_clips,), int64
        The class of each, from 0 to n_classes - 1.

    Raises
    ------
    ValueError
        A parameter is out of its range; the message says which.

    Examples
    --------
    >>> from leaf_sklearn.datasets import make_audio_classification
    >>> X, y = make_audio_classification(n_clips=8, random_state=0)
    >>> X.shape, sorted(y.tolist())
    ((8, 16000), [0, 0, 1, 1, 2, 2, 3, 3])
    """
    shortest, longest = _checked_durations(duration_s)
    if n_clips < 1 or n_classes < 2:
        raise ValueError(f"Got n_clips={n_clips}, n_classes={n_classes}; expected at least 1 and at least 2.")
    if not 0.0 <= difficulty <= 1.0:
        raise ValueError(f"Got difficulty={difficulty}; expected a number from 0 to 1.")
    if not sample_rate >= 1_000:
        raise ValueError(f"Got sample_rate={sample_rate}; expected at least 1000 Hz.")
    rng = np.random.default_rng(check_random_state(random_state).randint(2**32, dtype=np.uint32))
    y = rng.permutation(np.arange(n_clips, dtype=np.int64) % n_classes)
    n_times = np.maximum(np.round(rng.uniform(shortest, longest, n_clips) * sample_rate).astype(np.int64), 1)
    clips = [
        _clip(rng, int(label), n_classes, difficulty, n_times=int(length), sample_rate=sample_rate)
        for label, length in zip(y, n_times, strict=True)
    ]
    return (clips if isinstance(duration_s, tuple | list) else np.stack(clips)), y


def _checked_durations(duration_s: Any) -> tuple[float, float]:
    bounds = tuple(duration_s) if isinstance(duration_s, tuple | list) else (duration_s, duration_s)
    if len(bounds) != 2 or not 0.0 < bounds[0] <= bounds[1] < np.inf:
        raise ValueError(f"Got duration_s={duration_s!r}; expected seconds, or (shortest, longest) in seconds.")
    return bounds


def _clip(
    rng: np.random.Generator, label: int, n_classes: int, difficulty: float, *, n_times: int, sample_rate: int
) -> NDArray[np.float32]:
    """Make one clip of a class: (n_times,)."""
    other = (label + int(rng.integers(1, n_classes))) % n_classes
    sound, interference = (
        synthesize(
            rng,
            each % len(FAMILIES),
            **_place(rng, each, n_classes, difficulty),
            n_times=n_times,
            sample_rate=sample_rate,
        )
        for each in (label, other)
    )
    snr_db = np.interp(difficulty, (0.0, 1.0), SNR_DB) + rng.uniform(-3.0, 3.0)
    clip = sound + INTERFERENCE * difficulty**2 * interference + 10.0 ** (-snr_db / 20.0) * background(rng, n_times)
    level = 10.0 ** (rng.uniform(*LEVEL_DB) / 20.0)
    return (clip * level / np.sqrt(np.mean(clip**2) + 1e-12)).astype(np.float32)


def _place(rng: np.random.Generator, label: int, n_classes: int, difficulty: float) -> dict[str, float]:
    """Draw where a clip lies in its family, whose range its classes share out among themselves."""
    n_in_family = len(range(label % len(FAMILIES), n_classes, len(FAMILIES)))
    spread = np.interp(difficulty, (0.0, 1.0), SPREAD) * rng.standard_normal()
    first = label // len(FAMILIES) + spread
    quality, register = np.clip([(first + 0.5) / n_in_family, (first + rng.uniform()) / n_in_family], 0.0, 1.0)
    return {"quality": float(quality), "register": float(register)}
