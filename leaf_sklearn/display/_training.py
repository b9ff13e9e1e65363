"""TrainingDisplay: loss, validation score and learning rate over the steps of a fit."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from ._estimators import audio_transformer
from ._figures import COLOURS, GREY, as_ax, grid_of_axes, tidy

ACCURACY = "Held-out accuracy"


class TrainingDisplay:
    """The course of a training: loss, score of the held-out clips, learning rate, and the step that was kept.

    Make one with :meth:`from_estimator`.

    Parameters
    ----------
    history : sequence of mappings
        Entries with "step", "loss", "score" (None where nothing was held out) and "learning_rate". Entries without a
        loss are left out.
    best_step : int, default=None
        The step whose state was kept.
    score_name : str, default="Score"
        What the score is.

    Attributes
    ----------
    ax_ : ndarray of Axes
        The panels, one above the other: loss, score where there is one, learning rate.
    figure_ : matplotlib Figure
        The figure that they are in.

    Examples
    --------
    >>> from leaf_sklearn import LeafTransformer
    >>> from leaf_sklearn.datasets import make_audio_classification
    >>> from leaf_sklearn.display import TrainingDisplay
    >>> X, y = make_audio_classification(n_clips=40, random_state=0)
    >>> leaf = LeafTransformer(max_steps=4, validation_fraction=0.25, random_state=0).fit(X, y)
    >>> display = TrainingDisplay.from_estimator(leaf)
    >>> [panel.get_ylabel() for panel in display.ax_]
    ['Training loss', 'Held-out accuracy', 'Learning rate']
    """

    def __init__(
        self, history: Sequence[Mapping[str, Any]], *, best_step: int | None = None, score_name: str = "Score"
    ) -> None:
        self.history, self.best_step, self.score_name = history, best_step, score_name

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> Self:
        """Read the history of a fitted transformer and draw it.

        Parameters
        ----------
        estimator : LeafTransformer, LeafClassifier, Pipeline or a search over one
            Fitted with y.
        ax : matplotlib Axes, array-like of them, or None
            As in :meth:`plot`.

        Returns
        -------
        TrainingDisplay

        Raises
        ------
        ValueError
            Nothing was trained.
        """
        return cls.of(estimator).plot(ax=ax)

    @classmethod
    def of(cls, estimator: Any) -> Self:
        """Read the history of a fitted transformer without drawing it.

        Parameters
        ----------
        estimator : LeafTransformer, LeafClassifier, Pipeline or a search over one
            Fitted with y.

        Returns
        -------
        TrainingDisplay
        """
        transformer: Any = audio_transformer(estimator)
        history = getattr(transformer, "history_", [])
        if not any("loss" in entry for entry in history):
            raise ValueError(
                f"This {type(transformer).__name__} has no training to draw: fit a LeafTransformer with y and a "
                "frontend that learns."
            )
        ranked = transformer.task_ in ("multilabel", "regression")
        name = "Held-out score" if ranked else ACCURACY
        return cls(history, best_step=transformer.best_step_, score_name=name)

    def plot(self, ax: Any = None) -> Self:
        """Draw the panels one above the other.

        Parameters
        ----------
        ax : matplotlib Axes, array-like of them, or None
            One axes, which is divided, or one a panel; None makes a figure.

        Returns
        -------
        TrainingDisplay
        """
        entries = [entry for entry in self.history if "loss" in entry]
        steps = [entry["step"] for entry in entries]
        scored = [(step, entry["score"]) for step, entry in zip(steps, entries, strict=True) if _known(entry)]
        panels = grid_of_axes(ax, [1] * (3 if scored else 2), self.figure_size())
        panels[0].plot(steps, [entry["loss"] for entry in entries], color=COLOURS[0], marker=".")
        panels[0].set(ylabel="Training loss", title="Training")
        if scored:
            panels[1].plot(*zip(*scored, strict=True), color=COLOURS[0], marker=".")
            panels[1].set_ylabel(self.score_name)
            if self.score_name == ACCURACY:
                low = min(score for _, score in scored)
                panels[1].set_ylim(min(low, 0.9) - 0.05, 1.02)
        panels[-1].plot(steps, [entry["learning_rate"] for entry in entries], color=COLOURS[0], marker=".")
        panels[-1].set(xlabel="Step", ylabel="Learning rate", ylim=(0, None))
        for panel in panels:
            panel.set_xlim(0, steps[-1] * 1.02)
            if self.best_step is not None:
                panel.axvline(self.best_step, color=GREY, linestyle="--", linewidth=1.0, zorder=0)
        if self.best_step is not None:
            self._name_best(panels[0])
        for panel in panels[:-1]:
            panel.tick_params(labelbottom=False)
        tidy(panels)
        self.ax_, self.figure_ = as_ax(panels), panels[0].figure
        return self

    def figure_size(self, **_: Any) -> tuple[float, float]:
        """Width and height in inches of a figure that the panels are legible in."""
        return 6.4, 6.4

    def _name_best(self, panel: Any) -> None:
        """Write beside the dashed line which step it is."""
        late = self.best_step is not None and self.best_step > np.mean(panel.get_xlim())
        panel.annotate(
            f"kept: step {self.best_step}",
            (self.best_step, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-4 if late else 4, -2),
            textcoords="offset points",
            ha="right" if late else "left",
            va="top",
            color=GREY,
        )


def _known(entry: Mapping[str, Any]) -> bool:
    score = entry.get("score")
    return score is not None and bool(np.isfinite(score))
