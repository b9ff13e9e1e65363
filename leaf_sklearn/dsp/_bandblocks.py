"""The costly part of the fast path: from spectra of blocks to pooled energies, with its own backward pass."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional

from ._bandweights import PreparedBands


def block_energies(spectrum: Tensor, cells: Tensor, bands: PreparedBands) -> tuple[Tensor, ...]:
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
    *nodes : Tensor of shape (F_g, R, 2 rate)
        For each group the squares of real and imaginary parts at the nodes.
    """
    framed_and_nodes: tuple[Tensor, ...] = _BlockEnergies.apply(
        spectrum, cells, bands, *bands.responses, *bands.weights
    )
    return framed_and_nodes


class _BlockEnergies(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx, spectrum: Tensor, cells: Tensor, bands: PreparedBands, *constants: Tensor
    ) -> tuple[Tensor, ...]:
        plan, n_blocks = bands.plan, spectrum.shape[0]
        keep = any(ctx.needs_input_grad)  # type: ignore[attr-defined]
        pieces = bands.end_windows.new_empty(len(plan.order), plan.frame_cells, n_blocks * plan.cells)
        nodes, envelopes = [], []
        for members, starts, response, weights in _by_group(bands, constants):
            product = _multiply(_cut(spectrum, starts, response), response)
            envelope = torch.view_as_real(torch.fft.ifft(product, norm="forward"))
            envelope = envelope.view(starts.shape[0], n_blocks * plan.cells, -1)
            energy = envelope.square() if keep else envelope.square_()
            torch.bmm(weights, energy.mT, out=pieces[members])
            nodes.append(energy.index_select(1, cells))
            envelopes.append(envelope)
        if keep:
            ctx.save_for_backward(spectrum, cells, *constants, *envelopes)
            ctx.bands = bands  # type: ignore[attr-defined]
        pieces = pieces.view(-1, plan.frame_cells, n_blocks, plan.cells)
        framed = pieces.new_zeros(len(plan.order), n_blocks, plan.valid + plan.frame_cells - 1)
        for cell in range(plan.frame_cells):
            framed[..., cell : cell + plan.valid] += pieces[:, cell, :, : plan.valid]
        return framed, *nodes

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad_framed: Tensor, *grad_nodes: Tensor) -> tuple[Tensor | None, ...]:
        bands: PreparedBands = ctx.bands  # type: ignore[attr-defined]
        plan = bands.plan
        spectrum, cells, *saved = ctx.saved_tensors  # type: ignore[attr-defined]
        constants, envelopes = saved[: 2 * len(plan.groups)], saved[2 * len(plan.groups) :]
        grad_spectrum = torch.zeros_like(spectrum) if ctx.needs_input_grad[0] else None  # type: ignore[attr-defined]
        grad_pieces = functional.pad(grad_framed.unfold(2, plan.valid, 1), (0, plan.lost)).transpose(1, 2).flatten(2)
        grad_responses, grad_weights = [], []
        groups = zip(_by_group(bands, constants), plan.groups, envelopes, grad_nodes, strict=True)
        for (members, starts, response, weights), group, envelope, grad in groups:
            grad_weights.append(torch.bmm(grad_pieces[members], envelope.square()))
            grad_energy = torch.bmm(grad_pieces[members].mT, weights).index_add_(1, cells, grad)
            grad_envelope = grad_energy.mul_(envelope).mul_(2).view(len(group.starts), len(spectrum), -1, 2)
            grad_product = torch.fft.fft(torch.view_as_complex(grad_envelope))
            band = _cut(spectrum, starts, response)
            if response.is_complex():
                grad_responses.append((band.conj() * grad_product).sum(1))
            else:
                both = torch.view_as_real(band).mul_(torch.view_as_real(grad_product))
                grad_responses.append(both.sum(1).flatten(1))
            if grad_spectrum is not None:
                for start, row in zip(group.starts, _multiply(grad_product, response.conj()), strict=True):
                    grad_spectrum.narrow(1, plan.overhang[0] + start, row.shape[1]).add_(row)
        return grad_spectrum, None, None, *grad_responses, *grad_weights


def _by_group(bands: PreparedBands, constants: Sequence[Tensor]) -> Iterator[tuple[slice, Tensor, Tensor, Tensor]]:
    """Members, first bins, response and weights of each group."""
    n_groups = len(bands.plan.groups)
    return zip(bands.plan.members, bands.starts, constants[:n_groups], constants[n_groups:], strict=True)


def _cut(spectrum: Tensor, starts: Tensor, response: Tensor) -> Tensor:
    """Copy each filter's band out of the spectra: (n, C), (F,) -> (F, n, M)."""
    n_bins = response.shape[1] if response.is_complex() else response.shape[1] // 2
    return spectrum.unfold(1, n_bins, 1).transpose(0, 1)[starts]


def _multiply(bands: Tensor, response: Tensor) -> Tensor:
    """Multiply in place by a complex response, or a real one with all values twice: (F, n, M), (F, .) -> (F, n, M)."""
    if response.is_complex():
        return bands.mul_(response[:, None])
    torch.view_as_real(bands).flatten(2).mul_(response[:, None])
    return bands
