"""Frames at the ends of a clip: zero padding applies to energies, so what a window finds outside is taken off again."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .band_weights import PreparedBands, node_weights
from .framing import frame_count, left_padding

# Paddings whose weights are kept, 0.1 MB each at default settings: those of clips of all lengths at a hop of 160.
KEPT_PADDINGS = 160


@dataclass(frozen=True)
class Ends:
    """Where the clips of a batch end, in cells of the node grid (frame t spans cells t ... t + frame_cells - 1).

    b is the number of clips, or 1 where all are alike.

    Attributes
    ----------
    left, frames : int or Tensor of shape (b,)
        Padding before the first sample, and frames; int where they are the same for all clips.
    cells : Tensor of shape (b, 2, end_cells)
        Cells about the first and the last frames, within their clip.
    weights : list of Tensor, (b, 2, F_g, end_frames, 2 end_cells rate)
        For each group, what the nodes in these cells give to the first and last frames from outside the clip.
    """

    left: int | Tensor
    frames: int | Tensor
    cells: Tensor
    weights: list[Tensor]


def find_ends(bands: PreparedBands, lengths: int | Tensor) -> Ends:
    """Weigh what lies outside clips of these lengths: (b,), or one length for all."""
    plan, device = bands.plan, bands.end_windows.device
    frames = frame_count(lengths, kernel_size=plan.kernel_size, hop=plan.hop, padding=plan.padding)
    left = left_padding(lengths, kernel_size=plan.kernel_size, hop=plan.hop, padding=plan.padding)
    right = (frames - 1) * plan.hop + plan.kernel_size - lengths - left
    last = (frames - 1 + plan.frame_cells - plan.end_cells) * torch.ones(1, dtype=torch.int64, device=device)
    starts = torch.stack((torch.zeros_like(last), last), 1)
    cells = starts[:, :, None] + torch.arange(plan.end_cells, device=device)
    if not isinstance(left, Tensor) or not isinstance(right, Tensor):
        return Ends(int(left), frames, cells, _weights_of(bands, [(int(left), int(right))]))
    if device.type != "cpu":  # to look at the paddings would stop the device
        return Ends(left, frames, cells, _weigh(bands, left, right))
    # A hop has few paddings, and most batches one.
    pairs, which = torch.unique(torch.stack((left, right), 1), dim=0, return_inverse=True)
    weights = _weights_of(bands, [(first, last) for first, last in pairs.tolist()])
    if len(pairs) == 1:
        return Ends(int(left[0]), frames, cells, weights)
    return Ends(left, frames, cells, [weight[which] for weight in weights])


def _weights_of(bands: PreparedBands, pairs: list[tuple[int, int]]) -> list[Tensor]:
    """Weights for these pairs of paddings: the bands keep them, what they lack is computed at once."""
    found, grad = dict(bands.end_weights), torch.is_grad_enabled()
    missing = [pair for pair in pairs if pair not in found]
    if missing:
        with torch.inference_mode(False), torch.set_grad_enabled(grad):  # kept for calls outside an inference mode
            fresh = _weigh(bands, *torch.tensor(missing, device=bands.end_windows.device).unbind(1))
            found |= {pair: list(rows) for pair, *rows in zip(missing, *(each.split(1) for each in fresh), strict=True)}
        if len(found) > KEPT_PADDINGS:
            bands.end_weights.clear()
        bands.end_weights.update((pair, found[pair]) for pair in missing)
    if len(pairs) == 1:
        return found[pairs[0]]
    return [torch.cat(rows) for rows in zip(*(found[pair] for pair in pairs), strict=True)]


def _weigh(bands: PreparedBands, left: Tensor, right: Tensor) -> list[Tensor]:
    """Pooling windows where they reach outside clips of these paddings (b,), as weights of nodes."""
    plan = bands.plan
    sample = torch.arange(plan.end_samples, device=left.device)
    outside = torch.stack((sample < left[:, None], sample >= plan.end_samples - right[:, None]), 1)
    masked = torch.where(outside[:, :, None, None], bands.end_windows, 0).flatten(0, 1)
    weights = []
    for members, group in zip(plan.members, plan.groups, strict=True):
        rows = masked[:, members].flatten(1, 2)
        by_node = node_weights(rows, group.rate, plan.hop, n_cells=plan.end_cells, first=plan.offset)
        weights.append(by_node.view(len(left), 2, len(group.filters), plan.end_frames, -1))
    return weights


def outside_energies(ends: Ends, nodes: list[Tensor]) -> Tensor:
    """Energies that windows find outside their clip, from the nodes of the cells about the ends.

    A list of (F_g, B, 2, end_cells, 2 rate), one entry a group -> (B, 2, F, end_frames).
    """
    energies = [
        (weights * values.flatten(3).permute(1, 2, 0, 3)[:, :, :, None]).sum(-1)
        for weights, values in zip(ends.weights, nodes, strict=True)
    ]
    return torch.cat(energies, 2)


def subtract_ends_(energies: Tensor, outside: Tensor, frames: int | Tensor) -> Tensor:
    """Take the energies outside off the first and last frames, in place: (B, F, T), (B, 2, F, E), (b,) -> (B, F, T)."""
    n_times = energies.shape[-1]
    n_frames = min(outside.shape[-1], n_times)
    energies[..., :n_frames] -= outside[:, 0, :, :n_frames]
    if isinstance(frames, int):
        energies[..., n_times - n_frames :] -= outside[:, 1, :, :n_frames].flip(-1)
        return energies
    at = frames[:, None, None] - 1 - torch.arange(outside.shape[-1], device=energies.device)
    from_last = torch.where(at >= 0, outside[:, 1], 0)
    return energies.scatter_add_(2, at.clamp(min=0).expand_as(from_last), -from_last)
