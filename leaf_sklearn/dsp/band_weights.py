"""What the fast path multiplies by: frequency responses of the filters, and pooling weights at the nodes."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .band_plan import BandPlan
from .framing import SMALLEST_PRODUCT
from .kernels import gabor_kernels, gaussian_lowpass, without_traces

# Energies between nodes are interpolated as a Gaussian process with correlation exp(-t^2 / 2 rho^2), rho = SPACINGS
# node spacings. Filtered white noise has rho = sigma, which is at least 1.7 spacings; the smoother prior leans less on
# nodes outside the window, which matters where a loud sound follows silence.
SPACINGS = 1 / 0.45
# Keeps the system solvable in float64; 1e-12 and 1e-8 do as well.
NUGGET = 1e-10


@dataclass(frozen=True)
class PreparedBands:
    """The constants of a filterbank for one plan: made once, good for many batches.

    Lists have one entry a group, filters are in the order of ``plan.order``. Axes that count twice hold values for real
    and imaginary parts side by side.

    Attributes
    ----------
    plan : BandPlan
    responses : list of Tensor, complex (F_g, 1, M)
        Frequency responses over the M bins of each band.
    weights : list of Tensor, (F_g, frame_cells, 2 rate)
        Pooling weights of the nodes about a frame, last cell first.
    end_taps : Tensor of shape (2, 2 F, reach), with zeros to 16 rows at least
        Taps that meet a sound which begins after, and one which ended before, these backwards; real parts above
        imaginary ones.
    end_windows : Tensor of shape (2, F, 1, E, P)
        Pooling windows of the E first frames over the P first samples of the first, and of the last ones likewise,
        backwards.
    leaks : Tensor of shape (F, F) or None
        What each filter hears beyond its band by either end of its kernel, for each energy of another; filters as they
        were given.
    places : Tensor of shape (F,)
        Where each filter stands in the order of the plan, if it holds them all.
    second : PreparedBands or None
        Constants of fewer filters, for clips in which side lobes count.
    """

    plan: BandPlan
    responses: list[Tensor]
    weights: list[Tensor]
    end_taps: Tensor
    end_windows: Tensor
    leaks: Tensor | None
    places: Tensor
    second: "PreparedBands | None" = None


def prepare_bands(center: Tensor, sigma: Tensor, width: Tensor, plan: BandPlan, *, dtype: torch.dtype) -> PreparedBands:
    """Compute the constants for waveforms of a type; gradients flow to the three parameters, each of shape (F,).

    Phases are taken in float64: they reach hundreds of radians.
    """
    order = torch.tensor(plan.order, device=center.device)
    rows = [values.double()[order] for values in (center, sigma, width)]
    # Filters correlate, so the bands about the centres are those of the conjugate kernels; only |y| is wanted.
    kernels = gabor_kernels(-rows[0], rows[1], kernel_size=plan.kernel_size).to(dtype)
    windows = gaussian_lowpass(rows[2], kernel_size=plan.kernel_size).to(dtype)
    bands = prepare_kernels(without_traces(kernels), without_traces(windows), plan)
    second = None if plan.second is None else prepare_bands(center, sigma, width, plan.second, dtype=dtype)
    return replace(bands, places=order.argsort(), second=second)


def prepare_kernels(kernels: Tensor, windows: Tensor, plan: BandPlan) -> PreparedBands:
    """Compute the constants for any kernels, real parts above imaginary ones, and windows: (2 F, K), (F, K)."""
    index, responses, weights = torch.arange(max(plan.block, len(windows)), device=windows.device), [], []
    # Taps where the block's first valid energy meets them, so that it comes out first; correlation makes the transform
    # an inverse one. It is left unnormalised but for the factor of the inverse FFTs to come.
    taps = torch.complex(*kernels.unflatten(0, (2, -1)))
    response = torch.fft.ifft(functional.pad(taps, (plan.before - plan.reach, 0)), plan.block)
    sizes = [len(group.filters) for group in plan.groups]
    for group, whole, own in zip(plan.groups, response.split(sizes), windows.split(sizes), strict=True):
        bins = group.first + group.step * index[: len(own), None] + index[: group.rate * plan.cells]
        responses.append(torch.gather(whole, 1, bins % plan.block)[:, None])
        weights.append(_node_weights(own, group.rate, plan).unflatten(1, (plan.frame_cells, -1)).flip(1))
    leaks = None if plan.leaks is None else without_traces(windows.new_tensor(plan.leaks))
    return PreparedBands(plan, responses, weights, *_ends(kernels, windows, plan), leaks, index[: len(windows)])


def _ends(kernels: Tensor, windows: Tensor, plan: BandPlan) -> tuple[Tensor, Tensor]:
    """Taps and windows at the ends of a clip: (2 F, K), (F, K) -> (2, 2 F, reach), (2, F, 1, E, P).

    Half of a window may lie outside, without padding most of the one window of a clip that is shorter. Of few samples
    or taps a product would be rounded in another way.
    """
    n_samples = max(plan.reach if plan.padding == "same" else plan.kernel_size, 2 * SMALLEST_PRODUCT)
    spare, both = plan.hop * (-(-n_samples // plan.hop) - 1), torch.stack((windows, windows.flip(1)))
    both = functional.pad(both, (spare, n_samples))[..., : spare + n_samples].unfold(2, n_samples, plan.hop).flip(2)
    taps = functional.pad(kernels, (0, 0, 0, max(SMALLEST_PRODUCT - len(kernels), 0)))
    return torch.stack((taps[:, -plan.reach :], taps[:, : plan.reach].flip(1))), both[:, :, None]


def _node_weights(windows: Tensor, rate: int, plan: BandPlan) -> Tensor:
    """Turn weights of samples into weights of the nodes about them: (F, K) -> (F, 2 frame_cells rate).

    Each node's weight comes twice, for the squares of real and imaginary part.
    """
    if rate == plan.hop:
        after = plan.frame_cells * plan.hop - plan.offset - plan.kernel_size
        return functional.pad(windows, (plan.offset, after)).repeat_interleave(2, 1)
    return windows @ _interpolation(rate, plan.hop, plan.kernel_size, windows.dtype, windows.device)


@lru_cache(maxsize=256)
def _interpolation(rate: int, hop: int, kernel_size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Weights by which nodes give the energies of the samples of a window: (K, 2 frame_cells rate)."""
    plan, spacing = BandPlan(kernel_size, hop, ()), hop / rate
    nodes, samples = np.arange(plan.frame_cells * rate) * spacing, plan.offset + np.arange(kernel_size)
    distance = (np.append(nodes, samples)[:, None] - nodes) / (SPACINGS * spacing)
    # The constant makes steady energies exact.
    known, wanted = np.split(np.exp(-0.5 * distance**2) + 1, [len(nodes)])
    # Kept from call to call: a tensor of inference mode could not be used in training later. NumPy's solver would round
    # by threads that torch does not set.
    with torch.inference_mode(False):
        weights = torch.linalg.solve(torch.as_tensor(known + NUGGET * np.eye(len(known))), torch.as_tensor(wanted.T)).T
        return weights.repeat_interleave(2, 1).to(device=device, dtype=dtype)
