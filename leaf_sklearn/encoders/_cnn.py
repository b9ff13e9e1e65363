"""The small default encoder: two convolutions over time, mean and standard deviation of the last."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._layers import BatchNorm, mask_frames

CHANNELS = (96, 128)
KERNEL_SIZE = 5


class Convolution(nn.Conv1d):
    """Convolution over time that leaves the channels of an instant side by side in memory, where they are so."""

    def forward(self, values: Tensor) -> Tensor:
        maps, weight = values.unsqueeze(2), self.weight.unsqueeze(2)
        return functional.conv2d(maps, weight, self.bias, padding=(0, KERNEL_SIZE // 2)).squeeze(2)


class CNN(nn.Module):
    """Batch norm, conv, ReLU, pool, conv, ReLU; then mean and std over the valid frames: (B, F, T) -> (B, 256)."""

    def __init__(self, n_filters: int) -> None:
        super().__init__()
        first, second = CHANNELS
        self.n_outputs = 2 * second
        self.input_norm = BatchNorm(n_filters)
        self.first = Convolution(n_filters, first, KERNEL_SIZE)
        self.first_norm = BatchNorm(first)
        self.second = Convolution(first, second, KERNEL_SIZE)
        self.second_norm = BatchNorm(second)

    def forward(self, features: Tensor, n_frames: Tensor) -> Tensor:
        values = mask_frames(self.input_norm(features, n_frames), n_frames)
        # The channels of an instant side by side: in this layout all that follows is faster.
        values = values.mT.contiguous().mT
        values = self.first_norm(self.first(values), n_frames).relu()
        # zeros beyond a clip never win against a ReLU's output, so a padded clip pools as it does alone
        values = functional.max_pool1d(mask_frames(values, n_frames), 2, ceil_mode=True)
        n_frames = (n_frames + 1) // 2
        values = self.second_norm(self.second(values), n_frames).relu()
        return mean_and_std(values, n_frames)


def mean_and_std(values: Tensor, n_frames: Tensor) -> Tensor:
    """Mean and standard deviation over the valid frames: (B, C, T) -> (B, 2 C)."""
    count = n_frames[:, None].to(values)
    mean = mask_frames(values, n_frames).sum(-1) / count
    centred = mask_frames(values - mean[:, :, None], n_frames)
    return torch.cat([mean, (centred.square().sum(-1) / count + 1e-5).sqrt()], dim=1)
