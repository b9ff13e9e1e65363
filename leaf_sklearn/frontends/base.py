"""Frontend: waveforms to features through three slots, filterbank, pooling and compression."""

from collections.abc import Mapping
from typing import Any, Self, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..dsp.framing import place_clips
from ..dsp.precision import full_precision
from .compression import Compression
from .filterbank import Filterbank
from .normalization import InstanceNorm, PreEmphasis
from .parameters import Array, ReferenceArrays, assign
from .pooling import Pooling

SCALED_OFFSET = 1e-5


class Frontend(nn.Module):
    """Waveforms (B, N) to features (B, F, T).

    Parameters
    ----------
    filterbank, pooling, compression : nn.Module
        The three slots.
    preemphasis, instance_norm : PreEmphasis and InstanceNorm, optional
        Before the filterbank and after the compression.
    config : dict
        Arguments of `make_frontend` that build this frontend again.

    Attributes
    ----------
    sample_rate : int
        In Hz.
    n_filters : int
        Channels out.
    window, hop : int
        In samples.
    energy_scale : buffer of shape (F,)
        What energies are divided by; see `set_energy_scale`.
    equal_lengths : bool
        Whether all clips of a batch must be equally long.
    """

    energy_scale: Tensor
    energy_scaled: Tensor

    def __init__(
        self,
        filterbank: Filterbank,
        pooling: Pooling,
        compression: Compression,
        *,
        preemphasis: PreEmphasis | None = None,
        instance_norm: InstanceNorm | None = None,
        config: dict[str, Any],
    ) -> None:
        super().__init__()
        self.preemphasis, self.filterbank, self.pooling = preemphasis, filterbank, pooling
        self.compression, self.instance_norm, self.config = compression, instance_norm, config
        self.sample_rate, self.n_filters = filterbank.sample_rate, filterbank.n_filters
        self.equal_lengths = filterbank.equal_lengths
        self.window, self.hop = pooling.kernel_size, pooling.hop
        self.register_buffer("energy_scale", torch.ones(self.n_filters))
        self.register_buffer("energy_scaled", torch.tensor(False))

    def forward(self, waveforms: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Features of clips, in full precision also under autocast: (B, N) and (B,) -> (B, F, T).

        Parameters
        ----------
        waveforms : Tensor of shape (B, N)
            Row i holds a clip in [0, lengths[i]); the rest is ignored.
        lengths : Tensor of shape (B,), int64, optional
            Clip lengths in samples, None for N everywhere.

        Returns
        -------
        Tensor of shape (B, F, T)
            T = ``n_frames(N)``. Frames beyond a clip's own ``n_frames`` are finite and without meaning.
        """
        energies = self.energies(waveforms, lengths)
        return self.compress(energies, None if lengths is None else self.n_frames(lengths))

    def energies(self, waveforms: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Pooled energies before floor, scale and compression: (B, N) and (B,) -> (B, F, T)."""
        with full_precision(waveforms.device):
            waveforms = waveforms.to(self.energy_scale.dtype)  # halves may come from autocast
            if self.preemphasis is not None:
                waveforms = self.preemphasis(place_clips(waveforms, lengths, 0, start=0, stop=waveforms.shape[1]))
            return self.filterbank.energies(waveforms, lengths, self.pooling)

    def compress(self, energies: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """Floor or energy scale, compression, and instance norm over valid frames: (B, F, T) and (B,) -> (B, F, T)."""
        floor = self.filterbank.energy_floor
        floored = energies if floor is None else energies.clamp(min=floor)
        if self.compression.scalable:
            # To look at the flag would stop another device than the CPU.
            if energies.device.type == "cpu":
                floored = self._scale(energies) if self.energy_scaled else floored
            else:
                floored = torch.where(self.energy_scaled, self._scale(energies), floored)
        with full_precision(energies.device):
            features: Tensor = self.compression(floored)
            return features if self.instance_norm is None else self.instance_norm(features, n_frames)

    def _scale(self, energies: Tensor) -> Tensor:
        """Energies over their scale, with an offset in place of the floor: (B, F, T) -> (B, F, T)."""
        return energies.clamp(min=0.0).div_(self.energy_scale[:, None]).add_(SCALED_OFFSET)

    @overload
    def n_frames(self, lengths: int) -> int: ...
    @overload
    def n_frames(self, lengths: Tensor) -> Tensor: ...
    def n_frames(self, lengths: int | Tensor) -> int | Tensor:
        """Frames of clips of these lengths in samples, at least one: (B,) or int -> the same."""
        return self.pooling.n_frames(lengths)

    def set_energy_scale(self, scale: Tensor | None) -> None:
        """Divide energies by ``scale`` and add 1e-5 instead of flooring them.

        Parameters
        ----------
        scale : Tensor of shape (F,) or None
            Positive; None restores ones and the reference's floor.

        Raises
        ------
        ValueError
            For another shape, numbers that are not positive and finite, or a compression that takes no scale.
        """
        if scale is not None and not self.compression.scalable:
            raise ValueError(f"{type(self.compression).__name__} takes no energy scale.")
        new = torch.ones(self.n_filters) if scale is None else torch.as_tensor(scale)
        if new.shape != (self.n_filters,) or not bool(((new > 0) & new.isfinite()).all()):
            raise ValueError(f"Got energy scale {scale}, expected {self.n_filters} positive finite numbers.")
        assign(self, "energy_scale", new)
        assign(self, "energy_scaled", scale is not None)

    def center_frequencies(self) -> NDArray[np.float64] | None:
        """Centre of every filter in Hz, (F,)."""
        return self.filterbank.center_frequencies()

    def bandwidths(self) -> NDArray[np.float64] | None:
        """Full width at half maximum of every filter's power response in Hz, (F,)."""
        return self.filterbank.bandwidths()

    def project_(self) -> None:
        """Put parameters back into the reference's ranges after an optimiser step, and delta above zero."""
        self.filterbank.project_()
        self.compression.project_()

    def load_reference(self, params: Mapping[str, Array]) -> Self:
        """Take the reference implementation's parameters, in place, and drop the energy scale.

        Parameters
        ----------
        params : mapping of str to ndarray
            By the reference's names, as in `PortWeights.params`.

        Returns
        -------
        Frontend
            This one.
        """
        arrays = ReferenceArrays(params)
        for slot in (self.preemphasis, self.filterbank, self.pooling, self.compression, self.instance_norm):
            if slot is not None:
                slot.load_reference(arrays)
        arrays.finish()
        self.set_energy_scale(None)
        return self
