"""Wavegram: a convolutional network on the waveform (Kong et al. 2019), as the reference builds it."""

from typing import overload

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .compression import Compression
from .filterbank import BankSettings, Filterbank
from .parameters import Array, ReferenceArrays
from .pooling import Pooling

STEM = 64
STEM_SIZE, STEM_HOP = 11, 5
BLOCKS = (64, 128, 128)
SHRINK = 4
LAST_SHRINK = 2
STEPS_A_FRAME = SHRINK ** len(BLOCKS)
HOP = STEM_HOP * STEPS_A_FRAME * LAST_SHRINK
RECEPTIVE_FIELD = 2556
CHUNK, OVERLAP = 150, 4
NORM_EPS, NORM_MOMENTUM = 1e-3, 0.01


class ConvNorm(nn.Module):
    """Convolution over time without bias, batch norm and ReLU: (B, C, 1, T) -> (B, D, 1, T).

    Maps are one bin high, so that PyTorch can keep the channels of an instant together (its channels-last format), in
    which convolutions are faster.

    Parameters
    ----------
    shape : tuple of int
        Output channels, input channels, taps over time and, for the two-dimensional ones, taps over frequency.
    dilation : int
        Between taps.
    generator : torch.Generator
        Draws the start (Glorot's uniform).
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, shape: tuple[int, ...], *, dilation: int = 1, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(shape), generator=generator))
        self.scale = nn.Parameter(torch.ones(shape[0]))
        self.shift = nn.Parameter(torch.zeros(shape[0]))
        self.register_buffer("mean", torch.zeros(shape[0]))
        self.register_buffer("variance", torch.ones(shape[0]))
        self.dilation = dilation

    def forward(self, x: Tensor, shrink: int = 1) -> Tensor:
        """Convolve, normalise, keep maxima over time and rectify."""
        x = self._convolve(x)
        # One number a channel has no variance to learn from.
        batch = self.training and x.shape[0] * x.shape[3] > 1
        x = F.batch_norm(x, self.mean, self.variance, self.scale, self.shift, batch, NORM_MOMENTUM, NORM_EPS)
        if shrink > 1:
            x = F.max_pool2d(x, (1, shrink))
        return F.relu(x, inplace=True)

    def _convolve(self, x: Tensor) -> Tensor:
        """Convolution padded with zeros to the length of its input."""
        # Of a kernel over frequency only the middle column meets the map.
        weight = self.weight if self.weight.dim() == 3 else self.weight[..., self.weight.shape[-1] // 2]
        weight = weight[:, :, None].contiguous(memory_format=torch.channels_last)
        padding = self.dilation * (weight.shape[-1] // 2)
        return F.conv2d(x, weight, padding=(0, padding), dilation=(1, self.dilation))

    def load_reference(self, params: ReferenceArrays) -> None:
        """Take five arrays in the reference's order."""
        params.fill(self, "weight", params.first(), _output_first)
        for name in ("scale", "shift", "mean", "variance"):
            params.fill(self, name, params.first())


class Stem(ConvNorm):
    """The first layer: of one channel, strided, without padding: (B, N) -> (B, D, 1, T)."""

    def _convolve(self, x: Tensor) -> Tensor:
        # As a matrix product it has the channels of an instant together at once.
        return F.linear(x.unfold(-1, STEM_SIZE, STEM_HOP), self.weight[:, 0]).mT[:, :, None]


class WavegramFrames(Pooling):
    """Frames of the network: one each 640 samples."""

    def __init__(self, n_filters: int, kernel_size: int, hop: int) -> None:
        super().__init__(n_filters, RECEPTIVE_FIELD, HOP)

    @overload
    def n_frames(self, lengths: int) -> int: ...
    @overload
    def n_frames(self, lengths: Tensor) -> Tensor: ...
    def n_frames(self, lengths: int | Tensor) -> int | Tensor:
        """Frames of clips of these lengths in samples, at least one."""
        steps = (lengths + STEM_HOP - 1) // STEM_HOP // STEPS_A_FRAME
        frames = (steps + LAST_SHRINK - 1) // LAST_SHRINK
        return frames.clamp(min=1) if isinstance(frames, Tensor) else max(frames, 1)


