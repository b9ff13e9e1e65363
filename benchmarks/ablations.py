"""What each part of the default recipe is worth: python benchmarks/ablations.py TASKS [--table].

Fits what results/ablations.csv does not hold yet, variant by variant, and writes the table into docs/benchmarks.md.
Stopped and started again, it goes on where it was; --table fits nothing. Trained on train, judged on valid (the choices
of the recipe were made there; test stays untouched): mean accuracy of logistic regression and SVC on mean, std and
delta_std, and on the embedding.
"""

import argparse
import copy
import csv
import dataclasses
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from _page import write_section

from leaf_sklearn import LeafTransformer, _leaf
from leaf_sklearn._training import recipe
from leaf_sklearn._training.energies import measure_energies
from leaf_sklearn._training.loop import Training
from leaf_sklearn.compare._jobs import score_on, show
from leaf_sklearn.datasets import load_audio_files
from leaf_sklearn.dsp.framing import place_clips
from leaf_sklearn.dsp.kernels import hann_window
from leaf_sklearn.frontends import Frontend

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "ablations.csv"
COLUMNS = ("task", "variant", "seed", "functionals", "embedding", "seconds")
BASIC = "mean+std+delta_std"
N_FFT = 512
ALL = ("filterbank", "pooling", "compression")


@dataclass(frozen=True)
class Variant:
    """What differs from the default recipe, and the variant that it is compared with."""

    parameters: dict[str, Any] = field(default_factory=dict)
    trained: tuple[str, ...] = ALL
    changes: dict[str, Any] = field(default_factory=dict)  # of the recipe
    proxy: bool = False
    keeps_best: bool = False
    against: str = "all of it"


EVERY_STEP = {"filters_move": (0.0, 1.0)}
TENTH = {"validation_fraction": 0.1}
VARIANTS = {
    "all of it": Variant(),
    "the paper's start, nothing trained": Variant({"recipe": "paper"}, trained=()),
    "fixed start, nothing trained": Variant({"compression_search": False}, trained=()),
    "picked start, nothing trained": Variant(trained=()),
    "picked start, PCEN trained": Variant(trained=("compression",)),
    "picked start, filters trained": Variant(trained=("filterbank", "pooling")),
    "fixed start, all trained": Variant({"compression_search": False}),
    "spectral proxy in training": Variant(proxy=True),
    "spectral proxy, filters move in every step": Variant(proxy=True, changes=EVERY_STEP),
    "random filters": Variant({"init": "random"}),
    "random filters, filters fixed": Variant({"init": "random"}, trained=("compression",), against="random filters"),
    "linear scale": Variant({"init": "linear"}),
    "bark scale": Variant({"init": "bark"}),
    "20 filters": Variant({"n_filters": 20}),
    "80 filters": Variant({"n_filters": 80}),
    "240 steps": Variant({"max_steps": 240}),
    "120 steps": Variant({"max_steps": 120}),
    "linear head alone": Variant({"encoder": "linear"}),
    "a tenth held out, last state": Variant(TENTH),
    "a tenth held out, best state": Variant(TENTH, keeps_best=True, against="a tenth held out, last state"),
    "filters move in 160 steps, not 80": Variant(changes={"filters_move": (1 / 8, 11 / 24)}),
    "filters move in the last 160 steps": Variant(changes={"filters_move": (2 / 3, 1.0)}),
    "the paper's recipe": Variant({"recipe": "paper"}),
    "filters move in every step": Variant(changes=EVERY_STEP),
}


class Ablated(LeafTransformer):
    """LEAF of which a variant trains some slots alone, or on a proxy."""

    variant = Variant()

    def _make_frontend(self, generator):
        frontend = super()._make_frontend(generator)
        for name in set(ALL) - set(self.variant.trained):
            getattr(frontend, name).requires_grad_(False)
        return as_proxy(frontend) if self.variant.proxy else frontend


