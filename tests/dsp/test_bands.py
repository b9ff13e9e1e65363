"""Starts of filterbanks: distinct, in range, and on the scale they name."""

import numpy as np
import pytest
import torch

from leaf_sklearn.dsp.bands import (
    FilterRange,
    band_edges,
    band_matrix,
    distinct,
    matrix_bands,
    random_bands,
    row_bands,
    scale_bands,
    scale_matrix,
)
from leaf_sklearn.dsp.scales import SCALES, hz_to_mel

SPAN = FilterRange(n_filters=30, sample_rate=16000, fmin=100.0, fmax=7000.0)


def test_mel_triangles_are_linear_in_mel_and_share_their_feet():
    weights = scale_matrix("mel", SPAN, n_fft=8192)
    mel = hz_to_mel(np.linspace(0.0, 8000.0, 4097))
    spacing = np.diff(hz_to_mel(np.array([100.0, 7000.0])))[0] / 31
    np.testing.assert_allclose(mel[weights.argmax(axis=1)], mel_points(spacing), atol=3.0)
    covered = (mel > mel_points(spacing)[0]) & (mel < mel_points(spacing)[-1])
    np.testing.assert_allclose(weights.sum(axis=0)[covered], 1.0, atol=1e-9)


def mel_points(spacing):
    return hz_to_mel(np.array(100.0)) + spacing * np.arange(1, 31)


def test_bands_read_off_fine_bins_are_those_of_the_scale():
    read = matrix_bands(scale_matrix("mel", SPAN, n_fft=65536), sample_rate=16000)
    exact = scale_bands("mel", SPAN)
    np.testing.assert_allclose(read.center, exact.center, atol=0.25)
    np.testing.assert_allclose(read.bandwidth, exact.bandwidth, rtol=0.01)
    np.testing.assert_allclose(read.area, exact.area, rtol=0.02)


@pytest.mark.parametrize("scale", SCALES)
def test_scale_bands_are_equally_spaced_on_the_scale(scale):
    steps = np.diff(SCALES[scale][0](scale_bands(scale, SPAN).center))
    np.testing.assert_allclose(steps, steps.mean(), rtol=1e-9)


@pytest.mark.parametrize("scale", SCALES)
def test_edges_touch_and_cover_the_range(scale):
    edges = band_edges(scale, SPAN)
    np.testing.assert_allclose(edges[1:, 0], edges[:-1, 1])
    np.testing.assert_allclose([edges[0, 0], edges[-1, 1]], [100.0, 7000.0])


def test_rows_become_triangles_whose_half_points_lie_a_bandwidth_apart():
    bands = row_bands(np.array([[1000.0, 200.0]]), sample_rate=16000)
    weights = band_matrix(bands, sample_rate=16000, n_fft=16000)[0]
    np.testing.assert_allclose(weights[[900, 1000, 1100]], [0.5, 1.0, 0.5])


def test_random_bands_lie_in_the_range_and_follow_the_generator():
    def draw(seed):
        return random_bands(SPAN, torch.Generator().manual_seed(seed))

    bands = draw(1)
    assert (np.diff(bands.center) > 0).all()
    assert bands.center.min() >= 100.0
    assert bands.center.max() <= 7000.0
    np.testing.assert_array_equal(bands.center, draw(1).center)
    assert not np.array_equal(bands.center, draw(2).center)


def test_distinct_sees_twins_and_empty_rows():
    assert distinct(np.array([[1.0, 2.0], [2.0, 1.0]]))
    assert not distinct(np.array([[1.0, 2.0], [1.0, 2.0]]))
    assert not distinct(np.array([[1.0, 2.0], [0.0, 0.0]]))
