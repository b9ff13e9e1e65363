"""The training loop: random crops of the training clips, rounds of steps, a state kept.

Filtering is most of a step's cost, and filters move little. In the default recipe they move in one stretch of the
steps; before and after it, steps take energies that were measured once for all clips and train compression and heads.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._clips.clips import Clips
from .._device import Halving
from ..dsp.framing import beside
from .energies import BATCH_SIZE, measure_energies, pad_frames
from .network import Network, set_generator
from .recipe import RECIPES, Recipe, crop_length, one_cycle, parameter_groups, parametrise, plain_state
from .targets import Targets

ROUNDS = 16  # evaluations in a full budget of steps
AT_ONCE = 2**23  # energies of held-out clips that are judged at once


@dataclass(frozen=True)
class Labelled:
    """Clips with their encoded targets, and optionally the weight of each clip in the loss.

    ``energies`` are those of the clips under the frontend's first filters, where all of them were measured.
    """

    clips: Clips
    values: NDArray[Any]
    weights: NDArray[np.float32] | None = None
    energies: list[Tensor] | None = None


class Training:
    """One run: ``run(n_steps)`` a round at a time, then ``finish()``.

    Raises FloatingPointError when loss or parameters stop being finite, with the step and what to lower.
    """

    def __init__(
        self,
        network: Network,
        targets: Targets,
        train: Labelled,
        held_out: Labelled | None,
        *,
        recipe: str,
        learning_rate: float | None,
        batch_size: int,
        crop_ms: float | None,
        max_steps: int,
        device: torch.device,
        rng: np.random.Generator,
    ) -> None:
        self.recipe: Recipe = RECIPES[recipe]
        self.network = network.to(device)
        self.targets, self.train, self.held_out = targets, train, held_out
        self.device, self.rng, self.max_steps = device, rng, max_steps
        self.batch_size = self.piece = min(batch_size, len(train.clips))
        self.learning_rate = learning_rate or self.recipe.learning_rate
        self.crop = crop_length(recipe, crop_ms, network.frontend.sample_rate)
        self.step = self.best_step = 0
        self.best_score = -np.inf
        self.best_state: dict[str, Tensor] | None = None
        self.filter_steps = self._filter_steps()
        if self.recipe.tuned:
            parametrise(network.frontend)
        set_generator(network, torch.Generator(device).manual_seed(int(rng.integers(2**31))))
        groups = list(parameter_groups(network.frontend, network.heads, self.recipe, self.learning_rate))
        self.peaks = [group["lr"] for group in groups]
        self.optimizer = torch.optim.AdamW(groups, fused=True)
        self.draws = draw_batches(targets.sampling(train.values), self.batch_size, rng)

    @torch.enable_grad()
    def run(self, n_steps: int) -> dict[str, Any]:
        """Take ``n_steps`` steps, then evaluate: step, mean loss, score (None: nothing held out), rate."""
        self._train_mode()
        losses = [self._take_step() for _ in range(n_steps)]
        # buffers of an encoder may hold infinities, such as masks
        frontend = [value for _, value in plain_state(self.network.frontend)]
        if not all(bool(value.isfinite().all()) for value in (*frontend, *self.network.heads.parameters())):
            raise self._diverged("some parameters are no finite numbers")
        score = self.evaluate() if self.held_out is not None else None
        # one cycle ends at rest: its last state is its best but for chance
        if score is None or self.recipe.tuned:
            self.best_step = self.step
        elif score >= self.best_score:  # the later of two equal states saw more data
            self.best_score, self.best_step = score, self.step
            self.best_state = {name: value.clone() for name, value in self.network.state_dict().items()}
        return {
            "step": self.step,
            "loss": float(np.mean(losses)),
            "score": score,
            "learning_rate": self.learning_rate * self._share(self.step - 1),
        }

    def _filter_steps(self) -> range:
        """Return the steps in which filters move; none where they do not learn, all where energies are not at hand."""
        if self.train.energies is None:
            return range(self.max_steps)
        moving = [*self.network.frontend.filterbank.parameters(), *self.network.frontend.pooling.parameters()]
        if not any(parameter.requires_grad for parameter in moving):
            return range(0)
        first, last = (round(share * self.max_steps) for share in self.recipe.filters_move)
        return range(first, max(last, first + 1))

    def _measure_again(self) -> None:
        """Energies of all clips under the filters as they now stay."""
        self.network.eval()
        for name in ("train", "held_out"):
            part: Labelled | None = getattr(self, name)
            if part is not None and part.energies is not None:
                # all of them, as before: whether they fit was decided then
                measured = measure_energies(self.network.frontend, part.clips, self.device, max_seconds=math.inf)
                energies = measured.in_order()
                setattr(self, name, replace(part, energies=energies))
        self._train_mode()

    def _train_mode(self) -> None:
        """Put the network into training; a frontend that does not learn stays as it is, its batch norm too."""
        self.network.train()
        if not any(parameter.requires_grad for parameter in self.network.frontend.parameters()):
            self.network.frontend.eval()

    def evaluate(self) -> float:
        """Mean score of the held-out clips, the heads' outputs averaged."""
        assert self.held_out is not None
        self.network.eval()
        total = 0.0
        with torch.inference_mode():
            for indices, outputs in self._held_out_outputs(self.held_out):
                values = torch.from_numpy(self.held_out.values[indices]).to(self.device)
                total += float(self.targets.scores(outputs, values).sum())
        return total / len(self.held_out.clips)

    def _held_out_outputs(self, held_out: Labelled) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        if held_out.energies is None or self.filter_steps.start < self.step <= self.filter_steps.stop:
            halving = Halving()
            for batch in held_out.clips.batches(BATCH_SIZE, equal_lengths=self.network.equal_lengths):
                yield from halving(self._predict, *batch)
            return
        # by length, so that little is padded; where no clip may be padded, one after the other
        order = np.argsort([row.shape[1] for row in held_out.energies], kind="stable")
        longest = held_out.energies[order[-1]].numel()
        at_once = 1 if self.network.equal_lengths else max(AT_ONCE // longest, 1)
        for first in range(0, len(order), at_once):
            indices = order[first : first + at_once]
            outputs = self._outputs(*pad_frames([held_out.energies[index] for index in indices]))
            yield indices, torch.stack(outputs).mean(0)

    def _predict(
        self, indices: NDArray[np.int64], waveforms: NDArray[np.float32], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], Tensor]:
        outputs = self.network(torch.from_numpy(waveforms).to(self.device), torch.from_numpy(lengths))
        return indices, torch.stack(outputs).mean(0)

    def _outputs(self, energies: Tensor, n_frames: Tensor) -> list[Tensor]:
        """Return the outputs of the heads for stored energies (B, F, T) of clips with so many frames (B,)."""
        if self.network.equal_lengths:
            n_frames.fill_(energies.shape[-1])
        energies = energies.to(self.device)
        n_frames = beside(energies, n_frames)
        features = self.network.frontend.compress(energies, n_frames)
        return [head(features, n_frames) for head in self.network.heads]

    def finish(self) -> Network:
        """Return the network as it is kept, in the reference's units, on the CPU and frozen."""
        if self.best_state is not None:
            self.network.load_state_dict(self.best_state)
        return self.snapshot()

    def snapshot(self) -> Network:
        """Return the network as it stands, in the reference's units, on the CPU and frozen."""
        return Network.from_state(self.network.to_state())

    def _share(self, step: int, *, filters: bool = False) -> float:
        """Learning rate as a share of its peak; filters have a cycle of their own, in the steps in which they move."""
        if not self.recipe.tuned:
            return 1.0
        if filters and step in self.filter_steps:
            return one_cycle(step - self.filter_steps.start, len(self.filter_steps))
        return one_cycle(step, self.max_steps)

    def _take_step(self) -> float:
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * self._share(self.step, filters=group["filters"])
        indices = next(self.draws)
        if self.train.energies is not None and self.step not in self.filter_steps:
            if self.filter_steps and self.step == self.filter_steps.stop:
                self._measure_again()
            rows = [self._crop_frames(self.train.energies[index]) for index in indices]
            value = self._gradients(self._outputs, indices, *pad_frames(rows))
        else:
            value = self._gradients(self.network, indices, *self._crops(indices))
        self.step += 1
        if not np.isfinite(value):
            raise self._diverged(f"the loss became {value}")
        self.optimizer.step()
        if not self.recipe.tuned:
            self.network.frontend.project_()
        return value

    def _diverged(self, came: str) -> FloatingPointError:
        return FloatingPointError(
            f"Training diverged, {came} at step {self.step} of {self.max_steps}; lower learning_rate "
            f"(it was {self.learning_rate:g})."
        )

    def _gradients(self, outputs_of: Callable[..., list[Tensor]], indices: NDArray[np.intp], *inputs: Tensor) -> float:
        """Compute the gradients of a mini-batch's mean loss, and that loss; in halves where memory is full.

        Halves are normalised by their own statistics.
        """
        while True:
            self.optimizer.zero_grad(set_to_none=True)  # those of a call that failed halfway included
            try:
                return sum(
                    self._backward(outputs_of, len(indices), indices[at : at + self.piece], *parts)
                    for at in range(0, len(indices), self.piece)
                    for parts in [[part[at : at + self.piece] for part in inputs]]
                )
            except torch.cuda.OutOfMemoryError as error:
                if self.piece == 1:
                    error.add_note("One crop alone does not fit: lower crop_ms or n_filters, or use device='cpu'.")
                    raise
                self.piece = max(1, min(self.piece, len(indices)) // 2)
            # here the failed call's tensors are gone
            torch.cuda.empty_cache()

    def _backward(
        self, outputs_of: Callable[..., list[Tensor]], n_clips: int, indices: NDArray[np.intp], *inputs: Tensor
    ) -> float:
        """Add the gradients of some of a mini-batch's clips, and return their part of its loss."""
        values = torch.from_numpy(self.train.values[indices]).to(self.device)
        rows, sizes = inputs
        outputs = outputs_of(rows.to(self.device), sizes)
        smoothing = self.recipe.label_smoothing
        losses = torch.stack([self.targets.losses(output, values, smoothing=smoothing) for output in outputs]).sum(0)
        if self.train.weights is not None:
            losses = losses * torch.from_numpy(self.train.weights[indices]).to(self.device)
        loss = losses.mean() * (len(indices) / n_clips)
        loss.backward()
        return float(loss.detach())

    def _crop_frames(self, row: Tensor) -> Tensor:
        """Random stretch of a clip's energies (F, T)."""
        length = max(1, self.crop // self.network.frontend.hop)
        if row.shape[1] > length:
            start = int(self.rng.integers(row.shape[1] - length + 1))
            row = row[:, start : start + length]
        return row

    def _crops(self, indices: NDArray[np.intp]) -> tuple[Tensor, Tensor]:
        """Random crops: (B, N) padded with zeros, (B,)."""
        clips = [self._crop(self.train.clips.read(int(index))) for index in indices]
        lengths = np.array([len(clip) for clip in clips])
        waveforms = np.zeros((len(clips), int(lengths.max())), dtype=np.float32)
        for row, clip in zip(waveforms, clips, strict=True):
            row[: len(clip)] = clip
        if self.network.equal_lengths:
            lengths[:] = waveforms.shape[1]
        return torch.from_numpy(waveforms), torch.from_numpy(lengths)

    def _crop(self, clip: NDArray[np.float32]) -> NDArray[np.float32]:
        if len(clip) > self.crop:
            start = int(self.rng.integers(len(clip) - self.crop + 1))
            return clip[start : start + self.crop]
        # a clip that fits is moved against the frame grid by up to a hop; equal clips stay equal, which is faster
        spare = max(1, min(self.network.frontend.hop, len(clip) // 8))
        start = int(self.rng.integers(spare))
        return clip[start : len(clip) - spare + 1 + start]


def draw_batches(odds: NDArray[np.float64], batch_size: int, rng: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Endless mini-batches of indices: shuffled epochs where the odds are equal, weighted draws otherwise."""
    if (odds == odds[0]).all():
        queue = np.empty(0, dtype=np.intp)
        while True:
            if len(queue) < batch_size:
                queue = np.concatenate([queue, rng.permutation(len(odds))])
            yield queue[:batch_size]
            queue = queue[batch_size:]
    while True:
        yield rng.choice(len(odds), batch_size, p=odds / odds.sum())


def round_sizes(max_steps: int) -> list[int]:
    """Split a budget into the steps of each round, as even as can be."""
    n_rounds = min(ROUNDS, max_steps)
    return [max_steps * (i + 1) // n_rounds - max_steps * i // n_rounds for i in range(n_rounds)]


def describe(entry: dict[str, Any], max_steps: int) -> str:
    """One line of ``verbose`` output."""
    score = "" if entry["score"] is None else f"  score {entry['score']:.3f}"
    return (
        f"step {entry['step']}/{max_steps}  loss {entry['loss']:.4f}{score}  learning rate {entry['learning_rate']:.2g}"
    )
