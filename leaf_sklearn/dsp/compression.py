"""Pointwise compression of energies, one parameter a channel."""

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

LOG_OFFSET = 1e-5
SMALLEST = 1e-37


def pcen(energies: Tensor, smoothed: Tensor, alpha: Tensor, delta: Tensor, root: Tensor, *, floor: float) -> Tensor:
    """Per-channel energy normalisation: (B, F, T) and (B, F, T) -> (B, F, T).

    ``(x / (floor + M)^min(alpha, 1) + delta)^(1 / max(root, 1)) - delta^(1 / max(root, 1))``, section 3.3 of the LEAF
    paper, M being the smoothed energy.

    Parameters
    ----------
    energies, smoothed : Tensor of shape (B, F, T)
        Non-negative energies and their moving average over time.
    alpha, delta, root : Tensor of shape (F,)
        Gain, offset (positive) and the inverse of the exponent.
    floor : float
        Added to the moving average.
    """
    exponent = 1.0 / root.clamp(min=1.0)[:, None]
    offset = delta[:, None]
    # The same routine on both sides, so that silence is exactly zero; clamped for a delta of zero.
    zero = _power(offset.clamp(min=SMALLEST), exponent)
    gain = _power(floor + smoothed, alpha.clamp(max=1.0)[:, None])
    return _power(energies / gain + offset, exponent) - zero


def log_compression(energies: Tensor) -> Tensor:
    """Natural logarithm of energies plus 1e-5: (B, F, T) -> (B, F, T)."""
    return torch.log(energies + LOG_OFFSET)


def root_compression(energies: Tensor, root: Tensor, *, floor: float = 1e-5) -> Tensor:
    """Energies to the power ``1 / max(root, 1)``, floored so that silence keeps a finite slope: (B, F, T) -> same."""
    exponent = 1.0 / root.clamp(min=1.0)[:, None]
    return _power(energies.clamp(min=floor), exponent)


def _power(base: Tensor, exponent: Tensor) -> Tensor:
    """Positive base to an exponent.

    Torch's own power rounds the last frames of a row by another routine than the rest, so that a frame would depend on
    how many follow it. Logarithm and exponential do not, and in float64 lose nothing.
    """
    if not torch.is_grad_enabled():
        return _exponentiate_(_log(base), exponent).to(base.dtype)
    return _Power.apply(base, exponent)


def _log(base: Tensor) -> Tensor:
    """Logarithm in float64, in new memory."""
    return base.to(torch.float64, copy=True).log_()


def _exponentiate_(log: Tensor, exponent: Tensor) -> Tensor:
    """Power of what the logarithm was taken from, in its place."""
    return log.mul_(exponent.double()).exp_()


class _Power(torch.autograd.Function):
    """The power with a backward pass in the type of its base, which is faster than one in float64."""

    @staticmethod
    def forward(ctx: FunctionCtx, base: Tensor, exponent: Tensor) -> Tensor:
        log = _log(base)
        log_of_base = log.to(base.dtype, copy=True)
        raised = _exponentiate_(log, exponent).to(base.dtype)
        ctx.save_for_backward(base, exponent, raised, log_of_base)
        return raised

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor, Tensor]:
        base, exponent, raised, log_of_base = ctx.saved_tensors  # type: ignore[attr-defined]
        scaled = grad * raised
        return scaled * exponent / base, (scaled * log_of_base).sum_to_size(exponent.shape)
