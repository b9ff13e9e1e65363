"""What the fast path multiplies by: frequency responses of the filters, and pooling weights at the nodes."""

import math
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .band_plan import BandPlan
from .kernels import gaussian_lowpass

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
    responses : list of Tensor, (F_g, 1, 2 M) for odd kernels, complex (F_g, 1, M) for even ones
        Frequency responses over the M bins of each band.
    weights : list of Tensor, (F_g, frame_cells, 2 rate)
        Pooling weights of the nodes about a frame, last cell first.
    end_windows : Tensor of shape (2, F, end_frames, end_samples)
        Pooling windows of the first and last frames, over the samples about the end of a clip.
    leaks : Tensor of shape (F, F) or None
        What each filter hears beyond its band by either end of its kernel, for each energy of another; filters as they
        were given. Of a second look, (S, F).
    places : Tensor of shape (F,)
        Where each filter stands in the order of the plan.
    second : tuple of Tensor of shape (S,) and PreparedBands, or None
        Filters, and the constants for them alone in clips in which side lobes count.
    end_weights : dict
        What the ends of clips need, by left and right padding, as far as it was asked for: for each group (1, 2, F_g,
        end_frames, 2 end_cells rate).
    """

    plan: BandPlan
    responses: list[Tensor]
    weights: list[Tensor]
    end_windows: Tensor
    leaks: Tensor | None
    places: Tensor
    second: "tuple[Tensor, PreparedBands] | None" = None
    end_weights: dict[tuple[int, int], list[Tensor]] = field(default_factory=dict)


def prepare_bands(center: Tensor, sigma: Tensor, width: Tensor, plan: BandPlan, *, dtype: torch.dtype) -> PreparedBands:
    """Compute the constants for waveforms of a type; gradients flow to the three parameters, each of shape (F,)."""
    order = torch.tensor(plan.order, device=center.device)
    center, sigma, width = (values.double()[order] for values in (center, sigma, width))
    windows = gaussian_lowpass(width, kernel_size=plan.kernel_size).to(dtype)
    bands = _prepare(_responses(center[:, None], sigma[:, None], plan, dtype), windows, order.argsort(), plan)
    if plan.second is None:
        return bands
    filters = torch.as_tensor(plan.second[0], device=center.device)
    center, sigma, width = (values[bands.places[filters]] for values in (center, sigma, width))
    return replace(bands, second=(filters, prepare_bands(center, sigma, width, plan.second[1], dtype=dtype)))


def prepare_kernels(kernels: Tensor, windows: Tensor, plan: BandPlan) -> PreparedBands:
    """Compute the constants for any kernels and pooling windows: complex (F, K), real (F, K)."""
    # Taps at their distance from the centre; correlation makes the transform an inverse one, here left unnormalised
    # but for the factor of the inverse FFTs to come.
    taps = functional.pad(kernels, (0, plan.block - plan.kernel_size)).roll(-plan.reach, 1)
    # Plans for kernels keep the filters in their order.
    return _prepare(torch.fft.ifft(taps), windows, torch.arange(len(kernels), device=kernels.device), plan)


def _prepare(response: Tensor, windows: Tensor, places: Tensor, plan: BandPlan) -> PreparedBands:
    """Share responses over a block (F, L) and windows (F, K) out to the groups."""
    device, responses, weights = windows.device, [], []
    for members, group in zip(plan.members, plan.groups, strict=True):
        band = response[members]
        if group.rate < plan.hop:
            starts = group.first + group.step * torch.arange(len(group.filters), device=device)
            bins = starts[:, None] + torch.arange(group.rate * plan.cells, device=device)
            band = torch.gather(band, 1, bins % plan.block)
        responses.append((band if band.is_complex() else band.repeat_interleave(2, 1))[:, None])
        pooled = node_weights(windows[None, members], group.rate, plan.hop, n_cells=plan.frame_cells, first=plan.offset)
        weights.append(pooled[0].unflatten(1, (plan.frame_cells, -1)).flip(1))
    leaks = None if plan.leaks is None else torch.as_tensor(plan.leaks, dtype=windows.dtype, device=device)
    return PreparedBands(plan, responses, weights, _end_windows(windows, plan), leaks, places)


def _responses(center: Tensor, sigma: Tensor, plan: BandPlan, dtype: torch.dtype) -> Tensor:
    """Responses of the truncated kernels at all bins of a block, over its length: (F, 1) and (F, 1) -> (F, L).

    Phases are taken in float64: they reach hundreds of radians. Kernels of odd length are Hermitian and their response
    is real; those of even length have one more tap, before the centre.
    """
    t = torch.arange(plan.reach + 1, device=center.device, dtype=torch.float64)
    # The inverse FFTs are left unnormalised, so the responses carry their factor.
    kernel = torch.exp(-0.5 * (t / sigma) ** 2) / (math.sqrt(2 * math.pi) * sigma * plan.block)
    # The gradient of torch.polar is NaN where the kernel is below 1e-308.
    angle = center * t
    kernel = torch.complex(kernel * angle.cos(), kernel * angle.sin())
    kernel = kernel.to(torch.complex128 if dtype == torch.float64 else torch.complex64)
    if plan.kernel_size % 2:
        return torch.fft.hfft(kernel, n=plan.block)
    # Filters correlate and only |y| is wanted: the bands are those of conj(h), whose lone tap h(-reach)* = h(reach)
    # looks back by `reach` samples.
    bins = torch.arange(plan.block, device=center.device)
    turned = -2 * math.pi / plan.block * (plan.reach * bins % plan.block).double()
    turn = torch.polar(torch.ones_like(turned), turned).to(kernel.dtype)
    return torch.fft.hfft(kernel[:, :-1], n=plan.block) + kernel[:, -1:] * turn


def _end_windows(windows: Tensor, plan: BandPlan) -> Tensor:
    """Parts of the windows that may lie outside a clip: (F, K) -> (2, F, end_frames, end_samples).

    Samples are those of the first or last frame; frames further in are shifted against it.
    """
    spare = plan.end_samples - plan.outside
    shifts = [frame * plan.hop for frame in range(plan.end_frames)]
    first = [functional.pad(windows[:, : plan.outside - shift], (shift, spare)) for shift in shifts]
    last = [functional.pad(windows[:, shift - plan.outside :], (spare, shift)) for shift in shifts]
    return torch.stack((torch.stack(first, 1), torch.stack(last, 1)))


def node_weights(weights: Tensor, rate: int, hop: int, *, n_cells: int, first: int) -> Tensor:
    """Turn weights of samples into weights of nodes: (b, R, C) -> (b, R, 2 n_cells rate).

    The samples are first ... first + C - 1, counted from the first node. Each node's weight comes twice, for the
    squares of real and imaginary part.
    """
    count = weights.shape[-1]
    if rate == hop:
        return functional.pad(weights, (first, n_cells * hop - first - count)).repeat_interleave(2, -1)
    matrix = _interpolation(rate, hop, n_cells, first, count, weights.dtype, weights.device)
    # A lone product is threaded, and thus rounded, in another way than one of several.
    several = weights.expand(max(len(weights), 2), -1, -1)
    return torch.bmm(several, matrix.expand(len(several), -1, -1))[: len(weights)]


@lru_cache(maxsize=256)
def _interpolation(
    rate: int, hop: int, n_cells: int, first: int, count: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Weights by which nodes give the energies of samples: (count, 2 n_cells rate)."""
    spacing = hop / rate
    nodes, samples = np.arange(n_cells * rate) * spacing, first + np.arange(count)

    def covariance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        # The constant makes steady energies exact.
        return np.exp(-0.5 * ((a[:, None] - b) / (SPACINGS * spacing)) ** 2) + 1

    known = covariance(nodes, nodes) + NUGGET * np.eye(len(nodes))
    # Kept from call to call: a tensor of inference mode could not be used in training later. NumPy's solver would round
    # by threads that torch does not set.
    with torch.inference_mode(False):
        weights = torch.linalg.solve(torch.as_tensor(known), torch.as_tensor(covariance(nodes, samples))).T
        return weights.repeat_interleave(2, 1).to(device=device, dtype=dtype)
