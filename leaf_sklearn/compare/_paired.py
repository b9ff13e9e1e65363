"""Differences between two frontends on the same test clips, with intervals over clips and seeds."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wilcoxon

from ._outcomes import Weights, metric_of_clips
from ._results import Row
from ._tables import judged_by

MEAN = "mean over tasks"
N_RESAMPLES = 1000  # of the bootstrap
Side = tuple[str, str]  # frontend, output


@dataclass(frozen=True)
class Difference:
    """The first frontend's score minus the second's on one task, or the mean of all tasks.

    Attributes
    ----------
    scores : tuple of float
        Of the first and the second, means over seeds and folds.
    low, high : float
        95 % interval of the difference: percentiles of a bootstrap that draws test clips (the same for both sides) and
        seeds (each side's own).
    n_seeds : tuple of int
        Seeds of the first and the second.
    classifiers : tuple of str
        What stands behind the first and the second.
    """

    task: str
    metric: str
    scores: tuple[float, float]
    low: float
    high: float
    n_seeds: tuple[int, int]
    n_clips: int
    classifiers: tuple[str, str]

    @property
    def difference(self) -> float:
        """First minus second."""
        return self.scores[0] - self.scores[1]


def paired_differences(
    rows: Iterable[Row],
    first: Side,
    second: Side,
    *,
    classifier: str | None = None,
) -> list[Difference]:
    """Compare two frontends on every task that has results of both, then their means over the tasks judged by accuracy.

    Parameters
    ----------
    rows : iterable of Row
        With ``outcomes``.
    first, second : tuple of str
        Frontend and output, such as ("leaf", "functionals").
    classifier : str or None
        What stands behind both; None takes each side's best on each task, by its mean over seeds.
    """
    cells: dict[tuple[str, Side, str], list[Row]] = {}
    for row in sorted(rows, key=lambda row: row.key):
        cells.setdefault((row.task, (row.frontend, row.output), row.classifier), []).append(row)
    found, draws = [], []
    for place, task in enumerate(dict.fromkeys(task for task, *_ in cells)):
        sides = _finished([_best(cells, task, side, classifier) for side in (first, second)])
        if not all(sides):
            continue
        rng = np.random.default_rng([0, place])  # tasks of equally many clips would share their draws
        drawn, scores = _resample(sides[0], sides[1], rng)
        low, high = np.percentile(drawn, [2.5, 97.5])
        metric = judged_by(sides[0][0])
        found.append(
            Difference(
                task=task,
                metric=metric,
                scores=scores,
                low=float(low),
                high=float(high),
                n_seeds=(len({row.seed for row in sides[0]}), len({row.seed for row in sides[1]})),
                n_clips=sum({row.fold: row.n_test for row in sides[0]}.values()),
                classifiers=(sides[0][0].classifier, sides[1][0].classifier),
            )
        )
        if metric == "accuracy":
            draws.append(drawn)
    alike = [each for each in found if each.metric == "accuracy"]
    if len(alike) > 1:
        low, high = np.percentile(np.mean(draws, axis=0), [2.5, 97.5])
        means = np.mean([each.scores for each in alike], axis=0)
        fewest = np.min([each.n_seeds for each in alike], axis=0)
        found.append(
            Difference(
                task=MEAN,
                metric="accuracy",
                scores=(float(means[0]), float(means[1])),
                low=float(low),
                high=float(high),
                n_seeds=(int(fewest[0]), int(fewest[1])),
                n_clips=sum(each.n_clips for each in alike),
                classifiers=("", ""),
            )
        )
    return found


def signed_rank(differences: Sequence[Difference]) -> float:
    """Two-sided p of Wilcoxon's signed-rank test over the tasks, whatever their metric."""
    values = [each.difference for each in differences if each.task != MEAN]
    return float(wilcoxon(values).pvalue)


def _best(cells: dict[tuple[str, Side, str], list[Row]], task: str, side: Side, classifier: str | None) -> list[Row]:
    """Rows of the side's best classifier, none where there are no rows."""
    candidates = [
        rows
        for (name, where, how), rows in cells.items()
        if (name, where) == (task, side) and classifier in (None, how)
    ]
    return max(candidates, key=lambda rows: np.mean([_score(row) for row in rows])) if candidates else []


def _finished(sides: Sequence[list[Row]]) -> list[list[Row]]:
    """Rows of the seeds that have every fold of either side; an interrupted comparison has others."""
    folds = {row.fold for rows in sides for row in rows}
    found: dict[tuple[int, int], set[int]] = {}
    for place, rows in enumerate(sides):
        for row in rows:
            found.setdefault((place, row.seed), set()).add(row.fold)
    return [[row for row in rows if found[place, row.seed] == folds] for place, rows in enumerate(sides)]


def _score(row: Row) -> float:
    return float(getattr(row, judged_by(row)))


def _resample(
    first: Sequence[Row], second: Sequence[Row], rng: np.random.Generator
) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Differences of drawn clips and seeds (N_RESAMPLES,), and the scores of all clips and seeds."""
    folds = {row.fold: row.n_test for row in first}
    if folds != {row.fold: row.n_test for row in second}:
        raise ValueError(f"The frontends of {first[0].task} were scored on different folds.")
    sides = [_by_seed(rows) for rows in (first, second)]
    everything = {fold: np.ones((1, n_clips), dtype=np.intp) for fold, n_clips in folds.items()}
    plain = [float(_values(side, everything).mean()) for side in sides]
    clips = {fold: _draw(n_clips, rng) for fold, n_clips in folds.items()}
    drawn = [(_draw(len(side), rng) * _values(side, clips)).sum(1) / len(side) for side in sides]
    return drawn[0] - drawn[1], (plain[0], plain[1])


def _draw(n: int, rng: np.random.Generator) -> Weights:
    """How often each of n is drawn when n are: (N_RESAMPLES, n)."""
    return rng.multinomial(n, np.full(n, 1 / n), size=N_RESAMPLES).astype(np.intp)


Runs = list[tuple[int, Callable[[Weights], NDArray[np.float64]]]]


def _by_seed(rows: Sequence[Row]) -> list[Runs]:
    """Fold and metric of each run, a list a seed."""
    runs: dict[int, Runs] = {}
    for row in rows:
        runs.setdefault(row.seed, []).append((row.fold, metric_of_clips(row.outcomes, row.n_test)))
    return list(runs.values())


def _values(side: list[Runs], clips: dict[int, Weights]) -> NDArray[np.float64]:
    """Mean over folds of the metric, for each draw of clips and each seed: (n_draws, n_seeds)."""
    return np.stack([np.mean([metric(clips[fold]) for fold, metric in runs], axis=0) for runs in side], axis=1)
