"""Layers that respect clip lengths and take their randomness from an explicit generator."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..dsp.framing import are_whole


def mask_frames(values: Tensor, n_frames: Tensor) -> Tensor:
    """Zero the frames beyond each clip's own, so that a convolution sees its padding there: (B, C, T)."""
    if are_whole(n_frames, values.shape[-1]):
        return values
    valid = torch.arange(values.shape[-1], device=n_frames.device) < n_frames[:, None]
    return torch.where(valid[:, None], values, 0.0)


class BatchNorm(nn.Module):
    """Batch normalisation of (B, C, T) whose statistics leave out padded frames; (B, C) passes T = 1.

    One number a channel has no variance: it gives the bias, and the running statistics stay.
    """

    def __init__(self, n_channels: int, *, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.weight = nn.Parameter(torch.ones(n_channels))
        self.bias = nn.Parameter(torch.zeros(n_channels))
        self.mean: Tensor
        self.variance: Tensor
        self.register_buffer("mean", torch.zeros(n_channels))
        self.register_buffer("variance", torch.ones(n_channels))

    def forward(self, values: Tensor, n_frames: Tensor) -> Tensor:
        if self.training:
            several = values.numel() > values.shape[1]
            if several and are_whole(n_frames, values.shape[-1]):
                # the same in one pass; of maps it knows either layout in memory
                maps = values.unsqueeze(2)
                maps = functional.batch_norm(
                    maps, self.mean, self.variance, self.weight, self.bias, True, self.momentum, self.eps
                )
                return maps.squeeze(2)
            count = n_frames.sum().to(values.dtype)
            mean = mask_frames(values, n_frames).sum((0, 2)) / count
            centred = mask_frames(values - mean[:, None], n_frames)
            variance = centred.square().sum((0, 2)) / count
            if several:
                with torch.no_grad():
                    self.mean.lerp_(mean, self.momentum)
                    self.variance.lerp_(variance * count / (count - 1).clamp(min=1.0), self.momentum)
        else:
            centred, variance = values - self.mean[:, None], self.variance
        scale = self.weight * (variance + self.eps).rsqrt()
        return torch.addcmul(self.bias[:, None], centred, scale[:, None])


class Dropout(nn.Module):
    """Dropout whose mask comes from ``self.generator`` (None: torch's own), set by whoever trains."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.generator: torch.Generator | None = None

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return values
        draw = torch.rand(values.shape, generator=self.generator, device=values.device)
        return values * (draw >= self.rate) / (1 - self.rate)


def init_weights(module: nn.Module, generator: torch.Generator) -> None:
    """Kaiming-uniform weights and zero biases for every convolution and linear layer, from the generator."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
