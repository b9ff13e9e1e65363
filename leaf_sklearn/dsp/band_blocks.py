"""The costly part of the fast path: from spectra of blocks to pooled energies."""

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional

from .band_weights import PreparedBands


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
    starts = [(group.first + plan.overhang[0], group.step) for group in plan.groups]
    groups = list(zip(starts, bands.responses, bands.weights, strict=True))
    if torch.is_grad_enabled():
        results = [_PooledSquares.apply(_envelope(spectrum, *each[:2]), each[2], cells) for each in groups]
        pooled, nodes = torch.cat([part for part, _ in results]), [kept for _, kept in results]
    else:
        # Made first: between the arrays of the groups they would leave holes that the next do not fit in.
        like = bands.end_windows
        pooled = like.new_empty(len(plan.order), plan.frame_cells, n_blocks * plan.cells)
        nodes = [like.new_empty(len(weights), len(cells), weights.shape[2]) for weights in bands.weights]
        for members, (start, response, weights), kept in zip(plan.members, groups, nodes, strict=True):
            _pool(_envelope(spectrum, start, response).square_(), weights, cells, out=(pooled[members], kept))
    by_cell = pooled.unflatten(2, (n_blocks, plan.cells))[..., : plan.valid]
    shared = plan.frame_cells - 1
    framed = functional.pad(by_cell[:, 0], (0, shared))
    for cell in range(1, plan.frame_cells):
        framed = framed + functional.pad(by_cell[:, cell], (cell, shared - cell))
    return framed, nodes


def _envelope(spectrum: Tensor, start: tuple[int, int], response: Tensor) -> Tensor:
    """Filter blocks by a group, real and imaginary parts of the nodes: (n, C) -> (F_g, n, M, 2).

    Bands begin at the bin and in the steps of ``start``.
    """
    # Real responses multiply real and imaginary parts alike.
    values, per_bin = (spectrum, 1) if response.is_complex() else (torch.view_as_real(spectrum).flatten(1), 2)
    n_filters, _, size = response.shape
    first, step = per_bin * start[0], per_bin * start[1]
    if step == 0:
        bands = values[:, first : first + size]
    else:
        bands = values[:, first : first + step * (n_filters - 1) + size].unfold(1, size, step).transpose(0, 1)
    if torch.is_grad_enabled():
        product = (bands * response).contiguous()
    else:  # the layout of the result would follow that of the bands
        product = torch.mul(bands, response, out=values.new_empty(n_filters, len(values), size))
    if per_bin == 2:
        product = torch.view_as_complex(product.unflatten(2, (-1, 2)))
    return torch.view_as_real(torch.fft.ifft(product, norm="forward"))


def _pool(
    squares: Tensor, weights: Tensor, cells: Tensor, out: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """Pool, and keep some cells: (F_g, n, M, 2), (F_g, J, 2 rate), (R,) -> (F_g, J, n cells), (F_g, R, 2 rate)."""
    energy = squares.view(len(weights), -1, weights.shape[2])
    pooled, kept = out or (None, None)
    kept = torch.index_select(energy, 1, cells, out=kept)
    if len(weights) > 1:
        return torch.bmm(weights, energy.mT, out=pooled), kept
    # a lone product is threaded, and thus rounded, in another way than one of several
    halves = torch.bmm(weights.expand(2, -1, -1), energy.view(2, -1, energy.shape[2]).mT)
    whole = halves.transpose(0, 1).reshape(1, weights.shape[1], -1)
    return whole if pooled is None else pooled.copy_(whole), kept


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
