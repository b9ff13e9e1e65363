"""The costly part of the fast path: from spectra of blocks to pooled energies."""

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
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
    for starts, response, weights in zip(bands.starts, bands.responses, bands.weights, strict=True):
        envelope = _envelope(spectrum, starts, response)
        if torch.is_grad_enabled():
            pooled, kept = _PooledSquares.apply(envelope, weights, cells)
        else:
            pooled, kept = _pool(envelope.square_(), weights, cells)
        pieces.append(pooled)
        nodes.append(kept)
        del envelope, pooled  # or those of two groups would be held at once
    by_cell = torch.cat(pieces).unflatten(2, (n_blocks, plan.cells))[..., : plan.valid]
    shared = plan.frame_cells - 1
    framed = functional.pad(by_cell[:, 0], (0, shared))
    for cell in range(1, plan.frame_cells):
        framed = framed + functional.pad(by_cell[:, cell], (cell, shared - cell))
    return framed, nodes


def _envelope(spectrum: Tensor, starts: Tensor, response: Tensor) -> Tensor:
    """Filter blocks by a group, real and imaginary parts of the nodes: (n, C) -> (F_g, n, M, 2)."""
    # Real responses multiply real and imaginary parts alike.
    values, per_bin = (spectrum, 1) if response.is_complex() else (torch.view_as_real(spectrum).flatten(1), 2)
    bands = values.unfold(1, response.shape[2], per_bin).transpose(0, 1).index_select(0, starts)
    tracked = torch.is_grad_enabled() and (bands.requires_grad or response.requires_grad)
    product = bands * response if tracked else bands.mul_(response)
    if per_bin == 2:
        product = torch.view_as_complex(product.unflatten(2, (-1, 2)))
    return torch.view_as_real(torch.fft.ifft(product, norm="forward"))


def _pool(squares: Tensor, weights: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
    """Pool, and keep some cells: (F_g, n, M, 2), (F_g, J, 2 rate), (R,) -> (F_g, J, n cells), (F_g, R, 2 rate)."""
    energy = squares.view(len(weights), -1, weights.shape[2])
    return torch.bmm(weights, energy.mT), energy.index_select(1, cells)


class _PooledSquares(torch.autograd.Function):
    """Square, pool and keep some cells, in half the passes over memory that autograd would take."""

    @staticmethod
    def forward(ctx: FunctionCtx, envelope: Tensor, weights: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(envelope, weights, cells)
        return _pool(envelope.square(), weights, cells)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, pooled: Tensor, kept: Tensor) -> tuple[Tensor, Tensor, None]:
        envelope, weights, cells = ctx.saved_tensors  # type: ignore[attr-defined]
        slopes = torch.bmm(pooled.mT, 2 * weights).index_add_(1, cells, 2 * kept).view_as(envelope).mul_(envelope)
        energy = envelope.square().view(len(weights), -1, weights.shape[2])
        return slopes, torch.bmm(pooled, energy), None
