"""The paper's regime on the task suite: python benchmarks/paper.py {table3,table4,page} TASKS [options].

table3: one frontend and encoder for eight tasks at once, a linear head each; accuracy of every task's head.
table4: several labels a clip; macro AUC, mAP, d-prime and the frontend's parameters.

The heads of the network itself are scored, logits averaged over windows of a second, as in the paper. Every result is
a line of the CSV; started again, the command does what is missing. page fits nothing and writes what there is into
docs/benchmarks.md.
"""

import argparse
import csv
import sys
import time
from pathlib import Path

import numpy as np
from _page import write_section

from leaf_sklearn import LeafClassifier, LeafTransformer
from leaf_sklearn.compare._metrics import d_prime_score, macro_auc_score, macro_average_precision_score
from leaf_sklearn.compare._tasks import as_tasks, join_tasks, take
from leaf_sklearn.frontends import PRESETS

SINGLE = {
    "keywords": "keywords",
    "speakers": "speaker_id",
    "emotion": "emotion",
    "birdsong": "birdsong_detection",
    "environment": "environment",
    "instruments": "music_notes",
    "pitch": "music_notes/metadata_pitch.csv",
    "language": "language",
}
RUN = ("table", "frontend", "encoder", "recipe", "steps", "batch_size", "filters", "seed")
COLUMNS = (*RUN, "parameters", "seconds", "what", "value")
HERE = Path(__file__).resolve().parent


def fit(arguments, frontend, encoder, seed, X, y, groups):
    """Train one network; returns it and the seconds."""
    transformer = LeafTransformer(
        frontend,
        encoder=encoder,
        recipe=arguments.recipe,
        max_steps=arguments.steps,
        batch_size=arguments.batch_size,
        crop_ms=1000.0,
        validation_fraction=None,
        device=arguments.device,
        random_state=seed,
        **({} if frontend == "wavegram" else {"n_filters": arguments.filters}),
    )
    started = time.perf_counter()
    network = LeafClassifier(transformer).fit(X, y, groups=groups)
    return network, time.perf_counter() - started


def table3(arguments, frontend, encoder, seed):
    """Accuracy on the test clips of each of the eight tasks, by name."""
    tasks = as_tasks({name: arguments.tasks / place for name, place in SINGLE.items()})
    network, seconds = fit(arguments, frontend, encoder, seed, *join_tasks(tasks))
    found = {}
    for column, task in enumerate(tasks):
        train, test = task.folds[0]
        truth = np.searchsorted(np.unique(task.y[train]), task.y[test])
        found[task.name] = float(np.mean(network.predict(take(task.X, test))[:, column] == truth))
    return network, seconds, {**found, "average": float(np.mean(list(found.values())))}


def table4(arguments, frontend, encoder, seed):
    """Ranking metrics on the test clips."""
    (task,) = as_tasks({"tagging": arguments.tasks / "tagging"})
    train, test = task.folds[0]
    groups = None if task.groups is None else task.groups[train]
    network, seconds = fit(arguments, frontend, encoder, seed, take(task.X, train), task.y[train], groups)
    scores = network.decision_function(take(task.X, test))
    metrics = {"AUC": macro_auc_score, "mAP": macro_average_precision_score, "d-prime": d_prime_score}
    return network, seconds, {name: metric(task.y[test], scores) for name, metric in metrics.items()}


def read(path):
    """Lines of the CSV: the values of each finished run, with its parameters and seconds, by its settings."""
    found = {}
    if path.exists():
        with path.open(newline="") as stream:
            for row in csv.DictReader(stream):
                run = found.setdefault(tuple(row[name] for name in RUN), {})
                run |= {row["what"]: row["value"], "parameters": row["parameters"], "seconds": row["seconds"]}
    return found


def markdown(runs, table, columns, factor):
    """Table of these runs, one line each, seeds apart."""
    heads = ("frontend", "encoder", "recipe", "steps x clips", *columns, "parameters of the frontend", "seconds")
    lines = ["| " + " | ".join(heads) + " |", "|---|---|---|" + "--:|" * (len(heads) - 3)]
    for (name, frontend, encoder, recipe, steps, batch_size, _, _), values in runs.items():
        if name == table:
            cells = [f"{factor * float(values[column]):.{1 if factor > 1 else 3}f}" for column in columns]
            cells = [frontend, encoder, recipe, f"{steps} x {batch_size}", *cells, values["parameters"]]
            lines.append(f"| {' | '.join(cells)} | {values['seconds']} |")
    return "\n".join(lines)


def write_page(runs):
    """Put both tables between the marks of the page."""
    text = f"""Table 3, 40 filters, accuracy of the heads in percent:

{markdown(runs, "table3", (*SINGLE, "average"), 100)}

Table 4, on the tagging task, 64 filters (wavegram 40):

{markdown(runs, "table4", ("AUC", "mAP", "d-prime"), 1)}"""
    write_section("paper", text, len(runs))


def main():
    """Run what is missing and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=["table3", "table4", "page"])
    parser.add_argument("tasks", type=Path, help="folder of the task suite")
    parser.add_argument("--frontends", nargs="+", default=list(PRESETS), choices=list(PRESETS))
    parser.add_argument("--encoders", nargs="+", default=["efficientnet_b0", "cnn14"])
    parser.add_argument("--recipe", default="paper", choices=["paper", "default"])
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--filters", type=int, help="40 for table3, 64 for table4, as in the paper")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "paper.csv")
    arguments = parser.parse_args()
    if arguments.table == "page":
        write_page(read(arguments.out))
        return
    arguments.filters = arguments.filters or {"table3": 40, "table4": 64}[arguments.table]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    finished = read(arguments.out)
    for seed in range(arguments.seeds):
        for encoder in arguments.encoders:
            for frontend in arguments.frontends:
                settings = (arguments.recipe, arguments.steps, arguments.batch_size, arguments.filters, seed)
                run = (arguments.table, frontend, encoder, *map(str, settings))
                if run in finished:
                    continue
                score = table3 if arguments.table == "table3" else table4
                network, seconds, values = score(arguments, frontend, encoder, seed)
                parameters = network.transformer_.n_parameters_
                is_new = not arguments.out.exists()
                with arguments.out.open("a", newline="") as stream:
                    writer = csv.writer(stream)
                    rows = [
                        (*run, parameters, f"{seconds:.0f}", name, f"{value:.4f}") for name, value in values.items()
                    ]
                    writer.writerows([COLUMNS, *rows] if is_new else rows)
                told = "  ".join(f"{name} {value:.3f}" for name, value in values.items())
                sys.stdout.write(f"{' '.join(run)}  {parameters} parameters  {seconds:.0f} s  {told}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
