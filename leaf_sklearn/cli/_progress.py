"""What a comparison shows while it runs: a bar on a terminal, lines anywhere else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from ..compare._compare import Progress
from ..compare._results import Row
from ..compare._tables import HEADINGS, judged_by


@contextmanager
def progress_display(stream: TextIO) -> Iterator[Progress]:
    """Give a callback for :func:`~leaf_sklearn.compare.compare` that writes to this stream."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar
    except ImportError:
        yield _lines(stream)
        return
    if not stream.isatty():
        yield _lines(stream)
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=Console(file=stream)) as bar:
        shown = bar.add_task("starting", total=None)

        def show(n_done: int, n_rows: int, row: Row | None) -> None:
            bar.update(shown, completed=n_done, total=n_rows, description="" if row is None else describe_row(row))

        yield show


def describe_row(row: Row) -> str:
    """Say what a row is of and its first metric, in one line."""
    metric = judged_by(row)
    fold = f" fold {row.fold}" if row.fold else ""
    what = f"{row.task} {row.frontend} {row.classifier} seed {row.seed}{fold}"
    return f"{what}: {HEADINGS[metric]} {getattr(row, metric):.3f} (fit {row.fit_seconds:.1f} s)"


def _lines(stream: TextIO) -> Progress:
    def show(n_done: int, n_rows: int, row: Row | None) -> None:
        if row is not None:
            stream.write(f"{n_done}/{n_rows} {describe_row(row)}\n")
        elif n_done:
            stream.write(f"{n_done} of {n_rows} results were there already\n")
        stream.flush()

    return show
