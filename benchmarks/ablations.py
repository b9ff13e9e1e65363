"""What each part of the default recipe is worth: python benchmarks/ablations.py TASKS [--seeds 1] [--out CSV].

Trained on train, judged on valid (the choices of the recipe were made there; test stays untouched): mean accuracy of
logistic regression and SVC on mean, std and delta_std, and on the embedding. Resumes from its CSV.
"""

import argparse
import csv
import dataclasses
import sys
import time
from pathlib import Path

import numpy as np

from leaf_sklearn import LeafTransformer
from leaf_sklearn._training import recipe
from leaf_sklearn.compare._jobs import score_on, show
from leaf_sklearn.datasets import load_audio_files

COLUMNS = ("task", "variant", "seed", "functionals", "embedding", "seconds")
BASIC = "mean+std+delta_std"


class Frozen(LeafTransformer):
    """LEAF of which only some slots are trained."""

    slots: tuple[str, ...] = ()

    def _make_frontend(self, generator):
        frontend = super()._make_frontend(generator)
        for name in {"filterbank", "pooling", "compression"} - set(self.slots):
            getattr(frontend, name).requires_grad_(False)
        return frontend


def frozen(*slots):
    """Make a transformer that trains these slots alone."""
    return type("Frozen", (Frozen,), {"slots": slots, "__init__": LeafTransformer.__init__})


# variant -> (class, parameters, share of the steps in which filters move)
VARIANTS = {
    "all of it": (LeafTransformer, {}, None),
    "usual start, nothing trained": (LeafTransformer, {"recipe": "paper", "max_steps": 1}, None),
    "fixed start, nothing trained": (frozen(), {"compression_search": False}, None),
    "picked start, nothing trained": (frozen(), {}, None),
    "picked start, compression trained": (frozen("compression"), {}, None),
    "picked start, filters trained": (frozen("filterbank", "pooling"), {}, None),
    "fixed start, all trained": (LeafTransformer, {"compression_search": False}, None),
    "linear head alone": (LeafTransformer, {"encoder": "linear"}, None),
    "paper's recipe": (LeafTransformer, {"recipe": "paper"}, None),
    "120 steps": (LeafTransformer, {"max_steps": 120}, None),
    "240 steps": (LeafTransformer, {"max_steps": 240}, None),
    "filters move in every step": (LeafTransformer, {}, (0.0, 1.0)),
    "20 filters": (LeafTransformer, {"n_filters": 20}, None),
    "80 filters": (LeafTransformer, {"n_filters": 80}, None),
    "bark": (LeafTransformer, {"init": "bark"}, None),
    "linear scale": (LeafTransformer, {"init": "linear"}, None),
    "random filters": (LeafTransformer, {"init": "random"}, None),
}


def measure(place, variant, seed):
    """Fit and score one variant on one task."""
    kind, parameters, moving = VARIANTS[variant]
    data = load_audio_files(place)
    split = np.array(data.split)
    train, valid = np.flatnonzero(split == "train"), np.flatnonzero(split == "valid")
    groups = None if data.groups is None else np.array(data.groups)[train]
    usual = recipe.RECIPES["default"]
    recipe.RECIPES["default"] = dataclasses.replace(usual, filters_move=moving or usual.filters_move)
    started = time.process_time()
    try:
        leaf = kind(validation_fraction=None, random_state=seed, device="cpu", **parameters)
        leaf.fit(data.filenames[train], data.target[train], groups=groups)
    finally:
        recipe.RECIPES["default"] = usual
    seconds = time.process_time() - started
    found = []
    for output in (BASIC, "embedding"):
        if output == "embedding" and not leaf.n_iter_:
            found.append("")
            continue
        features = show(leaf, output).transform(data.filenames[np.concatenate([train, valid])]).astype(np.float64)
        values = []
        for classifier in ("logreg", "svc"):
            scores = score_on(classifier, seed, features, data.target[train], data.target[valid])
            values.append(next(iter(scores.values())))
        found.append(f"{np.mean(values):.4f}")
    return [*found, f"{seconds:.0f}"]


def main():
    """Run what is missing, then print the table of means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the task suite")
    parser.add_argument(
        "--tasks", nargs="+", default=["keywords", "speaker_id", "emotion", "environment", "music_notes"]
    )
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent / "results" / "ablations.csv")
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    if arguments.out.exists():
        with arguments.out.open(newline="") as stream:
            rows = list(csv.reader(stream))[1:]
    for seed in range(arguments.seeds):
        for task in arguments.tasks:
            for variant in arguments.variants:
                if any(row[:3] == [task, variant, str(seed)] for row in rows):
                    continue
                row = [task, variant, str(seed), *measure(arguments.folder / task, variant, seed)]
                with arguments.out.open("a", newline="") as stream:
                    csv.writer(stream).writerows([row] if rows else [COLUMNS, row])
                rows.append(row)
                sys.stdout.write("  ".join(row) + "\n")
                sys.stdout.flush()
    write_table(rows, arguments)


def write_table(rows, arguments):
    """One line a variant: mean over tasks and seeds, where every task has it."""
    sys.stdout.write("\n| | mean, std, delta_std | embedding | seconds |\n|---|--:|--:|--:|\n")
    for variant in arguments.variants:
        chosen = [row for row in rows if row[1] == variant and row[0] in arguments.tasks]
        if {row[0] for row in chosen} == set(arguments.tasks):
            numbers = [[float(row[place]) for row in chosen if row[place]] for place in (3, 4, 5)]
            means = [
                f"{np.mean(values) * factor:.1f}" if values else "-"
                for values, factor in zip(numbers, (100, 100, 1), strict=True)
            ]
            sys.stdout.write(f"| {variant} | {' | '.join(means)} |\n")


if __name__ == "__main__":
    main()
