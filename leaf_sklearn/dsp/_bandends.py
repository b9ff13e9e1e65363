"""Frames at the ends of a clip: zero padding applies to energies, so what a window finds outside is taken off again."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ._bandplan import BandPlan
from ._bandweights import PreparedBands, node_weights


@dataclass(frozen=True)
class Ends:
    """Where the clips of a batch end, in cells of the node grid (frame t spans cells t ... t + frame_cells - 1).

    Attributes
    ----------
    masked : Tensor of shape (2 b, F, end_frames, end_samples)
        Pooling windows of the first and last frames, zero inside the clip; first frames in even rows. b is the number
        of clips, or 1 where all are alike.
    cells : Tensor of shape (b, 2, end_cells)
        Cells about these samples, within their clip.
    """

    masked: Tensor
    cells: Tensor


def find_ends(bands: PreparedBands, lengths: Tensor, frames: Tensor, left: Tensor) -> Ends:
    """Mask windows outside clips of these lengths, frame counts and left paddings, (b,) each."""
    plan, device = bands.plan, lengths.device
    right = (frames - 1) * plan.hop + plan.kernel_size - lengths - left
    sample = torch.arange(plan.end_samples, device=device)
    outside = torch.stack((sample < left[:, None], sample >= plan.end_samples - right[:, None]), 1)
    masked = torch.where(outside[:, :, None, None], bands.end_windows, 0)
    starts = torch.stack((torch.zeros_like(frames), frames - 1 + plan.frame_cells - plan.end_cells), 1)
    return Ends(masked.flatten(0, 1), starts[:, :, None] + torch.arange(plan.end_cells, device=device))


def outside_energies(ends: Ends, nodes: list[Tensor], plan: BandPlan) -> Tensor:
    """Energies that windows find outside their clip, from the nodes of the cells about the ends.

    A list of (F_g, B, 2, end_cells, 2 rate), one entry a group -> (B, 2, F, end_frames).
    """
    energies = []
    for members, group, values in zip(plan.members, plan.groups, nodes, strict=True):
        masked = ends.masked[:, members].flatten(1, 2)
        weights = node_weights(masked, group.rate, plan.hop, n_cells=plan.end_cells, first=plan.offset)
        weights = weights.view(-1, 2, len(group.filters), plan.end_frames, weights.shape[-1])
        energies.append((weights * values.flatten(3).permute(1, 2, 0, 3)[:, :, :, None]).sum(-1))
    return torch.cat(energies, 2)


def subtract_ends_(energies: Tensor, outside: Tensor, frames: Tensor) -> Tensor:
    """Take the energies outside off the first and last frames, in place: (B, F, T), (B, 2, F, E), (b,) -> (B, F, T)."""
    n_first = min(outside.shape[-1], energies.shape[-1])
    energies[..., :n_first] -= outside[:, 0, :, :n_first]
    at = frames[:, None, None] - 1 - torch.arange(outside.shape[-1], device=energies.device)
    from_last = torch.where(at >= 0, outside[:, 1], 0)
    return energies.scatter_add_(2, at.clamp(min=0).expand_as(from_last), -from_last)
