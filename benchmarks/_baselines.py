"""What the frontends are timed against: convolution as anyone would write it, and log-mel spectrograms."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from unittest import mock

import librosa
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from leaf_sklearn.dsp.bands import FilterRange, scale_matrix
from leaf_sklearn.dsp.precision import full_precision
from leaf_sklearn.frontends import Frontend

SAMPLE_RATE, KERNEL_SIZE, HOP, N_FFT, N_FILTERS = 16000, 401, 160, 512, 40


def parameters(frontend: Frontend) -> tuple[Tensor, Tensor, Tensor]:
    """Centres, sigmas and pooling widths."""
    return frontend.filterbank.center, frontend.filterbank.sigma, frontend.pooling.clipped_width


def formula_kernels(frontend: Frontend) -> Tensor:
    """Gabor kernels, real parts above imaginary ones, with all that the formula gives in float32: (2 F, K)."""
    center, sigma, _ = parameters(frontend)
    time = torch.arange(-(KERNEL_SIZE // 2), KERNEL_SIZE // 2 + 1, dtype=center.dtype, device=center.device)
    envelope = torch.exp(-0.5 * (time / sigma[:, None]) ** 2) / (math.sqrt(2 * math.pi) * sigma[:, None])
    phase = center[:, None] * time
    return torch.cat([envelope * torch.cos(phase), envelope * torch.sin(phase)])


def direct_energies(waveforms: Tensor, frontend: Frontend, *, denormals: bool = False) -> Tensor:
    """Energies as anyone would write them, with the package's kernels or with the formula's."""
    bank, pooling, n_times = frontend.filterbank, frontend.pooling, waveforms.shape[1]
    kernels = formula_kernels(frontend) if denormals else bank.kernels()
    with full_precision(waveforms.device):
        response = functional.conv1d(waveforms[:, None], kernels[:, None], padding=KERNEL_SIZE // 2)
    left = pooling.left_padding(n_times)
    right = (pooling.n_frames(n_times) - 1) * HOP + KERNEL_SIZE - n_times - left
    return pooling(functional.pad(bank.activation(response), (left, right), value=pooling.fill))


def in_place_of_energies(*, denormals: bool) -> AbstractContextManager[object]:
    """Have frontends compute energies by conv1d, of clips of one length."""

    def energies(frontend: Frontend, waveforms: Tensor, lengths: Tensor | None = None) -> Tensor:
        if lengths is not None and (lengths != waveforms.shape[1]).any():
            raise ValueError(f"Got clips of {lengths.tolist()} samples, expected {waveforms.shape[1]} each.")
        return direct_energies(waveforms, frontend, denormals=denormals)

    return mock.patch.object(Frontend, "energies", energies)


def conv1d_features(waveforms: Tensor, frontend: Frontend) -> Tensor:
    """Features of energies as anyone would write them."""
    return frontend.compress(direct_energies(waveforms, frontend))


def torch_mel(device: str) -> Callable[[Tensor], Tensor]:
    window = torch.hann_window(KERNEL_SIZE - 1, device=device)
    span = FilterRange(N_FILTERS, SAMPLE_RATE, 60.0, 7800.0)
    matrix = torch.tensor(scale_matrix("mel", span, n_fft=N_FFT), dtype=torch.float32, device=device)

    def log_mel(waveforms: Tensor) -> Tensor:
        spectrum = torch.stft(waveforms, N_FFT, HOP, KERNEL_SIZE - 1, window, return_complex=True)
        return torch.log(matrix @ torch.view_as_real(spectrum).square().sum(-1) + 1e-5)

    return log_mel


def librosa_mel(waveforms: Tensor) -> np.ndarray:
    options = {"n_fft": N_FFT, "hop_length": HOP, "win_length": KERNEL_SIZE - 1, "n_mels": N_FILTERS}
    clips = waveforms.cpu().numpy()
    spectra = [librosa.feature.melspectrogram(y=clip, sr=SAMPLE_RATE, **options) for clip in clips]
    return np.stack([np.log(spectrum + 1e-5) for spectrum in spectra])
