"""What the displays share: colours, axes, frequency axes, and figures as files; matplotlib is needed only here."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._files import replacing
from ..dsp.scales import hz_to_mel, mel_to_hz

# Okabe and Ito's colours, which tell apart under every kind of colour vision
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
GREY = "#777777"
IMAGE_COLOURS = "cividis"  # even for every kind of colour vision, and in grey
TICKS_HZ = (0, 100, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 64000)
FEW_TICKS_HZ = (0, 250, 1000, 2000, 4000, 8000, 16000, 32000, 64000)
DPI = 150


def need_matplotlib() -> None:
    """ImportError that names the extra, where matplotlib is missing."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ImportError("Pictures need matplotlib: pip install 'leaf-sklearn[plot]'.") from error


def grid_of_axes(ax: Any, rows: Sequence[int], size: tuple[float, float], *, aligned: bool = False) -> list[Any]:
    """Axes in rows of as many panels as ``rows`` says, in the place of one axes or in a new figure.

    Parameters
    ----------
    ax : matplotlib Axes, array-like of them, or None
        One axes per panel; one axes, which is then divided; or None for a new figure.
    rows : sequence of int
        Panels of each row.
    size : tuple of float
        Width and height of a new figure, in inches.
    aligned : bool
        Whether the panels of a shorter row are no wider than the others.
    """
    need_matplotlib()
    from matplotlib.gridspec import GridSpecFromSubplotSpec

    n_panels = sum(rows)
    if ax is not None and not hasattr(ax, "plot"):
        given = list(np.ravel(ax))
        if len(given) != n_panels:
            raise ValueError(f"Got {len(given)} axes, expected 1 or {n_panels}.")
        return given
    if ax is None:
        from matplotlib import pyplot

        ax = _spaced(pyplot.figure(figsize=size, layout="constrained")).add_subplot()
    if n_panels == 1:
        return [ax]
    if ax.get_subplotspec() is None:
        raise ValueError("An axes that is placed by hand cannot be divided; pass one that belongs to a grid.")
    ax.set_axis_off()
    if aligned or len(set(rows)) == 1:
        # one grid keeps the panels' sides in line
        grid = GridSpecFromSubplotSpec(len(rows), max(rows), subplot_spec=ax.get_subplotspec())
        return [ax.figure.add_subplot(grid[place]) for place in range(n_panels)]
    outer = GridSpecFromSubplotSpec(len(rows), 1, subplot_spec=ax.get_subplotspec())
    panels = []
    for row, n_columns in enumerate(rows):
        inner = GridSpecFromSubplotSpec(1, n_columns, subplot_spec=outer[row])
        panels += [ax.figure.add_subplot(inner[column]) for column in range(n_columns)]
    return panels


def as_ax(panels: Sequence[Any]) -> Any:
    """One axes by itself, several as an array: what a display keeps as ``ax_``."""
    return panels[0] if len(panels) == 1 else np.array(panels, dtype=object)


def frequency_axis(panel: Any, highest: float, ticks: Sequence[int] = TICKS_HZ) -> None:
    """Space the x axis as the mel scale is, from 0 Hz to the highest."""
    panel.set_xscale("function", functions=(hz_to_mel, mel_to_hz))
    panel.set_xlim(0, highest)
    label_frequencies(panel.xaxis, [hz for hz in ticks if hz <= highest])


def label_frequencies(axis: Any, hertz: ArrayLike, places: ArrayLike | None = None) -> None:
    """Put ticks at frequencies, or at these places of the axis, labelled in Hz."""
    values = np.asarray(hertz)
    axis.set_ticks(values if places is None else np.asarray(places), labels=[f"{value:g}" for value in values])
    axis.set_ticks([], minor=True)


def tidy(panels: Sequence[Any]) -> None:
    """Take the frame's upper and right side away."""
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)


def new_figure(size: tuple[float, float]) -> Any:
    """Make an empty figure of so many inches; without pyplot there is no screen and no global state."""
    need_matplotlib()
    from matplotlib.figure import Figure

    return _spaced(Figure(figsize=size, layout="constrained"))


def save_display(display: Any, path: str | os.PathLike[str]) -> None:
    """Draw a display of this package into a file, whole or not at all; the kind of picture follows from its suffix."""
    figure = new_figure(display.figure_size())
    display.plot(ax=figure.add_subplot())
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=DPI)


def _spaced(figure: Any) -> Any:
    """Leave some room between the labels of neighbouring panels, in inches."""
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    return figure
