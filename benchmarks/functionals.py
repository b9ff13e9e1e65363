"""Which functionals to take: python benchmarks/functionals.py TASKS [--table].

Fits mel and LEAF on the training clips of every task, summarizes frames by every functional, and scores classifiers on
sets of them on the validation clips (test stays untouched): mean accuracy, for tagging mean average precision, of
logistic regression and SVC. Adds what results/functionals.csv does not hold yet and writes the table into
docs/benchmarks.md; --table fits nothing.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
from _page import write_section

from leaf_sklearn import LeafTransformer, MelTransformer
from leaf_sklearn._functionals import FUNCTIONALS, block_names
from leaf_sklearn.compare._jobs import score_on
from leaf_sklearn.datasets import load_audio_files

HERE = Path(__file__).resolve().parent
COLUMNS = ("task", "frontend", "added", "score")
TASKS = (
    "keywords",
    "speaker_id",
    "emotion",
    "birdsong_detection",
    "environment",
    "music_notes",
    "music_notes/metadata_pitch.csv",
    "language",
    "tagging",
)
FRONTENDS = {"mel": MelTransformer, "leaf": LeafTransformer}
BASIC = ("mean", "std", "delta_std")
FLUCTUATION = tuple(name for name in FUNCTIONALS if name.startswith("mod_"))
ADDED = {
    "nothing": (),
    "mean of thirds and fluctuation (the default)": ("mean_thirds", *FLUCTUATION),
    "fluctuation": FLUCTUATION,
    "mean of thirds": ("mean_thirds",),
    "mean and std of thirds": ("mean_thirds", "std_thirds"),
    "q10, q50, q90": ("q10", "q50", "q90"),
    "min, max": ("min", "max"),
    "slope": ("slope",),
    "skew": ("skew",),
}
ALL = tuple(dict.fromkeys(name for names in (BASIC, *ADDED.values()) for name in names))


def measure(place, frontend):
    """Score every set behind one frontend on one task."""
    data = load_audio_files(place)
    train, valid = (np.flatnonzero(data.split == part) for part in ("train", "valid"))
    transformer = FRONTENDS[frontend](functionals=ALL, device="cpu")
    if frontend == "leaf":
        groups = None if data.groups is None else data.groups[train]
        transformer.set_params(random_state=0).fit(data.filenames[train], data.target[train], groups=groups)
    else:
        transformer.fit(data.filenames[train])
    features = transformer.transform(data.filenames[np.concatenate([train, valid])]).astype(np.float64)
    blocks = dict(zip(block_names(ALL), np.split(features, len(block_names(ALL)), axis=1), strict=True))
    for added, names in ADDED.items():
        chosen = np.concatenate([blocks[name] for name in block_names((*BASIC, *names))], axis=1)
        scores = [
            score_on(classifier, 0, chosen, data.target[train], data.target[valid]) for classifier in ("logreg", "svc")
        ]
        what = "accuracy" if "accuracy" in scores[0] else "mean_average_precision"
        yield added, f"{np.mean([score[what] for score in scores]):.4f}"


def run(arguments, rows):
    """Measure what is missing."""
    for frontend in FRONTENDS:
        for task in arguments.only_tasks:
            if any(row[:2] == [task, frontend] for row in rows):
                continue
            new = [[task, frontend, added, score] for added, score in measure(arguments.tasks / task, frontend)]
            with arguments.out.open("a", newline="") as stream:
                csv.writer(stream).writerows(new if rows else [COLUMNS, *new])
            rows += new
            sys.stdout.write("".join("  ".join(row) + "\n" for row in new))
            sys.stdout.flush()


def table(rows):
    """One line a set: gain over mean, std and delta_std in points, mean over tasks with its standard error."""
    scores = {(task, frontend, added): 100 * float(score) for task, frontend, added, score in rows}
    lines = [f"| added | {' | '.join(FRONTENDS)} |", "|---|" + "--:|" * len(FRONTENDS)]
    for added in ADDED:
        cells = []
        for frontend in FRONTENDS:
            tasks = [task for task in TASKS if (task, frontend, added) in scores]
            gains = [scores[task, frontend, added] - scores[task, frontend, "nothing"] for task in tasks]
            spread = f" ± {np.std(gains, ddof=1) / np.sqrt(len(gains)):.1f}" if len(gains) > 1 else ""
            cells.append(f"{np.mean(gains):+.1f}{spread}" if gains else "-")
        if added != "nothing":
            lines.append(f"| {added} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main():
    """Run what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", type=Path, help="folder of the task suite")
    parser.add_argument("--only-tasks", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "functionals.csv")
    parser.add_argument("--table", action="store_true", help="only write the page from what is there")
    arguments = parser.parse_args()
    rows = []
    if arguments.out.exists():
        with arguments.out.open(newline="") as stream:
            rows = list(csv.reader(stream))[1:]
    if not arguments.table:
        run(arguments, rows)
    write_section("functionals", table(rows), len(rows))


if __name__ == "__main__":
    main()
