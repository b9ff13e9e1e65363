"""What is trained: a frontend, an encoder on its features, and a linear head on each view of them."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from .._fork import note_torch
from .._functionals import summarize
from ..dsp.framing import are_whole, beside
from ..encoders import BatchNorm, Dropout, Encoder, make_encoder
from ..frontends import Frontend, make_frontend
from .recipe import plain_state

STATISTICS = ("mean", "std", "delta_std")
VARIANCE_FLOOR = 1e-5


class StatisticsHead(nn.Module):
    """Linear on the batch-normed statistics over time, what a linear classifier behind transform would see."""

    def __init__(self, n_filters: int, n_outputs: int) -> None:
        super().__init__()
        self.norm = BatchNorm(len(STATISTICS) * n_filters)
        self.dropout = Dropout(0.2)
        self.linear = skip_init(nn.Linear, len(STATISTICS) * n_filters, n_outputs)

    def embed(self, features: Tensor, n_frames: Tensor) -> Tensor:
        statistics = summarize(features, n_frames, STATISTICS, floor=VARIANCE_FLOOR)
        return self.norm(statistics[:, :, None], torch.ones(len(statistics), dtype=torch.int64))[:, :, 0]

    def forward(self, features: Tensor, n_frames: Tensor) -> Tensor:
        return self.linear(self.dropout(self.embed(features, n_frames)))


class EncoderHead(nn.Module):
    """Linear on an encoder's embedding."""

    def __init__(self, encoder: Encoder, n_outputs: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = Dropout(0.3)
        self.linear = skip_init(nn.Linear, encoder.n_outputs, n_outputs)

    def embed(self, features: Tensor, n_frames: Tensor) -> Tensor:
        return self.encoder(features, n_frames)

    def forward(self, features: Tensor, n_frames: Tensor) -> Tensor:
        return self.linear(self.dropout(self.embed(features, n_frames)))


class Network(nn.Module):
    """A frontend and the heads on its features; its outputs are one set of logits (or values) a head.

    ``encoder`` None has no head; otherwise there is the encoder's, after a statistics head where ``statistics`` asks
    for one. "linear" stands for the statistics head alone. ``seed`` is that of a callable encoder, drawn if not given.
    """

    def __init__(
        self,
        frontend: Frontend,
        encoder: str | Callable[[int], nn.Module] | None,
        n_outputs: int,
        *,
        statistics: bool,
        generator: torch.Generator | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        self.frontend = frontend
        if generator is None:  # weights will be loaded
            generator = torch.Generator().manual_seed(0)
        heads: list[StatisticsHead | EncoderHead] = []
        if encoder == "linear" or (encoder is not None and statistics):
            heads.append(StatisticsHead(frontend.n_filters, n_outputs))
        if encoder not in (None, "linear"):
            source = generator
            if callable(encoder):  # it may draw more than weights, which must be the same when it is built again
                seed = int(torch.randint(2**31, (), generator=generator)) if seed is None else seed
                source = torch.Generator().manual_seed(seed)
            built = make_encoder(encoder, n_filters=frontend.n_filters, generator=source)
            heads.append(EncoderHead(built, n_outputs))
        for head in heads:
            nn.init.xavier_uniform_(head.linear.weight, generator=generator)
            nn.init.zeros_(head.linear.bias)
        self.heads = nn.ModuleList(heads)
        self.settings: dict[str, Any] = {
            "encoder": encoder,
            "n_outputs": n_outputs,
            "statistics": statistics,
            "seed": seed,
        }
        self.float()

    @property
    def equal_lengths(self) -> bool:
        """Whether the clips of a batch must have one length."""
        masks = all(head.encoder.takes_lengths for head in self.heads if isinstance(head, EncoderHead))
        return self.frontend.equal_lengths or not masks

    @property
    def n_outputs(self) -> int:
        """Outputs of each head."""
        return int(self.settings["n_outputs"])

    @property
    def n_embedded(self) -> int:
        """Length of what ``embed`` gives for a clip."""
        return int(self.heads[-1].linear.in_features)  # type: ignore[union-attr, arg-type]

    def features(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, F, T) and the frames of each clip (B,), these on the CPU where they are all T."""
        given = None if are_whole(lengths, waveforms.shape[1]) else lengths.to(waveforms.device)
        features = self.frontend(waveforms, given)
        return features, beside(features, self.frontend.n_frames(lengths))

    def forward(self, waveforms: Tensor, lengths: Tensor) -> list[Tensor]:
        features, n_frames = self.features(waveforms, lengths)
        return [head(features, n_frames) for head in self.heads]

    def embed(self, features: Tensor, n_frames: Tensor) -> Tensor:
        """Return the last head's view of a clip, what ``output="embedding"`` returns: (B, F, T), (B,) -> (B, E)."""
        return self.heads[-1].embed(features, n_frames)  # type: ignore[operator]

    def to_state(self) -> dict[str, Any]:
        """Return settings and arrays, in the reference's units, from which ``from_state`` builds an equal network.

        They are NumPy's: without torch objects, fitted estimators pickle, hash and travel.
        """
        arrays = {name: np.array(value.detach().cpu().numpy()) for name, value in plain_state(self)}
        return {"frontend": self.frontend.config, "settings": self.settings, "arrays": arrays}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Build a network on the CPU, frozen and in eval mode."""
        note_torch()
        network = cls(make_frontend(**state["frontend"]), **state["settings"])
        network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in state["arrays"].items()})
        return network.requires_grad_(False).eval()


def set_generator(network: nn.Module, generator: torch.Generator) -> None:
    """Let every dropout of the network draw from one generator."""
    for module in network.modules():
        if isinstance(module, Dropout | Encoder):
            module.generator = generator
