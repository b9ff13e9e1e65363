"""Which bins and how many nodes each Gabor filter needs, decided on the host from numbers."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf

from .scales import Floats

Counts = NDArray[np.int64]

# Nodes per hop. Blocks hold a multiple of eight hops, so that inverse FFTs have lengths that FFT libraries like.
RATES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384, 512)

# Where to launch an operation takes longer than to run it, few groups of more nodes than needed are faster.
FEW_RATES = (16, 64)

# Largest response of a filter at the ends of its band, relative to its peak, if its kernel were not truncated.
BAND_END = 1e-6

# Largest error of the pooled energy, relative to the filter's own peak, that sampling the squared envelope at the nodes
# may cause. Energies are then within 1e-5 of the loudest filter of their frame and its neighbours, where a filter
# passes the sound at all, and quiet frames hear little of loud ones beside them: at 4e-7 the features of one recording
# move by 3.4e-3, at 3e-7 by 6e-4. In training energies need to keep their bound only.
ALIASING, ALIASING_IN_TRAINING = 3e-7, 1e-6

# Largest side lobe, relative to the filter's peak, that may be left out with the bins that carry it, where these begin
# 1 rad/sample from the centre; more is allowed in proportion to the distance, since sounds hold the less energy the
# farther away. What they would have added is estimated (see `_leaks`). PCEN at a small delta amplifies a channel that
# hears nothing but side lobes of a loud sound elsewhere: clips in which the estimate counts take a second look, at the
# second bound. Features of 6,404 recordings then move by less than 2e-3; without second looks 137 go beyond that, up to
# 3.5e-2 (benchmarks/exactness.py). To look would stop a GPU: there, the bound "at once" leaves three beyond. In
# training a filter that grows narrow would soon need all bins; there only energies need to keep their bound (for
# windows of 25 ms and a hop of 10 ms), and gradients stay within 5e-3 of their largest.
SIDE_LOBES, SIDE_LOBE_AT_ONCE, SIDE_LOBE_IN_TRAINING = (3e-4, 3e-5), 9e-5, 1e-3


@dataclass(frozen=True)
class BandGroup:
    """Filters that share a node spacing, and whose bands begin at equal distances: a view of the spectrum holds them.

    Attributes
    ----------
    rate : int
        Nodes per hop; the spacing is ``hop / rate`` samples.
    filters : tuple of int
        Which filters.
    first, step : int
        FFT bin where the first filter's band begins, which may be negative (bins are periodic), and from there to the
        next one's.
    """

    rate: int
    filters: tuple[int, ...]
    first: int
    step: int


@dataclass
class BandPlan:
    """All that the fast path must know on the host; good for parameters near those it was made from.

    A block of ``cells`` hops is transformed at once. Circular convolution spoils ``kernel_size - 1`` of its samples;
    the other ``valid`` cells are kept. A pooling window lies in the middle of ``frame_cells`` cells, with slack on
    either side so that energies can be interpolated up to its ends. ``leaks`` (F, F) says what filters hear beyond
    their bands by either end of their kernel, None where nothing is left out. ``second`` holds only the filters of
    which much is left out, and leaves out less.
    """

    kernel_size: int
    hop: int
    groups: tuple[BandGroup, ...]
    padding: str = "same"
    leaks: Floats | None = field(default=None, compare=False)
    second: "BandPlan | None" = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Derive the rest."""
        size, hop = self.kernel_size, self.hop
        self.geometry: dict[str, Any] = {"kernel_size": size, "hop": hop, "padding": self.padding}
        # Samples that a kernel reaches to the left of its centre.
        self.reach = size // 2
        # Cells of a block that circular convolution spoils, with a margin: kernels of limited bands ring on.
        lost = max(math.ceil((size - 1 + size // 6) / hop), 1)
        # Samples of a block before its first valid cell: a kernel's reach and half of the margin.
        self.before = self.reach + (lost * hop - size + 1) // 2
        # Of the cells of a block an eighth is lost. Longer ones would fit clips of a second less well.
        self.cells, self.valid = 8 * lost, 7 * lost
        self.block = self.cells * hop
        # Cells about a pooling window, with a slack of at least a quarter of it on either side, and samples before it.
        self.frame_cells = math.ceil(1.5 * size / hop)
        self.offset = (self.frame_cells * hop - size) // 2
        # Filters in the order in which the groups hold them, the nodes per hop of each, and where its band begins.
        rows = [(f, g.rate, g.first + g.step * place) for g in self.groups for place, f in enumerate(g.filters)]
        self.order, self.rates, self.starts = np.array(rows, dtype=np.int64).reshape(-1, 3).T
        # Nodes of a block in the largest group.
        self.nodes = self.cells * max((group.rate * len(group.filters) for group in self.groups), default=0)
        # Negative bins, and such beyond the Nyquist frequency, that bands need: at most half a block.
        ends, nyquist = self.starts + self.rates * self.cells, self.block // 2 + 1
        self.overhang = int(-self.starts.min(initial=0)), int(ends.max(initial=nyquist) - nyquist)


def plan_bands(
    center: ArrayLike,
    sigma: ArrayLike,
    width: ArrayLike,
    *,
    kernel_size: int,
    hop: int,
    side_lobes: tuple[float, ...] = SIDE_LOBES,
    aliasing: float = ALIASING,
    few_groups: bool = False,
) -> BandPlan:
    """Choose band, node spacing and group of each filter.

    Parameters
    ----------
    center, sigma : array-like of shape (F,)
        Centre frequencies in rad/sample in [0, pi], and standard deviations of the Gabor kernels in samples.
    width : array-like of shape (F,)
        Widths of the Gaussian pooling windows, as a share of half the kernel.
    kernel_size, hop : int
        Samples of a kernel, and from one frame to the next.
    side_lobes : tuple of float
        Largest that may be left out, 1 rad/sample from the centre, relative to the filter's peak: at first, and in
        clips where that counts. A single one makes no second look.
    aliasing : float
        Largest error from sampling the squared envelope, relative to the filter's peak.
    few_groups : bool
        Whether groups should be few rather than small, as a GPU needs them. There, SIDE_LOBE_AT_ONCE takes the place
        of two bounds.
    """
    parameters = np.stack([np.asarray(values, dtype=np.float64) for values in (center, sigma, width)])
    side_lobes = (SIDE_LOBE_AT_ONCE,) if few_groups and len(side_lobes) > 1 else side_lobes
    empty = BandPlan(kernel_size, hop, ())
    needs = [_needs(parameters, bound, aliasing, empty, few_groups) for bound in side_lobes]
    plan = _grouped(parameters, *needs[0], np.arange(parameters.shape[1]), empty)
    more = np.flatnonzero(needs[-1][0] > needs[0][0])
    return replace(plan, second=_grouped(parameters, *needs[-1], more, empty)) if len(more) else plan


def _needs(parameters: Floats, side_lobe: float, aliasing: float, plan: BandPlan, few: bool) -> tuple[Counts, Floats]:
    """Nodes per hop, and half the band in rad/sample, to BAND_END and to the side lobe: (3, F) -> (F,), (F,)."""
    (center, sigma, width), hop, size = parameters, plan.hop, plan.kernel_size
    rates = np.array([rate for rate in (FEW_RATES if few else RATES) if rate < hop] + [hop])
    nyquist = np.pi * rates / hop  # half the band that nodes at this rate can hold, rad/sample
    needed = np.maximum(math.sqrt(-2 * math.log(BAND_END)) / sigma, np.sqrt(_side_lobe(sigma, size) / side_lobe))
    fits = _aliasing(nyquist, sigma[:, None], width[:, None], size) <= aliasing
    # Three nodes fit in the slack about a window.
    fits &= (needed[:, None] <= nyquist) & np.isfinite(center)[:, None] & (3 * hop / rates <= plan.offset)
    fits[:, -1] = True  # at one node a sample nothing is left out
    return rates[fits.argmax(1)], needed


def _grouped(parameters: Floats, rates: Counts, needed: Floats, filters: Counts, plan: BandPlan) -> BandPlan:
    """Plan for some of the filters, with these nodes per hop and half bands: (3, F), (F,), (F,), (S,)."""
    center, sigma, _ = parameters
    per_bin, whole, half = 2 * np.pi / plan.block, rates == plan.hop, rates * plan.cells / 2
    # Bands of all bins end before the Nyquist frequency.
    starts = np.where(whole, 0, center / per_bin) - half
    # No farther than half a block beyond the spectrum, which holds as much.
    slack = np.where(whole, 0, np.minimum(half - needed / per_bin, plan.block / 2 - half))
    rest, groups = filters[np.lexsort((starts[filters], rates[filters]))], []
    while len(rest):
        groups.append(_progression(rest[rates[rest] == rates[rest[0]]], rates, starts, slack))
        rest = rest[len(groups[-1].filters) :]
    plan, first = replace(plan, groups=tuple(groups)), np.full(len(center), np.nan)
    first[plan.order] = np.where(whole[plan.order], np.nan, plan.starts * per_bin)
    return replace(plan, leaks=_leaks(center, sigma, first, first + 2 * half * per_bin, plan.kernel_size))


def plan_kernels(n_filters: int, *, kernel_size: int, hop: int, padding: str) -> BandPlan:
    """Plan for kernels of any shape: all bins, a node at every sample.

    Parameters
    ----------
    n_filters, kernel_size, hop : int
        Filters, samples of a kernel, and from one frame to the next.
    padding : {"same", "valid"}
        Whether frames reach beyond the clip.
    """
    plan = BandPlan(kernel_size, hop, (), padding)
    return replace(plan, groups=(BandGroup(hop, tuple(range(n_filters)), -plan.block // 2, 0),))


def _progression(members: Counts, rates: Counts, starts: Floats, slack: Floats) -> BandGroup:
    """Group as many of the first filters as can begin at equal distances, none off its start by more than its slack."""
    for count in range(len(members), 0, -1):
        own = members[:count]
        # no line is closer to a convex sequence than one in parallel to its chord
        step = round((starts[own[-1]] - starts[own[0]]) / max(count - 1, 1))
        rest = starts[own] - step * np.arange(count)
        low, high = (rest - slack[own]).max(), (rest + slack[own]).min()
        if low <= high:
            break
    return BandGroup(int(rates[own[0]]), tuple(own.tolist()), round((low + high) / 2), step)


def _aliasing(nyquist: Floats, sigma: Floats, width: Floats, kernel_size: int) -> Floats:
    """Error of pooling the squared envelope from its values at the nodes, relative to the filter's peak.

    Two components of a sound, ``v`` rad/sample apart, beat in the squared envelope with at most
    ``exp(-v^2 sigma^2 / 4)`` (both at ``v / 2`` from the centre). Beats beyond the nodes' Nyquist frequency are taken
    for slower ones. What they add is weighted by the pooling window's response there: that of the Gaussian or, larger
    for wide windows, that of the jumps at its ends, ``2 edge / v`` against an area of ``sqrt(2 pi)`` times the standard
    deviation.
    """
    deviation = width * (kernel_size - 1) / 2
    gaussian = np.exp(-0.5 * (nyquist * deviation) ** 2)
    jumps = 2 * np.exp(-0.5 / width**2) / (nyquist * math.sqrt(2 * math.pi) * deviation)
    return np.exp(-0.25 * (nyquist * sigma) ** 2) * np.maximum(gaussian, jumps)


def _side_lobe(sigma: Floats, kernel_size: int) -> Floats:
    """Side lobes of a Gaussian cut at +-K/2, 1 rad/sample from its centre, relative to its peak.

    The jumps at both ends respond with ``2 edge / distance``, against an area of ``sqrt(2 pi) sigma erf(.)``.
    """
    end = kernel_size / 2 / sigma
    return 2 * np.exp(-0.5 * end**2) / (math.sqrt(2 * math.pi) * sigma * erf(end / math.sqrt(2)))


def _leaks(center: Floats, sigma: Floats, first: Floats, last: Floats, kernel_size: int) -> Floats:
    """Energy that a filter would hear by each end of its kernel beyond its band, by the filters there: (F,) -> (F, F).

    Bands reach from first to last rad/sample; where they are no number nothing is left out.
    Column g spreads the energy of filter g evenly over its equivalent rectangular band, ``sqrt(pi) / sigma`` wide, but
    not beyond the middle between neighbours. Side lobes average to half their envelope squared, ``(a / d)^2 / 2``,
    half of that by each end; the integral is ``a^2 / 4`` times a difference of ``1 / d``: above, below, and at negative
    frequencies.
    """
    order, half = np.argsort(center), np.sqrt(np.pi) / 2 / sigma
    middles = (center[order][1:] + center[order][:-1]) / 2
    low, high = np.empty_like(center), np.empty_like(center)
    low[order], high[order] = np.append(0, middles), np.append(middles, np.pi)
    low, high = np.maximum(low, center - half), np.minimum(high, center + half)
    own, below, above = center[:, None], (center - first)[:, None], (last - center)[:, None]
    stretches = ((low - own, high - own, above), (own - high, own - low, below), (low + own, high + own, below))
    far = sum(1 / np.maximum(near, end) - 1 / np.maximum(away, end) for near, away, end in stretches)
    return np.nan_to_num(_side_lobe(sigma, kernel_size)[:, None] ** 2 / 4 * far * sigma / np.sqrt(np.pi))
