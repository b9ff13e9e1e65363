"""CNN14 of Kong et al., "PANNs: Large-Scale Pretrained Audio Neural Networks for Audio Pattern Recognition" (2019)."""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._layers import Dropout

CHANNELS = (64, 128, 256, 512, 1024, 2048)
EPS = 1e-3  # of the reference's batch normalisation


class ConvBlock(nn.Module):
    """Two 3x3 convolutions with batch norm and ReLU, then an average over 2x2 (or none): (B, C, T, F)."""

    def __init__(self, n_in: int, n_out: int, *, pool: int) -> None:
        super().__init__()
        self.pool = pool
        self.first = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(n_out, eps=EPS)
        self.second = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(n_out, eps=EPS)

    def forward(self, values: Tensor) -> Tensor:
        """Halve time and frequency, rounding up."""
        values = self.first_norm(self.first(values)).relu()
        values = self.second_norm(self.second(values)).relu()
        return functional.avg_pool2d(values, self.pool, ceil_mode=True) if self.pool > 1 else values


class PANN(nn.Module):
    """Batch norm over frequency, then blocks: (B, F, T) -> (B, C, T', F')."""

    def __init__(self, n_filters: int, channels: tuple[int, ...] = CHANNELS, *, dropout: float = 0.2) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(n_filters, eps=EPS)
        # the sixth block of CNN14 does not pool
        self.blocks = nn.ModuleList(
            ConvBlock(n_in, n_out, pool=2 if place < 5 else 1)
            for place, (n_in, n_out) in enumerate(itertools.pairwise((1, *channels)))
        )
        self.dropout = Dropout(dropout)

    def forward(self, features: Tensor) -> Tensor:
        """Features to feature maps."""
        values = self.norm(features).transpose(1, 2)[:, None]
        for block in self.blocks:
            values = self.dropout(block(values))
        return values


class CNN14(nn.Module):
    """Feature maps, mean over frequency, mean and max over time, one linear layer: (B, F, T) -> (B, 2048)."""

    def __init__(self, n_filters: int) -> None:
        super().__init__()
        self.n_outputs = CHANNELS[-1]
        self.maps = PANN(n_filters)
        self.linear = nn.Linear(self.n_outputs, self.n_outputs)

    def forward(self, features: Tensor) -> Tensor:
        """One vector a clip; the clips of a batch have equal lengths."""
        over_time = self.maps(features).mean(3)
        return torch.relu(self.linear(over_time.mean(2) + over_time.amax(2)))
