"""Frontends x classifiers x tasks x seeds -> a table that grows as results arrive."""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator

from .. import __version__
from .._files import replacing
from .._parallel import n_workers, one_thread_each
from ..display import ComparisonDisplay
from ..display._figures import save_display
from ._jobs import CLASSIFIERS, DETERMINISTIC, Frontend, Job, named_frontends, run_job
from ._paired import Difference, paired_differences
from ._report import to_html
from ._results import OWN, Key, ResultsFile, Row, dump_settings
from ._tables import Line, summarize_rows, to_markdown
from ._tasks import Task, as_tasks

__all__ = ["Comparison", "compare"]

Progress = Callable[[int, int, Row | None], None]


@dataclass(frozen=True)
class Comparison:
    """The results of :func:`compare`.

    Attributes
    ----------
    rows : list of Row
        One a task, frontend, classifier, seed and fold; those that were in ``out`` before come first.
    frontends : sequence of str
        Names in the order of the tables.
    """

    rows: list[Row]
    frontends: Sequence[str] = field(default=(), repr=False)

    def summary(self) -> list[Line]:
        """Means and spreads over seeds and folds.

        Returns
        -------
        list of Line
            One a task, frontend and classifier, with ``task``, ``frontend``, ``classifier``, ``n_runs``, ``n_test``
            (distinct test clips), ``means`` and ``spreads`` (standard deviations; both dict of metric to float),
            ``fit_seconds`` and ``transform_seconds``.
        """
        return summarize_rows(self.rows, self.frontends, list(CLASSIFIERS))

    def differences(
        self, first: str, second: str, *, output: str = "functionals", classifier: str | None = None
    ) -> list[Difference]:
        """Scores of one frontend minus those of another on the same test clips, one a task and their mean last.

        Parameters
        ----------
        first, second : str
            Names of frontends.
        output : str
            What of them, as in ``outputs``.
        classifier : str or None
            None takes each frontend's best on each task.

        Returns
        -------
        list of Difference
            With ``task``, ``difference``, and the 95 % interval ``low`` to ``high`` over test clips and seeds. The mean
            is over tasks that are judged by accuracy, where there are two or more.
        """
        known = list(dict.fromkeys(row.frontend for row in self.rows if row.output == output))
        if unknown := [name for name in (first, second) if name not in known]:
            raise ValueError(f"Got frontends {unknown}, expected some of {known}, those with output {output!r}.")
        return paired_differences(self.rows, (first, output), (second, output), classifier=classifier)

    def to_markdown(self) -> str:
        """Return the summary as tables in Markdown."""
        return to_markdown(self.summary())

    def to_html(self) -> str:
        """Return a page with tables, chart, settings, versions and data hashes that needs nothing beside it."""
        return to_html(self.to_markdown(), self.summary(), self.rows)


