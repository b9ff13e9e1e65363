"""Where filters start: centre and width of every band, and the mel matrix they are read from."""

from dataclasses import dataclass

import numpy as np
import torch

from .scales import SCALES, Floats, hz_to_mel, mel_to_hz, scale_points

SMALLEST_N_FFT = 512
LARGEST_N_FFT = 65536


@dataclass(frozen=True)
class FilterRange:
    """How many filters to spread between two frequencies in Hz."""

    n_filters: int
    sample_rate: int
    fmin: float
    fmax: float


@dataclass(frozen=True)
class Bands:
    """Start of a filterbank, one entry a filter."""

    center: Floats  # in Hz
    bandwidth: Floats  # full width at half maximum of the power response, in Hz
    area: Floats  # of the power response, over frequency in radians per sample


def triangles(edges: Floats, bins: Floats) -> Floats:
    """Triangular weights: (F, 3) edges, peak in the middle, and (J,) positions -> (F, J)."""
    low, peak, high = (edges[:, i, None] for i in range(3))
    return np.maximum(0.0, np.minimum((bins - low) / (peak - low), (high - bins) / (high - peak)))


def scale_matrix(scale: str, span: FilterRange, *, n_fft: int) -> Floats:
    """Triangles equally spaced and linear on a scale, with the constant bin left out: -> (F, n_fft // 2 + 1)."""
    forward, _ = SCALES[scale]
    points = np.linspace(forward(np.asarray(span.fmin)), forward(np.asarray(span.fmax)), span.n_filters + 2)
    edges = np.lib.stride_tricks.sliding_window_view(points, 3)
    bins = forward(np.linspace(0.0, 0.5 * span.sample_rate, n_fft // 2 + 1))
    weights = triangles(edges, bins)
    weights[:, 0] = 0.0
    return weights


def band_matrix(bands: Bands, *, sample_rate: int, n_fft: int) -> Floats:
    """Triangles linear in Hz whose half points lie a bandwidth apart: -> (F, n_fft // 2 + 1)."""
    edges = np.stack([bands.center - bands.bandwidth, bands.center, bands.center + bands.bandwidth], axis=1)
    weights = triangles(edges, np.linspace(0.0, 0.5 * sample_rate, n_fft // 2 + 1))
    weights[:, 0] = 0.0
    return weights


def matrix_bands(weights: Floats, *, sample_rate: int) -> Bands:
    """Gaussian bands read off a mel matrix as the reference reads them, on its bins: (F, J) -> Bands.

    The centre is the largest bin; the bins where the square root of the triangle reaches half its peak give the width
    of the magnitude response, which is sqrt(2) times that of the power response.
    """
    n_fft = 2 * (weights.shape[1] - 1)
    magnitude = np.sqrt(weights)
    peak = magnitude.max(axis=1)
    wide = (magnitude >= 0.5 * peak[:, None]).sum(axis=1)
    support = (weights > 0).sum(axis=1)
    return Bands(
        center=magnitude.argmax(axis=1) * (sample_rate / n_fft),
        bandwidth=wide * (sample_rate / n_fft / np.sqrt(2.0)),
        area=weights.max(axis=1) * (support + 2) * (np.pi / n_fft),
    )


def scale_bands(scale: str, span: FilterRange) -> Bands:
    """Gaussian bands equally spaced on a scale, as wide as its triangles, without bins."""
    forward, inverse = SCALES[scale]
    points = np.linspace(forward(np.asarray(span.fmin)), forward(np.asarray(span.fmax)), span.n_filters + 2)
    reach = 0.75 * (points[1] - points[0])
    edges, middle = inverse(points), points[1:-1]
    return Bands(
        center=edges[1:-1],
        bandwidth=(inverse(middle + reach) - inverse(middle - reach)) / np.sqrt(2.0),
        area=(edges[2:] - edges[:-2]) * (np.pi / span.sample_rate),
    )


def row_bands(rows: Floats, *, sample_rate: int) -> Bands:
    """Bands of given (centre Hz, bandwidth Hz) rows: (F, 2) -> Bands."""
    return Bands(center=rows[:, 0], bandwidth=rows[:, 1], area=rows[:, 1] * (2.0 * np.pi / sample_rate))


def random_bands(span: FilterRange, generator: torch.Generator | None = None) -> Bands:
    """Bands with centres uniform on the mel scale, sorted, and widths of half to twice the mel spacing's.

    Parameters
    ----------
    span : FilterRange
        Number and range of the filters.
    generator : torch.Generator, optional
        Where the numbers come from; None always draws the same.
    """
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    draws = torch.rand(2, span.n_filters, dtype=torch.float64, generator=generator).numpy()
    low, high = hz_to_mel(np.array([span.fmin, span.fmax]))
    center = mel_to_hz(low + (high - low) * np.sort(draws[0]))
    spacing = (high - low) / (span.n_filters + 1) * (700.0 + center) / 1127.0
    rows = np.stack([center, spacing * 2.0 ** (2.0 * draws[1] - 1.0)], axis=1)
    return row_bands(rows, sample_rate=span.sample_rate)


def distinct(weights: Floats) -> bool:
    """Whether no filter of a matrix is empty and no two are alike."""
    return bool(weights.any(axis=1).all()) and len(np.unique(weights, axis=0)) == len(weights)


def band_edges(scale: str, span: FilterRange) -> Floats:
    """Contiguous bands on a scale: (F, 2) Hz, lower and upper edge."""
    points = scale_points(scale, span.n_filters + 1, span.fmin, span.fmax)
    return np.stack([points[:-1], points[1:]], axis=1)
