"""Frames stand where TensorFlow's paddings put them, and rows do not depend on their batch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from leaf_sklearn.dsp.framing import (
    correlate,
    frame_count,
    left_padding,
    left_padding_range,
    multiply_rows,
    place_clips,
    weighted_windows,
)

sizes = st.tuples(st.integers(1, 400), st.integers(1, 60), st.integers(1, 90))


@given(sizes)
def test_same_padding_is_tensorflows(size):
    length, kernel_size, hop = size
    frames = -(-length // hop)
    padding = max((frames - 1) * hop + kernel_size - length, 0)
    options = {"kernel_size": kernel_size, "hop": hop, "padding": "same"}
    assert frame_count(length, **options) == frames
    assert left_padding(length, **options) == padding // 2
    low, high = left_padding_range(**options)
    assert low <= padding // 2 <= high
    assert frame_count(torch.tensor([length]), **options).tolist() == [frames]
    assert left_padding(torch.tensor([length]), **options).tolist() == [padding // 2]


@given(sizes)
def test_valid_frames_lie_inside_the_clip(size):
    length, kernel_size, hop = size
    frames = frame_count(length, kernel_size=kernel_size, hop=hop, padding="valid")
    inside = [start for start in range(0, length, hop) if start + kernel_size <= length]
    assert frames == max(len(inside), 1)


def test_each_clip_is_placed_by_its_own_padding():
    waveforms, lengths, left = torch.arange(1.0, 11).reshape(2, 5), torch.tensor([5, 2]), torch.tensor([1, 3])
    placed = place_clips(waveforms, lengths, left, start=-1, stop=7)
    assert placed.tolist() == [[0, 0, 1, 2, 3, 4, 5, 0], [0, 0, 0, 0, 6, 7, 0, 0]]
    assert place_clips(waveforms, None, 2, start=3, stop=6).tolist() == [[2, 3, 4], [7, 8, 9]]


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 70), st.integers(1, 33), st.integers(1, 900), st.integers(0, 2**31))
def test_correlate_is_numpys_and_does_not_depend_on_the_batch(n_kernels, kernel_size, n_out, seed):
    generator = torch.Generator().manual_seed(seed)
    waveforms = torch.randn(3, n_out + kernel_size - 1, generator=generator)
    kernels = torch.randn(n_kernels, kernel_size, generator=generator)
    rows = correlate(waveforms, kernels)
    torch.testing.assert_close(correlate(waveforms[1:2], kernels), rows[1:2], rtol=0, atol=0)
    wanted = np.correlate(waveforms[0].numpy(), kernels[0].numpy(), mode="valid")
    np.testing.assert_allclose(rows[0, 0].numpy(), wanted, atol=1e-4)


@pytest.mark.parametrize("n_columns", [1, 3, 16, 40, 65])
@pytest.mark.parametrize("n_bins", [257, 1025])
def test_a_product_of_rows_does_not_depend_on_their_number(n_columns, n_bins):
    generator = torch.Generator().manual_seed(n_columns)
    rows, matrix = torch.rand(300, n_bins, generator=generator), torch.rand(n_bins, n_columns, generator=generator)
    whole = multiply_rows(rows, matrix)
    torch.testing.assert_close(whole, rows @ matrix, rtol=1e-5, atol=1e-5)
    for count in (1, 2, 5, 11, 16, 17, 98):
        torch.testing.assert_close(multiply_rows(rows[:count], matrix), whole[:count], rtol=0, atol=0)
        torch.testing.assert_close(multiply_rows(rows[7 : 7 + count], matrix), whole[7 : 7 + count], rtol=0, atol=0)


@pytest.mark.parametrize("n_filters", [1, 2, 7, 40])
def test_windows_do_not_depend_on_the_batch(n_filters):
    generator = torch.Generator().manual_seed(n_filters)
    energies, taps = torch.rand(4, n_filters, 900, generator=generator), torch.rand(n_filters, 41, generator=generator)
    whole = weighted_windows(energies, taps, hop=20)
    torch.testing.assert_close(whole, torch.einsum("bftk,fk->bft", energies.unfold(2, 41, 20), taps))
    for n_times in (41, 60, 500):
        part = weighted_windows(energies[2:3, :, :n_times], taps, hop=20)
        torch.testing.assert_close(part[0], whole[2, :, : part.shape[-1]], rtol=0, atol=0)


@pytest.mark.parametrize("kernel_size", [7, 8, 11])
@pytest.mark.parametrize("n_times", [11, 30, 47])
@pytest.mark.parametrize("hop", [4, 9])
def test_gradients_of_weighted_windows(hop, n_times, kernel_size):
    generator = torch.Generator().manual_seed(hop)
    sizes = ((2, 3, n_times), (3, kernel_size))
    energies, taps = (torch.rand(size, generator=generator, dtype=torch.float64) for size in sizes)
    inputs = (energies.requires_grad_(), taps.requires_grad_())
    for check in (torch.autograd.gradcheck, torch.autograd.gradgradcheck):
        assert check(lambda *each: weighted_windows(*each, hop=hop), inputs)


@pytest.mark.parametrize("span", [(-9, -2), (-3, 4), (2, 7), (5, 30), (12, 20)])
def test_a_part_of_a_placed_clip_is_the_part(span):
    waveforms, lengths = torch.arange(1.0, 25.0).reshape(2, 12), torch.tensor([12, 7])
    start, stop = span
    for counts in (None, lengths):
        whole = place_clips(waveforms, counts, 3, start=-10, stop=40)
        part = place_clips(waveforms, counts, 3, start=start, stop=stop)
        torch.testing.assert_close(part, whole[:, start + 10 : stop + 10], rtol=0, atol=0)
        each = place_clips(waveforms, counts, torch.tensor([3, 3]), start=start, stop=stop)
        torch.testing.assert_close(each, part, rtol=0, atol=0)
