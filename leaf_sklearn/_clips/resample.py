"""From one sample rate to another: by soxr where it is installed, by scipy's polyphase filter otherwise."""

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

MAX_DENOMINATOR = 4096
"""Bounds the polyphase filter of scipy for odd rates (44,101 Hz); moves the pitch by less than 1e-7."""


def resampled_length(n_times: int, rate_in: float, rate_out: float) -> int:
    """Return ceil(n_times * rate_out / rate_in): the samples that `n_times` samples become."""
    return math.ceil(n_times * Fraction(rate_out) / Fraction(rate_in))


def resample(x: NDArray[np.float32], rate_in: float, rate_out: float) -> NDArray[np.float32]:
    """One clip at another rate: (n,) at `rate_in` Hz -> (ceil(n * rate_out / rate_in),) at `rate_out` Hz.

    Both ways are linear-phase and centred: nothing moves in time. An equal rate returns `x` itself.
    """
    if rate_in == rate_out or len(x) == 0:
        return x
    length = resampled_length(len(x), rate_in, rate_out)
    try:
        import soxr
    except ImportError:
        resampled = _polyphase(x, rate_in, rate_out)
    else:
        # soxr rounds the length down; zeros after the end let it finish the last sample.
        tail = np.zeros(math.ceil(rate_in / rate_out) + 1, dtype=np.float32)
        resampled = soxr.resample(np.concatenate([x, tail]), rate_in, rate_out)
    return np.ascontiguousarray(_at_length(resampled, length), dtype=np.float32)


def _polyphase(x: NDArray[np.float32], rate_in: float, rate_out: float) -> NDArray[np.float32]:
    from scipy.signal import resample_poly

    ratio = (Fraction(rate_out) / Fraction(rate_in)).limit_denominator(MAX_DENOMINATOR)
    return resample_poly(x, ratio.numerator, ratio.denominator)


def _at_length(x: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    return x[:length] if len(x) >= length else np.pad(x, (0, length - len(x)))
