"""The costly part of the fast path: from spectra of blocks to pooled energies."""

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from .band_plan import BandGroup
from .band_weights import PreparedBands


def block_energies(spectra: Tensor, bands: PreparedBands) -> Tensor:
    """Filter and pool blocks: complex (n, C) -> (F, n, valid + frame_cells - 1).

    Spectra are continued by ``plan.overhang``. Of the frames the first ``frame_cells - 1`` begin in the block before.
    """
    plan = bands.plan
    groups = zip(plan.groups, bands.responses, bands.weights, strict=True)
    pooled = [_PooledSquares.apply(_envelope(spectra, plan.overhang[0], *each[:2]), each[2]) for each in groups]
    by_cell = torch.cat(pooled).unflatten(2, (len(spectra), -1))[..., : plan.valid]
    framed = by_cell.new_zeros(len(by_cell), len(spectra), plan.valid + plan.frame_cells - 1)
    for cell in range(plan.frame_cells):
        framed[..., cell : cell + plan.valid].add_(by_cell[:, cell])
    return framed


def _envelope(spectra: Tensor, overhang: int, group: BandGroup, response: Tensor) -> Tensor:
    """Filter blocks by a group, real and imaginary parts of the nodes: (n, C) -> (F_g, n, M, 2)."""
    shape = (len(response), len(spectra), response.shape[2])
    bands = spectra.as_strided(shape, (group.step, spectra.shape[1], 1), group.first + overhang)
    # The layout of the result would follow that of the bands.
    out = None if torch.is_grad_enabled() else spectra.new_empty(shape)
    return torch.view_as_real(torch.fft.ifft(torch.mul(bands, response, out=out).contiguous(), norm="forward"))


class _PooledSquares(torch.autograd.Function):
    """Square and pool, in half the passes over memory that autograd would take.

    (F_g, n, M, 2) and (F_g, J, 2 rate) -> (F_g, J, n cells); what needs no gradient is squared in place.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, envelope: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(envelope, weights)
        learns = any(ctx.needs_input_grad)  # type: ignore[attr-defined]
        energy = (envelope.square() if learns else envelope.square_()).view(len(weights), -1, weights.shape[2])
        if len(weights) > 1:
            return torch.bmm(weights, energy.mT)
        # A lone product is threaded, and thus rounded, in another way than one of several.
        halves = torch.bmm(weights.expand(2, -1, -1), energy.view(2, -1, energy.shape[2]).mT)
        return halves.transpose(0, 1).reshape(1, weights.shape[1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, pooled: Tensor) -> tuple[Tensor, Tensor]:
        envelope, weights = ctx.saved_tensors  # type: ignore[attr-defined]
        slopes = torch.bmm(pooled.mT, 2 * weights).view_as(envelope).mul_(envelope)
        return slopes, torch.bmm(pooled, envelope.square().view(len(weights), -1, weights.shape[2]))
