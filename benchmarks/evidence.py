"""Every frontend on every task: python benchmarks/evidence.py TASKS [--table].

Fits what results.csv does not hold yet, the most telling rows first, and writes tables and picture into
docs/benchmarks.md. Stopped and started again, it goes on where it was; --table fits nothing.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from _page import write_section

from leaf_sklearn import LeafTransformer
from leaf_sklearn._functionals import check_functionals
from leaf_sklearn.compare import compare
from leaf_sklearn.compare._paired import MEAN, paired_differences, signed_rank
from leaf_sklearn.compare._results import ResultsFile
from leaf_sklearn.compare._tables import judged_by

HERE = Path(__file__).resolve().parent
PICTURE = HERE.parent / "docs" / "_static" / "evidence.svg"
TASKS = {
    "keywords": "keywords",
    "speakers": "speaker_id",
    "emotion": "emotion",
    "birdsong": "birdsong_detection",
    "environment": "environment",
    "instruments": "music_notes",
    "pitch": "music_notes/metadata_pitch.csv",
    "language": "language",
    "tagging": "tagging",
}
BASIC = "mean+std+delta_std"
RICH = "+".join(check_functionals(LeafTransformer().functionals))
OUTPUTS = (RICH, BASIC, "embedding")
SHORT = {RICH: "default functionals", BASIC: "mean, std, delta_std", "embedding": "embedding"}
FAST, SLOW = ("mel", "mel-floored", "leaf", "mel-pcen"), ("sincnet+", "sincnet", "td-fbanks", "wavegram")
SEEDS, SLOW_SEEDS = 5, 2


def stages():
    """Frontends and seeds, in the order in which they are run."""
    yield ("mel", "mel-floored", "leaf"), 1
    yield FAST, SEEDS
    yield SLOW, SLOW_SEEDS


def run(tasks, folder, n_jobs):
    """Fit and score what is missing."""
    started = time.monotonic()

    def tell(n_done, n_rows, row):
        if row is not None:
            names = f"{row.task} {row.frontend} {row.output} {row.classifier} seed {row.seed}"
            score = getattr(row, judged_by(row))
            sys.stdout.write(f"{time.monotonic() - started:6.0f} s  {n_done}/{n_rows}  {names}: {score:.3f}\n")
            sys.stdout.flush()

    data = {name: tasks / place for name, place in TASKS.items()}
    for frontends, n_seeds in stages():
        compare(
            data,
            frontends=frontends,
            seeds=n_seeds,
            outputs=OUTPUTS,
            transformer_params={"device": "cpu"},
            n_jobs=n_jobs,
            out=folder,
            progress=tell,
        )


def cell(rows, task, frontend, output):
    """Mean over seeds of the best classifier in percent, the number of seeds; None where there is nothing."""
    found = {}
    for row in rows:
        if (row.task, row.frontend, row.output) == (task, frontend, output):
            found.setdefault(row.classifier, []).append(getattr(row, judged_by(row)))
    if not found:
        return None
    best = max(found.values(), key=np.mean)
    return 100 * float(np.mean(best)), len(best)


def accuracy_tables(rows):
    """For each output one line a frontend, one column a task."""
    tasks = [task for task in TASKS if any(row.task == task for row in rows)]
    lines = []
    for output in OUTPUTS:
        lines += ["", f"| {SHORT[output]} | " + " | ".join(tasks) + " | mean of accuracies | seeds |"]
        lines += ["|---|" + "--:|" * (len(tasks) + 2)]
        for frontend in (*FAST, *SLOW):
            cells = [cell(rows, task, frontend, output) for task in tasks]
            if not any(cells):
                continue
            accuracies = [each for task, each in zip(tasks, cells, strict=True) if task != "tagging"]
            mean = f"{np.mean([each[0] for each in accuracies]):.1f}" if all(accuracies) else "-"
            seeds = sorted({each[1] for each in cells if each})
            numbers = [f"{each[0]:.1f}" if each else "-" for each in cells]
            told = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
            lines.append(f"| {frontend} | " + " | ".join(numbers) + f" | {mean} | {told} |")
    return "\n".join(lines[1:])


def pairs():
    """Comparisons of leaf with the others, the plainest first."""
    for output in OUTPUTS:
        yield ("leaf", output), ("mel", output)
    yield ("leaf", "embedding"), ("mel", BASIC)
    for frontend in (*FAST, *SLOW):
        if frontend not in ("mel", "leaf"):
            for output in (RICH, "embedding"):
                yield ("leaf", output), (frontend, output)


def difference_table(rows):
    """One line a comparison: mean over tasks with its interval, tasks ahead, test over tasks."""
    lines = [
        "| | mean of accuracies [95 %] | tasks | clearly ahead | ahead | behind | clearly behind | p |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    found = {}
    for first, second in pairs():
        differences = paired_differences(rows, first, second)
        if len(differences) < 3:  # two tasks and their mean
            continue
        found[first, second] = differences
        mean, each = differences[-1], [one for one in differences if one.task != MEAN]
        counts = [
            sum(one.low > 0 for one in each),
            sum(one.difference > 0 for one in each),
            sum(one.difference < 0 for one in each),
            sum(one.high < 0 for one in each),
        ]
        names = f"leaf - {second[0]}, {SHORT[first[1]]}"
        if first[1] != second[1]:
            names += f" against {SHORT[second[1]]}"
        interval = f"{100 * mean.difference:+.1f} [{100 * mean.low:+.1f}, {100 * mean.high:+.1f}]"
        told = " | ".join(map(str, counts))
        lines.append(f"| {names} | {interval} | {len(each)} | {told} | {signed_rank(differences):.3f} |")
    return "\n".join(lines), found


def task_table(found):
    """Leaf minus mel on every task: a column for each of the three outputs."""
    chosen = [(("leaf", output), ("mel", output)) for output in OUTPUTS]
    columns = [found[pair] for pair in chosen if pair in found]
    names = [SHORT[first[1]] for first, second in chosen if (first, second) in found]
    lines = ["| leaf minus mel | test clips | " + " | ".join(names) + " |", "|---|--:|" + "--:|" * len(names)]
    for task in (*TASKS, MEAN):
        cells = [next((each for each in column if each.task == task), None) for column in columns]
        if not any(cells):
            continue
        told = [
            f"{100 * one.difference:+.1f} [{100 * one.low:+.1f}, {100 * one.high:+.1f}]" if one else "-"
            for one in cells
        ]
        clips = next(one.n_clips for one in cells if one)
        lines.append(f"| {named(task)} | {clips} | " + " | ".join(told) + " |")
    return "\n".join(lines)


def named(task):
    """Name a row: not all tasks are judged by accuracy."""
    return "mean of accuracies" if task == MEAN else task


def draw(found):
    """Draw leaf minus mel on every task, with intervals."""
    from matplotlib.figure import Figure

    chosen = [
        (("leaf", BASIC), ("mel", BASIC), "mean, std, delta_std"),
        (("leaf", "embedding"), ("mel", "embedding"), "embedding, both"),
    ]
    chosen = [(first, second, title) for first, second, title in chosen if (first, second) in found]
    figure = Figure(figsize=(4.2 * len(chosen), 3.6), layout="constrained")
    panels = figure.subplots(1, len(chosen), sharey=True, squeeze=False)[0]
    for panel, (first, second, title) in zip(panels, chosen, strict=True):
        differences = found[first, second]
        places = -np.arange(len(differences))
        for place, each in zip(places, differences, strict=True):
            colour = "black" if each.task == MEAN else "tab:blue"
            panel.plot([100 * each.low, 100 * each.high], [place, place], color=colour)
            panel.plot(100 * each.difference, place, "o", color=colour)
        panel.axvline(0, color="grey", linewidth=1)
        panel.set_yticks(places, [named(each.task) for each in differences])
        panel.set(title=title, xlabel="leaf minus mel, points")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE, metadata={"Date": None})


def write_page(rows):
    """Put the tables between the marks of the page."""
    table, found = difference_table(rows)
    if not found:
        sys.stdout.write("No comparison is complete yet; the page is left as it is.\n")
        return
    draw(found)
    text = f"""Test split, percent right (tagging: mAP), mean over seeds, the better of logistic regression and SVC:

{accuracy_tables(rows)}

Differences in points on the same clips, with 95 % intervals from a bootstrap over test clips and seeds:

{task_table(found)}

Summed up; "clearly" is where the interval of a task excludes zero, p is Wilcoxon's signed-rank test over tasks:

{table}

![Difference between leaf and mel on every task with 95 % intervals](_static/evidence.svg)"""
    write_section("evidence", text, len(rows))
    mels = [line for line in table.splitlines() if "leaf -" not in line or "leaf - mel" in line]
    write_section("evidence", "\n".join(mels), len(rows), page="why.md")


def main():
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", type=Path, help="folder of the task suite")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder with results.csv")
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="only write the page from what is there")
    arguments = parser.parse_args()
    if not arguments.table:
        run(arguments.tasks, arguments.out, arguments.n_jobs)
    write_page(ResultsFile(arguments.out / "results.csv").read())


if __name__ == "__main__":
    main()
