"""First-order smoothing over time, as PCEN needs it, without a loop over frames."""

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional

# Frames that are combined by doubling before blocks are linked. Doubling costs log2(BLOCK) passes over the data; clips
# of up to 2.5 s (at a hop of 10 ms) then need no second level, and an hour still needs only four levels.
BLOCK = 256


def exponential_moving_average(x: Tensor, smooth: Tensor) -> Tensor:
    """Smooth each channel over time: (B, F, T), (F,) -> (B, F, T).

    ``M[0] = x[0]``, ``M[t] = smooth * x[t] + (1 - smooth) * M[t - 1]`` (equation 3 of Wang et al., "Trainable frontend
    for robust and far-field keyword spotting", 2017). Every operation is elementwise, so a frame depends, bit for bit,
    on its own row and its own past alone.

    Parameters
    ----------
    x : Tensor of shape (B, F, T)
        Energies, at least one frame.
    smooth : Tensor of shape (F,)
        Smoothing coefficient of each channel, in [0, 1]; the caller clips it.

    Returns
    -------
    Tensor of shape (B, F, T)
    """
    if not torch.is_grad_enabled():
        return _average(x, smooth)
    return _MovingAverage.apply(x, smooth)


def _average(x: Tensor, smooth: Tensor) -> Tensor:
    inputs = x * smooth[:, None]
    inputs[..., 0] = x[..., 0]
    return linear_recurrence(inputs, 1 - smooth.double())


def linear_recurrence(u: Tensor, decay: Tensor) -> Tensor:
    """Return ``y[t] = u[t] + decay * y[t - 1]`` along the last axis: (B, F, T), (F,) float64 -> (B, F, T).

    Within a block, after the pass of stride ``k`` each frame holds the weighted sum of its last ``2 k`` inputs. The
    blocks' last frames obey the same recurrence with ``decay ** BLOCK``, which is solved by recursion. ``decay`` stays
    in float64 so that its high powers, by which quiet frames forget a loud past, keep float32's relative precision.
    """
    n_frames = u.shape[-1]
    n_blocks = -(-n_frames // BLOCK)
    if n_blocks == 1:
        return _double(u, decay[:, None])
    blocks = functional.pad(u, (0, n_blocks * BLOCK - n_frames)).unflatten(-1, (n_blocks, BLOCK))
    blocks = _double(blocks, decay[:, None, None])
    carries = linear_recurrence(blocks[..., -1], decay**BLOCK)
    powers = decay[:, None, None] ** torch.arange(1, BLOCK + 1, device=u.device, dtype=decay.dtype)
    blocks[:, :, 1:].addcmul_(carries[:, :, :-1, None], powers.to(u.dtype))
    return blocks.flatten(2)[..., :n_frames]


def _double(u: Tensor, decay: Tensor) -> Tensor:
    """Solve the recurrence along the last axis by doubling strides; ``u`` is left as it is."""
    done, spare = u, torch.empty_like(u)
    stride = 1
    while stride < u.shape[-1]:
        spare[..., :stride] = done[..., :stride]
        torch.addcmul(done[..., stride:], done[..., :-stride], (decay**stride).to(u.dtype), out=spare[..., stride:])
        done, spare = spare, torch.empty_like(u) if done is u else done
        stride *= 2
    return u.clone() if done is u else done


class _MovingAverage(torch.autograd.Function):
    """The average with its own backward pass: the same recurrence run from the last frame to the first."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, smooth: Tensor) -> Tensor:
        smoothed = _average(x, smooth)
        ctx.save_for_backward(x, smooth, smoothed)
        return smoothed

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor, Tensor]:
        x, smooth, smoothed = ctx.saved_tensors  # type: ignore[attr-defined]
        reach = linear_recurrence(grad.flip(-1), 1 - smooth.double()).flip(-1)
        grad_x = reach * smooth[:, None]
        grad_x[..., 0] = reach[..., 0]
        grad_smooth = (reach[..., 1:] * (x[..., 1:] - smoothed[..., :-1])).sum((0, 2))
        return grad_x, grad_smooth
