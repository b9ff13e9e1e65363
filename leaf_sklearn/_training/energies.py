"""Channel energies of clips: what a frontend's filters give before compression, measured once and used many times."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._clips.clips import Clips
from .._device import Halving
from .._functionals import summarize
from ..frontends import Frontend
from .network import STATISTICS

MAX_SECONDS = 3600.0  # audio whose energies are kept: 58 MB at 40 channels and 100 frames a second
BATCH_SIZE = 32


@dataclass(frozen=True)
class Energies:
    """Energies (F, T) of some clips, on the CPU, and the positions of these clips among those they were taken from."""

    indices: NDArray[np.intp]
    rows: list[Tensor]

    def in_order(self) -> list[Tensor]:
        """Rows by the position of their clip."""
        return [self.rows[place] for place in np.argsort(self.indices)]

    def channel_means(self) -> Tensor:
        """Mean over all frames, float64: (F,)."""
        total = torch.stack([row.double().sum(1) for row in self.rows]).sum(0)
        return total / sum(row.shape[1] for row in self.rows)

    def statistics(self, frontend: Frontend) -> NDArray[np.float32]:
        """Features of the clips under the frontend's compression, reduced to the statistics of the default head."""
        parts = []
        with torch.inference_mode():
            for start in range(0, len(self.rows), BATCH_SIZE):
                energies, n_frames = pad_frames(self.rows[start : start + BATCH_SIZE])
                parts.append(summarize(frontend.compress(energies, n_frames), n_frames, STATISTICS))
        return torch.cat(parts).numpy()


def pad_frames(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Put (F, T) rows of several lengths into one: (B, F, T) with zeros behind, frames of each (B,)."""
    n_frames = torch.tensor([row.shape[1] for row in rows])
    padded = rows[0].new_zeros(len(rows), rows[0].shape[0], int(n_frames.max()))
    for place, row in zip(padded, rows, strict=True):
        place[:, : row.shape[1]] = row
    return padded, n_frames


def measure_energies(
    frontend: Frontend,
    clips: Clips,
    device: torch.device,
    *,
    order: NDArray[np.intp] | None = None,
    max_seconds: float | None = None,
) -> Energies:
    """Energies of clips; where they are longer than ``max_seconds`` in all, of the first in ``order`` that fill it.

    None means ``MAX_SECONDS``.
    """
    if order is None:
        order = np.arange(len(clips))
    rows: list[Tensor] = []
    n_samples, most = 0, (MAX_SECONDS if max_seconds is None else max_seconds) * frontend.sample_rate
    home, was_training = frontend.energy_scale.device, frontend.training
    frontend.to(device).eval()  # batch norm that trained here would mix the clips of a batch
    halving = Halving()

    def measure(waveforms: NDArray[np.float32], lengths: NDArray[np.int64]) -> list[Tensor]:
        on_device = torch.from_numpy(lengths).to(device)
        energies = frontend.energies(torch.from_numpy(waveforms).to(device), on_device).cpu()
        n_frames = frontend.n_frames(on_device).tolist()
        return [row[:, :length].clone() for row, length in zip(energies, n_frames, strict=True)]

    with torch.inference_mode():
        for _, waveforms, lengths in clips.take(order).batches(BATCH_SIZE, equal_lengths=frontend.equal_lengths):
            for part in halving(measure, waveforms, lengths):
                rows += part
            n_samples += int(lengths.sum())
            if n_samples > most:
                break
    frontend.to(home).train(was_training)
    return Energies(order[: len(rows)], rows)
