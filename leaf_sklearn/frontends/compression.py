"""Third slot of a frontend: from energies to features."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..dsp.compression import log_compression, pcen, root_compression
from ..dsp.smoothing import exponential_moving_average
from .parameters import Array, ReferenceArrays, assign

LAYER_NORM_EPS = 1e-3
STARTS = {"alpha": 0.96, "delta": 2.0, "root": 2.0, "smooth": 0.04}

# Energies compressed at once. The steps in between stay in a cache, and do not take gigabytes for an hour.
AT_ONCE = 2**19


class Compression(nn.Module):
    """No compression, and the face of the others: (B, F, T) -> (B, F, T).

    Parameters
    ----------
    n_filters : int
        Channels.

    Attributes
    ----------
    scalable : bool
        Whether energies may be divided by an energy scale before.
    """

    scalable = True

    def __init__(self, n_filters: int) -> None:
        super().__init__()
        self.n_filters = n_filters

    def forward(self, energies: Tensor) -> Tensor:
        """Energies as they are."""
        return energies

    def project_(self) -> None:
        """Put parameters back into their ranges after an optimiser step."""

    def load_reference(self, params: ReferenceArrays) -> None:
        """Take the reference's parameters out of ``params``."""


class Log(Compression):
    """Natural logarithm of energies plus 1e-5."""

    def forward(self, energies: Tensor) -> Tensor:
        """(B, F, T) -> (B, F, T)."""
        return log_compression(energies)


class Root(Compression):
    """Learned root: energies to the power ``1 / root``.

    Attributes
    ----------
    root : Parameter of shape (F,)
        Inverse of the exponent, at least 1 in the forward pass.
    """

    def __init__(self, n_filters: int) -> None:
        super().__init__(n_filters)
        self.root = nn.Parameter(torch.full((n_filters,), 2.0))

    def forward(self, energies: Tensor) -> Tensor:
        """(B, F, T) -> (B, F, T)."""
        return _by_channel(root_compression, energies, self.root)


class PCEN(Compression):
    """Per-channel energy normalisation with a learned smoothing (section 3.3 of the LEAF paper).

    Parameters
    ----------
    n_filters : int
        Channels.
    floor : float
        Added to the moving average; 1e-12 in LEAF, 1e-6 in the reference's fixed PCEN.
    learned : bool
        False keeps the four as buffers.

    Attributes
    ----------
    alpha, delta, root, smooth : Parameter or buffer of shape (F,)
        Gain (at most 1), offset, inverse of the exponent (at least 1), smoothing (in [0, 1]): clipped in forward.
    min_delta : float
        Smallest offset in forward. The reference has none: a negative delta gives NaN there and a zero one an infinite
        gradient. 0.0 restores it.
    """

    alpha: Tensor
    delta: Tensor
    root: Tensor
    smooth: Tensor

    def __init__(self, n_filters: int, *, floor: float = 1e-12, learned: bool = True) -> None:
        super().__init__(n_filters)
        self.floor = floor
        self.min_delta = 1e-6
        for name, start in STARTS.items():
            value = torch.full((n_filters,), start)
            if learned:
                self.register_parameter(name, nn.Parameter(value))
            else:
                self.register_buffer(name, value)

    def forward(self, energies: Tensor) -> Tensor:
        """(B, F, T) -> (B, F, T)."""

        def compress(energies: Tensor, smooth: Tensor, alpha: Tensor, delta: Tensor, root: Tensor) -> Tensor:
            smoothed = exponential_moving_average(energies, smooth)
            return pcen(energies, smoothed, alpha, delta, root, floor=self.floor)

        smooth, delta = self.smooth.clamp(0.0, 1.0), self.delta.clamp(min=self.min_delta)
        return _by_channel(compress, energies, smooth, self.alpha, delta, self.root)

    def project_(self) -> None:
        """Keep delta positive."""
        assign(self, "delta", self.delta.detach().clamp(min=self.min_delta))

    def load_reference(self, params: ReferenceArrays) -> None:
        """Take ``pcen_alpha``, ``pcen_delta``, ``pcen_root`` and ``pcen_smooth`` or the fixed smoother's matrices."""
        for name in ("alpha", "delta", "root"):
            params.fill(self, name, f"pcen_{name}")
        if isinstance(self.smooth, nn.Parameter):
            params.fill(self, "smooth", "pcen_smooth")
        else:
            params.fill(self, "smooth", "pcen_rnn_kernel", _diagonal)
            params.take("pcen_rnn_recurrent")


def _by_channel(compress: Callable[..., Tensor], energies: Tensor, *parameters: Tensor) -> Tensor:
    """Compress some channels at a time, each by its own parameters: (B, F, T), (F,) each -> (B, F, T)."""
    width = max(AT_ONCE // (energies.shape[0] * energies.shape[2]), 1)
    parts = zip(energies.split(width, dim=1), *(values.split(width) for values in parameters), strict=True)
    results = [compress(*part) for part in parts]
    return results[0] if len(results) == 1 else torch.cat(results, dim=1)


def _diagonal(kernel: Array) -> Array:
    return kernel.diagonal()


class ChannelNorm(Compression):
    """Layer norm over the channels of each frame (SincNet).

    Attributes
    ----------
    scale, shift : Parameter of shape (F,)
        Applied after the normalisation.
    """

    scalable = False

    def __init__(self, n_filters: int) -> None:
        super().__init__(n_filters)
        self.scale = nn.Parameter(torch.ones(n_filters))
        self.shift = nn.Parameter(torch.zeros(n_filters))

    def forward(self, energies: Tensor) -> Tensor:
        """(B, F, T) -> (B, F, T)."""
        frames = energies.transpose(1, 2)
        return F.layer_norm(frames, self.scale.shape, self.scale, self.shift, LAYER_NORM_EPS).transpose(1, 2)

    def load_reference(self, params: ReferenceArrays) -> None:
        """Take ``ln_gamma`` and ``ln_beta``."""
        params.fill(self, "scale", "ln_gamma")
        params.fill(self, "shift", "ln_beta")


COMPRESSIONS: dict[str | None, type[Compression]] = {"pcen": PCEN, "log": Log, "root": Root, None: Compression}
