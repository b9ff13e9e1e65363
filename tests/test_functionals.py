import numpy as np
import pytest
import torch
from scipy import stats

from leaf_sklearn._functionals import FUNCTIONALS, check_functionals, summarize

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


@pytest.mark.parametrize("names", [("mean", "kurt"), (), "median", ("mean", "mean")])
def test_unknown_none_or_repeated_names_are_refused(names):
    with pytest.raises(ValueError, match="functionals="):
        check_functionals(names)
