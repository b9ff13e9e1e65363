"""The two training recipes, and the parametrisation that the default one trains in.

"default" starts PCEN where a cross-validation on the training clips likes it, divides each channel by its mean energy,
and moves every parameter on a scale of its own, zero at the start. "paper" is the reference's: its usual start, Adam.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..frontends import Frontend


@dataclass(frozen=True)
class Recipe:
    """What a recipe fixes; learning rates are peaks of the schedule."""

    tuned: bool  # energy scale, picked start, scaled parametrisation, one-cycle schedule, both heads
    learning_rate: float
    head_learning_rate: float
    weight_decay: float  # of the heads; the frontend has none
    crop_ms: float
    label_smoothing: float
    filters_move: tuple[float, float]  # from and to which share of the steps; the others take measured energies


RECIPES = {
    "default": Recipe(
        tuned=True,
        learning_rate=0.04,
        head_learning_rate=2e-3,
        weight_decay=1e-2,
        crop_ms=1500.0,
        label_smoothing=0.05,
        filters_move=(1 / 8, 7 / 24),
    ),
    "paper": Recipe(
        tuned=False,
        learning_rate=1e-4,
        head_learning_rate=1e-4,
        weight_decay=0.0,
        crop_ms=1000.0,
        label_smoothing=0.0,
        filters_move=(0.0, 1.0),
    ),
}


def crop_length(recipe: str, crop_ms: float | None, sample_rate: float) -> int:
    """Return the samples of the longest stretch of a clip that the network sees at once in training."""
    return max(1, round((crop_ms or RECIPES[recipe].crop_ms) * sample_rate / 1000))


WARM_UP = 0.25  # share of the steps in which the learning rate rises


def one_cycle(step: int, n_steps: int) -> float:
    """Learning rate as a share of its peak: a cosine rise over the warm-up, then a cosine fall to zero."""
    rising = max(1.0, WARM_UP * n_steps)
    if step < rising:
        return 0.04 + 0.96 * (0.5 - 0.5 * math.cos(math.pi * step / rising))
    return 0.5 + 0.5 * math.cos(math.pi * (step - rising) / max(1.0, n_steps - rising))


class LogShift(nn.Module):
    """value = start * exp(theta), for what must stay positive."""

    start: Tensor

    def __init__(self, start: Tensor, frontend: Frontend) -> None:
        super().__init__()
        self.register_buffer("start", start.detach().clone())

    def forward(self, theta: Tensor) -> Tensor:
        return self.start * theta.exp()

    def right_inverse(self, value: Tensor) -> Tensor:
        return (value / self.start).log()


class LogitShift(nn.Module):
    """value = sigmoid(logit(start) + theta), for what lies between 0 and 1."""

    start: Tensor

    def __init__(self, start: Tensor, frontend: Frontend) -> None:
        super().__init__()
        self.register_buffer("start", start.detach().clone().logit(eps=1e-4))

    def forward(self, theta: Tensor) -> Tensor:
        return (self.start + theta).sigmoid()

    def right_inverse(self, value: Tensor) -> Tensor:
        return value.logit(eps=1e-4) - self.start


class MelShift(nn.Module):
    """Centre in rad/sample, moved in spacings of the filters on the mel scale."""

    start: Tensor
    spacing: Tensor

    def __init__(self, start: Tensor, frontend: Frontend) -> None:
        super().__init__()
        self.hz = frontend.sample_rate / (2 * math.pi)
        mel = self._mel(start.detach())
        self.register_buffer("start", mel)
        self.register_buffer("spacing", (mel.amax() - mel.amin()).clamp(min=0.1) / max(1, len(mel) - 1))

    def _mel(self, center: Tensor) -> Tensor:
        # the scale's factor cancels: only spacings count
        return torch.log1p(center.clamp(min=0) * self.hz / 700)

    def forward(self, theta: Tensor) -> Tensor:
        return (self.start + self.spacing * theta).expm1() * (700 / self.hz)

    def right_inverse(self, value: Tensor) -> Tensor:
        return (self._mel(value) - self.start) / self.spacing


class ScaleShift(nn.Module):
    """value = start + rms(start) * theta, for weights that have no bounds; those that start at 0 move by theta."""

    start: Tensor
    scale: Tensor

    def __init__(self, start: Tensor, frontend: Frontend) -> None:
        super().__init__()
        self.register_buffer("start", start.detach().clone())
        rms = start.detach().square().mean().sqrt()
        self.register_buffer("scale", torch.where(rms > 0, rms, 1.0))

    def forward(self, theta: Tensor) -> Tensor:
        return self.start + self.scale * theta

    def right_inverse(self, value: Tensor) -> Tensor:
        return (value - self.start) / self.scale


# parameter -> (parametrisation, learning rate as a multiple of the frontend's)
PARAMETRISATIONS: dict[str, tuple[type[nn.Module], float]] = {
    "filterbank.raw_center": (MelShift, 3.0),
    "filterbank.raw_sigma": (LogShift, 3.0),
    "pooling.width": (LogShift, 1.0),
    "compression.alpha": (LogitShift, 1.0),
    "compression.delta": (LogShift, 1.0),
    "compression.root": (LogShift, 1.0),
    "compression.smooth": (LogitShift, 1.0),
}
# banks with free weights: a tenth, since every one of thousands moves by that share of the bank's size at each step
FREE = (ScaleShift, 0.1)


def parametrise(frontend: Frontend) -> None:
    """Put the default recipe's parametrisation on every trainable parameter of the frontend."""
    for name, parameter in list(frontend.named_parameters()):
        if not parameter.requires_grad:
            continue
        kind, _ = PARAMETRISATIONS.get(name, FREE)
        owner, _, attribute = name.rpartition(".")
        module = frontend.get_submodule(owner)
        parametrize.register_parametrization(module, attribute, kind(parameter, frontend))


def plain_state(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Names and values of a network's parameters and buffers as they are without the frontend's parametrisation."""
    for name, value in network.state_dict().items():
        owner, _, last = name.rpartition(".")
        head, mark, attribute = owner.rpartition(".parametrizations.")
        if not mark or name.startswith("heads."):  # an encoder may have parametrisations of its own
            yield name, value
        elif last == "original":
            yield f"{head}.{attribute}", getattr(network.get_submodule(head), attribute)


def parameter_groups(
    frontend: Frontend, heads: nn.Module, recipe: Recipe, learning_rate: float
) -> Iterator[dict[str, Any]]:
    """Optimiser groups: one for each kind of parameter of the frontend, one for encoder and heads."""
    by_kind: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for name, parameter in frontend.named_parameters():
        if not parameter.requires_grad:
            continue
        # a parametrised one is called "filterbank.parametrizations.raw_center.original"
        plain = name.replace("parametrizations.", "").removesuffix(".original")
        multiple = PARAMETRISATIONS.get(plain, FREE)[1] if recipe.tuned else 1.0
        filters = plain.startswith(("filterbank.", "pooling."))
        by_kind.setdefault((filters, multiple), []).append(parameter)
    for (filters, multiple), parameters in by_kind.items():
        yield {"params": parameters, "lr": learning_rate * multiple, "weight_decay": 0.0, "filters": filters}
    yield {
        "params": list(heads.parameters()),
        "lr": recipe.head_learning_rate,
        "weight_decay": recipe.weight_decay,
        "filters": False,
    }