def compare(
    data: Any,
    *,
    frontends: Sequence[str] | Mapping[str, BaseEstimator] = ("mel", "leaf"),
    classifiers: Sequence[str] = ("logreg", "svc"),
    seeds: int | Sequence[int] = 3,
    outputs: Sequence[str] = ("functionals",),
    cv: int | None = None,
    label: str | None = None,
    multitask: bool = False,
    transformer_params: Mapping[str, Any] | None = None,
    n_jobs: int | None = 1,
    out: str | os.PathLike[str] | None = None,
    keep_models: bool = False,
    progress: Progress | None = None,
) -> Comparison:
    """Score every frontend with every classifier, on clips that none of them was fitted on.

    A frontend is fitted once for each seed and fold, and its features are shared by the classifiers. What does not
    depend on the seed is not repeated: "mel" has one fit a fold, and runs for several seeds only with "forest".

    Parameters
    ----------
    data : path, Bunch, tuple, or a list of paths or mapping of names to any of these
        A folder of class folders or a CSV, as in :func:`~leaf_sklearn.datasets.load_audio_files`; what that function
        returns; or ``(X, y[, groups[, split]])``. Several data sets are compared one after the other.
    frontends : sequence of {"mel", "leaf", "mel-pcen", "td-fbanks", ...} or mapping of names to transformers
        "mel" is a `MelTransformer`, "mel-floored" one with ``floor=1e-4``, any other name a `LeafTransformer` of this
        frontend.
    classifiers : sequence of {"logreg", "svc", "knn", "forest"}
        On standardised features; one a label where clips have several.
    seeds : int or sequence of int
        Number of seeds, or the seeds: the ``random_state`` of transformers and forests.
    outputs : sequence of str
        What of a fitted frontend goes to the classifiers, all from one fit: "functionals" (those of the transformer),
        "embedding", or functionals joined by "+", such as "mean+std". For the embedding of "mel" and "mel-floored" a
        network is trained on them.
    cv : int or None
        Folds, stratified and by groups where there are any. None takes the data's own split (train and valid against
        test) where it has one, otherwise 5 folds, fewer where a class is smaller.
    label : str or None
        The column that holds the labels, where paths lead to tables.
    multitask : bool
        Whether one frontend is trained on the training clips of all data sets at once.
    transformer_params : mapping or None
        Parameters of the named frontends, such as ``{"n_filters": 64, "max_steps": 240}``. Those that `MelTransformer`
        does not have are for the others.
    n_jobs : int or None
        Workers: processes of joblib's loky with one torch thread each, or what ``joblib.parallel_config`` names. None
        means 1, or what ``parallel_config`` says. A job is one frontend, seed and fold.
    out : path or None
        Folder for results.csv, which gets every row as it arrives, results.md, comparison.png and report.html, one
        page with all of it. Rows found there are not computed again; if they were made from other settings or data, a
        ValueError says so.
    keep_models : bool
        Whether fitted transformers are written into the folder "models" in ``out``, as joblib files.
    progress : callable or None
        Called as ``progress(n_done, n_rows, row)`` at the start, with row None, and for every new row.

    Returns
    -------
    Comparison
        Its ``rows``, ``summary()``, ``differences()``, ``to_markdown()`` and ``to_html()``.

    Raises
    ------
    ValueError
        A name or setting is unknown, the data cannot be split, or ``out`` holds results of other settings or data.

    Examples
    --------
    >>> from leaf_sklearn.compare import compare
    >>> from leaf_sklearn.datasets import make_audio_classification
    >>> data = make_audio_classification(n_clips=40, duration_s=0.2, random_state=0)
    >>> result = compare(data, frontends=["mel"], classifiers=["logreg", "knn"], cv=2)
    >>> [(line.classifier, line.n_runs) for line in result.summary()]
    [('logreg', 2), ('knn', 2)]
    """
    chosen = named_frontends(frontends, transformer_params or {}, outputs)
    names = list(dict.fromkeys(frontend.name for frontend in chosen))
    classifiers = list(dict.fromkeys(classifiers))
    if unknown := [name for name in classifiers if name not in CLASSIFIERS]:
        raise ValueError(f"Got classifiers {unknown}, expected some of {list(CLASSIFIERS)}.")
    numbers = list(range(seeds) if isinstance(seeds, int | np.integer) else dict.fromkeys(seeds))
    if not (chosen and classifiers and numbers):
        raise ValueError("A comparison needs at least one frontend, one classifier and one seed.")
    tasks = as_tasks(data, cv=cv, label=label)
    if broken := [name for name in [*names, *(task.name for task in tasks)] if len(name.splitlines()) > 1]:
        raise ValueError(f"Got the names {broken}, expected names of one line: a result is a line of results.csv.")
    together = [tasks] if multitask else [[task] for task in tasks]
    if multitask and len({len(task.folds) for task in tasks}) > 1:
        raise ValueError("The tasks have different numbers of folds; give cv to train them together.")
    if keep_models and out is None:
        raise ValueError("keep_models needs a folder: give out.")
    common = {"version": __version__, "cv": cv, "multitask": [task.name for task in tasks] if multitask else None}
    settings = {
        frontend.name: dump_settings({**common, **dict(transformer_params or {}), OWN: frontend.described})
        for frontend in chosen
    }
    folder = None if out is None else Path(out)
    if folder is not None:
        (folder / "models" if keep_models else folder).mkdir(parents=True, exist_ok=True)
    file = None if folder is None else ResultsFile(folder / "results.csv")
    rows = [] if file is None else file.read()
    if file is not None:
        file.check(rows, settings, {task.name: task.fingerprint for task in tasks})
    result = Comparison(rows, names)
    models = folder / "models" if folder is not None and keep_models else None
    jobs = list(_jobs(together, chosen, classifiers, numbers, settings, {row.key for row in rows}, models))
    n_new = sum(len(job.wanted) for job in jobs)
    n_rows = n_new + len(rows)
    if progress is not None:
        progress(len(rows), n_rows, None)
    try:
        for new in _run(jobs, n_jobs):
            for row in new:
                if file is not None:
                    file.append([row])
                rows.append(row)
                if progress is not None:
                    progress(len(rows), n_rows, row)
            if folder is not None:
                _write_table(result, folder)
    finally:
        if folder is not None and rows:
            _write_table(result, folder)
            _draw(result, folder)
            with replacing(folder / "report.html") as temporary:
                temporary.write_text(result.to_html(), encoding="utf-8")
    return result


def _jobs(
    together: Sequence[Sequence[Task]],
    frontends: Sequence[Frontend],
    classifiers: Sequence[str],
    seeds: Sequence[int],
    settings: Mapping[str, str],
    done: set[Key],
    models: Path | None,
) -> Iterator[Job]:
    """List what is left to do: one job a group of tasks, frontend, seed and fold."""
    with_any_seed = {(*key[:4], key[5]) for key in done}
    for tasks in together:
        for frontend in frontends:
            for seed in seeds if frontend.is_seeded else seeds[:1]:
                for fold in range(len(tasks[0].folds)):
                    wanted = []
                    for task, output, classifier in product(tasks, frontend.outputs, classifiers):
                        cell = (task.name, frontend.name, output, classifier)
                        drawn = frontend.is_seeded or classifier not in DETERMINISTIC
                        if not drawn and (*cell, fold) in with_any_seed:
                            continue
                        for each in seeds if drawn and not frontend.is_seeded else [seed]:
                            if (*cell, each, fold) not in done:
                                wanted.append((task.name, output, classifier, each))
                    if wanted:
                        yield Job(list(tasks), frontend, seed, fold, wanted, settings[frontend.name], models)


def _run(jobs: Sequence[Job], n_jobs: int | None) -> Iterator[list[Row]]:
    """Rows of each job, as they are finished."""
    if n_workers(n_jobs) == 1 or len(jobs) == 1:
        yield from map(run_job, jobs)
        return
    with one_thread_each():
        finished = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(delayed(run_job)(job) for job in jobs)
        with closing(finished):
            yield from finished


def _write_table(result: Comparison, folder: Path) -> None:
    with replacing(folder / "results.md") as temporary:
        temporary.write_text(result.to_markdown(), encoding="utf-8")


def _draw(result: Comparison, folder: Path) -> None:
    try:
        save_display(ComparisonDisplay(result.summary()), folder / "comparison.png")
    except ImportError as error:
        warnings.warn(f"{folder / 'comparison.png'} is left out. {error}", stacklevel=3)
