"""Rows of a comparison -> one line a task, frontend and classifier: means, spreads and intervals."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ._metrics import METRICS, MULTILABEL_SCORERS, SINGLE_LABEL_SCORERS
from ._results import Row

HEADINGS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced",
    "mean_average_precision": "mAP",
    "auc": "AUC",
    "d_prime": "d'",
}


@dataclass(frozen=True)
class Line:
    """One task, frontend and classifier over all seeds and folds.

    Attributes
    ----------
    n_runs : int
        Seeds times folds.
    n_test : int
        Distinct test clips.
    means, spreads : dict of str to float
        Mean and standard deviation (0 for one run) of each metric over the runs.
    values : tuple of float
        The first metric of every run, by seed and fold.
    fit_seconds, transform_seconds : float
        Means over the runs.
    """

    task: str
    frontend: str
    classifier: str
    n_runs: int
    n_test: int
    n_features: int
    means: dict[str, float]
    spreads: dict[str, float]
    values: tuple[float, ...]
    fit_seconds: float
    transform_seconds: float

    @property
    def metric(self) -> str:
        """The metric that the line is judged by: accuracy, or mAP where clips have several labels."""
        return next(iter(self.means))

    @property
    def heading(self) -> str:
        """That metric as tables and charts call it."""
        return HEADINGS[self.metric]

    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the accuracy for the number of test clips (Wilson's), None for other metrics."""
        if self.metric != "accuracy":
            return None
        z, n, p = 1.96, self.n_test, self.means["accuracy"]
        centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        reach = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        return float(centre - reach), float(centre + reach)


def summarize_rows(rows: Iterable[Row], frontends: Sequence[str] = (), classifiers: Sequence[str] = ()) -> list[Line]:
    """One line a task, frontend and classifier; in the given order, what is not named there last."""
    cells: dict[tuple[str, str, str], list[Row]] = {}
    ranks: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: row.key):
        # one name for what is compared, so that tables and charts need no further column
        name = row.frontend if row.output == "functionals" else f"{row.frontend} ({row.output})"
        ranks[name] = _rank(row.frontend, frontends)
        cells.setdefault((row.task, name, row.classifier), []).append(row)

    def place(cell: tuple[str, str, str]) -> tuple[str, int, str, int, str]:
        task, name, classifier = cell
        return task, ranks[name], name, _rank(classifier, classifiers), classifier

    return [_line(cell, cells[cell]) for cell in sorted(cells, key=place)]


def judged_by(row: Row) -> str:
    """Name the metric that a row is judged by: accuracy, or mAP where clips have several labels."""
    return next(name for name in METRICS if getattr(row, name) is not None)


def to_markdown(lines: Sequence[Line]) -> str:
    """Tables in Markdown that read well as plain text: one for accuracies, one for ranking metrics."""
    parts = []
    for metrics in (tuple(SINGLE_LABEL_SCORERS), tuple(MULTILABEL_SCORERS)):
        chosen = [line for line in lines if line.metric in metrics]
        if chosen:
            parts.append(_table(chosen, metrics))
    note = (
        "± is the standard deviation over runs (seeds and folds). Fit and transform are seconds of the frontend: "
        "training, and the features of all clips."
    )
    return "\n\n".join([*parts, note]) + "\n"


def _table(lines: Sequence[Line], metrics: Sequence[str]) -> str:
    headings = ["task", "frontend", "classifier", *(HEADINGS[name] for name in metrics), "runs", "fit s", "transform s"]
    body = [
        [
            line.task,
            line.frontend,
            line.classifier,
            *(_number(line.means[name], line.spreads[name], line.n_runs) for name in metrics),
            str(line.n_runs),
            f"{line.fit_seconds:.1f}",
            f"{line.transform_seconds:.1f}",
        ]
        for line in lines
    ]
    widths = [max(len(row[column]) for row in [headings, *body]) for column in range(len(headings))]
    align = [str.ljust] * 3 + [str.rjust] * (len(headings) - 3)
    rule = [f"{'-' * (width - 1)}{'-' if how is str.ljust else ':'}" for width, how in zip(widths, align, strict=True)]
    rows = [
        [how(cell.replace("|", "\\|"), width) for how, cell, width in zip(align, row, widths, strict=True)]
        for row in [headings, *body]
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], rule, *rows[1:]])


def _number(mean: float, spread: float, n_runs: int) -> str:
    return f"{mean:.3f}" if n_runs == 1 else f"{mean:.3f} ± {spread:.3f}"


def _rank(name: str, order: Sequence[str]) -> int:
    return order.index(name) if name in order else len(order)


def _line(cell: tuple[str, str, str], rows: list[Row]) -> Line:
    found = {name: [getattr(row, name) for row in rows] for name in METRICS}
    scores = {name: np.array(values) for name, values in found.items() if None not in values}
    several = len(rows) > 1
    tests = {row.fold: row.n_test for row in rows}
    return Line(
        *cell,
        n_runs=len(rows),
        n_test=sum(tests.values()),
        n_features=rows[0].n_features,
        means={name: float(values.mean()) for name, values in scores.items()},
        spreads={name: float(values.std(ddof=1)) if several else 0.0 for name, values in scores.items()},
        values=tuple(next(iter(scores.values())).tolist()),
        fit_seconds=float(np.mean([row.fit_seconds for row in rows])),
        transform_seconds=float(np.mean([row.transform_seconds for row in rows])),
    )
