import itertools

import numpy as np
import pytest
import torch
from scipy import stats

from leaf_sklearn._functionals import FUNCTIONALS, block_names, check_functionals, summarize


def band_deviation(x, low, high):
    """Put the other rates to zero and take the standard deviation of what is left, at 100 frames a second."""
    hertz = np.abs(np.fft.fftfreq(x.shape[1], 0.01))
    inside = (hertz >= low) & ((hertz < high) | (hertz == 50) & (high == 50))
    return np.fft.ifft(np.fft.fft(x, axis=1) * inside).real.std(1)


ORACLES = {
    "mean": lambda x: x.mean(1),
    "std": lambda x: x.std(1),
    "delta_std": lambda x: np.diff(x, axis=1).std(1),
    "min": lambda x: x.min(1),
    "max": lambda x: x.max(1),
    "q10": lambda x: np.quantile(x, 0.1, axis=1),
    "q50": lambda x: np.median(x, axis=1),
    "q90": lambda x: np.quantile(x, 0.9, axis=1),
    "skew": lambda x: stats.skew(x, axis=1),
    **{
        f"mod_{low}_{high}hz": lambda x, low=low, high=high: band_deviation(x, low, high)
        for low, high in ((0, 3), (3, 6), (6, 12), (12, 24), (24, 50))
    },
    "slope": lambda x: np.polyfit((np.arange(x.shape[1]) + 0.5) / x.shape[1], x.T, 1)[0],
}


def test_every_functional_has_an_oracle():
    assert set(ORACLES) == set(FUNCTIONALS)


@pytest.mark.parametrize("name", FUNCTIONALS)
def test_equals_numpy_on_the_valid_frames_only(name):
    rng = np.random.default_rng(0)
    values = rng.standard_normal((3, 4, 17))
    n_frames = np.array([17, 9, 5])
    padded = values.copy()
    for row, length in enumerate(n_frames):
        padded[row, :, length:] = 1e6
    found = summarize(torch.from_numpy(padded), torch.from_numpy(n_frames), (name,)).numpy()
    expected = np.stack([ORACLES[name](x[:, :length]) for x, length in zip(values, n_frames, strict=True)])
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_modulation_bands_share_the_variance():
    values = torch.rand(2, 3, 90, dtype=torch.float64)
    n_frames = torch.tensor([90, 71])
    bands = [name for name in FUNCTIONALS if name.startswith("mod_")]
    shares = summarize(values, n_frames, bands).reshape(2, len(bands), 3).square().sum(1)
    torch.testing.assert_close(shares, summarize(values, n_frames, ("std",)).square())


def test_a_fluctuation_falls_into_its_band():
    seconds = torch.arange(200, dtype=torch.float64) / 50
    values = (2 * torch.pi * 8 * seconds).sin()[None, None, :]
    found = summarize(values, torch.tensor([200]), ("mod_3_6hz", "mod_6_12hz", "mod_12_24hz"), rate=50.0)
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.5**0.5, 0.0]], dtype=torch.float64))


@pytest.mark.parametrize("name", FUNCTIONALS)
def test_thirds_are_the_functional_of_each_third(name):
    values = torch.rand(3, 2, 20, dtype=torch.float64)
    n_frames = torch.tensor([20, 12, 1])
    found = summarize(values, n_frames, (name + "_thirds",)).reshape(3, 3, 2)
    for clip, bounds in enumerate([(0, 6, 13, 20), (0, 4, 8, 12), (0, 1)]):
        for third, (start, stop) in enumerate(itertools.pairwise(bounds)):
            alone = summarize(values[clip, None, :, start:stop], torch.tensor([stop - start]), (name,))[0]
            torch.testing.assert_close(found[clip, third], alone)
    assert block_names(("mean", "std_thirds")) == ["mean", "std_third1", "std_third2", "std_third3"]


def test_one_frame_has_no_spread():
    values = torch.full((1, 2, 6), 3.0, dtype=torch.float64)
    found = summarize(values, torch.tensor([1]), tuple(FUNCTIONALS))
    level = {"mean", "min", "max", "q10", "q50", "q90"}
    expected = torch.tensor([3.0 if name in level else 0.0 for name in FUNCTIONALS for _ in range(2)])
    torch.testing.assert_close(found[0], expected.double())


def test_one_block_a_functional_in_the_order_asked():
    values = torch.rand(2, 3, 8)
    n_frames = torch.tensor([8, 8])
    both = summarize(values, n_frames, ("std", "mean"))
    torch.testing.assert_close(both[:, :3], summarize(values, n_frames, ("std",)))
    torch.testing.assert_close(both[:, 3:], summarize(values, n_frames, ("mean",)))


def test_gradient_is_finite_where_nothing_varies():
    values = torch.ones(1, 2, 5, requires_grad=True)
    summarize(values, torch.tensor([5]), ("mean", "std", "delta_std"), floor=1e-5).sum().backward()
    assert values.grad.isfinite().all()


@pytest.mark.parametrize("names", [("mean", "kurt"), (), "median", ("mean", "mean"), (1,)])
def test_unknown_none_or_repeated_names_are_refused(names):
    with pytest.raises(ValueError, match="functionals="):
        check_functionals(names)
