"""The costly part of the fast path: from spectra of blocks to pooled energies, with its own backward pass."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional

from ._bandplan import BandGroup
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
    constants = (*bands.responses, *bands.weights)
    # Real responses multiply real and imaginary parts alike.
    values = spectrum if constants[0].is_complex() else torch.view_as_real(spectrum).flatten(1)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (spectrum, *constants)):
        framed_and_nodes: tuple[Tensor, ...] = _BlockEnergies.apply(values, cells, bands, *constants)
        return framed_and_nodes
    return _filter_and_pool(values, cells, bands, constants, None)


def _filter_and_pool(
    spectrum: Tensor, cells: Tensor, bands: PreparedBands, constants: Sequence[Tensor], envelopes: list[Tensor] | None
) -> tuple[Tensor, ...]:
    """Do the work, and keep each group's outputs at the nodes if asked to."""
    plan, n_blocks = bands.plan, spectrum.shape[0]
    pieces = bands.end_windows.new_empty(len(plan.order), plan.frame_cells, n_blocks * plan.cells)
    # One buffer for all products: memory given back to the system and fetched again costs as much as they do.
    buffer = spectrum.new_empty(n_blocks * max(response.numel() for response in bands.responses))
    nodes = []
    for members, group, response, weights in _by_group(bands, constants):
        product = buffer[: n_blocks * response.numel()].view(response.shape[0], n_blocks, -1)
        for row, band, factor in zip(product.unbind(), _views(spectrum, response, group, bands), response, strict=True):
            torch.mul(band, factor, out=row)
        envelope = torch.view_as_real(torch.fft.ifft(_as_complex(product), norm="forward"))
        envelope = envelope.view(response.shape[0], n_blocks * plan.cells, -1)
        if envelopes is not None:
            envelopes.append(envelope)
        energy = envelope.square_() if envelopes is None else envelope.square()
        torch.bmm(weights, energy.mT, out=pieces[members])
        nodes.append(energy.index_select(1, cells))
    pieces = pieces.view(-1, plan.frame_cells, n_blocks, plan.cells)
    framed = pieces.new_zeros(len(plan.order), n_blocks, plan.valid + plan.frame_cells - 1)
    for cell in range(plan.frame_cells):
        framed[..., cell : cell + plan.valid] += pieces[:, cell, :, : plan.valid]
    return framed, *nodes


class _BlockEnergies(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx, spectrum: Tensor, cells: Tensor, bands: PreparedBands, *constants: Tensor
    ) -> tuple[Tensor, ...]:
        envelopes: list[Tensor] = []
        outputs = _filter_and_pool(spectrum, cells, bands, constants, envelopes)
        ctx.save_for_backward(spectrum, cells, *constants, *envelopes)
        ctx.bands = bands  # type: ignore[attr-defined]
        return outputs

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
        groups = zip(_by_group(bands, constants), envelopes, grad_nodes, strict=True)
        for (members, group, response, weights), envelope, grad in groups:
            grad_weights.append(torch.bmm(grad_pieces[members], envelope.square()))
            grad_energy = torch.bmm(grad_pieces[members].mT, weights).index_add_(1, cells, grad)
            grad_envelope = grad_energy.mul_(envelope).mul_(2).view(response.shape[0], spectrum.shape[0], -1, 2)
            grad_product = torch.fft.fft(torch.view_as_complex(grad_envelope))
            if not response.is_complex():
                grad_product = torch.view_as_real(grad_product).flatten(2)
            products = zip(_views(spectrum, response, group, bands), grad_product, strict=True)
            grad_responses.append(torch.stack([(band.conj() * row).sum(0) for band, row in products]))
            if grad_spectrum is not None:
                views = _views(grad_spectrum, response, group, bands)
                for view, factor, row in zip(views, response, grad_product, strict=True):
                    view += factor.conj() * row
        return grad_spectrum, None, None, *grad_responses, *grad_weights


def _by_group(bands: PreparedBands, constants: Sequence[Tensor]) -> Iterator[tuple[slice, BandGroup, Tensor, Tensor]]:
    """Members, group, response and weights of each group."""
    plan = bands.plan
    return zip(plan.members, plan.groups, constants[: len(plan.groups)], constants[len(plan.groups) :], strict=True)


def _views(spectrum: Tensor, response: Tensor, group: BandGroup, bands: PreparedBands) -> list[Tensor]:
    """View each filter's band of the spectra."""
    per_bin = 1 if response.is_complex() else 2
    first, length = bands.plan.overhang[0], response.shape[1]
    return [spectrum.narrow(1, (first + start) * per_bin, length) for start in group.starts]


def _as_complex(values: Tensor) -> Tensor:
    """View pairs of real numbers as complex ones: (F, n, 2 M) -> (F, n, M)."""
    return values if values.is_complex() else torch.view_as_complex(values.unflatten(2, (-1, 2)))
