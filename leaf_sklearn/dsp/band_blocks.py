"""The costly part of the fast path: from spectra of blocks to pooled energies."""

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from .band_plan import BandGroup, BandPlan
from .band_weights import PreparedBands


def block_energies(spectra: Tensor, bands: PreparedBands) -> Tensor:
    """Filter and pool blocks: complex (n, C) -> (F, n, valid + frame_cells - 1).

    Spectra are continued by ``plan.overhang``. Of the frames the first ``frame_cells - 1`` begin in the block before.
    """
    plan = bands.plan
    groups = zip(plan.groups, bands.responses, bands.weights, strict=True)
    pooled = [_FilterAndPool.apply(_bins(spectra, plan, *each[:2]), *each[1:]) for each in groups]
    by_cell = torch.cat(pooled).unflatten(2, (len(spectra), -1))[..., : plan.valid]
    framed = by_cell.new_zeros(len(by_cell), len(spectra), plan.valid + plan.frame_cells - 1)
    for cell in range(plan.frame_cells):
        framed[..., cell : cell + plan.valid].add_(by_cell[:, cell])
    return framed


def _bins(spectra: Tensor, plan: BandPlan, group: BandGroup, response: Tensor) -> Tensor:
    """Bands of a group, a view: (n, C) -> (F_g, n, M)."""
    shape = (len(response), len(spectra), response.shape[2])
    return spectra.as_strided(shape, (group.step, spectra.shape[1], 1), group.first + plan.overhang[0])


class _FilterAndPool(torch.autograd.Function):
    """Filter, square and pool, in fewer passes over memory than autograd would take.

    Complex (F_g, n, M) and (F_g, 1, M), (F_g, J, 2 rate) -> (F_g, J, n cells); what needs no gradient is squared in
    place. Where it does, squares are kept beside what they are of: to square again would take a pass more.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, bands: Tensor, response: Tensor, weights: Tensor) -> Tensor:
        # The layout of a product would follow that of the bands.
        product = torch.mul(bands, response, out=bands.new_empty(bands.shape))
        envelope = torch.view_as_real(torch.fft.ifft(product, norm="forward"))
        learns = any(ctx.needs_input_grad)  # type: ignore[attr-defined]
        energy = (envelope.square() if learns else envelope.square_()).view(len(weights), -1, weights.shape[2])
        ctx.save_for_backward(bands, response, weights, envelope, energy)
        if len(weights) > 1:
            return torch.bmm(weights, energy.mT)
        # A lone product is threaded, and thus rounded, in another way than one of several.
        halves = torch.bmm(weights.expand(2, -1, -1), energy.view(2, -1, energy.shape[2]).mT)
        return halves.transpose(0, 1).reshape(1, weights.shape[1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, pooled: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        bands, response, weights, envelope, energy = ctx.saved_tensors  # type: ignore[attr-defined]
        slopes = torch.bmm(pooled.mT, 2 * weights).view_as(envelope).mul_(envelope)
        spectra = torch.fft.fft(torch.view_as_complex(slopes))
        by_bin = spectra * response.conj() if ctx.needs_input_grad[0] else None  # type: ignore[attr-defined]
        return by_bin, spectra.conj_physical_().mul_(bands).sum(1, keepdim=True).conj(), torch.bmm(pooled, energy)
