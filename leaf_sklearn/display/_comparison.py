"""ComparisonDisplay: the table of a comparison as bars with intervals."""

import textwrap
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from ._figures import COLOURS, as_ax, grid_of_axes, tidy

MAX_COLUMNS = 3
LABEL_CHARACTERS, LABEL_INCHES = 16, 0.08  # of a line under the bars, and of one of its characters


class ComparisonDisplay:
    """Scores of :func:`leaf_sklearn.compare.compare`, a panel a task.

    Bars are means, dots single runs (seeds and folds), whiskers the 95 % interval of an accuracy for the number of
    test clips. Make one with :meth:`from_comparison`.

    Parameters
    ----------
    lines : sequence of Line
        What :meth:`leaf_sklearn.compare.Comparison.summary` returns.

    Attributes
    ----------
    ax_ : matplotlib Axes or ndarray of Axes
        The panels, one a task.
    figure_ : matplotlib Figure
        The figure that they are in.

    Examples
    --------
    >>> from leaf_sklearn.compare import compare
    >>> from leaf_sklearn.datasets import make_audio_classification
    >>> from leaf_sklearn.display import ComparisonDisplay
    >>> data = make_audio_classification(n_clips=24, random_state=0)
    >>> result = compare(data, frontends=["mel"], classifiers=["logreg", "knn"], cv=2)
    >>> ComparisonDisplay.from_comparison(result).ax_.get_ylabel()
    'accuracy'
    """

    def __init__(self, lines: Sequence[Any]) -> None:
        if not lines:
            raise ValueError("There are no results to draw.")
        self.lines = lines

    @classmethod
    def from_comparison(cls, comparison: Any, *, ax: Any = None) -> Self:
        """Draw the results of a comparison.

        Parameters
        ----------
        comparison : Comparison
            What :func:`leaf_sklearn.compare.compare` returns.
        ax : matplotlib Axes, array-like of them, or None
            As in :meth:`plot`.

        Returns
        -------
        ComparisonDisplay
        """
        return cls(comparison.summary()).plot(ax=ax)

    @property
    def tasks(self) -> list[str]:
        """The tasks, one a panel."""
        return list(dict.fromkeys(line.task for line in self.lines))

    def plot(self, ax: Any = None) -> Self:
        """Draw a panel a task.

        Parameters
        ----------
        ax : matplotlib Axes, array-like of them, or None
            One axes, divided where there are several tasks, or one a task; None makes a figure.

        Returns
        -------
        ComparisonDisplay
        """
        tasks, classifiers = self.tasks, list(dict.fromkeys(line.classifier for line in self.lines))
        panels = grid_of_axes(ax, self._rows(), self.figure_size(), aligned=True)
        for panel, task in zip(panels, tasks, strict=True):
            _draw_bars(panel, [line for line in self.lines if line.task == task], classifiers)
        tidy(panels)
        handles, labels = panels[0].get_legend_handles_labels()
        figure = panels[0].figure
        note = "Held-out clips. Bar: mean, dot: one run, whisker: 95 % interval over test clips"
        if ax is None or len(figure.axes) <= len(panels) + 1:
            figure.legend(
                handles,
                labels,
                loc="outside lower center",
                ncols=len(labels),
                frameon=False,
                title=note,
                title_fontsize=8,
            )
        else:
            panels[0].legend(frameon=False)
        self.ax_, self.figure_ = as_ax(panels), figure
        return self

    def figure_size(self, **_: Any) -> tuple[float, float]:
        """Width and height in inches of a figure that the panels are legible in."""
        rows, frontends = self._rows(), {line.frontend for line in self.lines}
        labels = [_broken(name).splitlines() for name in frontends]
        longest = max(len(part) for label in labels for part in label)
        bars = max(0.45 * len({line.classifier for line in self.lines}), LABEL_INCHES * (longest + 1))
        height = 3.4 + 2 * LABEL_INCHES * (max(map(len, labels)) - 1)
        return max(6.0, max(rows) * max(4.2, 1.0 + bars * len(frontends))), 0.7 + height * len(rows)

    def _rows(self) -> list[int]:
        """Panels of each row."""
        n_tasks = len(self.tasks)
        return [min(MAX_COLUMNS, n_tasks - start) for start in range(0, n_tasks, MAX_COLUMNS)]


def _draw_bars(panel: Any, lines: Sequence[Any], classifiers: Sequence[str]) -> None:
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
    panel.set_xticks(range(len(frontends)), [_broken(name) for name in frontends], fontsize=9)
    panel.set(title=lines[0].task, ylabel=lines[0].heading, ylim=(0, 1.02))


def _broken(name: str) -> str:
    """Break a frontend's name, with the outputs behind it in brackets, into lines that fit under its bars."""
    return "\n".join(textwrap.wrap(name.replace("+", "+ "), LABEL_CHARACTERS)).replace("+ ", "+")
