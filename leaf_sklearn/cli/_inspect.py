"""``leaf-sklearn inspect``: which filters of a saved model moved, and pictures of what it learned."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np

from ..display import FeaturesDisplay, FilterbankDisplay, TrainingDisplay
from ..display._estimators import audio_transformer
from ..display._figures import save_display
from ._commands import read_model

HEADINGS = ("filter", "start Hz", "learned Hz", "moved Hz", "octaves", "width Hz", "was Hz")


def inspect_command(arguments: Namespace) -> None:
    """Print the filters that moved most and save the pictures."""
    try:
        model = audio_transformer(read_model(arguments.model))
    except TypeError as error:
        raise ValueError(f"{arguments.model}: {error}") from error
    folder = Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    sys.stdout.write(describe_model(model) + "\n")
    saved: list[tuple[str, Any]] = []
    if model.center_frequencies_ is not None:
        display = FilterbankDisplay.of(model)
        sys.stdout.write("\n" + describe_drift(display, arguments.top) + "\n")
        saved.append(("filters.png", display))
    if any("loss" in entry for entry in getattr(model, "history_", [])):
        saved.append(("training.png", TrainingDisplay.of(model)))
    if arguments.clip:
        saved.append(("features.png", FeaturesDisplay.of(model, arguments.clip)))
    sys.stdout.write("\n")
    for name, each in saved:
        save_display(each, folder / name)
        sys.stdout.write(f"Saved {folder / name}\n")


def describe_model(model: Any) -> str:
    """Say what a model is, in some lines."""
    frontend = model.frontend_.config
    lines = [
        f"{type(model).__name__}: frontend {frontend['name']}, {frontend['n_filters']} filters at "
        f"{frontend['sample_rate']} Hz, {model.n_parameters_} learned parameters"
    ]
    if getattr(model, "n_iter_", 0):
        kept = f"the state of step {model.best_step_}" if model.best_step_ else "the start, which scored better,"
        lines.append(f"Trained for {model.n_iter_} steps; {kept} was kept")
    else:
        lines.append("Nothing was trained")
    return "\n".join(lines)


def describe_drift(display: FilterbankDisplay, top: int) -> str:
    """List the filters that moved most in octaves, the farthest first."""
    octaves, hertz = display.drift_octaves, display.drift_hz
    if not hertz.any():
        return "No centre frequency moved."
    # what came from or went to 0 Hz moved by no number of octaves; it goes first
    distance = np.where(np.isfinite(octaves), np.abs(octaves), np.where(hertz != 0.0, np.inf, 0.0))
    chosen = np.argsort(-distance, kind="stable")[:top]
    before, after = display.initial_center_frequencies, display.center_frequencies
    rows = [
        (
            str(place),
            f"{before[place]:.0f}",
            f"{after[place]:.0f}",
            f"{hertz[place]:+.0f}",
            f"{octaves[place]:+.2f}" if np.isfinite(octaves[place]) else "-",
            f"{display.bandwidths[place]:.0f}",
            f"{display.initial_bandwidths[place]:.0f}",
        )
        for place in chosen
    ]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in [HEADINGS, *rows]]
    mean = np.nanmean(np.abs(octaves)) if np.isfinite(octaves).any() else np.nan
    return "\n".join(
        [f"The {len(rows)} of {len(before)} filters that moved most (mean of all: {mean:.3f} octaves):", *lines]
    )
