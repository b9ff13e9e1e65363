"""Compressions against their formulas in float64, and at the edges of their ranges."""

import numpy as np
import pytest
import torch

from leaf_sklearn.dsp.compression import log_compression, pcen, root_compression
from leaf_sklearn.dsp.smoothing import exponential_moving_average


def random(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_pcen_is_its_formula_frame_by_frame():
    energies, alpha, delta = 10.0 * random(2, 3, 50), 0.5 + random(3, seed=1), 0.1 + random(3, seed=2)
    root, smooth = 0.5 + 3.0 * random(3, seed=3), random(3, seed=4)
    got = pcen(energies, exponential_moving_average(energies, smooth), alpha, delta, root, floor=1e-6)
    x, a, d = energies.double().numpy(), np.minimum(alpha.double().numpy(), 1.0), delta.double().numpy()
    r, s = 1.0 / np.maximum(root.double().numpy(), 1.0), smooth.double().numpy()
    level = x[:, :, 0]
    for frame in range(50):
        level = s * x[:, :, frame] + (1.0 - s) * level if frame else level
        wanted = (x[:, :, frame] / (1e-6 + level) ** a + d) ** r - d**r
        np.testing.assert_allclose(got[:, :, frame], wanted, rtol=1e-5, atol=1e-6)


def test_pcen_of_silence_is_exactly_zero():
    silence = torch.zeros(1, 5, 40)
    delta = random(5) + 1e-3
    got = pcen(silence, silence, random(5, seed=1), delta, 1.0 + 9.0 * random(5, seed=2), floor=1e-12)
    assert (got == 0.0).all()


@pytest.mark.parametrize("n_frames", [1, 2, 31, 33, 100])
def test_a_frame_does_not_depend_on_how_many_follow(n_frames):
    energies, ones = 5.0 * random(3, 7, 120), torch.ones(7)

    def compress(x):
        return pcen(x, x.flip(0), 0.9 * ones, 0.3 * ones, 3.0 * ones, floor=1e-12), root_compression(x, 2.5 * ones)

    for whole, part in zip(compress(energies), compress(energies[:, :, :n_frames]), strict=True):
        torch.testing.assert_close(part, whole[:, :, :n_frames], rtol=0, atol=0)


def test_gradients_are_those_of_finite_differences():
    energies = (random(2, 3, 6).double() + 0.1).requires_grad_()
    values = [
        (random(3, seed=seed).double() * 0.5 + low).requires_grad_() for seed, low in ((1, 0.3), (2, 0.5), (3, 1.5))
    ]

    def compress(energies, alpha, delta, root):
        smoothed = exponential_moving_average(energies, torch.full((3,), 0.2, dtype=torch.float64))
        return pcen(energies, smoothed, alpha, delta, root, floor=1e-6), root_compression(energies, root)

    assert torch.autograd.gradcheck(compress, (energies, *values))


def test_float32_gradients_are_those_of_float64():
    values = [10.0 * random(4, 3, 200), random(3, seed=1), 1e-3 + random(3, seed=2), 1.0 + 9.0 * random(3, seed=3)]

    def gradients(dtype):
        energies, *parameters = leaves = [value.to(dtype, copy=True).requires_grad_() for value in values]
        smoothed = exponential_moving_average(energies, torch.full((3,), 0.04, dtype=dtype))
        compressed = (
            pcen(energies, smoothed, *parameters, floor=1e-12).sum() + root_compression(energies, leaves[3]).sum()
        )
        return torch.autograd.grad(compressed, leaves)

    for single, double in zip(gradients(torch.float32), gradients(torch.float64), strict=True):
        torch.testing.assert_close(single.double(), double, rtol=1e-5, atol=1e-5)


def test_log_and_root_of_silence():
    silence = torch.zeros(1, 2, 3, requires_grad=True)
    torch.testing.assert_close(log_compression(silence), torch.full((1, 2, 3), np.log(1e-5), dtype=torch.float32))
    root_compression(silence, torch.tensor([2.0, 10.0])).sum().backward()
    assert silence.grad.isfinite().all()
