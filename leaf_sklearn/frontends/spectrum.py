"""Reading spectra: the size of a transform whose bins tell all filters apart, and the width of a peak."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..dsp.bands import LARGEST_N_FFT, SMALLEST_N_FFT


def fitting_n_fft(window: int, fits: Callable[[int], bool]) -> int:
    """Smallest power of two, at least 512 and the window, at which ``fits`` holds; ValueError where none does."""
    n_fft = SMALLEST_N_FFT
    while n_fft < window:
        n_fft *= 2
    while not fits(n_fft):
        n_fft *= 2
        if n_fft > max(LARGEST_N_FFT, window):
            raise ValueError("The filters lie too close to be told apart: lower n_filters or widen fmin to fmax.")
    return n_fft


def half_width(response: NDArray[np.float64]) -> float:
    """Width of a peak at half its height, in bins, with linear interpolation: (J,) -> float."""
    top, half = int(response.argmax()), 0.5 * response.max()
    low = np.flatnonzero(response[: top + 1] < half)
    high = top + np.flatnonzero(response[top:] < half)
    left = low[-1] + (half - response[low[-1]]) / (response[low[-1] + 1] - response[low[-1]]) if len(low) else 0.0
    right = len(response) - 1.0
    if len(high):
        right = high[0] - (half - response[high[0]]) / (response[high[0] - 1] - response[high[0]])
    return float(right - left)
