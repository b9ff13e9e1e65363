"""Pictures of a comparison and of learned filters; matplotlib is needed only here."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._files import replacing
from ._tables import HEADINGS, Line

# Okabe and Ito's colours, which tell apart under every kind of colour vision
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
GREY = "#777777"
MAX_COLUMNS = 3
LOWEST = 20.0  # Hz, left edge of the logarithmic axis


def plot_comparison(lines: Sequence[Line], path: str | os.PathLike[str]) -> None:
    """Draw a panel a task: bars for means, dots for runs, whiskers for the 95 % interval over test clips.

    Raises
    ------
    ImportError
        matplotlib is missing; the message names the extra.
    """
    tasks = list(dict.fromkeys(line.task for line in lines))
    classifiers = list(dict.fromkeys(line.classifier for line in lines))
    n_columns = min(len(tasks), MAX_COLUMNS)
    n_rows = -(-len(tasks) // n_columns)
    n_bars = max(sum(line.task == task for line in lines) for task in tasks)
    figure = _new_figure(n_columns * max(4.2, 1.0 + 0.4 * n_bars), 0.7 + 3.4 * n_rows)
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for panel, task in zip(panels, tasks, strict=False):
        _draw_bars(panel, [line for line in lines if line.task == task], classifiers)
    for panel in panels[len(tasks) :]:
        panel.set_axis_off()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle("Held-out clips. Bar: mean, dot: one run,\nwhisker: 95 % interval over test clips", fontsize=9)
    _save(figure, path)


def plot_filters(transformer: Any, path: str | os.PathLike[str]) -> None:
    """Draw where the filters of a fitted LeafTransformer started and where training took them, in Hz.

    Raises
    ------
    ImportError
        matplotlib is missing; the message names the extra.
    ValueError
        The frontend has no filters with a centre frequency.
    """
    centres, widths = transformer.center_frequencies_, transformer.bandwidths_
    if centres is None:
        raise ValueError(f"The frontend {transformer.frontend!r} has no centre frequencies to draw.")
    figure = _new_figure(10.0, 4.4)
    places, spread = figure.subplots(1, 2)
    number = np.arange(len(centres))
    start, begin = transformer.initial_center_frequencies_, transformer.initial_bandwidths_
    _draw_moves(places, number, number, start, centres)
    places.set(xlabel="filter", ylabel="centre frequency (Hz)", title="Centre frequencies")
    # a centre may be 0, which has no place on a logarithmic axis
    _draw_moves(spread, np.maximum(start, LOWEST), np.maximum(centres, LOWEST), begin, widths)
    spread.set(xlabel="centre frequency (Hz)", ylabel="bandwidth (Hz)", title="Bandwidths", xscale="log", yscale="log")
    for axis in (spread.xaxis, spread.yaxis):
        axis.set_major_formatter("{x:.0f}")
    places.legend(frameon=False, loc="upper left")
    _save(figure, path)


def _draw_bars(panel: Any, lines: Sequence[Line], classifiers: Sequence[str]) -> None:
    frontends = list(dict.fromkeys(line.frontend for line in lines))
    width = 0.8 / len(classifiers)
    for rank, classifier in enumerate(classifiers):
        chosen = [line for line in lines if line.classifier == classifier]
        x = np.array([frontends.index(line.frontend) for line in chosen]) + (rank - (len(classifiers) - 1) / 2) * width
        means = np.array([line.means[line.metric] for line in chosen])
        colour = COLOURS[rank % len(COLOURS)]
        panel.bar(x, means, 0.92 * width, color=colour, alpha=0.75, label=classifier)
        for place, line, mean in zip(x, chosen, means, strict=True):
            low, high = line.interval() or (mean, mean)
            panel.vlines(place, low, high, color="black", linewidth=1)
            jitter = np.linspace(-0.25, 0.25, line.n_runs) * width if line.n_runs > 1 else np.zeros(1)
            panel.scatter(place + jitter, line.values, s=9, color="white", edgecolor="black", linewidth=0.6, zorder=3)
            panel.annotate(f"{mean:.2f}", (place, 0.015), ha="center", va="bottom", fontsize=8)
    panel.set_xticks(range(len(frontends)), frontends)
    panel.set(title=lines[0].task, ylabel=HEADINGS[lines[0].metric], ylim=(0, 1.02))


def _draw_moves(panel: Any, x0: NDArray[Any], x1: NDArray[Any], y0: NDArray[Any], y1: NDArray[Any]) -> None:
    """Open circles at the start, filled ones at the end, a line from each to its own."""
    panel.plot(np.stack([x0, x1]), np.stack([y0, y1]), color=GREY, linewidth=0.8, zorder=1)
    panel.scatter(x0, y0, s=22, facecolor="white", edgecolor=GREY, label="initial", zorder=2)
    panel.scatter(x1, y1, s=22, color=COLOURS[0], label="learned", zorder=3)


def _new_figure(width: float, height: float) -> Any:
    """Make an empty figure, in inches; without pyplot there is no screen and no global state."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("Pictures need matplotlib: pip install 'leaf-sklearn[plot]'.") from error
    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Any, path: str | os.PathLike[str]) -> None:
    for panel in figure.axes:
        panel.spines[["top", "right"]].set_visible(False)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)
