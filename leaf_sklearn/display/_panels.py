"""The panels of FilterbankDisplay, each a function of an axes and the display."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..dsp.scales import Floats
from ._figures import COLOURS, FEW_TICKS_HZ, GREY, frequency_axis

LEARNED, START = COLOURS[0], GREY
FLOOR_DB = -40.0
LOWEST_HZ = 20.0  # left edge of a logarithmic axis


def _responses(panel: Any, shown: Any) -> None:
    order = np.argsort(shown.center_frequencies, kind="stable")
    decibels = 10.0 * np.log10(np.maximum(shown.responses[order], 10.0 ** (FLOOR_DB / 10.0)))
    for place, response in enumerate(decibels):
        # neighbours differ in colour
        panel.plot(shown.frequencies, response, color=COLOURS[place % 3], linewidth=1.0)
    frequency_axis(panel, shown.frequencies[-1])
    panel.set(
        xlabel="Frequency (Hz)", ylabel="Power response (dB)", title="Frequency responses", ylim=(FLOOR_DB + 0.5, 1.0)
    )


def _centers(panel: Any, shown: Any) -> None:
    number = np.arange(float(len(shown.center_frequencies)))
    if shown.mel_center_frequencies is not None:
        panel.plot(number, shown.mel_center_frequencies, color="black", linewidth=1.0, label="mel", zorder=0)
    _moves(panel, number, number, shown.initial_center_frequencies, shown.center_frequencies)
    panel.set(xlabel="Filter", ylabel="Centre frequency (Hz)", title="Centre frequencies", ylim=(0, None))
    panel.legend(frameon=False, loc="upper left")


def _bandwidths(panel: Any, shown: Any) -> None:
    # a centre may be 0, which has no place on a logarithmic axis
    before = np.maximum(shown.initial_center_frequencies, LOWEST_HZ)
    after = np.maximum(shown.center_frequencies, LOWEST_HZ)
    _moves(panel, before, after, shown.initial_bandwidths, shown.bandwidths)
    panel.set(xscale="log", yscale="log", xlabel="Centre frequency (Hz)", ylabel="Bandwidth (Hz)", title="Bandwidths")
    _plain_numbers(panel.xaxis)
    _plain_numbers(panel.yaxis)
    panel.legend(frameon=False, loc="upper left")


def _drift_hz(panel: Any, shown: Any) -> None:
    _stems(panel, shown, shown.drift_hz)
    panel.set(ylabel="Moved by (Hz)", title="Drift from the start, in Hz")


def _drift_octaves(panel: Any, shown: Any) -> None:
    _stems(panel, shown, shown.drift_octaves)
    panel.set(ylabel="Moved by (octaves)", title="Drift from the start, in octaves")


def _pooling(panel: Any, shown: Any) -> None:
    if shown.initial_pooling_widths_ms is not None:
        start = shown.initial_pooling_widths_ms
        panel.scatter(shown.initial_center_frequencies, start, s=18, facecolor="white", edgecolor=START, label="start")
    panel.scatter(shown.center_frequencies, shown.pooling_widths_ms, s=18, color=LEARNED, label="learned", zorder=3)
    frequency_axis(panel, shown.frequencies[-1], FEW_TICKS_HZ)
    panel.set(
        xlabel="Centre frequency (Hz)", ylabel="Width at half height (ms)", title="Pooling windows", ylim=(0, None)
    )
    panel.legend(frameon=False, loc="lower left")


def _pcen(
    name: str, title: str, values: Callable[[Floats], Floats], *, log: bool = False
) -> Callable[[Any, Any], None]:
    def draw(panel: Any, shown: Any) -> None:
        if name in shown.pcen_start:
            start = values(np.array([shown.pcen_start[name]]))[0]
            panel.axhline(start, color=START, linewidth=1.0, linestyle="--", label="start")
        panel.scatter(
            shown.center_frequencies, values(shown.pcen[name]), s=18, color=LEARNED, label="learned", zorder=3
        )
        frequency_axis(panel, shown.frequencies[-1], FEW_TICKS_HZ)
        panel.set(xlabel="Centre frequency (Hz)", title=title)
        if log:
            panel.set(yscale="log")
            _plain_numbers(panel.yaxis)
        panel.tick_params(axis="x", labelsize="small")
        if name in shown.pcen_start:
            panel.legend(frameon=False, fontsize="small")

    return draw


def _moves(panel: Any, x0: Floats, x1: Floats, y0: Floats, y1: Floats) -> None:
    """Open circles at the start, filled ones at the end, a line from each to its own."""
    if np.array_equal(x0, x1) and np.array_equal(y0, y1):
        panel.scatter(x1, y1, s=18, color=LEARNED, label="filters")
        return
    panel.plot(np.stack([x0, x1]), np.stack([y0, y1]), color=START, linewidth=0.8, zorder=1)
    panel.scatter(x0, y0, s=18, facecolor="white", edgecolor=START, label="start", zorder=2)
    panel.scatter(x1, y1, s=18, color=LEARNED, label="learned", zorder=3)


def _stems(panel: Any, shown: Any, drift: Floats) -> None:
    """Draw a line from zero to each filter's drift, at the frequency where it started."""
    before = shown.initial_center_frequencies
    panel.axhline(0.0, color=START, linewidth=1.0)
    panel.vlines(before, 0.0, drift, color=LEARNED, linewidth=1.0)
    panel.scatter(before, drift, s=18, color=LEARNED, zorder=3)
    frequency_axis(panel, shown.frequencies[-1], FEW_TICKS_HZ)
    panel.set_xlabel("Centre frequency at the start (Hz)")


def _plain_numbers(axis: Any) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


PANELS: Mapping[str, Callable[[Any, Any], None]] = {
    "responses": _responses,
    "centers": _centers,
    "bandwidths": _bandwidths,
    "drift_hz": _drift_hz,
    "drift_octaves": _drift_octaves,
    "pooling": _pooling,
    "alpha": _pcen("alpha", "PCEN gain $\\alpha$", np.asarray),
    "delta": _pcen("delta", "PCEN offset $\\delta$", np.asarray, log=True),
    "exponent": _pcen("root", "PCEN exponent $1/r$", lambda root: 1.0 / np.maximum(root, 1.0)),
    "smooth": _pcen("smooth", "PCEN smoothing $s$", np.asarray),
}
ROWS: Mapping[str, tuple[str, ...]] = {
    "responses": ("responses",),
    "centers": ("centers",),
    "bandwidths": ("bandwidths",),
    "drift": ("drift_hz", "drift_octaves"),
    "pooling": ("pooling",),
    "pcen": ("alpha", "delta", "exponent", "smooth"),
}
"""The panels of each kind of picture."""