class ProxyFrontend(Frontend):
    """Energies as mel has them: a power spectrum of Hann-windowed frames, weighted with the filters' responses.

    Weights are the squared responses, so that the sums are those of the exact form for a clip that a frame sees as
    stationary (Parseval). The pooling has no part in it and stays at its start.
    """

    def energies(self, waveforms, lengths=None):
        pooling = self.pooling
        n_frames, window = pooling.n_frames(waveforms.shape[1]), pooling.kernel_size
        left = pooling.left_padding(waveforms.shape[1] if lengths is None else lengths)
        stop = (n_frames - 1) * pooling.hop + window
        frames = place_clips(waveforms, lengths, left, start=0, stop=stop).unfold(1, window, pooling.hop)
        taper = hann_window(window).to(frames)
        real, imaginary = self.filterbank.kernels().chunk(2)
        responses = torch.fft.fft(torch.complex(real, imaginary), n=N_FFT)[:, : N_FFT // 2 + 1].abs().square()
        power = torch.fft.rfft(frames * taper, n=N_FFT).abs().square()
        weighed = pooling.windows().detach().sum(1) / taper.square().sum() / N_FFT
        return (power @ responses.T * weighed).transpose(1, 2)


def as_proxy(frontend):
    """Let a frontend compute its energies by the proxy; what is saved of it is exact again."""
    frontend.__class__ = ProxyFrontend
    return frontend


def rescale(leaf, X):
    """Give exact energies the channel means that the proxy's had in training."""
    clips, _ = leaf._check_clips(X, reset=False)
    exact = leaf._network.frontend
    means = [
        measure_energies(frontend, clips, torch.device("cpu")).channel_means()
        for frontend in (exact, as_proxy(copy.deepcopy(exact)))
    ]
    exact.set_energy_scale(exact.energy_scale * (means[0] / means[1]).float())


class BestState(Training):
    """Keeps the state that scored best on held-out clips, not the last."""

    def run(self, n_steps):
        best_step = self.best_step
        entry = super().run(n_steps)
        if entry["score"] < self.best_score:
            self.best_step = best_step
        else:
            self.best_score, self.best_state = entry["score"], copy.deepcopy(self.network.state_dict())
        return entry


def fit(variant, seed, X, y, groups):
    """Train one variant."""
    kind = type("Ablated", (Ablated,), {"variant": variant})
    leaf = kind(**{"validation_fraction": None, "random_state": seed, "device": "cpu", **variant.parameters})
    changed = dataclasses.replace(recipe.RECIPES["default"], **variant.changes)
    with ExitStack() as patches:
        patches.enter_context(patch.dict(recipe.RECIPES, default=changed))
        if variant.keeps_best:
            patches.enter_context(patch.object(_leaf, "Training", BestState))
        leaf.fit(X, y, groups=groups)
    if variant.proxy:
        rescale(leaf, X)
    return leaf


def measure(place, variant, seed):
    """Fit and score one variant on one task."""
    data = load_audio_files(place)
    train, valid = (np.flatnonzero(data.split == part) for part in ("train", "valid"))
    groups = None if data.groups is None else data.groups[train]
    started = time.process_time()
    leaf = fit(VARIANTS[variant], seed, data.filenames[train], data.target[train], groups)
    seconds = time.process_time() - started
    found = []
    for output in (BASIC, "embedding"):
        if output == "embedding" and not leaf.n_iter_:
            found.append("")
            continue
        features = show(leaf, output).transform(data.filenames[np.concatenate([train, valid])]).astype(np.float64)
        scores = [
            score_on(classifier, seed, features, data.target[train], data.target[valid])["accuracy"]
            for classifier in ("logreg", "svc")
        ]
        found.append(f"{np.mean(scores):.4f}")
    return [*found, f"{seconds:.0f}"]


def run(arguments, rows):
    """Measure what is missing."""
    for seed in range(arguments.seeds):
        for variant in arguments.variants:
            for task in arguments.tasks:
                if any(row[:3] == [task, variant, str(seed)] for row in rows):
                    continue
                row = [task, variant, str(seed), *measure(arguments.folder / task, variant, seed)]
                with arguments.out.open("a", newline="") as stream:
                    csv.writer(stream).writerows([row] if rows else [COLUMNS, row])
                rows.append(row)
                sys.stdout.write("  ".join(row) + "\n")
                sys.stdout.flush()


def by_task(rows, variant, column):
    """Mean over seeds of every task that was measured."""
    found = {}
    for row in rows:
        if row[1] == variant and row[column]:
            found.setdefault(row[0], []).append(float(row[column]))
    return {task: np.mean(values) for task, values in found.items()}


def table(rows):
    """One line a variant: means over tasks, and how far from what it is compared with on the same tasks."""
    lines = [
        "| | tasks | mean, std, delta_std | difference | embedding | difference | seconds |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, variant in VARIANTS.items():
        seconds = by_task(rows, name, 5)
        if not seconds:
            continue
        cells = []
        for column in (3, 4):
            these, those = (by_task(rows, each, column) for each in (name, variant.against))
            cells.append(f"{100 * np.mean(list(these.values())):.1f}" if these else "")
            gaps = [100 * (value - those[task]) for task, value in these.items() if task in those]
            if name == variant.against or len(gaps) < 2:
                cells.append("")
                continue
            cells.append(f"{np.mean(gaps):+.1f} ± {np.std(gaps, ddof=1) / np.sqrt(len(gaps)):.1f}")
        told = name if variant.against == "all of it" else f"{name} (against: {variant.against})"
        lines.append(f"| {told} | {len(seconds)} | {' | '.join(cells)} | {np.mean(list(seconds.values())):.0f} |")
    return "\n".join(lines)


def main():
    """Run what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the task suite")
    parser.add_argument("--tasks", nargs="+", default=["keywords", "speaker_id", "emotion", "music_notes"])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS, help="other than the default: print the table")
    parser.add_argument("--table", action="store_true", help="only write the page from what is there")
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    if arguments.out.exists():
        with arguments.out.open(newline="") as stream:
            rows = list(csv.reader(stream))[1:]
    if not arguments.table:
        run(arguments, rows)
    if arguments.out == RESULTS:
        write_section("ablations", table(rows), len(rows))
    else:
        sys.stdout.write(table(rows) + "\n")


if __name__ == "__main__":
    main()
