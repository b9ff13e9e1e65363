"""Choosing the size of a Fourier transform whose bins tell all filters apart."""

from collections.abc import Callable

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
