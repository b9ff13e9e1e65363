"""Power responses of filterbanks, as NumPy arrays."""

import numpy as np

from ..dsp.scales import Floats
from ..frontends.filterbank import Filterbank
from ..frontends.mel import MelBank
from ..frontends.parameters import as_floats

MIN_BINS = 4096


def power_responses(bank: Filterbank) -> tuple[Floats, Floats]:
    """Response of every filter to real sound, as a share of its own maximum.

    Returns
    -------
    frequencies : ndarray of shape (J,)
        From 0 Hz to half the sample rate.
    responses : ndarray of shape (n_filters, J)
        In [0, 1]: squared magnitudes of the kernels' spectra, for mel the weights of the bins.
    """
    if isinstance(bank, MelBank):
        power = as_floats(bank.matrix).T
    else:
        kernels = as_floats(bank.kernels())
        size = max(MIN_BINS, 2 ** int(np.ceil(np.log2(4 * kernels.shape[1]))))
        if len(kernels) == bank.n_filters:
            power = np.abs(np.fft.rfft(kernels, size)) ** 2
        else:
            # real parts stand above imaginary ones; what lies below 0 Hz answers to the same real tone
            both = np.abs(np.fft.fft(kernels[: bank.n_filters] + 1j * kernels[bank.n_filters :], size)) ** 2
            half = size // 2 + 1
            power = both[:, :half] + np.roll(both[:, ::-1], 1, axis=1)[:, :half]
    frequencies = np.linspace(0.0, 0.5 * bank.sample_rate, power.shape[1])
    return frequencies, power / np.maximum(power.max(axis=1, keepdims=True), np.finfo(float).tiny)
