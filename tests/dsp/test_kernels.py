"""Impulse responses against what they are meant to do to a tone."""

import math

import numpy as np
import pytest
import torch

from leaf_sklearn.dsp.kernels import (
    gabor_kernels,
    gaussian_lowpass,
    hamming_window,
    hann_window,
    sigma_limits,
    sinc_kernels,
    squared_hann_window,
)
from leaf_sklearn.frontends import make_frontend

N_FFT = 65536


def gabor_power(center, sigma, size):
    kernels = gabor_kernels(torch.tensor([center]), torch.tensor([sigma]), kernel_size=size).double().numpy()
    return np.abs(np.fft.fft(kernels[0] + 1j * kernels[1], n=N_FFT)) ** 2


@pytest.mark.parametrize("size", [401, 400])
@pytest.mark.parametrize("center, sigma", [(0.3, 40.0), (1.7, 10.0), (2.9, 25.0)])
def test_a_gabor_filter_passes_its_centre_at_unit_gain_and_halves_at_its_bandwidth(size, center, sigma):
    power = gabor_power(center, sigma, size)
    frequency = 2.0 * math.pi * np.arange(N_FFT) / N_FFT
    assert frequency[power.argmax()] == pytest.approx(center, abs=2e-4)
    assert power.max() == pytest.approx(1.0, abs=1e-3)
    above = frequency[power >= 0.5]
    assert above.max() - above.min() == pytest.approx(2.0 * math.sqrt(math.log(2.0)) / sigma, rel=1e-2)


def test_no_tap_is_a_denormal_number():
    """Sums with them take some processors 25 times as long."""
    low, high = sigma_limits(401)
    kernels = gabor_kernels(torch.tensor([0.1, 1.0]), torch.tensor([low, high]), kernel_size=401)
    windows = gaussian_lowpass(torch.tensor([0.0, 0.5]), kernel_size=401)
    for taps in (kernels, windows, make_frontend("td-fbanks").filterbank.kernels()):
        assert taps[taps != 0].abs().min() > 1e-19
    assert (kernels[0] == 0).sum() > 200 and (kernels[1] == 0).sum() == 0


def test_sigma_limits_are_the_papers():
    low, high = sigma_limits(401)
    assert low == pytest.approx(1.4991, abs=1e-4)
    assert high == pytest.approx(150.287, abs=1e-3)


@pytest.mark.parametrize("size", [401, 400, 4])
def test_the_lowpass_is_symmetric_and_clipped(size):
    taps = gaussian_lowpass(torch.tensor([0.4, 0.0, -3.0, 0.9, 0.5]), kernel_size=size)
    assert taps.shape == (5, size)
    torch.testing.assert_close(taps, taps.flip(1), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(taps[1], taps[2], rtol=0, atol=0)
    torch.testing.assert_close(taps[3], taps[4], rtol=0, atol=0)


def test_the_usual_lowpass_sums_to_about_200():
    assert float(gaussian_lowpass(torch.tensor([0.4]), kernel_size=401).sum()) == pytest.approx(200.0, rel=0.02)


@pytest.mark.parametrize("size", [401, 400])
def test_a_sinc_filter_halves_in_amplitude_at_its_edges(size):
    low, high, rate = 1000.0, 3000.0, 16000
    kernel = sinc_kernels(torch.tensor([low]), torch.tensor([high]), kernel_size=size, filter_rate=rate)[0]
    gain = np.abs(np.fft.rfft((kernel * hamming_window(size)).double().numpy(), n=N_FFT))
    frequency = np.fft.rfftfreq(N_FFT, 1.0 / rate)
    inside = gain[(frequency > low + 200) & (frequency < high - 200)]
    np.testing.assert_allclose(inside, inside.mean(), rtol=1e-2)
    assert gain[(frequency < low - 200) | (frequency > high + 200)].max() < 0.01 * inside.mean()
    for edge in (low, high):
        assert gain[np.abs(frequency - edge).argmin()] == pytest.approx(0.5 * inside.mean(), rel=0.02)


def test_an_empty_band_is_a_zero_filter():
    edges = torch.tensor([8000.0], requires_grad=True)
    kernel = sinc_kernels(edges, edges, kernel_size=101, filter_rate=16000)
    assert (kernel == 0).all()
    kernel.sum().backward()
    assert edges.grad.isfinite().all()


def test_hann_is_symmetric_for_odd_sizes_and_periodic_for_even_ones():
    np.testing.assert_allclose(hann_window(401), np.hanning(401), atol=1e-12)
    np.testing.assert_allclose(hann_window(400), np.hanning(401)[:-1], atol=1e-12)


def test_td_fbanks_window_is_late_by_one_sample():
    np.testing.assert_allclose(squared_hann_window(401)[1:], np.hanning(401)[:-1] ** 2, atol=1e-12)
