"""The costly part of the fast path: from spectra of blocks to pooled energies."""

import torch
from torch import Tensor
from torch.nn import functional

from ._bandweights import PreparedBands


def block_energies(spectrum: Tensor, cells: Tensor, bands: PreparedBands) -> tuple[Tensor, list[Tensor]]:
    """Filter and pool blocks, and keep the squared envelopes at the nodes of some cells.

    Parameters
    ----------
    spectrum : Tensor of shape (n, C), complex
        Spectra of blocks, continued by ``plan.overhang``.
    cells : Tensor of shape (R,)
        Cells, counted through all blocks.
    bands : PreparedBands
        Constants of the filterbank.

    Returns
    -------
    framed : Tensor of shape (F, n, valid + frame_cells - 1)
        Parts of the pooled energies; the first ``frame_cells - 1`` frames begin in the block before.
    nodes : list of Tensor of shape (F_g, R, 2 rate)
        For each group the squares of real and imaginary parts at the nodes.
    """
    plan, n_blocks = bands.plan, spectrum.shape[0]
    pieces, nodes = [], []
    for group, starts, response, weights in zip(plan.groups, bands.starts, bands.responses, bands.weights, strict=True):
        energy = _squares(_envelope(spectrum, starts, response))
        energy = energy.view(len(group.filters), n_blocks * plan.cells, -1)
        pieces.append(torch.bmm(weights, energy.mT))
        nodes.append(energy.index_select(1, cells))
    by_cell = torch.cat(pieces).unflatten(2, (n_blocks, plan.cells))[..., : plan.valid]
    shared = plan.frame_cells - 1
    parts = [functional.pad(part, (cell, shared - cell)) for cell, part in enumerate(by_cell.unbind(1))]
    framed = torch.stack(parts).sum(0)
    if bands.leaks is not None:
        framed = framed + (bands.leaks @ framed.flatten(1)).view_as(framed)
    return framed, nodes


def _envelope(spectrum: Tensor, starts: Tensor, response: Tensor) -> Tensor:
    """Filter blocks by a group, real and imaginary parts of its nodes side by side: (n, C) -> (F_g, n, 2 M)."""
    # Real responses multiply real and imaginary parts alike.
    values, per_bin = (spectrum, 1) if response.is_complex() else (torch.view_as_real(spectrum).flatten(1), 2)
    bands = values.unfold(1, response.shape[2], per_bin).transpose(0, 1).index_select(0, starts)
    product = bands * response if _tracks(bands, response) else bands.mul_(response)
    if per_bin == 2:
        product = torch.view_as_complex(product.unflatten(2, (-1, 2)))
    return torch.view_as_real(torch.fft.ifft(product, norm="forward")).flatten(2)


def _squares(values: Tensor) -> Tensor:
    return values.square() if _tracks(values) else values.square_()


def _tracks(*tensors: Tensor) -> bool:
    """Whether autograd will want the values as they are."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
