"""The direct form, parameters and sounds that the band-limited form is held against."""

import math

import numpy as np
import torch

from leaf_sklearn.dsp.band_plan import ALIASING_IN_TRAINING, SIDE_LOBE_IN_TRAINING
from leaf_sklearn.dsp.band_weights import prepare_bands
from leaf_sklearn.dsp.bandlimited import pooled_energies
from leaf_sklearn.dsp.bands import FilterRange, matrix_bands, scale_matrix
from leaf_sklearn.dsp.framing import frame_count
from leaf_sklearn.dsp.kernels import SIGMA_UNIT, gabor_kernels, gaussian_lowpass, sigma_limits

RATE = 16000


def direct_energies(waveforms, center, sigma, width, *, kernel_size, hop):
    """The definition: convolution at stride 1, squared modulus, pooling at the hop, all with zero padding."""
    kernels = gabor_kernels(center, sigma, kernel_size=kernel_size)
    windows = gaussian_lowpass(width, kernel_size=kernel_size)
    return convolved_energies(waveforms, *kernels.chunk(2), windows, hop=hop)


def convolved_energies(waveforms, real, imaginary, windows, *, hop, padding="same"):
    kernel_size, n_times = real.shape[1], waveforms.shape[1]
    left = (kernel_size - 1) // 2
    padded = torch.nn.functional.pad(waveforms, (left, kernel_size - 1 - left))[:, None]
    energies = sum(torch.nn.functional.conv1d(padded, part[:, None]) ** 2 for part in (real, imaginary))
    missing = max((-(-n_times // hop) - 1) * hop + kernel_size - n_times, 0) if padding == "same" else 0
    energies = torch.nn.functional.pad(energies, (missing // 2, missing - missing // 2))
    return torch.nn.functional.conv1d(energies, windows[:, None], stride=hop, groups=len(real))


def mel_parameters(kernel_size=401, sample_rate=RATE, n_filters=40):
    """The usual start."""
    span = FilterRange(n_filters, sample_rate, 60.0, 0.4875 * sample_rate)
    bands = matrix_bands(scale_matrix("mel", span, n_fft=512), sample_rate=sample_rate)
    center = torch.from_numpy(2 * np.pi * bands.center / sample_rate)
    sigma = torch.from_numpy(SIGMA_UNIT * np.sqrt(0.5) * sample_rate / bands.bandwidth)
    return center, sigma.clamp(*sigma_limits(kernel_size)), torch.full_like(center, 0.4)


def random_parameters(n_filters, kernel_size, seed):
    """Anything that the constraints allow, the ends of the ranges among it."""
    generator = torch.Generator().manual_seed(seed)
    low, high = sigma_limits(kernel_size)
    center, sigma, width = torch.rand(3, n_filters, dtype=torch.float64, generator=generator)
    center[:2], sigma[2:4] = torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0])
    width[4:6] = torch.tensor([0.0, 1.0])
    return center * math.pi, low * (high / low) ** sigma, 2 / kernel_size * (kernel_size / 4) ** width


def trained_parameters(seed=0):
    """As after training: some filters moved, narrowed and widened."""
    generator = torch.Generator().manual_seed(seed)
    center, sigma, width = mel_parameters()
    moves = torch.randn(3, len(center), dtype=torch.float64, generator=generator)
    center = (center + 0.02 * moves[0]).clamp(0, math.pi)
    return (
        center,
        (sigma * torch.exp(0.4 * moves[1])).clamp(*sigma_limits(401)),
        width * torch.exp(0.3 * moves[2].clamp(max=0.7)),
    )


PARAMETERS = {
    "init": mel_parameters,
    "trained": trained_parameters,
    "random": lambda: random_parameters(40, 401, 0),
    "other random": lambda: random_parameters(40, 401, 1),
}


IN_TRAINING = {"side_lobes": (SIDE_LOBE_IN_TRAINING,), "aliasing": ALIASING_IN_TRAINING}


def signals(n_times=4800):
    """Noise, tones, beats, a chirp, impulses, an onset after silence, and silence."""
    t = torch.arange(n_times, dtype=torch.float64)
    noise = torch.randn(n_times, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    impulses = torch.zeros(n_times, dtype=torch.float64)
    impulses[[0, 1000, 4001, n_times - 1]] = 1.0
    tone = torch.sin(2 * math.pi * 1000 / RATE * t)
    return torch.stack(
        [
            noise,
            tone,
            torch.sin(2 * math.pi * 150 / RATE * t),
            tone + torch.sin(2 * math.pi * 1030 / RATE * t),
            torch.sin(2 * math.pi * 440 / RATE * t) + torch.sin(2 * math.pi * 5000 / RATE * t),
            torch.sin(math.pi * 0.4 * t**2 / n_times),
            impulses,
            noise * (t > n_times // 2),
            torch.zeros_like(t),
        ]
    )


def neighbourhood(energies):
    """Loudest filter of each frame, the one before and the one after: (B, F, T) -> (B, 1, T)."""
    return torch.nn.functional.max_pool1d(energies.amax(1, keepdim=True), 3, stride=1, padding=1)


def bandlimited_energies(waveforms, lengths, center, sigma, width, plan):
    return pooled_energies(waveforms, lengths, prepare_bands(center, sigma, width, plan, dtype=waveforms.dtype))


def assert_rows_stand_alone(waveforms, lengths, bands):
    """Each clip's frames are, bit for bit, those of the clip alone, whatever it is batched and padded with."""
    together = pooled_energies(waveforms, lengths, bands)
    backwards = pooled_energies(waveforms.flip(0), lengths.flip(0), bands).flip(0)
    for row, length in enumerate(lengths.tolist()):
        clip, n_frames = waveforms[row : row + 1, :length], frame_count(length, **bands.plan.geometry)
        padded = torch.nn.functional.pad(clip, (0, 5000), value=math.nan)
        alone = pooled_energies(clip, None, bands)
        assert alone.shape[-1] == n_frames
        assert torch.equal(together[row : row + 1, :, :n_frames], alone)
        assert torch.equal(backwards[row : row + 1, :, :n_frames], alone)
        assert torch.equal(pooled_energies(padded, lengths[row : row + 1], bands)[..., :n_frames], alone)
