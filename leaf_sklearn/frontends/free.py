"""Time-domain filterbank: free complex kernels (TD-fbanks, Zeghidour et al. 2018)."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..dsp.kernels import gabor_kernels, without_traces
from .filterbank import BankSettings, Filterbank
from .gabor import gabor_start
from .parameters import Array, ReferenceArrays, as_floats
from .spectrum import half_width

RESPONSE_N_FFT = 16384


class FreeBank(Filterbank):
    """Complex kernels whose every tap is learned, and their squared modulus; they start as scaled Gabor filters.

    Attributes
    ----------
    taps : Parameter of shape (2, F, kernel_size)
        Real and imaginary parts.
    """

    def __init__(self, settings: BankSettings) -> None:
        super().__init__(settings)
        center, sigma, bands = gabor_start(settings)
        gabor = gabor_kernels(torch.as_tensor(center), torch.as_tensor(sigma), kernel_size=settings.window)
        # The energy of the response becomes the area of the band that it stands for.
        gain = torch.as_tensor(np.sqrt(bands.area * 2.0 * np.sqrt(np.pi) * sigma))
        self.taps = nn.Parameter(without_traces((gabor.unflatten(0, (2, -1)) * gain[:, None]).float()))

    def kernels(self) -> Tensor:
        """Impulse responses, real parts above imaginary ones, (2F, kernel_size)."""
        return self.taps.flatten(0, 1)

    def response(self) -> NDArray[np.float64]:
        """Power response to real input over [0, sample_rate / 2], (F, J)."""
        taps = as_floats(self.taps)
        spectrum = np.abs(np.fft.fft(taps[0] + 1j * taps[1], n=max(RESPONSE_N_FFT, self.kernel_size), axis=1)) ** 2
        half = spectrum.shape[1] // 2 + 1
        power: NDArray[np.float64] = spectrum[:, :half] + np.roll(spectrum[:, ::-1], 1, axis=1)[:, :half]
        return power

    def center_frequencies(self) -> NDArray[np.float64]:
        """Frequency of the largest response of every filter in Hz, (F,)."""
        response = self.response()
        return response.argmax(axis=1) * (0.5 * self.sample_rate / (response.shape[1] - 1))

    def bandwidths(self) -> NDArray[np.float64]:
        """Full width at half maximum of every filter's power response in Hz, (F,)."""
        response = self.response()
        return np.array([half_width(row) for row in response]) * (0.5 * self.sample_rate / (response.shape[1] - 1))

    def load_reference(self, params: ReferenceArrays) -> None:
        """Take ``conv_kernel`` (K, 1, 2F), real and imaginary parts interleaved."""
        params.fill(self, "taps", "conv_kernel", _parts)


def _parts(kernel: Array) -> Array:
    return kernel.reshape(len(kernel), -1, 2).transpose(2, 1, 0)