class WavegramBank(Filterbank):
    """Strided convolution, three blocks of dilated ones, and two on the resulting map.

    Parameters
    ----------
    settings : BankSettings
        ``n_filters`` is the width of the last two convolutions; the generator draws the weights.
    """

    energy_floor = None
    equal_lengths = True
    has_fast_form = False

    def __init__(self, settings: BankSettings) -> None:
        super().__init__(settings)
        generator = settings.generator or torch.Generator().manual_seed(0)
        layers: list[ConvNorm] = [Stem((STEM, 1, STEM_SIZE), generator=generator)]
        width = STEM
        for block in BLOCKS:
            layers.append(ConvNorm((block, width, 3), generator=generator))
            layers.append(ConvNorm((block, block, 3), dilation=2, generator=generator))
            width = block
        layers.append(ConvNorm((settings.span.n_filters, width, 3, 3), generator=generator))
        layers.append(ConvNorm((settings.span.n_filters, settings.span.n_filters, 3, 3), generator=generator))
        self.layers = nn.ModuleList(layers)

    def energies(self, waveforms: Tensor, lengths: Tensor | None, pooling: Pooling) -> Tensor:
        """Run the network on clips of one length: (B, N) -> (B, F, T); ``lengths`` is ignored.

        Outside training, long clips are worked on in chunks of frames that overlap by what a frame sees.
        """
        n_clips, n_times = waveforms.shape
        if n_clips == 1 and not self.training:
            # A lone row takes another code path in a convolution, which rounds differently.
            waveforms = waveforms.expand(2, -1)
        steps = max((n_times + STEM_HOP - 1) // STEM_HOP, STEPS_A_FRAME)
        n_times = max(n_times, (steps - 1) * STEM_HOP + 1)
        padding = max((steps - 1) * STEM_HOP + STEM_SIZE - n_times, 0)
        missing = n_times - waveforms.shape[1]
        padded = F.pad(waveforms, (padding // 2, missing + padding - padding // 2))
        if self.training:
            return self._network(padded)
        n_frames, features = pooling.n_frames(n_times), []
        for first in range(0, n_frames, CHUNK):
            start, stop = max(first - OVERLAP, 0), first + CHUNK + OVERLAP
            end = stop * HOP + STEM_SIZE - STEM_HOP if stop < n_frames else None
            chunk = self._network(padded[:, start * HOP : end])
            features.append(chunk[:n_clips, :, first - start : first - start + CHUNK])
        return torch.cat(features, dim=-1)

    def _network(self, padded: Tensor) -> Tensor:
        """All layers: (B, N) with the first convolution's padding -> (B, F, T)."""
        stem, *others = self.layers
        x = stem(padded)
        for first, second in zip(others[0:-2:2], others[1:-2:2], strict=True):
            x = second(first(x), shrink=SHRINK)
        for layer in others[-2:]:
            x = layer(x)
        return F.avg_pool2d(x, (1, LAST_SHRINK), ceil_mode=True)[:, :, 0]

    def center_frequencies(self) -> None:
        """None: the channels are no filters."""

    def bandwidths(self) -> None:
        """None: the channels are no filters."""

    def load_reference(self, params: ReferenceArrays) -> None:
        """Take the weights ``wNN|name`` in the reference's order."""
        for layer in self.layers:
            assert isinstance(layer, ConvNorm)
            layer.load_reference(params)


class NoCompression(Compression):
    """Features that are no energies stay as they are."""

    scalable = False


def _output_first(kernel: Array) -> Array:
    return kernel.transpose(kernel.ndim - 1, kernel.ndim - 2, *range(kernel.ndim - 2))
